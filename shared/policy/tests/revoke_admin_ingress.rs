//! The laws of revoke-admin-ingress, each a sentence, held against a plain packet model that shares no code with the policy.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod model;

use std::collections::{BTreeMap, BTreeSet};

use model::cases::{Case, EXEMPT, INVALID, cases, impossible_cases, now, shuffle};
use model::laws::{self, Run, is_closed};
use model::{Facts, Kind, Plain, Sender, TCP, UDP, admitted, all_facts, authorised, ingress, revoked, span, weight};
use palisade_policy::change::{Change, undo};
use palisade_policy::cidr::{Cidr, Family};
use palisade_policy::plan::{Fate, Verdict};
use palisade_policy::revoke_admin_ingress::QUOTA;
use palisade_policy::security_group::{Direction, GroupReference, Rule, SecurityGroup, Source, Tags};
use palisade_policy::traffic::{PortRange, Traffic, Transport};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

/// At least 10,000 cases a law; `PROPTEST_CASES` asks for more. No files of old failures: a failure becomes a test by name.
fn config() -> ProptestConfig {
    let asked = ProptestConfig::default();
    ProptestConfig { cases: asked.cases.max(10_000), failure_persistence: None, max_shrink_time: 60_000, ..asked }
}

fn is_open(case: &Case, group: &SecurityGroup) -> bool {
    let (world, rules) = (case.setup.world(), case.judged(group));
    case.admin_ports().into_iter().any(|port| Family::BOTH.into_iter().any(|family| world.is_open(&rules, port, family)))
}

fn without_tag(rules: &mut [Rule]) {
    rules.iter_mut().for_each(|rule| drop(rule.tags.remove(EXEMPT)));
}

/// The changes as sets: what is revoked and what is authorised.
fn sets(changes: &[Change]) -> (Vec<Facts>, Vec<Facts>) {
    (all_facts(revoked(changes)), all_facts(authorised(changes)))
}

fn peak(group: &SecurityGroup, more: &[&Rule], family: Family) -> (usize, usize) {
    let sum = |rules: &mut dyn Iterator<Item = &Rule>| rules.map(|rule| weight(group, &rule.source, family)).sum::<usize>();
    (sum(&mut group.ingress()), sum(&mut more.iter().copied()))
}

