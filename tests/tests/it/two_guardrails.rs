//! Two guardrails at once on one resource: whoever is held up by the other looks again, and the state converges.

use std::sync::Arc;

use palisade_policy::guardrail::Guardrail;
use palisade_policy::response::Mode;
use palisade_tests::replay::Act;
use palisade_tests::stub::{Fault, Gate, How};
use serde_json::{Value, json};

use crate::scene::{Scene, block_on};

fn held(action: &'static str, gate: &Arc<Gate>) -> Vec<Fault> {
    vec![Fault { action, calls: 1..=1, how: How::Wait(Arc::clone(gate)) }]
}

fn none_failed(acts: [&Act; 2], at: &str) {
    for act in acts {
        let failed = act.response().unwrap_or_else(|| panic!("{at}: {:?}", act.answer))["summary"].get("failed").cloned();
        assert_eq!(failed, None, "{at}: {:?}", act.answer);
    }
}

/// The lines of the case's first resource of a kind.
async fn lines(scene: &Scene, literal: &str) -> Vec<String> {
    scene.made.read().await.unwrap()[scene.made.real(literal)].lines()
}

#[test]
fn a_default_group_that_is_stripped_and_closed_at_once_ends_empty() {
    block_on(async {
        // (held, at its first, while the other does all its work)
        for (is_strip_held, action) in [
            (true, "RevokeSecurityGroupIngress"),
            (true, "RevokeSecurityGroupEgress"),
            (false, "AuthorizeSecurityGroupIngress"),
            (false, "RevokeSecurityGroupIngress"),
        ] {
            let scene = Scene::of("strip-default-group/ssh-opened-in-a-default-group").await;
            let group = scene.case.world.security_groups.keys().next().unwrap().clone();
            let gate = Arc::new(Gate::default());
            let event = json!({"securityGroupIds": [group], "dryRun": false});
            let faults = |of: bool| if of { held(action, &gate) } else { Vec::new() };
            let mut strip = scene.function(Mode::Enforce, faults(is_strip_held)).await;
            let mut close = scene.other(Guardrail::RevokeAdminIngress, event, &[], faults(!is_strip_held)).await;
            let (of_held, of_quick) = if is_strip_held {
                strip.deliver_held(&gate, close.deliver()).await
            } else {
                close.deliver_held(&gate, strip.deliver()).await
            };
            none_failed([&of_held, &of_quick], action);
            // What was authorised for a rule that the other had taken away is an event for it, as every authorisation is.
            if !is_strip_held {
                strip.deliver().await;
            }
            assert_eq!(lines(&scene, &group).await, Vec::<String>::new(), "held at {action}");
        }
    });
}

fn deny(source: &str) -> Value {
    json!({"sources": [source], "dryRun": false})
}

#[test]
fn a_denial_that_is_extended_while_it_is_lifted_stands() {
    block_on(async {
        // Before its entry goes it is read once more; after that its tag is.
        for (action, call) in [("DescribeNetworkAcls", 2), ("DeleteNetworkAclEntry", 1), ("DeleteTags", 1)] {
            let scene = Scene::of("lift-denials/denials-that-have-ended").await;
            let acl = scene.case.world.network_acls.keys().next().unwrap().clone();
            let mut denying = scene.other(Guardrail::DenySource, deny("198.51.100.7"), &[], Vec::new()).await;
            let (of_lift, of_deny) =
                scene.enforce_held(|gate| vec![Fault { action, calls: call..=call, how: How::Wait(gate) }], denying.deliver()).await;
            none_failed([&of_lift, &of_deny], action);
            let lines = lines(&scene, &acl).await;
            let entry = lines.iter().filter(|line| line.starts_with("in ") && line.ends_with("deny all traffic 198.51.100.7/32")).count();
            assert_eq!(entry, 1, "held at {action}: {lines:?}");
            assert!(lines.iter().any(|line| line.starts_with("tag palisade:deny:in:198.51.100.7/32")), "held at {action}: {lines:?}");
        }
    });
}

