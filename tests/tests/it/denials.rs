//! Denials when AWS stumbles, or somebody else is as quick. The local AWS has no quota of ACL entries, no DryRun on them, no filter for
//! their ids, and runs no Logs Insights query: the stub stands in for those.

use palisade_policy::guardrail::Guardrail;
use palisade_policy::response::Mode;
use palisade_tests::binaries;
use palisade_tests::lambda::{InitError, Lambda};
use serde_json::json;

use crate::scene::{Scene, aws, block_on, refuse, the_result};

const ONE: &str = "deny-source/one-source-by-direct-call";
const LIFT: &str = "lift-denials/denials-that-have-ended";

/// The lines of the case's first ACL.
async fn entries(scene: &Scene) -> Vec<String> {
    let literal = scene.case.world.network_acls.keys().next().unwrap();
    scene.made.read().await.unwrap()[scene.made.real(literal)].lines()
}

#[test]
fn two_functions_that_want_one_number_both_deny_their_source() {
    block_on(async {
        let scene = Scene::of(ONE).await;
        let mut quick = scene.function(Mode::Enforce, vec![]).await;
        quick.event = quick.event.replace("198.51.100.7", "203.0.113.9");
        let (of_slow, of_quick) = scene.enforce_while("CreateNetworkAclEntry", quick.deliver()).await;
        assert_eq!(the_result(&of_quick)["outcome"], "changed", "{:?}", of_quick.answer);
        assert_eq!(the_result(&of_slow)["outcome"], "changed", "{:?}", of_slow.answer);
        let entries = entries(&scene).await;
        assert!(entries.contains(&"in 89 deny all traffic 203.0.113.9/32".to_owned()), "{entries:?}");
        assert!(entries.contains(&"in 88 deny all traffic 198.51.100.7/32".to_owned()), "{entries:?}");
    });
}

#[test]
fn the_same_source_twice_at_once_is_denied_once() {
    block_on(async {
        let scene = Scene::of(ONE).await;
        let (of_slow, of_quick) = scene.enforce_while("CreateNetworkAclEntry", scene.enforce()).await;
        assert_eq!(the_result(&of_quick)["outcome"], "changed");
        assert_ne!(the_result(&of_slow)["outcome"], "failed", "{:?}", of_slow.answer);
        let denials = entries(&scene).await.into_iter().filter(|line| line.contains("deny all traffic 198.51.100.7/32")).count();
        assert_eq!(denials, 1);
    });
}

#[test]
fn a_crash_after_the_tag_leaves_no_entry_and_the_next_run_finishes() {
    block_on(async {
        let scene = Scene::of(ONE).await;
        scene.crash_before("CreateNetworkAclEntry").await;
        let between = entries(&scene).await;
        assert!(between.iter().any(|line| line.starts_with("tag palisade:deny:in:198.51.100.7/32")), "{between:?}");
        assert!(!between.iter().any(|line| line.contains("deny all traffic 198.51.100.7/32")), "{between:?}");
        let act = scene.function(Mode::Enforce, vec![]).await.deliver().await;
        assert_eq!(the_result(&act)["outcome"], "changed");
        assert!(entries(&scene).await.contains(&"in 89 deny all traffic 198.51.100.7/32".to_owned()));
    });
}

#[test]
fn when_the_list_of_friends_cannot_be_read_nothing_is_denied() {
    block_on(async {
        let actions =
            ["DescribeVpcs", "DescribeNetworkInterfaces", "DescribeAddresses", "DescribeManagedPrefixLists", "DescribeCustomerGateways"];
        for action in actions {
            let scene = Scene::of(ONE).await;
            let before = entries(&scene).await;
            let mut function = scene.function(Mode::Enforce, vec![refuse(action, 1..=99, 403, "UnauthorizedOperation")]).await;
            let act = function.deliver().await;
            assert_eq!(the_result(&act)["outcome"], "failed", "{action}: {:?}", act.answer);
            assert_eq!(act.notices.len(), 1, "{action}");
            assert_eq!(entries(&scene).await, before, "{action}");
        }
    });
}

#[test]
fn what_ec2_says_of_the_quota_counts() {
    block_on(async {
        let scene = Scene::of("deny-source/the-denial-that-ends-soonest-makes-room").await;
        let mut function =
            scene.function(Mode::Enforce, vec![refuse("CreateNetworkAclEntry", 1..=99, 400, "NetworkAclEntryLimitExceeded")]).await;
        let act = function.deliver().await;
        let outcome = the_result(&act)["outcome"].clone();
        assert!(outcome == "refused" || outcome == "failed", "{:?}", act.answer);
        assert!(
            !entries(&scene).await.iter().any(|line| line.contains("198.51.100.7/32")),
            "its tag is taken back: {:?}",
            entries(&scene).await
        );
    });
}

#[test]
fn a_dry_run_says_that_the_role_may_not_deny() {
    block_on(async {
        let scene = Scene::of(ONE).await;
        let mut function = scene.function(Mode::DryRun, vec![refuse("CreateNetworkAclEntry", 1..=9, 403, "UnauthorizedOperation")]).await;
        let act = function.deliver().await;
        let result = the_result(&act);
        assert_eq!((&result["outcome"], &result["permitted"]), (&json!("would-change"), &json!(false)));
    });
}

