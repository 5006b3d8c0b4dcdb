//! What was changed is taken back: by the function, from the notice of every case; and by the commands in that notice's text.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Output;
use std::sync::{Arc, Mutex, OnceLock};

use palisade_policy::exemption;
use palisade_policy::guardrail::Guardrail;
use palisade_policy::response::Mode;
use palisade_policy::security_group::Tags;
use palisade_tests::binaries;
use palisade_tests::case::Case;
use palisade_tests::lambda::{Answer, Lambda};
use palisade_tests::lambda_api::LambdaApi;
use palisade_tests::local_aws::aws_cli;
use palisade_tests::proxy::{Call, Proxy};
use palisade_tests::replay::{self, Act};
use palisade_tests::stub::{Fault, Gate, How};
use palisade_tests::world::{Made, Resource};
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::scene::{Scene, aws, block_on, refuse, the_result};

const KEY: (&str, &str) = ("PALISADE_SEAL_KEY_ARN", "arn:aws:kms:eu-west-1:111122223333:key/5ea15ea1-0000-4000-8000-000000000001");
const CARVED: &str = "revoke-admin-ingress/range-20-25";

/// Every call to AWS that `undo-change` has made in these tests.
static CALLS: Mutex<Vec<Call>> = Mutex::new(Vec::new());

/// The same, once every case has been undone, and some undoings too.
pub(crate) fn calls() -> Vec<Call> {
    let (undone, redone) = (undone_wrongly(), redone_wrongly());
    assert!(undone.is_empty() && redone.is_empty(), "undoing goes wrong, so its calls say nothing");
    CALLS.lock().unwrap().clone()
}

/// `undo-change` in the account of a case.
struct Undo {
    lambda: Lambda,
    proxy: Proxy,
}

impl Undo {
    async fn of(case: &Case, made: &Made, faults: Vec<Fault>) -> Self {
        let mut case = case.clone();
        case.guardrail = Guardrail::UndoChange;
        case.world.settings = BTreeMap::from([(KEY.0.to_owned(), KEY.1.to_owned())]);
        let stub = palisade_tests::stub::Stub { faults, ..replay::stub(&case, made) };
        let proxy = Proxy::start(aws(), &made.account, stub).await.unwrap();
        let lambda = replay::start(&case, made, &proxy, Mode::Enforce).await.unwrap();
        Self { lambda, proxy }
    }

    async fn call(&mut self, payload: &Value) -> Act {
        let act = replay::act(&mut self.lambda, &self.proxy, &payload.to_string()).await.unwrap();
        CALLS.lock().unwrap().extend(act.calls.iter().cloned());
        act
    }

    async fn undo(&mut self, given: &Value) -> Act {
        self.call(&json!({"undo": given, "reason": "CHG-1234", "dryRun": false})).await
    }
}

/// Everything of the account that matters, but for ids that are given anew and tags that exempt.
async fn state(made: &Made) -> BTreeMap<String, Vec<String>> {
    let own =
        |tags: &Tags| -> Tags { tags.iter().filter(|(key, _)| !exemption::is_key(key)).map(|(k, v)| (k.clone(), v.clone())).collect() };
    let mut state = BTreeMap::new();
    for (id, mut resource) in made.read().await.unwrap() {
        let tags = match &mut resource {
            Resource::Group(group) => {
                group.rules.iter_mut().for_each(|rule| rule.tags = own(&rule.tags));
                own(&group.tags)
            }
            Resource::Vpc(vpc) => own(&vpc.tags),
            Resource::Acl(acl) => {
                acl.tags = own(&acl.tags);
                acl.tags.clone()
            }
            Resource::IpSet(_) => Tags::new(),
        };
        let mut lines = resource.lines();
        if matches!(&resource, Resource::IpSet(set) if set.addresses.is_empty()) {
            // Of a set that denies nobody its description says nothing, and the local AWS keeps one that is to go.
            lines.clear();
        }
        lines.extend(tags.iter().map(|(key, value)| format!("{key} = {value}")));
        state.insert(id, lines);
    }
    state
}

fn outcomes(act: &Act) -> Vec<String> {
    let response = act.response().unwrap_or(Value::Null);
    let results = response["results"].as_array().cloned().unwrap_or_default();
    results.iter().map(|result| result["outcome"].as_str().unwrap_or("?").to_owned()).collect()
}

