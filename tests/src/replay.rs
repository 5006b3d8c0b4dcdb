//! One case, played: the world made, the real binary fed, the world read back, and everything that must hold in every case held against it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context;
use palisade_policy::change::Change;
use palisade_policy::guardrail::Guardrail;
use palisade_policy::response::Mode;
use palisade_policy::undo_change::resource as resource_of;
use serde_json::{Value, json};

use crate::binaries;
use crate::case::{Case, REGION, without_dates};
use crate::lambda::{Answer, Lambda};
use crate::proxy::{Call, Proxy};
use crate::stub::Stub;
use crate::world::{Made, Resource, Snapshot};

/// What came of one delivery of the event.
#[derive(Debug, Clone)]
pub struct Act {
    /// What the function answered.
    pub answer: Answer,
    /// The notices that it published.
    pub notices: Vec<Notice>,
    /// The calls that it made to AWS.
    pub calls: Vec<Call>,
}

/// One SNS message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The subject.
    pub subject: String,
    /// The message for machines, as it should be: the response.
    pub json: Value,
    /// The text for a person.
    pub email: String,
    /// The short text.
    pub sms: String,
    /// The message attributes.
    pub attributes: BTreeMap<String, String>,
}

/// A case, played.
#[derive(Debug, Clone)]
pub struct Play {
    /// Its name.
    pub name: String,
    /// The event as it was delivered.
    pub event: Value,
    /// The dry run.
    pub dry_run: Act,
    /// The enforcement, and the second delivery of the same event, where they were played.
    pub enforced: Option<(Act, Act)>,
    /// The rules of the case's groups, as lines, by literal id, before.
    pub before: BTreeMap<String, Vec<String>>,
    /// And after.
    pub after: BTreeMap<String, Vec<String>>,
    /// What must hold in every case, and does not.
    pub broken: Vec<String>,
}

/// Accounts of the local AWS are made by being named; every play takes the next.
static NEXT_ACCOUNT: AtomicU64 = AtomicU64::new(200_000_000_001);

/// An account that nobody else uses.
pub fn account() -> String {
    NEXT_ACCOUNT.fetch_add(1, Ordering::Relaxed).to_string()
}

/// Starts the case's function, in this mode, behind a proxy of its own.
///
/// # Errors
/// When it can't be started.
pub async fn start(case: &Case, made: &Made, proxy: &Proxy, mode: Mode) -> anyhow::Result<Lambda> {
    let mut environment = vec![
        ("PALISADE_MODE".to_owned(), mode.to_string()),
        ("PALISADE_TOPIC_ARN".to_owned(), made.topic_arn.clone()),
        ("AWS_ENDPOINT_URL".to_owned(), proxy.url()),
        ("AWS_REGION".to_owned(), REGION.to_owned()),
        ("AWS_ACCESS_KEY_ID".to_owned(), "AKIAIOSFODNN7EXAMPLE".to_owned()),
        ("AWS_SECRET_ACCESS_KEY".to_owned(), "function".to_owned()),
        ("AWS_LAMBDA_LOG_LEVEL".to_owned(), "DEBUG".to_owned()),
    ];
    environment.extend(case.world.settings.iter().map(|(name, value)| (name.clone(), made.with_real_ids(value))));
    let function_arn = format!("arn:aws:lambda:{REGION}:{}:function:{}", made.account, case.guardrail);
    Lambda::start(&binaries::of(case.guardrail)?, &function_arn, &environment).await
}

/// The stub that the case's world asks for.
#[must_use]
pub fn stub(case: &Case, made: &Made) -> Stub {
    let wanted = &case.world.stub;
    let owners = wanted.owners.iter().map(|(group, owner)| (made.real(group).to_owned(), owner.clone())).collect();
    Stub { page_size: wanted.page_size, owners, query_results: wanted.query_results.clone(), ..Stub::default() }
}

