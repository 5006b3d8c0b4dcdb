//! One mutation of AWS as data: enough to do it, to undo it, and to predict it.

mod acl_entry;
mod flow_log;
mod ip_set;
mod rule;
pub(crate) mod tag;

use serde::{Deserialize, Serialize};

use crate::control::Control;

pub use acl_entry::AclEntryChange;
pub use flow_log::FlowLogChange;
pub use ip_set::IpSetChange;
pub use rule::RuleChange;
pub use tag::{TagChange, TagRemoval};

/// A mutation of one resource. Its JSON has the kind in `action`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "kebab-case")]
pub enum Change {
    /// Takes a rule out of a security group.
    RevokeRule(RuleChange),
    /// Puts a rule into a security group.
    AuthorizeRule(RuleChange),
    /// Gives a VPC a flow log.
    CreateFlowLog(FlowLogChange),
    /// Takes a flow log from a VPC.
    DeleteFlowLog(FlowLogChange),
    /// Puts an entry that denies a source into a network ACL.
    PutAclEntry(AclEntryChange),
    /// Takes such an entry out.
    DeleteAclEntry(AclEntryChange),
    /// Gives a resource a tag, or the tag another value.
    PutTag(TagChange),
    /// Takes a tag from a resource.
    DeleteTag(TagRemoval),
    /// Changes the addresses and the description of a WAF IP set.
    UpdateIpSet(IpSetChange),
}

/// Why a change can't be carried out on a state, as AWS would say.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// It is there already.
    #[error("it is there already")]
    Duplicate,
    /// It is not there.
    #[error("it is not there")]
    NotFound,
    /// The change is for another resource.
    #[error("the change is for another resource")]
    OtherResource,
}

/// A resource as a guardrail reads it: a model on which changes can be carried out, to predict what AWS will do.
pub trait State {
    /// Whether the state is as the change would leave it.
    fn shows(&self, change: &Change) -> bool;

    /// Carries the change out.
    ///
    /// # Errors
    /// Where AWS would refuse it. The model is then unchanged.
    fn make(&mut self, change: &Change) -> Result<(), ApplyError>;

    /// Whether the resource satisfies a control of Security Hub, by the control's own words. Most have none.
    fn satisfies(&self, _control: Control) -> bool {
        false
    }
}

impl Change {
    /// The change that takes this one back.
    #[must_use]
    pub fn inverse(&self) -> Change {
        match self.clone() {
            Change::RevokeRule(change) => Change::AuthorizeRule(change),
            Change::AuthorizeRule(change) => Change::RevokeRule(change),
            Change::CreateFlowLog(change) => Change::DeleteFlowLog(change),
            Change::DeleteFlowLog(change) => Change::CreateFlowLog(change),
            Change::PutAclEntry(change) => Change::DeleteAclEntry(change),
            Change::DeleteAclEntry(change) => Change::PutAclEntry(change),
            Change::PutTag(change) => change.inverse(),
            Change::DeleteTag(change) => change.inverse(),
            Change::UpdateIpSet(change) => Change::UpdateIpSet(change.inverse()),
        }
    }

    /// Whether the state is as the change would leave it.
    #[must_use]
    pub fn is_made(&self, state: &impl State) -> bool {
        state.shows(self)
    }

    /// Carries the change out on a model: a prediction of what AWS will do.
    ///
    /// # Errors
    /// Where AWS would refuse it. The model is then unchanged.
    pub fn apply(&self, state: &mut impl State) -> Result<(), ApplyError> {
        state.make(self)
    }
}

/// The changes that take these back, last first.
#[must_use]
pub fn undo(changes: &[Change]) -> Vec<Change> {
    changes.iter().rev().map(Change::inverse).collect()
}