/// The case with a key for its seals, whose event changes something in enforcement.
fn changing_cases() -> Vec<Case> {
    let mut cases = Case::all().unwrap();
    cases.retain(|case| {
        let expected = case.expected.clone().unwrap_or_default();
        expected["enforce"].pointer("/answer/summary/changed").or(expected["enforce"].pointer("/answer/response/summary/changed")).is_some()
            && case.guardrail != Guardrail::UndoChange
    });
    for case in &mut cases {
        case.world.settings.insert(KEY.0.to_owned(), KEY.1.to_owned());
    }
    cases
}

/// What is wrong with undoing this case.
async fn undone_wrong(case: &Case) -> Result<(), String> {
    let made = Made::make(aws(), &replay::account(), &case.world).await.unwrap();
    let before = state(&made).await;
    let scene = Scene { case: case.clone(), made };
    let mut function = scene.function(Mode::Enforce, vec![]).await;
    let done = function.deliver().await;
    let after = state(&scene.made).await;
    let response = done.response().ok_or("no response")?;
    if response["seal"]["mac"].as_str().is_none() {
        return Err(format!("a response without a seal: {response}"));
    }
    let mut undo = Undo::of(case, &scene.made, vec![]).await;
    // Each notice can be undone alone; the last is undone first.
    for notice in done.notices.iter().filter(|notice| notice.json.get("seal").is_some()).rev() {
        let act = undo.undo(&notice.json).await;
        if outcomes(&act).iter().any(|outcome| outcome != "changed") || outcomes(&act).is_empty() {
            return Err(format!("undone: {:?}", act.answer));
        }
        if act.response().unwrap()["seal"]["mac"].as_str().is_none() {
            return Err("the undoing has no seal".to_owned());
        }
    }
    let undone = state(&scene.made).await;
    if undone != before {
        return Err(format!("before\n{before:#?}\nundone\n{undone:#?}"));
    }
    if after == before {
        return Err("nothing had been changed".to_owned());
    }
    let twice = undo.undo(&response).await;
    if outcomes(&twice).iter().any(|outcome| outcome != "compliant") || twice.calls.iter().any(|call| call.is_mutation()) {
        return Err(format!("undone twice: {:?}", twice.answer));
    }
    // The guardrail is woken by the undoing itself, and must let it be.
    let no_place = scene.case.world.network_acls.is_empty() && !scene.case.world.ip_sets.is_empty();
    if case.guardrail != Guardrail::LiftDenials
        && !no_place
        && case.world.settings.get("PALISADE_EXEMPTIONS").is_none_or(|set| set != "off")
    {
        let again = function.deliver().await;
        // It may go on to others, whom the blast radius had left for later.
        let changed = |act: &Act| -> Vec<Value> {
            let results = act.response().unwrap_or(Value::Null)["results"].as_array().cloned().unwrap_or_default();
            results.iter().filter(|result| result["outcome"] == "changed").map(|result| result["resource"].clone()).collect()
        };
        let (first, second) = (changed(&done), changed(&again));
        if second.iter().any(|resource| first.contains(resource)) || (second.is_empty() && state(&scene.made).await != before) {
            return Err(format!("the guardrail did it again: {:?}", again.answer));
        }
    }
    Ok(())
}

/// What is wrong with undoing each case: played once for all tests.
fn undone_wrongly() -> &'static [String] {
    static FAILURES: OnceLock<Vec<String>> = OnceLock::new();
    FAILURES.get_or_init(|| {
        block_on(async {
            aws();
            let at_once = Arc::new(Semaphore::new(3));
            let mut running = JoinSet::new();
            let cases = changing_cases();
            assert!(cases.len() > 50, "only {} cases change anything", cases.len());
            let chosen = std::env::var("UNDO_CASE").unwrap_or_default();
            for case in cases.into_iter().filter(|case| case.full_name().contains(&chosen)) {
                let at_once = Arc::clone(&at_once);
                running.spawn(async move {
                    let _turn = at_once.acquire().await;
                    undone_wrong(&case).await.err().map(|wrong| format!("{}\n  {wrong}", case.full_name()))
                });
            }
            running.join_all().await.into_iter().flatten().collect::<Vec<String>>()
        })
    })
}

