//! What comes wrapped in SNS, in SQS, or in both is read as if it had come by itself; and no topic and no queue can call a function.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

#[allow(dead_code, reason = "every test takes what it needs")]
mod corpus;

use corpus::samples::{own_of, sample, samples, told};
use corpus::{event, with, without};
use palisade_policy::guardrail::Guardrail::{self, DenySource, EnableFlowLogs, RevokeAdminIngress};
use palisade_policy::trigger::{Door, Targets};
use palisade_trigger::{Batch, Carrier, Message, Reading, TriggerError, batch, read};
use serde_json::{Value, json};

const QUEUE: Carrier = Carrier::Queue { fifo: false };

/// What is put into an envelope, and where it then stands.
struct Wrapped {
    payload: Value,
    path: &'static str,
}

impl Wrapped {
    fn read(&self, guardrail: Guardrail) -> Result<Reading, TriggerError> {
        match batch(&self.payload).unwrap() {
            Some(batch) => batch.messages[0].read(&own_of(guardrail)),
            None => read(&self.payload, &own_of(guardrail)),
        }
    }
}

/// Through every envelope that AWS has for it: a topic to a function; a queue; a topic to a queue.
fn every_way(inner: &Value) -> [Wrapped; 3] {
    let text = |value: &Value| json!(value.to_string());
    let in_sns = with(sample("sns-cloudtrail"), [("/Records/0/Sns/Message", text(inner))]);
    let in_sqs = with(sample("sqs-cloudtrail"), [("/Records/0/body", text(inner))]);
    let notification: Value = serde_json::from_str(sample("sqs-cloudtrail-in-sns")["Records"][0]["body"].as_str().unwrap()).unwrap();
    let notification = with(notification, [("/Message", text(inner))]);
    let in_both = with(sample("sqs-cloudtrail-in-sns"), [("/Records/0/body", text(&notification))]);
    [
        Wrapped { payload: in_sns, path: "Records[0].Sns.Message" },
        Wrapped { payload: in_sqs, path: "Records[0].body" },
        Wrapped { payload: in_both, path: "Records[0].body.Message" },
    ]
}

/// The readings of a batch's messages, each in one line.
fn each_told(guardrail: Guardrail, payload: &Value) -> Vec<String> {
    let line = |message: &Message| match message.read(&own_of(guardrail)) {
        Ok(Reading::Trigger(trigger)) => match trigger.targets {
            Targets::SecurityGroups(ids) => format!("{:?}: {}", trigger.cause.door, ids[0]),
            other => panic!("{other:?}"),
        },
        Ok(Reading::Ignored { why, .. }) => format!("ignored: {why}"),
        Err(error) => format!("error: {error}"),
    };
    batch(payload).unwrap().unwrap().messages.iter().map(line).collect()
}

/// What a payload is taken apart into: by what it came, and the ids of its messages.
fn parts(payload: &Value) -> Result<Option<(Carrier, Vec<String>)>, String> {
    let ids = |batch: Batch| (batch.carrier, batch.messages.into_iter().map(|message| message.id).collect());
    batch(payload).map(|batch| batch.map(ids)).map_err(|error| error.to_string())
}

#[test]
fn whatever_is_wrapped_is_read_as_if_it_had_come_by_itself() {
    let mut triggers = 0;
    for (name, payload) in samples().into_iter().filter(|(_, payload)| payload.get("Records").is_none()) {
        for guardrail in Guardrail::ALL {
            let bare = read(&payload, &own_of(guardrail));
            if matches!(&bare, Ok(Reading::Trigger(trigger)) if trigger.cause.door == Door::Direct) {
                continue;
            }
            for wrapped in every_way(&payload) {
                let wanted = bare.clone().map_err(|error| match error {
                    TriggerError::Member { path, problem } => TriggerError::Member { path: format!("{}.{path}", wrapped.path), problem },
                    unrecognised @ TriggerError::Unrecognised(_) => unrecognised,
                });
                match (wrapped.read(guardrail), wanted) {
                    // A call that is wrong, or nothing at all: the envelope says so in its own words.
                    (Err(TriggerError::Member { path, .. }), Err(_)) => {
                        assert!(path.starts_with(wrapped.path), "{guardrail} {name}: {path}")
                    }
                    (Err(TriggerError::Unrecognised(what)), Err(_)) if what.contains(" holds ") => {
                        assert!(what.starts_with(&format!("`{}", wrapped.path)), "{guardrail} {name}: {what}");
                    }
                    (read, wanted) => assert_eq!(read, wanted, "{guardrail} {name} {}", wrapped.path),
                }
                triggers += usize::from(matches!(bare, Ok(Reading::Trigger(_))));
            }
        }
    }
    assert!(triggers > 100, "{triggers}");
}

