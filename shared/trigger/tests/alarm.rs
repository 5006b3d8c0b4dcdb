//! What a CloudWatch alarm says in each of its deliveries, and whom it names.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

#[allow(dead_code, reason = "every test takes what it needs")]
mod corpus;

use corpus::samples::{message, own_of, sample, table, told, with_message};
use corpus::{with, without};
use palisade_policy::guardrail::Guardrail::{self, DenySource};
use palisade_policy::trigger::{Cause, Door};
use palisade_trigger::{Reading, read};
use serde_json::{Value, json};

const SEARCH: &str = "search: SuspiciousTraffic until 2026-11-18T02:41:08.733Z";

/// A sample over SNS with other members in its message.
fn sns<const N: usize>(name: &str, members: [(&str, Value); N]) -> Value {
    let payload = sample(name);
    let message = with(message(&payload), members);
    with_message(payload, &message)
}

fn sns_without<const N: usize>(name: &str, members: [&str; N]) -> Value {
    let payload = sample(name);
    let message = without(message(&payload), members);
    with_message(payload, &message)
}

/// A sample over SNS whose message is this text.
fn saying(text: impl Into<Value>) -> Value {
    with(sample("alarm-sns"), [("/Records/0/Sns/Message", text.into())])
}

/// An alarm over SNS with these attributes of a contributor, and nothing else that may name a source.
fn contributed(attributes: Value) -> Value {
    sns("alarm-without-source", [("/AlarmContributorAttributes", attributes)])
}

/// An alarm over EventBridge with these dimensions.
fn measured(dimensions: Value) -> Value {
    with(sample("alarm-eventbridge-dimensions"), [("/detail/configuration/metrics/0/metricStat/metric/dimensions", dimensions)])
}

#[test]
fn the_samples_are_read_as_their_names_say() {
    table(
        DenySource,
        [
            (sample("alarm-sns"), "deny: 198.51.100.88/32"),
            (sample("alarm-sns-contributor"), "deny: 203.0.113.61/32"),
            (sample("alarm-sns-math"), "deny: 203.0.113.62/32"),
            (sample("alarm-direct-contributor"), "deny: 198.51.100.144/32"),
            (sample("alarm-eventbridge-dimensions"), "deny: 203.0.113.18/32"),
            (sample("alarm-eventbridge-contributor"), "deny: 2001:db8:bad:1::7/128"),
            (sample("alarm-data-exfiltration"), "deny both ways: 203.0.113.99/32"),
            (sample("alarm-without-source"), SEARCH),
            (sample("alarm-port-scan"), "search: PortScan until 2026-11-18T02:41:08.733Z"),
            (sample("alarm-back-to-ok"), "ignored: the alarm is in state `OK`"),
            (sample("alarm-muted"), "ignored: the alarm is muted or suppressed"),
        ],
    );
}

#[test]
fn only_an_alarm_in_state_alarm_asks_for_something() {
    for state in ["OK", "INSUFFICIENT_DATA", "alarm", ""] {
        let ignored = format!("ignored: the alarm is in state `{state}`");
        for payload in [
            sns("alarm-sns", [("/NewStateValue", json!(state))]),
            with(sample("alarm-direct-contributor"), [("/alarmData/state/value", json!(state))]),
            with(sample("alarm-eventbridge-dimensions"), [("/detail/state/value", json!(state))]),
            with(sample("alarm-eventbridge-contributor"), [("/detail/state/value", json!(state))]),
        ] {
            assert_eq!(told(DenySource, &payload), ignored);
        }
    }
    table(
        DenySource,
        [
            (sns("alarm-sns", [("/OldStateValue", json!("ALARM"))]), "deny: 198.51.100.88/32"),
            (sns("alarm-sns", [("/NewStateValue", json!(7))]), "error: `Records[0].Sns.Message.NewStateValue` is not a text"),
            (without(sample("alarm-direct-contributor"), ["/alarmData/state"]), "error: `alarmData.state.value` is missing"),
            (without(sample("alarm-eventbridge-contributor"), ["/detail/state/value"]), "error: `detail.state.value` is missing"),
        ],
    );
}

