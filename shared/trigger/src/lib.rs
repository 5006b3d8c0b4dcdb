//! Every event that wakes a guardrail, read into one [`Trigger`].
//!
//! An event says *where to look*, never *what is there*: nothing but ids, and who to name in the notice, is taken from it. One file is
//! one door. Payloads are read as JSON values, not into structs, because real ones lack optional members and carry unknown ones.

mod alarm;
mod cloudtrail;
mod config_compliance;
mod config_rule;
mod direct;
mod envelope;
mod guardduty;
mod member;
mod schedule;
mod security_hub;
mod source;
mod undo;

use palisade_policy::guardrail::Guardrail;
use palisade_policy::id::{AccountId, Excerpt, Region};
use palisade_policy::trigger::{Asker, Cause, Trigger};
use serde_json::Value;

pub use crate::envelope::{Batch, Carrier, Message, batch};
use crate::member::Member;
use crate::security_hub::Form;

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
        /// Who waits for an answer all the same.
        asker: Asker,
    },
}

impl Reading {
    /// Nothing, and nobody waits for an answer.
    fn ignored(cause: Cause, why: impl Into<String>) -> Self {
        Self::Ignored { cause, why: why.into(), asker: Asker::Nobody }
    }
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

/// Reads a payload exactly as Lambda got it, unless it is a [`batch`].
///
/// # Errors
/// A payload of no known shape, or a known one whose needed members are missing or wrong.
pub fn read(payload: &Value, own: &Own) -> Result<Reading, TriggerError> {
    let root = Member::root(payload);
    if let Some(reading) = event(&root, own)? {
        return Ok(reading);
    }
    if direct::member_of_call(payload).is_some() {
        return direct::read(payload, own);
    }
    if envelope::is_notification(payload) {
        return envelope::read_record(&root, own);
    }
    Err(TriggerError::Unrecognised(members(payload)))
}

/// Reads what a service of AWS says, wrapped or not. `None` where nothing claims to be that.
fn event(root: &Member<'_>, own: &Own) -> Result<Option<Reading>, TriggerError> {
    let Some(payload) = root.value() else { return Ok(None) };
    let is_event = payload.get("detail-type").is_some() || config_rule::is_inquiry(payload) || alarm::is_action(payload);
    if !is_event {
        return Ok(None);
    }
    // No service adds such a member: somebody pasted an event and wrote into it what only a call can ask for.
    if let Some(name) = direct::member_of_call(payload) {
        return Err(root.get(name).wrong("is for a direct call, and this is an event"));
    }
    let text = |name: &str| payload.get(name).and_then(Value::as_str);
    let reading = match (text("detail-type"), text("source")) {
        (Some("AWS API Call via CloudTrail"), _) => cloudtrail::read(root, own),
        (Some("Scheduled Event"), Some("aws.events" | "aws.scheduler")) => schedule::read(root, own),
        (Some("Config Rules Compliance Change"), Some("aws.config")) => config_compliance::read(root, own),
        (Some("Security Hub Findings - Imported" | "Security Hub Findings - Custom Action"), Some("aws.securityhub")) => {
            security_hub::read(root, Form::Asff, own)
        }
        (Some("Findings Imported V2"), Some("aws.securityhub")) => security_hub::read(root, Form::Ocsf, own),
        (Some("Security Hub Insight Results"), Some("aws.securityhub")) => Ok(security_hub::read_insight(root)),
        (Some("GuardDuty Finding"), Some("aws.guardduty")) => guardduty::read(root, own),
        (Some("CloudWatch Alarm State Change" | "CloudWatch Alarm Contributor State Change"), Some("aws.cloudwatch")) => {
            alarm::read_event(root, own)
        }
        (Some("CloudWatch Alarm Configuration Change"), Some("aws.cloudwatch")) => Ok(alarm::read_edit(root)),
        (None, _) if config_rule::is_inquiry(payload) => config_rule::read(root, own),
        (None, _) if alarm::is_action(payload) => alarm::read_action(root, own),
        _ => Err(TriggerError::Unrecognised(members(payload))),
    };
    reading.map(Some)
}

/// The JSON in a text.
fn parsed(text: &Member<'_>) -> Result<Value, TriggerError> {
    let json = text.value().ok_or_else(|| text.wrong("is missing"))?.as_str().ok_or_else(|| text.wrong("is not a text"))?;
    serde_json::from_str(json).map_err(|error| {
        let what = if error.is_eof() { "is JSON that was cut off" } else { "is a text that is not JSON, or nested too deeply" };
        text.wrong(format!("{what} (line {}, column {})", error.line(), error.column()))
    })
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
