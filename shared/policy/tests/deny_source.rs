//! The laws of deny-source, each a sentence, held against a plain packet model that shares no code with the policy.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod acl_model;

use std::collections::BTreeSet;

use acl_model::cases::{Case, EXEMPT, INVALID, any_block, cases, crowd, impossible_cases, ip_set, now, set};
use acl_model::laws::{self, Run, exactly, only_the_source_is_denied, then};
use acl_model::{
    LAST, Remembered, Span, counted, counted_tags, denies_exactly, first_allow, is_ours, is_public, is_told_refused, minutes, remembered,
    said, set_end, tag_key, without_ours,
};
use jiff::{SignedDuration, Timestamp};
use palisade_policy::change::Change;
use palisade_policy::cidr::{Cidr, Family};
use palisade_policy::deny_source::{Denying, Friend};
use palisade_policy::ip_set::IpSet;
use palisade_policy::lift_denials::{self, Lifting};
use palisade_policy::network_acl::{AclEntry, Action, NetworkAcl};
use palisade_policy::plan::{Fate, Verdict};
use palisade_policy::security_group::Direction;
use palisade_policy::traffic::Traffic;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

/// At least 10,000 cases a law; `PROPTEST_CASES` asks for more. No files of old failures: a failure becomes a test by name.
fn config() -> ProptestConfig {
    let asked = ProptestConfig::default();
    ProptestConfig { cases: asked.cases.max(10_000), failure_persistence: None, max_shrink_time: 60_000, ..asked }
}

/// What lacks, in the order in which it is looked for.
#[derive(Debug, PartialEq, Eq)]
enum Lack {
    Number,
    Entry,
    Tag,
}

fn lack(case: &Case, acl: &NetworkAcl, direction: Direction) -> Option<Lack> {
    let source = case.denying.source;
    if free_numbers(case, acl, direction).is_empty() {
        Some(Lack::Number)
    } else if counted(acl, direction, source.family()) + 1 > case.settings.quota.saturating_sub(case.refusals) {
        Some(Lack::Entry)
    } else if !acl.tags.contains_key(&tag_key(direction, source)) && counted_tags(&acl.tags) + 1 > 50 {
        Some(Lack::Tag)
    } else {
        None
    }
}

