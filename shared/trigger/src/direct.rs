//! Door `direct`: somebody invokes the function, by the console's test button or `aws lambda invoke`.
//!
//! Read strictly, because a person wrote it: an unknown member, one of another function, an empty list, a wrong type or a malformed id is
//! an error. It is a dry run unless it says `"dryRun": false`.

use std::collections::BTreeSet;

use palisade_policy::guardrail::Guardrail;
use palisade_policy::id::{Excerpt, SecurityGroupId};
use palisade_policy::trigger::{Cause, Door, Targets, Trigger};
use serde_json::Value;

use crate::{Own, Reading, TriggerError};

/// The most ids that one call may name.
const MOST_IDS: usize = 1000;

/// Every member that some function answers.
const MEMBERS: [&str; 9] = ["securityGroupIds", "vpcIds", "sources", "aclIds", "sweep", "undo", "reason", "exemptFor", "dryRun"];

/// The members that this function answers.
fn answered(guardrail: Guardrail) -> &'static [&'static str] {
    match guardrail {
        Guardrail::RevokeAdminIngress => &["securityGroupIds", "sweep", "dryRun"],
    }
}

/// A member of the payload that only a direct call has: by having one it means to be one.
pub(crate) fn member_of_call(payload: &Value) -> Option<&'static str> {
    MEMBERS.into_iter().find(|name| payload.get(name).is_some())
}

pub(crate) fn read(payload: &Value, own: &Own) -> Result<Reading, TriggerError> {
    let wrong = |path: &str, problem: String| TriggerError::Member { path: Excerpt(path).to_string(), problem };
    let members = answered(own.guardrail);
    for name in payload.as_object().into_iter().flat_map(|object| object.keys()) {
        if !members.contains(&name.as_str()) {
            let what = if MEMBERS.contains(&name.as_str()) { "is another function's" } else { "is unknown" };
            let known: Vec<String> = members.iter().map(|name| format!("`{name}`")).collect();
            return Err(wrong(name, format!("{what}; {} takes {}", own.guardrail, known.join(", "))));
        }
    }
    let dry_run = match payload.get("dryRun") {
        None => true,
        Some(Value::Bool(dry_run)) => *dry_run,
        Some(_) => return Err(wrong("dryRun", "is neither true nor false".to_owned())),
    };
    let targets = match (payload.get("securityGroupIds"), payload.get("sweep")) {
        (Some(_), Some(_)) => return Err(wrong("sweep", "can't stand beside `securityGroupIds`: say one of them".to_owned())),
        (Some(ids), None) => Targets::SecurityGroups(security_groups(ids)?),
        (None, Some(Value::Bool(true))) => Targets::Sweep,
        (None, Some(_)) => return Err(wrong("sweep", "can only be true".to_owned())),
        (None, None) => return Err(wrong("securityGroupIds", "is missing, and so is `sweep`: nothing to look at".to_owned())),
    };
    Ok(Reading::Trigger(Trigger { cause: Cause::new(Door::Direct), targets, dry_run }))
}

fn security_groups(list: &Value) -> Result<Vec<SecurityGroupId>, TriggerError> {
    let wrong = |path: String, problem: String| Err(TriggerError::Member { path, problem });
    let name = "securityGroupIds";
    let Value::Array(items) = list else { return wrong(name.to_owned(), "is not a list".to_owned()) };
    if items.is_empty() {
        return wrong(name.to_owned(), "is empty".to_owned());
    }
    let mut ids: BTreeSet<SecurityGroupId> = BTreeSet::new();
    let mut in_order: Vec<SecurityGroupId> = Vec::new();
    for (i, item) in items.iter().enumerate() {
        let Value::String(text) = item else { return wrong(format!("{name}[{i}]"), "is not a text".to_owned()) };
        match text.parse() {
            Ok(id) if !ids.insert(SecurityGroupId::clone(&id)) => {}
            Ok(id) => in_order.push(id),
            Err(error) => return wrong(format!("{name}[{i}]"), format!("can't be used: {error}")),
        }
    }
    if in_order.len() > MOST_IDS {
        return wrong(name.to_owned(), format!("names more than {MOST_IDS} groups; use `sweep`"));
    }
    Ok(in_order)
}
