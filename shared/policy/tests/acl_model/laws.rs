//! The laws of deny-source that the fuzz target `policy` holds too, of any ACL that bytes can make.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use palisade_policy::change::{Change, undo};
use palisade_policy::cidr::Family;
use palisade_policy::deny_source::Denying;
use palisade_policy::network_acl::{AclEntry, NetworkAcl};
use palisade_policy::plan::{Plan, Verdict};
use palisade_policy::security_group::Direction;
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;

use super::cases::{Case, now};
use super::{
    Packet, PlainAcl, Remembered, Span, counted, counted_tags, denies_exactly, first_allow, is_ours, is_told_refused, packets, remembered,
    said, sorted_all, tag_key, without_ours,
};

/// A plan and what it makes of the ACLs, step by step.
pub(crate) struct Run {
    pub(crate) plan: Plan,
    /// What was there before each change, and after the last.
    pub(crate) states: Vec<Denying>,
}

impl Run {
    pub(crate) fn new(case: &Case) -> Self {
        Self::at(case, now())
    }

    pub(crate) fn at(case: &Case, now: Timestamp) -> Self {
        let plan = case.plan(now);
        let mut states = vec![case.denying.clone()];
        for change in &plan.changes {
            let mut next = states.last().unwrap().clone();
            change.apply(&mut next).unwrap();
            states.push(next);
        }
        Self { plan, states }
    }

    pub(crate) fn after(&self) -> &Denying {
        self.states.last().unwrap()
    }

    /// The changes of one ACL, each with what was there before it.
    pub(crate) fn in_acl(&self, at: usize) -> Vec<(&Change, &NetworkAcl)> {
        let id = &self.states[0].acls[at].id;
        let is_its = |change: &Change| match change {
            Change::PutAclEntry(change) | Change::DeleteAclEntry(change) => change.acl_id == *id,
            Change::PutTag(tag) => tag.resource == id.as_str(),
            Change::DeleteTag(tag) => tag.resource == id.as_str(),
            _ => false,
        };
        self.plan
            .changes
            .iter()
            .zip(&self.states)
            .filter(|(change, _)| is_its(change))
            .map(|(change, was)| (change, &was.acls[at]))
            .collect()
    }

    /// The denials of others that went, to make room.
    pub(crate) fn evicted(&self, at: usize) -> Vec<Remembered> {
        let (was, is) = (&self.states[0].acls[at], &self.after().acls[at]);
        remembered(&was.tags).into_iter().filter(|denial| !is.tags.contains_key(&denial.key)).collect()
    }
}

/// The case with what the plan left.
pub(crate) fn then(case: &Case, run: &Run) -> Case {
    Case { denying: run.after().clone(), ..case.clone() }
}

/// The numbers, of those that Palisade may use, of the entries that deny exactly the source.
pub(crate) fn exactly(case: &Case, acl: &NetworkAcl, direction: Direction) -> Vec<u16> {
    let is_one = |entry: &&AclEntry| denies_exactly(entry, direction, case.denying.source, &case.settings.numbers);
    acl.entries.iter().filter(is_one).map(|entry| entry.number).collect()
}

/// Whether the source is denied already, or can't be denied because of entries and tags that are not Palisade's.
pub(crate) enum Standing {
    Denied,
    Room,
    Impossible,
}

/// How it stands in one direction. `kept` are the keys of the tags that nothing may remove.
pub(crate) fn standing(case: &Case, acl: &NetworkAcl, direction: Direction, kept: &mut BTreeSet<String>) -> Standing {
    let (source, numbers) = (case.denying.source, &case.settings.numbers);
    let below = first_allow(acl, direction, source);
    let key = tag_key(direction, source);
    let exact = exactly(case, acl, direction);
    if exact.iter().any(|number| *number < below) {
        return Standing::Denied;
    }
    if !acl.tags.contains_key(&key) && !exact.is_empty() {
        return Standing::Impossible;
    }
    kept.insert(key);
    let foreign = without_ours(acl, numbers);
    let taken: BTreeSet<u16> = foreign.entries.iter().filter(|entry| entry.direction == direction).map(|entry| entry.number).collect();
    let number = numbers.clone().any(|number| number < below && !taken.contains(&number));
    let quota = counted(&foreign, direction, source.family()) < case.settings.quota.saturating_sub(case.refusals);
    if number && quota && kept.len() <= 50 { Standing::Room } else { Standing::Impossible }
}

