//! Complete events of the other doors, and what a function reads in one.

use std::fs;
use std::path::Path;

use palisade_policy::guardrail::Guardrail;
use palisade_policy::trigger::{Attack, Search, Targets};
use palisade_trigger::{Own, Reading, read};
use serde_json::Value;

pub(crate) fn own_of(guardrail: Guardrail) -> Own {
    Own { guardrail, ..super::own() }
}

pub(crate) fn sample(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples").join(format!("{name}.json"));
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub(crate) fn samples() -> Vec<(String, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut names: Vec<String> = files.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    names.sort();
    names.into_iter().map(|name| (name.clone(), sample(&name))).collect()
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
