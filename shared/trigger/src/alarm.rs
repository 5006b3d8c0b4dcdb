//! Door `alarm`: a CloudWatch alarm, in its three deliveries.
//!
//! - over SNS, as a JSON text in `Records[0].Sns.Message`;
//! - by the alarm's own Lambda action, with `alarmData`;
//! - over EventBridge, *CloudWatch Alarm State Change* and *CloudWatch Alarm Contributor State Change*.
//!
//! Only an alarm of several time series names what it is about, in the attributes of a contributor. Of any other, a dimension may name the
//! source; else the flow logs have to be searched.

use jiff::Timestamp;
use palisade_policy::guardrail::Guardrail;
use palisade_policy::id::Excerpt;
use palisade_policy::trigger::{Attack, Cause, Door, Pattern, Search, Targets, Trigger};
use serde_json::Value;

use crate::member::Member;
use crate::source::sources;
use crate::{Own, Reading, TriggerError, foreign, not_ours, unclaimed};

/// The names of an attribute or a dimension that holds the source of traffic, in lower case and without `-` and `_`. CloudTrail's
/// `sourceIPAddress` is not among them: who called an API sent no packet here.
const SOURCE: [&str; 6] = ["srcaddr", "pktsrcaddr", "srcip", "sourceip", "sourceaddr", "sourceaddress"];
/// The same for its destination.
const DESTINATION: [&str; 6] = ["dstaddr", "pktdstaddr", "dstip", "destinationip", "destinationaddr", "destinationaddress"];
/// No name that means one of these is longer.
const LONGEST_NAME: usize = 32;

/// An alarm, wherever a delivery puts its parts.
struct Alarm<'a> {
    event_id: Option<String>,
    name: Member<'a>,
    state: Member<'a>,
    /// When it came into that state, and when it was told, as a substitute.
    times: Vec<Member<'a>>,
    contributors: Vec<Member<'a>>,
    dimensions: Vec<Member<'a>>,
}

/// Whether it is what an alarm sends to a topic.
pub(crate) fn is_message(payload: &Value) -> bool {
    ["AlarmName", "NewStateValue"].iter().all(|name| payload.get(name).is_some())
}

/// Whether a payload is what an alarm's Lambda action sends.
pub(crate) fn is_action(payload: &Value) -> bool {
    payload.get("source").and_then(Value::as_str) == Some("aws.cloudwatch") && payload.get("alarmData").is_some()
}

/// Over SNS. What SNS says of the message is not there where it delivers raw messages.
pub(crate) fn read_message(message: &Member<'_>, sns: Option<&Member<'_>>, own: &Own) -> Result<Reading, TriggerError> {
    let of_sns = |name: &str| sns.map(|sns| sns.get(name));
    let trigger = message.get("Trigger");
    let metrics = trigger.get("Metrics").items();
    let metrics = metrics.iter().map(|metric| metric.at(&["MetricStat", "Metric", "Dimensions"]));
    let alarm = Alarm {
        event_id: of_sns("MessageId").and_then(|id| id.told()),
        name: message.get("AlarmName"),
        state: message.get("NewStateValue"),
        times: std::iter::once(message.get("StateChangeTime")).chain(of_sns("Timestamp")).collect(),
        contributors: contributors(message),
        dimensions: std::iter::once(trigger.get("Dimensions")).chain(metrics).collect(),
    };
    let (account, arn) = (message.get("AWSAccountId"), message.get("AlarmArn"));
    let said = account.owner()?;
    // `Region` is a name for people here (`Europe (Ireland)`); the ARN has the real one. Where a message has no ARN, the topic tells: an
    // alarm sends to topics of its own Region only.
    let (region, of_arn) = match parts_of_arn(&arn, "cloudwatch")? {
        Some((region, account)) => (Some(region), Some(account)),
        None => {
            let (region, account) = of_sns("TopicArn").map_or(Ok(None), |arn| parts_of_arn(&arn, "sns"))?.unzip();
            // The topic may be another account's than the alarm.
            (region, account.filter(|_| said.is_none()))
        }
    };
    let why_not = match other_than(own.account.as_str(), &account, [said, of_arn])? {
        Some(why) => Some(why),
        None => other_than(own.region.as_str(), &arn, [region, None])?,
    };
    reading(&alarm, why_not, own)
}

/// By the alarm's own Lambda action.
pub(crate) fn read_action(root: &Member<'_>, own: &Own) -> Result<Reading, TriggerError> {
    let data = root.get("alarmData").object()?;
    let (account, region, arn) = (root.get("accountId"), root.get("region"), root.get("alarmArn"));
    let (region_of_arn, account_of_arn) = parts_of_arn(&arn, "cloudwatch")?.unzip();
    let why_not = match other_than(own.account.as_str(), &account, [account.owner()?, account_of_arn])? {
        Some(why) => Some(why),
        None => other_than(own.region.as_str(), &region, [region.owner()?, region_of_arn])?,
    };
    let alarm =
        Alarm { event_id: None, contributors: [contributors(&data), contributors(root)].concat(), ..configured(&data, root.get("time")) };
    reading(&alarm, why_not, own)
}

/// Over EventBridge, which tells of an alarm even while its actions are held back.
pub(crate) fn read_event(root: &Member<'_>, own: &Own) -> Result<Reading, TriggerError> {
    let detail = root.get("detail").object()?;
    let held_back = detail.get("muteDetail").exists() || detail.at(&["state", "actionsSuppressedBy"]).exists();
    let why_not =
        foreign(root, &detail, ["accountId", "region"], own)?.or(held_back.then(|| "the alarm is muted or suppressed".to_owned()));
    let alarm = Alarm { event_id: root.get("id").told(), ..configured(&detail, root.get("time")) };
    reading(&alarm, why_not, own)
}

