//! The laws of undo-change, each a sentence: on random states, for the changes of every guardrail.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may panic")]

mod acl_model;
mod model;

use std::collections::BTreeSet;

use jiff::Timestamp;
use palisade_policy::change::{AclEntryChange, Change, State, TagChange, TagRemoval};
use palisade_policy::enable_flow_logs;
use palisade_policy::exemption::is_key;
use palisade_policy::flow_log::{Destination, FlowLog, TrafficType, Vpc};
use palisade_policy::guardrail::Guardrail;
use palisade_policy::lift_denials::{self, Lifting};
use palisade_policy::network_acl::{AclEntry, Action, NetworkAcl};
use palisade_policy::plan::{Plan, Verdict};
use palisade_policy::security_group::{Direction, SecurityGroup, Source, Tags};
use palisade_policy::strip_default_group::{self, DefaultGroup};
use palisade_policy::traffic::Traffic;
use palisade_policy::undo_change::{Policy, Undoing};
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// At least 2,000 cases a law, each of which is undone three times; `PROPTEST_CASES` asks for more.
fn config() -> ProptestConfig {
    let asked = ProptestConfig::default();
    ProptestConfig {
        cases: asked.cases.max(2_000),
        failure_persistence: None,
        max_shrink_time: 60_000,
        max_global_rejects: 100_000,
        ..asked
    }
}

fn now() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

/// An undoing of these changes, of nothing yet.
fn undoing(guardrail: Guardrail, changes: &[Change]) -> Undoing {
    Undoing {
        guardrail,
        resource: "sg-0a".to_owned(),
        changes: changes.to_vec(),
        later: Vec::new(),
        rank: 0,
        reason: "CHG-1234".to_owned(),
        until: "2026-11-22T12:00:00Z".parse().unwrap(),
        groups: Vec::new(),
        vpcs: Vec::new(),
        acls: Vec::new(),
        ip_sets: Vec::new(),
    }
}

fn plan(undoing: &Undoing) -> Plan {
    Policy::new(true).plan(undoing, now(), 0)
}

fn carry_out(state: &mut impl State, changes: &[Change]) {
    for change in changes {
        change.apply(state).unwrap_or_else(|error| panic!("{change:?}: {error}"));
    }
}

