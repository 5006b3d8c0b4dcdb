//! What wakes enable-flow-logs, and where each of it points.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

use std::fs;
use std::path::Path;

use palisade_policy::guardrail::Guardrail;
use palisade_policy::trigger::Targets;
use palisade_trigger::{Own, Reading, read};
use serde_json::{Value, json};

fn own() -> Own {
    Own {
        guardrail: Guardrail::EnableFlowLogs,
        account: "111122223333".parse().unwrap(),
        region: "eu-west-1".parse().unwrap(),
        role_arn: Some("arn:aws:iam::111122223333:role/palisade-EnableFlowLogsRole-4HT0SR2M8K1C".to_owned()),
    }
}

/// The event of a case.
fn event(case: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events/enable-flow-logs").join(case).join("event.json");
    serde_json::from_str(&fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))).unwrap()
}

/// An API call in our account and Region.
fn call(name: &str, request: Value, response: Value) -> Value {
    let mut event = event("create-vpc");
    event["detail"]["eventName"] = json!(name);
    event["detail"]["requestParameters"] = request;
    event["detail"]["responseElements"] = response;
    event
}

fn told(payload: &Value) -> String {
    match read(payload, &own()) {
        Ok(Reading::Trigger(trigger)) => match trigger.targets {
            Targets::Vpcs(ids) => format!("look: {}", ids.iter().map(|id| id.as_str()).collect::<Vec<_>>().join(" ")),
            Targets::DefaultVpc => "look: the default VPC".to_owned(),
            Targets::Sweep => "look: everywhere".to_owned(),
            other => panic!("{other:?} is for others"),
        },
        Ok(Reading::Ignored { why, .. }) => format!("ignored: {why}"),
        Err(error) => format!("error: {error}"),
    }
}

fn table<const N: usize>(rows: [(Value, &str); N]) {
    for (payload, wanted) in rows {
        assert_eq!(told(&payload), wanted, "{payload}");
    }
}

#[test]
fn the_case_folders_events_are_read_as_their_names_say() {
    table([
        (event("create-vpc"), "look: vpc-0f55ff16f66f43360"),
        (event("create-default-vpc"), "look: vpc-02c3a4249d7707005"),
        (event("create-default-vpc-newer-dialect"), "look: vpc-0f46dd28a5499d8ef"),
        (event("create-default-vpc-without-an-id"), "look: the default VPC"),
        (event("delete-flow-log"), "look: everywhere"),
        (event("delete-several-flow-logs"), "look: everywhere"),
        (event("sweep-of-vpcs"), "look: everywhere"),
        (event("named-vpcs-by-direct-call"), "look: vpc-008243666f926aa4e vpc-0a499068b8f456a03 vpc-0e73d2c69dab6b379"),
        (event("create-flow-logs-is-no-news"), "ignored: `CreateFlowLogs` is not for enable-flow-logs"),
        (event("own-role-deletes-flow-logs"), "ignored: our own role's doing"),
        (event("failed-create-vpc"), "ignored: the call failed (`Client.VpcLimitExceeded`), so nothing changed"),
        (event("vpc-in-another-region"), "ignored: an event of `us-east-1`, and this function acts in `eu-west-1` only"),
        (event("create-vpc-without-an-id"), "error: `detail.responseElements.vpc.vpcId` is missing"),
        (
            event("security-groups-are-anothers"),
            "error: `securityGroupIds` is another function's; enable-flow-logs takes `vpcIds`, `sweep`, `dryRun`",
        ),
        (event("no-vpc-ids"), "error: `vpcIds` is empty"),
    ]);
}

#[test]
fn a_new_vpc_is_known_from_the_response_alone() {
    let vpc = |id: Value| json!({"requestId": "x", "vpc": {"vpcId": id}});
    table([
        (call("CreateVpc", json!({"cidrBlock": "10.0.0.0/16"}), vpc(json!("vpc-0a"))), "look: vpc-0a"),
        (call("CreateVpc", Value::Null, vpc(json!("vpc-0a"))), "look: vpc-0a"),
        (call("CreateVpc", Value::Null, json!({"CreateVpcResponse": vpc(json!("vpc-0a"))})), "look: vpc-0a"),
        (call("CreateVpc", Value::Null, json!({"CreateVpcResponse": vpc(json!({"content": "vpc-0a"}))})), "look: vpc-0a"),
        (call("CreateVpc", json!({"vpcId": "vpc-0planted"}), json!({})), "error: `detail.responseElements.vpc.vpcId` is missing"),
        (call("CreateVpc", json!({}), Value::Null), "error: `detail.responseElements.vpc.vpcId` is missing"),
        (call("CreateVpc", json!({}), vpc(Value::Null)), "error: `detail.responseElements.vpc.vpcId` is missing"),
        (call("CreateVpc", json!({}), vpc(json!(7))), "error: `detail.responseElements.vpc.vpcId` is not a text"),
        (
            call("CreateVpc", json!({}), vpc(json!("sg-0a"))),
            "error: `detail.responseElements.vpc.vpcId` can't be used: `sg-0a` is not a VPC id (`vpc-` and lower-case letters or digits)",
        ),
    ]);
}

#[test]
fn the_default_vpc_is_found_in_either_dialect_or_without_its_id() {
    let newer = |vpc: Value| json!({"CreateDefaultVpcResponse": {"vpc": vpc}});
    let make = |response| call("CreateDefaultVpc", json!({}), response);
    table([
        (make(json!({"vpc": {"vpcId": "vpc-0a"}})), "look: vpc-0a"),
        (make(newer(json!({"vpcId": "vpc-0a"}))), "look: vpc-0a"),
        (make(newer(json!({"vpcId": {"content": "vpc-0a"}}))), "look: vpc-0a"),
        (make(newer(json!(""))), "look: the default VPC"),
        (make(json!({"_return": true})), "look: the default VPC"),
        (make(Value::Null), "look: the default VPC"),
        (
            make(json!({"vpc": {"vpcId": "vpc-"}})),
            "error: `detail.responseElements.vpc.vpcId` can't be used: `vpc-` is not a VPC id (`vpc-` and lower-case letters or digits)",
        ),
    ]);
}

#[test]
fn flow_logs_that_were_deleted_mean_any_vpc_whatever_the_event_says_of_them() {
    let request = |ids: Value| json!({"DeleteFlowLogsRequest": {"FlowLogId": ids}});
    let delete = |request| call("DeleteFlowLogs", request, json!({"DeleteFlowLogsResponse": {"unsuccessful": ""}}));
    table([
        (delete(request(json!({"tag": 1, "content": "fl-0a"}))), "look: everywhere"),
        (delete(request(json!([{"tag": 1, "content": "fl-0a"}, {"tag": 2, "content": "fl-0b"}]))), "look: everywhere"),
        (delete(request(json!("fl-0a"))), "look: everywhere"),
        (delete(Value::Null), "look: everywhere"),
    ]);
}

#[test]
fn other_calls_and_other_services_are_not_ours() {
    let mut of_s3 = event("create-vpc");
    of_s3["detail"]["eventSource"] = json!("s3.amazonaws.com");
    table([
        (of_s3, "ignored: `CreateVpc` is not for enable-flow-logs"),
        (call("DeleteVpc", json!({"vpcId": "vpc-0a"}), json!({})), "ignored: `DeleteVpc` is not for enable-flow-logs"),
        (
            call("AuthorizeSecurityGroupIngress", json!({"groupId": "sg-0a"}), json!({})),
            "ignored: `AuthorizeSecurityGroupIngress` is not for enable-flow-logs",
        ),
    ]);
}