/// *CloudWatch Alarm Configuration Change*: somebody edited an alarm.
pub(crate) fn read_edit(root: &Member<'_>) -> Reading {
    let detail = root.get("detail");
    let alarm = Alarm { event_id: root.get("id").told(), ..configured(&detail, root.get("time")) };
    Reading::ignored(cause(&alarm), "the alarm was edited, not raised")
}

/// The parts as the Lambda action and EventBridge put them.
fn configured<'a>(data: &Member<'a>, told: Member<'a>) -> Alarm<'a> {
    let state = data.get("state");
    let metrics = data.at(&["configuration", "metrics"]).items();
    Alarm {
        event_id: None,
        name: data.get("alarmName"),
        state: state.get("value"),
        times: vec![state.get("timestamp"), told],
        contributors: contributors(data),
        dimensions: metrics.iter().map(|metric| metric.at(&["metricStat", "metric", "dimensions"])).collect(),
    }
}

/// No page of AWS shows a contributor in every delivery, so each place is looked at that one shows.
fn contributors<'a>(member: &Member<'a>) -> Vec<Member<'a>> {
    vec![member.at(&["alarmContributor", "attributes"]), member.get("AlarmContributorAttributes")]
}

fn cause(alarm: &Alarm<'_>) -> Cause {
    Cause { event_id: alarm.event_id.clone(), time: time(alarm), detail: alarm.name.told(), ..Cause::new(Door::Alarm) }
}

fn time(alarm: &Alarm<'_>) -> Option<Timestamp> {
    alarm.times.iter().find_map(Member::time)
}

fn reading(alarm: &Alarm<'_>, why_not: Option<String>, own: &Own) -> Result<Reading, TriggerError> {
    let cause = cause(alarm);
    let ignored = |why: String| Ok(Reading::ignored(cause.clone(), why));
    if let Some(why) = why_not {
        return ignored(why);
    }
    if own.guardrail != Guardrail::DenySource {
        return ignored(format!("an alarm is not for {}", own.guardrail));
    }
    let state = alarm.state.text()?.ok_or_else(|| alarm.state.wrong("is missing"))?;
    if state != "ALARM" {
        return ignored(format!("the alarm is in state `{}`", Excerpt(state)));
    }
    let name = alarm.name.text()?.ok_or_else(|| alarm.name.wrong("is missing"))?;
    let pattern = pattern(name);
    let both_ways = pattern == Pattern::DataExfiltration;
    // Where data leaves, the source is ours, and the destination is the one to deny.
    let wanted: &[&[&str]] = if both_ways { &[&DESTINATION, &SOURCE] } else { &[&SOURCE] };
    for names in wanted {
        for place in [&alarm.contributors, &alarm.dimensions] {
            let sources = sources(named(place, names)?)?;
            if !sources.is_empty() {
                let attack = Attack { sources, acls: Vec::new(), subnets: Vec::new(), both_ways };
                return Ok(Reading::Trigger(Trigger::new(cause, Targets::Attack(attack))));
            }
        }
    }
    let until = time(alarm);
    Ok(Reading::Trigger(Trigger::new(cause, Targets::Search(Search { pattern, until }))))
}

/// What an alarm is about, by its name.
fn pattern(name: &str) -> Pattern {
    let name = name.to_lowercase();
    if name.contains("data-exfiltration") {
        Pattern::DataExfiltration
    } else if name.contains("port-scan") {
        Pattern::PortScan
    } else {
        Pattern::SuspiciousTraffic
    }
}

/// The values that stand under one of the names: in objects, or in lists of a `name` and a `value` each.
fn named<'a>(places: &[Member<'a>], names: &[&str]) -> Result<Vec<Member<'a>>, TriggerError> {
    let means = |name: &str| {
        let short = name.len() <= LONGEST_NAME;
        short && names.contains(&name.to_lowercase().replace(['-', '_'], "").as_str())
    };
    let mut all: Vec<Member<'a>> = Vec::new();
    for place in places {
        match place.value() {
            None => {}
            Some(Value::Object(object)) => all.extend(object.keys().filter(|name| means(name)).map(|name| place.get(name))),
            Some(Value::Array(_)) => {
                let items = place.items();
                let ours = items.iter().filter(|item| item.get("name").value().and_then(Value::as_str).is_some_and(means));
                all.extend(ours.map(|item| item.get("value")));
            }
            Some(_) => return Err(place.wrong("is neither an object nor a list")),
        }
    }
    Ok(all)
}

/// The Region and the account of an ARN of this service.
fn parts_of_arn(arn: &Member<'_>, service: &str) -> Result<Option<(String, String)>, TriggerError> {
    let Some(text) = arn.text()? else { return Ok(None) };
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    match parts.as_slice() {
        ["arn", _, its, region, account, _] if *its == service => Ok(Some(((*region).to_owned(), (*account).to_owned()))),
        _ => Err(arn.wrong(format!("is not an ARN of {service}"))),
    }
}

/// Why an alarm is not ours, by all that it says of its account, or of its Region. `asked` is the member that should at least have said it.
fn other_than(ours: &str, asked: &Member<'_>, said: [Option<String>; 2]) -> Result<Option<String>, TriggerError> {
    if said.iter().all(Option::is_none) {
        return Err(unclaimed(asked));
    }
    Ok(said.into_iter().flatten().find(|its| its != ours).map(|its| not_ours(&its, ours)))
}
