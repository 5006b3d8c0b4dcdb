//! The laws of enable-flow-logs, each a sentence, and the table of what is enough, written out by hand.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use jiff::Timestamp;
use palisade_policy::change::{Change, undo};
use palisade_policy::commands::command;
use palisade_policy::enable_flow_logs::{Policy, Settings};
use palisade_policy::flow_log::TrafficType::{Accept, All, Reject};
use palisade_policy::flow_log::{Destination, FlowLog, Place, TrafficType, Vpc};
use palisade_policy::plan::{Fate, Plan, Verdict};
use palisade_policy::security_group::Tags;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

const EXEMPT: &str = "palisade:exempt:enable-flow-logs";
/// What a tag may say, and whether it exempts.
const EXEMPTIONS: [(&str, bool); 5] = [
    ("until=2026-12-31 reason=CHG-1", true),
    ("until=2026-11-21T12:00:01Z reason=x", true),
    ("until=2026-11-20 reason=CHG-1", false),
    ("until=2026-12-31", false),
    ("true", false),
];
const PLACES: [&str; 5] =
    ["/palisade/flow", "/palisade/flow/", "arn:aws:s3:::a-bucket/flow", "arn:aws:s3:::a-bucket/flow/", "arn:aws:firehose:eu-west-1:1:x"];

/// At least 10,000 cases a law; `PROPTEST_CASES` asks for more. No files of old failures: a failure becomes a test by name.
fn config() -> ProptestConfig {
    let asked = ProptestConfig::default();
    ProptestConfig { cases: asked.cases.max(10_000), failure_persistence: None, ..asked }
}

fn now() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

fn destination(place: &str) -> Destination {
    match place.starts_with("arn:") {
        true => Destination::S3 { log_destination: place.to_owned() },
        false => Destination::LogGroup {
            log_group_name: place.to_owned(),
            deliver_logs_permission_arn: "arn:aws:iam::111122223333:role/flow-logs".to_owned(),
        },
    }
}

fn policy(place: &str, traffic: TrafficType, exemptions: bool) -> Policy {
    Policy::new(Settings { destination: destination(place), traffic, exemptions })
}

fn traffic() -> impl Strategy<Value = TrafficType> {
    select(vec![Accept, Reject, All])
}

fn flow_log() -> impl Strategy<Value = FlowLog> {
    let failing = prop_oneof![3 => Just(None), 1 => select(vec!["Access error", "Rate limited", "\u{202e}.\n"]).prop_map(Some)];
    (0_u16..200, traffic(), select(PLACES.to_vec()), prop::bool::weighted(0.9), failing).prop_map(
        |(id, traffic_type, place, active, failing)| FlowLog {
            id: Some(format!("fl-{id}").parse().unwrap()),
            traffic_type,
            destination: place.to_owned(),
            active,
            failing: failing.map(str::to_owned),
            tags: Tags::new(),
        },
    )
}

fn vpc() -> impl Strategy<Value = Vpc> {
    (vec(flow_log(), 0..4), option::weighted(0.3, select(EXEMPTIONS.to_vec()))).prop_map(|(flow_logs, exemption)| Vpc {
        id: "vpc-0a".parse().unwrap(),
        owner: "111122223333".parse().unwrap(),
        tags: exemption.into_iter().map(|(value, _)| (EXEMPT.to_owned(), value.to_owned())).collect(),
        flow_logs,
    })
}

#[derive(Debug, Clone)]
struct Case {
    vpc: Vpc,
    place: &'static str,
    traffic: TrafficType,
    exemptions: bool,
}

impl Case {
    fn plan_of(&self, vpc: &Vpc, refusals: usize) -> Plan {
        policy(self.place, self.traffic, self.exemptions).plan(vpc, now(), refusals)
    }

    fn plan(&self) -> Plan {
        self.plan_of(&self.vpc, 0)
    }

    fn after(&self) -> Vpc {
        let mut vpc = self.vpc.clone();
        for change in self.plan().changes {
            change.apply(&mut vpc).unwrap();
        }
        vpc
    }

    fn is_exempt(&self) -> bool {
        let valid = |value: &String| EXEMPTIONS.iter().any(|(text, valid)| *valid && text == value);
        self.exemptions && self.vpc.tags.get(EXEMPT).is_some_and(valid)
    }
}

fn cases() -> impl Strategy<Value = Case> {
    (vpc(), select(PLACES[..4].to_vec()), traffic(), prop::bool::weighted(0.8)).prop_map(|(vpc, place, traffic, exemptions)| Case {
        vpc,
        place,
        traffic,
        exemptions,
    })
}

