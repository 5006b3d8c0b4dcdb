//! Any state of a resource that bytes can make, and the plans of all guardrails for it, under the laws of `shared/policy/tests`.

#![no_main]

#[path = "../../shared/policy/tests/acl_model/mod.rs"]
mod acl_model;
#[allow(dead_code, reason = "the tests use the rest")]
#[path = "../../shared/policy/tests/model/mod.rs"]
mod model;

mod bytes;

use std::fmt::Debug;

use bytes::Bytes;
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use palisade_policy::change::{Change, State, undo};
use palisade_policy::enable_flow_logs;
use palisade_policy::flow_log::Vpc;
use palisade_policy::lift_denials::{self, Lifting};
use palisade_policy::plan::{Plan, Verdict};
use palisade_policy::strip_default_group::{self, DefaultGroup, InUse};
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;

fuzz_target!(|input: &[u8]| {
    let [which, detail, rest @ ..] = input else { return };
    let (detail, mut bytes) = (usize::from(*detail), Bytes(rest));
    let law = match which % 7 {
        0 | 1 => revoke_admin_ingress(&bytes.group(true), detail % 4),
        2 => strip_default_group(&bytes.group(true), detail),
        3 => {
            let (vpc, settings) = bytes.vpc();
            enable_flow_logs(&vpc, settings)
        }
        4 => deny_source(&bytes.denial(true)),
        5 => lift_denials(&bytes.denial(true), detail),
        _ => {
            impossible(rest, detail);
            Ok(())
        }
    };
    if let Err(broken) = law {
        panic!("{broken}");
    }
});

fn revoke_admin_ingress(case: &model::cases::Case, refusals: usize) -> TestCaseResult {
    use model::laws::*;
    what_is_admitted_after_is_what_was_admitted_before_less_what_the_plan_removes(case)?;
    no_administrative_port_is_open_to_the_world_after(case)?;
    planning_again_on_what_the_plan_left_changes_nothing(case, refusals)?;
    undoing_restores_the_rules_with_descriptions_and_tags(case, refusals)
}

/// Of a default group nothing but rules go, and of any other nothing at all.
fn strip_default_group(case: &model::cases::Case, detail: usize) -> TestCaseResult {
    let settings = strip_default_group::Settings {
        in_use: if detail & 1 == 0 { InUse::Refuse } else { InUse::Strip },
        exemptions: case.setup.exemptions,
    };
    let mut state = DefaultGroup { group: case.group.clone(), interfaces: Vec::new() };
    state.group.name = if detail & 2 == 0 { "default" } else { "web" }.to_owned();
    state.interfaces.extend((0..detail >> 6).filter_map(|n| format!("eni-{n}").parse().ok()));
    let plan = |state: &DefaultGroup| strip_default_group::Policy::new(settings.clone()).plan(state, model::cases::now());
    for change in plan(&state).changes {
        prop_assert!(state.group.name == "default" && matches!(change, Change::RevokeRule(_)), "{:?}", change);
    }
    let rules = |state: &DefaultGroup| model::all_facts(&state.group.rules);
    least_change_inverse_and_idempotence(&state, plan, |one, other| rules(one) == rules(other))
}

/// No flow log that exists is touched, and at most one is made.
fn enable_flow_logs(vpc: &Vpc, settings: enable_flow_logs::Settings) -> TestCaseResult {
    let policy = enable_flow_logs::Policy::new(settings);
    let plan = |vpc: &Vpc| policy.plan(vpc, model::cases::now(), 0);
    let changes = plan(vpc).changes;
    prop_assert!(changes.len() <= 1 && changes.iter().all(|change| matches!(change, Change::CreateFlowLog(_))), "{:?}", changes);
    least_change_inverse_and_idempotence(vpc, plan, |one, other| one == other)
}