fn own(tags: &Tags) -> Tags {
    tags.iter().filter(|(key, _)| !is_key(key)).map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// What is there, in one order, and but for what exempts it.
fn plain(undoing: &Undoing) -> Vec<String> {
    let mut facts = Vec::new();
    for group in &undoing.groups {
        facts.push(format!("{} {:?}", group.id, own(&group.tags)));
        let rule =
            |rule: &palisade_policy::security_group::Rule| format!("{} {rule} {:?} {:?}", group.id, rule.description, own(&rule.tags));
        facts.extend(group.rules.iter().map(rule));
    }
    for vpc in &undoing.vpcs {
        facts.push(format!("{} {:?}", vpc.id, own(&vpc.tags)));
        facts.extend(vpc.flow_logs.iter().map(|log| format!("{} {} {} {:?}", vpc.id, log.traffic_type, log.destination, log.tags)));
    }
    for acl in &undoing.acls {
        facts.push(format!("{} {:?}", acl.id, own(&acl.tags)));
        facts.extend(acl.entries.iter().map(|entry| format!("{} {entry:?}", acl.id)));
    }
    for set in &undoing.ip_sets {
        facts.push(format!("{} {}", set.arn, set.description));
        facts.extend(set.addresses.iter().map(|block| format!("{} {block}", set.arn)));
    }
    facts.sort();
    facts
}

/// Makes the changes, undoes them, undoes that, and undoes the undoing of it; `before` has what they are of. What was undone is the last.
fn undone(before: &Undoing) -> Result<Option<Undoing>, TestCaseError> {
    let mut after = before.clone();
    carry_out(&mut after, &before.changes);
    for change in &before.changes {
        prop_assert_eq!(&change.inverse().inverse(), change);
    }
    let first = plan(&after);
    if first.verdict == Verdict::Refused {
        // The one thing that may stand in the way of what was made just now.
        prop_assert!(first.reason.contains("50 tags already"), "{}", first.reason);
        return Ok(None);
    }
    prop_assert_eq!(&first.verdict, &Verdict::Change, "{}", first.reason);
    let mut undone = after.clone();
    carry_out(&mut undone, &first.changes);
    prop_assert_eq!(plain(&undone), plain(before));
    prop_assert_eq!(plan(&undone).verdict, Verdict::Compliant, "undone twice");

    let mut redone = Undoing { guardrail: Guardrail::UndoChange, changes: first.changes, ..undone.clone() };
    let second = plan(&redone);
    if second.verdict == Verdict::Refused {
        // A tag that came back without an entry, beside somebody else's entry: that it is somebody else's can't be told.
        prop_assert!(second.reason.contains("nobody would lift it"), "{}", second.reason);
        return Ok(Some(undone));
    }
    prop_assert_eq!(&second.verdict, &Verdict::Change, "{}", second.reason);
    carry_out(&mut redone, &second.changes);
    prop_assert_eq!(plain(&redone), plain(&after), "the undoing, undone");
    Ok(Some(undone))
}

fn authorised(changes: &[Change]) -> BTreeSet<String> {
    changes
        .iter()
        .filter_map(|change| if let Change::AuthorizeRule(change) = change { Some(change.rule.to_string()) } else { None })
        .collect()
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn what_revoke_admin_ingress_did_is_undone_and_it_does_nothing_more(case in model::cases::cases()) {
        let of = case.setup.policy().plan(&case.group, model::cases::now(), 0);
        prop_assume!(of.verdict == Verdict::Change);
        let before = Undoing { groups: vec![case.group.clone()], ..undoing(Guardrail::RevokeAdminIngress, &of.changes) };
        let Some(undone) = undone(&before)? else { return Ok(()) };
        if case.setup.exemptions {
            let again = case.setup.policy().plan(&undone.groups[0], now(), 0);
            prop_assert!(again.changes.is_empty(), "{:?}", again.changes);
        }
        // No rule but those that come back is exempt now and was not before.
        let back = authorised(&of.changes.iter().map(Change::inverse).collect::<Vec<_>>());
        for rule in undone.groups[0].rules.iter().filter(|rule| !back.contains(&rule.to_string())) {
            let was = case.group.rules.iter().find(|before| before.is_same(rule)).unwrap();
            prop_assert_eq!(&was.tags, &rule.tags, "{}", rule);
        }
    }

    #[test]
    fn what_was_half_done_and_finished_since_keeps_what_legitimate_traffic_passes_by(case in model::cases::cases()) {
        let of = case.setup.policy().plan(&case.group, model::cases::now(), 0);
        let (half, rest): (Vec<Change>, Vec<Change>) =
            of.changes.iter().cloned().partition(|change| matches!(change, Change::AuthorizeRule(_)));
        prop_assume!(!half.is_empty() && !rest.is_empty());
        let mut state = Undoing { groups: vec![case.group.clone()], ..undoing(Guardrail::RevokeAdminIngress, &half) };
        carry_out(&mut state, &half);
        // While the old rules are there, the pieces can go; those that a prefix list stands for can't be told, and stay.
        let early = plan(&state);
        let of_lists = case.group.rules.iter().any(|rule| matches!(rule.source, Source::PrefixListId(_)));
        prop_assert!(early.verdict == Verdict::Change || of_lists, "{}", early.reason);
        carry_out(&mut state, &rest);
        let late = plan(&state);
        let mut undone = state.clone();
        carry_out(&mut undone, &late.changes);
        for rule in &state.groups[0].rules {
            prop_assert!(undone.groups[0].rules.iter().any(|other| other.covers(rule)), "{} is closed: {}", rule, late.reason);
        }
    }

    #[test]
    fn what_strip_default_group_did_is_undone_and_it_does_nothing_more(case in model::cases::cases()) {
        let group = SecurityGroup { name: strip_default_group::NAME.to_owned(), ..case.group };
        let policy = strip_default_group::Policy::new(strip_default_group::Settings::default());
        let of = policy.plan(&DefaultGroup { group: group.clone(), interfaces: Vec::new() }, now());
        prop_assume!(of.verdict == Verdict::Change);
        let before = Undoing { groups: vec![group], ..undoing(Guardrail::StripDefaultGroup, &of.changes) };
        let Some(undone) = undone(&before)? else { return Ok(()) };
        let again = policy.plan(&DefaultGroup { group: undone.groups[0].clone(), interfaces: Vec::new() }, now());
        prop_assert!(matches!(again.verdict, Verdict::Exempt { .. }), "{:?}", again.verdict);
    }

    #[test]
    fn what_enable_flow_logs_did_is_undone_and_it_does_nothing_more(
        there in select(vec![None, Some(TrafficType::Accept), Some(TrafficType::Reject)]), tags in select(vec!["", "until=2026-11-20 reason=over"]),
    ) {
        let log = |traffic_type| FlowLog {
            id: Some("fl-0a".parse().unwrap()), traffic_type, destination: "/elsewhere".to_owned(), active: true, failing: None, tags: Tags::new(),
        };
        let exempt = ("palisade:exempt:enable-flow-logs".to_owned(), tags.to_owned());
        let vpc = Vpc {
            id: "vpc-0a".parse().unwrap(), owner: "111122223333".parse().unwrap(), flow_logs: there.map(log).into_iter().collect(),
            tags: Some(exempt).filter(|(_, value)| !value.is_empty()).into_iter().collect(),
        };
        let destination = Destination::S3 { log_destination: "arn:aws:s3:::a-bucket/flow".to_owned() };
        let policy = enable_flow_logs::Policy::new(enable_flow_logs::Settings { destination, traffic: TrafficType::All, exemptions: true });
        let of = policy.plan(&vpc, now(), 0);
        let before = Undoing { vpcs: vec![vpc], ..undoing(Guardrail::EnableFlowLogs, &of.changes) };
        let undone = undone(&before)?.unwrap();
        let again = policy.plan(&undone.vpcs[0], now(), 0);
        prop_assert!(matches!(again.verdict, Verdict::Exempt { .. }), "{:?}", again.verdict);
    }

    #[test]
    fn what_deny_source_did_is_undone_and_it_does_nothing_more_to_that_source(case in acl_model::cases::cases()) {
        let of = case.plan(acl_model::cases::now());
        prop_assume!(of.verdict == Verdict::Change);
        let denying = &case.denying;
        let ip_sets = denying.ip_sets.iter().flatten().cloned().collect();
        let resource = denying.source.to_string();
        let before = Undoing { acls: denying.acls.clone(), ip_sets, resource, ..undoing(Guardrail::DenySource, &of.changes) };
        let Some(undone) = undone(&before)? else { return Ok(()) };
        let put = |change: &Change| matches!(change, Change::PutAclEntry(_));
        if case.settings.exemptions && denying.acls.len() == 1 && of.changes.iter().any(put) {
            let mut again = case.clone();
            again.denying.acls = undone.acls;
            prop_assert!(again.plan(acl_model::cases::now()).changes.is_empty());
        }
    }

    #[test]
    fn what_lift_denials_did_is_undone_and_exempts_nobody((acl, numbers) in acl_model::cases::acls()) {
        let of = lift_denials::Policy::new(numbers).plan(&Lifting::Acl(acl.clone()), acl_model::cases::now());
        prop_assume!(of.verdict == Verdict::Change);
        let before = Undoing { acls: vec![acl], ..undoing(Guardrail::LiftDenials, &of.changes) };
        let undone = undone(&before)?.unwrap();
        prop_assert_eq!(&undone.acls[0].tags, &before.acls[0].tags);
    }

    #[test]
    fn where_somebody_was_at_work_since_the_result_is_refused_by_name(case in model::cases::cases(), at in any::<Index>()) {
        let of = case.setup.policy().plan(&case.group, model::cases::now(), 0);
        let pieces: Vec<&Change> = of.changes.iter().filter(|change| matches!(change, Change::AuthorizeRule(_))).collect();
        prop_assume!(!pieces.is_empty());
        let mut after = Undoing { groups: vec![case.group.clone()], ..undoing(Guardrail::RevokeAdminIngress, &of.changes) };
        carry_out(&mut after, &of.changes);
        let Change::AuthorizeRule(piece) = pieces[at.index(pieces.len())] else { panic!("no piece") };
        let rule = after.groups[0].rules.iter_mut().find(|rule| rule.is_same(&piece.rule)).unwrap();
        rule.description = Some("edited by somebody".to_owned());
        let plan = plan(&after);
        prop_assert_eq!(plan.verdict, Verdict::Refused);
        prop_assert!(plan.reason.contains(&piece.rule.to_string()), "{}", plan.reason);
        prop_assert!(plan.changes.is_empty());
    }
}

fn one_denial() -> (Undoing, NetworkAcl) {
    let acl = acl_model::cases::empty_acl(1);
    let entry =
        AclEntryChange { acl_id: acl.id.clone(), direction: Direction::Ingress, rule_number: 89, cidr: "198.51.100.7/32".parse().unwrap() };
    let tag = Change::DeleteTag(TagRemoval {
        resource: acl.id.to_string(),
        key: DENIAL.to_owned(),
        value: "198.51.100.7/32 until 2026-11-21T11:00:00Z alarm".to_owned(),
    });
    (Undoing { acls: vec![acl.clone()], ..undoing(Guardrail::LiftDenials, &[Change::DeleteAclEntry(entry), tag]) }, acl)
}

const DENIAL: &str = "palisade:deny:in:198.51.100.7/32";

/// No entry without the tag that has it lifted, whatever became of the denial since.
#[test]
fn a_denial_that_went_on_is_not_half_undone() {
    let (_, mut acl) = one_denial();
    let entry = |number| AclEntryChange {
        acl_id: acl.id.clone(),
        direction: Direction::Ingress,
        rule_number: number,
        cidr: "198.51.100.7/32".parse().unwrap(),
    };
    let (old, new) = (entry(89), entry(79));
    let value = "198.51.100.7/32 until 2026-11-22T11:00:00Z alarm".to_owned();
    let tag = Change::PutTag(TagChange { resource: acl.id.to_string(), key: DENIAL.to_owned(), value: value.clone(), previous: None });
    let put = |entry: &AclEntryChange| Change::PutAclEntry(entry.clone());
    let deleted = |entry: &AclEntryChange| Change::DeleteAclEntry(entry.clone());
    let bare = acl.clone();
    acl.tags.insert(DENIAL.to_owned(), value);
    let tagged = acl.clone();
    acl.entries.push(AclEntry::of(&old));
    let stands = acl.clone();
    let mut moved = tagged.clone();
    moved.entries.push(AclEntry::of(&new));

    type Row<'a> = (&'a str, Vec<Change>, &'a NetworkAcl, Result<usize, &'a str>);
    let table: [Row<'_>; 7] = [
        ("the tag alone, for the entry could not be put", vec![tag.clone()], &tagged, Ok(1)),
        ("the tag alone, and the next delivery put the entry", vec![tag.clone()], &stands, Err("entry 89 (in) of")),
        ("tag and entry", vec![tag.clone(), put(&old)], &stands, Ok(2)),
        ("tag and entry, which was moved since", vec![tag.clone(), put(&old)], &moved, Err("entry 79 (in) of")),
        ("a move", vec![deleted(&old), put(&new)], &moved, Ok(2)),
        ("a move, and the denial has ended since", vec![deleted(&old), put(&new)], &bare, Err("has ended since")),
        ("a move, and the entry is gone, but its tag is not", vec![deleted(&old), put(&new)], &tagged, Ok(1)),
    ];
    for (what, changes, acl, wanted) in table {
        let of = Undoing { acls: vec![acl.clone()], ..undoing(Guardrail::DenySource, &changes) };
        let plan = Policy::new(false).plan(&of, now(), 0);
        match wanted {
            Ok(number) => assert_eq!((plan.verdict, plan.changes.len()), (Verdict::Change, number), "{what}: {}", plan.reason),
            Err(why) => {
                assert_eq!(plan.verdict, Verdict::Refused, "{what}");
                assert!(plan.reason.contains(why), "{what}: {}", plan.reason);
            }
        }
    }
}

