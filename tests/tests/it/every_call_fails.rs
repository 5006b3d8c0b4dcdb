//! Each AWS call of each function fails in turn, in each way in which a call can fail, and then the event is delivered again.
//!
//! The calls are those that a run without faults makes. It stands in for AWS's bad days, which the local AWS never has.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::sync::Arc;

use palisade_policy::cidr::Cidr;
use palisade_tests::proxy::Call;
use palisade_tests::replay::{Act, predicted_otherwise, shown, told_alike};
use palisade_tests::stub::{Fault, Gate, How};
use palisade_tests::world::{Resource, Snapshot};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::packets::wrong_on_the_way;
use crate::scene::{Function, Scene, block_on, with_aws_of_its_own};

/// Where there is something to do, and much to go wrong. A guardrail joins by a line.
const CASES: [&str; 17] = [
    "revoke-admin-ingress/range-20-25",
    "revoke-admin-ingress/descriptions-and-tags-survive",
    "revoke-admin-ingress/prefix-list-holds-the-world",
    "revoke-admin-ingress/sweep-by-direct-call",
    "strip-default-group/create-vpc",
    "strip-default-group/ipv6-and-self-reference",
    "enable-flow-logs/create-vpc",
    "deny-source/one-source-by-direct-call",
    "deny-source/the-denial-that-ends-soonest-makes-room",
    "deny-source/a-denial-that-was-overtaken-is-moved",
    "deny-source/ip-sets-take-turns",
    "deny-source/alarm-whose-flow-logs-show-the-source",
    "lift-denials/denials-that-have-ended",
    "lift-denials/ip-sets-that-have-ended",
    "undo-change/a-revoked-rule",
    "undo-change/a-default-group",
    "undo-change/a-denial",
];

/// A way in which a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// AWS asks for patience, at each of the SDK's attempts.
    Throttled,
    /// HTTP 500.
    Stumbles,
    /// No answer comes.
    Silent,
    /// The connection is reset.
    Reset,
    /// Our role may not.
    Denied,
    /// The call took effect, and its answer is lost.
    Lost,
    /// The same, and the SDK makes the call again.
    LostAndRepeated,
}

const WAYS: [Way; 7] = [Way::Throttled, Way::Stumbles, Way::Silent, Way::Reset, Way::Denied, Way::Lost, Way::LostAndRepeated];

impl Way {
    fn how(self, action: &str) -> How {
        let json = ["GetIPSet", "UpdateIPSet", "StartQuery", "GetQueryResults", "StopQuery", "SendMessage", "VerifyMac", "GenerateMac"]
            .contains(&action);
        let refuse = |status, code| How::Refuse { status, code };
        match self {
            Way::Throttled if json => refuse(400, "ThrottlingException"),
            Way::Throttled if action == "Publish" => refuse(400, "Throttling"),
            Way::Throttled => refuse(503, "RequestLimitExceeded"),
            Way::Stumbles => refuse(500, "InternalError"),
            Way::Silent => How::Hang,
            Way::Reset => How::Reset,
            Way::Denied if json => refuse(400, "AccessDeniedException"),
            Way::Denied if action == "Publish" => refuse(403, "AuthorizationError"),
            Way::Denied => refuse(403, "UnauthorizedOperation"),
            Way::Lost | Way::LostAndRepeated => How::LoseAnswer,
        }
    }

    /// The SDK's attempts: one, so that a failed attempt is a failed call.
    fn attempts(self) -> &'static str {
        if self == Way::LostAndRepeated { "2" } else { "1" }
    }

    /// A read has no effect that could be lost, and no second effect.
    fn concerns(self, call: &Call) -> bool {
        call.is_mutation() || call.action == "Publish" || !matches!(self, Way::Lost | Way::LostAndRepeated)
    }
}

/// A case without faults: the calls that it makes, and what is there at last.
struct Clean {
    calls: Vec<(Call, usize)>,
    last: BTreeMap<String, Vec<String>>,
}

#[test]
fn whatever_call_fails_nobody_is_cut_off_the_notice_is_true_and_the_next_delivery_finishes() {
    let wrong = with_aws_of_its_own(|| block_on(every_call_fails()));
    assert!(wrong.is_empty(), "{}", wrong.into_iter().collect::<Vec<_>>().join("\n"));
}

