//! Every event that wakes a guardrail, read into one [`Trigger`].
//!
//! An event says *where to look*, never *what is there*: nothing but ids, and who to name in the notice, is taken from it. One file is
//! one door. Payloads are read as JSON values, not into structs, because real ones lack optional members and carry unknown ones.

mod alarm;
mod cloudtrail;
mod config_compliance;
mod direct;
mod guardduty;
mod member;
mod schedule;
mod source;
mod undo;

use palisade_policy::guardrail::Guardrail;
use palisade_policy::id::{AccountId, Excerpt, Region};
use palisade_policy::trigger::{Cause, Trigger};
use serde_json::Value;

use crate::member::Member;

/// Who is reading: events for another account, Region or function, and those that we caused ourselves, ask nothing of us.
#[derive(Debug, Clone)]
pub struct Own {
    /// The function.
    pub guardrail: Guardrail,
    /// The account that it acts in.
    pub account: AccountId,
    /// The Region that it acts in.
    pub region: Region,
    /// The ARN of its role, if it knows it.
    pub role_arn: Option<String>,
}

/// What a payload asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// To look somewhere.
    Trigger(Trigger),
    /// Nothing.
    Ignored {
        /// What is known of where it came from.
        cause: Cause,
        /// Why not.
        why: String,
    },
}

/// A payload that can't be read. Never a reason to look everywhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TriggerError {
    /// None of the known shapes.
    #[error("unrecognised event: {0}")]
    Unrecognised(String),
    /// A member of a known shape is missing or wrong.
    #[error("`{path}` {problem}")]
    Member {
        /// Where it is, or should be.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
}

/// Reads a payload exactly as Lambda got it.
///
/// # Errors
/// A payload of no known shape, or a known one whose needed members are missing or wrong.
pub fn read(payload: &Value, own: &Own) -> Result<Reading, TriggerError> {
    let root = Member::root(payload);
    // EventBridge adds no such member: somebody pasted an event and wrote into it what only a call can ask for.
    if payload.get("detail-type").is_some()
        && let Some(name) = direct::member_of_call(payload)
    {
        return Err(root.get(name).wrong("is for a direct call, and this is an event"));
    }
    match (payload.get("detail-type").and_then(Value::as_str), payload.get("source").and_then(Value::as_str)) {
        (Some("AWS API Call via CloudTrail"), _) => cloudtrail::read(&root, own),
        (Some("Scheduled Event"), Some("aws.events" | "aws.scheduler")) => schedule::read(&root, own),
        (Some("Config Rules Compliance Change"), Some("aws.config")) => config_compliance::read(&root, own),
        (Some("GuardDuty Finding"), Some("aws.guardduty")) => guardduty::read(&root, own),
        (Some("CloudWatch Alarm State Change" | "CloudWatch Alarm Contributor State Change"), Some("aws.cloudwatch")) => {
            alarm::read_event(&root, own)
        }
        (Some("CloudWatch Alarm Configuration Change"), Some("aws.cloudwatch")) => Ok(alarm::read_edit(&root)),
        (Some(_), _) => Err(TriggerError::Unrecognised(members(payload))),
        _ if direct::member_of_call(payload).is_some() => direct::read(payload, own),
        _ if alarm::is_notification(payload) => alarm::read_notification(&root, own),
        _ if alarm::is_action(payload) => alarm::read_action(&root, own),
        _ => Err(TriggerError::Unrecognised(members(payload))),
    }
}

/// The names of a payload's members, never their values.
fn members(payload: &Value) -> String {
    const NAMED: usize = 12;
    match payload {
        Value::Object(object) if object.is_empty() => "an object without members".to_owned(),
        Value::Object(object) => {
            let names: Vec<String> = object.keys().take(NAMED).map(|name| format!("`{}`", Excerpt(name))).collect();
            let more = if object.len() > NAMED { format!(" and {} more", object.len() - NAMED) } else { String::new() };
            format!("an object with the members {}{more}", names.join(", "))
        }
        Value::Array(_) => "an array".to_owned(),
        Value::String(_) => "a string".to_owned(),
        Value::Number(_) => "a number".to_owned(),
        Value::Bool(_) => "a boolean".to_owned(),
        Value::Null => "null".to_owned(),
    }
}

/// Why an event of EventBridge is not for us, by the account and the Region that it is about. EventBridge names both in every event:
/// one that doesn't is not taken for our own. Most services name them in the detail as well, each by names of its own, and those of an
/// event that was passed on may be others.
fn foreign(root: &Member<'_>, detail: &Member<'_>, in_detail: [&str; 2], own: &Own) -> Result<Option<String>, TriggerError> {
    let [account, region] = in_detail;
    let accounts = [root.get("account"), detail.get(account)];
    let regions = [root.get("region"), detail.get(region)];
    for (members, ours) in [(accounts, own.account.as_str()), (regions, own.region.as_str())] {
        let [first, _] = &members;
        if !members.iter().any(Member::exists) {
            return Err(unclaimed(first));
        }
        for member in &members {
            if let Some(its) = member.owner()?
                && its != ours
            {
                return Ok(Some(not_ours(&its, ours)));
            }
        }
    }
    Ok(None)
}

/// The member that would say whose an event is does not, and no other does.
fn unclaimed(member: &Member<'_>) -> TriggerError {
    member.wrong("is missing, so whose event it is can't be told")
}

fn not_ours(its: &str, ours: &str) -> String {
    format!("an event of `{}`, and this function acts in `{ours}` only", Excerpt(its))
}
