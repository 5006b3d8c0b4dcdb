//! The same hole, reported through every door that concerns a function: the same response but for `trigger`, the same world afterwards, the
//! same notice but for the paragraph that says what woke the function.

use palisade_tests::case::{ACCOUNT, Case, REGION};
use palisade_tests::replay::{self, Play};
use serde_json::{Value, json};

use crate::scene::{aws, block_on};

/// One hole, and what the services that look for it call it.
struct Hole {
    /// The case that has it, reported through one of the doors.
    case: &'static str,
    resource: &'static str,
    config_type: &'static str,
    config_rule: &'static str,
    control: &'static str,
    /// Its control by a standard's own id.
    standard_id: &'static str,
    finding_type: &'static str,
    /// The end of its ARN, before the id.
    arn: &'static str,
    direct: fn(&str) -> Value,
}

fn config(invoking: &Value) -> Value {
    json!({
        "version": "1.0", "invokingEvent": invoking.to_string(), "resultToken": "eyJhbGciOiJub25lIn0", "eventLeftScope": false,
        "accountId": ACCOUNT, "configRuleName": "palisade", "configRuleId": "config-rule-a1b2c3",
        "configRuleArn": format!("arn:aws:config:{REGION}:{ACCOUNT}:config-rule/config-rule-a1b2c3"),
    })
}

fn on_the_bus(detail_type: &str, source: &str, detail: Value) -> Value {
    json!({
        "version": "0", "id": "7d1f0a52-6c3e-4b8d-9f20-1a2b3c4d5e6f", "detail-type": detail_type, "source": source, "account": ACCOUNT,
        "time": "2026-11-20T09:16:20Z", "region": REGION, "resources": [], "detail": detail,
    })
}

fn finding(hole: &Hole, compliance: Value, generator: &str) -> Value {
    let arn = format!("arn:aws:ec2:{REGION}:{ACCOUNT}:{}/{}", hole.arn, hole.resource);
    json!({
        "SchemaVersion": "2018-10-08", "Id": format!("arn:aws:securityhub:{REGION}:{ACCOUNT}:subscription/{generator}/finding/1"),
        "ProductArn": format!("arn:aws:securityhub:{REGION}::product/aws/securityhub"), "GeneratorId": generator, "AwsAccountId": ACCOUNT,
        "Resources": [{"Type": hole.finding_type, "Id": arn, "Partition": "aws", "Region": REGION}],
        "Compliance": compliance, "Workflow": {"Status": "NEW"}, "RecordState": "ACTIVE",
    })
}