async fn every_call_fails() -> BTreeSet<String> {
    let at_once = Arc::new(Semaphore::new(8));
    let mut running = JoinSet::new();
    let (mut wrong, mut reads) = (BTreeSet::new(), BTreeSet::new());
    let wanted = std::env::var("PALISADE_TEST_CASE").unwrap_or_default();
    for case in CASES.into_iter().filter(|case| case.contains(&wanted)) {
        let clean = match clean_run(case).await {
            Ok(clean) => Arc::new(clean),
            Err(broken) => {
                wrong.extend(broken);
                continue;
            }
        };
        for at in 0..clean.calls.len() {
            let (call, count) = &clean.calls[at];
            let untouched = !clean.calls[..at].iter().any(|(call, _)| call.is_mutation());
            let guardrail = case.split('/').next().unwrap();
            // As long as nothing is changed, it is the same read in each case of a guardrail.
            if untouched && !call.is_mutation() && !reads.insert((guardrail, call.action.clone(), *count)) {
                continue;
            }
            let (clean, at_once) = (Arc::clone(&clean), Arc::clone(&at_once));
            running.spawn(async move {
                let _turn = at_once.acquire().await;
                let wrong = one_call_fails(case, &clean, at).await;
                (case, clean, at, wrong)
            });
        }
    }
    let failed = running.join_all().await;
    eprintln!("{} calls failed in turn, in up to {} ways each", failed.len(), WAYS.len());
    for (case, clean, at, _) in failed.into_iter().filter(|(_, _, _, wrong)| !wrong.is_empty()) {
        // On a busy machine calls time out by themselves. What is wrong is wrong alone, too.
        wrong.extend(one_call_fails(case, &clean, at).await);
    }
    wrong
}

async fn clean_run(case: &'static str) -> Result<Clean, Vec<String>> {
    let scene = Scene::with(case, &[("AWS_MAX_ATTEMPTS", "1")]).await;
    let before = read(&scene).await;
    let gate = Arc::new(Gate::default());
    let (act, states) = deliver(&scene, &mut scene.watched(Vec::new(), &gate).await, &gate).await;
    let last = read(&scene).await;
    let mut broken = true_to_the_world(&before, &last, &act);
    broken.extend(on_the_way(&scene, &before, &states, &last));
    if last == before {
        broken.push("it changes nothing, so it shows nothing".to_owned());
    }
    if !broken.is_empty() {
        return Err(broken.into_iter().map(|broken| format!("{case}: {broken}")).collect());
    }
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut calls = Vec::new();
    for call in act.calls {
        let count = counts.entry(call.action.clone()).or_default();
        *count += 1;
        calls.push((call, *count));
    }
    Ok(Clean { calls, last: lasting(&scene, &last) })
}

/// The call fails in each way. Where nothing was called that changes anything, the next way begins in the same world.
async fn one_call_fails(case: &'static str, clean: &Clean, at: usize) -> Vec<String> {
    let (call, count) = &clean.calls[at];
    let ways: Vec<Way> = WAYS.into_iter().filter(|way| way.concerns(call)).collect();
    let mut wrong = Vec::new();
    let mut begun = None;
    for (turn, way) in ways.iter().enumerate() {
        let settings = [("AWS_MAX_ATTEMPTS", way.attempts())];
        let (scene, before, gate, mut function) = match begun.take() {
            Some(begun) => begun,
            None => {
                let scene = Scene::with(case, &settings).await;
                let (before, gate) = (read(&scene).await, Arc::new(Gate::default()));
                let function = scene.watched(Vec::new(), &gate).await;
                (scene, before, gate, function)
            }
        };
        let fault = Fault { action: call.action.clone().leak(), calls: *count..=*count, how: way.how(&call.action) };
        function.proxy.set_faults(vec![fault]);
        let (act, mut states) = deliver(&scene, &mut function, &gate).await;
        let next_is_alike = ways.get(turn + 1).is_some_and(|next| next.attempts() == way.attempts());
        let mut broken = Vec::new();
        if next_is_alike && !act.calls.iter().any(Call::is_mutation) {
            broken.extend(true_to_the_world(&before, &before, &act));
            begun = Some((scene, before, gate, function));
        } else {
            let after = read(&scene).await;
            broken.extend(true_to_the_world(&before, &after, &act));
            function.proxy.set_faults(Vec::new());
            let (again, later) = deliver(&scene, &mut function, &gate).await;
            let last = read(&scene).await;
            broken.extend(true_to_the_world(&after, &last, &again));
            if outcomes(&again).contains(&"failed".to_owned()) {
                broken.push(format!("the second delivery failed: {:?}", again.answer));
            }
            states.push(after);
            states.extend(later);
            broken.extend(on_the_way(&scene, &before, &states, &last));
            let lines = lasting(&scene, &last);
            if lines != clean.last {
                broken.push(format!("it ends as\n    {lines:?}\n  and not as\n    {:?}", clean.last));
            }
        }
        wrong.extend(broken.into_iter().map(|broken| format!("{case}, {} {count} {way:?}: {broken}", call.action)));
    }
    wrong
}

