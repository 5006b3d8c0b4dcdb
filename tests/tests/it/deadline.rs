//! Lambda ends a function that is out of time. By then it has told of everything that it did, and nothing is half done.

use std::sync::Arc;
use std::time::Duration;

use palisade_policy::response::Mode;
use palisade_tests::lambda::Answer;
use palisade_tests::replay::{Act, shown};
use palisade_tests::stub::{Fault, Gate, How};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::scene::{Function, Scene, block_on, error, the_result};

/// Half of it is for telling, and an eighth for looking at what was done.
const SHORT: Duration = Duration::from_secs(14);
const LONG: Duration = Duration::from_secs(180);

fn every(action: &'static str, how: How) -> Fault {
    Fault { action, calls: 1..=999, how }
}

/// Delivers with a short deadline, and sees to it that Lambda had no reason to end the function.
async fn deliver_in(time: Duration, function: &mut Function) -> Act {
    function.lambda.set_timeout(time);
    let act = function.deliver().await;
    assert!(!matches!(&act.answer, Answer::Error { kind, .. } if kind == "Sandbox.Timedout"), "{:?}", act.answer);
    act
}

fn results(act: &Act) -> Vec<Value> {
    act.response().unwrap()["results"].as_array().unwrap().clone()
}

#[test]
fn what_there_is_no_time_for_is_refused_by_name_and_the_next_run_does_it() {
    block_on(async {
        for (case, call) in [
            ("revoke-admin-ingress/sweep-by-direct-call", "securityGroupIds"),
            ("strip-default-group/named-vpcs-by-direct-call", "securityGroupIds"),
            ("enable-flow-logs/sweep-of-vpcs", "vpcIds"),
            ("deny-source/three-sources-one-acl", "sources"),
            ("lift-denials/acls-over-the-blast-radius", "sweep"),
        ] {
            let scene = Scene::with(case, &[("PALISADE_MAX_CHANGES", "50")]).await;
            let mut function = scene.function(Mode::Enforce, Vec::new()).await;
            let act = deliver_in(Duration::from_secs(20), &mut function).await;
            assert!(matches!(act.answer, Answer::Response(_)), "{case}: Lambda need not come back: {:?}", act.answer);
            assert_eq!(act.response().unwrap()["summary"]["changed"], 1, "{case}: {:?}", act.answer);
            let of_time = |result: &&Value| result["reason"].as_str().unwrap().contains("out of time");
            let refused: Vec<Value> = results(&act).iter().filter(of_time).cloned().collect();
            assert!(!refused.is_empty(), "{case}: {:?}", act.answer);
            for result in refused {
                assert_eq!((&result["outcome"], &result["changes"]), (&json!("refused"), &json!([])), "{case}: {result}");
                let how = result["remarks"][0].as_str().unwrap();
                assert!(how.contains(call) && how.contains("\"dryRun\":false"), "{case} says how to go on: {how}");
                assert!(act.notices[0].email.contains(how), "{case}: {}", act.notices[0].email);
            }
            deliver_in(LONG, &mut function).await;
            let now = shown(&scene.case, &scene.made, &scene.made.read().await.unwrap());
            assert_eq!(json!(now), scene.case.expected.as_ref().unwrap()["world"], "{case}");
        }
    });
}

#[test]
fn a_target_that_turns_out_slow_is_taken_back_to_where_it_was() {
    block_on(async {
        for (case, action) in [
            // Three sets of tags are three calls, and the revocation is a fourth.
            ("descriptions-and-tags-survive", "AuthorizeSecurityGroupIngress"),
            ("deny-source/one-source-by-direct-call", "CreateTags"),
        ] {
            let scene = Scene::of(case).await;
            let before = scene.made.read().await.unwrap();
            let mut function = scene.function(Mode::Enforce, vec![every(action, How::Late(Duration::from_millis(3500)))]).await;
            let act = deliver_in(SHORT, &mut function).await;
            let result = the_result(&act);
            assert_eq!((&result["outcome"], &result["changes"]), (&json!("refused"), &json!([])), "{case}: {result}");
            assert!(result["reason"].as_str().unwrap().starts_with("out of time"), "{case}: {result}");
            assert_eq!(act.notices.len(), 1, "{case}");
            assert!(act.calls.iter().any(|call| call.is_mutation()), "{case}: it had begun");
            assert_eq!(
                shown(&scene.case, &scene.made, &scene.made.read().await.unwrap()),
                shown(&scene.case, &scene.made, &before),
                "{case}"
            );
        }
    });
}

