//! Every shape of event, and what it is read as.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

#[allow(dead_code, reason = "every test takes what it needs")]
mod corpus;

use corpus::laws::{hold, own_of};
use corpus::{ACCOUNT, PLANTED, REGION, ROLE, Spoil, call, event, own, pointers, with, without};
use palisade_policy::guardrail::Guardrail;
use palisade_policy::trigger::{Cause, Door, Targets};
use palisade_trigger::{Own, Reading, read};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

/// The reading of a payload in one line.
fn told_to(payload: &Value, own: &Own) -> String {
    match read(payload, own) {
        Ok(Reading::Trigger(trigger)) => {
            let mode = if trigger.dry_run { "dry run" } else { "look" };
            match trigger.targets {
                Targets::SecurityGroups(ids) => format!("{mode}: {}", ids.iter().map(|id| id.as_str()).collect::<Vec<_>>().join(" ")),
                Targets::SecurityGroupOfDefaultVpc(name) => format!("{mode}: the group named {name}"),
                Targets::UsersOfPrefixList(id) => format!("{mode}: the groups that use {id}"),
                Targets::Sweep => format!("{mode}: everywhere"),
                other => format!("{mode}: {other:?}"),
            }
        }
        Ok(Reading::Ignored { why, .. }) => format!("ignored: {why}"),
        Err(error) => format!("error: {error}"),
    }
}

fn told(payload: &Value) -> String {
    told_to(payload, &own())
}

