//! The deployment, tried: each function under its own role, woken as AWS would wake it.

use std::sync::Arc;

use palisade_policy::guardrail::Guardrail;
use palisade_policy::response::Mode;
use palisade_tests::binaries::root;
use palisade_tests::case::{ACCOUNT, Case};
use palisade_tests::proxy::Proxy;
use palisade_tests::replay;
use palisade_tests::stub::Stub;
use palisade_tests::world::Made;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::house::{PREFIX, house};
use crate::scene::{aws, block_on};
use crate::undo::in_a_shell;

/// The deployed functions and their world are one for all tests here, so these take turns.
static TURN: Mutex<()> = Mutex::const_new(());

/// A call of the local cloud. It blocks, and the proxies have to answer meanwhile.
async fn cloud(service: &'static str, operation: &'static str, parameters: Value) -> Value {
    tokio::task::spawn_blocking(move || house().cloud.call(service, operation, parameters).unwrap()).await.unwrap()
}

/// A deployed function, which sees a case's world.
struct Deployed {
    name: String,
    made: Arc<Made>,
    case: Case,
    /// Between the function and its EC2: refuses what the role does not allow.
    proxy: Proxy,
}

impl Deployed {
    async fn with_case(name: &str) -> Self {
        let case = Case::find(name).unwrap();
        let made = Arc::new(Made::make(aws(), ACCOUNT, &case.world).await.unwrap());
        let role = house().roles[&case.guardrail].clone();
        let proxy = Proxy::start(aws(), ACCOUNT, Stub { role: Some(role), ..replay::stub(&case, &made) }).await.unwrap();
        Self { name: format!("{PREFIX}-{}", case.guardrail), made, case, proxy }
    }

    /// `undo-change`, which sees the same world.
    async fn undo_change(&self) -> Self {
        let role = house().roles[&Guardrail::UndoChange].clone();
        let stub = Stub { role: Some(role), ..replay::stub(&self.case, &self.made) };
        let proxy = Proxy::start(aws(), ACCOUNT, stub).await.unwrap();
        let name = format!("{PREFIX}-{}", Guardrail::UndoChange);
        Self { name, made: Arc::clone(&self.made), case: self.case.clone(), proxy }
    }

    /// The calls that its role did not allow.
    fn refused(&self) -> Vec<String> {
        self.proxy.take_calls().into_iter().filter(|call| call.status == Some(403)).map(|call| call.action).collect()
    }

    /// Sets its mode, and where its AWS is.
    async fn set(&self, mode: Mode) {
        let configuration = cloud("lambda", "get_function_configuration", json!({"FunctionName": self.name})).await;
        let mut variables = configuration["Environment"]["Variables"].clone();
        variables["PALISADE_MODE"] = json!(mode.to_string());
        variables["AWS_ENDPOINT_URL"] = json!(house().cloud.url());
        for service in ["EC2", "CLOUDWATCH_LOGS", "WAFV2"] {
            variables[format!("AWS_ENDPOINT_URL_{service}")] = json!(self.proxy.url());
        }
        let update = json!({"FunctionName": self.name, "Environment": {"Variables": variables}});
        cloud("lambda", "update_function_configuration", update).await;
    }

    /// Invokes it with the case's event, or another.
    async fn invoke(&self, payload: &str) -> Value {
        let answer = cloud("lambda", "invoke", json!({"FunctionName": self.name, "Payload": self.made.with_real_ids(payload)})).await;
        serde_json::from_str(answer["Payload"].as_str().unwrap()).unwrap()
    }
}

