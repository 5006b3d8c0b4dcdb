//! Rules of security groups, taken out and put in.

use serde::{Deserialize, Serialize};

use crate::change::{ApplyError, Change, State, tag};
use crate::control::Control;
use crate::id::{RuleId, SecurityGroupId};
use crate::security_group::{Direction, Rule, SecurityGroup, Source, Tags};
use crate::traffic::{Traffic, TrafficError};

/// The rule that a change takes out or puts in, with all that undoing it needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", try_from = "Json", into = "Json")]
pub struct RuleChange {
    /// The group.
    pub group_id: SecurityGroupId,
    /// The rule. Its id is a hint.
    pub rule: Rule,
}

/// In EC2's words for a rule.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Json {
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

impl From<RuleChange> for Json {
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

impl TryFrom<Json> for RuleChange {
    type Error = TrafficError;

    fn try_from(json: Json) -> Result<Self, TrafficError> {
        let traffic = Traffic::from_ec2(&json.ip_protocol, json.from_port, json.to_port)?;
        let Json { group_id, rule_id: id, direction, source, description, tags, .. } = json;
        Ok(Self { group_id, rule: Rule { id, direction, traffic, source, description, tags } })
    }
}

impl State for SecurityGroup {
    fn shows(&self, change: &Change) -> bool {
        let has = |change: &RuleChange| self.rules.iter().any(|rule| rule.is_same(&change.rule));
        match change {
            Change::RevokeRule(change) if change.group_id == self.id => !has(change),
            Change::AuthorizeRule(change) if change.group_id == self.id => has(change),
            _ => tag::shows(&self.tags, self.id.as_str(), change).unwrap_or(false),
        }
    }

    fn make(&mut self, change: &Change) -> Result<(), ApplyError> {
        if let Some(made) = tag::make(&mut self.tags, self.id.as_str(), change) {
            return made;
        }
        let (Change::RevokeRule(of) | Change::AuthorizeRule(of)) = change else { return Err(ApplyError::OtherResource) };
        if of.group_id != self.id {
            return Err(ApplyError::OtherResource);
        }
        let at = self.rules.iter().position(|rule| rule.is_same(&of.rule));
        match (change, at) {
            (Change::RevokeRule(_), Some(at)) => drop(self.rules.remove(at)),
            (Change::RevokeRule(_), None) => return Err(ApplyError::NotFound),
            (_, None) => self.rules.push(of.rule.clone()),
            (_, Some(_)) => return Err(ApplyError::Duplicate),
        }
        Ok(())
    }

    fn satisfies(&self, control: Control) -> bool {
        control.is_satisfied_by_group(self)
    }
}
