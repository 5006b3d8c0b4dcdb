//! One event's way: trigger → observe → plan → apply → verify → report.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use lambda_runtime::{Context, LambdaEvent};
use palisade_policy::change::{Change, State};
use palisade_policy::control::{Control, Finding, author};
use palisade_policy::evaluation::{Evaluation, Inquiry, evaluations, not_applicable};
use palisade_policy::guardrail::Guardrail;
use palisade_policy::id::AccountId;
use palisade_policy::plan::{Plan, Sketch, Verdict};
use palisade_policy::response::{Mode, Outcome, Response, TargetResult};
use palisade_policy::trigger::{Asker, Cause, Door, Targets, Trigger};
use palisade_trigger::{Own, Reading};
use serde_json::Value;
use tracing::Instrument;

use crate::apply::{Enforcement, gone, left, out_of_time, result};
use crate::askers::Askers;
use crate::deadline::Deadline;
use crate::gateway::{Errand, Found, Gateway, Interrupted, Observed};
use crate::publish::Publisher;
use crate::report::{Failure, Told, conclude};
use crate::settings::Common;

/// An exemption that ends within this time is told of, so that nobody is surprised when the guardrail acts.
const WARNED_AHEAD: SignedDuration = SignedDuration::from_hours(7 * 24);

/// What one target may take when AWS is slow: no other is begun when less is left of the invocation's time.
pub(crate) const FOR_ONE_TARGET: Duration = Duration::from_secs(20);

/// Why what was not looked at was not.
const OUT_OF_TIME_TO_LOOK: &str = "out of time: Lambda would have ended the function before it was looked at, so nothing was changed; \
     the same event again looks at it, and a longer timeout of the function leaves more time";

/// A guardrail's function, ready to answer.
pub(crate) struct Function<G: Gateway, P> {
    pub(crate) guardrail: Guardrail,
    pub(crate) common: Common,
    pub(crate) policy: P,
    pub(crate) gateway: G,
    pub(crate) publisher: Publisher,
    pub(crate) askers: G::Askers,
}

/// A target that needs changing, and its plan.
struct Work<S> {
    at: usize,
    resource: String,
    state: S,
    plan: Plan,
}