#[test]
fn what_any_case_changed_is_undone_and_then_left_alone() {
    assert!(undone_wrongly().is_empty(), "{}", undone_wrongly().join("\n"));
}

/// A case, enforced under a seal; its response.
async fn enforced(case: &str) -> (Scene, Act, Value) {
    let scene = Scene::with(case, &[KEY]).await;
    let act = scene.function(Mode::Enforce, vec![]).await.deliver().await;
    let response = act.response().unwrap();
    assert!(response["seal"]["mac"].is_string(), "{response}");
    (scene, act, response)
}

/// What is wrong with undoing an undoing, in a case of each kind: played once for all tests.
fn redone_wrongly() -> &'static [String] {
    const CASES: [&str; 4] =
        [CARVED, "strip-default-group/modify-rules", "enable-flow-logs/create-vpc", "deny-source/one-source-by-direct-call"];
    static FAILURES: OnceLock<Vec<String>> = OnceLock::new();
    FAILURES.get_or_init(|| {
        block_on(async {
            let mut wrong = Vec::new();
            for case in CASES {
                let scene = Scene::with(case, &[KEY]).await;
                let done = scene.function(Mode::Enforce, vec![]).await.deliver().await;
                let after = scene.made.read().await.unwrap();
                let lines = |snapshot: &palisade_tests::world::Snapshot| snapshot.values().map(Resource::lines).collect::<Vec<_>>();
                let mut undo = Undo::of(&scene.case, &scene.made, vec![]).await;
                let undone = undo.undo(&done.response().unwrap()).await;
                let redone = undo.undo(&undone.response().unwrap()).await;
                if outcomes(&redone) != ["changed"] || lines(&scene.made.read().await.unwrap()) != lines(&after) {
                    wrong.push(format!("{case}: {:?}", redone.answer));
                }
            }
            wrong
        })
    })
}

#[test]
fn whoever_undoes_the_undoing_is_where_palisade_left_it() {
    assert!(redone_wrongly().is_empty(), "{}", redone_wrongly().join("\n"));
}

#[test]
fn a_notice_is_taken_in_every_wrapping_that_people_have_it_in() {
    block_on(async {
        let (scene, act, response) = enforced(CARVED).await;
        let text = response.to_string();
        assert_eq!(act.notices[0].json, response, "a single notice is the response, seal and all");
        let message = json!({"default": text, "email": act.notices[0].email, "sms": "…"}).to_string();
        let wrappings = [
            response.clone(),
            json!(text),
            json!({"Type": "Notification", "TopicArn": scene.made.topic_arn, "Message": text}),
            json!(json!({"Type": "Notification", "Message": text}).to_string()),
            json!({"TopicArn": scene.made.topic_arn, "Subject": "…", "Message": message, "MessageStructure": "json"}),
        ];
        let mut undo = Undo::of(&scene.case, &scene.made, vec![]).await;
        for wrapping in wrappings {
            let act = undo.call(&json!({"undo": wrapping, "reason": "CHG-1234"})).await;
            let result = the_result(&act);
            assert_eq!((&result["outcome"], &result["permitted"]), (&json!("would-change"), &json!(true)), "{wrapping}");
            assert!(!act.calls.iter().any(|call| call.is_mutation()));
        }
    });
}

/// Every way to spoil one member of a JSON value, by its path.
fn spoilt(value: &Value) -> Vec<(String, Value)> {
    fn walk(root: &Value, path: &str, all: &mut Vec<(String, Value)>) {
        let mut spoil = |path: &str, with: Value| {
            let mut copy = root.clone();
            *copy.pointer_mut(path).unwrap() = with;
            all.push((path.to_owned(), copy));
        };
        match root.pointer(path).unwrap().clone() {
            Value::Object(object) => {
                let mut more = object.clone();
                more.insert("unknown".to_owned(), json!(1));
                spoil(path, Value::Object(more));
                for name in object.keys() {
                    let mut less = object.clone();
                    less.remove(name);
                    spoil(path, Value::Object(less));
                }
                for name in object.keys() {
                    walk(root, &format!("{path}/{}", name.replace('~', "~0").replace('/', "~1")), all);
                }
            }
            Value::Array(items) => {
                spoil(path, json!([]));
                spoil(path, Value::Array([items.clone(), items.clone()].concat()));
                (0..items.len()).for_each(|at| walk(root, &format!("{path}/{at}"), all));
            }
            Value::String(text) => {
                spoil(path, json!(format!("{text}0")));
                spoil(path, json!(text.replacen(['0', '2', 'a', 'e'], "1", 1)));
            }
            Value::Number(number) => spoil(path, json!(number.as_i64().unwrap() + 1)),
            Value::Bool(flag) => spoil(path, json!(!flag)),
            Value::Null => spoil(path, json!(0)),
        }
    }
    let mut all = Vec::new();
    walk(value, "", &mut all);
    all.retain(|(_, spoilt)| spoilt != value);
    all
}

