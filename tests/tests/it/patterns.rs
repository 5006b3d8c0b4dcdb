//! Each pattern of EventBridge in the template against each sample event: it wakes exactly the functions whose door that is.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use palisade_policy::guardrail::Guardrail;
use palisade_tests::binaries::root;
use palisade_tests::case::{ACCOUNT, Case};
use palisade_trigger::{Own, Reading};
use serde_json::{Value, json};

use crate::house::{PREFIX, house};

use Guardrail::{DenySource, EnableFlowLogs, RevokeAdminIngress, StripDefaultGroup};

/// What wakes whom, by `source`, `detail-type`, and for CloudTrail the name of the call.
const DOORS: [(&str, &str, &str, &[Guardrail]); 18] = [
    ("aws.ec2", "AWS API Call via CloudTrail", "AuthorizeSecurityGroupIngress", &[RevokeAdminIngress, StripDefaultGroup]),
    ("aws.ec2", "AWS API Call via CloudTrail", "AuthorizeSecurityGroupEgress", &[StripDefaultGroup]),
    ("aws.ec2", "AWS API Call via CloudTrail", "ModifySecurityGroupRules", &[RevokeAdminIngress, StripDefaultGroup]),
    ("aws.ec2", "AWS API Call via CloudTrail", "ModifyManagedPrefixList", &[RevokeAdminIngress]),
    ("aws.ec2", "AWS API Call via CloudTrail", "RestoreManagedPrefixListVersion", &[RevokeAdminIngress]),
    ("aws.ec2", "AWS API Call via CloudTrail", "CreateVpc", &[StripDefaultGroup, EnableFlowLogs]),
    ("aws.ec2", "AWS API Call via CloudTrail", "CreateDefaultVpc", &[StripDefaultGroup, EnableFlowLogs]),
    ("aws.ec2", "AWS API Call via CloudTrail", "DeleteFlowLogs", &[EnableFlowLogs]),
    ("aws.config", "Config Rules Compliance Change", "", &[RevokeAdminIngress, StripDefaultGroup, EnableFlowLogs]),
    ("aws.securityhub", "Security Hub Findings - Imported", "", &[RevokeAdminIngress, StripDefaultGroup, EnableFlowLogs]),
    ("aws.securityhub", "Security Hub Findings - Custom Action", "", &[RevokeAdminIngress, StripDefaultGroup, EnableFlowLogs]),
    ("aws.securityhub", "Findings Imported V2", "", &[RevokeAdminIngress, StripDefaultGroup, EnableFlowLogs]),
    ("aws.guardduty", "GuardDuty Finding", "", &[DenySource]),
    ("aws.cloudwatch", "CloudWatch Alarm State Change", "", &[DenySource]),
    ("aws.cloudwatch", "CloudWatch Alarm Contributor State Change", "", &[DenySource]),
    // These come by schedules, which are no patterns, and nobody listens to the last.
    ("aws.events", "Scheduled Event", "", &[]),
    ("aws.scheduler", "Scheduled Event", "", &[]),
    ("aws.cloudwatch", "CloudWatch Alarm Configuration Change", "", &[]),
];

/// Why a function is woken by what it then ignores: no pattern can see it.
const NOT_SEEN_BY_PATTERNS: [&str; 6] =
    ["our own role's doing", "the finding is a sample", "the connection is outbound", "is not for", "is muted or suppressed", "not ours"];

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

#[test]
fn every_sample_wakes_exactly_the_functions_whose_door_it_comes_through() {
    let patterns = patterns();
    let mut wrong = BTreeSet::new();
    let mut woken_by: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for (name, event) in samples() {
        let text = |member: &str| event[member].as_str().unwrap_or_default();
        let call = event["detail"]["eventName"].as_str().unwrap_or_default();
        let door = DOORS
            .iter()
            .find(|(source, kind, of, _)| text("source") == *source && text("detail-type") == *kind && (of.is_empty() || *of == call));
        let allowed = door.map_or(&[][..], |(.., functions)| functions);
        for guardrail in Guardrail::ALL {
            let own = Own {
                guardrail,
                account: ACCOUNT.parse().unwrap(),
                region: text("region").parse().unwrap_or_else(|_| "eu-west-1".parse().unwrap()),
                role_arn: Some("arn:aws:iam::111122223333:role/palisade-revoke-admin-ingress".to_owned()),
            };
            let reading = palisade_trigger::read(&event, &own);
            let woken = patterns.get(&guardrail).into_iter().flatten().any(|pattern| {
                let asked = json!({"EventPattern": pattern, "Event": event.to_string()});
                house().cloud.call("events", "test_event_pattern", asked).unwrap_or_else(|error| panic!("{name}: {error}"))["Result"]
                    == true
            });
            match (&reading, woken) {
                (_, true) if !allowed.contains(&guardrail) => drop(wrong.insert(format!("{name} wakes {guardrail}, whose door it is not"))),
                (Ok(Reading::Trigger(_)), false) if text("source") != "aws.events" && text("source") != "aws.scheduler" => {
                    wrong.insert(format!("{name} does not wake {guardrail}, which would act on it"));
                }
                (Ok(Reading::Ignored { why, .. }), true) if !NOT_SEEN_BY_PATTERNS.iter().any(|reason| why.contains(reason)) => {
                    wrong.insert(format!("{name} wakes {guardrail}, which ignores it: {why}"));
                }
                _ => {}
            }
            if woken && let Some((source, kind, ..)) = door {
                *woken_by.entry((*source, *kind)).or_default() += 1;
            }
        }
    }
    for (source, kind, _, functions) in DOORS {
        if !functions.is_empty() && !woken_by.contains_key(&(source, kind)) {
            wrong.insert(format!("no sample of {kind} wakes anybody"));
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
    let wanted = [RevokeAdminIngress, StripDefaultGroup, EnableFlowLogs, Guardrail::LiftDenials]
        .map(|guardrail| format!("{PREFIX}-{guardrail}-sweep"));
    assert_eq!(schedules, wanted.iter().map(String::as_str).collect());
}
