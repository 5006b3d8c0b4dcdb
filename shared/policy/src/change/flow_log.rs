//! Flow logs, created and deleted.

use serde::{Deserialize, Serialize};

use crate::flow_log::{Destination, TrafficType};
use crate::id::{FlowLogId, VpcId};
use crate::security_group::Tags;

/// A flow log of a VPC. Flow logs can't be changed, only created and deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FlowLogChange {
    /// The VPC.
    pub vpc_id: VpcId,
    /// The id that EC2 knows it by, where it exists: a hint.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub flow_log_id: Option<FlowLogId>,
    /// What it records.
    pub traffic_type: TrafficType,
    /// Where the records go.
    #[serde(flatten)]
    pub destination: Destination,
    /// Its tags.
    #[serde(skip_serializing_if = "Tags::is_empty", default)]
    pub tags: Tags,
}
