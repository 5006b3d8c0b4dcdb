//! What AWS Config says of a resource, and what is done about it.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

#[allow(dead_code, reason = "every test takes what it needs")]
mod corpus;

use corpus::samples::{own_of, sample, table, told};
use corpus::{with, without};
use palisade_policy::guardrail::Guardrail::{self, DenySource, EnableFlowLogs, LiftDenials, RevokeAdminIngress, StripDefaultGroup};
use palisade_policy::trigger::{Cause, Door};
use palisade_trigger::{Reading, read};
use serde_json::{Value, json};

const GROUP: &str = "look: sg-0e2fb6999aabbccdd";

/// A security group of which this rule says that it is non-compliant.
fn by(rule: &str) -> Value {
    with(sample("config-restricted-ssh"), [("/detail/configRuleName", json!(rule))])
}

/// Any resource, found non-compliant by this rule.
fn of(rule: &str, resource_type: &str, id: &str) -> Value {
    with(by(rule), [("/detail/resourceType", json!(resource_type)), ("/detail/resourceId", json!(id))])
}

#[test]
fn a_resource_that_a_rule_of_the_guardrail_finds_non_compliant_is_looked_at() {
    for rule in [
        "restricted-ssh",
        "restricted-common-ports",
        "restricted-rdp",
        "vpc-sg-restricted-common-ports",
        "vpc-sg-open-only-to-authorized-ports",
        "vpc-sg-port-restriction-check",
    ] {
        assert_eq!(told(RevokeAdminIngress, &by(rule)), GROUP, "{rule}");
    }
    table(
        StripDefaultGroup,
        [
            (sample("config-default-group-by-security-hub"), "look: sg-0f3ac7aa0bbccddee"),
            (by("vpc-default-security-group-closed"), GROUP),
            (of("vpc-default-security-group-closed", "AWS::EC2::VPC", "vpc-0a"), "look: vpc-0a"),
        ],
    );
    table(EnableFlowLogs, [(sample("config-flow-logs"), "look: vpc-0c4d8f7a1b2e39560")]);
}

#[test]
fn a_rule_is_known_by_the_names_that_security_hub_and_conformance_packs_give_it() {
    for rule in [
        "securityhub-restricted-ssh-1a2b3c4d",
        "securityhub-restricted-ssh-rT6hx",
        "securityhub-vpc-sg-open-only-to-authorized-ports-089d8733",
        "restricted-ssh-conformance-pack-abcdefghi",
        "vpc-sg-port-restriction-check-conformance-pack-0f1e2d3c",
    ] {
        assert_eq!(told(RevokeAdminIngress, &by(rule)), GROUP, "{rule}");
    }
    for rule in [
        "securityhub-restricted-ssh",
        "securityhub-restricted-ssh-",
        "securityhub-restricted-ssh-of-mine-1a2b3c4d",
        "securityhub-securityhub-restricted-ssh-1a2b3c4d",
        "restricted-ssh-conformance-pack",
        "restricted-ssh-conformance-pack-",
        "restricted-ssh-1a2b3c4d",
        "restricted-sshd",
        "my-restricted-ssh",
        "Restricted-SSH",
        " restricted-ssh",
        "",
        "vpc-flow-logs-enabled",
        "vpc-default-security-group-closed",
    ] {
        assert_eq!(told(RevokeAdminIngress, &by(rule)), format!("ignored: the rule `{rule}` is not for revoke-admin-ingress"));
    }
}

#[test]
fn only_what_is_non_compliant_now_is_acted_on() {
    let compliance = "/detail/newEvaluationResult/complianceType";
    let now = |compliance_type: Value| with(sample("config-restricted-ssh"), [(compliance, compliance_type)]);
    let was = |result: Value| with(sample("config-restricted-ssh"), [("/detail/oldEvaluationResult", result)]);
    table(
        RevokeAdminIngress,
        [
            (now(json!("COMPLIANT")), "ignored: the resource is `COMPLIANT`"),
            (now(json!("NOT_APPLICABLE")), "ignored: the resource is `NOT_APPLICABLE`"),
            (now(json!("INSUFFICIENT_DATA")), "ignored: the resource is `INSUFFICIENT_DATA`"),
            (now(json!("non_compliant")), "ignored: the resource is `non_compliant`"),
            (now(json!("a\u{1b}[2J")), "ignored: the resource is `a\u{fffd}[2J`"),
            (now(Value::Null), "error: `detail.newEvaluationResult.complianceType` is missing"),
            (now(json!(["NON_COMPLIANT"])), "error: `detail.newEvaluationResult.complianceType` is not a text"),
            (
                without(sample("config-restricted-ssh"), ["/detail/newEvaluationResult"]),
                "error: `detail.newEvaluationResult.complianceType` is missing",
            ),
            (was(Value::Null), GROUP),
            (was(json!({"complianceType": "COMPLIANT"})), GROUP),
            (was(json!({"complianceType": "NON_COMPLIANT"})), GROUP),
        ],
    );
}