/// Packet by packet: one that was accepted, and one that was rejected.
fn is_enough(vpc: &Vpc, wanted: TrafficType) -> bool {
    [(true, wanted != Reject), (false, wanted != Accept)].into_iter().filter(|(_, wanted)| *wanted).all(|(accepted, _)| {
        vpc.flow_logs.iter().filter(|log| log.active && log.failing.is_none()).any(|log| match log.traffic_type {
            Accept => accepted,
            Reject => !accepted,
            All => true,
        })
    })
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn after_the_changes_the_wanted_traffic_is_recorded(case in cases()) {
        let plan = case.plan();
        match plan.verdict {
            Verdict::Compliant | Verdict::Change => prop_assert!(is_enough(&case.after(), case.traffic)),
            Verdict::Exempt { .. } => prop_assert!(case.is_exempt()),
            Verdict::Refused => prop_assert!(!is_enough(&case.vpc, case.traffic)),
        }
        prop_assert_eq!(plan.verdict == Verdict::Change, !plan.changes.is_empty());
    }

    #[test]
    fn what_is_enough_is_untouched_and_nothing_else_is_compliant(case in cases()) {
        prop_assert_eq!(case.plan().verdict == Verdict::Compliant, is_enough(&case.vpc, case.traffic));
    }

    #[test]
    fn no_flow_log_that_exists_is_ever_touched(case in cases()) {
        prop_assert_eq!(&case.after().flow_logs[..case.vpc.flow_logs.len()], &case.vpc.flow_logs[..]);
    }

    #[test]
    fn at_most_one_flow_log_is_created_of_just_the_wanted_traffic_to_just_the_destination_and_tagged(case in cases()) {
        let plan = case.plan();
        prop_assert!(plan.changes.len() <= 1);
        for change in plan.changes {
            let Change::CreateFlowLog(created) = change else { return Err(TestCaseError::fail("it is no creation")) };
            prop_assert_eq!(created.traffic_type, case.traffic);
            prop_assert_eq!(created.destination, destination(case.place));
            prop_assert_eq!(created.tags, Tags::from([("palisade:guardrail".to_owned(), "enable-flow-logs".to_owned())]));
        }
    }

    #[test]
    fn what_is_done_once_need_not_be_done_again(case in cases()) {
        if case.plan().verdict == Verdict::Change {
            prop_assert_eq!(case.plan_of(&case.after(), 0).verdict, Verdict::Compliant);
        }
    }

    #[test]
    fn undo_restores_what_was_there(case in cases()) {
        let mut vpc = case.after();
        for change in undo(&case.plan().changes) {
            change.apply(&mut vpc).unwrap();
        }
        prop_assert_eq!(vpc, case.vpc);
    }

    #[test]
    fn a_change_survives_json_and_its_inverse_is_its_own(case in cases()) {
        for change in case.plan().changes {
            for change in [change.clone(), change.inverse()] {
                let json = serde_json::to_string(&change).unwrap();
                prop_assert_eq!(&serde_json::from_str::<Change>(&json).unwrap(), &change);
                prop_assert_eq!(change.inverse().inverse(), change);
            }
        }
    }

    #[test]
    fn a_valid_exemption_exempts_and_no_other_does(case in cases()) {
        let is_exempt = matches!(case.plan().verdict, Verdict::Exempt { .. });
        prop_assert_eq!(is_exempt, case.is_exempt() && !is_enough(&case.vpc, case.traffic));
    }

    #[test]
    fn what_does_not_deliver_is_named_with_its_reason(case in cases()) {
        let plan = case.plan();
        let told = format!("{}\n{}", plan.reason, plan.remarks.join("\n"));
        for log in case.vpc.flow_logs.iter().filter(|log| !log.active || log.failing.is_some()) {
            prop_assert!(told.contains(log.id.as_ref().unwrap().as_str()), "{told}");
            if let Some(why) = log.failing.as_ref().filter(|why| why.is_ascii()) {
                prop_assert!(told.contains(why), "{told}");
            }
        }
    }

    #[test]
    fn once_ec2_said_that_one_is_in_the_way_none_is_created_beside_it(case in cases(), refusals in 1_usize..4) {
        let plan = case.plan_of(&case.vpc, refusals);
        let plain = |place: &str| if place.starts_with("arn:") { place.trim_end_matches('/').to_owned() } else { place.to_owned() };
        let beside = case.vpc.flow_logs.iter().any(|log| plain(&log.destination) == plain(case.place));
        prop_assert!(plan.verdict != Verdict::Change || !beside);
    }

    #[test]
    fn the_sketch_shows_every_flow_log_and_what_is_added(case in cases()) {
        let plan = case.plan();
        let lines = |fate| plan.sketch.lines.iter().filter(|line| line.fate == fate).count();
        let shown = if plan.verdict == Verdict::Compliant { 0 } else { case.vpc.flow_logs.len() };
        prop_assert_eq!((lines(Fate::Kept), lines(Fate::Added), lines(Fate::Removed)), (shown, plan.changes.len(), 0));
    }

    #[test]
    fn nothing_that_a_vpc_may_say_makes_it_panic(
        case in cases(), text in any::<String>(), tag in any::<String>(), second in any::<i32>(), refusals in any::<usize>(),
    ) {
        let mut vpc = case.vpc.clone();
        vpc.tags.insert(EXEMPT.to_owned(), tag);
        vpc.tags.insert("Name".to_owned(), text.clone());
        for log in &mut vpc.flow_logs {
            log.failing = Some(text.clone());
            log.destination.clone_from(&text);
            log.id = None;
        }
        let now = Timestamp::from_second(second.into()).unwrap();
        let plan = policy(&text, case.traffic, case.exemptions).plan(&vpc, now, refusals);
        for change in plan.changes.iter().chain(&undo(&plan.changes)) {
            let _ = command(change, &"eu-west-1".parse().unwrap());
        }
    }

    #[test]
    fn a_destination_is_read_without_panic_and_kept_as_it_was_written(text in any::<String>()) {
        if let Ok(Place::LogGroup(its) | Place::S3(its)) = text.parse::<Place>() {
            prop_assert_eq!(its, text);
        }
    }
}