#[test]
fn an_alarm_whose_actions_are_held_back_is_told_over_eventbridge_and_ignored() {
    let held = "ignored: the alarm is muted or suppressed";
    let event = || sample("alarm-eventbridge-dimensions");
    table(
        DenySource,
        [
            (with(event(), [("/detail/muteDetail", json!({}))]), held),
            (with(event(), [("/detail/state/actionsSuppressedBy", json!("WaitPeriod"))]), held),
            (with(event(), [("/detail/previousState/actionsSuppressedBy", json!("WaitPeriod"))]), "deny: 203.0.113.18/32"),
            (
                with(event(), [("/detail-type", json!("CloudWatch Alarm Configuration Change"))]),
                "ignored: the alarm was edited, not raised",
            ),
        ],
    );
}

#[test]
fn a_source_is_read_from_its_names_in_any_spelling_and_from_no_others() {
    for name in [
        "srcAddr",
        "srcaddr",
        "SRCADDR",
        "pkt-srcaddr",
        "pktSrcAddr",
        "PKT_SRCADDR",
        "sourceIp",
        "SourceIP",
        "source_ip",
        "source-ip",
        "srcIp",
    ] {
        for payload in [
            contributed(json!({name: "198.51.100.7"})),
            measured(json!({name: "198.51.100.7"})),
            sns("alarm-sns", [("/Trigger/Dimensions", json!([{"name": name, "value": "198.51.100.7"}]))]),
        ] {
            assert_eq!(told(DenySource, &payload), "deny: 198.51.100.7/32", "{name}");
        }
    }
    for name in [
        "dstAddr",
        "destinationIp",
        "clientIp",
        "sourceIPAddress",
        "srcAddress2",
        "source",
        "src",
        "ip",
        "address",
        "addr",
        "InstanceId",
        "mysrcaddr",
        "srcaddrs",
        "src addr",
        "ſrcaddr",
        "",
    ] {
        for value in [json!("198.51.100.7"), json!("nobody"), json!(7), json!({"srcAddr": "198.51.100.7"})] {
            let searched = [contributed(json!({name: value})), measured(json!({name: value}))].map(|payload| told(DenySource, &payload));
            assert_eq!(searched, [SEARCH, SEARCH], "{name}");
        }
    }
}

#[test]
fn a_source_is_read_in_each_place_that_a_delivery_may_put_a_contributor() {
    let attributes = json!({"srcAddr": "203.0.113.5"});
    let direct = || without(sample("alarm-direct-contributor"), ["/alarmData/alarmContributor"]);
    let event = || without(sample("alarm-eventbridge-contributor"), ["/detail/alarmContributor"]);
    let denied = "deny: 203.0.113.5/32";
    table(
        DenySource,
        [
            (with(direct(), [("/alarmData/alarmContributor/attributes", attributes.clone())]), denied),
            (with(direct(), [("/alarmContributor/attributes", attributes.clone())]), denied),
            (with(direct(), [("/AlarmContributorAttributes", attributes.clone())]), denied),
            (with(direct(), [("/alarmData/AlarmContributorAttributes", attributes.clone())]), denied),
            (with(event(), [("/detail/alarmContributor/attributes", attributes.clone())]), denied),
            (with(event(), [("/detail/AlarmContributorAttributes", attributes.clone())]), denied),
            (sns("alarm-without-source", [("/alarmContributor/attributes", attributes.clone())]), denied),
            // The dimensions are those of the whole alarm; the contributor is who raised it.
            (sns("alarm-sns", [("/AlarmContributorAttributes", attributes.clone())]), denied),
            (direct(), SEARCH),
            (event(), SEARCH),
            (with(event(), [("/detail/state/reason", json!("srcAddr 203.0.113.5")), ("/detail/srcAddr", json!("203.0.113.5"))]), SEARCH),
            (contributed(json!({"endpoint": "/api/orders"})), SEARCH),
            (contributed(json!({})), SEARCH),
            (contributed(json!({"srcAddr": null})), SEARCH),
            (contributed(json!({"srcAddr": ""})), SEARCH),
            (contributed(json!("srcAddr")), "error: `Records[0].Sns.Message.AlarmContributorAttributes` is neither an object nor a list"),
        ],
    );
}