/// Plays a case: twice in dry run, and then, if wanted, twice in enforcement.
///
/// # Errors
/// When it can't be played. That it comes out wrong is no error, but [`Play::broken`].
pub async fn play(upstream: SocketAddr, case: &Case, enforce: bool) -> anyhow::Result<Play> {
    let made = Made::make(upstream, &account(), &case.world).await.context("the world can't be made")?;
    let event = made.event(&case.event).await?;
    let proxy = Proxy::start(upstream, &made.account, stub(case, &made)).await?;
    let before = made.read().await?;
    let mut broken = Vec::new();

    let mut lambda = start(case, &made, &proxy, Mode::DryRun).await?;
    let dry_run = act(&mut lambda, &proxy, &event).await?;
    let again = act(&mut lambda, &proxy, &event).await?;
    let logged = lambda.stop().await?;
    let told = |act: &Act| act.clone().told(case, &made);
    let (first_told, again_told) = (told(&dry_run)?, told(&again)?);
    if first_told.answer != again_told.answer || first_told.notices != again_told.notices {
        broken.push("the second dry run came out otherwise than the first".to_owned());
    }
    for call in dry_run.calls.iter().chain(&again.calls).filter(|call| call.is_mutation()) {
        broken.push(format!("{} was called in dry run", call.action));
    }
    if made.read().await? != before {
        broken.push("the dry run changed the world".to_owned());
    }
    broken.extend(told_alike(&dry_run));
    broken.extend(logged_wrong(&logged, [&dry_run, &again]));

    let mut enforced = None;
    if enforce {
        let mut lambda = start(case, &made, &proxy, Mode::Enforce).await?;
        let first = act(&mut lambda, &proxy, &event).await?;
        let after = made.read().await?;
        let second = act(&mut lambda, &proxy, &event).await?;
        let logged = lambda.stop().await?;
        broken.extend(predicted_otherwise(&before, &after, &first.answer));
        broken.extend(rehearsed_otherwise(&first_told, &told(&first)?));
        broken.extend(told_alike(&first));
        broken.extend(told_alike(&second));
        broken.extend(logged_wrong(&logged, [&first, &second]));
        let last = made.read().await?;
        if left_for_later(&first) {
            broken.extend(predicted_otherwise(&after, &last, &second.answer));
        } else {
            if last != after {
                broken.push("the second delivery changed the world again".to_owned());
            }
            for call in second.calls.iter().filter(|call| call.is_mutation()) {
                broken.push(format!("{} was called at the second delivery", call.action));
            }
        }
        enforced = Some((first, second));
    }
    let literal = |act: Act| act.told(case, &made);
    Ok(Play {
        name: case.name.clone(),
        event: serde_json::from_str(&case.event).unwrap_or(Value::Null),
        before: shown(case, &made, &before),
        after: shown(case, &made, &made.read().await?),
        dry_run: literal(dry_run)?,
        enforced: enforced.map(|(first, second)| Ok::<_, anyhow::Error>((literal(first)?, literal(second)?))).transpose()?,
        broken: broken.iter().map(|broken| made.with_literal_ids(broken)).collect(),
    })
}

/// The seal's hash: every key is new, and so is that.
fn mac(response: &Value) -> Option<String> {
    response.pointer("/seal/mac").and_then(Value::as_str).map(str::to_owned)
}

/// A denial ends some hours after it was made, so its times are `<TIME>`; those of the event are what they are.
fn without_times(case: &Case, text: &str) -> String {
    if !matches!(case.guardrail, Guardrail::DenySource | Guardrail::LiftDenials | Guardrail::UndoChange) {
        return text.to_owned();
    }
    const SHAPE: &str = "0000-00-00T00:00:00Z";
    let is_time =
        |part: &str| part.bytes().zip(SHAPE.bytes()).all(|(b, shape)| if shape == b'0' { b.is_ascii_digit() } else { b == shape });
    let mut rest = text;
    let mut without = String::new();
    while let Some(next) = rest.chars().next() {
        match rest.get(..SHAPE.len()) {
            Some(part) if is_time(part) && !case.event.contains(part) => {
                without.push_str("<TIME>");
                rest = rest.get(SHAPE.len()..).unwrap_or_default();
            }
            _ => {
                without.push(next);
                rest = rest.get(next.len_utf8()..).unwrap_or_default();
            }
        }
    }
    without
}

/// The state of the case's resources as lines, by literal id.
#[must_use]
pub fn shown(case: &Case, made: &Made, snapshot: &Snapshot) -> BTreeMap<String, Vec<String>> {
    let told = |line: &String| without_times(case, &made.with_literal_ids(line));
    let of = |id: &String| snapshot.get(made.real(id)).map(|resource| resource.lines().iter().map(told).collect());
    shown_ids(case).filter_map(|id| Some((id.clone(), of(id)?))).collect()
}

/// A text of a case with literal ids, and with tokens for what depends on when it was played.
///
/// # Errors
/// When the case's files can't be read, or its event speaks of a day for which there is a token.
pub fn literal_text(case: &Case, made: &Made, text: &str) -> anyhow::Result<String> {
    let text = without_times(case, &made.with_literal_ids(text));
    case.folder.as_ref().map_or(Ok(text.clone()), |folder| without_dates(folder, &text))
}