#[test]
fn a_response_that_was_altered_anywhere_is_undone_nowhere() {
    block_on(async {
        let (scene, _, response) = enforced(CARVED).await;
        let mut undo = Undo::of(&scene.case, &scene.made, vec![]).await;
        let all = spoilt(&response);
        assert!(all.len() > 100, "{}", all.len());
        for (path, spoilt) in all {
            let act = undo.undo(&spoilt).await;
            let refused =
                matches!(&act.answer, Answer::Error { kind, .. } if kind == "Palisade.MalformedEvent") || outcomes(&act) == ["refused"];
            assert!(refused, "{path} may be altered: {spoilt}\n{:?}", act.answer);
            let calls: Vec<&str> = act.calls.iter().map(|call| call.action.as_str()).collect();
            assert!(calls.iter().all(|call| ["VerifyMac", "Publish"].contains(call)), "{path}: {calls:?}");
        }
        assert_eq!(outcomes(&undo.undo(&response).await), ["changed"], "the unaltered one is taken");
    });
}

#[test]
fn a_genuine_seal_does_not_help_what_is_old_or_elsewhere() {
    block_on(async {
        let (scene, _, response) = enforced(CARVED).await;
        let now = jiff::Timestamp::now();
        let time = |hours: i64| json!((now + jiff::SignedDuration::from_hours(hours)).to_string());
        let table = [
            ("/seal/time", time(-31 * 24), "more than 30 days ago"),
            ("/seal/time", time(1), "in the future"),
            ("/account", json!("444455556666"), "it is of account 444455556666"),
            ("/region", json!("us-east-1"), "it is of us-east-1"),
            ("/mode", json!("dry-run"), "it is of a dry run"),
        ];
        let mut undo = Undo::of(&scene.case, &scene.made, vec![]).await;
        for (path, value, why) in table {
            let mut other = response.clone();
            *other.pointer_mut(path).unwrap() = value;
            *other.pointer_mut("/seal/mac").unwrap() = json!("<SEAL>");
            let sealed: Value = serde_json::from_str(&scene.made.event(&other.to_string()).await.unwrap()).unwrap();
            let act = undo.undo(&sealed).await;
            let result = the_result(&act);
            assert_eq!(result["outcome"], "refused", "{path}");
            assert!(result["reason"].as_str().unwrap().contains(why), "{result}");
            assert!(act.calls.iter().all(|call| call.action == "Publish"), "{path}");
        }
        let mut unsealed = response.clone();
        unsealed.as_object_mut().unwrap().remove("seal");
        let result = the_result(&undo.undo(&unsealed).await);
        assert!(result["reason"].as_str().unwrap().contains("it has no seal"), "{result}");
    });
}

#[test]
fn a_notice_waits_for_no_seal_and_says_that_it_has_none() {
    block_on(async {
        let scene = Scene::with(CARVED, &[KEY]).await;
        let mut function = scene.function(Mode::Enforce, vec![refuse("GenerateMac", 1..=99, 400, "AccessDeniedException")]).await;
        let act = function.deliver().await;
        let result = the_result(&act);
        assert_eq!(result["outcome"], "changed");
        assert!(act.response().unwrap().get("seal").is_none());
        assert!(result["remarks"].to_string().contains("this has no seal, so undo-change won't take it"), "{result}");
        assert!(!act.notices[0].email.contains("lambda invoke"), "{}", act.notices[0].email);
    });
}