#[test]
fn several_sources_are_each_denied_once() {
    let two = json!({"srcAddr": "198.51.100.7", "pkt-srcaddr": "198.51.100.8", "sourceIp": "198.51.100.7"});
    let dimensions: Vec<Value> = (0..2_000).map(|i| json!({"name": "srcAddr", "value": format!("2001:db8::{:x}", i % 1_500)})).collect();
    let many = told(DenySource, &sns("alarm-sns", [("/Trigger/Dimensions", json!(dimensions))]));
    assert_eq!(many.split(' ').count(), 1 + 1_000, "{many}");
    table(
        DenySource,
        [
            (contributed(two), "deny: 198.51.100.8/32 198.51.100.7/32"),
            (
                sns("alarm-sns-math", [("/Trigger/Metrics/1/MetricStat/Metric/Dimensions/1/value", json!("203.0.113.1"))]),
                "deny: 203.0.113.1/32 203.0.113.62/32",
            ),
        ],
    );
}

#[test]
fn a_value_that_is_no_single_address_is_an_error_that_names_its_place() {
    type Put = fn(Value) -> Value;
    let places: [(Put, &str); 4] = [
        (|value| contributed(json!({"srcAddr": value})), "Records[0].Sns.Message.AlarmContributorAttributes.srcAddr"),
        (|value| sns("alarm-sns", [("/Trigger/Dimensions/0/value", value)]), "Records[0].Sns.Message.Trigger.Dimensions[0].value"),
        (
            |value| with(sample("alarm-direct-contributor"), [("/alarmData/alarmContributor/attributes/srcAddr", value)]),
            "alarmData.alarmContributor.attributes.srcAddr",
        ),
        (|value| measured(json!({"sourceIp": value})), "detail.configuration.metrics[0].metricStat.metric.dimensions.sourceIp"),
    ];
    let long = "x".repeat(1_000_000);
    let long_cut = format!("`{}…` is not an IP address", &long[..80]);
    for (put, path) in places {
        for (value, problem) in [
            ("scanner.example.com", "`scanner.example.com` is not an IP address"),
            ("-", "`-` is not an IP address"),
            ("198.51.100.7,198.51.100.8", "`198.51.100.7,198.51.100.8` is not an IP address"),
            ("a\u{1b}[2J", "`a\u{fffd}[2J` is not an IP address"),
            ("10.0.0.0/8", "`10.0.0.0/8` is wider than one address, and only a direct call may name such a block"),
            ("0.0.0.0/0", "`0.0.0.0/0` is wider than one address, and only a direct call may name such a block"),
            ("2001:db8::/64", "`2001:db8::/64` is wider than one address, and only a direct call may name such a block"),
            (long.as_str(), long_cut.as_str()),
        ] {
            assert_eq!(told(DenySource, &put(json!(value))), format!("error: `{path}` can't be used: {problem}"));
        }
        for value in [json!(7), json!(true), json!({"content": "198.51.100.7"}), json!(["198.51.100.7"])] {
            assert_eq!(told(DenySource, &put(value)), format!("error: `{path}` is not a text"));
        }
        // Which addresses may be denied is the policy's to say.
        for (value, denied) in [
            ("::ffff:192.0.2.1", "::ffff:192.0.2.1/128"),
            ("10.20.1.14", "10.20.1.14/32"),
            ("198.51.100.7/32", "198.51.100.7/32"),
            ("2001:DB8:0::7", "2001:db8::7/128"),
        ] {
            assert_eq!(told(DenySource, &put(json!(value))), format!("deny: {denied}"));
        }
    }
}

