//! What `template.yaml` says, held against what AWS wants of it where neither a linter nor the local cloud looks.

use std::collections::BTreeSet;

use palisade_policy::guardrail::Guardrail;
use palisade_policy::response::Outcome;
use palisade_tests::binaries::root;
use serde_json::{Value, json};

use crate::house::{self, house, logical_id};
use crate::settings::init_error_of;

use Guardrail::{DenySource, RevokeAdminIngress};

fn template() -> Value {
    house::template(&house().cloud)
}

/// The resources of a type, by their logical ids.
fn resources<'a>(template: &'a Value, of: &str) -> Vec<(&'a str, &'a Value)> {
    let all = template["Resources"].as_object().unwrap().iter();
    all.filter(|(_, resource)| resource["Type"] == of).map(|(name, resource)| (name.as_str(), &resource["Properties"])).collect()
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_else(|| vec![value.clone()])
}

fn statements(document: &Value) -> Vec<Value> {
    list(&document["Statement"])
}

/// SNS refuses a policy whose statements have no `Sid`s of their own, or that is about another topic ("SetTopicAttributes").
#[test]
fn each_topic_has_a_policy_of_its_own_with_a_sid_for_each_statement() {
    let template = template();
    let mut with_policy = BTreeSet::new();
    for (name, policy) in resources(&template, "AWS::SNS::TopicPolicy") {
        let topics = list(&policy["Topics"]);
        let [topic] = topics.as_slice() else { panic!("{name} has {} topics", topics.len()) };
        with_policy.insert(topic["Ref"].as_str().unwrap().to_owned());
        assert!(policy["PolicyDocument"]["Id"].is_object(), "{name} has no Id");
        let statements = statements(&policy["PolicyDocument"]);
        let sids: BTreeSet<&str> = statements.iter().filter_map(|statement| statement["Sid"].as_str()).collect();
        assert_eq!(sids.len(), statements.len(), "{name}: each statement wants a Sid of its own");
        assert!(statements.iter().all(|statement| statement["Resource"] == *topic), "{name} is not about its topic");
        let denies = statements.iter().filter(|statement| statement["Effect"] == "Deny");
        let without_tls = json!({"Bool": {"aws:SecureTransport": "false"}});
        assert!(denies.map(|statement| &statement["Condition"]).eq([&without_tls]), "{name} lets in what comes without TLS");
    }
    let topics: BTreeSet<String> = resources(&template, "AWS::SNS::Topic").into_iter().map(|(name, _)| name.to_owned()).collect();
    assert_eq!(with_policy, topics);
}