fn free_numbers(case: &Case, acl: &NetworkAcl, direction: Direction) -> Vec<u16> {
    let below = first_allow(acl, direction, case.denying.source);
    let is_free = |number: &u16| !acl.entries.iter().any(|entry| entry.direction == direction && entry.number == *number);
    case.settings.numbers.clone().filter(|number| *number < below).filter(is_free).collect()
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_packets_of_the_source_are_denied_and_all_others_keep_their_verdict(case in cases()) {
        only_the_source_is_denied(&case, &Run::new(&case))?;
    }

    #[test]
    fn what_palisade_did_not_make_is_untouched_at_every_step(case in cases()) {
        laws::what_palisade_did_not_make_is_untouched_at_every_step(&case)?;
    }

    #[test]
    fn an_entry_gets_the_highest_free_number_below_the_first_allow(case in cases()) {
        let run = Run::new(&case);
        for at in 0..case.denying.acls.len() {
            for (change, was) in run.in_acl(at) {
                if let Change::PutAclEntry(change) = change {
                    prop_assert_eq!(change.cidr, case.denying.source);
                    prop_assert!(case.directions().contains(&change.direction));
                    prop_assert_eq!(Some(change.rule_number), free_numbers(&case, was, change.direction).into_iter().max());
                }
            }
        }
        for acl in &run.after().acls {
            let numbers: BTreeSet<_> = acl.entries.iter().map(|entry| (entry.direction, entry.number)).collect();
            prop_assert_eq!(numbers.len(), acl.entries.len());
        }
    }

    #[test]
    fn no_step_exceeds_the_quota_or_the_fifty_tags(case in cases()) {
        laws::no_step_exceeds_the_quota_or_the_fifty_tags(&case)?;
    }

    // A crash then leaves a tag without an entry, which is lifted in its time, and never an entry that nobody would lift.
    #[test]
    fn no_entry_is_ever_without_the_tag_that_has_it_lifted(case in cases()) {
        let run = Run::new(&case);
        for state in &run.states {
            for (was, is) in case.denying.acls.iter().zip(&state.acls) {
                for entry in is.entries.iter().filter(|entry| is_ours(was, entry, &case.settings.numbers) || !was.entries.contains(entry)) {
                    let tag = remembered(&is.tags).into_iter().find(|tag| (tag.direction, tag.source) == (entry.direction, entry.cidr));
                    prop_assert!(tag.is_some(), "{entry:?} would stay for ever");
                    let says_when = tag.and_then(|tag| tag.end).is_some();
                    prop_assert!(says_when || was.entries.contains(entry), "{entry:?} is new and does not say until when");
                }
            }
        }
    }

    #[test]
    fn a_denial_lasts_as_long_as_the_setting_says_give_or_take_a_tenth(case in cases()) {
        let run = Run::new(&case);
        let wanted = now().saturating_add(case.settings.deny_for).unwrap();
        for (was, is) in case.denying.acls.iter().zip(&run.after().acls) {
            if case.exempts(was) || is_told_refused(&run.plan, was) {
                continue;
            }
            for direction in case.directions() {
                let tag = remembered(&is.tags).into_iter().find(|tag| (tag.direction, tag.source) == (*direction, case.denying.source));
                let Some(tag) = tag else {
                    prop_assert!(said(&run.plan).contains("which is not Palisade's, denies it already"));
                    continue;
                };
                let end = tag.end.unwrap();
                prop_assert!(end.duration_until(wanted) <= case.settings.deny_for / 10 + SignedDuration::from_secs(1), "{end}");
                let before = remembered(&was.tags).into_iter().find(|before| before.key == tag.key).and_then(|tag| tag.end);
                prop_assert!(before.is_none_or(|before| before <= end), "a denial is made shorter");
            }
        }
    }

    #[test]
    fn only_for_want_of_room_does_a_denial_go_and_it_is_the_one_that_ends_soonest_of_those_that_help(case in cases()) {
        let run = Run::new(&case);
        let (source, numbers) = (case.denying.source, &case.settings.numbers);
        for (at, acl) in case.denying.acls.iter().enumerate() {
            let steps = run.in_acl(at);
            // The state before what made room is that before its first change.
            let mut start = None;
            for (n, (change, was)) in steps.iter().enumerate() {
                let of_other = match change {
                    Change::DeleteAclEntry(entry) => entry.cidr != source,
                    _ => false,
                };
                if of_other && start.is_none() {
                    start = Some(*was);
                }
                let Change::DeleteTag(tag) = change else { continue };
                let before = start.take().unwrap_or(was);
                let victim = remembered(&before.tags).into_iter().find(|denial| denial.key == tag.key).unwrap();
                prop_assert_ne!(victim.source, source);
                // It is for the next entry that is put.
                let put = steps[n..].iter().find_map(|(change, _)| match change {
                    Change::PutAclEntry(entry) => Some(entry),
                    _ => None,
                });
                let direction = put.unwrap().direction;
                let Some(lack) = lack(&case, before, direction) else {
                    return Err(TestCaseError::fail(format!("{} went in vain", victim.key)));
                };
                let below = first_allow(before, direction, source);
                let helps = |denial: &Remembered| {
                    let mut its = before.entries.iter().filter(|entry| denies_exactly(entry, denial.direction, denial.source, numbers));
                    denial.source != source && match lack {
                        Lack::Number => denial.direction == direction && its.any(|entry| entry.number < below),
                        Lack::Entry => denial.direction == direction && denial.source.family() == source.family() && its.next().is_some(),
                        Lack::Tag => true,
                    }
                };
                prop_assert!(helps(&victim), "{lack:?}: {} does not help", victim.key);
                let soonest = remembered(&before.tags).into_iter().filter(|denial| helps(denial)).map(|denial| denial.end).min();
                prop_assert_eq!(Some(victim.end), soonest);
                let told = format!("the denial of {} in {}", victim.source, acl.id);
                prop_assert!(said(&run.plan).contains(&told), "nobody is told of {}", victim.key);
            }
        }
    }

    #[test]
    fn planning_again_a_second_later_changes_nothing(case in cases()) {
        laws::planning_again_a_second_later_changes_nothing(&case)?;
    }

    // What is there of the changes is enough to finish. A tag whose entry made room already may stay, and goes in its time.
    #[test]
    fn after_a_crash_at_any_step_the_same_event_denies_the_source(case in cases(), at in any::<Index>()) {
        let run = Run::new(&case);
        let crashed = Case { denying: at.get(&run.states).clone(), ..case.clone() };
        let again = Run::new(&crashed);
        only_the_source_is_denied(&crashed, &again)?;
        for (acl, was) in again.after().acls.iter().zip(&case.denying.acls) {
            prop_assert_eq!(is_told_refused(&again.plan, acl), is_told_refused(&run.plan, was));
            for direction in case.directions() {
                let count = |acl: &NetworkAcl| exactly(&case, acl, *direction).len();
                prop_assert!(count(acl) <= count(was).max(1), "the denial is there twice");
            }
        }
    }

    #[test]
    fn a_denial_that_stands_is_extended_by_its_tag_alone(case in cases(), later in 0_i64..4000) {
        let mut case = case;
        // One that ends meanwhile leaves a source to deny anew.
        case.settings.exemptions = false;
        let run = Run::new(&case);
        let plan = then(&case, &run).plan(now().saturating_add(minutes(later)).unwrap());
        for change in plan.changes.iter().filter(|change| !matches!(change, Change::UpdateIpSet(_))) {
            let Change::PutTag(tag) = change else { return Err(TestCaseError::fail(format!("{change:?}"))) };
            let of_source = case.directions().iter().any(|direction| tag.key == tag_key(*direction, case.denying.source));
            prop_assert!(of_source);
            prop_assert!(tag.previous.is_some());
        }
    }

    #[test]
    fn a_denial_that_a_later_allow_has_overtaken_is_moved(case in cases(), low in any::<Index>(), inward in any::<bool>()) {
        let direction = if inward { Direction::Ingress } else { Direction::Egress };
        let denied = then(&case, &Run::new(&case));
        let mut case = denied.clone();
        let source = case.denying.source;
        for acl in &mut case.denying.acls {
            let Some(first) = exactly(&denied, acl, direction).into_iter().min() else { continue };
            let number = 1 + u16::try_from(low.index(usize::from(first))).unwrap();
            if !acl.entries.iter().any(|entry| entry.direction == direction && entry.number == number) {
                acl.entries.push(AclEntry { direction, number, action: Action::Allow, traffic: Traffic::All, cidr: source });
            }
        }
        let run = Run::new(&case);
        only_the_source_is_denied(&case, &run)?;
        for (was, is) in case.denying.acls.iter().zip(&run.after().acls) {
            let count = |acl: &NetworkAcl| exactly(&case, acl, direction).len();
            prop_assert!(count(is) <= count(was).max(1), "the denial is there twice");
        }
    }

    #[test]
    fn after_lifting_at_the_end_of_time_only_what_others_made_is_left(case in cases()) {
        let run = Run::new(&case);
        for (was, is) in case.denying.acls.iter().zip(&run.after().acls) {
            let lifted = lift(is, &case, Timestamp::MAX);
            prop_assert_eq!(lifted, without_ours(was, &case.settings.numbers));
        }
    }

    #[test]
    fn undoing_restores_entries_tags_and_ip_sets(case in cases()) {
        laws::undoing_restores_entries_tags_and_ip_sets(&case)?;
    }

    #[test]
    fn changes_survive_json(case in cases()) {
        for change in case.plan(now()).changes {
            for change in [change.inverse(), change] {
                let json = serde_json::to_string(&change).unwrap();
                prop_assert_eq!(serde_json::from_str::<Change>(&json).unwrap(), change);
            }
        }
    }

    // Of a tag's key 128 characters, of its value 256, and few kinds of them; of an IP set's description 256.
    #[test]
    fn what_is_written_is_what_tags_can_hold(case in cases(), cause in ".{0,300}") {
        let case = Case { denying: Denying { cause, ..case.denying.clone() }, ..case };
        for change in case.plan(now()).changes {
            match change {
                Change::PutTag(tag) => {
                    let fits = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || " +-=._:/@".contains(c));
                    prop_assert!(fits(&tag.key) && tag.key.len() <= 128);
                    prop_assert!(fits(&tag.value) && tag.value.len() <= 256 && tag.value.trim() == tag.value);
                }
                Change::UpdateIpSet(set) => prop_assert!(set.description.is_ascii() && set.description.len() <= 256),
                _ => {}
            }
        }
    }

    #[test]
    fn nobody_is_denied_who_must_not_be(
        case in cases(), source in any_block(), never in vec(any_block(), 0..2), friends in vec(any_block(), 0..2), near in any::<bool>(),
    ) {
        let mut case = case;
        case.denying.source = source;
        // Blocks around the source, for others seldom hold it.
        let around = |block: &Cidr| match source.to_string().split_once('/').unwrap() {
            (address, _) if near && block.family() == source.family() => Cidr::canonical(&format!("{address}/{}", block.prefix())).unwrap(),
            _ => *block,
        };
        case.settings.never = never.iter().map(around).collect();
        case.denying.friends = friends.iter().map(around).map(|block| Friend { block, what: "the VPC vpc-0a".to_owned() }).collect();
        let span = Span::of(source);
        let widest = if source.family() == Family::V4 { 1 << 8 } else { 1_u128 << 80 };
        let named = case.settings.never.iter().chain(case.denying.friends.iter().map(|friend| &friend.block));
        let is_named = named.into_iter().any(|block| Span::of(*block).overlaps(&span));
        let spared = !is_public(&span) || span.last - span.first >= widest || is_named;
        let plan = case.plan(now());
        prop_assert_eq!(plan.reason.contains("is never denied"), spared, "{}", plan.reason);
        if spared {
            prop_assert_eq!(plan.verdict, Verdict::Refused);
            prop_assert!(plan.changes.is_empty());
        }
    }

    #[test]
    fn an_exemption_holds_for_the_acl_or_the_source_that_it_names(case in cases()) {
        let plan = case.plan(now());
        let run = Run::new(&case);
        let exempt = case.denying.acls.iter().filter(|acl| case.exempts(acl)).count();
        for (at, acl) in case.denying.acls.iter().enumerate() {
            if case.exempts(acl) {
                prop_assert!(run.in_acl(at).is_empty());
                let told = format!("{} is exempt until", acl.id);
                prop_assert!(said(&plan).contains(&told));
                continue;
            }
            let source = case.denying.source;
            for (key, whom) in [(EXEMPT.to_owned(), acl.id.to_string()), (format!("{EXEMPT}:{source}"), format!("{source} in {}", acl.id))] {
                let invalid = acl.tags.get(&key).is_some_and(|value| INVALID.contains(&value.as_str()));
                if invalid && case.settings.exemptions {
                    let told = format!("the exemption tag of {whom} does not count");
                    prop_assert!(said(&plan).contains(&told));
                }
            }
        }
        if exempt == case.denying.acls.len() && case.denying.ip_sets.is_empty() {
            let is_exempt = matches!(plan.verdict, Verdict::Exempt { .. });
            prop_assert!(is_exempt);
        }
        if exempt == 0 {
            let is_exempt = matches!(plan.verdict, Verdict::Exempt { .. });
            prop_assert!(!is_exempt);
        }
    }

    #[test]
    fn the_verdict_is_change_only_with_changes_and_the_sketch_shows_them(case in cases()) {
        let plan = case.plan(now());
        prop_assert_eq!(plan.changes.is_empty(), plan.verdict != Verdict::Change);
        let count = |fate| plan.sketch.lines.iter().filter(|line| line.fate == fate).count();
        let (mut gone, mut new) = (0, 0);
        for change in &plan.changes {
            match change {
                Change::PutAclEntry(_) => new += 1,
                Change::DeleteAclEntry(_) => gone += 1,
                Change::UpdateIpSet(change) => (gone, new) = (gone + change.remove.len(), new + change.add.len()),
                _ => {}
            }
        }
        prop_assert_eq!((count(Fate::Removed), count(Fate::Added)), (gone, new));
    }

    #[test]
    fn nothing_that_a_caller_or_a_tag_may_say_makes_it_panic((case, now) in impossible_cases()) {
        let plan = case.plan(now);
        prop_assert_eq!(plan.changes.is_empty(), plan.verdict != Verdict::Change);
        for acl in case.denying.acls {
            let _ = lift_denials::Policy::new(case.settings.numbers.clone()).plan(&Lifting::Acl(acl), now);
        }
    }
}