#[test]
fn of_data_that_leaves_the_destination_is_denied_both_ways() {
    let attributes = |attributes: Value| sns("alarm-data-exfiltration", [("/AlarmContributorAttributes", attributes)]);
    let not = "error: `Records[0].Sns.Message.AlarmContributorAttributes.dstAddr` can't be used: `nobody` is not an IP address";
    table(
        DenySource,
        [
            (attributes(json!({"pkt-dstaddr": "203.0.113.99"})), "deny both ways: 203.0.113.99/32"),
            (attributes(json!({"destinationIp": "203.0.113.99", "srcAddr": "nobody"})), "deny both ways: 203.0.113.99/32"),
            (attributes(json!({"dstAddr": "nobody", "srcAddr": "198.51.100.7"})), not),
            // Where only a source is named, it is the one.
            (attributes(json!({"srcAddr": "198.51.100.7"})), "deny both ways: 198.51.100.7/32"),
            (attributes(json!({"VpcId": "vpc-0a"})), "search: DataExfiltration until 2026-11-18T02:41:08.733Z"),
            // Of another alarm, a destination is what is attacked.
            (contributed(json!({"srcAddr": "198.51.100.7", "dstAddr": "203.0.113.99"})), "deny: 198.51.100.7/32"),
        ],
    );
}

#[test]
fn what_to_search_for_is_told_by_the_alarms_name_and_until_when_by_its_change_of_state() {
    let named = |name: &str| sns("alarm-without-source", [("/AlarmName", json!(name))]);
    let time = |value: Value| sns("alarm-without-source", [("/StateChangeTime", value)]);
    table(
        DenySource,
        [
            (named("prod-PORT-SCAN-eu"), "search: PortScan until 2026-11-18T02:41:08.733Z"),
            (named("Data-Exfiltration"), "search: DataExfiltration until 2026-11-18T02:41:08.733Z"),
            (named("suspicious-traffic"), SEARCH),
            (named("EndpointLatency"), SEARCH),
            (named(""), SEARCH),
            (time(json!("2026-11-18T03:41:08.733+0100")), SEARCH),
            (time(json!("2026-11-18T02:41:08.733Z")), SEARCH),
            // The record's own time, where the alarm's can't be read.
            (time(json!("yesterday")), "search: SuspiciousTraffic until 2026-11-18T02:41:09.512Z"),
            (time(Value::Null), "search: SuspiciousTraffic until 2026-11-18T02:41:09.512Z"),
            (
                with(sns_without("alarm-without-source", ["/StateChangeTime"]), [("/Records/0/Sns/Timestamp", json!(7))]),
                "search: SuspiciousTraffic until now",
            ),
            (
                sns_without("alarm-sns", ["/AlarmName"]),
                "error: unrecognised event: `Records[0].Sns.Message` holds an object with the members `AWSAccountId`, `AlarmActions`, \
                 `AlarmArn`, `AlarmConfigurationUpdatedTimestamp`, `AlarmDescription`, `InsufficientDataActions`, `NewStateReason`, \
                 `NewStateValue`, `OKActions`, `OldStateValue`, `Region`, `StateChangeTime` and 1 more",
            ),
            (sns("alarm-sns", [("/AlarmName", json!(7))]), "error: `Records[0].Sns.Message.AlarmName` is not a text"),
            (without(sample("alarm-direct-contributor"), ["/alarmData/alarmName"]), "error: `alarmData.alarmName` is missing"),
        ],
    );
}