#[test]
fn when_kms_cannot_be_asked_nothing_is_read_or_changed() {
    block_on(async {
        let (scene, _, response) = enforced(CARVED).await;
        let mut undo = Undo::of(&scene.case, &scene.made, vec![refuse("VerifyMac", 1..=99, 400, "AccessDeniedException")]).await;
        let act = undo.undo(&response).await;
        assert_eq!(outcomes(&act), ["failed"], "{:?}", act.answer);
        assert!(act.calls.iter().all(|call| ["VerifyMac", "Publish"].contains(&call.action.as_str())));
    });
}

#[test]
fn a_group_without_room_is_left_as_it_is() {
    block_on(async {
        let (scene, _, response) = enforced(CARVED).await;
        let before = scene.made.read().await.unwrap();
        let full = refuse("AuthorizeSecurityGroupIngress", 1..=99, 400, "RulesPerSecurityGroupLimitExceeded");
        let act = Undo::of(&scene.case, &scene.made, vec![full]).await.undo(&response).await;
        let result = the_result(&act);
        assert_eq!(result["outcome"], "refused", "{result}");
        assert!(result["reason"].as_str().unwrap().contains("no room"), "{result}");
        assert_eq!(scene.made.read().await.unwrap(), before);
    });
}

#[test]
fn what_was_half_done_and_finished_since_is_not_taken_back_alone() {
    block_on(async {
        let scene = Scene::with(CARVED, &[KEY]).await;
        let before = state(&scene.made).await;
        let denied = refuse("RevokeSecurityGroupIngress", 1..=99, 403, "UnauthorizedOperation");
        let half = scene.function(Mode::Enforce, vec![denied]).await.deliver().await;
        assert_eq!(outcomes(&half), ["failed"]);
        let rest = scene.enforce().await;
        let after = state(&scene.made).await;
        let mut undo = Undo::of(&scene.case, &scene.made, vec![]).await;
        // The first notice tells of the pieces alone, and by now nothing else lets in what they do.
        let refused = the_result(&undo.undo(&half.response().unwrap()).await);
        assert_eq!(refused["outcome"], "refused", "{refused}");
        assert!(refused["reason"].as_str().unwrap().contains("was carved from is no longer in"), "{refused}");
        assert_eq!(state(&scene.made).await, after);
        // The later one first, and then it can go.
        for notice in [rest, half] {
            assert_eq!(outcomes(&undo.undo(&notice.response().unwrap()).await), ["changed"]);
        }
        assert_eq!(state(&scene.made).await, before);
    });
}

#[test]
fn what_cannot_be_restored_leaves_no_exemption_behind() {
    block_on(async {
        for (case, actions) in [
            ("strip-default-group/modify-rules", ["AuthorizeSecurityGroupIngress", "AuthorizeSecurityGroupEgress"].as_slice()),
            ("enable-flow-logs/create-vpc", &["DeleteFlowLogs"]),
            ("deny-source/one-source-by-direct-call", &["DeleteNetworkAclEntry"]),
        ] {
            let (scene, _, response) = enforced(case).await;
            let before = scene.made.read().await.unwrap();
            let faults = actions.iter().map(|action| refuse(action, 1..=99, 403, "UnauthorizedOperation")).collect();
            let mut undo = Undo::of(&scene.case, &scene.made, faults).await;
            let result = the_result(&undo.undo(&response).await);
            assert_eq!(result["outcome"], "failed", "{case}: {result}");
            assert!(result["reason"].as_str().unwrap().contains("nothing was changed"), "{case}: {result}");
            assert_eq!(scene.made.read().await.unwrap(), before, "{case}");
        }
    });
}

#[test]
fn two_who_undo_the_same_at_once_restore_it_once() {
    block_on(async {
        for (case, action) in [
            (CARVED, "RevokeSecurityGroupIngress"),
            ("strip-default-group/modify-rules", "AuthorizeSecurityGroupIngress"),
            ("enable-flow-logs/create-vpc", "DeleteFlowLogs"),
            ("deny-source/one-source-by-direct-call", "DeleteNetworkAclEntry"),
        ] {
            let scene = Scene::with(case, &[KEY]).await;
            let before = state(&scene.made).await;
            let response = scene.enforce().await.response().unwrap();
            let gate = Arc::new(Gate::default());
            let held = Fault { action, calls: 1..=1, how: How::Wait(Arc::clone(&gate)) };
            let mut slow = Undo::of(&scene.case, &scene.made, vec![held]).await;
            let mut quick = Undo::of(&scene.case, &scene.made, vec![]).await;
            let meanwhile = async {
                gate.reached().await;
                let act = quick.undo(&response).await;
                gate.open();
                act
            };
            let (of_slow, of_quick) = tokio::join!(slow.undo(&response), meanwhile);
            for act in [of_slow, of_quick] {
                let outcomes = outcomes(&act);
                assert!(outcomes == ["changed"] || outcomes == ["compliant"], "{case}: {:?}", act.answer);
            }
            assert_eq!(state(&scene.made).await, before, "{case}");
        }
    });
}

