//! What woke a function, and where it says to look.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::cidr::Cidr;
use crate::control::Finding;
use crate::evaluation::Inquiry;
use crate::id::{AclId, PrefixListId, SecurityGroupId, SubnetId, VpcId};
use crate::undo_change::Request;

/// The way the news came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Door {
    /// An API call, by CloudTrail over EventBridge.
    Cloudtrail,
    /// AWS Config, which asks a custom rule to judge a resource, or all of them.
    ConfigRule,
    /// AWS Config, which found a resource non-compliant, over EventBridge.
    ConfigCompliance,
    /// A finding of Security Hub, over EventBridge.
    SecurityHub,
    /// GuardDuty, over EventBridge.
    Guardduty,
    /// A CloudWatch alarm, by SNS, directly, or over EventBridge.
    Alarm,
    /// A schedule of EventBridge.
    Schedule,
    /// A person or a program that invoked the function.
    Direct,
}

/// Who did what, when, from where, as far as the event says. It explains; nothing is decided by it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cause {
    /// The way the news came.
    pub door: Door,
    /// The event's own id.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub event_id: Option<String>,
    /// When it happened.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub time: Option<Timestamp>,
    /// The ARN of who did it, or the AWS service.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub actor: Option<String>,
    /// The address, or the AWS service, that the call came from.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub source_ip: Option<String>,
    /// What it was: the API call, or the schedule.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub detail: Option<String>,
}

impl Cause {
    /// A cause of which nothing but the door is known.
    #[must_use]
    pub fn new(door: Door) -> Self {
        Self { door, event_id: None, time: None, actor: None, source_ip: None, detail: None }
    }
}

/// Where to look. What is there is always read live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Targets {
    /// These security groups.
    SecurityGroups(Vec<SecurityGroupId>),
    /// The security group of this name in the default VPC: EC2 takes a name there instead of an id.
    SecurityGroupOfDefaultVpc(String),
    /// Every security group with a rule that names the prefix list.
    UsersOfPrefixList(PrefixListId),
    /// These VPCs.
    Vpcs(Vec<VpcId>),
    /// The Region's default VPC: an event that made it need not name it.
    DefaultVpc,
    /// These attackers.
    Attack(Attack),
    /// The attackers that the flow logs of a time show: an alarm need not name them.
    Search(Search),
    /// This resource, of which the news is that it exists no longer.
    Gone(String),
    /// The changes that a response or a notice tells of, to be taken back.
    Undo(Box<Request>),
    /// Everything in the Region.
    Sweep,
}

/// Who attacks, and whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attack {
    /// The attackers. A block wider than one address can only come from a direct call.
    pub sources: Vec<Cidr>,
    /// The network ACLs that the call names; empty where it names none.
    pub acls: Vec<AclId>,
    /// The attacked subnets, where the event names them.
    pub subnets: Vec<SubnetId>,
    /// Whether traffic to the source is denied too.
    pub both_ways: bool,
}

/// What to look for in flow logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    /// What the alarm is about.
    pub pattern: Pattern,
    /// When the alarm was raised: the records before that count.
    pub until: Option<Timestamp>,
}

/// What an alarm is about, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pattern {
    /// Many rejected packets of one source.
    SuspiciousTraffic,
    /// Many ports tried by one source.
    PortScan,
    /// Much data sent to one destination, which is then the one to deny, both ways.
    DataExfiltration,
}

/// Who waits for an answer of its own, besides the response and the notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asker {
    /// Nobody.
    Nobody,
    /// AWS Config, which asked a custom rule.
    Config(Inquiry),
    /// Security Hub, whose findings these are.
    SecurityHub(Vec<Finding>),
}

/// A cause, what to look at, and whether the caller wants a dry run whatever the mode is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trigger {
    /// Why we are awake.
    pub cause: Cause,
    /// Where to look.
    pub targets: Targets,
    /// The caller asks for a dry run. A call can lower the mode, never raise it.
    pub dry_run: bool,
    /// Who waits for an answer.
    pub asker: Asker,
}

impl Trigger {
    /// A trigger that leaves the mode as it is, and to which nobody waits for an answer.
    #[must_use]
    pub fn new(cause: Cause, targets: Targets) -> Self {
        Self { cause, targets, dry_run: false, asker: Asker::Nobody }
    }
}
