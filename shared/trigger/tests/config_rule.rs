//! What AWS Config asks a custom rule, where that points, and who waits for the answer.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

#[allow(dead_code, reason = "every test takes what it needs")]
mod corpus;

use corpus::samples::{own_of, sample, table, told};
use corpus::{with, without};
use palisade_policy::evaluation::{About, Inquiry};
use palisade_policy::guardrail::Guardrail::{self, DenySource, EnableFlowLogs, LiftDenials, RevokeAdminIngress, StripDefaultGroup};
use palisade_policy::trigger::{Asker, Cause, Door};
use palisade_trigger::{Reading, read};
use serde_json::{Value, json};

const GROUP: &str = "sg-01e8353efff848a73";
const LOOK: &str = "look: sg-01e8353efff848a73";
const VPC: &str = "look: vpc-09ebf9c38ce4503bd";
const OTHER_ACCOUNT: &str = "ignored: an event of `444455556666`, and this function acts in `111122223333` only";
const OTHER_REGION: &str = "ignored: an event of `us-east-1`, and this function acts in `eu-west-1` only";

fn ours() -> Value {
    sample("config-rule-change")
}

/// What the text in a payload's `invokingEvent` says.
fn invoking(payload: &Value) -> Value {
    serde_json::from_str(payload["invokingEvent"].as_str().unwrap()).unwrap()
}

/// The payload with another `invokingEvent`.
fn asking(payload: Value, invoking: &Value) -> Value {
    with(payload, [("/invokingEvent", json!(invoking.to_string()))])
}

/// The payload with other members inside its `invokingEvent`.
fn inside<const N: usize>(payload: Value, members: [(&str, Value); N]) -> Value {
    let invoking = with(invoking(&payload), members);
    asking(payload, &invoking)
}

fn not_inside<const N: usize>(payload: Value, pointers: [&str; N]) -> Value {
    let invoking = without(invoking(&payload), pointers);
    asking(payload, &invoking)
}

fn asker(guardrail: Guardrail, payload: &Value) -> Asker {
    match read(payload, &own_of(guardrail)).unwrap() {
        Reading::Trigger(trigger) => trigger.asker,
        Reading::Ignored { asker, .. } => asker,
    }
}

/// What Config is answered by and about, in one line.
fn asked(guardrail: Guardrail, payload: &Value) -> String {
    match asker(guardrail, payload) {
        Asker::Config(Inquiry { result_token, as_of, about }) => {
            let about = match about {
                About::One(resource) => format!("{} {}", resource.resource_type, resource.resource_id),
                About::Every(of) => format!("every {}", of.id()),
            };
            format!("{result_token}, {as_of}: {about}")
        }
        Asker::Nobody => "nobody".to_owned(),
        other @ Asker::SecurityHub(_) => panic!("{other:?}"),
    }
}

#[test]
fn the_samples_are_read_as_their_names_say() {
    table(
        RevokeAdminIngress,
        [
            (sample("config-rule-change"), LOOK),
            (sample("config-rule-oversized"), LOOK),
            (sample("config-rule-without-parameters"), LOOK),
            (sample("config-rule-scheduled"), "look: Sweep"),
            (sample("config-rule-deleted"), &format!("look: Gone(\"{GROUP}\")")),
            (sample("config-rule-left-scope"), "ignored: the resource has left the rule's scope"),
            (sample("config-rule-not-recorded"), "ignored: AWS Config has the resource as `ResourceNotRecorded`"),
            (sample("config-rule-vpc"), "ignored: a resource of type `AWS::EC2::VPC` is not for revoke-admin-ingress"),
            (sample("config-rule-foreign-type"), "ignored: a resource of type `AWS::EC2::Instance` is not for revoke-admin-ingress"),
            (sample("config-rule-snapshot-delivered"), "ignored: `ConfigurationSnapshotDeliveryCompleted` asks for no judgement"),
        ],
    );
    table(
        StripDefaultGroup,
        [(sample("config-rule-change"), LOOK), (sample("config-rule-vpc"), VPC), (sample("config-rule-scheduled"), "look: Sweep")],
    );
    table(
        EnableFlowLogs,
        [
            (sample("config-rule-change"), "ignored: a resource of type `AWS::EC2::SecurityGroup` is not for enable-flow-logs"),
            (sample("config-rule-vpc"), VPC),
            (sample("config-rule-scheduled"), "look: Sweep"),
        ],
    );
}