impl<G, P> Function<G, P>
where
    G: Gateway,
    P: Fn(&G::State, Timestamp, usize) -> Plan,
{
    /// Answers one invocation. Every line that is logged meanwhile carries its request id.
    pub(crate) async fn answer(&self, event: LambdaEvent<Value>) -> Result<Value, Failure> {
        let (payload, context) = event.into_parts();
        let span = tracing::info_span!("invocation", requestId = context.request_id, guardrail = self.guardrail.id());
        async {
            // Boxed: rustc gives up on computing the layout of futures nested this deep.
            let answer = Box::pin(self.deliver(&payload, &context)).await;
            if let Err(failure) = &answer {
                tracing::error!(error = failure.headline(), "the invocation failed");
            }
            answer
        }
        .instrument(span)
        .await
    }

    async fn deliver(&self, payload: &Value, context: &Context) -> Result<Value, Failure> {
        let deadline = Deadline::of(context.deadline());
        let account = account_of(&context.invoked_function_arn)?;
        let own = Own { guardrail: self.guardrail, account, region: self.common.region.clone(), role_arn: self.common.role_arn.clone() };
        let mut turns = self.common.max_changes;
        match palisade_trigger::batch(payload)? {
            Some(batch) => self.handle_batch(&batch, &own, deadline, &mut turns).await,
            None => self.handle(palisade_trigger::read(payload, &own)?, &own, deadline, &mut turns).await,
        }
    }

    /// One delivery of news, whatever it came in. `turns` is how many targets this invocation may still change.
    pub(crate) async fn handle(&self, reading: Reading, own: &Own, deadline: Deadline, turns: &mut usize) -> Result<Value, Failure> {
        let trigger = match reading {
            Reading::Trigger(trigger) => trigger,
            Reading::Ignored { cause, why, asker } => {
                tracing::info!(outcome = "ignored", reason = why, "outcome");
                let asker = match asker {
                    Asker::Config(inquiry) => self.tell_config(&inquiry, &not_applicable(&inquiry, &why), deadline).await,
                    Asker::Nobody | Asker::SecurityHub(_) => Ok(()),
                };
                let response = Response { ignored: Some(why), ..self.response(own, self.common.mode, cause) };
                return conclude(&response, Told { notice: Ok(()), asker });
            }
        };
        let mode = if trigger.dry_run { Mode::DryRun } else { self.common.mode };
        let mut response = self.response(own, mode, trigger.cause.clone());
        response.results = Box::pin(self.results(own, mode, &trigger, deadline, turns)).await;
        for result in &mut response.results {
            result.told = is_told(result, trigger.cause.door);
        }
        summarise(&mut response);
        let judged = match &trigger.asker {
            Asker::Config(inquiry) => evaluations(inquiry, &response.results),
            Asker::Nobody | Asker::SecurityHub(_) => Vec::new(),
        };
        if trigger.targets == Targets::Sweep {
            response.results.retain(|result| result.outcome != Outcome::Compliant);
        }
        let response = self.publisher.seal(response, deadline).await;
        // The notice first: it says what was done, and an answer only what is.
        let notice = self.publisher.publish(&response, deadline).await;
        let asker = match &trigger.asker {
            Asker::Config(inquiry) => self.tell_config(inquiry, &judged, deadline).await,
            Asker::SecurityHub(findings) if self.common.resolve_findings && mode == Mode::Enforce => {
                self.follow_up(own, &trigger, findings, &response, deadline).await
            }
            Asker::Nobody | Asker::SecurityHub(_) => Ok(()),
        };
        conclude(&response, Told { notice, asker })
    }

    async fn tell_config(&self, inquiry: &Inquiry, evaluations: &[Evaluation], deadline: Deadline) -> Result<(), String> {
        let put = self.askers.evaluate(inquiry, evaluations, deadline).await;
        put.map_err(|error| format!("AWS Config has no answer: {error}"))
    }

    /// A finding is resolved when its own control would say so of the resource as it is now, whatever we think of it.
    async fn follow_up(
        &self,
        own: &Own,
        trigger: &Trigger,
        findings: &[Finding],
        response: &Response,
        deadline: Deadline,
    ) -> Result<(), String> {
        let mut satisfied: BTreeSet<(String, Control)> = BTreeSet::new();
        let mut look = |Found { resource, observed }: Found<G::State>| {
            if let Ok(Observed::State(state)) = observed {
                let controls = findings.iter().filter(|finding| finding.resource == resource).map(|finding| finding.control);
                satisfied.extend(controls.filter(|control| state.satisfies(*control)).map(|control| (resource.clone(), control)));
            }
        };
        let errand = Errand { own: &own.account, trigger, deadline, begun: 0 };
        // What can't be read now is not resolved, but noted.
        let unread = deadline.look(self.gateway.find(&errand, &mut look)).await.err();
        let mut problems: Vec<String> = unread.map(|error| format!("it could not be read again: {error}")).into_iter().collect();
        let author = author(self.guardrail);
        for finding in findings {
            let Some(result) = response.results.iter().find(|result| result.resource == finding.resource) else { continue };
            let satisfied = satisfied.contains(&(finding.resource.clone(), finding.control));
            let Some(follow_up) = finding.follow_up(self.guardrail, result, satisfied) else { continue };
            let written = self.askers.follow_up(finding, &author, &follow_up);
            if let Err(error) = deadline.tell(1, false, written).await {
                problems.push(error.to_string());
            }
        }
        if problems.is_empty() { Ok(()) } else { Err(format!("Security Hub has no answer: {}", problems.join("; "))) }
    }

    fn response(&self, own: &Own, mode: Mode, cause: Cause) -> Response {
        Response {
            guardrail: self.guardrail,
            mode,
            account: own.account.clone(),
            region: own.region.clone(),
            trigger: cause,
            ignored: None,
            results: Vec::new(),
            summary: BTreeMap::new(),
            seal: None,
        }
    }

    /// One result for each target, in the order in which they were found.
    async fn results(&self, own: &Own, mode: Mode, trigger: &Trigger, deadline: Deadline, turns: &mut usize) -> Vec<TargetResult> {
        let begun = self.common.max_changes.saturating_sub(*turns);
        let (mut results, mut work) = self.survey(own, trigger, deadline, begun).await;
        if let Some(wait) = until_reads_are_new(&trigger.cause)
            && work.is_empty()
            && deadline.leaves(wait)
        {
            tokio::time::sleep(wait).await;
            (results, work) = self.survey(own, trigger, deadline, begun).await;
        }
        // Worst first; where they are as bad as each other, by name, so that a second run chooses alike.
        work.sort_by(|a, b| b.plan.exposure.cmp(&a.plan.exposure).then_with(|| a.resource.cmp(&b.resource)));
        let mut rehearsed: Vec<Change> = Vec::new();
        let changing = work.len();
        for (rank, Work { at, resource, mut state, mut plan }) in work.into_iter().enumerate() {
            if G::SHARED && mode == Mode::DryRun && rank > 0 {
                // As if the targets before had been changed.
                for change in &rehearsed {
                    let _ = change.apply(&mut state);
                }
                plan = (self.policy)(&state, Timestamp::now(), 0);
            }
            let done = if rank >= *turns {
                self.over_the_blast_radius(mode, &resource, plan)
            } else if rank > 0 && !deadline.leaves(FOR_ONE_TARGET) {
                out_of_time(self.guardrail, mode, &resource, plan)
            } else if plan.verdict != Verdict::Change {
                result(&resource, plan)
            } else if mode == Mode::DryRun {
                self.rehearse(&own.account, &resource, state, plan, deadline).await
            } else {
                self.enforce(&own.account, &resource, rank, state, plan, deadline).await
            };
            rehearsed.extend(done.changes.iter().cloned());
            results.push((at, done));
        }
        *turns = turns.saturating_sub(changing);
        results.sort_by_key(|(at, _)| *at);
        results.into_iter().map(|(_, result)| result).collect()
    }

    /// Reads every target and plans for it: those that are settled by that, and those that need changing.
    async fn survey(
        &self,
        own: &Own,
        trigger: &Trigger,
        deadline: Deadline,
        begun: usize,
    ) -> (Vec<(usize, TargetResult)>, Vec<Work<G::State>>) {
        let now = Timestamp::now();
        let mut settled: Vec<(usize, TargetResult)> = Vec::new();
        let mut work: Vec<Work<G::State>> = Vec::new();
        let mut at = 0;
        let mut found = |Found { resource, observed }: Found<G::State>| {
            at += 1;
            let result = match observed {
                Err(error) => without_plan(resource, Outcome::Failed, format!("it could not be read: {error}")),
                Ok(Observed::Gone) => without_plan(resource, Outcome::Gone, "it no longer exists".to_owned()),
                Ok(Observed::Foreign(owner)) => {
                    without_plan(resource, Outcome::Refused, format!("account {owner} owns it, and only its owner can change it"))
                }
                Ok(Observed::Refused(why)) => without_plan(resource, Outcome::Refused, why),
                Ok(Observed::Nothing(why)) => without_plan(resource, Outcome::Compliant, why),
                Ok(Observed::State(state)) => {
                    let plan = (self.policy)(&state, now, 0);
                    if plan.verdict == Verdict::Change {
                        work.push(Work { at, resource, state, plan });
                        return;
                    }
                    result(&resource, plan)
                }
            };
            settled.push((at, result));
        };
        if let Targets::Gone(resource) = &trigger.targets {
            found(Found { resource: resource.clone(), observed: Ok(Observed::Gone) });
            return (settled, work);
        }
        let errand = Errand { own: &own.account, trigger, deadline, begun };
        let searched = async { Ok(self.gateway.find(&errand, &mut found).await) };
        let (outcome, why) = match deadline.act(searched).await {
            Ok(Ok(())) => return (settled, work),
            Ok(Err(error)) => (Outcome::Failed, format!("can't tell what to look at there: {error}")),
            Err(_) => (Outcome::Refused, OUT_OF_TIME_TO_LOOK.to_owned()),
        };
        let seen = |resource: &String| {
            settled.iter().any(|(_, result)| result.resource == *resource) || work.iter().any(|work| work.resource == *resource)
        };
        for resource in named(&trigger.targets, own).into_iter().filter(|resource| !seen(resource)).collect::<Vec<_>>() {
            settled.push((usize::MAX, without_plan(resource, outcome, why.clone())));
        }
        (settled, work)
    }

    async fn enforce(
        &self,
        own: &AccountId,
        resource: &str,
        rank: usize,
        mut state: G::State,
        mut plan: Plan,
        deadline: Deadline,
    ) -> TargetResult {
        if rank > 0 {
            // Others came first: minutes may have passed since it was read, and its owner may have been at it.
            state = match deadline.act(self.gateway.observe(own, &state)).await {
                Ok(Observed::State(now)) => now,
                Ok(Observed::Gone | Observed::Foreign(_) | Observed::Refused(_) | Observed::Nothing(_)) => return gone(resource, plan),
                Err(error) if error.is_out_of_time() => return out_of_time(self.guardrail, Mode::Enforce, resource, plan),
                Err(error) => return without_plan(resource.to_owned(), Outcome::Failed, format!("it could not be read: {error}")),
            };
            plan = (self.policy)(&state, Timestamp::now(), 0);
            if plan.verdict != Verdict::Change {
                return result(resource, plan);
            }
        }
        let enforcement = Enforcement { guardrail: self.guardrail, gateway: &self.gateway, policy: &self.policy, own, resource, deadline };
        enforcement.carry_out(state, plan).await
    }

    fn over_the_blast_radius(&self, mode: Mode, resource: &str, plan: Plan) -> TargetResult {
        let most = match self.common.max_changes {
            1 => "1 target".to_owned(),
            n => format!("{n} targets"),
        };
        let others = match self.guardrail {
            Guardrail::UndoChange => "others came first",
            _ => "others are worse or came first",
        };
        let why = format!("over the blast radius: one invocation changes at most {most} (PALISADE_MAX_CHANGES), and {others}");
        left(self.guardrail, mode, resource, plan, &why)
    }

    /// Dry run: everything but the change itself, and whether EC2 would allow that.
    async fn rehearse(&self, own: &AccountId, resource: &str, mut state: G::State, mut plan: Plan, deadline: Deadline) -> TargetResult {
        const ATTEMPTS: usize = 3;
        for attempt in 1.. {
            let asked = async { Ok(self.gateway.permitted(&state, &plan.changes).await) };
            let error = match deadline.act(asked).await.unwrap_or_else(|error| Err(Interrupted::Failed(error))) {
                Err(Interrupted::Failed(error)) if error.is_out_of_time() => {
                    return out_of_time(self.guardrail, Mode::DryRun, resource, plan);
                }
                Ok(permitted) => {
                    let unread = plan.unread.clone();
                    let mut result = result(resource, plan);
                    result.permitted = permitted;
                    if let Some(unread) = unread {
                        result.outcome = Outcome::Failed;
                        result.reason = format!("{}; {unread}", result.reason);
                    }
                    return result;
                }
                Err(Interrupted::Moved { .. }) if attempt < ATTEMPTS => match deadline.act(self.gateway.observe(own, &state)).await {
                    Ok(Observed::State(now)) => {
                        state = now;
                        plan = (self.policy)(&state, Timestamp::now(), 0);
                        if plan.verdict != Verdict::Change {
                            break;
                        }
                        continue;
                    }
                    Ok(Observed::Gone | Observed::Foreign(_) | Observed::Refused(_) | Observed::Nothing(_)) => return gone(resource, plan),
                    Err(error) => error,
                },
                Err(interrupted) => interrupted.into_error(),
            };
            let mut result = result(resource, plan);
            result.outcome = Outcome::Failed;
            result.reason = format!("{}; whether our role may change it could not be asked: {error}", result.reason);
            return result;
        }
        result(resource, plan)
    }
}

