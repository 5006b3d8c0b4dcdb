//! # enable-flow-logs
//!
//! **What it does.** Finds the VPCs whose wanted traffic (`ALL` unless set) no flow log records, and gives each one flow log, to the
//! configured log group or bucket, tagged `palisade:guardrail=enable-flow-logs`.
//!
//! **Why.** Without flow logs nobody can tell afterwards who reached what, nor see an attack while it goes on. It is Security Hub's EC2.6.
//!
//! **Example.** A VPC with one flow log, of `ACCEPT` traffic, gets one of `ALL`. The one that it has stays.
//!
//! **Instead**, create the flow log with the VPC, in the same template.
//!
//! What counts is what *arrives*: the flow logs of the VPC itself (one of a subnet or an interface sees only a part) that are ACTIVE and do
//! not fail to deliver, together. `ALL` records everything, and so do `ACCEPT` and `REJECT` beside each other, to whatever destinations.
//! A flow log that exists is never touched. One that fails to deliver is told of with EC2's reason; where it is the very one that would be
//! created, EC2 would not take a second, and the VPC is refused: only whoever owns the destination can mend it.

use jiff::Timestamp;

use crate::change::{Change, FlowLogChange};
use crate::exemption::Exemption;
use crate::flow_log::{Destination, FlowLog, TrafficType, Vpc, destination_of, is_same_destination};
use crate::guardrail::Guardrail;
use crate::id::{Excerpt, FlowLogId};
use crate::plan::{Fate, Plan, Sketch, SketchLine, Verdict};
use crate::security_group::Tags;

/// The key of the tag that what Palisade makes carries; its value is the guardrail's id.
pub const MADE_BY: &str = "palisade:guardrail";

/// What the operator wants.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where a new flow log delivers to.
    pub destination: Destination,
    /// The traffic that must be recorded.
    pub traffic: TrafficType,
    /// Whether exemption tags count.
    pub exemptions: bool,
}

/// What must be recorded.
#[derive(Debug, Clone)]
pub struct Policy {
    settings: Settings,
}