#[test]
fn a_composite_alarm_or_one_without_a_description_or_a_trigger_is_no_surprise() {
    let composite = json!({"description": null, "alarmRule": "ALARM(\"a\") OR ALARM(\"b\")"});
    table(
        DenySource,
        [
            (with(sample("alarm-eventbridge-dimensions"), [("/detail/configuration", composite.clone())]), SEARCH),
            (
                with(
                    without(sample("alarm-direct-contributor"), ["/alarmData/alarmContributor"]),
                    [("/alarmData/configuration", composite)],
                ),
                SEARCH,
            ),
            (sns("alarm-sns", [("/AlarmDescription", json!("srcAddr=203.0.113.1"))]), "deny: 198.51.100.88/32"),
            (sns_without("alarm-sns", ["/Trigger"]), SEARCH),
            (sns("alarm-sns", [("/Trigger/Dimensions", Value::Null)]), SEARCH),
            (sns("alarm-sns", [("/Trigger/Dimensions", json!([null, 7, "srcAddr", {}, {"name": 7, "value": "198.51.100.7"}]))]), SEARCH),
            (sns("alarm-sns", [("/Trigger/Metrics", json!([null, 7, {"Expression": "m1"}]))]), "deny: 198.51.100.88/32"),
            (
                sns("alarm-sns", [("/Trigger/Dimensions", json!("srcAddr"))]),
                "error: `Records[0].Sns.Message.Trigger.Dimensions` is neither an object nor a list",
            ),
        ],
    );
}

#[test]
fn an_alarm_of_another_account_or_region_is_ignored_by_whichever_member_tells() {
    let account = "ignored: an event of `444455556666`, and this function acts in `111122223333` only";
    let region = "ignored: an event of `us-east-1`, and this function acts in `eu-west-1` only";
    let arn = |region: &str, account: &str| json!(format!("arn:aws:cloudwatch:{region}:{account}:alarm:a:b"));
    let topic = |region: &str, account: &str| json!(format!("arn:aws:sns:{region}:{account}:alarms"));
    let sns_topic = |payload: Value, arn: Value| with(payload, [("/Records/0/Sns/TopicArn", arn)]);
    let denied = "deny: 198.51.100.88/32";
    let direct = || sample("alarm-direct-contributor");
    let event = || sample("alarm-eventbridge-dimensions");
    table(
        DenySource,
        [
            (sns("alarm-sns", [("/AWSAccountId", json!("444455556666"))]), account),
            (sns("alarm-sns", [("/AlarmArn", arn("eu-west-1", "444455556666"))]), account),
            (sns("alarm-sns", [("/AlarmArn", arn("us-east-1", "111122223333"))]), region),
            // A display name, which says nothing.
            (sns("alarm-sns", [("/Region", json!("US East (N. Virginia)"))]), denied),
            (sns_without("alarm-sns", ["/AWSAccountId"]), denied),
            (sns_without("alarm-sns", ["/AlarmArn"]), denied),
            (sns_without("alarm-sns", ["/AlarmArn", "/AWSAccountId"]), denied),
            // The topic may be another account's; its Region is the alarm's.
            (sns_topic(sample("alarm-sns"), topic("us-east-1", "444455556666")), denied),
            (sns_topic(sns_without("alarm-sns", ["/AlarmArn"]), topic("eu-west-1", "444455556666")), denied),
            (sns_topic(sns_without("alarm-sns", ["/AlarmArn"]), topic("us-east-1", "111122223333")), region),
            (sns_topic(sns_without("alarm-sns", ["/AlarmArn", "/AWSAccountId"]), topic("eu-west-1", "444455556666")), account),
            (
                sns_topic(sns_without("alarm-sns", ["/AlarmArn", "/AWSAccountId"]), Value::Null),
                "error: `Records[0].Sns.Message.AWSAccountId` is missing, so whose event it is can't be told",
            ),
            (
                sns_topic(sns_without("alarm-sns", ["/AlarmArn"]), Value::Null),
                "error: `Records[0].Sns.Message.AlarmArn` is missing, so whose event it is can't be told",
            ),
            (sns("alarm-sns", [("/AlarmArn", json!("junk"))]), "error: `Records[0].Sns.Message.AlarmArn` is not an ARN of cloudwatch"),
            (with(direct(), [("/accountId", json!("444455556666"))]), account),
            (with(direct(), [("/alarmArn", arn("eu-west-1", "444455556666"))]), account),
            (with(direct(), [("/region", json!("us-east-1"))]), region),
            (with(direct(), [("/alarmArn", arn("us-east-1", "111122223333"))]), region),
            (without(direct(), ["/accountId", "/region"]), "deny: 198.51.100.144/32"),
            (without(direct(), ["/alarmArn"]), "deny: 198.51.100.144/32"),
            (without(direct(), ["/alarmArn", "/accountId"]), "error: `accountId` is missing, so whose event it is can't be told"),
            (without(direct(), ["/alarmArn", "/region"]), "error: `region` is missing, so whose event it is can't be told"),
            (with(event(), [("/account", json!("444455556666"))]), account),
            (with(event(), [("/region", json!("us-east-1"))]), region),
            (without(event(), ["/account"]), "error: `account` is missing, so whose event it is can't be told"),
        ],
    );
}

