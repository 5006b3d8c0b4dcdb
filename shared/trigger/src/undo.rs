//! What a direct call asks `undo-change` to undo: a response, in whatever wrapping people have it.
//!
//! Read strictly, for it becomes changes: each change must be written as Palisade writes it, member for member, and `undo` must be what takes
//! `changes` back. That it is genuine as well only its seal says, which is checked elsewhere.

use jiff::SignedDuration;
use palisade_policy::change::{Change, undo};
use palisade_policy::exemption::is_reason;
use palisade_policy::id::{Excerpt, printable};
use palisade_policy::response::Mode;
use palisade_policy::seal::{Seal, message_of};
use palisade_policy::undo_change::{Given, Made, Request};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::TriggerError;

/// The longest that what comes back may be exempt, and how long it is unless the call says otherwise.
const LONGEST: SignedDuration = SignedDuration::from_hours(7 * 24);
const USUAL: SignedDuration = SignedDuration::from_hours(24);
/// What a tag can hold of a reason, besides the time.
const LONGEST_REASON: usize = 200;
/// How often a response may be wrapped: the text of the queue's input, which holds the text of a message, which holds texts, one of which is
/// the response.
const WRAPPINGS: usize = 5;

pub(crate) fn read(payload: &Value) -> Result<Request, TriggerError> {
    Ok(Request { given: given(payload)?, reason: reason(payload)?, exempt_for: exempt_for(payload)? })
}

fn wrong(path: impl Into<String>, problem: impl Into<String>) -> TriggerError {
    TriggerError::Member { path: path.into(), problem: problem.into() }
}

fn reason(payload: &Value) -> Result<String, TriggerError> {
    let text = match payload.get("reason") {
        None => return Err(wrong("reason", "is missing: say why, such as `CHG-1234`; it goes into the exemption")),
        Some(Value::String(text)) => text.trim(),
        Some(_) => return Err(wrong("reason", "is not a text")),
    };
    match text.chars().count() {
        0 => Err(wrong("reason", "is empty")),
        length if length > LONGEST_REASON => Err(wrong("reason", format!("is longer than {LONGEST_REASON} characters"))),
        _ if !is_reason(text) => {
            Err(wrong("reason", "has no letter and no digit: say why, such as `CHG-1234`; it goes into the exemption"))
        }
        _ if text.chars().any(|c| printable(c) != c) => Err(wrong("reason", "has characters that can't be printed")),
        _ => Ok(text.to_owned()),
    }
}

fn exempt_for(payload: &Value) -> Result<SignedDuration, TriggerError> {
    let problem = |text: &str| {
        wrong("exemptFor", format!("can't be used: `{}` is not a time such as `90m`, `24h` or `7d`, at most 7 days", Excerpt(text)))
    };
    match payload.get("exemptFor") {
        None => Ok(USUAL),
        Some(Value::String(text)) => match duration(text) {
            Some(duration) if duration <= LONGEST => Ok(duration),
            _ => Err(problem(text)),
        },
        Some(_) => Err(wrong("exemptFor", "is not a text")),
    }
}

/// `<n>m`, `<n>h` or `<n>d`, at least a minute.
fn duration(text: &str) -> Option<SignedDuration> {
    let (number, minutes) =
        [("m", 1), ("h", 60), ("d", 24 * 60)].into_iter().find_map(|(unit, of)| Some((text.strip_suffix(unit)?, of)))?;
    let plain = !number.is_empty() && number.len() <= 6 && number.bytes().all(|b| b.is_ascii_digit());
    let number: i64 = plain.then(|| number.parse().ok())??;
    (number > 0).then(|| SignedDuration::from_mins(number * minutes))
}

fn given(payload: &Value) -> Result<Given, TriggerError> {
    let wrapped = payload.get("undo").ok_or_else(|| wrong("undo", "is missing: nothing to undo"))?;
    let response = unwrapped(wrapped)?;
    let results = match response.get("results") {
        Some(Value::Array(results)) => results.as_slice(),
        _ => return Err(wrong("undo.results", "is not a list")),
    };
    let made = results.iter().enumerate().map(|(at, result)| made(at, result)).collect::<Result<Vec<_>, _>>()?;
    let seal: Option<Seal> = match response.get("seal") {
        None => None,
        Some(_) => Some(member(&response, "seal")?),
    };
    let mode: Mode = member(&response, "mode")?;
    Ok(Given {
        guardrail: member(&response, "guardrail")?,
        mode,
        account: member(&response, "account")?,
        region: member(&response, "region")?,
        seal,
        message: message_of(&response),
        results: made.into_iter().filter(|made| !made.changes.is_empty()).collect(),
    })
}

/// The response itself; or the message that SNS delivers with it; or the body that the failure queue has, which is the input of
/// `aws sns publish`; or the text of either.
fn unwrapped(wrapped: &Value) -> Result<Value, TriggerError> {
    let mut value = wrapped.clone();
    for _ in 0..=WRAPPINGS {
        value = match value {
            Value::Object(_) if value.get("guardrail").is_some() => return Ok(value),
            Value::Object(mut object) => match ["Message", "default"].into_iter().find_map(|name| object.remove(name)) {
                Some(inner) => inner,
                None => break,
            },
            Value::String(text) => match serde_json::from_str(&text) {
                Ok(inner) => inner,
                Err(_) => return Err(wrong("undo", "is a text that is not JSON: give the response or the notice whole, as it came")),
            },
            _ => break,
        };
    }
    Err(wrong("undo", "is neither a response of Palisade nor a notice that holds one"))
}

fn member<T: DeserializeOwned>(response: &Value, name: &str) -> Result<T, TriggerError> {
    let value = response.get(name).ok_or_else(|| wrong(format!("undo.{name}"), "is missing"))?;
    T::deserialize(value).map_err(|_| wrong(format!("undo.{name}"), "is not as Palisade writes it"))
}

fn made(at: usize, result: &Value) -> Result<Made, TriggerError> {
    let resource = match result.get("resource") {
        Some(Value::String(resource)) => resource.clone(),
        _ => return Err(wrong(format!("undo.results[{at}].resource"), "is not a text")),
    };
    let changes = changes(at, "changes", result)?;
    if self::changes(at, "undo", result)? != undo(&changes) {
        return Err(wrong(format!("undo.results[{at}].undo"), "is not what takes its `changes` back"));
    }
    Ok(Made { resource, changes })
}

/// An unknown member, or another spelling than ours, is an error: what is not understood must not be undone.
fn changes(at: usize, name: &str, result: &Value) -> Result<Vec<Change>, TriggerError> {
    let Some(Value::Array(given)) = result.get(name) else {
        return Err(wrong(format!("undo.results[{at}].{name}"), "is not a list"));
    };
    let read = |(n, given): (usize, &Value)| {
        let path = format!("undo.results[{at}].{name}[{n}]");
        let change: Change = serde::Deserialize::deserialize(given).map_err(|_| wrong(&path, "is no change that Palisade makes"))?;
        match serde_json::to_value(&change) {
            Ok(ours) if ours == *given => Ok(change),
            _ => Err(wrong(&path, "has members that Palisade doesn't write, or not as it writes them")),
        }
    };
    given.iter().enumerate().map(read).collect()
}