/// Each row a payload and its reading; all that differ are shown.
fn table<const N: usize>(rows: [(Value, &str); N]) {
    let wrong: Vec<String> = rows
        .iter()
        .filter_map(|(payload, wanted)| {
            let told = told(payload);
            (told != *wanted).then(|| format!("\n  {told}\n  instead of\n  {wanted}\n  for {}", excerpt(payload)))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.concat());
    for (payload, _) in &rows {
        held(payload).unwrap_or_else(|broken| panic!("{broken}: {}", excerpt(payload)));
    }
}

/// What holds of every payload, for the guardrail of these tables.
fn held(payload: &Value) -> Result<(), String> {
    hold(Guardrail::RevokeAdminIngress, payload, &read(payload, &own()))
}

fn excerpt(payload: &Value) -> String {
    payload.to_string().chars().take(1_500).collect()
}

fn cause(payload: &Value) -> Cause {
    match read(payload, &own()).unwrap() {
        Reading::Trigger(trigger) => trigger.cause,
        Reading::Ignored { cause, .. } => cause,
    }
}

fn authorize(request: Value, response: Value) -> Value {
    call("AuthorizeSecurityGroupIngress", request, response)
}

fn rules(items: Value) -> Value {
    json!({"_return": true, "securityGroupRuleSet": items})
}

#[test]
fn the_case_folders_events_are_read_as_their_names_say() {
    table([
        (event("console-opens-ssh"), "look: sg-08efe62ec2ff0f78d"),
        (event("flat-form"), "look: sg-0cda1860191efba3b"),
        (event("group-by-name"), "look: the group named legacy-web"),
        (event("response-without-rule-set"), "look: sg-01c68ea0ee4d8bc31"),
        (event("source-is-a-security-group"), "look: sg-0b343e043b303fff0"),
        (event("service-on-behalf"), "look: sg-0687a0b30a663f2fd"),
        (event("all-traffic"), "look: sg-09af2d777cfbfa252"),
        (event("wrong-types"), "look: sg-0dd0684745f1050a9"),
        (event("modify-widens-a-rule"), "look: sg-0d31dab8cf05ed6cf"),
        (event("prefix-list-edited"), "look: the groups that use pl-0a804e7527afb5027"),
        (event("prefix-list-restored"), "look: the groups that use pl-0f82c3c5040d552a5"),
        (event("sweep"), "look: everywhere"),
        (event("sweep-by-direct-call"), "look: everywhere"),
        (event("direct-call-without-dry-run-member"), "dry run: sg-0fc02fbf09cd8640a"),
        (event("named-groups-by-direct-call"), "look: sg-098f1ade326255d7c sg-025ac4e30aeb0a9ed sg-07534f9d05762a674"),
        (event("failed-call"), "ignored: the call failed (`Client.InvalidPermission.Duplicate`), so nothing changed"),
        (event("dry-run-call"), "ignored: the call failed (`Client.DryRunOperation`), so nothing changed"),
        (event("our-own-role"), "ignored: our own role's doing"),
        (event("another-account"), "ignored: an event of `444455556666`, and this function acts in `111122223333` only"),
        (event("another-region"), "ignored: an event of `us-east-1`, and this function acts in `eu-west-1` only"),
        (event("create-vpc-is-not-ours"), "ignored: `CreateVpc` is not for revoke-admin-ingress"),
        (event("console-default-test-event"), "error: unrecognised event: an object with the members `key1`, `key2`, `key3`"),
        (event("empty-object"), "error: unrecognised event: an object without members"),
        (event("truncated-json-in-a-string"), "error: `Records[0].Sns.Message` is JSON that was cut off (line 1, column 376)"),
    ]);
}

#[test]
fn a_group_is_found_by_id_by_the_response_or_by_name() {
    let id = json!({"groupId": "sg-0a"});
    let by_name = json!({"groupName": "web"});
    let both = json!({"groupId": "sg-0a", "groupName": "web"});
    let longest = "n".repeat(255);
    let (named_longest, named_longer) = (format!("look: the group named {longest}"), json!({"groupName": format!("{longest}n")}));
    let not_a_name = "error: `detail.requestParameters.groupName` is not the name of a security group";
    let nowhere = "error: `detail.requestParameters.groupId` is missing, and so are `groupName` and the rules of the response; \
                   can't tell which group it is";
    table([
        (authorize(id.clone(), Value::Null), "look: sg-0a"),
        (authorize(both, rules(json!({"items": [{"groupId": "sg-0b"}]}))), "look: sg-0a"),
        (authorize(by_name.clone(), json!({"_return": true})), "look: the group named web"),
        (authorize(by_name.clone(), rules(json!({}))), "look: the group named web"),
        (authorize(by_name.clone(), rules(json!(""))), "look: the group named web"),
        (authorize(by_name.clone(), rules(json!({"items": [{"groupId": "sg-0a"}, {"groupId": "sg-0a"}]}))), "look: sg-0a"),
        (authorize(by_name.clone(), rules(json!({"items": {"groupId": "sg-0a"}}))), "look: sg-0a"),
        (authorize(by_name.clone(), rules(json!([{"groupId": "sg-0a"}]))), "look: sg-0a"),
        (authorize(by_name, rules(json!({"items": [{"referencedGroupInfo": {"groupId": "sg-0b"}}]}))), "look: the group named web"),
        // Parameters of more than 100 KB are left out.
        (authorize(Value::Null, rules(json!({"items": [{"groupId": "sg-0a"}]}))), "look: sg-0a"),
        (authorize(Value::Null, Value::Null), nowhere),
        (authorize(json!({"groupId": null, "groupName": null}), json!({"_return": true})), nowhere),
        (event("authorize-without-a-group"), nowhere),
        (authorize(json!({"groupName": "Grüppe 1 (old)/*"}), Value::Null), "look: the group named Grüppe 1 (old)/*"),
        (authorize(json!({"groupName": longest}), Value::Null), &named_longest),
        (authorize(named_longer, Value::Null), not_a_name),
        (authorize(json!({"groupName": ""}), Value::Null), not_a_name),
        (authorize(json!({"groupName": "a\u{1b}[2Jb"}), Value::Null), not_a_name),
        (authorize(json!({"groupName": 7}), Value::Null), "error: `detail.requestParameters.groupName` is not a text"),
        (authorize(json!({"groupId": 7}), Value::Null), "error: `detail.requestParameters.groupId` is not a text"),
        (
            authorize(json!({"groupId": "pl-0a"}), Value::Null),
            "error: `detail.requestParameters.groupId` can't be used: `pl-0a` is not a security group id (`sg-` and lower-case letters or \
             digits)",
        ),
        (
            authorize(json!({"groupName": "web"}), rules(json!({"items": [{"groupId": "sg-0a"}, {"groupId": "junk"}]}))),
            "error: `detail.responseElements.securityGroupRuleSet.items[1].groupId` can't be used: `junk` is not a security group id \
             (`sg-` and lower-case letters or digits)",
        ),
    ]);
}

#[test]
fn the_newer_dialect_is_read_with_and_without_content() {
    let modify = |request: Value| call("ModifySecurityGroupRules", json!({"ModifySecurityGroupRulesRequest": request}), Value::Null);
    let rule = |tag: u8| json!({"tag": tag, "SecurityGroupRuleId": format!("sgr-0{tag}"), "SecurityGroupRule": {"CidrIpv4": "0.0.0.0/0"}});
    let edit = |request: Value| call("ModifyManagedPrefixList", json!({"ModifyManagedPrefixListRequest": request}), Value::Null);
    let restore =
        |request: Value| call("RestoreManagedPrefixListVersion", json!({"RestoreManagedPrefixListVersionRequest": request}), json!(""));
    table([
        (modify(json!({"GroupId": "sg-0a", "SecurityGroupRule": rule(1)})), "look: sg-0a"),
        (modify(json!({"GroupId": "sg-0a", "SecurityGroupRule": [rule(1), rule(2)]})), "look: sg-0a"),
        (modify(json!({"GroupId": {"tag": 1, "content": "sg-0a"}, "SecurityGroupRule": ""})), "look: sg-0a"),
        (modify(json!({"GroupId": {"tag": 1, "content": {"tag": 1, "content": "sg-0a"}}})), "look: sg-0a"),
        (call("ModifySecurityGroupRules", json!({"groupId": "sg-0a"}), Value::Null), "look: sg-0a"),
        (edit(json!({"PrefixListId": "pl-0a", "AddEntry": {"tag": 1, "Cidr": "0.0.0.0/0"}})), "look: the groups that use pl-0a"),
        (edit(json!({"PrefixListId": {"tag": 1, "content": "pl-0a"}, "AddEntry": []})), "look: the groups that use pl-0a"),
        (call("ModifyManagedPrefixList", json!({"prefixListId": "pl-0a"}), Value::Null), "look: the groups that use pl-0a"),
        (restore(json!({"PrefixListId": "pl-0a", "PreviousVersion": 2})), "look: the groups that use pl-0a"),
        (restore(json!({"PrefixListId": {"tag": 1, "content": "pl-0a"}})), "look: the groups that use pl-0a"),
        (modify(json!({"GroupId": {"tag": 1}})), "error: `detail.requestParameters.ModifySecurityGroupRulesRequest.GroupId` is not a text"),
        (
            modify(json!({"GroupId": {"tag": 1, "content": 7}})),
            "error: `detail.requestParameters.ModifySecurityGroupRulesRequest.GroupId.content` is not a text",
        ),
        (
            modify(json!({"GroupId": ["sg-0a", "sg-0b"]})),
            "error: `detail.requestParameters.ModifySecurityGroupRulesRequest.GroupId` is not a text",
        ),
        (modify(json!("")), "error: `detail.requestParameters.ModifySecurityGroupRulesRequest.GroupId` is missing"),
        // A response never names another prefix list, and a group is no prefix list.
        (
            call(
                "ModifyManagedPrefixList",
                Value::Null,
                json!({"ModifyManagedPrefixListResponse": {"prefixList": {"prefixListId": "pl-0a"}}}),
            ),
            "error: `detail.requestParameters.ModifyManagedPrefixListRequest.PrefixListId` is missing",
        ),
        (
            restore(json!({"PrefixListId": "sg-0a"})),
            "error: `detail.requestParameters.RestoreManagedPrefixListVersionRequest.PrefixListId` can't be used: `sg-0a` is not a prefix list \
             id (`pl-` and lower-case letters or digits)",
        ),
    ]);
}

#[test]
fn an_event_of_another_account_or_region_is_ignored_by_whichever_member_tells() {
    let ours = || event("console-opens-ssh");
    let other_account = "ignored: an event of `444455556666`, and this function acts in `111122223333` only";
    let other_region = "ignored: an event of `us-east-1`, and this function acts in `eu-west-1` only";
    let look = "look: sg-08efe62ec2ff0f78d";
    table([
        (with(ours(), [("/account", json!("444455556666"))]), other_account),
        (with(ours(), [("/detail/recipientAccountId", json!("444455556666"))]), other_account),
        (with(ours(), [("/detail/recipientAccountId", json!(444_455_556_666_u64))]), other_account),
        (with(without(ours(), ["/account"]), [("/detail/recipientAccountId", json!("444455556666"))]), other_account),
        (with(without(ours(), ["/detail/recipientAccountId"]), [("/account", json!("444455556666"))]), other_account),
        (with(ours(), [("/region", json!("us-east-1"))]), other_region),
        (with(ours(), [("/detail/awsRegion", json!("us-east-1"))]), other_region),
        (with(event("sweep"), [("/account", json!("444455556666"))]), other_account),
        (with(event("sweep"), [("/region", json!("us-east-1"))]), other_region),
        (without(ours(), ["/account"]), look),
        (without(ours(), ["/detail/recipientAccountId", "/detail/awsRegion"]), look),
        (with(ours(), [("/detail/recipientAccountId", json!(111_122_223_333_u64))]), look),
        // The caller's account is not the account that was called.
        (with(ours(), [("/detail/userIdentity/accountId", json!("444455556666"))]), look),
        (without(ours(), ["/account", "/detail/recipientAccountId"]), "error: `account` is missing, so whose event it is can't be told"),
        (without(ours(), ["/region", "/detail/awsRegion"]), "error: `region` is missing, so whose event it is can't be told"),
        (without(event("sweep"), ["/account"]), "error: `account` is missing, so whose event it is can't be told"),
        (without(event("sweep"), ["/region"]), "error: `region` is missing, so whose event it is can't be told"),
        (with(ours(), [("/account", json!({}))]), "error: `account` is not a text"),
        (with(ours(), [("/detail/awsRegion", json!([]))]), "error: `detail.awsRegion` is not a text"),
    ]);
}

#[test]
fn an_account_may_be_a_number_that_lost_its_leading_zeros() {
    let own = Own { account: "012345678901".parse().unwrap(), ..own() };
    for number in ["/account", "/detail/recipientAccountId"] {
        let event = with(
            with(event("console-opens-ssh"), [("/account", json!("012345678901")), ("/detail/recipientAccountId", json!("012345678901"))]),
            [(number, json!(12_345_678_901_u64))],
        );
        assert_eq!(told_to(&event, &own), "look: sg-08efe62ec2ff0f78d", "{number}");
    }
}

#[test]
fn only_our_role_itself_is_ourselves() {
    let issuer = "/detail/userIdentity/sessionContext/sessionIssuer/arn";
    let look = "look: sg-08efe62ec2ff0f78d";
    let session = "arn:aws:sts::111122223333:assumed-role/network-deploy/palisade-RevokeAdminIngressRole-9QK2TT71XW4M";
    let ours = || event("console-opens-ssh");
    let user = || without(ours(), ["/detail/userIdentity/sessionContext"]);
    table([
        (with(ours(), [(issuer, json!(ROLE))]), "ignored: our own role's doing"),
        // Anybody can choose a session's name.
        (with(ours(), [("/detail/userIdentity/arn", json!(session))]), look),
        (with(ours(), [("/detail/userIdentity/arn", json!(ROLE))]), look),
        (with(ours(), [("/detail/userIdentity/invokedBy", json!(ROLE))]), look),
        (with(ours(), [(issuer, json!(format!("{ROLE}2")))]), look),
        (with(ours(), [(issuer, json!(format!(" {ROLE} ")))]), look),
        (with(ours(), [(issuer, json!(&ROLE[..ROLE.len() - 1]))]), look),
        (with(ours(), [(issuer, json!(""))]), look),
        (with(ours(), [(issuer, Value::Null)]), look),
        (with(ours(), [("/detail/userIdentity/sessionContext/sessionIssuer", json!({}))]), look),
        (user(), look),
        (without(ours(), ["/detail/userIdentity"]), look),
    ]);
    let nameless = Own { role_arn: None, ..own() };
    assert_eq!(told_to(&event("our-own-role"), &nameless), "look: sg-0710fd23ca6a3bbc1");
    assert_eq!(told_to(&user(), &nameless), look);
    assert_eq!(told_to(&with(ours(), [(issuer, Value::Null)]), &nameless), look);
}

#[test]
fn a_call_that_failed_or_is_not_ours_is_ignored() {
    let ours = || event("console-opens-ssh");
    let named = |name: &str| with(ours(), [("/detail/eventName", json!(name))]);
    let long = "Client.".repeat(100);
    let cut = format!("ignored: the call failed (`{}…`), so nothing changed", &long[..80]);
    table([
        (
            with(ours(), [("/detail/errorCode", json!("Client.UnauthorizedOperation"))]),
            "ignored: the call failed (`Client.UnauthorizedOperation`), so nothing changed",
        ),
        (with(ours(), [("/detail/errorCode", json!(long))]), &cut),
        (with(ours(), [("/detail/errorCode", json!(403))]), "ignored: the call failed, so nothing changed"),
        (with(ours(), [("/detail/errorCode", Value::Null)]), "look: sg-08efe62ec2ff0f78d"),
        (
            with(ours(), [("/detail/eventSource", json!("elasticloadbalancing.amazonaws.com"))]),
            "ignored: `AuthorizeSecurityGroupIngress` is not for revoke-admin-ingress",
        ),
        (
            with(ours(), [("/detail/eventSource", json!("ec2.amazonaws.com.evil"))]),
            "ignored: `AuthorizeSecurityGroupIngress` is not for revoke-admin-ingress",
        ),
        (without(ours(), ["/detail/eventSource"]), "look: sg-08efe62ec2ff0f78d"),
        (named("AuthorizeSecurityGroupEgress"), "ignored: `AuthorizeSecurityGroupEgress` is not for revoke-admin-ingress"),
        (named("RevokeSecurityGroupIngress"), "ignored: `RevokeSecurityGroupIngress` is not for revoke-admin-ingress"),
        (named("CreateSecurityGroup"), "ignored: `CreateSecurityGroup` is not for revoke-admin-ingress"),
        (named("authorizesecuritygroupingress"), "ignored: `authorizesecuritygroupingress` is not for revoke-admin-ingress"),
        (named("DeleteFlowLogs"), "ignored: `DeleteFlowLogs` is not for revoke-admin-ingress"),
        (named("a\u{1b}[2J\nb"), "ignored: `a\u{fffd}[2J\u{fffd}b` is not for revoke-admin-ingress"),
        (without(ours(), ["/detail/eventName"]), "error: `detail.eventName` is missing"),
        (with(ours(), [("/detail/eventName", json!(7))]), "error: `detail.eventName` is not a text"),
        (with(ours(), [("/detail/eventSource", json!(7))]), "error: `detail.eventSource` is not a text"),
        (with(ours(), [("/detail", json!("{}"))]), "error: `detail` is not an object"),
        (without(ours(), ["/detail"]), "error: `detail` is missing"),
    ]);
}

#[test]
fn what_is_ignored_is_so_before_any_id_is_looked_at() {
    let junk =
        [Value::Null, json!({}), json!([]), json!(7), json!("junk"), json!("sg-"), json!({"content": {}}), json!("x".repeat(10_000))];
    let reasons = [
        [("/account", json!("444455556666"))],
        [("/detail/recipientAccountId", json!("444455556666"))],
        [("/region", json!("us-east-1"))],
        [("/detail/awsRegion", json!("us-east-1"))],
        [("/detail/errorCode", json!("Client.InvalidGroup.NotFound"))],
        [("/detail/userIdentity/sessionContext/sessionIssuer/arn", json!(ROLE))],
        [("/detail/eventSource", json!("rds.amazonaws.com"))],
        [("/detail/eventName", json!("CreateVpc"))],
    ];
    for case in ["console-opens-ssh", "modify-widens-a-rule", "prefix-list-edited", "prefix-list-restored"] {
        for reason in &reasons {
            let clean = with(event(case), reason.clone());
            let why = told(&clean);
            assert!(why.starts_with("ignored: "), "{case} with {reason:?}: {why}");
            for junk in &junk {
                let request = clean.pointer("/detail/requestParameters").unwrap();
                let request = pointers(request).into_iter().fold(request.clone(), |request, at| {
                    let named = ["groupId", "GroupId", "PrefixListId"].iter().any(|name| at.ends_with(name));
                    if named { Spoil::Replace(junk.clone()).apply(&request, &at).unwrap().payload } else { request }
                });
                for request in [request, junk.clone()] {
                    let payload = with(clean.clone(), [("/detail/requestParameters", request), ("/detail/responseElements", junk.clone())]);
                    assert_eq!(told(&payload), why, "{}", excerpt(&payload));
                }
            }
        }
    }
}

#[test]
fn a_scheduled_event_is_a_sweep_whatever_form_its_detail_has() {
    let sweep = |detail: Value| with(event("sweep"), [("/detail", detail)]);
    let scheduler = |detail: Value| with(sweep(detail), [("/source", json!("aws.scheduler"))]);
    let unknown = "error: unrecognised event: an object with the members `account`, `detail`, `detail-type`, `id`, `region`, `resources`, \
                   `source`, `time`, `version`";
    table([
        (sweep(json!({})), "look: everywhere"),
        (sweep(Value::Null), "look: everywhere"),
        (without(event("sweep"), ["/detail"]), "look: everywhere"),
        (scheduler(json!({})), "look: everywhere"),
        (scheduler(json!("{}")), "look: everywhere"),
        (scheduler(json!(" {\n} ")), "look: everywhere"),
        (scheduler(json!("")), "error: `detail` is a text that is not JSON"),
        (scheduler(json!("{")), "error: `detail` is a text that is not JSON"),
        (scheduler(json!("[]")), "error: `detail` holds JSON that is not an object"),
        (scheduler(json!("null")), "error: `detail` holds JSON that is not an object"),
        (sweep(json!([])), "error: `detail` is not an object"),
        (sweep(json!(true)), "error: `detail` is not an object"),
        // Anybody may send such a detail-type under a source of their own.
        (with(event("sweep"), [("/source", json!("my.app"))]), unknown),
        (with(event("sweep"), [("/source", json!("aws.ec2"))]), unknown),
        (with(event("sweep"), [("/source", Value::Null)]), unknown),
        (with(event("sweep"), [("/detail-type", json!("scheduled event"))]), unknown),
    ]);
}

#[test]
fn a_direct_call_does_what_it_says() {
    let thousand: Vec<String> = (0..1_000).map(|i| format!("sg-{i}")).collect();
    let all = format!("dry run: {}", thousand.join(" "));
    table([
        (json!({"securityGroupIds": ["sg-0a"]}), "dry run: sg-0a"),
        (json!({"securityGroupIds": ["sg-0a"], "dryRun": true}), "dry run: sg-0a"),
        (json!({"securityGroupIds": ["sg-0a"], "dryRun": false}), "look: sg-0a"),
        (json!({"securityGroupIds": ["sg-0b", "sg-0a", "sg-0b", "sg-0a"]}), "dry run: sg-0b sg-0a"),
        (json!({"securityGroupIds": ["sg-903004f8", "sg-0123456789abcdefghij"]}), "dry run: sg-903004f8 sg-0123456789abcdefghij"),
        (json!({"securityGroupIds": thousand}), &all),
        (json!({"sweep": true}), "dry run: everywhere"),
        (json!({"sweep": true, "dryRun": true}), "dry run: everywhere"),
        (json!({"sweep": true, "dryRun": false}), "look: everywhere"),
    ]);
}

#[test]
fn a_wrong_direct_call_is_an_error_that_names_the_member() {
    let takes = "revoke-admin-ingress takes `securityGroupIds`, `sweep`, `dryRun`";
    let others = ["vpcIds", "sources", "aclIds", "undo", "reason", "exemptFor"];
    for name in others {
        for payload in [json!({name: ["vpc-0a"]}), json!({"securityGroupIds": ["sg-0a"], name: null}), json!({"sweep": true, name: false})]
        {
            assert_eq!(told(&payload), format!("error: `{name}` is another function's; {takes}"));
        }
    }
    let unknown = |name: &str| format!("error: `{name}` is unknown; {takes}");
    for name in ["dryrun", "dry_run", "DryRun", "dryRun ", "securityGroupId", "detail", "source", "account", "", "$schema"] {
        for payload in [json!({"securityGroupIds": ["sg-0a"], name: false}), json!({"sweep": true, name: null})] {
            assert_eq!(told(&payload), unknown(name));
        }
    }
    let long = "m".repeat(1_000);
    let id = |text: &str| format!("can't be used: `{text}` is not a security group id (`sg-` and lower-case letters or digits)");
    let neither = "error: `dryRun` is neither true nor false";
    let nothing = "error: `securityGroupIds` is missing, and so is `sweep`: nothing to look at";
    let beside = "error: `sweep` can't stand beside `securityGroupIds`: say one of them";
    let many: Vec<String> = (0..1_001).map(|i| format!("sg-{i}")).collect();
    table([
        (json!({"sweep": true, "a\u{1b}\nb": 1}), &unknown("a\u{fffd}\u{fffd}b")),
        (json!({"sweep": true, long.as_str(): 1}), &unknown(&format!("{}…", &long[..80]))),
        (json!({"securityGroupIds": []}), "error: `securityGroupIds` is empty"),
        (json!({"securityGroupIds": "sg-0a"}), "error: `securityGroupIds` is not a list"),
        (json!({"securityGroupIds": {"0": "sg-0a"}}), "error: `securityGroupIds` is not a list"),
        (json!({"securityGroupIds": null}), "error: `securityGroupIds` is not a list"),
        (json!({"securityGroupIds": ["sg-0a", 7]}), "error: `securityGroupIds[1]` is not a text"),
        (json!({"securityGroupIds": [["sg-0a"]]}), "error: `securityGroupIds[0]` is not a text"),
        (json!({"securityGroupIds": [null]}), "error: `securityGroupIds[0]` is not a text"),
        (json!({"securityGroupIds": [{"content": "sg-0a", "tag": 1}]}), "error: `securityGroupIds[0]` is not a text"),
        (json!({"securityGroupIds": ["sg-0a", ""]}), &format!("error: `securityGroupIds[1]` {}", id(""))),
        (json!({"securityGroupIds": ["SG-0A"]}), &format!("error: `securityGroupIds[0]` {}", id("SG-0A"))),
        (json!({"securityGroupIds": [" sg-0a"]}), &format!("error: `securityGroupIds[0]` {}", id(" sg-0a"))),
        (json!({"securityGroupIds": ["sg-0a,sg-0b"]}), &format!("error: `securityGroupIds[0]` {}", id("sg-0a,sg-0b"))),
        (json!({"securityGroupIds": ["vpc-0a"]}), &format!("error: `securityGroupIds[0]` {}", id("vpc-0a"))),
        (json!({"securityGroupIds": ["*"], "dryRun": false}), &format!("error: `securityGroupIds[0]` {}", id("*"))),
        (json!({"securityGroupIds": [long]}), &format!("error: `securityGroupIds[0]` {}", id(&format!("{}…", &long[..80])))),
        (json!({"securityGroupIds": many}), "error: `securityGroupIds` names more than 1000"),
        (json!({"sweep": false}), "error: `sweep` can only be true"),
        (json!({"sweep": "true"}), "error: `sweep` can only be true"),
        (json!({"sweep": 1}), "error: `sweep` can only be true"),
        (json!({"sweep": null}), "error: `sweep` can only be true"),
        (json!({"sweep": {"content": true, "tag": 1}}), "error: `sweep` can only be true"),
        (json!({"sweep": true, "securityGroupIds": ["sg-0a"]}), beside),
        (json!({"sweep": false, "securityGroupIds": ["sg-0a"]}), beside),
        (json!({"sweep": null, "securityGroupIds": []}), beside),
        (json!({"dryRun": false}), nothing),
        (json!({"dryRun": true}), nothing),
        (json!({"sweep": true, "dryRun": "false"}), neither),
        (json!({"sweep": true, "dryRun": 0}), neither),
        (json!({"sweep": true, "dryRun": null}), neither),
        (json!({"securityGroupIds": ["sg-0a"], "dryRun": {}}), neither),
        (event("empty-list"), "error: `securityGroupIds` is empty"),
        (event("malformed-group-id"), &format!("error: `securityGroupIds[1]` {}", id("SG-0B7D2C11E94F60A35"))),
        (event("numbers-for-ids"), "error: `securityGroupIds[1]` is not a text"),
        (event("unknown-member"), &unknown("dryrun")),
        (event("another-functions-member"), &format!("error: `vpcIds` is another function's; {takes}")),
    ]);
}

#[test]
fn duplicates_count_once_before_they_are_too_many() {
    assert_eq!(told(&json!({"securityGroupIds": vec!["sg-0a"; 1_001]})), "dry run: sg-0a");
}

// A person who tries out the scheduled event on the console's test button, and adds this to be on the safe side.
#[test]
fn an_event_that_says_dry_run_is_never_enforced() {
    for case in ["sweep", "console-opens-ssh", "prefix-list-edited"] {
        let told = told(&with(event(case), [("/dryRun", json!(true))]));
        assert!(!told.starts_with("look: "), "{case} with `dryRun`: true is read as: {told}");
    }
}

#[test]
fn what_is_none_of_the_known_shapes_is_named_by_its_members_and_never_a_sweep() {
    let crowd: serde_json::Map<String, Value> = (0..20).map(|i| (format!("m{i:02}"), json!("secret"))).collect();
    let long = "m".repeat(100_000);
    let long_named = format!("error: unrecognised event: an object with the members `{}…`", &long[..80]);
    table([
        (Value::Null, "error: unrecognised event: null"),
        (json!(true), "error: unrecognised event: a boolean"),
        (json!(7), "error: unrecognised event: a number"),
        (json!("{\"sweep\":true}"), "error: unrecognised event: a string"),
        (json!([{"sweep": true}]), "error: unrecognised event: an array"),
        (json!(["sweep"]), "error: unrecognised event: an array"),
        (json!({"body": "{\"sweep\":true}"}), "error: unrecognised event: an object with the members `body`"),
        (json!({"": 7}), "error: unrecognised event: an object with the members ``"),
        (json!({"": 7, "sweep": true}), "error: `` is unknown; revoke-admin-ingress takes `securityGroupIds`, `sweep`, `dryRun`"),
        (json!({"Sweep": true}), "error: unrecognised event: an object with the members `Sweep`"),
        (json!({"detail-type": "GuardDuty Finding", "sweep": true}), "error: `sweep` is for a direct call, and this is an event"),
        (json!({"detail-type": "Scheduled Event"}), "error: unrecognised event: an object with the members `detail-type`"),
        (json!({"detail-type": 7, "sweep": true}), "error: `sweep` is for a direct call, and this is an event"),
        (json!({"a\u{1b}[2J\r\nb": "secret"}), "error: unrecognised event: an object with the members `a\u{fffd}[2J\u{fffd}\u{fffd}b`"),
        (json!({long: "secret"}), &long_named),
        (
            Value::Object(crowd),
            "error: unrecognised event: an object with the members `m00`, `m01`, `m02`, `m03`, `m04`, `m05`, `m06`, `m07`, `m08`, `m09`, `m10`, \
             `m11` and 8 more",
        ),
    ]);
}

#[test]
fn a_cause_is_what_the_event_says() {
    let time = |text: &str| Some(text.parse().unwrap());
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(
        cause(&event("console-opens-ssh")),
        Cause {
            door: Door::Cloudtrail,
            event_id: text("31d1a783-0ab6-4217-a79d-e6d222cf23c3"),
            time: time("2026-11-03T09:14:27Z"),
            actor: text("arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_NetworkAdministrator_64d3a3306a9cc5bf/jane.doe@example.com"),
            source_ip: text("203.0.113.24"),
            detail: text("AuthorizeSecurityGroupIngress"),
        }
    );
    assert_eq!(
        cause(&event("sweep")),
        Cause {
            event_id: text("25247aab-c32f-4e73-a248-d7ccd88c8b67"),
            time: time("2026-11-13T03:15:00Z"),
            detail: text("arn:aws:events:eu-west-1:111122223333:rule/palisade-RevokeAdminIngressSweep-1M0QZ8C3RN5TV"),
            ..Cause::new(Door::Schedule)
        }
    );
    assert_eq!(cause(&event("sweep-by-direct-call")), Cause::new(Door::Direct));
    assert_eq!(cause(&event("failed-call")).actor, text("arn:aws:iam::111122223333:user/t.huang"), "an ignored event has a cause too");
    assert_eq!(cause(&event("all-traffic")).actor, text("arn:aws:iam::111122223333:root"));
    assert_eq!(cause(&event("service-on-behalf")).actor, text("cloudformation.amazonaws.com"));
    assert_eq!(cause(&event("wrong-types")).source_ip, text("AWS Internal"));
}

#[test]
fn a_cause_is_never_a_reason_to_fail_and_never_more_than_it_should_be() {
    let members = ["/userIdentity/arn", "/eventID", "/sourceIPAddress", "/eventTime", "/userIdentity", "/userAgent"];
    let values = [
        Value::Null,
        json!(7),
        json!([]),
        json!({"content": "a"}),
        json!(""),
        json!(" \t\n "),
        json!("a\u{1b}[31m\u{0}\u{7f}\u{9b}\r\nb"),
        json!("\u{1b}".repeat(1_000)),
        json!("é".repeat(100_000)),
        json!("2026-13-99T99:99:99Z"),
    ];
    for member in members {
        for value in &values {
            let payload = with(event("console-opens-ssh"), [(format!("/detail{member}").as_str(), value.clone())]);
            assert_eq!(told(&payload), "look: sg-08efe62ec2ff0f78d", "{member}");
            held(&payload).unwrap_or_else(|broken| panic!("{broken}: {member} {}", excerpt(value)));
        }
    }
    let spoilt = with(event("console-opens-ssh"), [("/detail/userIdentity/arn", json!(" a\u{1b}[31m\r\nb "))]);
    assert_eq!(cause(&spoilt).actor.as_deref(), Some("a\u{fffd}[31m\u{fffd}\u{fffd}b"));
}

/// At least 10,000 cases a law; `PROPTEST_CASES` asks for more. No files of old failures: a failure becomes a test by name.
fn config() -> ProptestConfig {
    let asked = ProptestConfig::default();
    ProptestConfig { cases: asked.cases.max(10_000), failure_persistence: None, ..asked }
}

/// Values that mean something to some door.
fn values() -> impl Strategy<Value = Value> {
    let leaf = select(vec![
        json!(null),
        json!(true),
        json!(false),
        json!(0),
        json!(111_122_223_333_u64),
        json!(""),
        json!("{}"),
        json!(ACCOUNT),
        json!("444455556666"),
        json!(REGION),
        json!("us-east-1"),
        json!(ROLE),
        json!("sg-0a"),
        json!("sg-0b"),
        json!("pl-0a"),
        json!(PLANTED[0]),
        json!("Scheduled Event"),
        json!("AWS API Call via CloudTrail"),
        json!("aws.events"),
        json!("AuthorizeSecurityGroupIngress"),
        json!("ModifyManagedPrefixList"),
        json!("ec2.amazonaws.com"),
        json!("2026-11-03T09:14:27Z"),
        json!("a\u{1b}[2J\nb"),
    ]);
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![vec(inner.clone(), 0..4).prop_map(Value::from), btree_map(names(), inner, 0..4).prop_map(|object| json!(object))]
    })
}

