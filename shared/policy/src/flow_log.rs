//! VPCs and their flow logs.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::change::{ApplyError, Change, FlowLogChange, State};
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

impl Vpc {
    fn position(&self, change: &FlowLogChange) -> Option<usize> {
        let wanted = destination_of(&change.destination);
        self.flow_logs.iter().position(|log| log.traffic_type == change.traffic_type && log.destination == wanted)
    }
}

impl State for Vpc {
    fn shows(&self, change: &Change) -> bool {
        match change {
            Change::CreateFlowLog(change) if change.vpc_id == self.id => self.position(change).is_some(),
            Change::DeleteFlowLog(change) if change.vpc_id == self.id => self.position(change).is_none(),
            _ => false,
        }
    }

    fn make(&mut self, change: &Change) -> Result<(), ApplyError> {
        let (Change::CreateFlowLog(of) | Change::DeleteFlowLog(of)) = change else { return Err(ApplyError::OtherResource) };
        if of.vpc_id != self.id {
            return Err(ApplyError::OtherResource);
        }
        match (change, self.position(of)) {
            (Change::DeleteFlowLog(_), Some(at)) => drop(self.flow_logs.remove(at)),
            (Change::DeleteFlowLog(_), None) => return Err(ApplyError::NotFound),
            (_, Some(_)) => return Err(ApplyError::Duplicate),
            (_, None) => self.flow_logs.push(FlowLog {
                id: of.flow_log_id.clone(),
                traffic_type: of.traffic_type,
                destination: destination_of(&of.destination).to_owned(),
                active: true,
                failing: None,
                tags: of.tags.clone(),
            }),
        }
        Ok(())
    }
}
