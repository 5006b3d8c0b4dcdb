//! Door `direct`: somebody invokes the function, by the console's test button or `aws lambda invoke`.
//!
//! Read strictly, because a person wrote it: an unknown member, one of another function, an empty list, a wrong type or a malformed id is
//! an error. It is a dry run unless it says `"dryRun": false`.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::net::IpAddr;
use std::str::FromStr;

use palisade_policy::cidr::Cidr;
use palisade_policy::guardrail::Guardrail;
use palisade_policy::id::Excerpt;
use palisade_policy::trigger::{Attack, Cause, Door, Targets, Trigger};
use serde_json::Value;

use crate::{Own, Reading, TriggerError, undo};

/// The most that one call may name.
const MOST_ITEMS: usize = 1000;

/// Every member that some function answers.
const MEMBERS: [&str; 9] = ["securityGroupIds", "vpcIds", "sources", "aclIds", "sweep", "undo", "reason", "exemptFor", "dryRun"];

/// The members that this function answers.
fn answered(guardrail: Guardrail) -> &'static [&'static str] {
    match guardrail {
        Guardrail::RevokeAdminIngress => &["securityGroupIds", "sweep", "dryRun"],
        Guardrail::StripDefaultGroup => &["securityGroupIds", "vpcIds", "sweep", "dryRun"],
        Guardrail::EnableFlowLogs => &["vpcIds", "sweep", "dryRun"],
        Guardrail::DenySource => &["sources", "aclIds", "dryRun"],
        Guardrail::LiftDenials => &["sweep", "dryRun"],
        Guardrail::UndoChange => &["undo", "reason", "exemptFor", "dryRun"],
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
    let cause = Cause::new(Door::Direct);
    if own.guardrail == Guardrail::UndoChange {
        let request = undo::read(payload)?;
        let cause = Cause { detail: Some(request.reason.clone()), ..cause };
        return Ok(Reading::Trigger(Trigger { dry_run, ..Trigger::new(cause, Targets::Undo(Box::new(request))) }));
    }
    Ok(Reading::Trigger(Trigger { dry_run, ..Trigger::new(cause, targets(payload, members)?) }))
}

/// The one thing that the call asks to look at.
fn targets(payload: &Value, members: &[&str]) -> Result<Targets, TriggerError> {
    let wrong = |path: &str, problem: String| TriggerError::Member { path: path.to_owned(), problem };
    let given: Vec<&str> =
        ["securityGroupIds", "vpcIds", "sources", "sweep"].into_iter().filter(|name| payload.get(name).is_some()).collect();
    let value = |name: &str| payload.get(name).unwrap_or(&Value::Null);
    match given.as_slice() {
        [] => {
            let asked: Vec<String> =
                members.iter().filter(|name| **name != "dryRun" && **name != "aclIds").map(|name| format!("`{name}`")).collect();
            let (first, rest) =
                asked.split_first().map_or((String::new(), &[][..]), |(first, rest)| (first.trim_matches('`').to_owned(), rest));
            let others = if rest.is_empty() {
                String::new()
            } else {
                format!(", and so {} {}", if rest.len() == 1 { "is" } else { "are" }, rest.join(" and "))
            };
            Err(wrong(&first, format!("is missing{others}: nothing to look at")))
        }
        ["securityGroupIds"] => ids("securityGroupIds", value("securityGroupIds")).map(Targets::SecurityGroups),
        ["vpcIds"] => ids("vpcIds", value("vpcIds")).map(Targets::Vpcs),
        ["sources"] => Ok(Targets::Attack(Attack {
            sources: items("sources", value("sources"), source)?,
            acls: if payload.get("aclIds").is_some() { ids("aclIds", value("aclIds"))? } else { Vec::new() },
            subnets: Vec::new(),
            both_ways: false,
        })),
        ["sweep"] if *value("sweep") == Value::Bool(true) => Ok(Targets::Sweep),
        ["sweep"] => Err(wrong("sweep", "can only be true".to_owned())),
        [one, .., last] => Err(wrong(last, format!("can't stand beside `{one}`: say one of them"))),
        [_] => Err(wrong("sweep", "is missing".to_owned())),
    }
}

/// An address, or a block of them.
fn source(text: &str) -> Result<Cidr, String> {
    match text.parse::<IpAddr>() {
        Ok(address) => Cidr::containing(address, if address.is_ipv4() { 32 } else { 128 }).ok_or_else(|| "is no address".to_owned()),
        Err(_) => text.parse::<Cidr>().map_err(|error| error.to_string()),
    }
}

fn ids<T: FromStr<Err: Display> + Ord + Clone>(name: &str, list: &Value) -> Result<Vec<T>, TriggerError> {
    items(name, list, |text| text.parse::<T>().map_err(|error| error.to_string()))
}

/// The items of a list, each once, in order.
fn items<T: Ord + Clone>(name: &str, list: &Value, read: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, TriggerError> {
    let wrong = |path: String, problem: String| Err(TriggerError::Member { path, problem });
    let Value::Array(items) = list else { return wrong(name.to_owned(), "is not a list".to_owned()) };
    if items.is_empty() {
        return wrong(name.to_owned(), "is empty".to_owned());
    }
    let mut known: BTreeSet<T> = BTreeSet::new();
    let mut in_order: Vec<T> = Vec::new();
    for (i, item) in items.iter().enumerate() {
        let Value::String(text) = item else { return wrong(format!("{name}[{i}]"), "is not a text".to_owned()) };
        match read(text) {
            Ok(item) if !known.insert(item.clone()) => {}
            Ok(item) => in_order.push(item),
            Err(error) => return wrong(format!("{name}[{i}]"), format!("can't be used: {error}")),
        }
    }
    if in_order.len() > MOST_ITEMS {
        return wrong(name.to_owned(), format!("names more than {MOST_ITEMS}"));
    }
    Ok(in_order)
}