#[test]
fn a_stale_lock_token_is_read_again() {
    block_on(async {
        let scene = Scene::of("deny-source/ip-sets-take-turns").await;
        let mut function = scene.function(Mode::Enforce, vec![refuse("UpdateIPSet", 1..=1, 400, "WAFOptimisticLockException")]).await;
        let act = function.deliver().await;
        assert_eq!(the_result(&act)["outcome"], "changed", "{:?}", act.answer);
        let set = scene.case.world.ip_sets.keys().find(|arn| arn.contains("turn-a")).unwrap();
        let lines = scene.made.read().await.unwrap()[scene.made.real(set)].lines();
        assert!(lines.contains(&"198.51.100.7/32".to_owned()) && !lines.contains(&"192.0.2.1/32".to_owned()), "{lines:?}");
    });
}

#[test]
fn a_denial_that_is_extended_meanwhile_is_not_lifted() {
    block_on(async {
        let scene = Scene::of(LIFT).await;
        let meanwhile = async {
            let acl = scene.made.real(scene.case.world.network_acls.keys().next().unwrap());
            let tag = aws_sdk_ec2::types::Tag::builder()
                .key("palisade:deny:in:198.51.100.7/32")
                .value("198.51.100.7/32 until 2099-01-01T00:00:00Z again");
            scene.made.ec2().create_tags().resources(acl).tags(tag.build()).send().await.unwrap();
        };
        let (_, ()) = scene.enforce_while("DeleteNetworkAclEntry", meanwhile).await;
        let entries = entries(&scene).await;
        assert!(entries.iter().any(|line| line.ends_with("again")), "the tag of whoever extended it stays: {entries:?}");
    });
}

#[test]
fn a_query_that_fails_is_told_and_denies_nobody() {
    block_on(async {
        let scene = Scene::of("deny-source/alarm-port-scan").await;
        let before = entries(&scene).await;
        let mut function = scene.function(Mode::Enforce, vec![refuse("StartQuery", 1..=9, 400, "LimitExceededException")]).await;
        let act = function.deliver().await;
        assert_eq!(the_result(&act)["outcome"], "failed", "{:?}", act.answer);
        assert_eq!(act.notices.len(), 1);
        assert_eq!(entries(&scene).await, before);
    });
}

#[test]
fn settings_of_denials_are_read_strictly() {
    aws();
    let set = "arn:aws:wafv2:eu-west-1:111122223333:regional/ipset/a/11111111-1111-4111-8111-111111111111";
    let table = [
        (Guardrail::DenySource, "PALISADE_DENY_FOR", "24", "`24` is not a time such as"),
        (Guardrail::DenySource, "PALISADE_DENY_FOR", "0h", "`0h` is not a time such as"),
        (Guardrail::DenySource, "PALISADE_ACL_NUMBERS", "89-1", "`89-1` is not a range"),
        (Guardrail::DenySource, "PALISADE_ACL_NUMBERS", "0-89", "`0-89` is not a range"),
        (Guardrail::DenySource, "PALISADE_ACL_QUOTA", "41", "more than the 40 entries"),
        (Guardrail::DenySource, "PALISADE_ACL_IDS", "acl-0A", "is not a network ACL id"),
        (Guardrail::DenySource, "PALISADE_NEVER_DENY", "203.0.113.9", "is not a CIDR block"),
        (Guardrail::DenySource, "PALISADE_IP_SET_V4", "palisade", "is not the ARN of a WAF IP set"),
        (Guardrail::DenySource, "PALISADE_IP_SET_V4", set, "one IP set can't take turns"),
        (Guardrail::DenySource, "PALISADE_FLOW_LOG_GROUP", "a group", "is not the name of a log group"),
        (Guardrail::DenySource, "PALISADE_MIN_HITS", "many", "`many` is not a whole number"),
        (Guardrail::DenySource, "PALISADE_MAX_SOURCES", "0", "`0` is not a whole number from 1 up"),
        (Guardrail::DenySource, "PALISADE_ADMIN_PORTS", "22", "is not a setting of this function"),
        (Guardrail::LiftDenials, "PALISADE_ACL_NUMBERS", "all", "`all` is not a range"),
        (Guardrail::LiftDenials, "PALISADE_DENY_FOR", "24h", "is not a setting of this function"),
    ];
    block_on(async {
        for (guardrail, variable, value, problem) in table {
            let environment =
                [("AWS_REGION", "eu-west-1"), ("PALISADE_TOPIC_ARN", "arn:aws:sns:eu-west-1:111122223333:t"), (variable, value)];
            let environment: Vec<(String, String)> =
                environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            let arn = "arn:aws:lambda:eu-west-1:111122223333:function:palisade";
            let mut lambda = Lambda::start(&binaries::of(guardrail).unwrap(), arn, &environment).await.unwrap();
            let error = lambda.invoke("{}").await.expect_err(variable).downcast::<InitError>().unwrap();
            assert!(error.message.contains(&format!("`{variable}`")) && error.message.contains(problem), "{value}: {}", error.message);
        }
    });
}
