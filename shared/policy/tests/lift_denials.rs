//! The laws of lift-denials, each a sentence, held against a plain model that shares no code with the policy.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod acl_model;

use std::ops::RangeInclusive;

use acl_model::cases::{acls, cases, cidr, empty_acl, impossible_cases, ip_set, now};
use acl_model::{
    PlainAcl, Remembered, Span, denies_exactly, is_ours, minutes, packets, remembered, set_end, sorted, tag_key, without_ours,
};
use jiff::{SignedDuration, Timestamp};
use palisade_policy::change::{Change, undo};
use palisade_policy::cidr::Family;
use palisade_policy::lift_denials::{Lifting, Policy};
use palisade_policy::network_acl::{AclEntry, Action, NetworkAcl};
use palisade_policy::plan::{Fate, Plan, Verdict};
use palisade_policy::security_group::Direction;
use palisade_policy::traffic::{PortRange, Traffic, Transport};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

/// At least 10,000 cases a law; `PROPTEST_CASES` asks for more. No files of old failures: a failure becomes a test by name.
fn config() -> ProptestConfig {
    let asked = ProptestConfig::default();
    ProptestConfig { cases: asked.cases.max(10_000), failure_persistence: None, max_shrink_time: 60_000, ..asked }
}

/// A plan and what it makes of the ACL, step by step.
struct Run {
    plan: Plan,
    states: Vec<NetworkAcl>,
}

impl Run {
    fn new(acl: &NetworkAcl, numbers: &RangeInclusive<u16>, now: Timestamp) -> Self {
        let plan = Policy::new(numbers.clone()).plan(&Lifting::Acl(acl.clone()), now);
        let mut states = vec![acl.clone()];
        for change in &plan.changes {
            let mut next = states.last().unwrap().clone();
            change.apply(&mut next).unwrap();
            states.push(next);
        }
        Self { plan, states }
    }

    fn after(&self) -> &NetworkAcl {
        self.states.last().unwrap()
    }
}

/// Some time around the ends of the denials.
fn time() -> impl Strategy<Value = Timestamp> {
    prop_oneof![6 => -2100_i64..2100, 1 => Just(1_000_000)].prop_map(|after| now().saturating_add(minutes(after)).unwrap())
}

