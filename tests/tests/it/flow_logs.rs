//! enable-flow-logs where AWS is not like the local AWS, stumbles, or moves meanwhile.

use aws_sdk_ec2::types::{FlowLogsResourceType, TrafficType};
use palisade_policy::guardrail::Guardrail;
use palisade_policy::response::Mode;
use palisade_tests::binaries;
use palisade_tests::lambda::{InitError, Lambda};
use palisade_tests::replay::Act;
use palisade_tests::stub::{Fault, How};
use serde_json::json;

use crate::scene::{Scene, aws, block_on, error, refuse, the_result};

const ROLE: &str = "arn:aws:iam::111122223333:role/flow-logs";

/// The flow logs of the case's first VPC, as lines.
async fn logs(scene: &Scene) -> Vec<String> {
    scene.made.read().await.unwrap().get(vpc(scene)).map(|vpc| vpc.lines()).unwrap_or_default()
}

fn vpc(scene: &Scene) -> &str {
    scene.made.real(scene.case.world.vpcs.keys().next().unwrap())
}

async fn create(scene: &Scene, traffic: TrafficType, log_group: &str) {
    let call = scene.made.ec2().create_flow_logs().resource_type(FlowLogsResourceType::Vpc).resource_ids(vpc(scene));
    call.traffic_type(traffic).log_group_name(log_group).deliver_logs_permission_arn(ROLE).send().await.unwrap();
}

/// EC2 answers HTTP 200 and has done nothing ("CreateFlowLogs", `Unsuccessful`); the local AWS says most of these with an HTTP status.
fn unsuccessful(scene: &Scene, action: &'static str, code: &str, message: &str) -> Fault {
    let item =
        format!("<item><resourceId>{}</resourceId><error><code>{code}</code><message>{message}</message></error></item>", vpc(scene));
    let xml = format!(
        "<{action}Response xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><unsuccessful>{item}</unsuccessful></{action}Response>"
    );
    Fault { action, calls: 1..=99, how: How::Answer(xml) }
}

fn creations(act: &Act) -> usize {
    act.calls.iter().filter(|call| call.action == "CreateFlowLogs" && call.is_mutation()).count()
}

#[test]
fn what_ec2_did_not_do_is_failed_and_told_although_the_answer_is_http_200() {
    block_on(async {
        let scene = Scene::of("enable-flow-logs/create-vpc").await;
        let denied = unsuccessful(&scene, "CreateFlowLogs", "400", "Access Denied for LogDestination: a-bucket.");
        let mut function = scene.function(Mode::Enforce, vec![denied]).await;
        let act = function.deliver().await;
        assert_eq!(error(&act).0, "Palisade.TargetFailed");
        let result = the_result(&act);
        assert_eq!((&result["outcome"], &result["changes"]), (&json!("failed"), &json!([])), "{result}");
        let wanted = "this could not be changed: CreateFlowLogs: 400: Access Denied for LogDestination: a-bucket; nothing was changed";
        assert!(result["reason"].as_str().unwrap().ends_with(wanted), "{result}");
        assert_eq!(act.notices.len(), 1);
        assert_eq!(creations(&act), 1, "what is refused for good is not tried again");
    });
}

#[test]
fn a_bucket_that_is_missing_is_failed_and_told() {
    block_on(async {
        let scene =
            Scene::with("enable-flow-logs/s3-destination", &[("PALISADE_FLOW_LOG_DESTINATION", "arn:aws:s3:::nobodys-bucket")]).await;
        let act = scene.function(Mode::Enforce, vec![]).await.deliver().await;
        let result = the_result(&act);
        assert_eq!(result["outcome"], "failed", "{result}");
        assert!(result["reason"].as_str().unwrap().contains("nobodys-bucket does not exist"), "{result}");
        assert_eq!(logs(&scene).await, Vec::<String>::new());
    });
}

#[test]
fn a_flow_log_that_another_function_created_meanwhile_is_no_error() {
    block_on(async {
        let scene = Scene::of("enable-flow-logs/create-vpc").await;
        let (of_slow, of_quick) = scene.enforce_while("CreateFlowLogs", scene.enforce()).await;
        assert_eq!(the_result(&of_quick)["outcome"], "changed");
        let outcome = the_result(&of_slow)["outcome"].clone();
        assert!(outcome == "compliant" || outcome == "changed", "{outcome}");
        assert_eq!(logs(&scene).await, ["flow log ALL to log group /palisade/flow {palisade:guardrail=enable-flow-logs}"]);
    });
}