#[test]
fn a_source_that_is_denied_while_others_are_lifted_is_denied_and_they_are_not() {
    block_on(async {
        for (is_lift_held, action) in
            [(true, "DeleteNetworkAclEntry"), (true, "DeleteTags"), (false, "CreateTags"), (false, "CreateNetworkAclEntry")]
        {
            let scene = Scene::of("lift-denials/denials-that-have-ended").await;
            let acl = scene.case.world.network_acls.keys().next().unwrap().clone();
            let gate = Arc::new(Gate::default());
            let faults = |of: bool| if of { held(action, &gate) } else { Vec::new() };
            let mut lift = scene.function(Mode::Enforce, faults(is_lift_held)).await;
            let mut denying = scene.other(Guardrail::DenySource, deny("192.0.2.99"), &[], faults(!is_lift_held)).await;
            let (of_held, of_quick) = if is_lift_held {
                lift.deliver_held(&gate, denying.deliver()).await
            } else {
                denying.deliver_held(&gate, lift.deliver()).await
            };
            none_failed([&of_held, &of_quick], action);
            let lines = lines(&scene, &acl).await;
            assert!(lines.iter().any(|line| line.ends_with("deny all traffic 192.0.2.99/32")), "held at {action}: {lines:?}");
            assert!(!lines.iter().any(|line| line.contains("198.51.100.7/32")), "held at {action}: {lines:?}");
        }
    });
}

#[test]
fn an_ip_set_that_is_taken_anew_while_it_is_emptied_holds_the_new_source_alone() {
    block_on(async {
        for is_lift_held in [true, false] {
            let scene = Scene::of("deny-source/ip-sets-take-turns").await;
            let gate = Arc::new(Gate::default());
            let faults = |of: bool| if of { held("UpdateIPSet", &gate) } else { Vec::new() };
            let sets = scene.case.world.settings["PALISADE_IP_SET_V4"].clone();
            let settings = [("PALISADE_IP_SET_V4", sets.as_str())];
            let mut denying = scene.function(Mode::Enforce, faults(!is_lift_held)).await;
            let sweep = json!({"sweep": true, "dryRun": false});
            let mut lift = scene.other(Guardrail::LiftDenials, sweep, &settings, faults(is_lift_held)).await;
            let (of_held, of_quick) = if is_lift_held {
                lift.deliver_held(&gate, denying.deliver()).await
            } else {
                denying.deliver_held(&gate, lift.deliver()).await
            };
            none_failed([&of_held, &of_quick], "UpdateIPSet");
            let set = scene.case.world.ip_sets.keys().find(|arn| arn.contains("turn-a")).unwrap();
            let addresses: Vec<String> = lines(&scene, set).await.split_off(1);
            assert_eq!(addresses, ["198.51.100.7/32"], "lift held: {is_lift_held}");
        }
    });
}

#[test]
fn the_same_event_to_two_processes_at_once_converges_for_every_guardrail() {
    block_on(async {
        for (case, actions) in [
            ("revoke-admin-ingress/sweep-by-direct-call", &["RevokeSecurityGroupIngress"][..]),
            ("strip-default-group/sweep", &["RevokeSecurityGroupIngress", "RevokeSecurityGroupEgress"]),
            ("enable-flow-logs/named-vpcs-by-direct-call", &["CreateFlowLogs"]),
            (
                "deny-source/the-denial-that-ends-soonest-makes-room",
                &["DeleteNetworkAclEntry", "DeleteTags", "CreateTags", "CreateNetworkAclEntry"],
            ),
            ("deny-source/ip-sets-take-turns", &["UpdateIPSet", "CreateNetworkAclEntry"]),
            ("lift-denials/denials-that-have-ended", &["DeleteNetworkAclEntry", "DeleteTags"]),
            ("lift-denials/ip-sets-that-have-ended", &["UpdateIPSet"]),
        ] {
            for action in actions {
                let scene = Scene::of(case).await;
                let (of_slow, of_quick) = scene.enforce_while(action, scene.enforce()).await;
                none_failed([&of_slow, &of_quick], &format!("{case} at {action}"));
                let now = palisade_tests::replay::shown(&scene.case, &scene.made, &scene.made.read().await.unwrap());
                assert_eq!(json!(now), scene.case.expected.as_ref().unwrap()["world"], "{case} at {action}");
            }
        }
    });
}