impl Policy {
    /// A policy of these settings; none contradicts another.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { settings }
    }

    /// Decides about one VPC. `refusals` is how often EC2 has said that a flow log which the VPC has stands in the way of the new one.
    #[must_use]
    pub fn plan(&self, vpc: &Vpc, now: Timestamp, refusals: usize) -> Plan {
        let missing = self.missing(vpc);
        let plan = |verdict, reason, remarks, sketch| Plan {
            verdict,
            reason,
            remarks,
            changes: Vec::new(),
            unread: None,
            exposure: missing.len() as u128,
            sketch,
        };
        if missing.is_empty() {
            let reason = format!("{} traffic is recorded", self.settings.traffic);
            return plan(Verdict::Compliant, reason, troubles(vpc, None), Sketch::default());
        }
        let reason = self.reason(vpc, &missing);
        let mut remarks = Vec::new();
        if self.settings.exemptions {
            match Exemption::read(&vpc.tags, Guardrail::EnableFlowLogs, now) {
                Exemption::Valid { until, reason: why } => {
                    remarks.push(format!("{} is exempt until {until}: {why}", vpc.id));
                    remarks.extend(troubles(vpc, None));
                    return plan(Verdict::Exempt { until }, format!("{reason}, exempt until {until}"), remarks, sketch(vpc, None));
                }
                Exemption::Invalid { why } => remarks.push(format!("the exemption tag of {} does not count: {why}", vpc.id)),
                Exemption::None => {}
            }
        }
        let create = FlowLogChange {
            vpc_id: vpc.id.clone(),
            flow_log_id: None,
            traffic_type: self.settings.traffic,
            destination: self.settings.destination.clone(),
            tags: Tags::from([(MADE_BY.to_owned(), Guardrail::EnableFlowLogs.id().to_owned())]),
        };
        let (obstacle, why) = match (vpc.flow_log(&create), refusals) {
            (Some(twin), _) => (Some(twin), "it is just what would be created, and EC2 takes no second one alike"),
            (None, 0) => (None, ""),
            (None, _) => (self.neighbour(vpc), "EC2 takes no other of this VPC to the same destination"),
        };
        remarks.extend(troubles(vpc, obstacle));
        if let Some(log) = obstacle {
            let what = trouble(log).unwrap_or_else(|| format!("{} records {} traffic to {}", label(log), log.traffic_type, log.place()));
            return plan(Verdict::Refused, format!("{reason}; {what}; {why}"), remarks, sketch(vpc, None));
        }
        let sketch = sketch(vpc, Some(&create));
        Plan { changes: vec![Change::CreateFlowLog(create)], ..plan(Verdict::Change, reason, remarks, sketch) }
    }

    /// The halves of the wanted traffic that no flow log delivers.
    fn missing(&self, vpc: &Vpc) -> Vec<TrafficType> {
        let wanted = |half: &TrafficType| self.settings.traffic.records(*half);
        TrafficType::HALVES.into_iter().filter(wanted).filter(|half| !is_recorded(vpc, *half)).collect()
    }

    fn reason(&self, vpc: &Vpc, missing: &[TrafficType]) -> String {
        let recorded = TrafficType::HALVES.into_iter().find(|half| is_recorded(vpc, *half));
        match (recorded, missing.first()) {
            (Some(recorded), Some(missing)) => format!("only {recorded} traffic is recorded, not {missing}"),
            _ if vpc.flow_logs.is_empty() => "no flow log records its traffic".to_owned(),
            _ => "no flow log that records its traffic delivers it".to_owned(),
        }
    }

    /// A flow log to the configured destination, whatever it records.
    fn neighbour<'a>(&self, vpc: &'a Vpc) -> Option<&'a FlowLog> {
        let destination = destination_of(&self.settings.destination);
        vpc.flow_logs.iter().find(|log| is_same_destination(&log.destination, destination))
    }
}

fn is_recorded(vpc: &Vpc, half: TrafficType) -> bool {
    vpc.flow_logs.iter().any(|log| log.delivers() && log.traffic_type.records(half))
}

/// What is wrong with the VPC's flow logs, but for the one that is told of elsewhere.
fn troubles(vpc: &Vpc, but: Option<&FlowLog>) -> Vec<String> {
    vpc.flow_logs.iter().filter(|log| !but.is_some_and(|but| std::ptr::eq(but, *log))).filter_map(trouble).collect()
}

fn trouble(log: &FlowLog) -> Option<String> {
    let what = match (&log.failing, log.active) {
        (Some(why), _) => format!("does not deliver to {}: {}", log.place(), Excerpt(why)),
        (None, false) => format!("to {} is not ACTIVE", log.place()),
        (None, true) => return None,
    };
    Some(format!("{} of {} traffic {what}", label(log), log.traffic_type))
}

fn label(log: &FlowLog) -> &str {
    log.id.as_ref().map_or("a flow log", FlowLogId::as_str)
}

fn sketch(vpc: &Vpc, added: Option<&FlowLogChange>) -> Sketch {
    let kept = vpc.flow_logs.iter().map(|log| {
        let state = match (&log.failing, log.active) {
            (Some(why), _) => format!("{}, FAILED: {why}", label(log)),
            (None, false) => format!("{}, not ACTIVE", label(log)),
            (None, true) => label(log).to_owned(),
        };
        SketchLine { fate: Fate::Kept, cells: vec![log.traffic_type.to_string(), log.place(), state] }
    });
    let added = added
        .map(|log| SketchLine { fate: Fate::Added, cells: vec![log.traffic_type.to_string(), log.destination.to_string(), String::new()] });
    Sketch { name: vpc.tags.get("Name").cloned(), title: "Flow logs", lines: added.into_iter().chain(kept).collect() }
}