#[test]
fn each_door_is_read_from_a_topic_and_from_a_queue() {
    let opened = event("console-opens-ssh");
    let rows = [
        ("cloudtrail", RevokeAdminIngress, opened),
        ("config-compliance", RevokeAdminIngress, sample("config-restricted-ssh")),
        ("config-rule", RevokeAdminIngress, sample("config-rule-change")),
        ("security-hub", RevokeAdminIngress, sample("security-hub-ec2-13")),
        ("guardduty", DenySource, sample("guardduty-ssh-brute-force")),
        ("schedule", RevokeAdminIngress, event("sweep")),
    ];
    for (door, guardrail, bare) in rows {
        let wanted = read(&bare, &own_of(guardrail));
        assert!(matches!(wanted, Ok(Reading::Trigger(_))), "{door}");
        for envelope in ["sns", "sqs"] {
            let wrapped = Wrapped { payload: sample(&format!("{envelope}-{door}")), path: "" };
            assert_eq!(wrapped.read(guardrail), wanted, "{envelope}-{door}");
        }
    }
    let by_topic = told(DenySource, &sample("alarm-sns"));
    assert_eq!(by_topic, "deny: 198.51.100.88/32");
    for name in ["sqs-alarm-in-sns", "sqs-alarm-raw"] {
        let Ok(Reading::Trigger(trigger)) = (Wrapped { payload: sample(name), path: "" }).read(DenySource) else { panic!("{name}") };
        let Targets::Attack(attack) = trigger.targets else { panic!("{name}") };
        assert_eq!(attack.sources[0].to_string(), "198.51.100.88/32", "{name}");
    }
}

#[test]
fn a_direct_call_comes_by_no_topic_and_no_queue() {
    let calls = [
        ("securityGroupIds", json!({"securityGroupIds": ["sg-0a"], "dryRun": false})),
        ("vpcIds", json!({"vpcIds": ["vpc-0a"]})),
        ("sources", json!({"sources": ["198.51.100.7"], "dryRun": false})),
        ("sweep", json!({"sweep": true, "dryRun": false})),
        ("undo", json!({"undo": {}, "reason": "CHG-1"})),
        ("dryRun", json!({"dryRun": false})),
    ];
    for (member, call) in calls {
        for wrapped in every_way(&call) {
            for guardrail in Guardrail::ALL {
                let wanted = format!("`{}.{member}` is for a direct call, which no topic and no queue can make", wrapped.path);
                assert_eq!(wrapped.read(guardrail).unwrap_err().to_string(), wanted);
            }
        }
    }
    // Nor beside an event, nor beside the records themselves.
    let beside = with(event("console-opens-ssh"), [("/sweep", json!(true))]);
    for wrapped in every_way(&beside) {
        let wanted = format!("`{}.sweep` is for a direct call, and this is an event", wrapped.path);
        assert_eq!(wrapped.read(RevokeAdminIngress).unwrap_err().to_string(), wanted);
    }
    let beside = with(sample("sns-cloudtrail"), [("/sweep", json!(true))]);
    assert_eq!(
        told(RevokeAdminIngress, &beside),
        "error: `Records` is unknown; revoke-admin-ingress takes `securityGroupIds`, `sweep`, `dryRun`"
    );
}

#[test]
fn nothing_is_unwrapped_more_often_than_aws_wraps_it() {
    for name in ["sns-cloudtrail", "sqs-cloudtrail", "sqs-cloudtrail-in-sns", "alarm-sns"] {
        for wrapped in every_way(&sample(name)) {
            let wanted = format!("unrecognised event: `{}` holds an object with the members `Records`", wrapped.path);
            assert_eq!(wrapped.read(RevokeAdminIngress).unwrap_err().to_string(), wanted, "{name}");
        }
    }
    let notification: Value = serde_json::from_str(sample("sqs-cloudtrail-in-sns")["Records"][0]["body"].as_str().unwrap()).unwrap();
    for wrapped in every_way(&notification).iter().skip(2) {
        let error = wrapped.read(RevokeAdminIngress).unwrap_err().to_string();
        assert!(error.starts_with("unrecognised event: `Records[0].body.Message` holds an object with the members `Message`, "), "{error}");
    }
}