/// The hole, told by everybody who tells of a resource. A sweep finds it as well, among others.
fn told_by_everybody(hole: &Hole) -> Vec<(String, Value)> {
    let id = hole.resource;
    let item = json!({
        "configurationItemCaptureTime": "2026-11-20T09:14:38.201Z", "configurationItemStatus": "OK", "resourceType": hole.config_type,
        "resourceId": id, "awsAccountId": ACCOUNT, "awsRegion": REGION,
    });
    let consolidated = json!({"Status": "FAILED", "SecurityControlId": hole.control});
    let consolidated = finding(hole, consolidated, &format!("security-control/{}", hole.control));
    let of_a_standard = finding(hole, json!({"Status": "FAILED"}), hole.standard_id);
    let arn = format!("arn:aws:ec2:{REGION}:{ACCOUNT}:{}/{id}", hole.arn);
    let ocsf = json!({
        "class_uid": 2003, "activity_id": 1, "status_id": 1, "cloud": {"account": {"uid": ACCOUNT}, "region": REGION},
        "finding_info": {"uid": "f-1"}, "compliance": {"status": "fail", "control": hole.control},
        "resources": [{"uid": id, "uid_alt": arn, "region": REGION}],
        "metadata": {"product": {"uid": format!("arn:aws:securityhub:{REGION}::product/aws/securityhub")}},
    });
    let compliance = json!({
        "resourceId": id, "awsRegion": REGION, "awsAccountId": ACCOUNT, "configRuleName": hole.config_rule, "resourceType": hole.config_type,
        "messageType": "ComplianceChangeNotification", "newEvaluationResult": {"complianceType": "NON_COMPLIANT"},
    });
    let rows = [
        ("config rule", config(&json!({"messageType": "ConfigurationItemChangeNotification", "configurationItem": item}))),
        (
            "config rule, oversized",
            config(&json!({"messageType": "OversizedConfigurationItemChangeNotification", "configurationItemSummary": item})),
        ),
        ("config compliance", on_the_bus("Config Rules Compliance Change", "aws.config", compliance)),
        ("security hub", on_the_bus("Security Hub Findings - Imported", "aws.securityhub", json!({"findings": [consolidated]}))),
        (
            "security hub, a standard's id",
            on_the_bus("Security Hub Findings - Imported", "aws.securityhub", json!({"findings": [of_a_standard]})),
        ),
        (
            "security hub, custom action",
            on_the_bus(
                "Security Hub Findings - Custom Action",
                "aws.securityhub",
                json!({"actionName": "close", "findings": [consolidated]}),
            ),
        ),
        ("security hub, V2", on_the_bus("Findings Imported V2", "aws.securityhub", json!({"findings": [ocsf]}))),
        ("direct", (hole.direct)(id)),
    ];
    rows.map(|(door, event)| (door.to_owned(), event)).into()
}

/// The attack of the case, told by everybody who tells of attacks.
fn attack_told_by_everybody(source: &str) -> Vec<(String, Value)> {
    let state = json!({"value": "ALARM", "timestamp": "2026-11-18T02:41:08.733+0000"});
    let dimensions = json!({"metrics": [{"metricStat": {"metric": {"dimensions": {"srcAddr": source}}}}]});
    let arn = format!("arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:attack");
    let message = json!({
        "AlarmName": "attack", "AlarmDescription": null, "AWSAccountId": ACCOUNT, "AlarmArn": arn, "NewStateValue": "ALARM",
        "StateChangeTime": "2026-11-18T02:41:08.733+0000", "Trigger": {"Dimensions": [{"name": "srcAddr", "value": source}]},
    });
    let by_action = json!({
        "source": "aws.cloudwatch", "alarmArn": arn, "accountId": ACCOUNT, "region": REGION, "time": "2026-11-18T02:41:08.733+0000",
        "alarmData": {"alarmName": "attack", "state": state, "alarmContributor": {"attributes": {"srcAddr": source}}},
    });
    let changed = json!({"alarmName": "attack", "state": state, "configuration": dimensions});
    let contributor =
        json!({"alarmName": "attack", "state": state, "alarmContributor": {"id": "1", "attributes": {"pkt-srcaddr": source}}});
    let finding = |action: Value| {
        let finding = json!({
            "accountId": ACCOUNT, "region": REGION, "type": "UnauthorizedAccess:EC2/SSHBruteForce",
            "resource": {"instanceDetails": {"networkInterfaces": []}}, "service": {"resourceRole": "TARGET", "action": action},
        });
        on_the_bus("GuardDuty Finding", "aws.guardduty", finding)
    };
    let remote = json!({"ipAddressV4": source});
    let connection = json!({"actionType": "NETWORK_CONNECTION", "networkConnectionAction": {"connectionDirection": "INBOUND", "remoteIpDetails": remote}});
    let rows = [
        ("guardduty", finding(connection)),
        (
            "guardduty, port probe",
            finding(json!({"actionType": "PORT_PROBE", "portProbeAction": {"portProbeDetails": [{"remoteIpDetails": remote}]}})),
        ),
        ("alarm by its action", by_action),
        ("alarm on the bus", on_the_bus("CloudWatch Alarm State Change", "aws.cloudwatch", changed)),
        ("contributor on the bus", on_the_bus("CloudWatch Alarm Contributor State Change", "aws.cloudwatch", contributor)),
        ("direct", json!({"sources": [source], "dryRun": false})),
    ];
    let alarm =
        [("alarm, by SNS".to_owned(), by_sns(&message)), ("alarm, by SNS in a queue".to_owned(), in_a_queue(&notification(&message)))];
    rows.map(|(door, event)| (door.to_owned(), event)).into_iter().chain(alarm).collect()
}