fn has_ended(denial: &Remembered, now: Timestamp) -> bool {
    denial.end.is_none_or(|end| end <= now)
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn what_has_ended_or_does_not_say_when_goes_and_everything_else_stays((acl, numbers) in acls(), now in time()) {
        let run = Run::new(&acl, &numbers, now);
        let (ended, standing): (Vec<_>, Vec<_>) = remembered(&acl.tags).into_iter().partition(|denial| has_ended(denial, now));
        let mut expected = sorted(&acl);
        for denial in &ended {
            expected.entries.retain(|entry| !denies_exactly(entry, denial.direction, denial.source, &numbers));
            expected.tags.remove(&denial.key);
        }
        prop_assert_eq!(sorted(run.after()), expected);
        for denial in standing {
            prop_assert_eq!(run.after().tags.get(&denial.key), acl.tags.get(&denial.key));
        }
        prop_assert_eq!(run.plan.verdict, if ended.is_empty() { Verdict::Compliant } else { Verdict::Change });
    }

    #[test]
    fn only_the_packets_of_lifted_sources_change_their_verdict((acl, numbers) in acls(), now in time()) {
        let run = Run::new(&acl, &numbers, now);
        let (before, after) = (PlainAcl::new(&acl), PlainAcl::new(run.after()));
        let lifted: Vec<_> = remembered(&acl.tags)
            .into_iter()
            .filter(|denial| has_ended(denial, now))
            .map(|denial| (denial.direction, Span::of(denial.source)))
            .collect();
        for packet in packets(&acl, cidr("203.0.113.7/32")) {
            let (passed, passes) = (before.admits(&packet), after.admits(&packet));
            prop_assert!(passes || !passed, "{packet:?} is dropped now");
            if passed != passes {
                let of_lifted = lifted.iter().any(|(way, span)| *way == packet.direction && span.holds(packet.family, packet.address));
                prop_assert!(of_lifted, "{packet:?} passes now");
            }
        }
    }

    #[test]
    fn what_palisade_did_not_make_is_untouched_at_every_step((acl, numbers) in acls(), now in time()) {
        for state in Run::new(&acl, &numbers, now).states {
            prop_assert_eq!(without_ours(&state, &numbers), without_ours(&acl, &numbers));
        }
    }

    #[test]
    fn every_entry_goes_before_its_tag((acl, numbers) in acls(), now in time()) {
        for state in Run::new(&acl, &numbers, now).states {
            for entry in acl.entries.iter().filter(|entry| is_ours(&acl, entry, &numbers) && state.entries.contains(entry)) {
                prop_assert!(state.tags.contains_key(&tag_key(entry.direction, entry.cidr)), "{entry:?} would stay for ever");
            }
        }
    }

    #[test]
    fn after_a_crash_at_any_step_the_next_run_ends_in_the_same_state((acl, numbers) in acls(), now in time(), at in any::<Index>()) {
        let run = Run::new(&acl, &numbers, now);
        let again = Run::new(at.get(&run.states), &numbers, now);
        prop_assert_eq!(sorted(again.after()), sorted(run.after()));
        prop_assert!(Run::new(run.after(), &numbers, now).plan.changes.is_empty());
    }

    #[test]
    fn a_tag_that_somebody_edited_is_told((acl, numbers) in acls(), now in time()) {
        let plan = Run::new(&acl, &numbers, now).plan;
        let edited: Vec<_> = remembered(&acl.tags).into_iter().filter(|denial| denial.end.is_none()).collect();
        prop_assert_eq!(plan.remarks.len(), edited.len());
        for denial in edited {
            prop_assert!(plan.remarks.iter().any(|remark| remark.contains(&denial.key)), "nobody is told of {}", denial.key);
        }
    }

    #[test]
    fn undoing_restores_entries_and_tags_and_changes_survive_json((acl, numbers) in acls(), now in time()) {
        let run = Run::new(&acl, &numbers, now);
        let mut state = run.after().clone();
        for change in undo(&run.plan.changes) {
            prop_assert!(!change.is_made(&state));
            change.apply(&mut state).unwrap();
            prop_assert!(change.is_made(&state));
        }
        prop_assert_eq!(sorted(&state), sorted(&acl));
        for change in run.plan.changes {
            prop_assert_eq!(change.inverse().inverse(), change.clone());
            let json = serde_json::to_string(&change).unwrap();
            prop_assert_eq!(serde_json::from_str::<Change>(&json).unwrap(), change);
        }
    }

    #[test]
    fn the_sketch_shows_each_entry_that_goes((acl, numbers) in acls(), now in time()) {
        let run = Run::new(&acl, &numbers, now);
        let gone = run.plan.changes.iter().filter(|change| matches!(change, Change::DeleteAclEntry(_))).count();
        prop_assert_eq!(run.plan.sketch.lines.iter().filter(|line| line.fate == Fate::Removed).count(), gone);
        prop_assert_eq!(run.plan.sketch.lines.len(), gone);
    }

    // However often, in whatever order: what the two functions leave at the end is what was there before them.
    #[test]
    fn denying_and_lifting_by_turns_leaves_what_others_made(case in cases(), more in vec(cases(), 0..4), step in 0_i64..2000) {
        let mut acl = case.denying.acls[0].clone();
        let numbers = case.settings.numbers.clone();
        let (foreign, mut time) = (without_ours(&acl, &numbers), now());
        for other in [&case].into_iter().chain(&more) {
            let mut turn = case.clone();
            turn.denying.acls = vec![acl.clone()];
            (turn.denying.source, turn.denying.both_ways) = (other.denying.source, other.denying.both_ways);
            for change in turn.plan(time).changes.iter().filter(|change| !matches!(change, Change::UpdateIpSet(_))) {
                change.apply(&mut acl).unwrap();
            }
            acl = Run::new(&acl, &numbers, time).after().clone();
            time = time.saturating_add(minutes(step)).unwrap();
            prop_assert_eq!(without_ours(&acl, &numbers), foreign.clone());
        }
        prop_assert_eq!(sorted(Run::new(&acl, &numbers, Timestamp::MAX).after()), foreign);
    }

    #[test]
    fn an_ip_set_is_emptied_when_its_end_has_passed_and_never_else(set in ip_set(0, Family::V4, true), now in time()) {
        let Ok(set) = set else { return Ok(()) };
        let policy = Policy::new(1..=89);
        let mut lifting = Lifting::IpSet(set.clone());
        let plan = policy.plan(&lifting, now);
        let ended = set_end(&set).is_some_and(|end| end <= now);
        prop_assert_eq!(plan.verdict == Verdict::Change, ended && !set.addresses.is_empty());
        for change in &plan.changes {
            change.apply(&mut lifting).unwrap();
            prop_assert!(change.is_made(&lifting));
        }
        prop_assert!(policy.plan(&lifting, now).changes.is_empty());
        let mut expected = set.clone();
        if ended {
            expected.addresses.clear();
        }
        prop_assert_eq!(&lifting, &Lifting::IpSet(expected));
        undo(&plan.changes).iter().for_each(|change| change.apply(&mut lifting).unwrap());
        prop_assert_eq!(lifting, Lifting::IpSet(set));
    }

    #[test]
    fn nothing_that_a_tag_or_a_description_may_say_makes_it_panic((case, now) in impossible_cases()) {
        let policy = Policy::new(case.settings.numbers);
        for acl in case.denying.acls {
            let _ = policy.plan(&Lifting::Acl(acl), now);
        }
        for set in case.denying.ip_sets.into_iter().flatten() {
            let _ = policy.plan(&Lifting::IpSet(set), now);
        }
    }
}

