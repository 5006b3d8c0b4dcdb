//! What holds of every payload whatsoever, told by the payload alone.

use jiff::Timestamp;
use palisade_policy::trigger::{Cause, Door, Targets, Trigger};
use palisade_trigger::{Reading, TriggerError};
use serde_json::Value;

use super::{ACCOUNT, REGION, ROLE};

/// The most characters of a text of an event that are told.
const LONGEST_TOLD: usize = 300;
/// The most that an error may have which names one member.
const LONGEST_ERROR: usize = 500;
/// The most that one may have which names the members of an unknown payload, a dozen of them.
const LONGEST_LIST: usize = 1_200;

const CALLS: [&str; 4] =
    ["AuthorizeSecurityGroupIngress", "ModifySecurityGroupRules", "ModifyManagedPrefixList", "RestoreManagedPrefixListVersion"];

/// What a person should not have to read, nor a log to store.
const RUST: [&str; 16] = [
    "::",
    "Some(",
    "None",
    "Ok(",
    "Err(",
    "Option",
    "Vec<",
    "&str",
    "Value",
    "usize",
    "u64",
    "i64",
    "f64",
    "Object",
    "Error",
    "invalid type",
];

type Law = Result<(), String>;

fn law(holds: bool, otherwise: impl FnOnce() -> String) -> Law {
    if holds { Ok(()) } else { Err(otherwise()) }
}

pub(crate) fn hold(payload: &Value, reading: &Result<Reading, TriggerError>) -> Law {
    match reading {
        Ok(Reading::Trigger(trigger)) => {
            cause_is_what_the_event_says(payload, &trigger.cause)?;
            match trigger.cause.door {
                Door::Direct => call_is_obeyed_to_the_letter(payload, trigger),
                Door::Schedule => {
                    law(is_scheduled(payload) && trigger.targets == Targets::Sweep && !trigger.dry_run, || format!("{trigger:?}"))?;
                    event_is_ours(payload)
                }
                Door::Cloudtrail => {
                    law(trigger.targets != Targets::Sweep && !trigger.dry_run, || format!("{trigger:?}"))?;
                    event_is_ours(payload)?;
                    call_may_have_opened_a_hole(payload)
                }
                door => Err(format!("{door:?} wakes no revoke-admin-ingress")),
            }
        }
        Ok(Reading::Ignored { cause, why, .. }) => {
            law(cause.door != Door::Direct, || "a call is never ignored".to_owned())?;
            cause_is_what_the_event_says(payload, cause)?;
            reads_well(why, LONGEST_ERROR)
        }
        Err(error @ TriggerError::Unrecognised(_)) => reads_well(&error.to_string(), LONGEST_LIST),
        Err(error @ TriggerError::Member { path, .. }) => {
            law(!path.is_empty(), || "an error without a path".to_owned())?;
            reads_well(&error.to_string(), LONGEST_ERROR)
        }
    }
}

/// Short, one line, lower case, no full stop, no Rust.
pub(crate) fn reads_well(text: &str, longest: usize) -> Law {
    law(text.chars().count() <= longest, || format!("{} characters", text.chars().count()))?;
    law(!text.contains(char::is_control), || format!("control characters: {text:?}"))?;
    law(text.starts_with(|c: char| c == '`' || c.is_lowercase()), || format!("starts otherwise: {text}"))?;
    law(!text.ends_with('.'), || format!("a full stop: {text}"))?;
    // What is repeated of the input may look like anything.
    let own_words: String = if text.starts_with("the call failed (") { String::new() } else { text.split('`').step_by(2).collect() };
    law(!RUST.iter().any(|rust| own_words.contains(rust)), || format!("Rust: {text}"))
}

fn is_scheduled(payload: &Value) -> bool {
    payload["detail-type"] == "Scheduled Event" && (payload["source"] == "aws.events" || payload["source"] == "aws.scheduler")
}

