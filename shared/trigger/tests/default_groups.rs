//! Where `strip-default-group` is told to look.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

use std::fs;
use std::path::Path;

use palisade_policy::guardrail::Guardrail;
use palisade_policy::trigger::Targets;
use palisade_trigger::{Own, Reading, read};
use serde_json::{Value, json};

const ROLE: &str = "arn:aws:iam::111122223333:role/palisade-StripDefaultGroupRole-4HX0P6ZQ2M8C";

fn own() -> Own {
    Own {
        guardrail: Guardrail::StripDefaultGroup,
        account: "111122223333".parse().unwrap(),
        region: "eu-west-1".parse().unwrap(),
        role_arn: Some(ROLE.to_owned()),
    }
}

/// The reading of a payload in one line.
fn told(payload: &Value) -> String {
    match read(payload, &own()) {
        Ok(Reading::Trigger(trigger)) => {
            let mode = if trigger.dry_run { "dry run" } else { "look" };
            let spaced = |ids: Vec<String>| ids.join(" ");
            match trigger.targets {
                Targets::SecurityGroups(ids) => format!("{mode}: {}", spaced(ids.iter().map(ToString::to_string).collect())),
                Targets::Vpcs(ids) => format!("{mode}: {}", spaced(ids.iter().map(ToString::to_string).collect())),
                Targets::SecurityGroupOfDefaultVpc(name) => format!("{mode}: the group named {name}"),
                Targets::DefaultVpc => format!("{mode}: the default VPC"),
                Targets::Sweep => format!("{mode}: everywhere"),
                other => format!("{mode}: {other:?}"),
            }
        }
        Ok(Reading::Ignored { why, .. }) => format!("ignored: {why}"),
        Err(error) => format!("error: {error}"),
    }
}

/// Each row a payload and its reading; all that differ are shown.
fn table<const N: usize>(rows: [(Value, &str); N]) {
    let wrong: Vec<String> = rows
        .iter()
        .filter(|(payload, wanted)| told(payload) != *wanted)
        .map(|(payload, wanted)| format!("\n  {}\n  instead of\n  {wanted}\n  for {payload:.1500}", told(payload)))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.concat());
}

fn call(name: &str, request: Value, response: Value) -> Value {
    json!({
        "detail-type": "AWS API Call via CloudTrail", "source": "aws.ec2", "account": "111122223333", "region": "eu-west-1",
        "detail": {
            "eventSource": "ec2.amazonaws.com", "eventName": name, "awsRegion": "eu-west-1", "recipientAccountId": "111122223333",
            "requestParameters": request, "responseElements": response
        }
    })
}

fn event(case: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events/strip-default-group").join(case).join("event.json");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn a_new_vpc_is_found_in_the_response_of_either_dialect() {
    let vpc = json!({"vpc": {"vpcId": "vpc-0a", "isDefault": false}});
    let missing = "error: `detail.responseElements.vpc.vpcId` is missing";
    table([
        (call("CreateVpc", json!({"cidrBlock": "10.0.0.0/16"}), vpc.clone()), "look: vpc-0a"),
        (call("CreateVpc", Value::Null, json!({"CreateVpcResponse": vpc})), "look: vpc-0a"),
        (call("CreateVpc", Value::Null, json!({"CreateVpcResponse": {"vpc": {"vpcId": {"content": "vpc-0a"}}}})), "look: vpc-0a"),
        (call("CreateVpc", json!({}), Value::Null), missing),
        (call("CreateVpc", json!({}), json!({"vpc": {}})), missing),
        (call("CreateVpc", json!({}), json!({"vpc": "vpc-0a"})), missing),
        // The request names none: what it says is somebody's wish.
        (call("CreateVpc", json!({"vpcId": "vpc-0a"}), json!({})), missing),
        (call("CreateVpc", json!({}), json!({"vpc": {"vpcId": 7}})), "error: `detail.responseElements.vpc.vpcId` is not a text"),
        (
            call("CreateVpc", json!({}), json!({"vpc": {"vpcId": "sg-0a"}})),
            "error: `detail.responseElements.vpc.vpcId` can't be used: `sg-0a` is not a VPC id (`vpc-` and lower-case letters or digits)",
        ),
    ]);
}

#[test]
fn a_default_vpc_need_not_be_named_for_there_is_one_only() {
    let vpc = json!({"vpc": {"vpcId": "vpc-0a", "isDefault": true}});
    table([
        (call("CreateDefaultVpc", json!({}), vpc.clone()), "look: vpc-0a"),
        (call("CreateDefaultVpc", json!({"CreateDefaultVpcRequest": ""}), json!({"CreateDefaultVpcResponse": vpc})), "look: vpc-0a"),
        (call("CreateDefaultVpc", Value::Null, Value::Null), "look: the default VPC"),
        (call("CreateDefaultVpc", json!({}), json!({"CreateDefaultVpcResponse": ""})), "look: the default VPC"),
        (
            call("CreateDefaultVpc", json!({}), json!({"CreateDefaultVpcResponse": {"vpc": {"vpcId": "VPC"}}})),
            "error: `detail.responseElements.CreateDefaultVpcResponse.vpc.vpcId` can't be used: `VPC` is not a VPC id (`vpc-` and \
             lower-case letters or digits)",
        ),
    ]);
}