#[test]
fn what_a_topic_sends_that_can_not_be_read_is_named_where_it_stands() {
    let sns = || sample("sns-cloudtrail");
    let message = |value: Value| with(sns(), [("/Records/0/Sns/Message", value)]);
    let rows = [
        (message(json!("{\"detail-type\":")), "error: `Records[0].Sns.Message` is JSON that was cut off (line 1, column 15)"),
        (message(json!("hello")), "error: `Records[0].Sns.Message` is a text that is not JSON, or nested too deeply (line 1, column 1)"),
        (message(json!("")), "error: `Records[0].Sns.Message` is JSON that was cut off (line 1, column 0)"),
        (message(json!("7")), "error: unrecognised event: `Records[0].Sns.Message` holds a number"),
        (message(json!("null")), "error: unrecognised event: `Records[0].Sns.Message` holds null"),
        (message(event("console-opens-ssh")), "error: `Records[0].Sns.Message` is not a text"),
        (message(Value::Null), "error: `Records[0].Sns.Message` is missing"),
        (with(sns(), [("/Records/0/Sns", json!("{}"))]), "error: unrecognised event: an object with the members `Records`"),
        (with(sns(), [("/Records", json!([]))]), "error: unrecognised event: an object with the members `Records`"),
        (with(sns(), [("/Records", json!({}))]), "error: unrecognised event: an object with the members `Records`"),
        (json!({"Records": [{"eventSource": "aws:s3", "s3": {}}]}), "error: unrecognised event: an object with the members `Records`"),
        // Lambda and HTTP spell the addresses of the signature otherwise; nothing but the message counts.
        (
            without(sns(), ["/Records/0/Sns/SigningCertUrl", "/Records/0/Sns/TopicArn", "/Records/0/Sns/MessageId"]),
            "look: sg-08efe62ec2ff0f78d",
        ),
        (with(sns(), [("/Records/0/Sns/SigningCertURL", json!(7)), ("/Records/0/EventSource", Value::Null)]), "look: sg-08efe62ec2ff0f78d"),
    ];
    for (payload, wanted) in rows {
        assert_eq!(told(RevokeAdminIngress, &payload), wanted);
    }
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let told = told(RevokeAdminIngress, &message(json!(deep)));
    assert!(told.starts_with("error: `Records[0].Sns.Message` is a text that is not JSON, or nested too deeply"), "{told}");
}

#[test]
fn a_batch_is_what_a_queue_sends_or_a_topic_in_several_records() {
    let ids = |payload: &Value| -> Vec<String> {
        payload["Records"].as_array().unwrap().iter().map(|record| record["messageId"].as_str().unwrap().to_owned()).collect()
    };
    for (name, fifo) in [
        ("sqs-cloudtrail", false),
        ("sqs-alarm-in-sns", false),
        ("sqs-alarm-raw", false),
        ("sqs-fifo", true),
        ("sqs-batch-with-a-bad-body", false),
    ] {
        let payload = sample(name);
        assert_eq!(parts(&payload), Ok(Some((Carrier::Queue { fifo }, ids(&payload)))), "{name}");
    }
    for payload in [
        sample("sns-cloudtrail"),
        sample("alarm-sns"),
        event("console-opens-ssh"),
        json!({"sweep": true}),
        json!({}),
        json!([]),
        Value::Null,
    ] {
        assert_eq!(parts(&payload), Ok(None));
    }
    for records in [json!([]), json!({}), Value::Null, json!("[]"), json!([7]), json!([{"eventSource": "aws:kinesis"}]), json!([{}, {}])] {
        assert_eq!(parts(&json!({"Records": records})), Ok(None), "{records}");
    }
    let one = sample("sns-cloudtrail")["Records"][0].clone();
    let of_topic = json!({"Records": [one, without(one.clone(), ["/Sns/MessageId"])]});
    let first = one["Sns"]["MessageId"].as_str().unwrap().to_owned();
    assert_eq!(parts(&of_topic), Ok(Some((Carrier::Topic, vec![first, "1".to_owned()]))));
    assert_eq!(each_told(RevokeAdminIngress, &of_topic), ["Cloudtrail: sg-08efe62ec2ff0f78d", "Cloudtrail: sg-08efe62ec2ff0f78d"]);
    assert_eq!(told(RevokeAdminIngress, &of_topic), "error: `Records` has 2 records, and one answer has room for one");
}