/// The same group with the quota raised, as rules beyond it show: nothing has to go for want of room.
fn roomy(case: &Case) -> Case {
    let mut case = case.clone();
    let source = Source::ReferencedGroup(GroupReference { group_id: "sg-filler".parse().unwrap(), user_id: None });
    case.group.rules.extend((0..=60).map(|port| Rule {
        id: None,
        direction: Direction::Ingress,
        traffic: Traffic::Ports(Transport::Tcp, PortRange::new(port, port).unwrap()),
        source: source.clone(),
        description: None,
        tags: Tags::new(),
    }));
    case
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn what_is_admitted_after_is_what_was_admitted_before_less_what_the_plan_removes(case in cases()) {
        laws::what_is_admitted_after_is_what_was_admitted_before_less_what_the_plan_removes(&case)?;
    }

    #[test]
    fn no_administrative_port_is_open_to_the_world_after(case in cases()) {
        laws::no_administrative_port_is_open_to_the_world_after(&case)?;
    }

    // A source goes only if it and the kept ones that are no wider are the world already. So giving it back would open the port, and it
    // never goes for the sake of a wider one: narrow sources, private and trusted ones most of all, stay.
    #[test]
    fn what_goes_is_irreducible_and_the_widest_go_first(case in cases()) {
        let run = Run::new(&case, 0);
        let world = case.setup.world();
        let (judged, after) = (case.judged(&case.group), case.judged(&run.group));
        for port in case.admin_ports().into_iter().filter(|_| run.is_free(&case)) {
            let stays = |source: &&Plain| {
                // A piece that an exempt rule has word for word can't be authorised a second time.
                let exempt = |rule: &Plain| case.exempts(&rule.rule.tags) && rule.rule.source == source.rule.source;
                after.iter().any(|rule| rule.takes(port) && rule.covers_source_of(source))
                    || run.after.iter().any(|rule| rule.takes(port) && exempt(rule))
            };
            let (kept, gone): (Vec<&Plain>, Vec<&Plain>) = judged.iter().filter(|rule| rule.takes(port)).partition(stays);
            for source in gone {
                let is_the_world = Family::BOTH.into_iter().any(|family| {
                    let width = world.reach([source], family);
                    let narrower = kept.iter().copied().filter(|other| world.reach([*other], family) <= width);
                    world.reach(narrower.chain([source]), family) >= world.limit(family)
                });
                prop_assert!(is_the_world, "{} went from {port:?} in vain", source.rule.source);
            }
        }
    }

    #[test]
    fn a_group_that_opens_no_administrative_port_to_the_world_is_untouched(case in cases()) {
        let plan = Run::new(&case, 0).plan;
        if !is_open(&case, &case.group) {
            prop_assert!(plan.changes.is_empty());
            prop_assert_ne!(plan.verdict, Verdict::Change);
        } else if case.exempts(&case.group.tags) {
            prop_assert!(plan.changes.is_empty());
            let exempt = matches!(plan.verdict, Verdict::Exempt { .. });
            prop_assert!(exempt);
        } else {
            prop_assert!(!plan.changes.is_empty());
            prop_assert_eq!(plan.verdict, Verdict::Change);
            prop_assert!(plan.exposure > 0);
        }
    }

    #[test]
    fn planning_again_on_what_the_plan_left_changes_nothing(case in cases(), refusals in 0_usize..3) {
        laws::planning_again_on_what_the_plan_left_changes_nothing(&case, refusals)?;
    }

    #[test]
    fn undoing_restores_the_rules_with_descriptions_and_tags(case in cases(), refusals in 0_usize..3) {
        laws::undoing_restores_the_rules_with_descriptions_and_tags(&case, refusals)?;
    }

    #[test]
    fn a_crash_between_two_changes_cuts_nobody_off(case in cases(), refusals in 0_usize..3) {
        let run = Run::new(&case, refusals);
        let changes = &run.plan.changes;
        let is_revoke = |change: &Change| matches!(change, Change::RevokeRule(_));
        prop_assert!(changes.iter().is_sorted_by_key(is_revoke), "a revoke comes before an authorise");

        // What the changes do, without their own `apply`.
        let (revoked, authorised) = sets(changes);
        let mut expected = all_facts(&case.group.rules);
        expected.retain(|rule| !revoked.contains(rule));
        expected.extend(authorised);
        expected.sort();
        prop_assert_eq!(all_facts(&run.group.rules), expected);

        let legitimate: Vec<(Sender, Kind)> = case.senders().into_iter()
            .flat_map(|sender| case.kinds().into_iter().map(move |kind| (sender.clone(), kind)))
            .filter(|(sender, kind)| admitted(&run.before, sender, *kind) && admitted(&run.after, sender, *kind))
            .collect();
        let mut group = case.group.clone();
        // Where there are many changes, about a dozen of the moments between them.
        let stride = changes.len() / 12 + 1;
        for (done, change) in changes.iter().enumerate() {
            prop_assert!(!change.is_made(&group));
            change.apply(&mut group).unwrap();
            prop_assert!(change.is_made(&group));
            if done % stride == 0 {
                let rules = ingress(&group);
                for (sender, kind) in &legitimate {
                    prop_assert!(admitted(&rules, sender, *kind), "{kind:?} of {sender:?} is cut off after {done}");
                }
            }
        }
    }

    #[test]
    fn old_and_new_rules_together_fit_the_quota_and_what_is_given_up_for_it_is_told(case in cases()) {
        let run = Run::new(&case, 0);
        let new = authorised(&run.plan.changes);
        let roomy = Run::new(&roomy(&case), 0);
        prop_assert_eq!(all_facts(revoked(&run.plan.changes)), all_facts(revoked(&roomy.plan.changes)), "room decides what goes");
        let mut short = false;
        for family in Family::BOTH {
            let (old, more) = peak(&case.group, &new, family);
            prop_assert!(old > QUOTA || more == 0 || old + more <= QUOTA, "{family}: {old} and {more}");
            let (old, wanted) = peak(&case.group, &authorised(&roomy.plan.changes), family);
            short |= old <= QUOTA && wanted > 0 && old + wanted > QUOTA;
        }
        let told = run.plan.remarks.iter().any(|remark| remark.contains("no room"));
        prop_assert_eq!(told, short, "{:?}", run.plan.remarks);
        if !short {
            prop_assert_eq!(all_facts(new), all_facts(authorised(&roomy.plan.changes)));
        }
    }

    #[test]
    fn each_refusal_sheds_more_until_nothing_is_authorised_and_the_hole_still_closes(case in cases()) {
        let mut before = Run::new(&case, 0);
        for refusals in 1..=5 {
            let run = Run::new(&case, refusals);
            let (fewer, many) = (authorised(&run.plan.changes).len(), authorised(&before.plan.changes).len());
            prop_assert!(fewer < many || many == 0, "{fewer} pieces after {refusals} refusals, {many} before");
            prop_assert_eq!(all_facts(revoked(&run.plan.changes)), all_facts(revoked(&before.plan.changes)));
            if !case.exempts(&case.group.tags) {
                is_closed(&case, &run.group)?;
            }
            before = run;
        }
    }

    #[test]
    fn after_any_refusals_only_what_the_plan_says_is_lost(case in cases(), refusals in 1_usize..6) {
        let run = Run::new(&case, refusals);
        let replaced: Vec<_> = case.setup.replacements.iter().map(span).collect();
        for kind in case.kinds() {
            for sender in case.senders() {
                let (was, is) = (admitted(&run.before, &sender, kind), admitted(&run.after, &sender, kind));
                prop_assert!(was || !is);
                let in_replacement = |(family, (first, last)): &(Family, (u128, u128))| {
                    matches!(&sender, Sender::Address(its, n) if its == family && first <= n && n <= last)
                };
                if was && !is && !case.setup.is_admin(kind) {
                    let told = |rule: &Plain| run.gives_up(&case, &rule.rule) || rule.is_all_traffic();
                    prop_assert!(run.before.iter().filter(|rule| rule.admits(&sender, kind)).all(told), "{kind:?} of {sender:?}");
                } else if was && !is && case.setup.carve && replaced.iter().any(in_replacement) {
                    prop_assert!(run.plan.remarks.iter().any(|r| r.contains("no room") || r.contains(" goes whole")));
                }
            }
        }
    }

    #[test]
    fn the_replacement_sources_keep_the_ports(case in cases()) {
        let run = Run::new(&case, 0);
        let replaced: Vec<_> = case.setup.replacements.iter().map(span).collect();
        for kind in case.admin_ports().into_iter().filter(|_| run.is_free(&case)) {
            for (family, (first, last)) in &replaced {
                for number in [*first, first.midpoint(*last), *last] {
                    let sender = Sender::Address(*family, number);
                    prop_assert_eq!(admitted(&run.before, &sender, kind), admitted(&run.after, &sender, kind));
                }
            }
        }
    }

    #[test]
    fn the_order_of_the_rules_and_their_ids_do_not_matter(case in cases(), refusals in 0_usize..3) {
        let mut other = case.clone();
        shuffle(&mut other.group.rules, case.seed);
        for (n, rule) in other.group.rules.iter_mut().enumerate() {
            rule.id = (n % 2 == 0).then(|| format!("sgr-z{n}").parse().unwrap());
        }
        let (plan, same) = (Run::new(&case, refusals).plan, Run::new(&other, refusals).plan);
        prop_assert_eq!(sets(&plan.changes), sets(&same.changes));
        prop_assert_eq!((plan.verdict, plan.reason, plan.exposure), (same.verdict, same.reason, same.exposure));
        let sorted = |mut remarks: Vec<String>| { remarks.sort(); remarks };
        prop_assert_eq!(sorted(plan.remarks), sorted(same.remarks));
    }

    #[test]
    fn an_exempt_rule_neither_counts_nor_changes(case in cases()) {
        let run = Run::new(&case, 0);
        let changed = revoked(&run.plan.changes);
        prop_assert!(!changed.iter().any(|rule| case.exempts(&rule.tags)));
        prop_assert!(!authorised(&run.plan.changes).iter().any(|rule| case.exempts(&rule.tags)));

        let mut other = case.clone();
        other.group.rules.retain(|rule| rule.direction == Direction::Egress || !case.exempts(&rule.tags));
        let without = Run::new(&other, 0);
        prop_assert_eq!(all_facts(changed), all_facts(revoked(&without.plan.changes)));
        // An exempt rule takes room, and a piece that it is word for word can't be authorised.
        let has = |rule: &&Rule| case.group.ingress().any(|its| its.is_same(rule));
        let others: Vec<&Rule> = authorised(&without.plan.changes).into_iter().filter(|rule| !has(rule)).collect();
        if run.is_free(&case) && without.is_free(&other) {
            prop_assert_eq!(all_facts(authorised(&run.plan.changes)), all_facts(others));
        }
    }

    #[test]
    fn an_exemption_never_widens_what_another_rule_admits(case in cases()) {
        let run = Run::new(&case, 0);
        let mut other = case.clone();
        other.group.rules.retain(|rule| rule.direction == Direction::Egress || !case.exempts(&rule.tags));
        other.group.tags.remove(EXEMPT);
        let without = Run::new(&other, 0);
        // Which rule gives way for want of room is another question.
        if case.exempts(&case.group.tags) || !without.is_free(&other) {
            return Ok(());
        }
        let by_others = |group: &SecurityGroup| {
            let rules = group.ingress().filter(|rule| !case.exempts(&rule.tags)).cloned().collect();
            ingress(&SecurityGroup { rules, ..group.clone() })
        };
        let (with_it, without_it) = (by_others(&run.group), by_others(&without.group));
        for kind in case.kinds() {
            for sender in case.senders() {
                let (is, would_be) = (admitted(&with_it, &sender, kind), admitted(&without_it, &sender, kind));
                prop_assert!(would_be || !is, "{kind:?} of {sender:?} passes by another rule than the exempt one, for its sake");
            }
        }
    }

    #[test]
    fn an_exemption_that_does_not_count_is_no_exemption(case in cases(), why in proptest::sample::select(INVALID.to_vec())) {
        let mut tagged = case.clone();
        tagged.group.tags.insert(EXEMPT.to_owned(), why.to_owned());
        for rule in tagged.group.rules.iter_mut().step_by(2) {
            rule.tags.insert(EXEMPT.to_owned(), why.to_owned());
        }
        for rule in tagged.group.rules.iter_mut().skip(1).step_by(2) {
            rule.tags.remove(EXEMPT);
        }
        let mut bare = tagged.clone();
        bare.group.tags.clear();
        without_tag(&mut bare.group.rules);

        let (plan, mut left) = { let run = Run::new(&tagged, 0); (run.plan, run.group) };
        without_tag(&mut left.rules);
        let expected = Run::new(&bare, 0);
        prop_assert_eq!(all_facts(&left.rules), all_facts(&expected.group.rules));
        prop_assert_eq!((&plan.verdict, &plan.reason, plan.exposure), (&expected.plan.verdict, &expected.plan.reason, expected.plan.exposure));
        let told = plan.remarks.iter().filter(|remark| remark.contains("does not count")).count();
        let due = revoked(&plan.changes).iter().filter(|rule| rule.tags.contains_key(EXEMPT)).count() + 1;
        prop_assert_eq!(told, if case.setup.exemptions && !plan.changes.is_empty() { due } else { 0 });
    }

    #[test]
    fn a_validly_exempt_group_is_never_changed_unless_exemptions_are_off(mut case in cases()) {
        case.group.tags.insert(EXEMPT.to_owned(), "until=2026-12-31 reason=CHG-1".to_owned());
        case.setup.exemptions = true;
        prop_assert!(Run::new(&case, 0).plan.changes.is_empty());

        case.setup.exemptions = false;
        let off = Run::new(&case, 0);
        is_closed(&case, &off.group)?;
        case.group.tags.clear();
        without_tag(&mut case.group.rules);
        prop_assert_eq!(Run::new(&case, 0).plan.changes.len(), off.plan.changes.len());
    }

    #[test]
    fn egress_rules_and_rules_for_a_security_group_are_never_touched(case in cases()) {
        let plan = Run::new(&case, 0).plan;
        for rule in revoked(&plan.changes).into_iter().chain(authorised(&plan.changes)) {
            prop_assert_eq!(rule.direction, Direction::Ingress);
            prop_assert!(!matches!(rule.source, Source::ReferencedGroup(_)));
        }
        let mut other = case.clone();
        other.group.rules.retain(|rule| rule.direction == Direction::Ingress);
        prop_assert_eq!(Run::new(&other, 0).plan.changes, plan.changes);
    }

    #[test]
    fn what_is_carved_has_the_description_and_the_tags_of_the_rule_it_was_carved_from(case in cases()) {
        let run = Run::new(&case, 0);
        let of_aws = |key: &str| key.to_lowercase().starts_with("aws:");
        let replaced: Vec<_> = case.setup.replacements.iter().map(span).collect();
        let within = |(its, (first, last)): (Family, (u128, u128)), blocks: &[(Family, (u128, u128))]| {
            blocks.iter().any(|(family, (low, high))| its == *family && *low <= first && last <= *high)
        };
        for new in &run.after {
            if run.before.iter().any(|old| old.rule == new.rule) {
                continue;
            }
            let origin = |old: &&Plain| {
                let tags: Tags = old.rule.tags.clone().into_iter().filter(|(key, _)| !of_aws(key)).collect();
                let carved = old.rule.source == new.rule.source;
                let replacement = matches!(&new.rule.source, Source::Cidr(block) if within(span(block), &old.blocks))
                    && new.ports().is_some_and(|(first, _)| old.takes(Kind::port(protocol(new), first)));
                run.revokes(&old.rule)
                    && (carved || replacement)
                    && (old.rule.description.as_ref(), &tags) == (new.rule.description.as_ref(), &new.rule.tags)
            };
            prop_assert!(run.before.iter().any(|old| origin(&old)), "{:?} comes from nowhere", new.rule);
            if let Source::Cidr(block) = &new.rule.source
                && !run.before.iter().any(|old| run.revokes(&old.rule) && old.rule.source == new.rule.source)
            {
                // Adjacent replacements may be one block; its ends are in them all the same.
                let (family, (first, last)) = span(block);
                prop_assert!([first, last].into_iter().all(|end| within((family, (end, end)), &replaced)));
            }
        }
        // A carved rule whose rest is new in the group loses AWS's tags, and that is told.
        for old in run.before.iter().filter(|old| run.revokes(&old.rule) && !run.gives_up(&case, &old.rule)) {
            let from_it = authorised(&run.plan.changes).into_iter().any(|new| new.source == old.rule.source);
            let only = run.before.iter().filter(|rule| run.revokes(&rule.rule) && rule.rule.source == old.rule.source).count() == 1;
            for key in old.rule.tags.keys().filter(|key| from_it && only && of_aws(key)) {
                prop_assert!(run.plan.remarks.iter().any(|remark| remark.contains(key.as_str())), "{key} is lost silently");
            }
        }
    }

    #[test]
    fn no_piece_is_authorised_that_the_group_has_or_a_kept_rule_admits_and_none_twice(case in cases(), refusals in 0_usize..3) {
        let run = Run::new(&case, refusals);
        let new: Vec<&Plain> = run.after.iter().filter(|rule| !run.before.iter().any(|old| old.rule == rule.rule)).collect();
        let kept = case.judged(&case.group).into_iter().filter(|rule| !run.revokes(&rule.rule)).collect::<Vec<_>>();
        let mut seen = BTreeSet::new();
        for piece in new {
            prop_assert!(seen.insert((piece.rule.traffic, piece.rule.source.clone())));
            let needless = kept.iter().find(|rule| rule.covers_source_of(piece) && rule.takes_all_of(piece));
            prop_assert!(needless.is_none(), "{:?} is admitted by {:?}", piece.rule, needless.unwrap().rule);
        }
    }

    #[test]
    fn ranges_revoke_revokes_the_rules_that_carving_would_carve_and_authorises_only_replacements(case in cases()) {
        let (mut carve, mut revoke) = (case.clone(), case);
        (carve.setup.carve, revoke.setup.carve) = (true, false);
        let (carve, whole) = (Run::new(&carve, 0), Run::new(&revoke, 0));
        prop_assert_eq!(all_facts(revoked(&carve.plan.changes)), all_facts(revoked(&whole.plan.changes)));
        for rule in authorised(&whole.plan.changes) {
            let Source::Cidr(block) = &rule.source else { return Err(TestCaseError::fail("a replacement is a block")) };
            let (family, (first, last)) = span(block);
            for end in [first, last] {
                let ours = |other: &Cidr| { let (its, (low, high)) = span(other); its == family && low <= end && end <= high };
                prop_assert!(revoke.setup.replacements.iter().any(ours));
            }
        }
    }

    #[test]
    fn a_prefix_list_that_cannot_be_read_leaves_its_rule_and_is_told(case in cases()) {
        let plan = Run::new(&case, 0).plan;
        let ports = case.admin_ports();
        let unread: Vec<Plain> = case.judged(&case.group).into_iter()
            .filter(|rule| match &rule.rule.source {
                Source::PrefixListId(id) => case.group.prefix_lists.get(id).is_none_or(|list| list.entries.is_err()),
                _ => false,
            })
            .collect();
        prop_assert!(!revoked(&plan.changes).iter().any(|rule| unread.iter().any(|its| its.rule == **rule)));
        let admin: Vec<&Plain> = unread.iter().filter(|rule| ports.iter().any(|port| rule.takes(*port))).collect();
        prop_assert_eq!(plan.unread.is_some(), !admin.is_empty());
        for rule in admin {
            let label = format!("{} from {}", rule.rule.traffic, rule.rule.source);
            prop_assert!(plan.unread.as_ref().unwrap().contains(&label));
        }
    }

    #[test]
    fn the_sketch_shows_the_rules_before_and_after(case in cases()) {
        let run = Run::new(&case, 0);
        let line = |rule: &Rule| vec![rule.traffic.to_string(), rule.source.to_string(), rule.description.clone().unwrap_or_default()];
        let lines = |fates: [Fate; 2]| {
            let of = run.plan.sketch.lines.iter().filter(|line| fates.contains(&line.fate));
            let mut lines: Vec<_> = of.map(|line| line.cells.clone()).collect();
            lines.sort();
            lines
        };
        let rules = |rules: &[Plain]| { let mut lines: Vec<_> = rules.iter().map(|rule| line(&rule.rule)).collect(); lines.sort(); lines };
        if run.plan.verdict == Verdict::Change {
            prop_assert_eq!(lines([Fate::Kept, Fate::Removed]), rules(&run.before));
            prop_assert_eq!(lines([Fate::Kept, Fate::Added]), rules(&run.after));
        }
    }

    #[test]
    fn a_change_survives_its_json(case in cases(), refusals in 0_usize..3) {
        for change in Run::new(&case, refusals).plan.changes {
            for change in [change.inverse(), change] {
                let json = serde_json::to_string(&change).unwrap();
                prop_assert_eq!(serde_json::from_str::<Change>(&json).unwrap(), change);
            }
        }
        // Whatever a rule is, not only those that a hole is made of.
        for rule in case.group.rules {
            let change = Change::RevokeRule(palisade_policy::change::RuleChange { group_id: case.group.id.clone(), rule });
            prop_assert_eq!(serde_json::from_value::<Change>(serde_json::to_value(&change).unwrap()).unwrap(), change);
        }
    }

    #[test]
    fn no_group_makes_it_panic_even_one_that_ec2_could_not_hold(case in impossible_cases(), refusals in 0_usize..100) {
        let policy = case.setup.policy();
        let plan = policy.plan(&case.group, now(), refusals);
        prop_assert_eq!(&plan, &policy.plan(&case.group, now(), refusals));
        let mut group = case.group.clone();
        for change in plan.changes.iter().chain(&undo(&plan.changes)) {
            let _ = change.apply(&mut group);
        }
    }
}