#[test]
fn an_entry_returns_with_its_number_or_not_at_all() {
    let (free, _) = one_denial();
    assert_eq!(plan(&free).verdict, Verdict::Change);
    let mut taken = free;
    taken.acls[0].entries.push(AclEntry {
        direction: Direction::Ingress,
        number: 89,
        action: Action::Allow,
        traffic: Traffic::All,
        cidr: "10.0.0.0/8".parse().unwrap(),
    });
    let plan = plan(&taken);
    assert_eq!(plan.verdict, Verdict::Refused);
    assert!(plan.reason.contains("entry 89 (in) of"), "{}", plan.reason);
}

#[test]
fn what_no_longer_exists_is_named() {
    let (mut gone, acl) = one_denial();
    gone.acls.clear();
    assert_eq!(plan(&gone).reason, format!("it can't be undone: {} no longer exists", acl.id));
}

#[test]
fn a_longer_exemption_stays_and_a_shorter_one_gives_way() {
    for (stands, stays) in [("until=2026-12-31 reason=CHG-1", true), ("until=2026-11-21T13:00:00Z reason=CHG-1", false), ("true", false)] {
        let key = "palisade:exempt:enable-flow-logs".to_owned();
        let vpc = Vpc {
            id: "vpc-0a".parse().unwrap(),
            owner: "111122223333".parse().unwrap(),
            flow_logs: Vec::new(),
            tags: Tags::from([(key.clone(), stands.to_owned())]),
        };
        let log = palisade_policy::change::FlowLogChange {
            vpc_id: vpc.id.clone(),
            flow_log_id: None,
            traffic_type: TrafficType::All,
            destination: Destination::S3 { log_destination: "arn:aws:s3:::b".to_owned() },
            tags: Tags::new(),
        };
        let mut state = Undoing { vpcs: vec![vpc], ..undoing(Guardrail::EnableFlowLogs, &[Change::CreateFlowLog(log)]) };
        let changes = state.changes.clone();
        carry_out(&mut state, &changes);
        let plan = plan(&state);
        carry_out(&mut state, &plan.changes);
        let now = state.vpcs[0].tags[&key].clone();
        assert_eq!(now == stands, stays, "{stands} became {now}");
        assert!(stays || now == "until=2026-11-22T12:00:00Z reason=CHG-1234", "{now}");
    }
}

