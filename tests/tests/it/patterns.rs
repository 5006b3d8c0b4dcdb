//! Each pattern of EventBridge in the template against each sample event: it wakes exactly the functions whose door that is.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use palisade_policy::guardrail::Guardrail;
use palisade_tests::binaries::root;
use palisade_tests::case::{ACCOUNT, Case};
use palisade_trigger::{Own, Reading, TriggerError};
use serde_json::{Value, json};

use crate::house::{PREFIX, house};

use Guardrail::{EnableFlowLogs, LiftDenials, RevokeAdminIngress, StripDefaultGroup};

/// Why a function is woken by what it then ignores: no pattern can see it.
const NOT_SEEN_BY_PATTERNS: [&str; 3] = ["our own role's doing", "the finding is a sample", "the connection is outbound"];

/// The patterns of each function as they were deployed.
fn patterns() -> BTreeMap<Guardrail, Vec<String>> {
    let listed = house().cloud.call("events", "list_rules", json!({"Limit": 100})).unwrap();
    let mut patterns: BTreeMap<Guardrail, Vec<String>> = BTreeMap::new();
    for rule in listed["Rules"].as_array().unwrap() {
        let Some(pattern) = rule["EventPattern"].as_str() else { continue };
        let name = rule["Name"].as_str().unwrap();
        let of = Guardrail::ALL.into_iter().find(|guardrail| name.starts_with(&format!("{PREFIX}-{guardrail}-")));
        patterns.entry(of.unwrap_or_else(|| panic!("the rule {name} is nobody's"))).or_default().push(pattern.to_owned());
    }
    patterns
}

/// Every sample that EventBridge would carry, by its name.
fn samples() -> BTreeMap<String, Value> {
    let mut samples: BTreeMap<String, Value> =
        Case::all().unwrap().into_iter().filter_map(|case| Some((case.full_name(), serde_json::from_str(&case.event).ok()?))).collect();
    for entry in fs::read_dir(root().join("shared/trigger/tests/samples")).unwrap() {
        let path = entry.unwrap().path();
        let event = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        samples.insert(path.file_name().unwrap().to_string_lossy().into_owned(), event);
    }
    samples.retain(|_, event| event.get("detail-type").is_some());
    samples
}

/// The rows of `docs/doors.md` whose sample EventBridge would carry: the event, whom it wakes, and the sample.
fn rows() -> Vec<(String, BTreeSet<Guardrail>, Value)> {
    let page = fs::read_to_string(root().join("docs/doors.md")).unwrap();
    let mut rows = Vec::new();
    for line in page.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let (_, sample) = cells.last().unwrap().trim_end_matches(')').split_once("](").unwrap();
        let mut event: Value = serde_json::from_str(&fs::read_to_string(root().join("docs").join(sample)).unwrap()).unwrap();
        // Schedules are no patterns.
        if event.get("detail-type").is_none() || cells[0] == "`schedule`" {
            continue;
        }
        if cells[0] == "`config-compliance`" {
            // Rules that differ by their names only share a sample.
            event["detail"]["configRuleName"] = json!(cells[1].split('`').nth(1).unwrap());
        }
        let woken = Guardrail::ALL.into_iter().zip(&cells[2..]).filter(|(_, mark)| **mark == "✓").map(|(guardrail, _)| guardrail);
        rows.push((format!("{} {}", cells[0], cells[1]), woken.collect(), event));
    }
    rows
}

fn wakes(patterns: &BTreeMap<Guardrail, Vec<String>>, guardrail: Guardrail, event: &Value) -> bool {
    patterns.get(&guardrail).into_iter().flatten().any(|pattern| {
        let asked = json!({"EventPattern": pattern, "Event": event.to_string()});
        house().cloud.call("events", "test_event_pattern", asked).unwrap()["Result"] == true
    })
}

#[test]
fn the_patterns_wake_exactly_those_that_the_table_of_doors_says() {
    let (patterns, rows) = (patterns(), rows());
    assert!(rows.len() > 30, "{}", rows.len());
    let mut wrong = BTreeSet::new();
    for (row, said, event) in &rows {
        let woken: BTreeSet<Guardrail> = Guardrail::ALL.into_iter().filter(|guardrail| wakes(&patterns, *guardrail, event)).collect();
        // What nobody should do anything about may still come in, where no pattern can see why.
        let unseen = said.is_empty() && woken.iter().all(|guardrail| ignores(*guardrail, event).is_some_and(|why| is_unseen(&why)));
        if woken != *said && !unseen {
            wrong.insert(format!("{row} wakes {woken:?}, and the table says {said:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.into_iter().collect::<Vec<_>>().join("\n"));
}

fn is_unseen(why: &str) -> bool {
    // A finding has the Region of its resource where no pattern can tell it from one that is missing. Of the account it always can.
    let elsewhere = why.contains("this function acts in `") && !why.contains(&format!("acts in `{ACCOUNT}`"));
    elsewhere || NOT_SEEN_BY_PATTERNS.iter().any(|reason| why.contains(reason))
}

fn reading(guardrail: Guardrail, event: &Value) -> Result<Reading, TriggerError> {
    let region = event["region"].as_str().and_then(|region| region.parse().ok());
    let own = Own {
        guardrail,
        account: ACCOUNT.parse().unwrap(),
        region: region.unwrap_or_else(|| "eu-west-1".parse().unwrap()),
        role_arn: Some(format!("arn:aws:iam::{ACCOUNT}:role/palisade-{guardrail}")),
    };
    palisade_trigger::read(event, &own)
}

/// Why the function ignores an event, if it does.
fn ignores(guardrail: Guardrail, event: &Value) -> Option<String> {
    match reading(guardrail, event) {
        Ok(Reading::Ignored { why, .. }) => Some(why),
        _ => None,
    }
}

#[test]
fn no_sample_that_a_function_acts_on_is_held_back_and_none_that_it_ignores_comes_through() {
    let patterns = patterns();
    let mut wrong = BTreeSet::new();
    for (name, event) in samples() {
        for guardrail in Guardrail::ALL {
            match (reading(guardrail, &event), wakes(&patterns, guardrail, &event)) {
                (Ok(Reading::Trigger(_)), false) if event["detail-type"] != "Scheduled Event" => {
                    wrong.insert(format!("{name} does not wake {guardrail}, which would act on it"));
                }
                (Ok(Reading::Ignored { why, .. }), true) if !is_unseen(&why) => {
                    wrong.insert(format!("{name} wakes {guardrail}, which ignores it: {why}"));
                }
                _ => {}
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.into_iter().collect::<Vec<_>>().join("\n"));
}

#[test]
fn every_pattern_is_narrowed_to_this_account() {
    for (guardrail, patterns) in patterns() {
        for pattern in patterns {
            assert!(pattern.contains(ACCOUNT), "{guardrail}: {pattern}");
        }
    }
}

#[test]
fn every_function_that_sweeps_has_a_schedule() {
    let listed = house().cloud.call("events", "list_rules", json!({"Limit": 100})).unwrap();
    let schedules: BTreeSet<&str> = listed["Rules"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|rule| rule["ScheduleExpression"].is_string())
        .filter_map(|rule| rule["Name"].as_str())
        .collect();
    let wanted =
        [RevokeAdminIngress, StripDefaultGroup, EnableFlowLogs, LiftDenials].map(|guardrail| format!("{PREFIX}-{guardrail}-sweep"));
    assert_eq!(schedules, wanted.iter().map(String::as_str).collect());
}