#[test]
fn config_is_answered_whatever_is_done_with_the_resource() {
    let about_group = |token: &str| format!("result-token-of-{token}, 2026-11-19T08:40:31.902Z: AWS::EC2::SecurityGroup {GROUP}");
    for name in ["change", "oversized", "without-parameters", "deleted", "left-scope", "not-recorded"] {
        assert_eq!(asked(RevokeAdminIngress, &sample(&format!("config-rule-{name}"))), about_group(name));
    }
    // A type that the function does not judge is answered as well, or the rule would stay without a result.
    assert_eq!(asked(EnableFlowLogs, &ours()), about_group("change"));
    let instance = "result-token-of-foreign-type, 2026-11-19T08:40:31.902Z: AWS::EC2::Instance i-07123a699d77db647";
    assert_eq!(asked(StripDefaultGroup, &sample("config-rule-foreign-type")), instance);
    let every = |of: &str| format!("result-token-of-scheduled, 2026-11-19T09:00:00.214Z: every {of}");
    for (guardrail, of) in
        [(RevokeAdminIngress, "AWS::EC2::SecurityGroup"), (StripDefaultGroup, "AWS::EC2::SecurityGroup"), (EnableFlowLogs, "AWS::EC2::VPC")]
    {
        assert_eq!(asked(guardrail, &sample("config-rule-scheduled")), every(of));
    }
    for payload in [sample("config-rule-snapshot-delivered"), with(ours(), [("/accountId", json!("444455556666"))])] {
        assert_eq!(asked(RevokeAdminIngress, &payload), "nobody");
    }
}

#[test]
fn what_is_ignored_is_so_whatever_its_id_is_and_answered_where_it_has_one() {
    for (name, guardrail) in [("left-scope", RevokeAdminIngress), ("not-recorded", StripDefaultGroup), ("foreign-type", EnableFlowLogs)] {
        let sample = sample(&format!("config-rule-{name}"));
        let why = told(guardrail, &sample);
        assert!(why.starts_with("ignored: "), "{why}");
        for (id, answered) in [(json!("junk"), true), (json!(""), false), (json!(7), false), (json!([]), false), (Value::Null, false)] {
            let payload = inside(sample.clone(), [("/configurationItem/resourceId", id.clone())]);
            assert_eq!(told(guardrail, &payload), why, "{id}");
            assert_eq!(asked(guardrail, &payload).ends_with(" junk"), answered, "{id}");
            assert_eq!(asked(guardrail, &payload) == "nobody", !answered, "{id}");
        }
    }
}

#[test]
fn no_rule_is_for_a_guardrail_that_judges_nothing() {
    for guardrail in [DenySource, LiftDenials] {
        for name in ["change", "oversized", "scheduled", "deleted", "vpc", "snapshot-delivered"] {
            let payload = sample(&format!("config-rule-{name}"));
            assert_eq!(told(guardrail, &payload), format!("ignored: a rule of AWS Config is not for {guardrail}"));
            assert_eq!(asked(guardrail, &payload), "nobody");
        }
    }
}

#[test]
fn what_is_deleted_is_gone_and_what_left_the_scope_is_left_alone() {
    let item = |status: Value, left: Value| {
        with(inside(ours(), [("/configurationItem/configurationItemStatus", status)]), [("/eventLeftScope", left)])
    };
    let gone = format!("look: Gone(\"{GROUP}\")");
    let left = "ignored: the resource has left the rule's scope";
    let neither = "error: `eventLeftScope` is neither true nor false";
    table(
        RevokeAdminIngress,
        [
            (item(json!("OK"), json!(false)), LOOK),
            (item(json!("ResourceDiscovered"), json!(false)), LOOK),
            (item(Value::Null, Value::Null), LOOK),
            (item(json!("OK"), json!("false")), LOOK),
            (item(json!("ResourceDeleted"), json!(false)), &gone),
            (item(json!("ResourceDeleted"), json!(true)), &gone),
            (item(json!("ResourceDeletedNotRecorded"), json!(true)), &gone),
            (item(json!("OK"), json!(true)), left),
            (item(json!("OK"), json!("true")), left),
            (item(json!("ResourceDiscovered"), json!(true)), left),
            (item(json!("ResourceNotRecorded"), json!(false)), "ignored: AWS Config has the resource as `ResourceNotRecorded`"),
            (item(json!("Junk"), json!(false)), "ignored: AWS Config has the resource as `Junk`"),
            // What decides whether anything is touched is not guessed.
            (item(json!("OK"), json!(1)), neither),
            (item(json!("OK"), json!("yes")), neither),
            (item(json!("OK"), json!({})), neither),
            (item(json!(7), json!(false)), "error: `invokingEvent.configurationItem.configurationItemStatus` is not a text"),
        ],
    );
}