/// The resources whose state a case shows.
fn shown_ids(case: &Case) -> Box<dyn Iterator<Item = &String> + '_> {
    let world = &case.world;
    match case.guardrail {
        Guardrail::EnableFlowLogs => Box::new(world.vpcs.keys()),
        Guardrail::DenySource | Guardrail::LiftDenials => Box::new(world.network_acls.keys().chain(world.ip_sets.keys())),
        Guardrail::UndoChange => {
            let groups_and_vpcs = world.security_groups.keys().chain(world.vpcs.keys());
            Box::new(groups_and_vpcs.chain(world.network_acls.keys()).chain(world.ip_sets.keys()))
        }
        Guardrail::RevokeAdminIngress | Guardrail::StripDefaultGroup => Box::new(world.security_groups.keys()),
    }
}

/// Delivers the event once.
///
/// # Errors
/// When the function does not answer, or publishes what is no notice.
pub async fn act(lambda: &mut Lambda, proxy: &Proxy, event: &str) -> anyhow::Result<Act> {
    let answer = lambda.invoke(event.to_owned()).await?;
    let calls = proxy.take_calls();
    let notices = calls.iter().filter(|call| call.action == "Publish").map(notice).collect::<anyhow::Result<_>>()?;
    Ok(Act { answer, notices, calls })
}

/// Reads an SNS message as it was sent.
///
/// # Errors
/// When it is not what a notice must be.
pub fn notice(call: &Call) -> anyhow::Result<Notice> {
    let parameter = |name: &str| call.parameter(name).with_context(|| format!("a notice without {name}"));
    anyhow::ensure!(parameter("MessageStructure")? == "json", "a notice that is not of structure json");
    let message: Value = serde_json::from_str(parameter("Message")?).context("a notice that is not JSON")?;
    let text =
        |name: &str| message.get(name).and_then(Value::as_str).map(str::to_owned).with_context(|| format!("no `{name}` in a notice"));
    let mut attributes = BTreeMap::new();
    for number in 1.. {
        let of = |part: &str| call.parameter(&format!("MessageAttributes.entry.{number}.{part}")).map(str::to_owned);
        let (Some(name), Some(value)) = (of("Name"), of("Value.StringValue")) else { break };
        attributes.insert(name, value);
    }
    Ok(Notice {
        subject: parameter("Subject")?.to_owned(),
        json: serde_json::from_str(&text("default")?).context("the default text of a notice is not JSON")?,
        email: text("email")?,
        sms: text("sms")?,
        attributes,
    })
}

impl Act {
    /// The response, also where it is at the end of an error.
    #[must_use]
    pub fn response(&self) -> Option<Value> {
        match &self.answer {
            Answer::Response(response) => Some(response.clone()),
            Answer::Error { message, .. } => {
                let starts = message.match_indices(": {").map(|(at, _)| at + 2);
                starts.filter_map(|at| message.get(at..)).find_map(|tail| serde_json::from_str(tail).ok())
            }
        }
    }

    /// The responses: one, but for a batch, which has one for each message that came to any.
    #[must_use]
    pub fn responses(&self) -> Vec<Value> {
        let response = self.response();
        match response.as_ref().and_then(|response| response.get("responses")).and_then(Value::as_array) {
            Some(several) => several.clone(),
            None => response.into_iter().collect(),
        }
    }

    /// The outcomes, gravest first, with how many there are of each; `ignored`, or `error`.
    #[must_use]
    pub fn outcome(&self) -> String {
        const GRAVEST_FIRST: [&str; 7] = ["failed", "refused", "changed", "would-change", "exempt", "gone", "compliant"];
        let responses = self.responses();
        if responses.is_empty() {
            return "error".to_owned();
        }
        if responses.iter().all(|response| response.get("ignored").is_some()) {
            return "ignored".to_owned();
        }
        let count = |outcome: &str| -> u64 {
            responses.iter().filter_map(|response| response.pointer(&format!("/summary/{outcome}"))?.as_u64()).sum()
        };
        let counts: Vec<(&str, u64)> = GRAVEST_FIRST.iter().map(|outcome| (*outcome, count(outcome))).filter(|(_, n)| *n > 0).collect();
        match counts.as_slice() {
            [] => "nothing found".to_owned(),
            [(outcome, 1)] => (*outcome).to_owned(),
            several => several.iter().map(|(outcome, n)| format!("{n} {outcome}")).collect::<Vec<_>>().join(", "),
        }
    }