#[test]
fn what_another_run_stands_on_by_now_is_not_taken_back() {
    block_on(async {
        let scene = Scene::of("range-20-25").await;
        let gate = Arc::new(Gate::default());
        let mut slow = scene.watched(Vec::new(), &gate).await;
        let begun = Instant::now();
        let meanwhile = async {
            // The pieces are in. Another run finds them there, and revokes the old rule.
            gate.reached().await;
            assert_eq!(the_result(&scene.enforce().await)["outcome"], "changed");
            // By now the first has no time for another call.
            tokio::time::sleep_until(begun + Duration::from_secs(4)).await;
            loop {
                gate.open();
                gate.reached().await;
            }
        };
        let act = tokio::select! {
            act = deliver_in(SHORT, &mut slow) => act,
            () = meanwhile => unreachable!(),
        };
        assert_eq!(scene.rules().await, scene.expected_rules(), "{:?}", act.answer);
        assert_eq!(the_result(&act)["outcome"], "changed", "{:?}", act.answer);
    });
}

#[test]
fn a_change_that_aws_does_not_answer_is_told_as_far_as_it_got() {
    block_on(async {
        let scene = Scene::of("range-20-25").await;
        let before = scene.rules().await;
        let mut function = scene.function(Mode::Enforce, vec![every("RevokeSecurityGroupIngress", How::Hang)]).await;
        let act = deliver_in(SHORT, &mut function).await;
        assert_eq!(error(&act).0, "Palisade.TargetFailed", "Lambda comes back, for it is not known what became of the call");
        let result = the_result(&act);
        assert!(result["reason"].as_str().unwrap().contains("left half done: tcp/20-21 from 0.0.0.0/0 authorised"), "{result}");
        assert_eq!(act.notices.len(), 1);
        let now = scene.rules().await;
        assert!(before.iter().all(|rule| now.contains(rule)), "nobody is cut off: {now:?}");
        assert_eq!(the_result(&scene.enforce().await)["outcome"], "changed");
        assert_eq!(scene.rules().await, scene.expected_rules());
    });
}

#[test]
fn what_cannot_be_read_in_time_is_refused_by_name() {
    block_on(async {
        for (case, resource) in [
            ("revoke-admin-ingress/sweep-by-direct-call", "eu-west-1"),
            ("console-opens-ssh", "sg-"),
            ("deny-source/one-source-by-direct-call", "198.51.100.7/32"),
            ("enable-flow-logs/create-vpc", "vpc-"),
        ] {
            let scene = Scene::of(case).await;
            for mode in [Mode::Enforce, Mode::DryRun] {
                let faults = ["DescribeSecurityGroups", "DescribeVpcs"].map(|action| every(action, How::Hang));
                let act = deliver_in(SHORT, &mut scene.function(mode, faults.to_vec()).await).await;
                let result = the_result(&act);
                assert!(result["resource"].as_str().unwrap().starts_with(resource), "{case}: {result}");
                assert_eq!(result["outcome"], "refused", "{case}: {result}");
                assert!(result["reason"].as_str().unwrap().starts_with("out of time"), "{case}: {result}");
                assert_eq!(act.notices.len(), 1, "{case}");
            }
        }
    });
}

#[test]
fn a_dry_run_that_gets_no_answer_is_refused_in_time() {
    block_on(async {
        let scene = Scene::of("console-opens-ssh").await;
        let mut function = scene.function(Mode::DryRun, vec![every("RevokeSecurityGroupIngress", How::Hang)]).await;
        let result = the_result(&deliver_in(SHORT, &mut function).await);
        assert_eq!(result["outcome"], "refused", "{result}");
        assert!(result["reason"].as_str().unwrap().starts_with("out of time"), "{result}");
    });
}

#[test]
fn a_topic_that_does_not_answer_leaves_time_for_the_queue_and_a_queue_that_does_not_for_the_error() {
    block_on(async {
        let queue = "https://sqs.eu-west-1.amazonaws.com/111122223333/palisade-failures";
        let scene = Scene::with("console-opens-ssh", &[("PALISADE_FAILURE_QUEUE_URL", queue)]).await;
        let silent = vec![every("Publish", How::Hang)];
        let act = deliver_in(SHORT, &mut scene.function(Mode::Enforce, silent).await).await;
        assert!(act.calls.iter().any(|call| call.action == "SendMessage"), "{:?}", act.calls);

        let scene = Scene::with("console-opens-ssh", &[("PALISADE_FAILURE_QUEUE_URL", queue)]).await;
        let silent = vec![every("Publish", How::Hang), every("SendMessage", How::Hang)];
        let act = deliver_in(SHORT, &mut scene.function(Mode::Enforce, silent).await).await;
        assert_eq!(error(&act).0, "Palisade.Unpublished");
        assert_eq!(the_result(&act)["outcome"], "changed", "the error ends with the response");
    });
}
