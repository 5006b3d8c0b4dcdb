//! What a call asks `undo-change` to undo: what is taken, and what is an error that names the member.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may panic")]

use jiff::SignedDuration;
use palisade_policy::guardrail::Guardrail;
use palisade_policy::trigger::{Door, Targets, Trigger};
use palisade_trigger::{Own, Reading, read};
use serde_json::{Value, json};

fn own() -> Own {
    Own { guardrail: Guardrail::UndoChange, account: "111122223333".parse().unwrap(), region: "eu-west-1".parse().unwrap(), role_arn: None }
}

fn response() -> Value {
    let rule = |action: &str| {
        json!({"action": action, "groupId": "sg-0a", "ruleId": "sgr-0a", "direction": "ingress", "ipProtocol": "tcp", "fromPort": 22, "toPort": 22,
               "cidr": "0.0.0.0/0", "description": "ssh", "tags": {"team": "web"}})
    };
    json!({"guardrail": "revoke-admin-ingress", "mode": "enforce", "account": "111122223333", "region": "eu-west-1", "trigger": {"door": "direct"},
           "results": [{"resource": "sg-0a", "outcome": "changed", "reason": "…", "changes": [rule("revoke-rule")], "undo": [rule("authorize-rule")]}],
           "summary": {"changed": 1}, "seal": {"time": "2026-11-21T08:00:00Z", "mac": "AAAA"}})
}

fn call() -> Value {
    json!({"undo": response(), "reason": "CHG-1234"})
}

/// The call with another value in this place.
fn with(path: &str, value: Value) -> Value {
    let mut call = call();
    let (parent, name) = path.rsplit_once('/').unwrap();
    match call.pointer_mut(parent).unwrap() {
        Value::Array(items) => items[name.parse::<usize>().unwrap()] = value,
        other => other[name] = value,
    }
    call
}

fn without(path: &str) -> Value {
    let mut call = call();
    let (parent, name) = path.rsplit_once('/').unwrap();
    call.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(name);
    call
}

fn taken(call: &Value) -> Trigger {
    match read(call, &own()) {
        Ok(Reading::Trigger(trigger)) => trigger,
        other => panic!("{call}: {other:?}"),
    }
}

#[test]
fn a_call_is_a_dry_run_with_a_day_of_exemption_unless_it_says_otherwise() {
    let trigger = taken(&call());
    assert!(trigger.dry_run);
    assert_eq!((trigger.cause.door, trigger.cause.detail.as_deref()), (Door::Direct, Some("CHG-1234")));
    let Targets::Undo(request) = trigger.targets else { panic!("no undoing") };
    assert_eq!(request.exempt_for, SignedDuration::from_hours(24));
    assert_eq!((request.reason.as_str(), request.given.results.len()), ("CHG-1234", 1));
    let trigger = taken(&with("/dryRun", json!(false)));
    assert!(!trigger.dry_run);
    let Targets::Undo(request) = taken(&with("/exemptFor", json!("7d"))).targets else { panic!("no undoing") };
    assert_eq!(request.exempt_for, SignedDuration::from_hours(7 * 24));
}

#[test]
fn what_is_sealed_does_not_depend_on_the_wrapping() {
    let text = response().to_string();
    let message = |undo: Value| match taken(&json!({"undo": undo, "reason": "x"})).targets {
        Targets::Undo(request) => request.given.message,
        other => panic!("{other:?}"),
    };
    let plain = message(response());
    for wrapped in [
        json!(text),
        json!({"Type": "Notification", "Message": text}),
        json!({"TopicArn": "arn:…", "Message": json!({"default": text, "email": "…"}).to_string(), "MessageStructure": "json"}),
        // The body of the failure queue as `aws sqs receive-message` prints it: a text of a text of a text.
        json!(json!({"TopicArn": "arn:…", "Message": json!({"default": text, "email": "…"}).to_string()}).to_string()),
    ] {
        assert_eq!(message(wrapped.clone()), plain, "{wrapped}");
    }
}

