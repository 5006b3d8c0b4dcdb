//! Metrics of outcomes: what CloudWatch reads of a function's standard output.

use palisade_policy::response::Mode;
use serde_json::{Value, json};

use crate::scene::{Scene, block_on};

/// The metric documents among the lines that a function wrote in one invocation of a case.
fn documents(case: &str, mode: Mode) -> Vec<Value> {
    block_on(async {
        let scene = Scene::of(case).await;
        let mut function = scene.function(mode, Vec::new()).await;
        function.deliver().await;
        function.log().await.into_iter().filter(|line| line.get("_aws").is_some()).collect()
    })
}

#[test]
fn an_invocation_leaves_one_metric_document_that_counts_its_outcomes() {
    for (case, mode, outcome) in [
        ("revoke-admin-ingress/range-20-25", Mode::DryRun, "would-change"),
        ("revoke-admin-ingress/range-20-25", Mode::Enforce, "changed"),
        ("revoke-admin-ingress/clean-group", Mode::Enforce, "compliant"),
        ("revoke-admin-ingress/failed-call", Mode::Enforce, "ignored"),
    ] {
        let documents = documents(case, mode);
        let [document] = documents.as_slice() else { panic!("{case}: {documents:?}") };
        assert_eq!(
            document["_aws"]["CloudWatchMetrics"],
            json!([{
                "Namespace": "Palisade",
                "Dimensions": [["guardrail", "mode"]],
                "Metrics": [{"Name": outcome, "Unit": "Count"}],
            }]),
        );
        assert!(document["_aws"]["Timestamp"].as_u64() > Some(1_700_000_000_000), "milliseconds: {document}");
        assert_eq!(document["guardrail"], "revoke-admin-ingress");
        assert_eq!(document["mode"], mode.to_string());
        assert_eq!(document[outcome], 1);
    }
}
