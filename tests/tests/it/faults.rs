//! AWS stumbles: throttles, denies, loses answers, shows old state. Each stands in for what the local AWS never does.

use palisade_policy::response::Mode;
use palisade_tests::stub::{Fault, How};
use serde_json::json;

use crate::scene::{Scene, block_on, error, refuse, the_result};

/// Without the SDK's own retries, so that a fault meets our code.
const ONE_ATTEMPT: (&str, &str) = ("AWS_MAX_ATTEMPTS", "1");

fn lose(action: &'static str, call: usize) -> Fault {
    Fault { action, calls: call..=call, how: How::LoseAnswer }
}

#[test]
fn a_throttled_call_is_made_again() {
    block_on(async {
        let scene = Scene::of("range-20-25").await;
        let faults = ["DescribeSecurityGroupRules", "AuthorizeSecurityGroupIngress", "RevokeSecurityGroupIngress", "Publish"]
            .map(|action| refuse(action, 1..=1, 503, "RequestLimitExceeded"));
        let mut function = scene.function(Mode::Enforce, faults.to_vec()).await;
        let act = function.deliver().await;
        assert_eq!(the_result(&act)["outcome"], "changed");
        assert_eq!(scene.rules().await, scene.expected_rules());
        assert!(act.notices.len() == 2, "the throttled Publish and the one that went through");
    });
}

#[test]
fn a_group_that_cannot_be_read_fails_and_nothing_is_changed() {
    block_on(async {
        let scene = Scene::with("range-20-25", &[ONE_ATTEMPT]).await;
        let before = scene.rules().await;
        for (action, code) in [("DescribeSecurityGroupRules", "UnauthorizedOperation"), ("DescribeSecurityGroups", "InternalError")] {
            let mut function = scene.function(Mode::Enforce, vec![refuse(action, 1..=99, 403, code)]).await;
            let act = function.deliver().await;
            let (kind, message) = error(&act);
            assert_eq!(kind, "Palisade.TargetFailed");
            assert!(message.contains(&format!("{action}: {code}")), "{message}");
            assert_eq!(the_result(&act)["outcome"], "failed");
            assert_eq!(act.notices.len(), 1, "somebody is told");
            assert_eq!(act.notices[0].attributes["outcome"], "failed");
            assert_eq!(scene.rules().await, before);
        }
    });
}

#[test]
fn what_is_authorised_is_denied_then_nothing_is_revoked() {
    block_on(async {
        let scene = Scene::of("range-20-25").await;
        let before = scene.rules().await;
        let mut function =
            scene.function(Mode::Enforce, vec![refuse("AuthorizeSecurityGroupIngress", 1..=9, 403, "UnauthorizedOperation")]).await;
        let act = function.deliver().await;
        let result = the_result(&act);
        assert_eq!(result["outcome"], "failed");
        assert!(result["reason"].as_str().unwrap().ends_with("nothing was changed"), "{result}");
        assert_eq!(result["changes"], json!([]));
        assert!(!act.calls.iter().any(|call| call.action == "RevokeSecurityGroupIngress"));
        assert_eq!(scene.rules().await, before);
    });
}

#[test]
fn when_the_revoke_is_denied_the_notice_says_what_was_left_half_done_and_how_to_take_it_back() {
    block_on(async {
        let scene = Scene::of("range-20-25").await;
        let before = scene.rules().await;
        let mut function =
            scene.function(Mode::Enforce, vec![refuse("RevokeSecurityGroupIngress", 1..=9, 403, "UnauthorizedOperation")]).await;
        let act = function.deliver().await;
        let result = the_result(&act);
        assert_eq!(result["outcome"], "failed");
        let reason = result["reason"].as_str().unwrap();
        assert!(reason.contains("left half done: tcp/20-21 from 0.0.0.0/0 authorised, tcp/23-25 from 0.0.0.0/0 authorised"), "{reason}");
        assert_eq!(result["undo"].as_array().unwrap().len(), 2);
        assert!(act.notices[0].email.contains("aws ec2 revoke-security-group-ingress"), "{}", act.notices[0].email);
        let after = scene.rules().await;
        assert!(before.iter().all(|rule| after.contains(rule)), "nothing that was there is gone: {after:?}");
    });
}