fn deny_source(case: &acl_model::cases::Case) -> TestCaseResult {
    use acl_model::laws::*;
    only_the_source_is_denied(case, &Run::new(case))?;
    what_palisade_did_not_make_is_untouched_at_every_step(case)?;
    no_step_exceeds_the_quota_or_the_fifty_tags(case)?;
    planning_again_a_second_later_changes_nothing(case)?;
    undoing_restores_entries_tags_and_ip_sets(case)
}

/// What others made stays, whatever the time.
fn lift_denials(case: &acl_model::cases::Case, detail: usize) -> TestCaseResult {
    let minutes = i64::try_from(detail).unwrap_or(0) * 24 - 2_000;
    let now = acl_model::cases::now().saturating_add(acl_model::minutes(minutes)).unwrap_or(Timestamp::MAX);
    let numbers = &case.settings.numbers;
    let plan = |lifting: &Lifting| lift_denials::Policy::new(numbers.clone()).plan(lifting, now);
    for acl in &case.denying.acls {
        let before = Lifting::Acl(acl.clone());
        if let Lifting::Acl(after) = after(&before, &plan(&before)) {
            prop_assert_eq!(acl_model::without_ours(acl, numbers), acl_model::without_ours(&after, numbers));
        }
        least_change_inverse_and_idempotence(&before, plan, same_lifting)?;
    }
    for set in case.denying.ip_sets.iter().flatten() {
        least_change_inverse_and_idempotence(&Lifting::IpSet(set.clone()), plan, same_lifting)?;
    }
    Ok(())
}

fn same_lifting(one: &Lifting, other: &Lifting) -> bool {
    match (one, other) {
        (Lifting::Acl(one), Lifting::Acl(other)) => acl_model::sorted(one) == acl_model::sorted(other),
        (one, other) => one == other,
    }
}

fn after<S: State + Clone>(state: &S, plan: &Plan) -> S {
    let mut state = state.clone();
    for change in &plan.changes {
        assert!(!state.shows(change), "made already: {change:?}");
        change.apply(&mut state).unwrap_or_else(|error| panic!("{error}: {change:?}"));
        assert!(state.shows(change), "not made: {change:?}");
    }
    state
}

/// Design §4, of any guardrail: the changes can be made, planning again changes nothing, and taking them back restores what was there.
fn least_change_inverse_and_idempotence<S: State + Clone + Debug>(
    state: &S,
    plan: impl Fn(&S) -> Plan,
    same: impl Fn(&S, &S) -> bool,
) -> TestCaseResult {
    let first = plan(state);
    prop_assert_eq!(first.verdict == Verdict::Change, !first.changes.is_empty());
    let mut changed = after(state, &first);
    prop_assert_eq!(plan(&changed).changes, vec![]);
    for change in undo(&first.changes) {
        prop_assert_eq!(change.inverse().inverse(), change.clone());
        prop_assert!(change.apply(&mut changed).is_ok(), "can't be taken back: {:?}", change);
    }
    prop_assert!(same(&changed, state), "taken back it is {:?}, and was {:?}", changed, state);
    Ok(())
}

/// What AWS could not hold: nothing makes a plan panic.
fn impossible(bytes: &[u8], detail: usize) {
    let case = Bytes(bytes).group(false);
    let plan = case.setup.policy().plan(&case.group, model::cases::now(), detail);
    let mut group = case.group.clone();
    for change in plan.changes.iter().chain(&undo(&plan.changes)) {
        let _ = change.apply(&mut group);
    }
    let state = DefaultGroup { group: case.group, interfaces: Vec::new() };
    let _ = strip_default_group::Policy::new(strip_default_group::Settings::default()).plan(&state, model::cases::now());

    let case = Bytes(bytes).denial(false);
    let now = [acl_model::cases::now(), Timestamp::MIN, Timestamp::MAX][detail % 3];
    let _ = case.plan(now);
    let policy = lift_denials::Policy::new(case.settings.numbers);
    case.denying.acls.into_iter().for_each(|acl| drop(policy.plan(&Lifting::Acl(acl), now)));
    case.denying.ip_sets.into_iter().flatten().for_each(|set| drop(policy.plan(&Lifting::IpSet(set), now)));
}