#[test]
fn a_flow_log_that_exists_by_now_is_seen_also_where_ec2_says_so_in_a_200_answer() {
    block_on(async {
        let scene = Scene::of("enable-flow-logs/create-vpc").await;
        // The first call is held back until there is one, and then answered as EC2 does: the item that failed is in the answer.
        let mut exists = unsuccessful(&scene, "CreateFlowLogs", "FlowLogAlreadyExists", "There is an existing Flow Log");
        exists.calls = 1..=1;
        let held = |gate| vec![exists, Fault { action: "DescribeFlowLogs", calls: 2..=2, how: How::Wait(gate) }];
        let meanwhile = async {
            create(&scene, TrafficType::All, "/palisade/flow").await;
        };
        let (act, ()) = scene.enforce_held(held, meanwhile).await;
        let outcome = the_result(&act)["outcome"].clone();
        assert!(outcome == "compliant" || outcome == "changed", "{outcome}");
        assert_eq!(creations(&act), 1);
    });
}

#[test]
fn one_that_exists_by_now_and_does_not_deliver_is_refused_with_its_name_and_reason() {
    block_on(async {
        let scene = Scene::with("enable-flow-logs/create-vpc", &[("PALISADE_FLOW_LOG_DESTINATION", "/no/such/group")]).await;
        let meanwhile = async {
            create(&scene, TrafficType::All, "/no/such/group").await;
        };
        let (act, ()) = scene.enforce_while("CreateFlowLogs", meanwhile).await;
        let result = the_result(&act);
        assert_eq!((&result["outcome"], &result["changes"]), (&json!("refused"), &json!([])), "{result}");
        let reason = result["reason"].as_str().unwrap();
        assert!(reason.contains("; fl-") && reason.contains("does not deliver to log group /no/such/group: Access error"), "{reason}");
        assert_eq!(act.notices.len(), 1);
    });
}

#[test]
fn one_of_other_traffic_that_ec2_takes_no_second_beside_is_refused_by_name() {
    // Whether EC2 compares the traffic as well is not documented; the local AWS does not.
    block_on(async {
        let scene = Scene::of("enable-flow-logs/create-vpc").await;
        create(&scene, TrafficType::Accept, "/palisade/flow").await;
        let mut function = scene.function(Mode::Enforce, vec![]).await;
        let act = function.deliver().await;
        let result = the_result(&act);
        assert_eq!((&result["outcome"], &result["changes"]), (&json!("refused"), &json!([])), "{result}");
        let reason = result["reason"].as_str().unwrap();
        assert!(reason.starts_with("only ACCEPT traffic is recorded, not REJECT; fl-"), "{reason}");
        assert_eq!(creations(&act), 1);
        assert_eq!(logs(&scene).await, ["flow log ACCEPT to log group /palisade/flow"]);
    });
}

#[test]
fn an_answer_that_was_lost_is_not_a_lost_flow_log() {
    block_on(async {
        for attempts in ["1", "3"] {
            let scene = Scene::with("enable-flow-logs/create-vpc", &[("AWS_MAX_ATTEMPTS", attempts)]).await;
            let lost = Fault { action: "CreateFlowLogs", calls: 1..=1, how: How::LoseAnswer };
            let act = scene.function(Mode::Enforce, vec![lost]).await.deliver().await;
            let result = the_result(&act);
            assert_eq!(result["outcome"], "changed", "with {attempts} attempts: {result}");
            assert_eq!(result["undo"].as_array().unwrap().len(), 1);
            assert_eq!(logs(&scene).await.len(), 1);
        }
    });
}

#[test]
fn a_vpc_that_is_deleted_meanwhile_is_gone() {
    block_on(async {
        let scene = Scene::of("enable-flow-logs/create-vpc").await;
        let meanwhile = async {
            scene.made.ec2().delete_vpc().vpc_id(vpc(&scene)).send().await.unwrap();
        };
        let (act, ()) = scene.enforce_while("CreateFlowLogs", meanwhile).await;
        assert_eq!(the_result(&act)["outcome"], "gone", "{:?}", act.answer);
        assert!(act.notices.is_empty());
    });
}

#[test]
fn a_vpc_that_is_deleted_meanwhile_is_gone_also_where_ec2_says_so_in_a_200_answer() {
    block_on(async {
        let scene = Scene::of("enable-flow-logs/create-vpc").await;
        let not_found = unsuccessful(&scene, "CreateFlowLogs", "InvalidVpcId.NotFound", "The vpc does not exist");
        let held = |gate| vec![not_found, Fault { action: "DescribeVpcs", calls: 2..=2, how: How::Wait(gate) }];
        let meanwhile = async {
            scene.made.ec2().delete_vpc().vpc_id(vpc(&scene)).send().await.unwrap();
        };
        let (act, ()) = scene.enforce_held(held, meanwhile).await;
        assert_eq!(the_result(&act)["outcome"], "gone", "{:?}", act.answer);
    });
}