#[test]
fn tags_that_only_aws_can_set_do_not_come_back_and_that_is_told() {
    let rule = palisade_policy::security_group::Rule {
        id: None,
        direction: Direction::Ingress,
        traffic: Traffic::All,
        source: Source::Cidr("0.0.0.0/0".parse().unwrap()),
        description: None,
        tags: Tags::from([("aws:cloudformation:stack-name".to_owned(), "web".to_owned())]),
    };
    let group_id: palisade_policy::id::SecurityGroupId = "sg-0a".parse().unwrap();
    let group = SecurityGroup {
        id: group_id.clone(),
        name: "web".to_owned(),
        owner: "111122223333".parse().unwrap(),
        vpc: None,
        tags: Tags::new(),
        rules: Vec::new(),
        prefix_lists: std::collections::BTreeMap::new(),
    };
    let revoked = Change::RevokeRule(palisade_policy::change::RuleChange { group_id, rule });
    let plan = plan(&Undoing { groups: vec![group], ..undoing(Guardrail::RevokeAdminIngress, &[revoked]) });
    assert_eq!(plan.verdict, Verdict::Change);
    let told = "all traffic from 0.0.0.0/0 comes back without aws:cloudformation:stack-name, which only AWS itself can set";
    assert!(plan.remarks.contains(&told.to_owned()), "{:?}", plan.remarks);
}
