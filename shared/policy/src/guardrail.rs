//! The guardrails' names: the one place that lists them.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::response::Mode;

/// A guardrail. Its id is the name of its folder in `functions/`, of its module here, of its folder in `events/` and of the
/// `guardrail` member of a notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Guardrail {
    /// Closes administrative ports that a security group opens to the world.
    RevokeAdminIngress,
    /// Takes every rule out of default security groups.
    StripDefaultGroup,
    /// Gives every VPC a flow log that records what is wanted.
    EnableFlowLogs,
    /// Denies attacking sources in network ACLs, and in WAF IP sets.
    DenySource,
    /// Takes denials back whose time has passed.
    LiftDenials,
    /// Takes back what the others changed, when a person asks for it. It guards nothing, but is named like those that do.
    UndoChange,
}

impl Guardrail {
    /// Every guardrail.
    pub const ALL: [Guardrail; 6] = [
        Guardrail::RevokeAdminIngress,
        Guardrail::StripDefaultGroup,
        Guardrail::EnableFlowLogs,
        Guardrail::DenySource,
        Guardrail::LiftDenials,
        Guardrail::UndoChange,
    ];

    /// Its id.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Guardrail::RevokeAdminIngress => "revoke-admin-ingress",
            Guardrail::StripDefaultGroup => "strip-default-group",
            Guardrail::EnableFlowLogs => "enable-flow-logs",
            Guardrail::DenySource => "deny-source",
            Guardrail::LiftDenials => "lift-denials",
            Guardrail::UndoChange => "undo-change",
        }
    }

    /// Whether it looks at everything in the Region when its schedule says so.
    #[must_use]
    pub fn sweeps(self) -> bool {
        match self {
            Guardrail::RevokeAdminIngress | Guardrail::StripDefaultGroup | Guardrail::EnableFlowLogs | Guardrail::LiftDenials => true,
            Guardrail::DenySource | Guardrail::UndoChange => false,
        }
    }

    /// The direct call that has it look at this one target, for a person to make. `None` where that is the call that was made.
    #[must_use]
    pub fn call_for(self, target: &str, mode: Mode) -> Option<String> {
        let mut call = match self {
            Guardrail::RevokeAdminIngress | Guardrail::StripDefaultGroup => json!({"securityGroupIds": [target]}),
            Guardrail::EnableFlowLogs => json!({"vpcIds": [target]}),
            Guardrail::DenySource => json!({"sources": [target]}),
            Guardrail::LiftDenials => json!({"sweep": true}),
            Guardrail::UndoChange => return None,
        };
        if let (Mode::Enforce, Some(members)) = (mode, call.as_object_mut()) {
            members.insert("dryRun".to_owned(), json!(false));
        }
        Some(call.to_string())
    }

    /// The key of the tag that exempts a resource, or a rule, from it.
    #[must_use]
    pub fn exemption_key(self) -> String {
        format!("palisade:exempt:{self}")
    }
}

impl fmt::Display for Guardrail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}