fn logs(of: &[(TrafficType, &str, Option<&str>)]) -> Vpc {
    let flow_logs = of.iter().enumerate().map(|(n, (traffic_type, place, failing))| FlowLog {
        id: Some(format!("fl-{n}").parse().unwrap()),
        traffic_type: *traffic_type,
        destination: (*place).to_owned(),
        active: true,
        failing: failing.map(str::to_owned),
        tags: Tags::new(),
    });
    Vpc { id: "vpc-0a".parse().unwrap(), owner: "111122223333".parse().unwrap(), tags: Tags::new(), flow_logs: flow_logs.collect() }
}

#[test]
fn a_plan_says_in_one_line_what_is_missing() {
    let flow = "/palisade/flow";
    let access = Some("Access error");
    for (wanted, vpc, refusals, verdict, reason) in [
        (All, logs(&[]), 0, Verdict::Change, "no flow log records its traffic"),
        (All, logs(&[(All, "x", None)]), 0, Verdict::Compliant, "ALL traffic is recorded"),
        (All, logs(&[(Accept, "x", None)]), 0, Verdict::Change, "only ACCEPT traffic is recorded, not REJECT"),
        (All, logs(&[(Reject, "x", None), (Accept, "y", access)]), 0, Verdict::Change, "only REJECT traffic is recorded, not ACCEPT"),
        (Accept, logs(&[(Reject, "x", None)]), 0, Verdict::Change, "only REJECT traffic is recorded, not ACCEPT"),
        (Reject, logs(&[(Accept, "x", None), (Reject, "y", None)]), 0, Verdict::Compliant, "REJECT traffic is recorded"),
        (All, logs(&[(All, "x", access)]), 0, Verdict::Change, "no flow log that records its traffic delivers it"),
        (
            All,
            logs(&[(All, flow, access)]),
            0,
            Verdict::Refused,
            "no flow log that records its traffic delivers it; fl-0 of ALL traffic does not deliver to log group /palisade/flow: Access \
             error; it is just what would be created, and EC2 takes no second one alike",
        ),
        (All, logs(&[(Accept, flow, None)]), 0, Verdict::Change, "only ACCEPT traffic is recorded, not REJECT"),
        (
            All,
            logs(&[(Accept, flow, None)]),
            1,
            Verdict::Refused,
            "only ACCEPT traffic is recorded, not REJECT; fl-0 records ACCEPT traffic to log group /palisade/flow; EC2 takes no other of \
             this VPC to the same destination",
        ),
        (All, logs(&[(Accept, "x", None)]), 1, Verdict::Change, "only ACCEPT traffic is recorded, not REJECT"),
    ] {
        let plan = policy(flow, wanted, true).plan(&vpc, now(), refusals);
        assert_eq!((plan.verdict, plan.reason.as_str()), (verdict, reason), "{wanted} of {:?}", vpc.flow_logs);
    }
}