#[test]
fn a_dry_run_says_that_the_role_may_not() {
    block_on(async {
        let scene = Scene::of("range-20-25").await;
        for action in ["AuthorizeSecurityGroupIngress", "RevokeSecurityGroupIngress"] {
            let mut function = scene.function(Mode::DryRun, vec![refuse(action, 1..=9, 403, "UnauthorizedOperation")]).await;
            let act = function.deliver().await;
            let result = the_result(&act);
            assert_eq!((&result["outcome"], &result["permitted"]), (&json!("would-change"), &json!(false)), "{action}");
            assert!(act.notices[0].email.contains("lacks the permission"), "{}", act.notices[0].email);
        }
    });
}

#[test]
fn a_lost_answer_is_not_a_lost_change() {
    block_on(async {
        for attempts in ["1", "3"] {
            for (action, call) in [("AuthorizeSecurityGroupIngress", 1), ("RevokeSecurityGroupIngress", 1), ("DescribeSecurityGroups", 2)] {
                let scene = Scene::with("range-20-25", &[("AWS_MAX_ATTEMPTS", attempts)]).await;
                let mut function = scene.function(Mode::Enforce, vec![lose(action, call)]).await;
                let act = function.deliver().await;
                let result = the_result(&act);
                assert_eq!(result["outcome"], "changed", "{action} with {attempts} attempts: {result}");
                assert_eq!(result["changes"].as_array().unwrap().len(), 3, "{action} with {attempts} attempts: {result}");
                assert_eq!(scene.rules().await, scene.expected_rules(), "{action} with {attempts} attempts");
            }
        }
    });
}

#[test]
fn when_ec2_has_no_room_the_rule_with_most_pieces_goes_whole() {
    block_on(async {
        let scene = Scene::of("range-20-25").await;
        let full = refuse("AuthorizeSecurityGroupIngress", 1..=1, 400, "RulesPerSecurityGroupLimitExceeded");
        let mut function = scene.function(Mode::Enforce, vec![full]).await;
        let act = function.deliver().await;
        let result = the_result(&act);
        assert_eq!(result["outcome"], "changed");
        assert!(result["remarks"][0].as_str().unwrap().contains("EC2 says the group has no room"), "{result}");
        let rules = scene.rules().await;
        assert!(!rules.iter().any(|rule| rule.contains("ftp, ssh and smtp")), "{rules:?}");
        assert!(rules.iter().any(|rule| rule.contains("office")), "{rules:?}");
    });
}

#[test]
fn what_was_authorised_before_ec2_had_no_room_is_taken_back() {
    block_on(async {
        // Three carved rules with three sets of tags: three Authorize calls, of which the third finds no room.
        let scene = Scene::of("descriptions-and-tags-survive").await;
        let full = refuse("AuthorizeSecurityGroupIngress", 3..=3, 400, "RulesPerSecurityGroupLimitExceeded");
        let mut function = scene.function(Mode::Enforce, vec![full]).await;
        let act = function.deliver().await;
        let result = the_result(&act);
        assert_eq!(result["outcome"], "changed", "{result}");
        let rules = scene.rules().await;
        let expected = scene.expected_rules();
        let lost: Vec<&String> = expected.iter().filter(|rule| !rules.contains(rule)).collect();
        let extra: Vec<&String> = rules.iter().filter(|rule| !expected.contains(rule)).collect();
        assert_eq!(lost.len(), 2, "the pieces of one rule: {lost:?}");
        assert!(extra.is_empty(), "{extra:?}");
        let reported = result["changes"].as_array().unwrap().len();
        assert_eq!(reported, 4 + 3, "four pieces and three revoked rules are told: {result}");
    });
}