fn notification(event: &Value) -> Value {
    let topic = format!("arn:aws:sns:{REGION}:{ACCOUNT}:news");
    json!({"Type": "Notification", "MessageId": "0f2f6d4e-31f6-5b0a", "TopicArn": topic, "Timestamp": "2026-11-20T09:16:21.508Z", "Message": event.to_string()})
}

fn by_sns(event: &Value) -> Value {
    json!({"Records": [{"EventSource": "aws:sns", "EventVersion": "1.0", "Sns": notification(event)}]})
}

fn in_a_queue(body: &Value) -> Value {
    let queue = format!("arn:aws:sqs:{REGION}:{ACCOUNT}:news");
    json!({"Records": [{"messageId": "m-1", "eventSource": "aws:sqs", "eventSourceARN": queue, "awsRegion": REGION, "body": body.to_string()}]})
}

/// Every event, and each that is not a call wrapped once more, in each of the three ways by turns.
fn and_wrapped(events: Vec<(String, Value)>) -> Vec<(String, Value)> {
    let mut ways = ["SNS", "SQS", "SNS in SQS"].into_iter().cycle();
    let wrapped: Vec<(String, Value)> = events
        .iter()
        .filter(|(_, event)| ["detail-type", "invokingEvent", "alarmData"].iter().any(|name| event.get(name).is_some()))
        .zip(&mut ways)
        .map(|((door, event), way)| {
            let event = match way {
                "SNS" => by_sns(event),
                "SQS" => in_a_queue(event),
                _ => in_a_queue(&notification(event)),
            };
            (format!("{door}, wrapped in {way}"), event)
        })
        .collect();
    events.into_iter().chain(wrapped).collect()
}

/// What must be the same whichever way the news came.
fn told(play: &Play) -> Value {
    let (first, second) = play.enforced.as_ref().unwrap();
    let acts = [&play.dry_run, first, second].map(|act| {
        let mut responses = act.responses();
        assert_eq!(responses.len(), 1, "{:?}", act.answer);
        let mut response = responses.remove(0);
        response.as_object_mut().unwrap().remove("trigger");
        let notices: Vec<Value> = act
            .notices
            .iter()
            .map(|notice| {
                // Two paragraphs say which function, and what woke it.
                let body: Vec<&str> = notice.email.splitn(3, "\n\n").collect();
                json!({"subject": notice.subject, "sms": notice.sms, "attributes": notice.attributes, "email": body[2]})
            })
            .collect();
        json!({"response": response, "notices": notices})
    });
    let told = json!({"acts": acts, "before": play.before, "after": play.after});
    without_denials_causes(told)
}

/// The tag of a denial says what it was for: a person who finds it must know. It is the one trace of the door.
fn without_denials_causes(value: Value) -> Value {
    match value {
        Value::String(text) => match text.split_once(" until <TIME> ") {
            Some((before, after)) => {
                let end = after.find(['"', '\'', '\n', '}']).unwrap_or(after.len());
                let rest = without_denials_causes(Value::String(after[end..].to_owned()));
                Value::String(format!("{before} until <TIME> <CAUSE>{}", rest.as_str().unwrap()))
            }
            None => Value::String(text),
        },
        Value::Array(items) => items.into_iter().map(without_denials_causes).collect(),
        Value::Object(members) => members.into_iter().map(|(name, value)| (name, without_denials_causes(value))).collect(),
        other => other,
    }
}