#[test]
fn a_message_that_is_no_alarm_is_an_error_that_names_it() {
    let whole = sample("alarm-sns")["Records"][0]["Sns"]["Message"].as_str().unwrap().to_owned();
    for length in (0..whole.len()).filter(|length| whole.is_char_boundary(*length)) {
        let told = told(DenySource, &saying(&whole[..length]));
        assert!(told.starts_with("error: `Records[0].Sns.Message` is JSON that was cut off (line 1, column "), "{length}: {told}");
    }
    let deep = |depth: usize| format!("{{\"AlarmName\":{}{}", "[".repeat(depth), "]".repeat(depth)) + "}";
    table(
        DenySource,
        [
            (saying("hello"), "error: `Records[0].Sns.Message` is a text that is not JSON, or nested too deeply (line 1, column 1)"),
            (
                saying(deep(100_000)),
                "error: `Records[0].Sns.Message` is a text that is not JSON, or nested too deeply (line 1, column 140)",
            ),
            (
                saying("x".repeat(1_000_000)),
                "error: `Records[0].Sns.Message` is a text that is not JSON, or nested too deeply (line 1, column 1)",
            ),
            (saying(deep(50)), "error: unrecognised event: `Records[0].Sns.Message` holds an object with the members `AlarmName`"),
            (saying("{}"), "error: unrecognised event: `Records[0].Sns.Message` holds an object without members"),
            (saying("[]"), "error: unrecognised event: `Records[0].Sns.Message` holds an array"),
            (saying("null"), "error: unrecognised event: `Records[0].Sns.Message` holds null"),
            (saying("\"ALARM\""), "error: unrecognised event: `Records[0].Sns.Message` holds a string"),
            (saying(sample("guardduty-ssh-brute-force").to_string()), "deny: 198.51.100.23/32 at subnet-0b1c2d3e4f5a60718"),
            (saying(message(&sample("alarm-sns"))), "error: `Records[0].Sns.Message` is not a text"),
            (saying(Value::Null), "error: `Records[0].Sns.Message` is missing"),
        ],
    );
}

#[test]
fn names_and_texts_of_a_megabyte_are_neither_told_whole_nor_taken_for_a_source() {
    let long = "x".repeat(1_000_000);
    let hyphens = format!("src{}addr", "-".repeat(1_000_000));
    table(
        DenySource,
        [
            (contributed(json!({hyphens: "198.51.100.7"})), SEARCH),
            (contributed(json!({long.as_str(): long})), SEARCH),
            (sns("alarm-without-source", [("/AlarmName", json!(long)), ("/NewStateReason", json!(long))]), SEARCH),
        ],
    );
    let state = told(DenySource, &sns("alarm-sns", [("/NewStateValue", json!(long))]));
    assert!(state.len() < 200, "{} bytes", state.len());
}