fn lift(acl: &NetworkAcl, case: &Case, now: Timestamp) -> NetworkAcl {
    let plan = lift_denials::Policy::new(case.settings.numbers.clone()).plan(&Lifting::Acl(acl.clone()), now);
    let mut acl = acl.clone();
    plan.changes.iter().for_each(|change| change.apply(&mut acl).unwrap());
    acl_model::sorted(&acl)
}

/// What happens to IP sets at one moment: so long after the last, and somebody is denied, or a set is lifted.
#[derive(Debug, Clone)]
struct Moment {
    after: SignedDuration,
    what: What,
}

#[derive(Debug, Clone)]
enum What {
    Deny(u8),
    Lift(Index),
}

/// Moments that are close together, about a turn apart, or far apart, in a time where denials last `deny_for`.
fn moments(deny_for: SignedDuration) -> impl Strategy<Value = Vec<Moment>> {
    let whole = i64::try_from(deny_for.as_millis()).unwrap();
    let after = prop_oneof![
        2 => Just(0_i64),
        2 => 0_i64..2_000,
        6 => 0..whole / 2,
        2 => 0..whole * 3,
        // To the second, and within a second of it, when an end comes.
        2 => (-2_i64..=2, 1_i64..=4, 1_i64..=4).prop_map(move |(ms, n, d)| (whole * n / d + ms * 500).max(0)),
    ];
    let what = prop_oneof![3 => (0_u8..12).prop_map(What::Deny), 1 => any::<Index>().prop_map(What::Lift)];
    vec((after, what).prop_map(|(after, what)| Moment { after: SignedDuration::from_millis(after), what }), 5..50)
}