    /// What `expected.json` says of it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let answer = match &self.answer {
            Answer::Response(response) => response.clone(),
            // The response in an error is compared as JSON, not as text.
            Answer::Error { kind, message } => match self.response() {
                Some(response) => {
                    let text = message.split(": {").next().unwrap_or_default();
                    json!({"errorType": kind, "errorMessage": text, "response": response})
                }
                None => json!({"errorType": kind, "errorMessage": message}),
            },
        };
        let notices: Vec<Value> = self.notices.iter().map(Notice::to_json).collect();
        let mut played = match notices.as_slice() {
            [] => json!({"answer": answer, "notice": null}),
            [one] => json!({"answer": answer, "notice": one}),
            several => json!({"answer": answer, "notices": several}),
        };
        if let Some(members) = played.as_object_mut() {
            // What AWS Config and Security Hub were answered, as it was sent, where they were.
            for (name, action) in [("evaluations", "PutEvaluations"), ("findings", "BatchUpdateFindings")] {
                let sent: Vec<&Value> = self.answers(action).collect();
                if !sent.is_empty() {
                    members.insert(name.to_owned(), json!(sent));
                }
            }
        }
        played
    }

    /// The bodies of the calls of an action that were taken.
    pub fn answers(&self, action: &str) -> impl Iterator<Item = &Value> {
        let taken = self.calls.iter().filter(move |call| call.action == action && call.status == Some(200));
        taken.filter_map(|call| call.json.as_ref())
    }

    /// With literal ids, and without the times that depend on when it was played.
    fn told(self, case: &Case, made: &Made) -> anyhow::Result<Self> {
        let notices = self.notices.iter().map(|notice| notice.json.clone());
        let macs: Vec<String> = self.response().into_iter().chain(notices).filter_map(|json| mac(&json)).collect();
        let text = |text: &str| {
            let unsealed = macs.iter().fold(text.to_owned(), |text, mac| text.replace(mac, "<SEAL>"));
            without_times(case, &made.with_literal_ids(&unsealed))
        };
        let literal = |value: &Value| -> anyhow::Result<Value> { Ok(serde_json::from_str(&text(&value.to_string()))?) };
        let answer = match &self.answer {
            Answer::Response(response) => Answer::Response(literal(response)?),
            Answer::Error { kind, message } => Answer::Error { kind: kind.clone(), message: text(message) },
        };
        let notices = self.notices.iter().map(|notice| {
            Ok(Notice {
                subject: text(&notice.subject),
                json: literal(&notice.json)?,
                email: text(&notice.email),
                sms: text(&notice.sms),
                attributes: notice.attributes.iter().map(|(name, value)| (name.clone(), text(value))).collect(),
            })
        });
        let notices = notices.collect::<anyhow::Result<_>>()?;
        let calls = self.calls.into_iter().map(|call| {
            let json = call.json.as_ref().map(&literal).transpose()?;
            Ok(Call { json, ..call })
        });
        let calls = calls.collect::<anyhow::Result<_>>()?;
        Ok(Self { answer, notices, calls })
    }
}

impl Notice {
    /// Without its JSON, which is the answer: [`told_alike`] sees to that.
    fn to_json(&self) -> Value {
        let email: Vec<&str> = self.email.lines().collect();
        json!({"subject": self.subject, "attributes": self.attributes, "email": email, "sms": self.sms})
    }
}

impl Play {
    /// What `expected.json` says of it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut played = json!({"dry-run": self.dry_run.to_json()});
        if let (Some((first, second)), Some(members)) = (&self.enforced, played.as_object_mut()) {
            members.insert("enforce".to_owned(), first.to_json());
            members.insert("enforce-again".to_owned(), second.to_json());
            members.insert("world".to_owned(), json!(self.after));
        }
        played
    }
}

/// The JSON of the notices is the answer: whole in one, or its results in order over several.
#[must_use]
pub fn told_alike(act: &Act) -> Vec<String> {
    let responses = act.responses();
    if responses.is_empty() {
        return act.notices.iter().map(|_| "a notice without a response".to_owned()).collect();
    }
    let mut broken = Vec::new();
    match (act.notices.as_slice(), responses.as_slice()) {
        ([], _) => {}
        ([one], [response]) if one.json == *response => {}
        ([_], [_]) => broken.push("the notice's JSON is not the answer".to_owned()),
        (several, responses) => {
            let told: Vec<Value> = several.iter().flat_map(|notice| results(&notice.json)).collect();
            // A message of a batch that there is nothing to tell of has no notice.
            let answered: Vec<Value> =
                responses.iter().flat_map(results).filter(|result| responses.len() == 1 || told.contains(result)).collect();
            if told != answered {
                broken.push("the notices' results are not the answer's".to_owned());
            }
        }
    }
    for notice in &act.notices {
        if notice.subject.len() >= 100 || notice.subject.bytes().any(|b| !(b' '..=b'~').contains(&b)) {
            broken.push(format!("SNS would not take the subject `{}`", notice.subject));
        }
    }
    broken
}