#[test]
fn sns_hands_over_one_record_at_a_time() {
    let record = sample("alarm-sns")["Records"][0].clone();
    let several = |records: Value| json!({"Records": records});
    let unrecognised = "error: unrecognised event: an object with the members `Records`";
    table(
        DenySource,
        [
            (several(json!([record, record])), "error: `Records` has 2 records, and one answer has room for one"),
            (several(json!([])), unrecognised),
            (several(json!([{"eventSource": "aws:sqs", "body": "{}"}])), unrecognised),
            (several(json!("junk")), unrecognised),
            (
                with(sample("alarm-sns"), [("/dryRun", json!(true))]),
                "error: `Records` is unknown; deny-source takes `sources`, `aclIds`, `dryRun`",
            ),
        ],
    );
}

#[test]
fn another_guardrail_ignores_every_alarm_and_another_sender_is_not_believed() {
    for guardrail in Guardrail::ALL.into_iter().filter(|guardrail| *guardrail != DenySource) {
        for name in
            ["alarm-sns", "alarm-direct-contributor", "alarm-eventbridge-dimensions", "alarm-eventbridge-contributor", "alarm-back-to-ok"]
        {
            assert_eq!(told(guardrail, &sample(name)), format!("ignored: an alarm is not for {guardrail}"), "{name}");
        }
        let cut_off = "error: `Records[0].Sns.Message` is JSON that was cut off (line 1, column 13)";
        assert_eq!(told(guardrail, &saying("{\"AlarmName\":")), cut_off);
    }
    for name in ["alarm-direct-contributor", "alarm-eventbridge-dimensions", "alarm-eventbridge-contributor"] {
        let told = told(DenySource, &with(sample(name), [("/source", json!("my.app"))]));
        assert!(told.starts_with("error: unrecognised event: "), "{told}");
    }
}

#[test]
fn what_is_ignored_is_so_whatever_its_addresses_are() {
    for junk in [json!("junk"), json!(7), json!("0.0.0.0/0"), json!([]), json!({})] {
        table(
            DenySource,
            [
                (
                    sns(
                        "alarm-back-to-ok",
                        [("/Trigger/Dimensions", junk.clone()), ("/AlarmContributorAttributes", json!({"srcAddr": junk}))],
                    ),
                    "ignored: the alarm is in state `OK`",
                ),
                (
                    with(sample("alarm-muted"), [("/detail/configuration/metrics/0/metricStat/metric/dimensions/sourceIp", junk.clone())]),
                    "ignored: the alarm is muted or suppressed",
                ),
                (
                    sns("alarm-sns", [("/AWSAccountId", json!("444455556666")), ("/Trigger/Dimensions/0/value", junk.clone())]),
                    "ignored: an event of `444455556666`, and this function acts in `111122223333` only",
                ),
            ],
        );
    }
}

#[test]
fn the_cause_is_the_alarm() {
    let cause = |name: &str| match read(&sample(name), &own_of(DenySource)).unwrap() {
        Reading::Trigger(trigger) => trigger.cause,
        Reading::Ignored { cause, .. } => cause,
    };
    let wanted = |event_id: Option<&str>| Cause {
        event_id: event_id.map(str::to_owned),
        time: Some("2026-11-18T02:41:08.733Z".parse().unwrap()),
        detail: Some("palisade-suspicious-traffic".to_owned()),
        ..Cause::new(Door::Alarm)
    };
    assert_eq!(cause("alarm-sns"), wanted(Some("0f2f6d4e-31f6-5b0a-9c8d-7e6f5a4b3c01")));
    assert_eq!(cause("alarm-back-to-ok"), wanted(Some("0f2f6d4e-31f6-5b0a-9c8d-7e6f5a4b3c04")));
    assert_eq!(cause("alarm-direct-contributor"), wanted(None), "it has no id");
    assert_eq!(cause("alarm-eventbridge-dimensions"), wanted(Some("c4c1c1c9-6542-4a1b-9ef0-8c4d36933a01")));
    assert_eq!(cause("alarm-eventbridge-contributor"), wanted(Some("c4c1c1c9-6542-4a1b-9ef0-8c4d36933a02")));
}
