//! The replay tool itself, as a person runs it.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use palisade_policy::response::Mode;
use palisade_tests::proxy::Proxy;
use palisade_tests::replay;
use serde_json::Value;

use crate::scene::{Scene, aws, block_on};

/// The tool, with nothing of the caller's own AWS.
fn replay_tool(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_replay"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("AWS_") || name.starts_with("PALISADE_")) {
        command.env_remove(name);
    }
    command.args(arguments).envs(environment.iter().copied()).env("AWS_EC2_METADATA_DISABLED", "true").output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn one_case_is_shown_whole_and_without_colour_when_piped() {
    aws();
    let output = replay_tool(&["range-20-25", "--enforce"], &[]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let in_a_week = Timestamp::now().saturating_add(SignedDuration::from_hours(7 * 24)).unwrap().to_zoned(TimeZone::UTC).date();
    insta::assert_snapshot!(text(&output.stdout).replace(&in_a_week.to_string(), "<DATE+7>"));
}

#[test]
fn one_case_is_played_in_dry_run_unless_told_otherwise() {
    aws();
    let output = replay_tool(&["range-20-25"], &[]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    insta::assert_snapshot!(text(&output.stdout));
}

#[test]
fn json_is_one_document() {
    aws();
    let output = replay_tool(&["revoke-admin-ingress/sweep", "--enforce", "--json"], &[]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["case"], "sweep");
    assert_eq!(document["dry-run"]["answer"]["summary"]["would-change"], 6);
    assert_eq!(document["enforce"]["answer"]["summary"]["changed"], 6);
    assert_eq!(document["notAsExpected"], serde_json::json!([]));
}

#[test]
fn an_event_file_alone_is_played_into_an_empty_world() {
    aws();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mine.json");
    fs::write(&file, r#"{"securityGroupIds": ["sg-0a1b2c3d4e5f60718"]}"#).unwrap();
    let output = replay_tool(&[file.to_str().unwrap()], &[]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let shown = text(&output.stdout);
    assert!(shown.contains("sg-0a1b2c3d4e5f60718: it no longer exists") && shown.contains("--live"), "{shown}");
}

#[test]
fn what_is_neither_a_case_nor_a_file_is_an_error_that_says_what_to_do() {
    let output = replay_tool(&["no-such-case"], &[]);
    assert!(!output.status.success());
    assert_eq!(
        text(&output.stderr),
        "error: `no-such-case` is neither a case in `events/` nor an event file; `cargo run -- --list` names the cases\n"
    );
}

#[test]
fn a_name_that_several_guardrails_have_asks_which() {
    let output = replay_tool(&["sweep"], &[]);
    assert!(!output.status.success());
    let told = text(&output.stderr);
    assert!(told.starts_with("error: `sweep` is the name of several cases; say which: `revoke-admin-ingress/sweep`, "), "{told}");
    assert!(told.contains("`strip-default-group/sweep`"), "{told}");
    let output = replay_tool(&["--list"], &[]);
    assert!(text(&output.stdout).lines().any(|line| line == "strip-default-group/sweep"), "{}", text(&output.stdout));
}

#[test]
fn live_runs_dry_in_the_callers_account_and_publishes_nothing() {
    let (output, calls, before, after) = block_on(async {
        let scene = Scene::of("console-opens-ssh").await;
        let proxy = Proxy::start(aws(), &scene.made.account, replay::stub(&scene.case, &scene.made)).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let event = folder.path().join("event.json");
        fs::write(&event, scene.made.with_real_ids(&scene.case.event)).unwrap();
        let before = scene.rules().await;
        let output = live(&event, &proxy.url()).await;
        (output, proxy.take_calls(), before, scene.rules().await)
    });
    assert!(output.status.success(), "{}", text(&output.stderr));
    let shown = text(&output.stdout);
    assert!(shown.contains("would-change") && shown.contains("tcp/22 admits 0.0.0.0/0"), "{shown}");
    assert!(shown.contains("Nothing was changed and nothing was published"), "{shown}");
    let actions: Vec<&str> = calls.iter().map(|call| call.action.as_str()).collect();
    assert!(actions.contains(&"GetCallerIdentity"), "{actions:?}");
    assert!(!actions.contains(&"Publish"), "{actions:?}");
    assert!(!calls.iter().any(palisade_tests::proxy::Call::is_mutation), "{actions:?}");
    assert_eq!(before, after);
}

/// The proxy must run while the tool, another process, does.
async fn live(event: &Path, endpoint: &str) -> Output {
    let (event, endpoint) = (event.to_owned(), endpoint.to_owned());
    let environment = move || {
        let credentials = [("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"), ("AWS_SECRET_ACCESS_KEY", "s"), ("AWS_REGION", "eu-west-1")];
        // A caller's own wish for enforcement must not count.
        let more = [("AWS_ENDPOINT_URL", endpoint.as_str()), ("PALISADE_MODE", "enforce")];
        replay_tool(&[event.to_str().unwrap(), "--live"], &[credentials.as_slice(), more.as_slice()].concat())
    };
    tokio::task::spawn_blocking(environment).await.unwrap()
}

#[test]
fn live_without_a_region_or_credentials_says_what_to_set() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path().to_str().unwrap();
    aws();
    let output = replay_tool(&["revoke-admin-ingress/sweep-by-direct-call", "--live"], &[("HOME", home)]);
    assert!(text(&output.stderr).contains("set AWS_REGION"), "{}", text(&output.stderr));
    let output = replay_tool(&["revoke-admin-ingress/sweep-by-direct-call", "--live"], &[("HOME", home), ("AWS_REGION", "eu-west-1")]);
    assert!(!output.status.success());
    assert!(text(&output.stderr).contains("set AWS_PROFILE"), "{}", text(&output.stderr));
}

#[test]
fn live_enforcement_does_not_exist() {
    let output = replay_tool(&["revoke-admin-ingress/sweep-by-direct-call", "--live", "--enforce"], &[]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(Mode::default(), Mode::DryRun);
}