fn protocol(rule: &Plain) -> u8 {
    if rule.takes(Kind::port(TCP, rule.ports().map_or(0, |ports| ports.0))) { TCP } else { UDP }
}

// A law over groups in which nothing happens proves nothing.
#[test]
fn the_cases_reach_what_the_laws_speak_of() {
    let mut runner = TestRunner::deterministic();
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for _ in 0..5_000 {
        let case = cases().new_tree(&mut runner).unwrap().current();
        let Run { plan, before, .. } = Run::new(&case, 0);
        let (gone, new) = (revoked(&plan.changes), authorised(&plan.changes));
        let remarked = |what: &str| plan.remarks.iter().any(|remark| remark.contains(what));
        let replaced = new.iter().any(|rule| !gone.iter().any(|old| old.source == rule.source));
        let stays = before.iter().any(|rule| !gone.contains(&&rule.rule) && case.admin_ports().iter().any(|port| rule.takes(*port)));
        let v6 = |rule: &&Rule| matches!(&rule.source, Source::Cidr(block) if block.family() == Family::V6);
        for (what, is_so) in [
            ("a hole is closed", !gone.is_empty()),
            ("a hole is closed and nothing of an admin port stays", !gone.is_empty() && !stays),
            ("several sources go and others stay", gone.len() > 3 && stays),
            ("an IPv6 source goes", gone.iter().any(v6)),
            ("a prefix list goes", gone.iter().any(|rule| matches!(rule.source, Source::PrefixListId(_)))),
            ("a rule is carved", !new.is_empty()),
            ("all traffic is carved", remarked("is carved into")),
            ("ranges are revoked", remarked("PALISADE_RANGES")),
            ("there is no room", remarked("no room")),
            ("a replacement comes in", replaced),
            ("a rule is exempt beside a hole", remarked("is exempt until")),
            ("all is exempt", matches!(plan.verdict, Verdict::Exempt { .. })),
            ("an exemption does not count", remarked("does not count")),
            ("AWS's tags are lost", remarked("can't have its tags")),
            ("a prefix list can't be read", plan.unread.is_some()),
            ("nothing is to be done", plan.verdict == Verdict::Compliant),
            ("there are hundreds of rules", before.len() > 200),
        ] {
            *seen.entry(what).or_default() += usize::from(is_so);
        }
    }
    println!("{seen:#?}");
    assert!(seen.values().all(|count| *count >= 25), "{seen:#?}");
}
