//! VPCs and their flow logs.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::change::{ApplyError, Change, FlowLogChange, State, tag};
use crate::control::Control;
use crate::id::{AccountId, Excerpt, FlowLogId, VpcId};
use crate::security_group::Tags;

/// Which traffic a flow log records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum TrafficType {
    /// What was accepted.
    Accept,
    /// What was rejected.
    Reject,
    /// Both.
    All,
}

impl TrafficType {
    /// What `ALL` is made of.
    pub const HALVES: [TrafficType; 2] = [TrafficType::Accept, TrafficType::Reject];

    /// Whether a flow log of this type records that traffic, whole.
    #[must_use]
    pub fn records(self, traffic: TrafficType) -> bool {
        self == TrafficType::All || self == traffic
    }

    /// Its name in EC2.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            TrafficType::Accept => "ACCEPT",
            TrafficType::Reject => "REJECT",
            TrafficType::All => "ALL",
        }
    }
}

impl fmt::Display for TrafficType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

impl FromStr for TrafficType {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = [TrafficType::Accept, TrafficType::Reject, TrafficType::All];
        all.into_iter().find(|of| of.id() == text).ok_or_else(|| format!("`{}` is not `ALL`, `REJECT` or `ACCEPT`", Excerpt(text)))
    }
}

/// Where a flow log's records go.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", untagged)]
pub enum Destination {
    /// A log group of CloudWatch Logs, and the role that delivers.
    LogGroup {
        /// Its name.
        log_group_name: String,
        /// The role's ARN.
        deliver_logs_permission_arn: String,
    },
    /// A bucket, perhaps with a folder.
    S3 {
        /// `arn:aws:s3:::bucket/prefix`.
        log_destination: String,
    },
}

/// A destination as an operator names it: not yet with the role that a log group needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The name of a log group.
    LogGroup(String),
    /// `arn:aws:s3:::bucket/prefix`.
    S3(String),
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |problem: &str| Err(format!("`{}` {problem}", Excerpt(text)));
        let Some(arn) = text.strip_prefix("arn:") else {
            // "CreateLogGroup", Amazon CloudWatch Logs, `logGroupName`: 1 to 512 of these characters.
            let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_-/.#".contains(&b);
            return match text.bytes().all(allowed) && (1..=512).contains(&text.len()) {
                true => Ok(Place::LogGroup(text.to_owned())),
                false => wrong("is neither the name of a log group nor `arn:aws:s3:::bucket/prefix`"),
            };
        };
        let parts: Vec<&str> = arn.splitn(5, ':').collect();
        let (bucket, prefix) = match parts.as_slice() {
            [partition, "s3", "", "", place] if partition.starts_with("aws") => place.split_once('/').unwrap_or((place, "")),
            [_, "s3", ..] => return wrong("is not `arn:aws:s3:::bucket/prefix`"),
            [_, "logs", ..] => return wrong("is the ARN of a log group; its name is wanted"),
            _ => return wrong("is not an ARN of s3"),
        };
        // "General purpose bucket naming rules", Amazon S3.
        let named = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.".contains(&b);
        if !(3..=63).contains(&bucket.len()) || !bucket.bytes().all(named) {
            return wrong("does not name a bucket");
        }
        if !prefix.bytes().all(|b| b.is_ascii_graphic()) {
            return wrong("has a prefix that is not of printable ASCII characters");
        }
        // "CreateFlowLogs", `LogDestination`: you cannot use AWSLogs as a subfolder name, it is a reserved term.
        if prefix.split('/').any(|folder| folder == "AWSLogs") {
            return wrong("has `AWSLogs` as a folder, which EC2 keeps for itself: it adds that one");
        }
        Ok(Place::S3(text.to_owned()))
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Destination::LogGroup { log_group_name, .. } => write!(f, "log group {log_group_name}"),
            Destination::S3 { log_destination } => f.write_str(log_destination),
        }
    }
}