fn call_is_obeyed_to_the_letter(payload: &Value, trigger: &Trigger) -> Law {
    law(trigger.dry_run == (payload["dryRun"] != false), || "the call's `dryRun` is read otherwise".to_owned())?;
    let known = |name: &str| ["securityGroupIds", "sweep", "dryRun"].contains(&name);
    law(payload.as_object().is_some_and(|object| object.keys().all(|name| known(name))), || "an unknown member".to_owned())?;
    let (ids, sweep) = (payload.get("securityGroupIds"), payload.get("sweep"));
    match &trigger.targets {
        Targets::Sweep => law(ids.is_none() && sweep == Some(&Value::Bool(true)), || "a sweep that nobody asked for".to_owned()),
        Targets::SecurityGroups(read) => {
            let mut named: Vec<&str> = Vec::new();
            for id in ids.and_then(Value::as_array).into_iter().flatten() {
                let id = id.as_str().ok_or("an id that is not a text")?;
                if !named.contains(&id) {
                    named.push(id);
                }
            }
            let same = read.iter().map(|id| id.as_str()).eq(named) && !read.is_empty();
            law(same && sweep.is_none(), || format!("{read:?}"))
        }
        targets => Err(format!("{targets:?}")),
    }
}

/// An account may come as a number, without its leading zeros, and any text as `content`.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::Number(number) => Some(format!("{:0>12}", number.to_string())),
        Value::String(text) => Some(text.clone()),
        value => plain(&value["content"]),
    }
}

fn event_is_ours(payload: &Value) -> Law {
    let detail = &payload["detail"];
    for (members, ours) in
        [([&payload["account"], &detail["recipientAccountId"]], ACCOUNT), ([&payload["region"], &detail["awsRegion"]], REGION)]
    {
        let there: Vec<&&Value> = members.iter().filter(|member| !member.is_null()).collect();
        let all_ours = there.iter().all(|member| plain(member).as_deref() == Some(ours));
        law(!there.is_empty() && all_ours, || format!("{members:?} is taken for {ours}"))?;
    }
    Ok(())
}

fn call_may_have_opened_a_hole(payload: &Value) -> Law {
    let detail = &payload["detail"];
    law(payload["detail-type"] == "AWS API Call via CloudTrail", || "not an API call".to_owned())?;
    law(detail["errorCode"].is_null(), || "a call that failed".to_owned())?;
    law(detail["userIdentity"]["sessionContext"]["sessionIssuer"]["arn"] != ROLE, || "our own doing".to_owned())?;
    law(plain(&detail["eventName"]).is_some_and(|name| CALLS.contains(&name.as_str())), || "another call".to_owned())?;
    law(plain(&detail["eventSource"]).is_none_or(|source| source == "ec2.amazonaws.com"), || "another service".to_owned())
}

fn cause_is_what_the_event_says(payload: &Value, cause: &Cause) -> Law {
    let (detail, nothing) = (&payload["detail"], &Value::Null);
    let identity = &detail["userIdentity"];
    let actors = ["arn", "invokedBy", "principalId", "type"].map(|name| &identity[name]);
    let (event_id, time, source_ip, what) = match cause.door {
        Door::Cloudtrail => (&detail["eventID"], &detail["eventTime"], &detail["sourceIPAddress"], &detail["eventName"]),
        Door::Schedule => (&payload["id"], &payload["time"], nothing, &payload["resources"]),
        _ => (nothing, nothing, nothing, nothing),
    };
    let first = if cause.door == Door::Schedule && what.is_array() { what.as_array().into_iter().flatten().next() } else { None };
    told_as_said("event id", cause.event_id.as_deref(), &[event_id])?;
    told_as_said("source IP", cause.source_ip.as_deref(), &[source_ip])?;
    told_as_said("actor", cause.actor.as_deref(), if cause.door == Door::Cloudtrail { &actors } else { &[] })?;
    if cause.door == Door::Cloudtrail || first.is_some() {
        told_as_said("detail", cause.detail.as_deref(), &[first.unwrap_or(what)])?;
    }
    let said = time.as_str().and_then(|time| time.parse::<Timestamp>().ok());
    law(cause.time == said, || format!("time: {:?}", cause.time))
}

/// The first of the members that has a text: the start of it, but for its control characters.
fn told_as_said(what: &str, told: Option<&str>, members: &[&Value]) -> Law {
    let said = members.iter().filter_map(|member| member.as_str()).map(str::trim).find(|text| !text.is_empty());
    let same = match (told, said) {
        (None, None) => true,
        (Some(told), Some(said)) => {
            let alike = told.chars().zip(said.chars()).all(|(told, said)| told == said || (said.is_control() && told == '\u{fffd}'));
            alike && told.chars().count() == said.chars().count().min(LONGEST_TOLD) && !told.contains(char::is_control)
        }
        _ => false,
    };
    law(same, || format!("{what}: {told:?}"))
}