fn names() -> impl Strategy<Value = String> {
    let names = [
        "detail-type",
        "source",
        "account",
        "region",
        "detail",
        "resources",
        "eventName",
        "recipientAccountId",
        "awsRegion",
        "errorCode",
        "userIdentity",
        "requestParameters",
        "responseElements",
        "securityGroupRuleSet",
        "groupId",
        "groupName",
        "items",
        "content",
        "tag",
        "securityGroupIds",
        "sweep",
        "dryRun",
        "vpcIds",
    ];
    select(names.map(str::to_owned).to_vec())
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_json_at_all_is_read_by_the_same_laws(payload in values()) {
        for guardrail in Guardrail::ALL {
            prop_assert_eq!(hold(guardrail, &payload, &read(&payload, &own_of(guardrail))), Ok(()), "{} {}", guardrail, payload);
        }
    }

    #[test]
    fn any_direct_call_is_obeyed_to_the_letter_or_refused(
        members in btree_map(select(vec!["securityGroupIds", "sweep", "dryRun", "vpcIds"]), values(), 0..4),
        ids in proptest::option::of(vec(select(vec!["sg-0a", "sg-0b", "sg-0c", "SG-0A"]), 0..5)),
        dry_run in proptest::option::of(any::<bool>()),
    ) {
        let mut payload = json!(members);
        if let Some(ids) = ids {
            payload["securityGroupIds"] = json!(ids);
        }
        if let Some(dry_run) = dry_run {
            payload["dryRun"] = json!(dry_run);
        }
        prop_assert_eq!(held(&payload), Ok(()), "{}", payload);
    }

    #[test]
    fn a_request_of_any_json_is_read_by_the_same_laws(name in 0..4_usize, request in values(), response in values()) {
        let names = ["AuthorizeSecurityGroupIngress", "ModifySecurityGroupRules", "ModifyManagedPrefixList", "RestoreManagedPrefixListVersion"];
        let wrapped = json!({format!("{}Request", names[name]): request});
        for request in [request, wrapped] {
            let payload = call(names[name], request, json!({"securityGroupRuleSet": response}));
            prop_assert_eq!(held(&payload), Ok(()), "{}", payload);
        }
    }
}
