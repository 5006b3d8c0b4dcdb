//! Complete events of the other doors, and what a function reads in one.

use std::fs;
use std::path::{Path, PathBuf};

use palisade_policy::guardrail::Guardrail;
use palisade_policy::trigger::{Attack, Search, Targets};
use palisade_trigger::{Reading, read};
use serde_json::Value;

pub(crate) use super::laws::own_of;

pub(crate) fn sample(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples").join(format!("{name}.json"));
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The event of every case of every guardrail, and every sample beside these tests, by their names.
pub(crate) fn samples() -> Vec<(String, Value)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files: Vec<PathBuf> = Vec::new();
    for guardrail in inside(&root.join("../../events")) {
        files.extend(inside(&guardrail).into_iter().map(|case| case.join("event.json")));
    }
    files.extend(inside(&root.join("tests/samples")));
    let named = files.into_iter().map(|path| {
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut payload = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        shorten(&mut payload);
        let name: Vec<String> = path.iter().rev().take(3).map(|part| part.to_string_lossy().into_owned()).collect();
        (name.into_iter().rev().collect::<Vec<_>>().join("/"), payload)
    });
    named.collect()
}

/// A list of three shows what one of five hundred does, and is spoilt in a hundredth of the time.
fn shorten(value: &mut Value) {
    match value {
        Value::Array(items) if items.len() > 12 => {
            items.truncate(3);
            items.iter_mut().for_each(shorten);
        }
        Value::Array(items) => items.iter_mut().for_each(shorten),
        Value::Object(object) => object.values_mut().for_each(shorten),
        _ => {}
    }
}

/// What is in a folder, in order.
fn inside(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// The alarm in a message of SNS.
pub(crate) fn message(payload: &Value) -> Value {
    serde_json::from_str(payload["Records"][0]["Sns"]["Message"].as_str().unwrap()).unwrap()
}

pub(crate) fn with_message(mut payload: Value, message: &Value) -> Value {
    payload["Records"][0]["Sns"]["Message"] = Value::String(message.to_string());
    payload
}

/// The reading of a payload in one line.
pub(crate) fn told(guardrail: Guardrail, payload: &Value) -> String {
    match read(payload, &own_of(guardrail)) {
        Ok(Reading::Trigger(trigger)) => {
            assert!(!trigger.dry_run, "an event asks for no dry run");
            match trigger.targets {
                Targets::SecurityGroups(ids) => format!("look: {}", ids.iter().map(|id| id.as_str()).collect::<Vec<_>>().join(" ")),
                Targets::Vpcs(ids) => format!("look: {}", ids.iter().map(|id| id.as_str()).collect::<Vec<_>>().join(" ")),
                Targets::Attack(Attack { sources, acls, subnets, both_ways }) => {
                    let sources: Vec<String> = sources.iter().map(ToString::to_string).collect();
                    let subnets: Vec<&str> = subnets.iter().map(|id| id.as_str()).collect();
                    assert!(acls.is_empty(), "an event names no network ACL");
                    let at = if subnets.is_empty() { String::new() } else { format!(" at {}", subnets.join(" ")) };
                    format!("deny{}: {}{at}", if both_ways { " both ways" } else { "" }, sources.join(" "))
                }
                Targets::Search(Search { pattern, until }) => {
                    format!("search: {pattern:?} until {}", until.map_or("now".to_owned(), |until| until.to_string()))
                }
                other => format!("look: {other:?}"),
            }
        }
        Ok(Reading::Ignored { why, .. }) => format!("ignored: {why}"),
        Err(error) => format!("error: {error}"),
    }
}

/// Each row a payload and its reading; all that differ are shown.
pub(crate) fn table<const N: usize>(guardrail: Guardrail, rows: [(Value, &str); N]) {
    let wrong: Vec<String> = rows
        .iter()
        .filter_map(|(payload, wanted)| {
            let told = told(guardrail, payload);
            let payload: String = payload.to_string().chars().take(1_500).collect();
            (told != *wanted).then(|| format!("\n  {told}\n  instead of\n  {wanted}\n  for {payload}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.concat());
}
