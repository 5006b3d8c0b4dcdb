//! AWS Config and Security Hub, which wait for an answer of their own, and queues, which wait to hear what failed.

use std::time::Duration;

use palisade_policy::response::Mode;
use palisade_tests::lambda::Answer;
use palisade_tests::stub::{Fault, How};
use serde_json::{Value, json};

use crate::scene::{Scene, block_on, error, refuse};

fn answers(action: &'static str, calls: std::ops::RangeInclusive<usize>, body: &Value) -> Fault {
    Fault { action, calls, how: How::Answer(body.to_string()) }
}

/// An evaluation that AWS Config hands back.
fn handed_back(scene: &Scene) -> Value {
    let group = scene.made.real(scene.case.world.security_groups.keys().next().unwrap());
    json!({"FailedEvaluations": [{
        "ComplianceResourceType": "AWS::EC2::SecurityGroup", "ComplianceResourceId": group, "ComplianceType": "COMPLIANT",
        "OrderingTimestamp": 1_795_166_078.201,
    }]})
}

#[test]
fn evaluations_that_aws_config_hands_back_are_put_again() {
    block_on(async {
        let scene = Scene::of("revoke-admin-ingress/config-rule").await;
        let mut function = scene.function(Mode::Enforce, vec![answers("PutEvaluations", 1..=1, &handed_back(&scene))]).await;
        let act = function.deliver().await;
        assert!(matches!(act.answer, Answer::Response(_)), "{:?}", act.answer);
        let puts: Vec<&Value> = act.answers("PutEvaluations").collect();
        assert_eq!(puts.len(), 2);
        assert_eq!(puts[0]["ResultToken"], puts[1]["ResultToken"]);
        assert_eq!(puts[1]["Evaluations"][0]["ComplianceType"], "COMPLIANT");
    });
}

#[test]
fn evaluations_that_aws_config_never_takes_fail_the_function_after_the_notice() {
    block_on(async {
        let scene = Scene::of("revoke-admin-ingress/config-rule").await;
        let stubborn = answers("PutEvaluations", 1..=99, &handed_back(&scene));
        let expired = refuse("PutEvaluations", 1..=99, 400, "InvalidResultTokenException");
        for (fault, why) in [(stubborn, "did not take 1 of the evaluations"), (expired, "InvalidResultTokenException")] {
            let scene = Scene::of("revoke-admin-ingress/config-rule").await;
            let mut function = scene.function(Mode::Enforce, vec![fault]).await;
            let act = function.deliver().await;
            let (kind, message) = error(&act);
            assert_eq!(kind, "Palisade.Unanswered");
            assert!(message.starts_with("AWS Config has no answer: PutEvaluations: ") && message.contains(why), "{message}");
            assert_eq!(act.response().unwrap()["summary"]["changed"], 1);
            assert_eq!(act.notices.len(), 1);
        }
    });
}

#[test]
fn a_finding_that_security_hub_does_not_update_fails_the_function_after_the_notice() {
    block_on(async {
        let unprocessed = json!({"ProcessedFindings": [], "UnprocessedFindings": [{
            "FindingIdentifier": {"Id": "f", "ProductArn": "p"}, "ErrorCode": "ConcurrentUpdateError", "ErrorMessage": "Try again.",
        }]});
        let scene = Scene::of("revoke-admin-ingress/security-hub-resolves-the-finding").await;
        let mut function = scene.function(Mode::Enforce, vec![answers("BatchUpdateFindings", 1..=1, &unprocessed)]).await;
        let act = function.deliver().await;
        let (kind, message) = error(&act);
        assert_eq!(kind, "Palisade.Unanswered");
        assert!(message.starts_with("Security Hub has no answer: BatchUpdateFindings: ConcurrentUpdateError: Try again: {"), "{message}");
        assert_eq!(act.notices.len(), 1);
        let again = function.deliver().await;
        assert_eq!(again.response().unwrap()["summary"]["compliant"], 1);
        assert_eq!(again.answers("BatchUpdateFindings").next().unwrap()["Workflow"]["Status"], "RESOLVED");
    });
}

/// Security Hub tells of a note as it tells of a finding: an answer to our own would go on for ever.
#[test]
fn a_finding_with_our_own_note_is_not_noted_again() {
    block_on(async {
        let mut scene = Scene::of("revoke-admin-ingress/security-hub-other-ports-are-not-ours-to-resolve").await;
        let mut function = scene.function(Mode::Enforce, vec![]).await;
        function.deliver().await;
        let second = function.deliver().await;
        let note = second.answers("BatchUpdateFindings").next().unwrap()["Note"].clone();
        let mut event: Value = serde_json::from_str(&scene.case.event).unwrap();
        event["detail"]["findings"][0]["Note"] = note;
        scene.case.event = event.to_string();
        let mut function = scene.function(Mode::Enforce, vec![]).await;
        let third = function.deliver().await;
        assert_eq!(third.response().unwrap()["summary"]["compliant"], 1);
        assert_eq!(third.answers("BatchUpdateFindings").count(), 0);
    });
}

#[test]
fn in_a_dry_run_a_finding_is_left_as_it_is() {
    block_on(async {
        let scene = Scene::of("revoke-admin-ingress/security-hub-resolves-the-finding").await;
        let mut function = scene.function(Mode::DryRun, vec![]).await;
        let act = function.deliver().await;
        assert_eq!(act.response().unwrap()["summary"]["would-change"], 1);
        assert!(act.calls.iter().all(|call| call.action != "BatchUpdateFindings"));
    });
}

/// The messages of a batch that a queue is told have failed.
fn failures(answer: &Answer) -> Vec<String> {
    let Answer::Response(response) = answer else { panic!("{answer:?}") };
    let failures = response["batchItemFailures"].as_array().unwrap();
    failures.iter().map(|failure| failure["itemIdentifier"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn after_a_failure_a_first_in_first_out_queue_gets_back_the_rest() {
    block_on(async {
        for (queue, handled) in [("palisade-delay", 2), ("palisade-delay.fifo", 1)] {
            let mut scene = Scene::of("revoke-admin-ingress/sqs-batch-with-a-message-that-is-spoilt").await;
            scene.case.event = scene.case.event.replace("palisade-delay", queue);
            let event: Value = serde_json::from_str(&scene.case.event).unwrap();
            let id = |at: usize| event["Records"][at]["messageId"].as_str().unwrap().to_owned();
            let mut function = scene.function(Mode::Enforce, vec![]).await;
            let act = function.deliver().await;
            assert_eq!(act.responses().len(), handled, "{queue}");
            assert_eq!(failures(&act.answer), if handled == 2 { vec![id(1)] } else { vec![id(1), id(2)] }, "{queue}");
        }
    });
}

#[test]
fn messages_that_the_time_does_not_suffice_for_go_back_to_the_queue() {
    block_on(async {
        let scene = Scene::of("revoke-admin-ingress/sqs-batch-with-a-message-that-is-spoilt").await;
        let event: Value = serde_json::from_str(&scene.case.event).unwrap();
        let mut function = scene.function(Mode::Enforce, vec![]).await;
        function.lambda.set_timeout(Duration::from_secs(15));
        let act = function.deliver().await;
        assert_eq!(act.responses().len(), 1, "the first is begun, however little time there is: {:?}", act.answer);
        let rest: Vec<String> = (1..3).map(|at| event["Records"][at]["messageId"].as_str().unwrap().to_owned()).collect();
        assert_eq!(failures(&act.answer), rest);
    });
}