/// A queue that gets what is published to a topic, as it is.
async fn subscribed(topic: &str, queue: &str) -> String {
    let made = cloud("sqs", "create_queue", json!({"QueueName": queue})).await;
    let url = made["QueueUrl"].as_str().unwrap().to_owned();
    let arn = format!("arn:aws:sqs:eu-west-1:{ACCOUNT}:{queue}");
    let policy = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
    }]});
    cloud("sqs", "set_queue_attributes", json!({"QueueUrl": url, "Attributes": {"Policy": policy.to_string()}})).await;
    let subscription = json!({
        "TopicArn": topic, "Protocol": "sqs", "Endpoint": arn,
        "Attributes": {"RawMessageDelivery": "true"},
    });
    cloud("sns", "subscribe", subscription).await;
    url
}

/// The next message of a queue, within a while.
async fn message(url: &str) -> Option<Value> {
    for _ in 0..100 {
        if let Some(message) = message_now(url).await {
            return Some(message);
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    None
}

/// The next message of a queue, if there is one.
async fn message_now(url: &str) -> Option<Value> {
    let got = cloud("sqs", "receive_message", json!({"QueueUrl": url, "MaxNumberOfMessages": 1})).await;
    let message = got["Messages"].get(0)?;
    cloud("sqs", "delete_message", json!({"QueueUrl": url, "ReceiptHandle": message["ReceiptHandle"]})).await;
    Some(serde_json::from_str(message["Body"].as_str().unwrap()).unwrap())
}

/// Has `undo-change` take a response back, in both modes.
async fn take_back(deployed: &Deployed, response: &Value) {
    let undo_change = deployed.undo_change().await;
    for (mode, outcome) in [(Mode::DryRun, "would-change"), (Mode::Enforce, "changed")] {
        undo_change.set(mode).await;
        let payload = json!({"undo": response, "reason": "CHG-1234", "dryRun": false});
        let undone = undo_change.invoke(&payload.to_string()).await;
        let refused = undo_change.refused();
        assert!(refused.is_empty(), "{} in {mode}: the role of undo-change does not allow {refused:?}", deployed.case.full_name());
        assert!(undone["summary"][outcome].as_u64() >= Some(1), "{} in {mode}: {undone}", deployed.case.full_name());
    }
}

#[test]
fn every_function_does_its_work_in_both_modes_under_its_own_role() {
    block_on(async {
        let _turn = TURN.lock().await;
        for case in [
            "revoke-admin-ingress/range-20-25",
            "strip-default-group/create-vpc",
            "enable-flow-logs/create-vpc",
            "deny-source/one-source-by-direct-call",
            "lift-denials/denials-that-have-ended",
        ] {
            let deployed = Deployed::with_case(case).await;
            for (mode, outcome) in [(Mode::DryRun, "would-change"), (Mode::Enforce, "changed")] {
                deployed.set(mode).await;
                let response = deployed.invoke(&deployed.case.event).await;
                let refused = deployed.refused();
                assert!(refused.is_empty(), "{case} in {mode}: its role does not allow {refused:?}");
                assert!(response["summary"][outcome].as_u64() >= Some(1), "{case} in {mode}: {response}");
                let unpublished = message_now(&house().made["UnpublishedNotices"]).await;
                assert_eq!(unpublished, None, "{case} in {mode}: its role may not publish");
                if mode == Mode::Enforce {
                    assert!(response["seal"]["mac"].is_string(), "{case}: its role may not seal: {response}");
                    take_back(&deployed, &response).await;
                }
            }
        }
    });
}

#[test]
fn every_role_may_seal_and_only_that_of_undo_change_may_verify() {
    for guardrail in Guardrail::ALL {
        let actions = house().roles[&guardrail].actions();
        assert!(actions.contains("kms:GenerateMac"), "{guardrail}");
        assert_eq!(actions.contains("kms:VerifyMac"), guardrail == Guardrail::UndoChange, "{guardrail}");
    }
}

#[test]
fn the_consoles_payload_answers_a_dry_run_and_the_notice_arrives() {
    block_on(async {
        let _turn = TURN.lock().await;
        let queue = subscribed(&house().made["Notices"], "reader-of-notices").await;
        let deployed = Deployed::with_case("revoke-admin-ingress/console-opens-ssh").await;
        deployed.set(Mode::Enforce).await;
        let group = deployed.case.world.security_groups.keys().next().unwrap();
        let response = deployed.invoke(&json!({"securityGroupIds": [group]}).to_string()).await;
        assert_eq!(response["mode"], "dry-run");
        assert_eq!(response["summary"], json!({"would-change": 1}));
        let notice = message(&queue).await.expect("no notice arrived");
        assert_eq!(notice, response);
    });
}

/// The stack's own alarm names no source, so the function searches the flow logs for one, and a stub answers what they show.
#[test]
fn an_alarm_that_is_raised_reaches_deny_source_through_its_topic_and_the_source_is_denied() {
    block_on(async {
        let _turn = TURN.lock().await;
        let deployed = Deployed::with_case("deny-source/alarm-whose-flow-logs-show-the-source").await;
        deployed.set(Mode::Enforce).await;
        let queue = subscribed(&house().made["Notices"], "reader-of-denials").await;
        let raised = json!({"AlarmName": "palisade-suspicious-traffic", "StateValue": "ALARM", "StateReason": "a test"});
        cloud("cloudwatch", "set_alarm_state", raised).await;
        let notice = message(&queue).await.expect("no notice arrived");
        assert_eq!(notice["trigger"]["door"], "alarm");
        assert!(notice["summary"]["changed"].as_u64() >= Some(1), "{notice}");
        let denied = notice["results"][0]["resource"].as_str().unwrap();
        let (acl, _) = deployed.case.world.network_acls.iter().next().unwrap();
        let lines = deployed.made.read().await.unwrap()[deployed.made.real(acl)].lines();
        assert!(lines.iter().any(|line| line.contains("deny") && line.contains(denied)), "{lines:?}");
        let tag = format!("palisade:deny:in:{denied}");
        assert!(lines.iter().any(|line| line.contains(&tag)), "{lines:?}");
        // Where the alarm looked, the function searched, and one period before: the alarm's need not end when it is raised.
        let alarms = cloud("cloudwatch", "describe_alarms", json!({"AlarmNames": ["palisade-suspicious-traffic"]})).await;
        let alarm = &alarms["MetricAlarms"][0];
        let looked_at = alarm["Period"].as_i64().unwrap() * (alarm["EvaluationPeriods"].as_i64().unwrap() + 1);
        let calls = deployed.proxy.take_calls();
        let search = calls.iter().find(|call| call.action == "StartQuery").and_then(|call| call.json.as_ref()).unwrap();
        let searched = search["endTime"].as_i64().unwrap() - search["startTime"].as_i64().unwrap();
        assert!(searched >= looked_at, "{searched} s of {looked_at}");
    });
}

/// Of the two nets behind a failed invocation the local cloud fills the first only; AWS fills both.
#[test]
fn an_event_that_fails_ends_in_its_failure_queue_with_the_error() {
    block_on(async {
        let _turn = TURN.lock().await;
        let deployed = Deployed::with_case("revoke-admin-ingress/console-opens-ssh").await;
        deployed.set(Mode::DryRun).await;
        let event = json!({"FunctionName": deployed.name, "InvocationType": "Event", "Payload": r#"{"key1": "value1"}"#});
        cloud("lambda", "invoke", event).await;
        let failed = message(&house().made["FailedInvocations"]).await.expect("nothing came to the failure queue");
        assert_eq!(failed["requestPayload"], json!({"key1": "value1"}));
        assert_eq!(failed["responsePayload"]["errorType"], "Palisade.UnrecognisedEvent", "{failed}");
    });
}

/// An IP set as the AWS CLI is told of it.
fn of_ip_set(arn: &str) -> String {
    let path: Vec<&str> = arn.split('/').collect();
    format!("--scope REGIONAL --name {} --id {}", path[2], path[3])
}

#[test]
fn the_readmes_commands_to_uninstall_leave_no_denial_behind() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let (_, commands) = readme.split_once("**Uninstall**").unwrap().1.split_once("```sh\n").unwrap();
    let commands = commands.split_once("```").unwrap().0.replace("sam delete\n", "");
    block_on(async {
        let _turn = TURN.lock().await;
        let deployed = Deployed::with_case("lift-denials/denials-that-have-ended").await;
        deployed.set(Mode::Enforce).await;
        let (acl, _) = deployed.case.world.network_acls.iter().next().unwrap();
        let acl = deployed.made.real(acl).to_owned();
        let standing = "palisade:deny:in:198.51.100.8/32";
        let has = |lines: Vec<String>, text: &str| lines.iter().any(|line| line.contains(text));
        assert!(has(deployed.made.read().await.unwrap()[&acl].lines(), standing));
        let local_aws = deployed.made.endpoint();
        let settings = format!(
            "set -e; export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_DEFAULT_REGION=eu-west-1 \
             AWS_ENDPOINT_URL_EC2={local_aws} AWS_ENDPOINT_URL_WAFV2={local_aws}\n"
        );
        let url = house().cloud.url();
        let run = async |commands: &str| in_a_shell(&format!("{settings}{commands}"), &url, &url).await;
        let denying = "palisade-deny-source";
        let configured = cloud("lambda", "get_function_configuration", json!({"FunctionName": denying})).await;
        let mut variables = configured["Environment"]["Variables"].clone();
        let sets: Vec<String> = variables["PALISADE_IP_SET_V4"].as_str().unwrap().split(',').map(of_ip_set).collect();
        for set in &sets {
            let lock = format!("$(aws wafv2 get-ip-set {set} --query LockToken --output text)");
            run(&format!("aws wafv2 update-ip-set {set} --lock-token {lock} --addresses 198.51.100.8/32")).await;
        }
        let said = run(commands.as_str()).await;
        for set in &sets {
            let addresses = run(&format!("aws wafv2 get-ip-set {set} --query IPSet.Addresses --output json")).await;
            assert_eq!(addresses.trim(), "[]", "{set}: {said}");
        }
        // And where there are none.
        let all = variables.clone();
        variables.as_object_mut().unwrap().remove("PALISADE_IP_SET_V4");
        let update = |variables| json!({"FunctionName": denying, "Environment": {"Variables": variables}});
        cloud("lambda", "update_function_configuration", update(variables)).await;
        run(commands.as_str()).await;
        cloud("lambda", "update_function_configuration", update(all)).await;
        cloud("lambda", "delete_function_concurrency", json!({"FunctionName": denying})).await;
        let lines = deployed.made.read().await.unwrap()[&acl].lines();
        assert!(!has(lines.clone(), "palisade:deny:") && !has(lines.clone(), "198.51.100.8/32"), "{said}\n{lines:?}");
        assert!(!said.contains("TAGS"), "{said}");
    });
}

#[test]
fn a_role_without_a_permission_is_refused_there() {
    block_on(async {
        let _turn = TURN.lock().await;
        let deployed = Deployed::with_case("revoke-admin-ingress/console-opens-ssh").await;
        deployed.set(Mode::DryRun).await;
        let detached = json!({"RoleName": "palisade-revoke-admin-ingress-eu-west-1", "PolicyArn": house().made["Telling"]});
        cloud("iam", "detach_role_policy", detached.clone()).await;
        let group = deployed.case.world.security_groups.keys().next().unwrap();
        let answer = deployed.invoke(&json!({"securityGroupIds": [group]}).to_string()).await;
        cloud("iam", "attach_role_policy", detached).await;
        let error = answer["errorMessage"].as_str().unwrap_or_default();
        assert!(error.contains("not authorized to perform: sns:Publish"), "{answer}");
        assert!(error.contains("not authorized to perform: sqs:SendMessage"), "{answer}");
    });
}