/// "Key management" in the guide of SNS: the source keys are not supported where EventBridge publishes to an encrypted topic.
#[test]
fn the_topics_key_asks_cloudwatch_for_its_source_and_eventbridge_for_the_topic() {
    let template = template();
    let encrypted: BTreeSet<String> = resources(&template, "AWS::SNS::Topic")
        .into_iter()
        .filter(|(_, topic)| topic["KmsMasterKeyId"] == json!({"Ref": "TopicKey"}))
        .map(|(_, topic)| topic["TopicName"]["Fn::Sub"].as_str().unwrap().to_owned())
        .collect();
    assert!(!encrypted.is_empty());
    let mut services = BTreeSet::new();
    for statement in statements(&template["Resources"]["TopicKey"]["Properties"]["KeyPolicy"]) {
        let Some(service) = statement["Principal"]["Service"].as_str() else { continue };
        services.insert(service.to_owned());
        let condition = &statement["Condition"];
        if service == "events.amazonaws.com" {
            assert!(!condition.to_string().contains("aws:Source"), "{condition}");
            let topics = list(&condition["StringEquals"]["kms:EncryptionContext:aws:sns:topicArn"]);
            let names = topics.iter().map(|arn| arn["Fn::Sub"].as_str().unwrap().rsplit(':').next().unwrap().to_owned());
            assert_eq!(names.collect::<BTreeSet<_>>(), encrypted, "the topics that the key encrypts, by their names");
        } else {
            assert_eq!(*condition, json!({"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}), "{service}");
        }
    }
    assert_eq!(services.into_iter().collect::<Vec<_>>(), ["cloudwatch.amazonaws.com", "events.amazonaws.com"]);
}

/// SNS names the topic as its source, and EventBridge the rule.
#[test]
fn the_queue_of_what_was_not_delivered_takes_it_of_each_sender_by_what_that_names() {
    let template = template();
    let statements = statements(&template["Resources"]["UndeliveredEventsPolicy"]["Properties"]["PolicyDocument"]);
    let conditions: Vec<(&Value, &Value)> =
        statements.iter().map(|statement| (&statement["Principal"]["Service"], &statement["Condition"])).collect();
    let rules = "arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:rule/${Prefix}-*";
    let rule = json!({"ArnLike": {"aws:SourceArn": {"Fn::Sub": rules}}});
    let topic = json!({"ArnEquals": {"aws:SourceArn": {"Ref": "Alarms"}}});
    assert_eq!(conditions, [(&json!("events.amazonaws.com"), &rule), (&json!("sns.amazonaws.com"), &topic)]);
}

/// What tells that nobody could be told must not take the same way.
#[test]
fn the_alarms_of_the_queues_tell_a_topic_that_needs_no_key_too() {
    let template = template();
    let mut watched = BTreeSet::new();
    for (name, alarm) in resources(&template, "AWS::CloudWatch::Alarm") {
        if alarm["Namespace"] == "AWS/SQS" {
            watched.insert(alarm["Dimensions"][0]["Value"]["Fn::GetAtt"][0].as_str().unwrap());
            assert_eq!(alarm["AlarmActions"], json!([{"Ref": "Notices"}, {"Ref": "Faults"}]), "{name}");
        }
    }
    let queues: BTreeSet<&str> = resources(&template, "AWS::SQS::Queue").into_iter().map(|(name, _)| name).collect();
    assert_eq!(watched, queues, "every queue has an alarm");
    assert!(template["Resources"]["Faults"]["Properties"].get("KmsMasterKeyId").is_none());
    for topic in ["Notices", "Faults"] {
        let subscribed = json!({"TopicArn": {"Ref": topic}, "Protocol": "email", "Endpoint": {"Ref": "NoticeEmail"}});
        assert_eq!(template["Resources"][format!("{topic}ByEmail")]["Properties"], subscribed);
        assert_eq!(template["Resources"][format!("{topic}ByEmail")]["Condition"], "HasNoticeEmail");
    }
}

/// The dimensions are those of `metrics::an_invocation_leaves_one_metric_document_that_counts_its_outcomes`.
#[test]
fn what_is_refused_or_failed_raises_an_alarm() {
    let template = template();
    // What a dry run would refuse is no news at night.
    for (outcome, of) in [(Outcome::Refused, " WHERE \"mode\" = 'enforce'"), (Outcome::Failed, "")] {
        let wanted = format!("SELECT SUM({outcome}) FROM SCHEMA(Palisade, guardrail, \"mode\"){of}", outcome = outcome.id());
        let alarms = resources(&template, "AWS::CloudWatch::Alarm");
        let alarm = alarms.iter().find(|(_, alarm)| alarm["Metrics"][0]["Expression"] == *wanted);
        let (_, alarm) = alarm.unwrap_or_else(|| panic!("no alarm asks for {wanted}"));
        assert_eq!(alarm["AlarmActions"], json!([{"Ref": "Notices"}]));
        assert_eq!(alarm["TreatMissingData"], "notBreaching");
        assert_eq!(alarm["Metrics"][0]["Period"], 300);
    }
}

#[test]
fn the_readme_counts_the_alarms_that_there_always_are() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let template = template();
    let all = template["Resources"].as_object().unwrap().values();
    let always = all.filter(|resource| resource["Type"] == "AWS::CloudWatch::Alarm" && resource.get("Condition").is_none());
    let (by_query, plain): (Vec<_>, Vec<_>) = always.partition(|alarm| alarm["Properties"].get("Metrics").is_some());
    for (words, count) in
        [("alarms | ", plain.len()), ("alarms by a query, for each metric that it finds: here one each | ", by_query.len())]
    {
        assert!(readme.contains(&format!("{words}{count} × 0.10 = ")), "{words}{count}");
    }
}

/// A flow log captures for up to ten minutes, takes some five to arrive, and counts for the time at which the capture began.
#[test]
fn an_alarm_on_flow_logs_looks_as_far_back_as_they_come_late() {
    let template = template();
    let alarms = resources(&template, "AWS::CloudWatch::Alarm");
    let ours: Vec<_> = alarms.iter().filter(|(_, alarm)| alarm["AlarmActions"] == json!([{"Ref": "Alarms"}])).collect();
    assert_eq!(ours.len(), 3);
    for (name, alarm) in ours {
        let looks_at = alarm["Period"].as_u64().unwrap() * alarm["EvaluationPeriods"].as_u64().unwrap();
        assert!(looks_at >= 15 * 60 + alarm["Period"].as_u64().unwrap(), "{name} looks at {looks_at} s");
        assert_eq!(alarm["DatapointsToAlarm"], 1, "{name}");
    }
}

#[test]
fn data_exfiltration_counts_what_goes_from_private_to_other_addresses() {
    let template = template();
    let pattern = template["Resources"]["DataExfiltrationMetric"]["Properties"]["FilterPattern"].as_str().unwrap();
    // CloudWatch Logs, "Filter pattern syntax": at most two expressions in a pattern, and in an expression no parentheses.
    let expressions: Vec<&str> = pattern.split('%').skip(1).step_by(2).collect();
    let [source, destination] = expressions.as_slice() else { panic!("{expressions:?}") };
    assert!(pattern.contains(&format!(" source = %{source}%,")) && pattern.contains(&format!(" destination != %{destination}%,")));
    assert_eq!(source, destination);
    assert!(!source.contains(['(', ')']) && pattern.len() <= 1024);
    for (address, private) in [
        ("10.0.0.1", true),
        ("172.16.0.1", true),
        ("172.20.9.9", true),
        ("172.29.0.1", true),
        ("172.31.255.255", true),
        ("192.168.1.1", true),
        ("172.15.255.255", false),
        ("172.32.0.1", false),
        ("172.3.1.1", false),
        ("172.217.16.10", false),
        ("192.169.0.1", false),
        ("110.1.1.1", false),
        ("198.51.100.10", false),
        ("8.10.172.16", false),
    ] {
        let (_, fits) = house().cloud.fits(source, address).unwrap();
        assert_eq!(fits, private, "{address}");
    }
}

/// What a condition of a rule comes to with these parameters.
fn holds(condition: &Value, parameters: &Value) -> bool {
    let value = |side: &Value| side.get("Ref").map_or_else(|| side.clone(), |name| parameters[name.as_str().unwrap()].clone());
    let (function, sides) = condition.as_object().unwrap().iter().next().unwrap();
    let sides = list(sides);
    match function.as_str() {
        "Fn::Equals" => value(&sides[0]) == value(&sides[1]),
        "Fn::Not" => !holds(&sides[0], parameters),
        "Fn::And" => sides.iter().all(|side| holds(side, parameters)),
        other => panic!("{other} is not judged here"),
    }
}

#[test]
fn parameters_that_do_not_go_together_are_refused_before_anything_is_made() {
    let template = template();
    let table: [(&[(&str, &str)], bool); 11] = [
        (&[], true),
        (&[("Detection", "yes")], true),
        (&[("Detection", "yes"), ("FlowLogTraffic", "REJECT")], false),
        (&[("Detection", "yes"), ("FlowLogTraffic", "ACCEPT")], false),
        (&[("FlowLogTraffic", "REJECT")], true),
        (&[("Detection", "yes"), ("FlowLogBucketArn", "arn:aws:s3:::logs")], false),
        (&[("FlowLogGroupName", "/flow-logs")], false),
        (&[("FlowLogGroupName", "/flow-logs"), ("FlowLogRoleName", "delivery")], true),
        (&[("IpSets", "create")], true),
        (&[("IpSets", "create"), ("IpSetArnsV6", "arn:…,arn:…")], false),
        (&[("IpSetArnsV4", "arn:…,arn:…")], true),
    ];
    for (given, accepted) in table {
        let all = template["Parameters"].as_object().unwrap().iter();
        let mut parameters: Value = all.map(|(name, parameter)| (name.clone(), parameter["Default"].clone())).collect();
        for (name, value) in given {
            parameters[*name] = json!(value);
        }
        let refused = template["Rules"].as_object().unwrap().values().any(|rule| {
            let asserted = list(&rule["Assertions"]);
            holds(&rule["RuleCondition"], &parameters) && !asserted.iter().all(|asserted| holds(&asserted["Assert"], &parameters))
        });
        assert_eq!(!refused, accepted, "{given:?}");
    }
}

/// Each writer alone, or two change one ACL or IP set at once.
#[test]
fn whoever_writes_acls_or_ip_sets_can_be_given_a_concurrency_of_one() {
    let template = template();
    for (guardrail, role) in &house().roles {
        let writes = ["ec2:CreateNetworkAclEntry", "ec2:DeleteNetworkAclEntry", "wafv2:UpdateIPSet"];
        let writes = writes.iter().any(|action| role.actions().contains(*action));
        let reserved = &template["Resources"][logical_id(*guardrail)]["Properties"]["ReservedConcurrentExecutions"];
        assert_eq!(reserved.is_object(), writes, "{guardrail}");
    }
}

/// What CloudFormation lets through, the function takes; what it stops, the function would not take either. Values that only the function
/// can judge come through, and are marked.
#[test]
fn a_parameter_takes_what_its_function_takes() {
    const SET: &str = "arn:aws:wafv2:eu-west-1:111122223333:regional/ipset/denied-a/11111111-1111-4111-8111-111111111111";
    const GLOBAL: &str = "arn:aws-us-gov:wafv2:us-gov-west-1:111122223333:global/ipset/denied_b/22222222-2222-4222-8222-222222222222";
    let two = format!("{SET},{GLOBAL}");
    let (spaced, open) = (format!("{SET}, {GLOBAL}"), format!("{SET},{GLOBAL},"));
    /// Whether the parameter takes the value, and whether the function does.
    type Row<'a> = (&'static str, Guardrail, &'static str, &'a [(&'a str, bool, bool)]);
    let cidrs: &[(&str, bool, bool)] = &[
        ("198.51.100.0/24", true, true),
        ("198.51.100.0/24,2001:db8::/32", true, true),
        (" 198.51.100.7/32 , ::ffff:198.51.100.0/120 ", true, true),
        ("2001:DB8::/128,10.0.0.0/9", true, true),
        ("198.51.100.7/24", true, false), // host bits
        ("198.51.100.0", false, false),
        ("198.51.100.0/24,", false, false),
        (",198.51.100.0/24", false, false),
        ("198.51.100.0/24;203.0.113.0/24", false, false),
        ("198.51.100.0/24 203.0.113.0/24", false, false),
        ("198.51.100.0/33", false, false),
        ("198.51.100.0/024", false, false),
        ("198.51.256.0/24", false, false),
        ("198.51.100/24", false, false),
        ("2001:db8::/129", false, false),
        ("office", false, false),
        (" ", false, false),
    ];
    let ip_sets: &[(&str, bool, bool)] = &[
        (&two, true, true),
        (&spaced, false, true), // a policy can't have the space
        (SET, false, false),
        (&open, false, false),
        ("arn:aws:wafv2:eu-west-1:111122223333:regional/webacl/a/1,arn:aws:wafv2:eu-west-1:111122223333:regional/webacl/b/2", false, false),
        ("denied-a,denied-b", false, false),
    ];
    let table: [Row<'_>; 9] = [
        (
            "AdminPorts",
            RevokeAdminIngress,
            "PALISADE_ADMIN_PORTS",
            &[
                ("22", true, true),
                ("22, 3389 ,5900-5910,udp/3389,tcp/0", true, true),
                ("high-risk,8443", true, true),
                ("70000", true, false),
                ("5910-5900", true, false),
                ("", false, false),
                ("22,", false, false),
                (",22", false, false),
                ("022", false, false),
                ("22;3389", false, false),
                ("ssh", false, false),
                ("sctp/22", false, false),
                ("22-", false, false),
            ],
        ),
        ("TrustedSources", RevokeAdminIngress, "PALISADE_TRUSTED_SOURCES", cidrs),
        ("ReplacementSources", RevokeAdminIngress, "PALISADE_REPLACEMENT_SOURCES", cidrs),
        ("NeverDeny", DenySource, "PALISADE_NEVER_DENY", cidrs),
        (
            "DenyFor",
            DenySource,
            "PALISADE_DENY_FOR",
            &[
                ("90m", true, true),
                ("024h", true, true),
                ("999999m", true, true),
                ("0h", false, false),
                ("00d", false, false),
                ("1000000m", false, false),
                ("24", false, false),
                ("1w", false, false),
                ("24 h", false, false),
                ("", false, false),
            ],
        ),
        (
            "AclIds",
            DenySource,
            "PALISADE_ACL_IDS",
            &[
                ("acl-0a1b2c3d", true, true),
                ("acl-0a1b2c3d , acl-1", true, true),
                ("acl-0a1b2c3d,", false, false),
                ("acl-", false, false),
                ("acl-0A", false, false),
                ("sg-0a1b2c3d", false, false),
            ],
        ),
        (
            "AclNumbers",
            DenySource,
            "PALISADE_ACL_NUMBERS",
            &[
                ("1-89", true, true),
                ("01-00089", true, true),
                ("5-5", true, true),
                ("1-32766", true, true),
                ("89-1", true, false),
                ("1-32767", true, false),
                ("0-89", false, false),
                ("1", false, false),
                ("1 - 89", false, false),
                ("1-89,", false, false),
                ("", false, false),
            ],
        ),
        ("IpSetArnsV4", DenySource, "PALISADE_IP_SET_V4", ip_sets),
        ("IpSetArnsV6", DenySource, "PALISADE_IP_SET_V6", ip_sets),
    ];
    let template = template();
    for (name, guardrail, variable, values) in table {
        let parameter = &template["Parameters"][name];
        let pattern = parameter["AllowedPattern"].as_str().unwrap_or_else(|| panic!("{name} takes anything"));
        assert!(parameter["ConstraintDescription"].is_string(), "{name} does not say what it takes");
        let takes = |value: &str| house().cloud.fits(pattern, value).unwrap().0;
        assert!(takes(parameter["Default"].as_str().unwrap()), "{name} does not take its own default");
        for (value, by_parameter, by_function) in values {
            assert_eq!(takes(value), *by_parameter, "{name}={value}");
            let error = init_error_of(guardrail, &[(variable, value)]);
            assert_eq!(error.is_none(), *by_function, "{variable}={value}: {error:?}");
        }
    }
}

/// Both outlive the stack, so a second installation has to be told of them by their names.
#[test]
fn the_readme_says_how_to_install_again_beside_what_an_uninstall_leaves() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let template = template();
    let name = |resource: &str, member: &str| {
        let text = template["Resources"][resource]["Properties"][member]["Fn::Sub"].as_str().unwrap().to_owned();
        text.replace("${Prefix}", template["Parameters"]["Prefix"]["Default"].as_str().unwrap()).replace("${AWS::Region}", "eu-west-1")
    };
    for (parameter, value) in
        [("FlowLogGroupName", name("FlowLogs", "LogGroupName")), ("FlowLogRoleName", name("FlowLogDelivery", "RoleName"))]
    {
        assert!(readme.contains(&format!("{parameter}={value}")), "{parameter}={value}");
    }
}
