//! One mutation of AWS as data: enough to do it, to undo it, and to predict it.

use serde::{Deserialize, Serialize};

use crate::id::{RuleId, SecurityGroupId};
use crate::security_group::{Direction, Rule, SecurityGroup, Source, Tags};
use crate::traffic::Traffic;

/// A mutation of one resource. Its JSON has the kind in `action`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "kebab-case")]
pub enum Change {
    /// Takes a rule out of a security group.
    RevokeRule(RuleChange),
    /// Puts a rule into a security group.
    AuthorizeRule(RuleChange),
}

/// The rule that a change takes out or puts in, with all that undoing it needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", try_from = "RuleChangeJson", into = "RuleChangeJson")]
pub struct RuleChange {
    /// The group.
    pub group_id: SecurityGroupId,
    /// The rule. Its id is a hint.
    pub rule: Rule,
}

/// The JSON of a [`RuleChange`], in EC2's words for a rule.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RuleChangeJson {
    group_id: SecurityGroupId,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    rule_id: Option<RuleId>,
    direction: Direction,
    ip_protocol: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    from_port: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    to_port: Option<i32>,
    #[serde(flatten)]
    source: Source,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    description: Option<String>,
    #[serde(skip_serializing_if = "Tags::is_empty", default)]
    tags: Tags,
}

impl From<RuleChange> for RuleChangeJson {
    fn from(change: RuleChange) -> Self {
        let RuleChange { group_id, rule } = change;
        Self {
            group_id,
            rule_id: rule.id,
            direction: rule.direction,
            ip_protocol: rule.traffic.ec2_protocol(),
            from_port: rule.traffic.ec2_ports().map(|ports| ports.0),
            to_port: rule.traffic.ec2_ports().map(|ports| ports.1),
            source: rule.source,
            description: rule.description,
            tags: rule.tags,
        }
    }
}

impl TryFrom<RuleChangeJson> for RuleChange {
    type Error = crate::traffic::TrafficError;

    fn try_from(json: RuleChangeJson) -> Result<Self, Self::Error> {
        let traffic = Traffic::from_ec2(&json.ip_protocol, json.from_port, json.to_port)?;
        let RuleChangeJson { group_id, rule_id: id, direction, source, description, tags, .. } = json;
        Ok(Self { group_id, rule: Rule { id, direction, traffic, source, description, tags } })
    }
}

/// Why a change can't be carried out on a state, as EC2 would say.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// The rule is in the group already (`InvalidPermission.Duplicate`).
    #[error("the group has the rule already")]
    Duplicate,
    /// The rule is not in the group (`InvalidPermission.NotFound`).
    #[error("the group has no such rule")]
    NotFound,
    /// The change is for another group.
    #[error("the change is for another group")]
    OtherGroup,
}

impl Change {
    /// The change that takes this one back.
    #[must_use]
    pub fn inverse(&self) -> Change {
        match self {
            Change::RevokeRule(change) => Change::AuthorizeRule(change.clone()),
            Change::AuthorizeRule(change) => Change::RevokeRule(change.clone()),
        }
    }

    /// Whether the state is as the change would leave it.
    #[must_use]
    pub fn is_made(&self, group: &SecurityGroup) -> bool {
        let has = |change: &RuleChange| group.rules.iter().any(|rule| rule.is_same(&change.rule));
        match self {
            Change::RevokeRule(change) => !has(change),
            Change::AuthorizeRule(change) => has(change),
        }
    }

    /// Carries the change out on a model of the group: a prediction of what EC2 will do.
    ///
    /// # Errors
    /// Where EC2 would refuse it. The model is then unchanged.
    pub fn apply(&self, group: &mut SecurityGroup) -> Result<(), ApplyError> {
        let (Change::RevokeRule(change) | Change::AuthorizeRule(change)) = self;
        if change.group_id != group.id {
            return Err(ApplyError::OtherGroup);
        }
        let at = group.rules.iter().position(|rule| rule.is_same(&change.rule));
        match (self, at) {
            (Change::RevokeRule(_), Some(at)) => drop(group.rules.remove(at)),
            (Change::RevokeRule(_), None) => return Err(ApplyError::NotFound),
            (Change::AuthorizeRule(change), None) => group.rules.push(change.rule.clone()),
            (Change::AuthorizeRule(_), Some(_)) => return Err(ApplyError::Duplicate),
        }
        Ok(())
    }
}

/// The changes that take these back, last first.
#[must_use]
pub fn undo(changes: &[Change]) -> Vec<Change> {
    changes.iter().rev().map(Change::inverse).collect()
}
