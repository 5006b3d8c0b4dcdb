//! A Logs Insights query over flow logs, for an alarm that names no source.

use std::time::Duration;

use aws_sdk_cloudwatchlogs::Client;
use aws_sdk_cloudwatchlogs::types::QueryStatus;
use jiff::{SignedDuration, Timestamp};
use palisade_policy::cidr::Cidr;
use palisade_policy::trigger::{Pattern, Search};

use crate::aws::AwsError;
use crate::deadline::Deadline;

/// Flow logs reach CloudWatch Logs some ten minutes late, and an alarm looks at some minutes before it is raised.
const WINDOW: SignedDuration = SignedDuration::from_mins(30);
const POLL: Duration = Duration::from_secs(1);
/// What the denials themselves need after the query.
const FOR_THE_REST: Duration = Duration::from_secs(30);
/// A query that takes longer has too large a log group to be asked in an emergency.
const MOST_POLLS: usize = 120;

/// How much a source must have done.
#[derive(Debug, Clone)]
pub struct Thresholds {
    /// Rejected packets, or ports tried.
    pub hits: u64,
    /// Bytes sent to one destination.
    pub bytes: u64,
    /// At most so many sources.
    pub sources: usize,
}

/// The query. It leaves out what looks like an answer to a call of our own, from a port below 1024 to one above: whoever forges packets
/// would otherwise have us deny the services that we use. Private addresses attack nobody from outside.
fn query(pattern: Pattern, thresholds: &Thresholds) -> String {
    let Thresholds { hits, bytes, sources } = thresholds;
    const NO_ANSWERS: &str = "not (srcPort < 1024 and dstPort >= 1024)";
    let outside = |field: &str| {
        let private = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16"];
        private.map(|block| format!("not isIpv4InSubnet({field}, \"{block}\")")).join(" and ")
    };
    match pattern {
        Pattern::SuspiciousTraffic => format!(
            "filter action = \"REJECT\" and {NO_ANSWERS} and {} | stats sum(packets) as hits by srcAddr | filter hits >= {hits} | sort hits desc | limit {sources}",
            outside("srcAddr")
        ),
        Pattern::PortScan => format!(
            "filter {NO_ANSWERS} and {} | stats count_distinct(dstPort) as hits by srcAddr | filter hits >= {hits} | sort hits desc | limit {sources}",
            outside("srcAddr")
        ),
        Pattern::DataExfiltration => format!(
            "filter action = \"ACCEPT\" and {NO_ANSWERS} and {} | stats sum(bytes) as hits by srcAddr, dstAddr | filter hits >= {bytes} | sort hits desc | limit {sources}",
            outside("dstAddr")
        ),
    }
}

/// Who did what the alarm is about, worst first.
pub(crate) async fn run(
    logs: &Client,
    log_group: &str,
    search: &Search,
    thresholds: &Thresholds,
    deadline: Deadline,
) -> Result<Vec<Cidr>, AwsError> {
    let end = search.until.unwrap_or_else(Timestamp::now);
    let begin = end.saturating_sub(WINDOW).unwrap_or(end);
    let call = logs.start_query().log_group_name(log_group).query_string(query(search.pattern, thresholds));
    let started = call.start_time(begin.as_second()).end_time(end.as_second().saturating_add(60)).send().await;
    let id = started.map_err(|error| AwsError::new("StartQuery", &error))?.query_id.unwrap_or_default();

    for _ in 0..MOST_POLLS {
        if !deadline.leaves(POLL + FOR_THE_REST) {
            break;
        }
        let answer = logs.get_query_results().query_id(&id).send().await.map_err(|error| AwsError::new("GetQueryResults", &error))?;
        match answer.status {
            Some(QueryStatus::Complete) => {
                let field = if search.pattern == Pattern::DataExfiltration { "dstAddr" } else { "srcAddr" };
                let rows = answer.results.unwrap_or_default();
                let sources = rows
                    .iter()
                    .filter_map(|row| row.iter().find(|cell| cell.field.as_deref() == Some(field)).and_then(|cell| cell.value.as_deref()));
                return addresses(sources, thresholds.sources);
            }
            Some(QueryStatus::Scheduled | QueryStatus::Running) => tokio::time::sleep(POLL).await,
            status => {
                let status = status.map_or_else(|| "without a status".to_owned(), |status| status.as_str().to_owned());
                return Err(AwsError::unreadable("GetQueryResults", format!("the query ended {status}")));
            }
        }
    }
    // Nobody waits for it any more.
    let _ = logs.stop_query().query_id(&id).send().await;
    Err(AwsError::unreadable("GetQueryResults", "the query took longer than there was time"))
}

fn addresses<'a>(sources: impl Iterator<Item = &'a str>, most: usize) -> Result<Vec<Cidr>, AwsError> {
    let mut found: Vec<Cidr> = Vec::new();
    for source in sources {
        let block =
            source.parse().ok().and_then(|address: std::net::IpAddr| Cidr::containing(address, if address.is_ipv4() { 32 } else { 128 }));
        match block {
            Some(block) if found.contains(&block) => {}
            Some(block) => found.push(block),
            // Records without data have a dash.
            None if source == "-" => {}
            None => return Err(AwsError::unreadable("GetQueryResults", "a source that is no address")),
        }
    }
    found.truncate(most);
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pattern_asks_for_what_it_is_about() {
        let thresholds = Thresholds { hits: 100, bytes: 1_073_741_824, sources: 10 };
        let ask = |pattern| query(pattern, &thresholds);
        assert!(
            ask(Pattern::SuspiciousTraffic)
                .contains("stats sum(packets) as hits by srcAddr | filter hits >= 100 | sort hits desc | limit 10")
        );
        assert!(ask(Pattern::SuspiciousTraffic).starts_with("filter action = \"REJECT\""));
        assert!(ask(Pattern::PortScan).contains("stats count_distinct(dstPort) as hits by srcAddr | filter hits >= 100"));
        assert!(ask(Pattern::DataExfiltration).contains("stats sum(bytes) as hits by srcAddr, dstAddr | filter hits >= 1073741824"));
    }

    #[test]
    fn no_pattern_counts_what_looks_like_an_answer_to_our_own_calls() {
        let thresholds = Thresholds { hits: 1, bytes: 1, sources: 1 };
        for pattern in [Pattern::SuspiciousTraffic, Pattern::PortScan, Pattern::DataExfiltration] {
            assert!(query(pattern, &thresholds).contains("not (srcPort < 1024 and dstPort >= 1024)"), "{pattern:?}");
        }
    }

    #[test]
    fn sources_are_addresses_once_each_and_no_more_than_asked_for() {
        let rows = ["198.51.100.7", "198.51.100.7", "-", "2001:db8::7", "203.0.113.9"];
        let found = addresses(rows.into_iter(), 2).unwrap();
        assert_eq!(found.iter().map(ToString::to_string).collect::<Vec<_>>(), ["198.51.100.7/32", "2001:db8::7/128"]);
        assert!(addresses(["attacker.example"].into_iter(), 2).is_err());
    }
}