#[test]
fn when_creating_is_denied_nothing_is_changed_and_it_is_told() {
    block_on(async {
        let scene = Scene::of("enable-flow-logs/create-vpc").await;
        let mut function = scene.function(Mode::Enforce, vec![refuse("CreateFlowLogs", 1..=9, 403, "UnauthorizedOperation")]).await;
        let act = function.deliver().await;
        let result = the_result(&act);
        assert_eq!(result["outcome"], "failed");
        let reason = result["reason"].as_str().unwrap();
        assert!(reason.contains("CreateFlowLogs: UnauthorizedOperation") && reason.ends_with("nothing was changed"), "{reason}");
        assert_eq!(act.notices[0].attributes["outcome"], "failed");
        assert_eq!(logs(&scene).await, Vec::<String>::new());
    });
}

#[test]
fn a_dry_run_says_that_the_role_may_not_create_flow_logs() {
    block_on(async {
        let scene = Scene::of("enable-flow-logs/create-vpc").await;
        let mut function = scene.function(Mode::DryRun, vec![refuse("CreateFlowLogs", 1..=9, 403, "UnauthorizedOperation")]).await;
        let act = function.deliver().await;
        let result = the_result(&act);
        assert_eq!((&result["outcome"], &result["permitted"]), (&json!("would-change"), &json!(false)));
        assert!(act.notices[0].email.contains("lacks the permission"), "{}", act.notices[0].email);
    });
}

#[test]
fn a_creation_carries_the_tag_and_no_client_token() {
    block_on(async {
        let scene = Scene::of("enable-flow-logs/create-vpc").await;
        let act = scene.function(Mode::Enforce, vec![]).await.deliver().await;
        let call = act.calls.iter().find(|call| call.action == "CreateFlowLogs").unwrap();
        assert_eq!(call.parameter("ClientToken"), None, "EC2 would answer for a flow log that was deleted since");
        assert_eq!(call.parameter("TagSpecification.1.Tag.1.Key"), Some("palisade:guardrail"));
        assert_eq!(call.parameter("TagSpecification.1.ResourceType"), Some("vpc-flow-log"));
        assert_eq!(call.parameter("ResourceId.2"), None, "one call for each VPC");
    });
}

#[test]
fn flow_logs_that_cannot_be_read_fail_their_vpcs_and_nothing_is_guessed() {
    block_on(async {
        for action in ["DescribeFlowLogs", "DescribeVpcs"] {
            let scene = Scene::of("enable-flow-logs/create-vpc").await;
            let act = scene.function(Mode::Enforce, vec![refuse(action, 1..=99, 403, "UnauthorizedOperation")]).await.deliver().await;
            let result = the_result(&act);
            assert_eq!(result["outcome"], "failed", "{action}: {result}");
            assert!(result["reason"].as_str().unwrap().contains(&format!("{action}: UnauthorizedOperation")), "{result}");
            assert_eq!((creations(&act), act.notices.len()), (0, 1), "{action}");
        }
    });
}

#[test]
fn reads_that_do_not_show_the_new_flow_log_yet_are_waited_for() {
    block_on(async {
        let scene = Scene::of("enable-flow-logs/create-vpc").await;
        let old = Fault { action: "DescribeFlowLogs", calls: 2..=3, how: How::AnswerOfFirst };
        let act = scene.function(Mode::Enforce, vec![old]).await.deliver().await;
        assert_eq!(the_result(&act)["outcome"], "changed");
        assert_eq!(creations(&act), 1, "nothing is done twice");
    });
}

#[test]
fn a_region_without_a_default_vpc_has_none_to_watch() {
    block_on(async {
        let scene = Scene::of("enable-flow-logs/create-default-vpc-without-an-id").await;
        let none = "<DescribeVpcsResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><vpcSet/></DescribeVpcsResponse>".to_owned();
        let empty = Fault { action: "DescribeVpcs", calls: 1..=99, how: How::Answer(none) };
        let act = scene.function(Mode::Enforce, vec![empty]).await.deliver().await;
        let result = the_result(&act);
        assert_eq!((&result["resource"], &result["outcome"]), (&json!("default VPC"), &json!("gone")), "{result}");
    });
}

