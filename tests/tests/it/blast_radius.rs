//! `PALISADE_MAX_CHANGES`: how much one invocation may change at most.

use std::collections::BTreeMap;

use palisade_policy::guardrail::Guardrail;
use palisade_policy::response::Mode;
use palisade_tests::case::Case;
use serde_json::Value;

use crate::scene::{Scene, block_on};

/// A case of each guardrail in which there is more to do than that.
const CASES: [&str; 5] = [
    "revoke-admin-ingress/blast-radius",
    "strip-default-group/blast-radius",
    "enable-flow-logs/vpcs-over-the-blast-radius",
    "deny-source/three-sources-one-acl",
    "lift-denials/acls-over-the-blast-radius",
];

fn by_outcome(results: &[Value]) -> BTreeMap<String, Vec<String>> {
    let mut by_outcome: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for result in results {
        let outcome = result["outcome"].as_str().unwrap().replace("would-change", "changed");
        by_outcome.entry(outcome).or_default().push(result["resource"].as_str().unwrap().to_owned());
    }
    by_outcome
}

#[test]
fn over_the_blast_radius_the_worst_are_changed_and_the_rest_refused_by_name_in_both_modes() {
    block_on(async {
        // What undo-change takes back is what one invocation changed.
        let all: Vec<Guardrail> = Guardrail::ALL.into_iter().filter(|guardrail| *guardrail != Guardrail::UndoChange).collect();
        assert_eq!(CASES.map(|case| Case::find(case).unwrap().guardrail).as_slice(), all, "every guardrail has one");
        for case in CASES {
            let scene = Scene::with(case, &[("PALISADE_MAX_CHANGES", "1")]).await;
            let mut outcomes = Vec::new();
            for mode in [Mode::DryRun, Mode::Enforce] {
                let act = scene.function(mode, Vec::new()).await.deliver().await;
                let results = act.response().unwrap()["results"].as_array().unwrap().clone();
                for result in results.iter().filter(|result| result["outcome"] == "refused") {
                    let reason = result["reason"].as_str().unwrap();
                    assert!(reason.starts_with("over the blast radius: one invocation changes at most 1 target"), "{case}: {reason}");
                }
                assert!(act.notices[0].email.contains("over the blast radius"), "{case}: {}", act.notices[0].email);
                outcomes.push(by_outcome(&results));
            }
            assert_eq!(outcomes[0], outcomes[1], "{case}: in dry run the same");
            assert_eq!(outcomes[0]["changed"].len(), 1, "{case}: {:?}", outcomes[0]);
            assert!(!outcomes[0]["refused"].is_empty(), "{case}: {:?}", outcomes[0]);

            // Those that were refused have their turn in the next runs, and none has two.
            let mut changed = outcomes[1]["changed"].clone();
            while changed.len() < outcomes[1]["changed"].len() + outcomes[1]["refused"].len() {
                let act = scene.enforce().await;
                let now = by_outcome(act.response().unwrap()["results"].as_array().unwrap());
                assert_eq!(now.get("changed").map(Vec::len), Some(1), "{case}: {now:?}");
                changed.extend(now["changed"].clone());
            }
            changed.sort();
            let mut all = [outcomes[1]["changed"].clone(), outcomes[1]["refused"].clone()].concat();
            all.sort();
            assert_eq!(changed, all, "{case}");
        }
    });
}

#[test]
fn only_a_call_that_says_so_changes_anything() {
    block_on(async {
        for case in [
            "revoke-admin-ingress/direct-call-without-dry-run-member",
            "strip-default-group/direct-call-without-dry-run-member",
            "enable-flow-logs/named-vpcs-in-dry-run",
            "deny-source/call-without-dry-run-member-denies-nothing",
        ] {
            let scene = Scene::of(case).await;
            let act = scene.enforce().await;
            assert_eq!(act.response().unwrap()["mode"], "dry-run", "{case}");
            assert!(!act.calls.iter().any(|call| call.is_mutation()), "{case}: {:?}", act.calls);
        }
        // The mode is the operator's: a call that asks for more than a dry run does not get it.
        let scene = Scene::of("deny-source/one-source-by-direct-call").await;
        let act = scene.function(Mode::DryRun, Vec::new()).await.deliver().await;
        assert_eq!(act.response().unwrap()["mode"], "dry-run");
        assert!(!act.calls.iter().any(|call| call.is_mutation()), "{:?}", act.calls);
    });
}

#[test]
fn the_messages_of_one_batch_share_the_blast_radius() {
    block_on(async {
        let scene = Scene::with("revoke-admin-ingress/sqs-batch-with-a-message-that-is-spoilt", &[("PALISADE_MAX_CHANGES", "1")]).await;
        for mode in [Mode::DryRun, Mode::Enforce] {
            let act = scene.function(mode, Vec::new()).await.deliver().await;
            let results: Vec<Value> =
                act.responses().iter().flat_map(|response| response["results"].as_array().cloned().unwrap_or_default()).collect();
            let outcomes: Vec<usize> = by_outcome(&results).values().map(Vec::len).collect();
            assert_eq!(by_outcome(&results).into_keys().collect::<Vec<_>>(), ["changed", "refused"], "{mode}: {results:?}");
            assert_eq!(outcomes, [1, 1], "{mode}: {results:?}");
        }
    });
}