/// Runs commands of a notice as a person would, in a shell with the AWS CLI.
async fn shell(commands: &str, endpoint: &str, lambda: &str) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let cli = aws_cli().unwrap();
    let path = format!("{}:/usr/local/bin:/usr/bin:/bin", cli.parent().map(Path::to_string_lossy).unwrap());
    let mut shell = Command::new("sh");
    shell.args(["-e", "-c", commands]).current_dir(folder.path()).env_clear().env("PATH", path).env("HOME", folder.path());
    shell.env("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE").env("AWS_SECRET_ACCESS_KEY", "person");
    shell.env("AWS_ENDPOINT_URL", endpoint).env("AWS_ENDPOINT_URL_LAMBDA", lambda);
    shell.output().await.unwrap()
}

/// The same, and they succeed.
pub(crate) async fn in_a_shell(command: &str, endpoint: &str, lambda: &str) -> String {
    let output = shell(command, endpoint, lambda).await;
    let said = [output.stdout.as_slice(), b"\n", output.stderr.as_slice()].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(output.status.success(), "{command}\n{said}");
    said
}

const WITH_COMMANDS: [&str; 9] = [
    CARVED,
    "revoke-admin-ingress/descriptions-and-tags-survive",
    "revoke-admin-ingress/prefix-list-holds-the-world",
    "strip-default-group/ipv6-and-self-reference",
    "enable-flow-logs/create-vpc",
    "deny-source/one-source-by-direct-call",
    "deny-source/ip-sets-take-turns",
    "deny-source/ip-sets-take-the-source-too",
    "lift-denials/denials-that-have-ended",
];

#[test]
fn the_commands_of_a_notice_restore_what_was_there() {
    block_on(async {
        for case in WITH_COMMANDS {
            let scene = Scene::with(case, &[KEY]).await;
            let before = state(&scene.made).await;
            let mut function = scene.function(Mode::Enforce, vec![]).await;
            let act = function.deliver().await;
            assert_ne!(state(&scene.made).await, before, "{case}");
            // As they would be pasted: all of them at once.
            let commands: Vec<&str> = act.notices[0].email.lines().filter(|line| line.starts_with("    aws ")).collect();
            assert!(!commands.is_empty(), "{case}: {}", act.notices[0].email);
            in_a_shell(&commands.join("\n"), &scene.made.endpoint(), "http://127.0.0.1:9").await;
            assert_eq!(state(&scene.made).await, before, "{case}");
            // The commands have woken the guardrail, and must not have to fight it.
            if act.notices[0].email.contains(", exempt until ") {
                function.deliver().await;
                assert_eq!(state(&scene.made).await, before, "{case}, at the next event");
            }
        }
    });
}

#[test]
fn whoever_may_not_exempt_takes_nothing_away_by_the_commands() {
    block_on(async {
        let scene = Scene::with(CARVED, &[KEY]).await;
        let act = scene.enforce().await;
        let after = state(&scene.made).await;
        let commands: Vec<&str> = act.notices[0].email.lines().filter(|line| line.starts_with("    aws ")).collect();
        assert!(commands.len() > 1, "{commands:?}");
        // A policy of the organisation lets nobody set the tag, and anybody revoke.
        let denied = refuse("AuthorizeSecurityGroupIngress", 1..=99, 403, "UnauthorizedOperation");
        let stub = palisade_tests::stub::Stub { faults: vec![denied], ..replay::stub(&scene.case, &scene.made) };
        let proxy = Proxy::start(aws(), &scene.made.account, stub).await.unwrap();
        let output = shell(&commands.join("\n"), &proxy.url(), "http://127.0.0.1:9").await;
        assert!(!output.status.success());
        assert_eq!(state(&scene.made).await, after);
    });
}

