//! The laws that the fuzz target `policy` holds too, of any group that bytes can make.

use palisade_policy::change::undo;
use palisade_policy::cidr::Family;
use palisade_policy::plan::Plan;
use palisade_policy::security_group::{Rule, SecurityGroup};
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;

use super::cases::{Case, now};
use super::{ICMP, ICMPV6, Plain, Sender, TCP, UDP, admitted, all_facts, ingress, revoked};

/// A plan and what it makes of the group.
pub(crate) struct Run {
    pub(crate) plan: Plan,
    pub(crate) group: SecurityGroup,
    pub(crate) before: Vec<Plain>,
    pub(crate) after: Vec<Plain>,
}

impl Run {
    pub(crate) fn new(case: &Case, refusals: usize) -> Self {
        let plan = case.setup.policy().plan(&case.group, now(), refusals);
        let mut group = case.group.clone();
        for change in &plan.changes {
            change.apply(&mut group).unwrap();
        }
        Self { before: ingress(&case.group), after: ingress(&group), plan, group }
    }

    pub(crate) fn revokes(&self, rule: &Rule) -> bool {
        revoked(&self.plan.changes).contains(&rule)
    }

    /// Whether the rest of the rule goes with the ports, and the plan says so.
    pub(crate) fn gives_up(&self, case: &Case, rule: &Rule) -> bool {
        let told = format!("{} from {} goes whole", rule.traffic, rule.source);
        self.revokes(rule) && (!case.setup.carve || self.plan.remarks.iter().any(|remark| remark.starts_with(&told)))
    }

    /// Whether it is as if there were room for everything and ranges are carved: then what goes is what has to.
    pub(crate) fn is_free(&self, case: &Case) -> bool {
        case.setup.carve && !self.plan.remarks.iter().any(|remark| remark.contains(" goes whole") || remark.contains("no room"))
    }
}

pub(crate) fn is_closed(case: &Case, group: &SecurityGroup) -> TestCaseResult {
    let (world, rules) = (case.setup.world(), case.judged(group));
    for port in case.admin_ports() {
        for family in Family::BOTH {
            let reach = world.reach(rules.iter().filter(|rule| rule.takes(port)), family);
            prop_assert!(reach < world.limit(family), "{port:?} admits {reach} {family} addresses");
        }
    }
    Ok(())
}

pub(crate) fn what_is_admitted_after_is_what_was_admitted_before_less_what_the_plan_removes(case: &Case) -> TestCaseResult {
    let run = Run::new(case, 0);
    let (world, judged) = (case.setup.world(), case.judged(&case.group));
    for kind in case.kinds() {
        let was_open = Family::BOTH.into_iter().any(|family| world.is_open(&judged, kind, family));
        for sender in case.senders() {
            let (was, is) = (admitted(&run.before, &sender, kind), admitted(&run.after, &sender, kind));
            prop_assert!(was || !is, "{kind:?} of {sender:?} is admitted now");
            if is || !was {
                continue;
            }
            let icmp = if matches!(sender, Sender::Address(Family::V4, _)) { ICMP } else { ICMPV6 };
            for rule in run.before.iter().filter(|rule| rule.admits(&sender, kind)) {
                let carved_away = rule.is_all_traffic() && ![TCP, UDP, icmp].contains(&kind.protocol);
                let closed = case.setup.is_admin(kind) && was_open;
                prop_assert!(run.revokes(&rule.rule), "{kind:?} of {sender:?} is lost, but not {:?}", rule.rule);
                prop_assert!(closed || carved_away || run.gives_up(case, &rule.rule), "{kind:?} of {sender:?} is lost in vain");
            }
        }
    }
    Ok(())
}

pub(crate) fn no_administrative_port_is_open_to_the_world_after(case: &Case) -> TestCaseResult {
    let run = Run::new(case, 0);
    if !case.exempts(&case.group.tags) {
        is_closed(case, &run.group)?;
    }
    Ok(())
}

pub(crate) fn planning_again_on_what_the_plan_left_changes_nothing(case: &Case, refusals: usize) -> TestCaseResult {
    let run = Run::new(case, refusals);
    let again = case.setup.policy().plan(&run.group, now(), 0);
    prop_assert!(again.changes.is_empty(), "{:?}", again.changes);
    prop_assert_eq!(again.unread.is_some(), run.plan.unread.is_some());
    Ok(())
}

pub(crate) fn undoing_restores_the_rules_with_descriptions_and_tags(case: &Case, refusals: usize) -> TestCaseResult {
    let Run { plan, mut group, .. } = Run::new(case, refusals);
    for change in undo(&plan.changes) {
        prop_assert!(!change.is_made(&group));
        change.apply(&mut group).unwrap();
        prop_assert!(change.is_made(&group));
    }
    prop_assert_eq!(all_facts(&group.rules), all_facts(&case.group.rules));
    for change in &plan.changes {
        prop_assert_ne!(&change.inverse(), change);
        prop_assert_eq!(&change.inverse().inverse(), change);
    }
    Ok(())
}