#[test]
fn reads_that_are_old_for_a_while_are_waited_for() {
    block_on(async {
        let scene = Scene::of("range-20-25").await;
        let old =
            ["DescribeSecurityGroups", "DescribeSecurityGroupRules"].map(|action| Fault { action, calls: 2..=3, how: How::AnswerOfFirst });
        let mut function = scene.function(Mode::Enforce, old.to_vec()).await;
        let act = function.deliver().await;
        assert_eq!(the_result(&act)["outcome"], "changed");
        assert_eq!(act.calls.iter().filter(|call| call.action == "RevokeSecurityGroupIngress").count(), 1, "nothing is done twice");
        assert_eq!(scene.rules().await, scene.expected_rules());
    });
}

#[test]
fn reads_that_stay_old_are_a_failure_that_is_told() {
    block_on(async {
        let scene = Scene::of("console-opens-ssh").await;
        let old = ["DescribeSecurityGroups", "DescribeSecurityGroupRules"].map(|action| Fault {
            action,
            calls: 2..=999,
            how: How::AnswerOfFirst,
        });
        let mut function = scene.function(Mode::Enforce, old.to_vec()).await;
        let act = function.deliver().await;
        let result = the_result(&act);
        assert_eq!(result["outcome"], "failed", "{result}");
        assert_eq!(act.notices.len(), 1);
    });
}

#[test]
fn one_targets_failure_does_not_stop_the_others() {
    block_on(async {
        let scene = Scene::of("revoke-admin-ingress/sweep-by-direct-call").await;
        let mut function =
            scene.function(Mode::Enforce, vec![refuse("RevokeSecurityGroupIngress", 1..=1, 403, "UnauthorizedOperation")]).await;
        let act = function.deliver().await;
        assert_eq!(error(&act).0, "Palisade.TargetFailed");
        let response = act.response().unwrap();
        assert_eq!((&response["summary"]["failed"], &response["summary"]["changed"]), (&json!(1), &json!(1)), "{response}");
        assert_eq!(act.notices[0].attributes["outcome"], "failed", "the gravest outcome");
        // Lambda tries again, and then all is well.
        let again = function.deliver().await;
        assert_eq!(again.response().unwrap()["summary"]["changed"], 1);
    });
}

#[test]
fn a_prefix_list_that_cannot_be_read_fails_its_groups_and_nothing_is_guessed() {
    block_on(async {
        let scene = Scene::of("prefix-list-holds-the-world").await;
        let before = scene.rules().await;
        let mut function =
            scene.function(Mode::Enforce, vec![refuse("GetManagedPrefixListEntries", 1..=99, 403, "UnauthorizedOperation")]).await;
        let act = function.deliver().await;
        let result = the_result(&act);
        assert_eq!(result["outcome"], "failed");
        assert!(result["reason"].as_str().unwrap().contains("the prefix list can't be read"), "{result}");
        assert_eq!(scene.rules().await, before);
    });
}

#[test]
fn a_duplicate_that_old_reads_do_not_show_yet_is_no_failure() {
    block_on(async {
        let scene = Scene::of("range-20-25").await;
        let mut faults: Vec<Fault> = ["DescribeSecurityGroups", "DescribeSecurityGroupRules"]
            .map(|action| Fault { action, calls: 2..=2, how: How::AnswerOfFirst })
            .to_vec();
        faults.push(lose("AuthorizeSecurityGroupIngress", 1));
        let mut function = scene.function(Mode::Enforce, faults).await;
        let act = function.deliver().await;
        assert_eq!(the_result(&act)["outcome"], "changed", "{:?}", act.answer);
        assert_eq!(scene.rules().await, scene.expected_rules());
    });
}

#[test]
fn a_sweep_that_cannot_list_the_groups_is_told_of() {
    block_on(async {
        let scene = Scene::with("revoke-admin-ingress/sweep-by-direct-call", &[ONE_ATTEMPT]).await;
        let mut function =
            scene.function(Mode::Enforce, vec![refuse("DescribeSecurityGroups", 1..=99, 403, "UnauthorizedOperation")]).await;
        let act = function.deliver().await;
        let result = the_result(&act);
        assert_eq!((&result["resource"], &result["outcome"]), (&json!("eu-west-1"), &json!("failed")));
        assert_eq!(act.notices[0].subject, format!("[Palisade] FAILED on eu-west-1 ({} eu-west-1)", scene.made.account));
    });
}