/// Counts the outcomes, and logs each.
fn summarise(response: &mut Response) {
    for result in &response.results {
        *response.summary.entry(result.outcome).or_default() += 1;
        tracing::info!(
            mode = %response.mode, resource = result.resource, outcome = result.outcome.id(), reason = result.reason,
            changes = result.changes.len(), "outcome"
        );
    }
}

/// What the targets are called before they have been found: the Region, where the trigger names none.
fn named(targets: &Targets, own: &Own) -> Vec<String> {
    match targets {
        Targets::SecurityGroups(groups) => groups.iter().map(ToString::to_string).collect(),
        Targets::Vpcs(vpcs) => vpcs.iter().map(ToString::to_string).collect(),
        Targets::Attack(attack) => attack.sources.iter().map(ToString::to_string).collect(),
        Targets::SecurityGroupOfDefaultVpc(name) => vec![name.clone()],
        Targets::UsersOfPrefixList(list) => vec![list.to_string()],
        Targets::Undo(request) => request.given.results.iter().map(|made| made.resource.clone()).collect(),
        Targets::Gone(resource) => vec![resource.clone()],
        Targets::DefaultVpc | Targets::Search(_) | Targets::Sweep => vec![own.region.to_string()],
    }
}

/// How long to wait before reading once more where there was nothing to do, because the event is so young that EC2's reads may be older
/// than it.
fn until_reads_are_new(cause: &Cause) -> Option<Duration> {
    const OLD_ENOUGH: Duration = Duration::from_secs(15);
    if cause.door != Door::Cloudtrail {
        return None;
    }
    let age = Duration::try_from(cause.time?.duration_until(Timestamp::now())).ok()?;
    OLD_ENOUGH.checked_sub(age).filter(|wait| !wait.is_zero())
}