fn denial(number: u16, source: &str) -> AclEntry {
    AclEntry { direction: Direction::Ingress, number, action: Action::Deny, traffic: Traffic::All, cidr: cidr(source) }
}

/// What is left of these entries and tags: numbers and keys.
fn left(entries: Vec<AclEntry>, tags: &[(&str, &str)]) -> (Vec<u16>, Vec<String>) {
    let mut acl = empty_acl(0);
    acl.entries = entries;
    acl.tags = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let after = Run::new(&acl, &(1..=89), now()).after().clone();
    (after.entries.iter().map(|entry| entry.number).collect(), after.tags.into_keys().collect())
}

const KEY: &str = "palisade:deny:in:198.51.100.7/32";
const ENDED: &str = "198.51.100.7/32 until 2026-11-21T11:00:00Z ssh";

#[test]
fn only_the_entry_that_denies_exactly_that_goes() {
    let ssh = Traffic::Ports(Transport::Tcp, PortRange::new(22, 22).unwrap());
    let entries = vec![
        denial(89, "198.51.100.7/32"),
        denial(90, "198.51.100.7/32"),
        denial(88, "198.51.100.0/24"),
        AclEntry { traffic: ssh, ..denial(87, "198.51.100.7/32") },
        AclEntry { action: Action::Allow, ..denial(86, "198.51.100.7/32") },
        AclEntry { direction: Direction::Egress, ..denial(85, "198.51.100.7/32") },
    ];
    assert_eq!(left(entries, &[(KEY, ENDED), ("Name", "web")]), (vec![90, 88, 87, 86, 85], vec!["Name".to_owned()]));
}

#[test]
fn a_denial_ends_at_its_second_and_not_before() {
    let end = now().round(jiff::Unit::Second).unwrap();
    for (after, stays) in [(SignedDuration::from_secs(-1), false), (SignedDuration::ZERO, true), (SignedDuration::from_secs(1), true)] {
        // `now` is a tenth of a second before the whole one.
        let value = format!("198.51.100.7/32 until {} ssh", end.saturating_add(after).unwrap());
        assert_eq!(!left(vec![denial(89, "198.51.100.7/32")], &[(KEY, &value)]).0.is_empty(), stays, "{value}");
    }
}

#[test]
fn a_tag_without_an_entry_goes_alone_and_an_entry_without_a_tag_stays() {
    assert_eq!(left(Vec::new(), &[(KEY, ENDED)]), (Vec::new(), Vec::new()));
    assert_eq!(left(vec![denial(89, "198.51.100.7/32")], &[]), (vec![89], Vec::new()));
}

#[test]
fn a_key_that_cannot_be_read_stays_with_its_entry() {
    for key in ["palisade:deny:", "palisade:deny:in:198.51.100.7", "palisade:deny:In:198.51.100.7/32", "palisade:deny:in:198.51.100.7/24"] {
        assert_eq!(left(vec![denial(89, "198.51.100.7/32")], &[(key, ENDED)]), (vec![89], vec![key.to_owned()]));
    }
}

// IPv6 has many spellings, and only one is the key of a tag that Palisade sets. The denial that has not ended has the entry.
#[test]
fn a_key_in_another_spelling_does_not_lift_the_denial_of_the_same_source() {
    let tags = [("palisade:deny:in:2600:0::/48", "x"), ("palisade:deny:in:2600::/48", "2600::/48 until 2026-12-01T00:00:00Z ssh")];
    assert_eq!(left(vec![denial(89, "2600::/48")], &tags), (vec![89], tags.map(|(key, _)| key.to_owned()).to_vec()));
}