/// Two to four sets, the settings' time, and what happens.
fn lives() -> impl Strategy<Value = (Case, Family, Vec<Moment>)> {
    let family = prop_oneof![Just(Family::V4), Just(Family::V6)];
    let deny_for = prop_oneof![
        2 => Just(minutes(1440)),
        2 => (1_i64..3000).prop_map(minutes),
        1 => (30_i64..9000).prop_map(SignedDuration::from_secs),
    ];
    (cases(), family, 2_usize..=4, deny_for, proptest::bool::weighted(0.03)).prop_flat_map(|(mut case, family, n, deny_for, full)| {
        case.denying.acls.clear();
        case.settings.deny_for = deny_for;
        let sets: Vec<_> = (0..n).map(|n| ip_set(n, family, full)).collect();
        (sets, moments(deny_for)).prop_map(move |(ip_sets, moments)| {
            let mut case = case.clone();
            case.denying.ip_sets = ip_sets;
            (case, family, moments)
        })
    })
}

fn attacker(family: Family, n: u8) -> Cidr {
    let text = if family == Family::V4 { format!("198.51.100.{n}/32") } else { format!("2600::{n}/128") };
    text.parse().unwrap()
}

/// Lives through the moments, and checks after each; gives what was refused.
fn live(mut case: Case, family: Family, moments: &[Moment]) -> Result<Vec<String>, TestCaseError> {
    let mut time = now();
    let mut promises: Vec<(Cidr, Timestamp)> = Vec::new();
    for set in case.denying.ip_sets.iter().flatten() {
        promises.extend(set_end(set).into_iter().flat_map(|end| set.addresses.iter().map(move |block| (*block, end))));
    }
    let is_foreign = |set: &IpSet| set_end(set).is_none() && !set.addresses.is_empty();
    let foreign: Vec<IpSet> = case.denying.ip_sets.iter().flatten().filter(|set| is_foreign(set)).cloned().collect();
    let mut refused = Vec::new();
    for moment in moments {
        time = time.saturating_add(moment.after).unwrap();
        match &moment.what {
            What::Deny(n) => {
                case.denying.source = attacker(family, *n);
                let run = Run::at(&case, time);
                case = then(&case, &run);
                let far = time.saturating_add(case.settings.deny_for).unwrap();
                match run.plan.verdict {
                    // Ends are whole seconds, and of the same event twice the second may find a tenth less.
                    Verdict::Change => promises.push((case.denying.source, far)),
                    Verdict::Compliant => promises.push((case.denying.source, far.saturating_sub(case.settings.deny_for / 10).unwrap())),
                    _ => refused.push(run.plan.reason),
                }
                prop_assert!(run.plan.changes.len() <= 1);
            }
            What::Lift(at) => {
                let at = at.index(case.denying.ip_sets.len());
                let Ok(set) = &case.denying.ip_sets[at] else { continue };
                let mut lifting = Lifting::IpSet(set.clone());
                for change in lift_denials::Policy::new(1..=89).plan(&lifting, time).changes {
                    change.apply(&mut lifting).unwrap();
                }
                if let Lifting::IpSet(set) = lifting {
                    case.denying.ip_sets[at] = Ok(set);
                }
            }
        }
        promises.retain(|(_, until)| *until > time);
        for (source, until) in &promises {
            let is_denied = case.denying.ip_sets.iter().flatten().any(|set| set.addresses.contains(source));
            prop_assert!(is_denied, "{source} was to be denied until {until}, but at {time} is not");
        }
        for set in case.denying.ip_sets.iter().flatten() {
            prop_assert!(set.addresses.len() <= 10_000);
            let distinct: BTreeSet<&Cidr> = set.addresses.iter().collect();
            prop_assert_eq!(distinct.len(), set.addresses.len());
        }
        for set in &foreign {
            let is = case.denying.ip_sets.iter().flatten().find(|is| is.arn == set.arn);
            prop_assert_eq!(is, Some(set));
        }
    }
    Ok(refused)
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn who_is_denied_in_an_ip_set_is_in_one_until_the_time_has_passed((case, family, moments) in lives()) {
        live(case, family, &moments)?;
    }

    #[test]
    fn sets_that_take_turns_always_have_room_for_one_more((case, family, moments) in lives()) {
        let mut case = case;
        // Settings know no seconds. The sets are new, and there are two to four.
        case.settings.deny_for = minutes(case.settings.deny_for.as_mins().max(1));
        let count = case.denying.ip_sets.len();
        case.denying.ip_sets = (0..count).map(|n| Ok(set(n, family, Vec::new(), String::new()))).collect();
        let refused = live(case, family, &moments)?;
        prop_assert!(refused.is_empty(), "{refused:?}");
    }

    #[test]
    fn a_set_that_is_full_or_not_ours_is_told_where_no_other_takes_the_source((case, family, _) in lives(), count in 9_998_usize..=10_000) {
        let mut case = case;
        case.denying.source = attacker(family, 1);
        if let Some(Ok(first)) = case.denying.ip_sets.first_mut() {
            first.addresses = crowd(family, count);
        }
        let plan = case.plan(now());
        let usable = |set: &IpSet| match set_end(set) {
            None => set.addresses.is_empty(),
            Some(end) => {
                let far = now().saturating_add(case.settings.deny_for).unwrap();
                let stands = set.addresses.contains(&case.denying.source) && end.duration_until(far) <= case.settings.deny_for / 10;
                end <= now() || stands || end >= far && set.addresses.len() < 10_000
            }
        };
        let is_refused = !case.denying.ip_sets.iter().flatten().any(usable);
        prop_assert_eq!(plan.verdict == Verdict::Refused, is_refused, "{}", plan.reason);
        for set in case.denying.ip_sets.iter().filter(|_| is_refused) {
            match set {
                Err(why) => prop_assert!(plan.reason.contains(why)),
                Ok(set) if set_end(set).is_none() => prop_assert!(plan.reason.contains(set.arn.as_str())),
                Ok(_) => {}
            }
        }
    }
}