#[test]
fn the_one_command_of_a_notice_has_undo_change_do_it() {
    block_on(async {
        for case in WITH_COMMANDS {
            let scene = Scene::with(case, &[KEY]).await;
            let before = state(&scene.made).await;
            let act = scene.function(Mode::Enforce, vec![]).await.deliver().await;
            assert_ne!(state(&scene.made).await, before, "{case}");
            let command =
                act.notices[0].email.lines().find_map(|line| line.strip_prefix("  ").filter(|line| line.contains("aws lambda invoke")));
            let command = command.unwrap_or_else(|| panic!("{case}: {}", act.notices[0].email));
            let Undo { lambda, proxy: _proxy } = Undo::of(&scene.case, &scene.made, vec![]).await;
            let api = LambdaApi::start("undo-change", lambda).await.unwrap();
            let said = in_a_shell(command, &scene.made.endpoint(), &api.url()).await;
            assert!(said.contains(r#""summary":{"changed":"#), "{case}: {said}");
            assert_eq!(state(&scene.made).await, before, "{case}");
        }
    });
}

#[test]
fn a_long_notice_is_handed_back_from_a_file() {
    block_on(async {
        let (scene, _, sealed) = enforced(CARVED).await;
        let change: palisade_policy::change::Change = serde_json::from_value(sealed["results"][0]["changes"][0].clone()).unwrap();
        let mut response = palisade_policy::response::Response {
            guardrail: Guardrail::RevokeAdminIngress,
            mode: Mode::Enforce,
            account: scene.made.account.parse().unwrap(),
            region: "eu-west-1".parse().unwrap(),
            trigger: palisade_policy::trigger::Cause::new(palisade_policy::trigger::Door::Direct),
            ignored: None,
            results: Vec::new(),
            summary: BTreeMap::new(),
            seal: None,
        };
        for changes in [1, 400] {
            response.results = vec![palisade_policy::response::TargetResult {
                resource: "it's".to_owned(),
                outcome: palisade_policy::response::Outcome::Changed,
                reason: "a `reason` that $(a shell) \"might\" read; %s \\n".to_owned(),
                remarks: Vec::new(),
                changes: vec![change.clone(); changes],
                undo: Vec::new(),
                permitted: None,
                told: true,
                wrong: None,
                exempt_until: None,
                sketch: palisade_policy::plan::Sketch::default(),
            }];
            let notice = serde_json::to_string(&response).unwrap();
            let command = palisade_policy::commands::undo_command(&response, "undo-change");
            assert_eq!(command.contains("notice.json"), changes > 1, "{command}");
            // What the CLI would be given, instead of the CLI.
            let given =
                in_a_shell(&format!("printf %s '{}' > notice.json; aws() {{ cat; }}; {command}", notice.replace('\'', r"'\''")), "", "")
                    .await;
            let payload: Value = serde_json::from_str(given.trim()).unwrap();
            assert_eq!(payload["undo"], serde_json::from_str::<Value>(&notice).unwrap());
            assert_eq!((&payload["reason"], &payload["dryRun"]), (&json!("undone by its notice"), &json!(false)));
        }
    });
}

#[test]
fn undo_change_does_not_start_without_the_key_of_the_seals() {
    aws();
    block_on(async {
        let table = [
            (None, "`PALISADE_SEAL_KEY_ARN` is not set"),
            (Some("alias/palisade"), "`alias/palisade` is not an ARN"),
            (Some("arn:aws:kms:eu-west-1:111122223333:alias/palisade"), "is not the ARN of a key"),
            (Some("arn:aws:iam::111122223333:role/key"), "not an ARN of kms"),
        ];
        for (value, problem) in table {
            let mut environment = vec![
                ("AWS_REGION".to_owned(), "eu-west-1".to_owned()),
                ("PALISADE_TOPIC_ARN".to_owned(), "arn:aws:sns:eu-west-1:111122223333:t".to_owned()),
            ];
            environment.extend(value.map(|value| (KEY.0.to_owned(), value.to_owned())));
            let arn = "arn:aws:lambda:eu-west-1:111122223333:function:undo-change";
            let mut lambda = Lambda::start(&binaries::of(Guardrail::UndoChange).unwrap(), arn, &environment).await.unwrap();
            let error = lambda.invoke("{}").await.expect_err("it started").to_string();
            assert!(error.contains(problem), "{error}");
        }
    });
}
