//! Security Hub's controls, as far as a guardrail closes what they look for.
//!
//! They are the user's auditor, not our policy: a control sees `0.0.0.0/0` and `::/0` only, while exposure counts addresses; and it knows no
//! exemptions. So whether a finding may be called resolved is judged here, by the control's own words, and by nothing else.

use std::fmt;
use std::str::FromStr;

use crate::cidr::Family;
use crate::flow_log::{TrafficType, Vpc};
use crate::guardrail::Guardrail;
use crate::response::TargetResult;
use crate::security_group::{SecurityGroup, Source};
use crate::strip_default_group::DefaultGroup;
use crate::traffic::{HIGH_RISK, Transport};

/// A finding that reported a hole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Its id: with the product's ARN, what Security Hub knows it by.
    pub id: String,
    /// The ARN of the product that found it.
    pub product_arn: String,
    /// What was found wanting.
    pub control: Control,
    /// The id of the resource.
    pub resource: String,
    /// What is noted on it already.
    pub noted: Noted,
}

/// What is noted on a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Noted {
    /// Nothing by us.
    NothingOfOurs,
    /// This, by us.
    Ours(String),
    /// The event does not say, and our own note may be what it tells of.
    Unknown,
}

/// What to write to a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FollowUp {
    /// The note.
    pub note: String,
    /// Whether the finding is resolved by now.
    pub resolved: bool,
}

/// Who a note is by.
#[must_use]
pub fn author(guardrail: Guardrail) -> String {
    format!("palisade/{guardrail}")
}

impl Finding {
    /// What to write to the finding, now that this became of its resource. `None` where it would be what stands there: Security Hub tells
    /// of a noted finding as of a new one, and we would answer ourselves for ever.
    #[must_use]
    pub fn follow_up(&self, guardrail: Guardrail, result: &TargetResult, satisfied: bool) -> Option<FollowUp> {
        /// "NoteUpdate", Security Hub API: `Text` has at most 512 characters.
        const LONGEST_NOTE: usize = 512;
        let note = format!("Palisade {guardrail}: {}, {}", result.outcome, result.reason);
        let note: String =
            if note.chars().count() > LONGEST_NOTE { note.chars().take(LONGEST_NOTE - 1).chain(['…']).collect() } else { note };
        let is_news = match &self.noted {
            Noted::NothingOfOurs => true,
            Noted::Ours(standing) => *standing != note,
            Noted::Unknown => false,
        };
        (satisfied || is_news).then_some(FollowUp { note, resolved: satisfied })
    }
}

/// A control of AWS Foundational Security Best Practices, or of CIS ("Security Hub controls for Amazon EC2").
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Control {
    /// A default security group has no rule.
    Ec2_2,
    /// A VPC logs rejected traffic.
    Ec2_6,
    /// Port 22 is not open to the world.
    Ec2_13,
    /// Port 3389 is not open to the world.
    Ec2_14,
    /// Only authorised ports are open to the world. Which ones is set in Security Hub, where we can't read it.
    Ec2_18,
    /// No high-risk port is open to the world.
    Ec2_19,
    /// Ports 22 and 3389 are not open to `0.0.0.0/0`.
    Ec2_53,
    /// Ports 22 and 3389 are not open to `::/0`.
    Ec2_54,
}

const BOTH_FAMILIES: [Family; 2] = [Family::V4, Family::V6];

impl Control {
    /// Every control that some guardrail answers.
    pub const ALL: [Control; 8] = [
        Control::Ec2_2,
        Control::Ec2_6,
        Control::Ec2_13,
        Control::Ec2_14,
        Control::Ec2_18,
        Control::Ec2_19,
        Control::Ec2_53,
        Control::Ec2_54,
    ];

    /// Its id.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Control::Ec2_2 => "EC2.2",
            Control::Ec2_6 => "EC2.6",
            Control::Ec2_13 => "EC2.13",
            Control::Ec2_14 => "EC2.14",
            Control::Ec2_18 => "EC2.18",
            Control::Ec2_19 => "EC2.19",
            Control::Ec2_53 => "EC2.53",
            Control::Ec2_54 => "EC2.54",
        }
    }

    /// The guardrail that closes what it looks for.
    #[must_use]
    pub fn guardrail(self) -> Guardrail {
        match self {
            Control::Ec2_2 => Guardrail::StripDefaultGroup,
            Control::Ec2_6 => Guardrail::EnableFlowLogs,
            Control::Ec2_13 | Control::Ec2_14 | Control::Ec2_18 | Control::Ec2_19 | Control::Ec2_53 | Control::Ec2_54 => {
                Guardrail::RevokeAdminIngress
            }
        }
    }

    /// Whether a security group satisfies it. What can't be read does not.
    #[must_use]
    pub fn is_satisfied_by_group(self, group: &SecurityGroup) -> bool {
        use Transport::{Tcp, Udp};
        let (ports, transports, families): (&[u16], &[Transport], &[Family]) = match self {
            Control::Ec2_13 => (&[22], &[Tcp], &BOTH_FAMILIES),
            Control::Ec2_14 => (&[3389], &[Tcp], &BOTH_FAMILIES),
            Control::Ec2_19 => (&HIGH_RISK, &[Tcp, Udp], &BOTH_FAMILIES),
            // CIS speaks of the protocols TCP, UDP and all of them.
            Control::Ec2_53 => (&[22, 3389], &[Tcp, Udp], &[Family::V4]),
            Control::Ec2_54 => (&[22, 3389], &[Tcp, Udp], &[Family::V6]),
            Control::Ec2_2 | Control::Ec2_6 | Control::Ec2_18 => return false,
        };
        group.ingress().all(|rule| {
            let reached = rule.traffic.ports();
            let concerns = ports.iter().any(|port| transports.iter().any(|transport| reached.contains(*transport, *port)));
            !concerns || families.iter().all(|family| !may_be_the_world(group, &rule.source, *family))
        })
    }

    /// Whether a default security group satisfies it. The control does not look at any other group.
    #[must_use]
    pub fn is_satisfied_by_default_group(self, group: &DefaultGroup) -> bool {
        self == Control::Ec2_2 && (!group.is_default() || group.group.rules.is_empty())
    }

    /// Whether a VPC satisfies it.
    #[must_use]
    pub fn is_satisfied_by_vpc(self, vpc: &Vpc) -> bool {
        self == Control::Ec2_6 && vpc.flow_logs.iter().any(|log| log.delivers() && log.traffic_type.records(TrafficType::Reject))
    }
}

/// Whether a source is every address of the family, or a prefix list that has them, or one that can't be read.
fn may_be_the_world(group: &SecurityGroup, source: &Source, family: Family) -> bool {
    let unread = match source {
        Source::PrefixListId(id) => group.prefix_lists.get(id).is_none_or(|list| list.entries.is_err()),
        Source::Cidr(_) | Source::ReferencedGroup(_) => false,
    };
    unread || group.blocks(source).iter().any(|block| block.is_everything() && block.family() == family)
}

impl fmt::Display for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

impl FromStr for Control {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Control::ALL.into_iter().find(|control| control.id() == text).ok_or(())
    }
}