fn alike_through(case: &str, events: Vec<(String, Value)>) {
    block_on(async {
        let own = Case::find(case).unwrap();
        let own_event = serde_json::from_str(&own.event).unwrap();
        let mut wanted: Option<Value> = None;
        for (door, event) in and_wrapped([vec![("the case's own".to_owned(), own_event)], events].concat()) {
            let case = Case { event: event.to_string(), expected: None, ..own.clone() };
            let play = replay::play(aws(), &case, true).await.unwrap();
            assert!(play.broken.is_empty(), "{door}: {:#?}", play.broken);
            let enforced = &play.enforced.as_ref().unwrap().0;
            assert!(enforced.outcome().contains("changed"), "{door}: {:?}", enforced.answer);
            let told = told(&play);
            match &wanted {
                None => wanted = Some(told),
                Some(wanted) => assert_eq!(&told, wanted, "{door}"),
            }
        }
    });
}

#[test]
fn an_open_port_is_closed_alike_through_every_door() {
    let hole = Hole {
        case: "revoke-admin-ingress/console-opens-ssh",
        resource: "sg-08efe62ec2ff0f78d",
        config_type: "AWS::EC2::SecurityGroup",
        config_rule: "restricted-ssh-conformance-pack-k2j3h4g5f",
        control: "EC2.13",
        standard_id: "arn:aws:securityhub:::ruleset/cis-aws-foundations-benchmark/v/1.2.0/rule/4.1",
        finding_type: "AwsEc2SecurityGroup",
        arn: "security-group",
        direct: |id| json!({"securityGroupIds": [id], "dryRun": false}),
    };
    alike_through(hole.case, told_by_everybody(&hole));
}

#[test]
fn a_default_group_is_stripped_alike_through_every_door() {
    let hole = Hole {
        case: "strip-default-group/authorize-egress-on-default",
        resource: "sg-0e5b7c9d1f3a20486",
        config_type: "AWS::EC2::SecurityGroup",
        config_rule: "securityhub-vpc-default-security-group-closed-089d8733",
        control: "EC2.2",
        standard_id: "aws-foundational-security-best-practices/v/1.0.0/EC2.2",
        finding_type: "AwsEc2SecurityGroup",
        arn: "security-group",
        direct: |id| json!({"securityGroupIds": [id], "dryRun": false}),
    };
    alike_through(hole.case, told_by_everybody(&hole));
}

#[test]
fn a_missing_flow_log_is_created_alike_through_every_door() {
    let hole = Hole {
        case: "enable-flow-logs/create-vpc",
        resource: "vpc-0f55ff16f66f43360",
        config_type: "AWS::EC2::VPC",
        config_rule: "vpc-flow-logs-enabled",
        control: "EC2.6",
        standard_id: "cis-aws-foundations-benchmark/v/3.0.0/3.7",
        finding_type: "AwsEc2Vpc",
        arn: "vpc",
        direct: |id| json!({"vpcIds": [id], "dryRun": false}),
    };
    alike_through(hole.case, told_by_everybody(&hole));
}

#[test]
fn an_attacker_is_denied_alike_through_every_door() {
    alike_through("deny-source/one-source-by-direct-call", attack_told_by_everybody("198.51.100.7"));
}

#[test]
fn denials_are_lifted_alike_through_every_door() {
    let scheduler = json!({
        "version": "0", "id": "s-1", "detail-type": "Scheduled Event", "source": "aws.scheduler", "account": ACCOUNT, "region": REGION,
        "time": "2026-11-20T09:15:00Z", "resources": [format!("arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/default/lift")], "detail": "{}",
    });
    let events = vec![
        ("rule".to_owned(), on_the_bus("Scheduled Event", "aws.events", json!({}))),
        ("scheduler".to_owned(), scheduler),
        ("direct".to_owned(), json!({"sweep": true, "dryRun": false})),
    ];
    alike_through("lift-denials/denials-that-have-ended", events);
}