/// Whether the laws see what they are about: a law that holds of nothing holds.
#[test]
fn the_cases_are_of_every_kind() {
    let mut seen = BTreeSet::new();
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    for _ in 0..3000 {
        let case = proptest::strategy::ValueTree::current(&cases().new_tree(&mut runner).unwrap());
        let run = Run::new(&case);
        for (at, acl) in case.denying.acls.iter().enumerate() {
            let puts = |change: &Change| matches!(change, Change::PutAclEntry(_));
            let steps = run.in_acl(at);
            seen.insert(match (case.exempts(acl), is_told_refused(&run.plan, acl)) {
                (true, _) => "exempt",
                (_, true) => "refused",
                _ if run.evicted(at).len() > 1 => "several made room",
                _ if !run.evicted(at).is_empty() => "one made room",
                _ if steps.is_empty() => "denied already",
                _ if !steps.iter().any(|(change, _)| puts(change)) => "extended",
                _ if matches!(steps[0].0, Change::DeleteAclEntry(_)) => "moved",
                _ => "put",
            });
            for direction in case.directions() {
                if let Some(lack) = lack(&case, acl, *direction) {
                    seen.insert(match lack {
                        Lack::Number => "no number",
                        Lack::Entry => "no entry",
                        Lack::Tag => "no tag",
                    });
                }
            }
            if acl.entries.iter().any(|entry| entry.number >= LAST) {
                seen.insert("EC2's own");
            }
        }
        for why in ["no free entry number", "no room for another", "tags already", "too late", "denies it already", "does not count"] {
            if said(&run.plan).contains(why) {
                seen.insert(why);
            }
        }
    }
    let all = [
        "EC2's own",
        "denied already",
        "denies it already",
        "does not count",
        "exempt",
        "extended",
        "moved",
        "no entry",
        "no free entry number",
        "no number",
        "no room for another",
        "no tag",
        "one made room",
        "put",
        "refused",
        "several made room",
        "tags already",
        "too late",
    ];
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), all);
}