#[test]
fn nothing_but_the_id_is_taken_from_the_item_and_nothing_from_the_parameters() {
    let junk = [Value::Null, json!(7), json!("junk"), json!("{\"sweep\":true}"), json!([]), json!({"groupId": "sg-0planted"})];
    for junk in junk {
        let members = ["configuration", "tags", "ARN", "resourceName", "availabilityZone", "resourceCreationTime", "relationships"];
        let spoilt = members
            .iter()
            .fold(invoking(&ours()), |item, name| with(item, [(format!("/configurationItem/{name}").as_str(), junk.clone())]));
        let spoilt = with(spoilt, [("/configurationItemDiff", junk.clone())]);
        let payload = with(asking(ours(), &spoilt), [("/ruleParameters", junk.clone()), ("/executionRoleArn", junk.clone())]);
        assert_eq!(told(RevokeAdminIngress, &payload), LOOK, "{junk}");
        assert_eq!(asked(RevokeAdminIngress, &payload), asked(RevokeAdminIngress, &ours()), "{junk}");
    }
}

#[test]
fn a_rule_of_another_account_or_region_is_ignored_by_whichever_member_tells() {
    let rule = |arn: &str| with(ours(), [("/configRuleArn", json!(arn))]);
    let scheduled = || sample("config-rule-scheduled");
    let arn_elsewhere = "arn:aws:config:us-east-1:111122223333:config-rule/config-rule-1a2b3c";
    let no_account = without(not_inside(ours(), ["/configurationItem/awsAccountId"]), ["/accountId", "/configRuleArn"]);
    table(
        RevokeAdminIngress,
        [
            (with(ours(), [("/accountId", json!("444455556666"))]), OTHER_ACCOUNT),
            // An organisation's rule asks of a member's resource.
            (inside(ours(), [("/configurationItem/awsAccountId", json!("444455556666"))]), OTHER_ACCOUNT),
            (inside(scheduled(), [("/awsAccountId", json!("444455556666"))]), OTHER_ACCOUNT),
            (rule("arn:aws:config:eu-west-1:444455556666:config-rule/config-rule-1a2b3c"), OTHER_ACCOUNT),
            (inside(ours(), [("/configurationItem/awsRegion", json!("us-east-1"))]), OTHER_REGION),
            (rule(arn_elsewhere), OTHER_REGION),
            (with(scheduled(), [("/configRuleArn", json!(arn_elsewhere))]), OTHER_REGION),
            // Global resources are recorded in many Regions.
            (
                inside(ours(), [("/configurationItem/awsRegion", json!("global"))]),
                "ignored: an event of `global`, and this function acts in `eu-west-1` only",
            ),
            (rule("arn:aws-cn:config:eu-west-1:111122223333:config-rule/config-rule-1a2b3c"), LOOK),
            (with(ours(), [("/accountId", json!(111_122_223_333_u64))]), LOOK),
            (without(ours(), ["/accountId", "/configRuleArn"]), LOOK),
            (no_account, "error: `accountId` is missing, so whose event it is can't be told"),
            (without(scheduled(), ["/configRuleArn"]), "error: `configRuleArn` is missing, so whose event it is can't be told"),
            (rule("arn:aws:ec2:eu-west-1:111122223333:config-rule/x"), "error: `configRuleArn` is not an ARN of config"),
            (rule("config-rule"), "error: `configRuleArn` is not an ARN of config"),
        ],
    );
}