/// A flow log of a VPC, read live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowLog {
    /// Its id; `None` in a model, where EC2 has not given one yet.
    pub id: Option<FlowLogId>,
    /// What it records.
    pub traffic_type: TrafficType,
    /// Where its records go, in EC2's words: a log group's name, or the ARN of a destination.
    pub destination: String,
    /// Whether EC2 calls it ACTIVE.
    pub active: bool,
    /// Why its records are not delivered (`DeliverLogsErrorMessage`), where they are not.
    pub failing: Option<String>,
    /// Its tags.
    pub tags: Tags,
}

impl FlowLog {
    /// What creating it makes.
    #[must_use]
    pub fn of(change: &FlowLogChange) -> Self {
        Self {
            id: change.flow_log_id.clone(),
            traffic_type: change.traffic_type,
            destination: destination_of(&change.destination).to_owned(),
            active: true,
            failing: None,
            tags: change.tags.clone(),
        }
    }

    /// Whether what it records arrives. Until there is traffic EC2 does not say, and then nothing is wrong.
    #[must_use]
    pub fn delivers(&self) -> bool {
        self.active && self.failing.is_none()
    }

    /// Where its records go, as a person calls it.
    #[must_use]
    pub fn place(&self) -> String {
        match self.destination.starts_with("arn:") {
            true => self.destination.clone(),
            false => format!("log group {}", self.destination),
        }
    }
}

/// A VPC with the flow logs of its own: those of a subnet or an interface see only a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vpc {
    /// Its id.
    pub id: VpcId,
    /// The account that owns it.
    pub owner: AccountId,
    /// Its tags.
    pub tags: Tags,
    /// Its flow logs.
    pub flow_logs: Vec<FlowLog>,
}

/// The destination as [`FlowLog::destination`] has it.
#[must_use]
pub fn destination_of(destination: &Destination) -> &str {
    match destination {
        Destination::LogGroup { log_group_name, .. } => log_group_name,
        Destination::S3 { log_destination } => log_destination,
    }
}

/// Whether two destinations are one: a folder of a bucket may be written with a slash at its end.
#[must_use]
pub fn is_same_destination(one: &str, other: &str) -> bool {
    let plain = |text| if str::starts_with(text, "arn:") { text.trim_end_matches('/') } else { text };
    plain(one) == plain(other)
}

impl Vpc {
    /// The flow log that a change is of, by what it records and where: its id is a hint, and EC2 takes no second one alike.
    #[must_use]
    pub fn flow_log(&self, change: &FlowLogChange) -> Option<&FlowLog> {
        self.flow_logs.get(self.position(change)?)
    }

    fn position(&self, change: &FlowLogChange) -> Option<usize> {
        let wanted = destination_of(&change.destination);
        let is_it = |log: &FlowLog| log.traffic_type == change.traffic_type && is_same_destination(&log.destination, wanted);
        self.flow_logs.iter().position(is_it)
    }
}

impl State for Vpc {
    fn shows(&self, change: &Change) -> bool {
        match change {
            Change::CreateFlowLog(change) if change.vpc_id == self.id => self.position(change).is_some(),
            Change::DeleteFlowLog(change) if change.vpc_id == self.id => self.position(change).is_none(),
            _ => tag::shows(&self.tags, self.id.as_str(), change).unwrap_or(false),
        }
    }

    fn make(&mut self, change: &Change) -> Result<(), ApplyError> {
        if let Some(made) = tag::make(&mut self.tags, self.id.as_str(), change) {
            return made;
        }
        let (Change::CreateFlowLog(of) | Change::DeleteFlowLog(of)) = change else { return Err(ApplyError::OtherResource) };
        if of.vpc_id != self.id {
            return Err(ApplyError::OtherResource);
        }
        match (change, self.position(of)) {
            (Change::DeleteFlowLog(_), Some(at)) => drop(self.flow_logs.remove(at)),
            (Change::DeleteFlowLog(_), None) => return Err(ApplyError::NotFound),
            (_, Some(_)) => return Err(ApplyError::Duplicate),
            (_, None) => self.flow_logs.push(FlowLog::of(of)),
        }
        Ok(())
    }

    fn satisfies(&self, control: Control) -> bool {
        control.is_satisfied_by_vpc(self)
    }
}