/// Whether anybody is told. An exemption is told of when it ends soon, and when the hole was opened under it just now.
fn is_told(result: &TargetResult, door: Door) -> bool {
    match result.outcome {
        Outcome::Changed | Outcome::WouldChange | Outcome::Refused | Outcome::Failed => true,
        Outcome::Exempt => {
            let ends_soon = |until: Timestamp| Timestamp::now().duration_until(until) <= WARNED_AHEAD;
            door == Door::Cloudtrail || result.exempt_until.is_some_and(ends_soon)
        }
        Outcome::Gone | Outcome::Compliant => false,
    }
}

fn without_plan(resource: String, outcome: Outcome, reason: String) -> TargetResult {
    TargetResult {
        resource,
        outcome,
        reason,
        remarks: Vec::new(),
        changes: Vec::new(),
        undo: Vec::new(),
        permitted: None,
        told: false,
        wrong: None,
        exempt_until: None,
        sketch: Sketch::default(),
    }
}

/// The account that a function is in: `arn:aws:lambda:<region>:<account>:function:<name>`.
fn account_of(function_arn: &str) -> Result<AccountId, Failure> {
    let account = function_arn.split(':').nth(4).unwrap_or_default();
    account.parse().map_err(|_| Failure::context("the ARN of the invoked function has no account, so there is none to act in"))
}