/// Whether the ACL can't take the denial, whatever of ours makes room.
pub(crate) fn is_impossible(case: &Case, acl: &NetworkAcl) -> bool {
    let others: BTreeSet<String> =
        remembered(&acl.tags).into_iter().filter(|denial| denial.source != case.denying.source).map(|denial| denial.key).collect();
    let counts = |key: &&String| !key.to_lowercase().starts_with("aws:") && !others.contains(*key);
    let mut kept = acl.tags.keys().filter(counts).cloned().collect();
    case.directions().iter().any(|direction| matches!(standing(case, acl, *direction, &mut kept), Standing::Impossible))
}

/// The source is denied wherever it can be, and nobody else notices, but those of whom the plan says that they made room.
pub(crate) fn only_the_source_is_denied(case: &Case, run: &Run) -> TestCaseResult {
    for (at, (was, is)) in case.denying.acls.iter().zip(&run.after().acls).enumerate() {
        if case.exempts(was) {
            prop_assert_eq!(was, is);
            continue;
        }
        let refused = is_told_refused(&run.plan, was);
        prop_assert_eq!(refused, is_impossible(case, was), "{}", said(&run.plan));
        if refused {
            prop_assert_eq!(was, is);
        }
        let evicted: Vec<(Direction, Span)> =
            run.evicted(at).into_iter().map(|denial| (denial.direction, Span::of(denial.source))).collect();
        let source = Span::of(case.denying.source);
        let (before, after) = (PlainAcl::new(was), PlainAcl::new(is));
        for packet in packets(was, case.denying.source) {
            let Packet { direction, family, address, .. } = packet;
            let (passed, passes) = (before.admits(&packet), after.admits(&packet));
            if !refused && source.holds(family, address) && case.directions().contains(&direction) {
                prop_assert!(!passes, "{packet:?} passes");
            } else if !evicted.iter().any(|(way, span)| *way == direction && span.holds(family, address)) {
                prop_assert_eq!(passed, passes, "{:?}", packet);
            }
        }
    }
    Ok(())
}

pub(crate) fn what_palisade_did_not_make_is_untouched_at_every_step(case: &Case) -> TestCaseResult {
    let run = Run::new(case);
    let numbers = &case.settings.numbers;
    for state in &run.states {
        for (was, is) in case.denying.acls.iter().zip(&state.acls) {
            let (foreign, left) = (without_ours(was, numbers), without_ours(is, numbers));
            prop_assert_eq!(foreign, left);
            prop_assert!(is.entries.iter().all(|entry| was.entries.contains(entry) || is_ours(is, entry, numbers)));
        }
    }
    Ok(())
}

pub(crate) fn no_step_exceeds_the_quota_or_the_fifty_tags(case: &Case) -> TestCaseResult {
    let run = Run::new(case);
    let quota = case.settings.quota.saturating_sub(case.refusals);
    for state in &run.states {
        for (was, is) in case.denying.acls.iter().zip(&state.acls) {
            prop_assert!(counted_tags(&is.tags) <= counted_tags(&was.tags).max(50));
            for direction in [Direction::Ingress, Direction::Egress] {
                for family in Family::BOTH {
                    let (before, after) = (counted(was, direction, family), counted(is, direction, family));
                    prop_assert!(after <= before.max(quota), "{after} entries of {family}, {before} before, of {quota}");
                }
            }
        }
    }
    Ok(())
}

pub(crate) fn planning_again_a_second_later_changes_nothing(case: &Case) -> TestCaseResult {
    let run = Run::new(case);
    let again = then(case, &run).plan(now().saturating_add(SignedDuration::from_secs(1)).unwrap());
    // Unless it is just the second at which an IP set ends.
    if !said(&run.plan).contains("none lasts long enough") {
        prop_assert!(again.changes.is_empty(), "{:?}", again.changes);
        prop_assert_ne!(again.verdict, Verdict::Change);
    }
    Ok(())
}

pub(crate) fn undoing_restores_entries_tags_and_ip_sets(case: &Case) -> TestCaseResult {
    let run = Run::new(case);
    let mut state = run.after().clone();
    for change in undo(&run.plan.changes) {
        prop_assert!(!change.is_made(&state), "{change:?}");
        change.apply(&mut state).unwrap();
        prop_assert!(change.is_made(&state), "{change:?}");
    }
    prop_assert_eq!(sorted_all(&state), sorted_all(&case.denying));
    for (change, (was, is)) in run.plan.changes.iter().zip(run.states.iter().zip(&run.states[1..])) {
        prop_assert!(!change.is_made(was));
        prop_assert!(change.is_made(is));
        prop_assert_ne!(&change.inverse(), change);
        prop_assert_eq!(&change.inverse().inverse(), change);
    }
    Ok(())
}