/// What is there for long. A tag whose entry is gone, or never came, is not: `lift-denials` takes it away when its time has passed, and
/// nobody may do so before, for its entry may be just about to come.
fn lasting(scene: &Scene, state: &Snapshot) -> BTreeMap<String, Vec<String>> {
    let mut lines = shown(&scene.case, &scene.made, state);
    for lines in lines.values_mut() {
        let is_denied = |way: &str, source: &str| {
            let entry = format!(" deny all traffic {source}");
            lines.iter().any(|line| line.starts_with(&format!("{way} ")) && line.ends_with(&entry))
        };
        let waits = |line: &String| {
            let denial = line.strip_prefix("tag palisade:deny:").and_then(|rest| rest.split_once(" = "));
            denial.and_then(|(key, _)| key.split_once(':')).is_some_and(|(way, source)| !is_denied(way, source))
        };
        let lasting: Vec<String> = lines.iter().filter(|line| !waits(line)).cloned().collect();
        *lines = lasting;
    }
    lines
}

async fn read(scene: &Scene) -> Snapshot {
    scene.made.read_of(scene.case.guardrail).await.unwrap()
}

/// Delivers the event, and reads what is there after each change.
async fn deliver(scene: &Scene, function: &mut Function, gate: &Gate) -> (Act, Vec<Snapshot>) {
    let mut states = Vec::new();
    let mut delivery = pin!(function.deliver());
    loop {
        tokio::select! {
            act = &mut delivery => return (act, states),
            () = gate.reached() => {
                states.push(read(scene).await);
                gate.open();
            }
        }
    }
}

fn on_the_way(scene: &Scene, before: &Snapshot, states: &[Snapshot], last: &Snapshot) -> Vec<String> {
    let mut denied: Vec<Cidr> = Vec::new();
    let event: Value = serde_json::from_str(&scene.case.event).unwrap();
    let named = event["sources"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned);
    let found = scene.case.world.stub.query_results.iter().flatten().filter_map(|row| row.get("srcAddr").cloned());
    denied.extend(
        named.chain(found).map(|source| if source.contains('/') { source } else { format!("{source}/32") }.parse::<Cidr>().unwrap()),
    );
    for resource in before.values() {
        let Resource::Acl(acl) = resource else { continue };
        denied.extend(acl.tags.keys().filter_map(|key| key.strip_prefix("palisade:deny:in:")?.parse::<Cidr>().ok()));
        denied.extend(acl.tags.keys().filter_map(|key| key.strip_prefix("palisade:deny:out:")?.parse::<Cidr>().ok()));
    }
    states.iter().chain([last]).flat_map(|state| wrong_on_the_way(before, state, last, &denied)).collect()
}

/// What the function says of what it did, against what is there; and that somebody was told.
fn true_to_the_world(before: &Snapshot, after: &Snapshot, act: &Act) -> Vec<String> {
    let Some(response) = act.response() else { return vec![format!("no response in {:?}", act.answer)] };
    let mut wrong = predicted_otherwise(before, after, &act.answer);
    let mut once = act.clone();
    // SNS may be told twice, where its first answer was lost.
    once.notices.dedup();
    wrong.extend(told_alike(&once));
    let told = act.calls.iter().any(|call| call.action == "Publish" && call.status.is_none_or(|status| status < 300));
    let in_the_error = format!("{:?}", act.answer).contains("the notice was not published");
    let to_tell = outcomes(act).iter().any(|outcome| ["changed", "failed", "refused"].contains(&outcome.as_str()));
    if to_tell && !told && !in_the_error {
        wrong.push(format!("nobody was told of {response}"));
    }
    if before != after && !to_tell {
        wrong.push(format!("something was changed, and it says {response}"));
    }
    for result in response["results"].as_array().into_iter().flatten() {
        let half_done = result["reason"].as_str().is_some_and(|reason| reason.contains("left half done"));
        // What could be read was changed whole, and the rest could not be judged: that is `failed`, and nothing is half done.
        let unread = result["reason"].as_str().is_some_and(|reason| reason.contains("can't be read: "));
        if result["outcome"] == json!("failed") && !unread && half_done == (result["changes"] == json!([])) {
            wrong.push(format!("it says otherwise than its changes what is half done: {result}"));
        }
    }
    wrong
}

fn outcomes(act: &Act) -> Vec<String> {
    let response = act.response().unwrap_or(Value::Null);
    response["summary"].as_object().into_iter().flatten().map(|(outcome, _)| outcome.clone()).collect()
}