#[test]
fn a_flow_log_that_does_not_say_yet_whether_it_delivers_counts_and_one_that_is_not_active_does_not() {
    let mut vpc = logs(&[(All, "x", None)]);
    assert_eq!(policy("y", All, true).plan(&vpc, now(), 0).verdict, Verdict::Compliant);
    vpc.flow_logs[0].active = false;
    let plan = policy("y", All, true).plan(&vpc, now(), 0);
    assert_eq!(plan.verdict, Verdict::Change);
    assert_eq!(plan.remarks, ["fl-0 of ALL traffic to log group x is not ACTIVE"]);
}

#[test]
fn a_destination_is_a_log_groups_name_or_a_place_in_a_bucket() {
    let long = "x".repeat(513);
    for (text, wanted) in [
        ("/palisade/flow", Ok(Place::LogGroup("/palisade/flow".to_owned()))),
        ("vpc.flow_logs#1-a", Ok(Place::LogGroup("vpc.flow_logs#1-a".to_owned()))),
        ("arn:aws:s3:::a-bucket", Ok(Place::S3("arn:aws:s3:::a-bucket".to_owned()))),
        ("arn:aws-cn:s3:::a-bucket/flow/", Ok(Place::S3("arn:aws-cn:s3:::a-bucket/flow/".to_owned()))),
        ("arn:aws-us-gov:s3:::a.bucket/MyAWSLogs", Ok(Place::S3("arn:aws-us-gov:s3:::a.bucket/MyAWSLogs".to_owned()))),
        ("", Err("`` is neither the name of a log group")),
        ("a group", Err("is neither the name of a log group")),
        (long.as_str(), Err("is neither the name of a log group")),
        ("a:b", Err("is neither the name of a log group")),
        ("arn:aws:s3:::a-bucket/AWSLogs", Err("has `AWSLogs` as a folder")),
        ("arn:aws:s3:::a-bucket/x/AWSLogs/", Err("has `AWSLogs` as a folder")),
        ("arn:aws:s3:::", Err("does not name a bucket")),
        ("arn:aws:s3:::A_Bucket/x", Err("does not name a bucket")),
        ("arn:aws:s3:eu-west-1:111122223333:a-bucket", Err("is not `arn:aws:s3:::bucket/prefix`")),
        ("arn:evil:s3:::a-bucket", Err("is not `arn:aws:s3:::bucket/prefix`")),
        ("arn:aws:s3:::a-bucket/a b", Err("a prefix that is not of printable ASCII")),
        ("arn:aws:logs:eu-west-1:111122223333:log-group:x", Err("is the ARN of a log group; its name is wanted")),
        ("arn:aws:firehose:eu-west-1:111122223333:deliverystream/x", Err("is not an ARN of s3")),
        ("arn:aws", Err("is not an ARN of s3")),
    ] {
        match (text.parse::<Place>(), wanted) {
            (Ok(place), Ok(wanted)) => assert_eq!(place, wanted),
            (Err(error), Err(wanted)) => assert!(error.contains(wanted), "{text}: {error}"),
            (read, wanted) => panic!("{text} is read as {read:?}, not {wanted:?}"),
        }
    }
}

#[test]
fn the_command_that_takes_a_flow_log_back_finds_it_by_what_it_records_and_where() {
    let created = |place| policy(place, All, true).plan(&logs(&[]), now(), 0).changes;
    let undone = |place| command(&undo(&created(place))[0], &"eu-west-1".parse().unwrap());
    assert_eq!(
        undone("/palisade/flow"),
        "aws ec2 delete-flow-logs --region eu-west-1 --flow-log-ids \"$(aws ec2 describe-flow-logs --region eu-west-1 --filter \
         Name=resource-id,Values=vpc-0a Name=traffic-type,Values=ALL --query 'FlowLogs[?LogGroupName==`\"/palisade/flow\"`].FlowLogId' \
         --output text)\""
    );
    // EC2 may write a bucket's ARN with a slash at the end or without.
    for place in ["arn:aws:s3:::b-1/x", "arn:aws:s3:::b-1/x/"] {
        let query = "--query 'FlowLogs[?LogDestination==`\"arn:aws:s3:::b-1/x\"` || LogDestination==`\"arn:aws:s3:::b-1/x/\"`].FlowLogId'";
        assert!(undone(place).contains(query), "{}", undone(place));
    }
}
