//! Never silent: what happens to a notice that SNS will not take.

use palisade_policy::response::Mode;
use serde_json::Value;

use crate::scene::{Scene, block_on, error, refuse, the_result};

const QUEUE: &str = "https://sqs.eu-west-1.amazonaws.com/111122223333/palisade-failures";

fn errors(log: &[Value]) -> Vec<&Value> {
    log.iter().filter(|line| line["level"] == "ERROR").collect()
}

#[test]
fn a_notice_that_sns_will_not_take_goes_to_the_queue_and_whole_into_one_error_line() {
    block_on(async {
        let scene = Scene::with("console-opens-ssh", &[("PALISADE_FAILURE_QUEUE_URL", QUEUE)]).await;
        let sqs = aws_sdk_sqs::Client::from_conf(
            aws_sdk_sqs::Config::builder()
                .behavior_version(aws_sdk_sqs::config::BehaviorVersion::latest())
                .region(aws_sdk_sqs::config::Region::new("eu-west-1"))
                .credentials_provider(
                    aws_sdk_sqs::config::Credentials::builder().access_key_id("a").secret_access_key("b").provider_name("test").build(),
                )
                .endpoint_url(scene.made.endpoint())
                .build(),
        );
        sqs.create_queue().queue_name("palisade-failures").send().await.unwrap();
        let down = vec![refuse("Publish", 1..=99, 403, "AuthorizationError")];
        let mut function = scene.function(Mode::Enforce, down).await;
        let act = function.deliver().await;
        assert_eq!(the_result(&act)["outcome"], "changed", "the function itself has not failed");

        let url = sqs.get_queue_url().queue_name("palisade-failures").send().await.unwrap().queue_url.unwrap();
        let messages = sqs.receive_message().queue_url(url).send().await.unwrap().messages.unwrap_or_default();
        let body: Value = serde_json::from_str(messages[0].body.as_deref().unwrap()).unwrap();
        let told: Value = serde_json::from_str(body["Message"].as_str().unwrap()).unwrap();
        let response: Value = serde_json::from_str(told["default"].as_str().unwrap()).unwrap();
        assert_eq!(response, act.response().unwrap(), "the queue has the notice whole, as `aws sns publish --cli-input-json` takes it");
        assert_eq!(body["TopicArn"], scene.made.topic_arn);

        let log = function.log().await;
        let errors = errors(&log);
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert_eq!(serde_json::from_str::<Value>(errors[0]["notice"].as_str().unwrap()).unwrap(), body);
        assert!(errors[0]["span"]["requestId"].is_string());
    });
}

#[test]
fn when_the_queue_fails_too_the_notice_is_in_the_functions_error() {
    block_on(async {
        for (queue, why) in [(Some(QUEUE), "nor did the failure queue take it"), (None, "there is no PALISADE_FAILURE_QUEUE_URL")] {
            let settings: Vec<(&str, &str)> = queue.into_iter().map(|url| ("PALISADE_FAILURE_QUEUE_URL", url)).collect();
            let scene = Scene::with("console-opens-ssh", &settings).await;
            let down = vec![refuse("Publish", 1..=99, 403, "AuthorizationError"), refuse("SendMessage", 1..=99, 403, "AccessDenied")];
            let mut function = scene.function(Mode::Enforce, down).await;
            let act = function.deliver().await;
            let (kind, message) = error(&act);
            assert_eq!(kind, "Palisade.Unpublished");
            assert!(message.contains(why), "{message}");
            assert_eq!(the_result(&act)["outcome"], "changed", "the error ends with the response");
            assert_eq!(scene.rules().await, scene.expected_rules(), "and the hole is closed all the same");
        }
    });
}

#[test]
fn no_event_and_no_tag_is_logged_whole() {
    block_on(async {
        for case in [
            "descriptions-and-tags-survive",
            "revoke-admin-ingress/exempt-group",
            "console-default-test-event",
            "revoke-admin-ingress/failed-call",
        ] {
            let scene = Scene::of(case).await;
            let mut function = scene.function(Mode::Enforce, vec![]).await;
            let _ = function.deliver().await;
            let event: Value = serde_json::from_str(&scene.case.event).unwrap();
            let agent = event["detail"]["userAgent"].as_str().unwrap_or("value1");
            for line in function.lambda.stop().await.unwrap() {
                assert!(!line.contains(agent), "the event's user agent is in the log: {line}");
                for secret in ["data-platform", "until=", "AKIA", "ASIA"] {
                    assert!(!line.contains(secret), "`{secret}` is in the log: {line}");
                }
            }
        }
    });
}