/// Starts the function with these variables, and gives the error that it reports to Lambda, if it does not start.
fn init_error(variables: &[(&str, &str)]) -> Option<InitError> {
    aws();
    block_on(async {
        let always = [("AWS_REGION", "eu-west-1"), ("PALISADE_TOPIC_ARN", "arn:aws:sns:eu-west-1:111122223333:palisade")];
        let environment: Vec<(String, String)> =
            always.iter().chain(variables).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let binary = binaries::of(Guardrail::EnableFlowLogs).unwrap();
        let arn = "arn:aws:lambda:eu-west-1:111122223333:function:palisade";
        let mut lambda = Lambda::start(&binary, arn, &environment).await.unwrap();
        // An event that needs no AWS.
        lambda.invoke(r#"{"key1": "value1"}"#).await.err().map(|error| error.downcast::<InitError>().unwrap())
    })
}

#[test]
fn a_setting_of_flow_logs_that_cannot_be_used_stops_the_function_with_its_name() {
    type Row<'a> = (&'a [(&'a str, &'a str)], &'a str, &'a str);
    const DESTINATION: &str = "PALISADE_FLOW_LOG_DESTINATION";
    const ROLE_ARN: &str = "PALISADE_FLOW_LOG_ROLE_ARN";
    let group = (DESTINATION, "/palisade/flow");
    let bucket = (DESTINATION, "arn:aws:s3:::a-bucket/flow");
    let role = (ROLE_ARN, ROLE);
    let table: [Row<'_>; 15] = [
        (&[role], DESTINATION, "is not set"),
        (&[group], ROLE_ARN, "is not set: the role that delivers to the log group"),
        (&[group, (ROLE_ARN, "flow-logs")], ROLE_ARN, "`flow-logs` is not an ARN"),
        (&[group, (ROLE_ARN, "arn:aws:sns:eu-west-1:111122223333:x")], ROLE_ARN, "is not an ARN of iam"),
        (&[group, (ROLE_ARN, "arn:aws:iam::111122223333:user/x")], ROLE_ARN, "is not the ARN of a role"),
        (&[bucket, (ROLE_ARN, "")], ROLE_ARN, "`` is not an ARN"),
        (&[role, (DESTINATION, "")], DESTINATION, "`` is neither the name of a log group"),
        (&[role, (DESTINATION, "my group")], DESTINATION, "is neither the name of a log group"),
        (&[(DESTINATION, "arn:aws:s3:::a-bucket/AWSLogs")], DESTINATION, "has `AWSLogs` as a folder"),
        (&[(DESTINATION, "arn:aws:firehose:eu-west-1:111122223333:deliverystream/x")], DESTINATION, "is not an ARN of s3"),
        (&[role, (DESTINATION, "arn:aws:logs:eu-west-1:111122223333:log-group:x")], DESTINATION, "its name is wanted"),
        (&[bucket, ("PALISADE_FLOW_LOG_TRAFFIC", "all")], "PALISADE_FLOW_LOG_TRAFFIC", "`all` is not `ALL`, `REJECT` or `ACCEPT`"),
        (&[bucket, ("PALISADE_FLOW_LOG_TRAFFIC", "")], "PALISADE_FLOW_LOG_TRAFFIC", "`` is not"),
        (&[bucket, ("PALISADE_EXEMPTIONS", "on")], "PALISADE_EXEMPTIONS", "`on` is not `tags` or `off`"),
        (&[bucket, ("PALISADE_ADMIN_PORTS", "22")], "PALISADE_ADMIN_PORTS", "is not a setting of this function"),
    ];
    for (variables, variable, problem) in table {
        let error = init_error(variables).unwrap_or_else(|| panic!("it started with {variables:?}"));
        assert_eq!(error.kind, "Palisade.Settings");
        assert!(error.message.contains(&format!("`{variable}`")) && error.message.contains(problem), "{variables:?}: {}", error.message);
    }
    for variables in [
        vec![group, role],
        vec![bucket],
        vec![bucket, role, ("PALISADE_FLOW_LOG_TRAFFIC", "REJECT")],
        vec![(DESTINATION, "arn:aws-us-gov:s3:::a-bucket"), ("PALISADE_FLOW_LOG_TRAFFIC", "ACCEPT"), ("PALISADE_EXEMPTIONS", "off")],
        vec![group, (ROLE_ARN, "arn:aws-cn:iam::111122223333:role/path/flow-logs")],
    ] {
        assert_eq!(init_error(&variables), None, "{variables:?}");
    }
}