fn results(response: &Value) -> Vec<Value> {
    response.get("results").and_then(Value::as_array).cloned().unwrap_or_default()
}

/// Whether the blast radius left some targets to the next delivery.
fn left_for_later(act: &Act) -> bool {
    let told = act.responses().iter().flat_map(results).collect::<Vec<_>>();
    told.iter().filter_map(|result| result.get("reason")?.as_str()).any(|reason| reason.starts_with("over the blast radius"))
}

/// Applies the changes that the answer names to a model of what was there, and compares with what is there.
#[must_use]
pub fn predicted_otherwise(before: &Snapshot, after: &Snapshot, answer: &Answer) -> Vec<String> {
    let act = Act { answer: answer.clone(), notices: Vec::new(), calls: Vec::new() };
    let enforced = |response: &Value| response.get("mode").and_then(Value::as_str) == Some("enforce");
    let mut broken = Vec::new();
    let mut predicted = before.clone();
    for result in act.responses().iter().filter(|response| enforced(response)).flat_map(results) {
        let changes: Vec<Change> = match serde_json::from_value(result.get("changes").cloned().unwrap_or(json!([]))) {
            Ok(changes) => changes,
            Err(error) => {
                broken.push(format!("changes that can't be read back: {error}"));
                continue;
            }
        };
        for change in &changes {
            let id = resource_of(change);
            match predicted.get_mut(id) {
                None => broken.push(format!("a change of {id}, which was not there")),
                Some(resource) => {
                    if let Err(error) = resource.make(change) {
                        broken.push(format!("the model can't make a change of {id}: {error}"));
                    }
                }
            }
        }
    }
    for (id, group) in &predicted {
        let there = after.get(id).map(Resource::lines).unwrap_or_default();
        if group.lines() != there {
            broken.push(format!("{id} should be\n    {}\n  but is\n    {}", group.lines().join("\n    "), there.join("\n    ")));
        }
    }
    if predicted.len() != after.len() {
        broken.push("resources came or went".to_owned());
    }
    broken
}

/// Dry run and enforcement plan the same: what would be changed is changed, for the reason that was given, and taken back alike.
fn rehearsed_otherwise(dry_run: &Act, enforced: &Act) -> Vec<String> {
    let results = |act: &Act| act.response().and_then(|response| response.get("results")?.as_array().cloned()).unwrap_or_default();
    let played = |result: &Value| {
        let mut result = result.clone();
        if let Some(members) = result.as_object_mut() {
            // Only a dry run asks for permission, and only a change leaves what was read after it to be told.
            members.remove("permitted");
            members.remove("remarks");
            if members.get("outcome") == Some(&json!("would-change")) {
                members.insert("outcome".to_owned(), json!("changed"));
            }
        }
        result
    };
    let (rehearsed, done): (Vec<Value>, Vec<Value>) =
        (results(dry_run).iter().map(played).collect(), results(enforced).iter().map(played).collect());
    if rehearsed == done { Vec::new() } else { vec![format!("the dry run said\n    {rehearsed:?}\n  but enforcement did\n    {done:?}")] }
}

/// Every line of the log is JSON; each outcome has one at INFO, and that carries the request id.
fn logged_wrong(log: &[String], acts: [&Act; 2]) -> Vec<String> {
    let mut broken = Vec::new();
    let mut told = 0;
    for text in log {
        let Ok(line) = serde_json::from_str::<Value>(text) else {
            broken.push(format!("a line of the log is not JSON: {text}"));
            continue;
        };
        if line.get("message").and_then(Value::as_str) == Some("outcome") {
            told += 1;
            if line.get("level").and_then(Value::as_str) != Some("INFO") || line.pointer("/span/requestId").is_none() {
                broken.push(format!("an outcome without a request id, or not at INFO: {text}"));
            }
        }
    }
    let outcomes = |act: &Act| -> u64 {
        let of = |response: &Value| -> u64 {
            let summary = response.get("summary").and_then(Value::as_object);
            let counted: u64 = summary.into_iter().flatten().filter_map(|(_, n)| n.as_u64()).sum();
            counted + u64::from(response.get("ignored").is_some())
        };
        act.responses().iter().map(of).sum()
    };
    let outcomes: u64 = acts.into_iter().map(outcomes).sum();
    if told != outcomes {
        broken.push(format!("{outcomes} outcomes left {told} lines in the log"));
    }
    broken
}