#[test]
fn what_can_not_be_read_is_named_where_it_stands() {
    let summary = || sample("config-rule-oversized");
    let not_an_id = "can't be used: `vpc-0a` is not a security group id (`sg-` and lower-case letters or digits)";
    let item = "error: `invokingEvent.configurationItem";
    let missing = |name: &str| format!("{item}.{name}` is missing");
    table(
        RevokeAdminIngress,
        [
            (with(ours(), [("/invokingEvent", invoking(&ours()))]), "error: `invokingEvent` is not a text"),
            (with(ours(), [("/invokingEvent", Value::Null)]), "error: `invokingEvent` is missing"),
            (with(ours(), [("/invokingEvent", json!(""))]), "error: `invokingEvent` is JSON that was cut off (line 1, column 0)"),
            (with(ours(), [("/invokingEvent", json!("{\"a"))]), "error: `invokingEvent` is JSON that was cut off (line 1, column 3)"),
            (
                with(ours(), [("/invokingEvent", json!("{'a': 1}"))]),
                "error: `invokingEvent` is a text that is not JSON, or nested too deeply (line 1, column 2)",
            ),
            (with(ours(), [("/invokingEvent", json!("[]"))]), "error: `invokingEvent` is not an object"),
            // A text in a text in a text.
            (
                with(ours(), [("/invokingEvent", json!(json!(invoking(&ours()).to_string()).to_string()))]),
                "error: `invokingEvent` is not an object",
            ),
            (not_inside(ours(), ["/messageType"]), "error: `invokingEvent.messageType` is missing"),
            (inside(ours(), [("/messageType", json!(7))]), "error: `invokingEvent.messageType` is not a text"),
            (inside(ours(), [("/messageType", json!("Junk"))]), "ignored: `Junk` asks for no judgement"),
            (not_inside(ours(), ["/configurationItem"]), "error: `invokingEvent.configurationItem` is missing"),
            (not_inside(summary(), ["/configurationItemSummary"]), "error: `invokingEvent.configurationItemSummary` is missing"),
            (inside(ours(), [("/configurationItem/resourceType", Value::Null)]), &missing("resourceType")),
            (inside(ours(), [("/configurationItem/resourceId", Value::Null)]), &missing("resourceId")),
            (inside(ours(), [("/configurationItem/resourceId", json!(""))]), &missing("resourceId")),
            (inside(ours(), [("/configurationItem/resourceId", json!("vpc-0a"))]), &format!("{item}.resourceId` {not_an_id}")),
            (
                inside(summary(), [("/configurationItemSummary/resourceId", json!("vpc-0a"))]),
                &format!("error: `invokingEvent.configurationItemSummary.resourceId` {not_an_id}"),
            ),
            // Without its token no answer reaches Config.
            (without(ours(), ["/resultToken"]), "error: `resultToken` is missing"),
            (with(ours(), [("/resultToken", json!(""))]), "error: `resultToken` is missing"),
            (without(sample("config-rule-foreign-type"), ["/resultToken"]), "error: `resultToken` is missing"),
            (with(ours(), [("/sweep", json!(true))]), "error: `sweep` is for a direct call, and this is an event"),
        ],
    );
}

#[test]
fn the_answer_is_dated_by_the_item_or_else_by_the_notification() {
    let dated = |payload: &Value| match asker(RevokeAdminIngress, payload) {
        Asker::Config(inquiry) => inquiry.as_of.to_string(),
        other => panic!("{other:?}"),
    };
    let captured = "configurationItem/configurationItemCaptureTime";
    assert_eq!(dated(&ours()), "2026-11-19T08:40:31.902Z");
    assert_eq!(dated(&not_inside(ours(), [format!("/{captured}").as_str()])), "2026-11-19T08:40:33.417Z");
    assert_eq!(dated(&sample("config-rule-scheduled")), "2026-11-19T09:00:00.214Z");
    table(
        RevokeAdminIngress,
        [
            (
                not_inside(ours(), ["/configurationItem/configurationItemCaptureTime", "/notificationCreationTime"]),
                "error: `invokingEvent.notificationCreationTime` is missing",
            ),
            (
                inside(ours(), [("/configurationItem/configurationItemCaptureTime", json!("yesterday"))]),
                "error: `invokingEvent.configurationItem.configurationItemCaptureTime` is not a time",
            ),
            (
                not_inside(sample("config-rule-scheduled"), ["/notificationCreationTime"]),
                "error: `invokingEvent.notificationCreationTime` is missing",
            ),
        ],
    );
}

#[test]
fn the_cause_is_the_rule_and_when_the_item_was_so() {
    let wanted = Cause {
        time: Some("2026-11-19T08:40:31.902Z".parse().unwrap()),
        detail: Some("palisade-admin-ingress".to_owned()),
        ..Cause::new(Door::ConfigRule)
    };
    for guardrail in Guardrail::ALL {
        let cause = match read(&ours(), &own_of(guardrail)).unwrap() {
            Reading::Trigger(trigger) => trigger.cause,
            Reading::Ignored { cause, .. } => cause,
        };
        assert_eq!(cause, wanted, "{guardrail}");
    }
}