#[test]
fn what_cannot_be_undone_is_an_error_that_names_the_member() {
    let table = [
        (without("/undo"), "`undo` is missing"),
        (without("/reason"), "`reason` is missing"),
        (with("/reason", json!(" ")), "`reason` is empty"),
        (with("/reason", json!("—")), "`reason` has no letter and no digit"),
        (with("/reason", json!(1234)), "`reason` is not a text"),
        (with("/reason", json!("x".repeat(201))), "`reason` is longer than 200 characters"),
        (with("/reason", json!("a\nb")), "`reason` has characters that can't be printed"),
        (with("/exemptFor", json!("8d")), "`exemptFor` can't be used: `8d` is not a time such as"),
        (with("/exemptFor", json!("169h")), "at most 7 days"),
        (with("/exemptFor", json!("0h")), "`exemptFor` can't be used"),
        (with("/exemptFor", json!(24)), "`exemptFor` is not a text"),
        (with("/dryRun", json!("false")), "`dryRun` is neither true nor false"),
        (with("/sweep", json!(true)), "`sweep` is another function's"),
        (with("/force", json!(true)), "`force` is unknown"),
        (with("/undo", json!(true)), "`undo` is neither a response"),
        (with("/undo", json!([response()])), "`undo` is neither a response"),
        (with("/undo", json!({"Message": 1})), "`undo` is neither a response"),
        (with("/undo", json!("[Palisade] revoked 1 rule")), "`undo` is a text that is not JSON"),
        (with("/undo/guardrail", json!("open-everything")), "`undo.guardrail` is not as Palisade writes it"),
        (without("/undo/account"), "`undo.account` is missing"),
        (with("/undo/region", json!("EU")), "`undo.region` is not as"),
        (with("/undo/mode", json!("force")), "`undo.mode` is not as"),
        (with("/undo/results", json!({})), "`undo.results` is not a list"),
        (with("/undo/seal", json!({"time": "yesterday", "mac": "AAAA"})), "`undo.seal` is not as"),
        (with("/undo/seal", json!(null)), "`undo.seal` is not as"),
        (with("/undo/results/0/resource", json!(1)), "`undo.results[0].resource` is not a text"),
        (with("/undo/results/0/changes", json!({})), "`undo.results[0].changes` is not a list"),
        (with("/undo/results/0/undo", json!([])), "`undo.results[0].undo` is not what takes its `changes` back"),
        (with("/undo/results/0/undo/0/cidr", json!("10.0.0.0/8")), "`undo.results[0].undo` is not what takes"),
        (with("/undo/results/0/changes/0/action", json!("delete-vpc")), "`undo.results[0].changes[0]` is no change that Palisade makes"),
        (with("/undo/results/0/changes/0/toPort", json!(70000)), "`undo.results[0].changes[0]` is no change"),
        (with("/undo/results/0/changes/0/force", json!(1)), "`undo.results[0].changes[0]` has members that Palisade doesn't write"),
        (with("/undo/results/0/changes/0/cidr", json!("0.0.0.0/00")), "`undo.results[0].changes[0]`"),
    ];
    for (call, wanted) in table {
        let error = read(&call, &own()).expect_err(&call.to_string()).to_string();
        assert!(error.contains(wanted), "{error}\n  should say {wanted}");
    }
}

#[test]
fn no_event_makes_it_undo_anything() {
    let schedule = json!({"version": "0", "id": "1", "detail-type": "Scheduled Event", "source": "aws.events", "account": "111122223333",
        "time": "2026-11-21T08:00:00Z", "region": "eu-west-1", "resources": [], "detail": {}});
    let call_event = json!({"detail-type": "AWS API Call via CloudTrail", "source": "aws.ec2", "account": "111122223333", "region": "eu-west-1",
        "detail": {"eventName": "AuthorizeSecurityGroupIngress", "eventSource": "ec2.amazonaws.com", "recipientAccountId": "111122223333", "awsRegion": "eu-west-1"}});
    for event in [schedule, call_event] {
        assert!(matches!(read(&event, &own()), Ok(Reading::Ignored { .. })), "{event}: {:?}", read(&event, &own()));
    }
}