#[test]
fn a_group_with_new_rules_is_found_by_id_by_the_response_or_by_name() {
    let response = json!({"_return": true, "securityGroupRuleSet": {"items": [{"groupId": "sg-0b"}]}});
    let newer = json!({"ModifySecurityGroupRulesRequest": {"GroupId": "sg-0a"}});
    for name in ["AuthorizeSecurityGroupIngress", "AuthorizeSecurityGroupEgress"] {
        table([
            (call(name, json!({"groupId": "sg-0a"}), response.clone()), "look: sg-0a"),
            (call(name, Value::Null, response.clone()), "look: sg-0b"),
            (call(name, json!({"groupName": "default"}), response.clone()), "look: sg-0b"),
            (call(name, json!({"groupName": "default"}), json!({"_return": true})), "look: the group named default"),
            (
                call(name, json!({}), Value::Null),
                "error: `detail.requestParameters.groupId` is missing, and so are `groupName` and the rules of the response; can't tell \
                 which group it is",
            ),
        ]);
    }
    table([
        (call("ModifySecurityGroupRules", newer, Value::Null), "look: sg-0a"),
        (
            call("ModifySecurityGroupRules", json!({}), Value::Null),
            "error: `detail.requestParameters.ModifySecurityGroupRulesRequest.GroupId` is missing",
        ),
    ]);
}

#[test]
fn what_gives_no_group_rules_is_ignored_before_any_id_is_looked_at() {
    for name in ["RevokeSecurityGroupIngress", "RevokeSecurityGroupEgress", "CreateSecurityGroup", "DeleteVpc", "ModifyManagedPrefixList"] {
        let why = format!("ignored: `{name}` is not for strip-default-group");
        table([(call(name, json!({"groupId": 7, "vpcId": []}), json!({"vpc": 7})), &why)]);
    }
    let mut failed = call("CreateVpc", json!({}), json!({"vpc": {"vpcId": 7}}));
    failed["detail"]["errorCode"] = json!("Client.VpcLimitExceeded");
    let mut ours = call("AuthorizeSecurityGroupEgress", json!({"groupId": 7}), Value::Null);
    ours["detail"]["userIdentity"] = json!({"sessionContext": {"sessionIssuer": {"arn": ROLE}}});
    let mut elsewhere = call("CreateVpc", json!({}), json!({"vpc": {"vpcId": "vpc-0a"}}));
    elsewhere["account"] = json!("444455556666");
    table([
        (failed, "ignored: the call failed (`Client.VpcLimitExceeded`), so nothing changed"),
        (ours, "ignored: our own role's doing"),
        (elsewhere, "ignored: an event of `444455556666`, and this function acts in `111122223333` only"),
    ]);
}

#[test]
fn a_direct_call_names_groups_or_vpcs_or_asks_for_a_sweep() {
    let takes = "strip-default-group takes `securityGroupIds`, `vpcIds`, `sweep`, `dryRun`";
    table([
        (json!({"vpcIds": ["vpc-0b", "vpc-0a", "vpc-0b"]}), "dry run: vpc-0b vpc-0a"),
        (json!({"vpcIds": ["vpc-0a"], "dryRun": false}), "look: vpc-0a"),
        (json!({"securityGroupIds": ["sg-0a"]}), "dry run: sg-0a"),
        (json!({"sweep": true, "dryRun": false}), "look: everywhere"),
        (json!({"vpcIds": []}), "error: `vpcIds` is empty"),
        (json!({"vpcIds": "vpc-0a"}), "error: `vpcIds` is not a list"),
        (json!({"vpcIds": ["vpc-0a", 7]}), "error: `vpcIds[1]` is not a text"),
        (
            json!({"vpcIds": ["vpc-0A"]}),
            "error: `vpcIds[0]` can't be used: `vpc-0A` is not a VPC id (`vpc-` and lower-case letters or digits)",
        ),
        (
            json!({"vpcIds": ["vpc-0a"], "securityGroupIds": ["sg-0a"]}),
            "error: `vpcIds` can't stand beside `securityGroupIds`: say one of them",
        ),
        (json!({"vpcIds": ["vpc-0a"], "sources": ["198.51.100.7"]}), &format!("error: `sources` is another function's; {takes}")),
        (json!({"vpcIds": ["vpc-0a"], "vpcId": "vpc-0a"}), &format!("error: `vpcId` is unknown; {takes}")),
        (json!({"dryRun": false}), "error: `securityGroupIds` is missing, and so are `vpcIds` and `sweep`: nothing to look at"),
    ]);
}

#[test]
fn the_case_folders_events_are_read_as_their_names_say() {
    table([
        (event("create-vpc"), "look: vpc-0d4f3a1c2b5e60718"),
        (event("create-default-vpc"), "look: vpc-0c81e5f7a9b3d2046"),
        (event("default-vpc-that-is-not-named"), "look: the default VPC"),
        (event("group-by-name"), "look: the group named default"),
        (event("authorize-egress-on-default"), "look: sg-0e5b7c9d1f3a20486"),
        (event("modify-rules"), "look: sg-0b6d8f0a2c4e61357"),
        (event("sweep"), "look: everywhere"),
        (event("failed-call"), "ignored: the call failed (`Client.VpcLimitExceeded`), so nothing changed"),
        (event("our-own-role"), "ignored: our own role's doing"),
        (event("another-account"), "ignored: an event of `444455556666`, and this function acts in `111122223333` only"),
        (event("not-ours"), "ignored: `RevokeSecurityGroupEgress` is not for strip-default-group"),
    ]);
}