#[test]
fn a_resource_of_another_type_is_ignored_and_a_malformed_id_is_named() {
    table(
        RevokeAdminIngress,
        [
            (
                of("restricted-ssh", "AWS::::Account", "111122223333"),
                "ignored: a resource of type `AWS::::Account` is not for revoke-admin-ingress",
            ),
            (
                of("restricted-ssh", "AWS::EC2::VPC", "vpc-0a"),
                "ignored: a resource of type `AWS::EC2::VPC` is not for revoke-admin-ingress",
            ),
            (
                of("restricted-ssh", "AWS::EC2::SecurityGroup", "111122223333"),
                "error: `detail.resourceId` can't be used: `111122223333` is not a security group id (`sg-` and lower-case letters or digits)",
            ),
            (without(by("restricted-ssh"), ["/detail/resourceId"]), "error: `detail.resourceId` is missing"),
            (without(by("restricted-ssh"), ["/detail/resourceType"]), "error: `detail.resourceType` is missing"),
            (without(by("restricted-ssh"), ["/detail/configRuleName"]), "error: `detail.configRuleName` is missing"),
            (with(by("restricted-ssh"), [("/detail/configRuleName", json!(7))]), "error: `detail.configRuleName` is not a text"),
            (with(by("restricted-ssh"), [("/detail", json!("{}"))]), "error: `detail` is not an object"),
        ],
    );
    table(
        EnableFlowLogs,
        [
            (
                of("vpc-flow-logs-enabled", "AWS::EC2::SecurityGroup", "sg-0a"),
                "ignored: a resource of type `AWS::EC2::SecurityGroup` is not for enable-flow-logs",
            ),
            (
                of("vpc-flow-logs-enabled", "AWS::EC2::VPC", "sg-0a"),
                "error: `detail.resourceId` can't be used: `sg-0a` is not a VPC id (`vpc-` and lower-case letters or digits)",
            ),
        ],
    );
}

#[test]
fn an_event_of_another_account_or_region_or_of_another_sender_is_not_ours() {
    let ours = || sample("config-restricted-ssh");
    let account = "ignored: an event of `444455556666`, and this function acts in `111122223333` only";
    let region = "ignored: an event of `us-east-1`, and this function acts in `eu-west-1` only";
    let unknown = "error: unrecognised event: an object with the members `account`, `detail`, `detail-type`, `id`, `region`, `resources`, \
                   `source`, `time`, `version`";
    table(
        RevokeAdminIngress,
        [
            (with(ours(), [("/account", json!("444455556666"))]), account),
            (with(ours(), [("/detail/awsAccountId", json!("444455556666"))]), account),
            (with(ours(), [("/region", json!("us-east-1"))]), region),
            (with(ours(), [("/detail/awsRegion", json!("us-east-1"))]), region),
            (without(ours(), ["/account"]), GROUP),
            (without(ours(), ["/detail/awsAccountId", "/detail/awsRegion"]), GROUP),
            (without(ours(), ["/account", "/detail/awsAccountId"]), "error: `account` is missing, so whose event it is can't be told"),
            (with(ours(), [("/source", json!("my.app"))]), unknown),
            (with(ours(), [("/detail-type", json!("Config Rules Re-evaluation Status"))]), unknown),
            (with(ours(), [("/dryRun", json!(true))]), "error: `dryRun` is for a direct call, and this is an event"),
        ],
    );
}

#[test]
fn a_guardrail_without_such_a_rule_ignores_every_one() {
    for guardrail in Guardrail::ALL {
        for name in ["config-restricted-ssh", "config-default-group-by-security-hub", "config-flow-logs"] {
            let told = told(guardrail, &sample(name));
            let its = match guardrail {
                RevokeAdminIngress => name == "config-restricted-ssh",
                StripDefaultGroup => name == "config-default-group-by-security-hub",
                EnableFlowLogs => name == "config-flow-logs",
                DenySource | LiftDenials | Guardrail::UndoChange => false,
            };
            assert_eq!(told.starts_with("look: "), its, "{guardrail} {name}: {told}");
            assert!(its || told.ends_with(&format!("is not for {guardrail}")), "{guardrail} {name}: {told}");
        }
    }
}

#[test]
fn the_cause_is_the_rule() {
    let wanted = Cause {
        event_id: Some("c0bb891c-77fe-4518-94fc-be78b966f901".to_owned()),
        time: Some("2026-11-12T09:04:05Z".parse().unwrap()),
        detail: Some("restricted-ssh".to_owned()),
        ..Cause::new(Door::ConfigCompliance)
    };
    for guardrail in Guardrail::ALL {
        let cause = match read(&sample("config-restricted-ssh"), &own_of(guardrail)).unwrap() {
            Reading::Trigger(trigger) => trigger.cause,
            Reading::Ignored { cause, .. } => cause,
        };
        assert_eq!(cause, wanted, "{guardrail}");
    }
}