#[test]
fn a_batch_of_which_a_message_could_not_be_told_is_an_error() {
    let several = || sample("sqs-batch-with-a-bad-body");
    let error = |payload: &Value| parts(payload).unwrap_err();
    let unknown = "is missing, so the queue can't be told of the message";
    assert_eq!(error(&without(several(), ["/Records/2/messageId"])), format!("`Records[2].messageId` {unknown}"));
    assert_eq!(error(&with(several(), [("/Records/0/messageId", json!(""))])), format!("`Records[0].messageId` {unknown}"));
    assert_eq!(error(&with(several(), [("/Records/1/messageId", json!(7))])), "`Records[1].messageId` is not a text");
    let mixed = with(several(), [("/Records/1", sample("sns-cloudtrail")["Records"][0].clone())]);
    assert_eq!(error(&mixed), "`Records[1]` is of another kind than the record before it");
    assert_eq!(error(&with(several(), [("/Records/4", json!(7))])), "`Records[4]` is of another kind than the record before it");
    let record = &sample("sqs-cloudtrail")["Records"][0];
    assert_eq!(parts(&json!({"Records": vec![record; 10_000]})).unwrap().unwrap().1.len(), 10_000);
    assert_eq!(error(&json!({"Records": vec![record; 10_001]})), "`Records` has 10001 records, and a queue sends 10000 at most");
}

#[test]
fn a_bad_body_among_good_ones_spoils_none_of_them() {
    let several = sample("sqs-batch-with-a-bad-body");
    let unread = "error: `Records[1].body` is JSON that was cut off (line 1, column 36)";
    let call = "error: `Records[4].body.sweep` is for a direct call, which no topic and no queue can make";
    assert_eq!(
        each_told(RevokeAdminIngress, &several),
        [
            "Cloudtrail: sg-08efe62ec2ff0f78d",
            unread,
            "SecurityHub: sg-0868a6c39d5f230f3",
            "ignored: a finding of GuardDuty is not for revoke-admin-ingress",
            call
        ]
    );
    assert_eq!(
        each_told(EnableFlowLogs, &several),
        [
            "ignored: `AuthorizeSecurityGroupIngress` is not for enable-flow-logs",
            unread,
            "ignored: EC2.13 is not for enable-flow-logs",
            "ignored: a finding of GuardDuty is not for enable-flow-logs",
            call
        ]
    );
    let spoilt = |value: Value| with(several.clone(), [("/Records/0/body", value)]);
    assert_eq!(each_told(RevokeAdminIngress, &spoilt(Value::Null))[0], "error: `Records[0].body` is missing");
    assert_eq!(each_told(RevokeAdminIngress, &spoilt(json!({})))[0], "error: `Records[0].body` is not a text");
    let confirmation = json!({"Type": "SubscriptionConfirmation", "Token": "t"}).to_string();
    assert_eq!(
        each_told(RevokeAdminIngress, &spoilt(json!(confirmation)))[0],
        "error: unrecognised event: `Records[0].body` holds an object with the members `Token`, `Type`"
    );
    assert_eq!(
        each_told(RevokeAdminIngress, &spoilt(json!(json!({"Type": "Notification"}).to_string())))[0],
        "error: `Records[0].body.Message` is missing"
    );
}

#[test]
fn an_alarm_without_an_arn_is_placed_by_its_topic_and_without_a_topic_by_nothing() {
    let raw: Value = serde_json::from_str(sample("sqs-alarm-raw")["Records"][0]["body"].as_str().unwrap()).unwrap();
    let [in_sns, in_sqs, in_both] = every_way(&without(raw, ["/AlarmArn"]));
    for wrapped in [in_sns, in_both] {
        assert!(matches!(wrapped.read(DenySource), Ok(Reading::Trigger(_))), "{}", wrapped.path);
    }
    let error = in_sqs.read(DenySource).unwrap_err().to_string();
    assert_eq!(error, "`Records[0].body.AlarmArn` is missing, so whose event it is can't be told");
}

#[test]
fn one_queue_is_ordered_and_another_is_not() {
    let named = |arn: Value| parts(&with(sample("sqs-cloudtrail"), [("/Records/0/eventSourceARN", arn)])).unwrap().unwrap().0;
    assert_eq!(named(json!("arn:aws:sqs:eu-west-1:111122223333:news.fifo")), Carrier::Queue { fifo: true });
    for arn in
        [json!("arn:aws:sqs:eu-west-1:111122223333:fifo"), json!("arn:aws:sqs:eu-west-1:111122223333:a.fifo.b"), Value::Null, json!(7)]
    {
        assert_eq!(named(arn), QUEUE);
    }
}
