//! One event's way: trigger → observe → plan → apply → verify → report.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use lambda_runtime::LambdaEvent;
use palisade_policy::guardrail::Guardrail;
use palisade_policy::id::AccountId;
use palisade_policy::plan::{Plan, Sketch, Verdict};
use palisade_policy::response::{Mode, Outcome, Response, TargetResult};
use palisade_policy::trigger::{Cause, Door, Targets, Trigger};
use palisade_trigger::{Own, Reading};
use serde_json::Value;
use tracing::Instrument;

use crate::apply::{Enforcement, result};
use crate::gateway::{Found, Gateway, Observed};
use crate::publish::Publisher;
use crate::report::{Failure, report};
use crate::settings::Common;

/// An exemption that ends within this time is told of, so that nobody is surprised when the guardrail acts.
const WARNED_AHEAD: SignedDuration = SignedDuration::from_hours(7 * 24);

/// A guardrail's function, ready to answer.
pub(crate) struct Function<G, P> {
    pub(crate) guardrail: Guardrail,
    pub(crate) common: Common,
    pub(crate) policy: P,
    pub(crate) gateway: G,
    pub(crate) publisher: Publisher,
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
            let answer = self.handle(&payload, &context.invoked_function_arn).await;
            if let Err(failure) = &answer {
                tracing::error!(error = failure.headline(), "the invocation failed");
            }
            answer
        }
        .instrument(span)
        .await
    }

    async fn handle(&self, payload: &Value, function_arn: &str) -> Result<Value, Failure> {
        let account = account_of(function_arn)?;
        let own = Own { guardrail: self.guardrail, account, region: self.common.region.clone(), role_arn: self.common.role_arn.clone() };
        let trigger = match palisade_trigger::read(payload, &own)? {
            Reading::Trigger(trigger) => trigger,
            Reading::Ignored { cause, why } => {
                tracing::info!(outcome = "ignored", reason = why, "outcome");
                let response = Response { ignored: Some(why), ..self.response(&own, self.common.mode, cause) };
                return report(&self.publisher, response).await;
            }
        };
        let mode = if trigger.dry_run { Mode::DryRun } else { self.common.mode };
        let mut response = self.response(&own, mode, trigger.cause.clone());
        let found = self.gateway.find(&own.account, &trigger.targets).await.map_err(|error| Failure::targets(&error.to_string()))?;
        response.results = self.results(&own.account, mode, &trigger, found).await;
        for result in &response.results {
            tracing::info!(
                mode = %mode, resource = result.resource, outcome = result.outcome.id(), reason = result.reason,
                changes = result.changes.len(), "outcome"
            );
        }
        for result in &response.results {
            *response.summary.entry(result.outcome).or_default() += 1;
        }
        if trigger.targets == Targets::Sweep {
            response.results.retain(|result| result.outcome != Outcome::Compliant);
        }
        report(&self.publisher, response).await
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
        }
    }

    /// One result for each target, in the order in which they were found.
    async fn results(&self, own: &AccountId, mode: Mode, trigger: &Trigger, found: Vec<Found<G::State>>) -> Vec<TargetResult> {
        let now = Timestamp::now();
        let mut results: Vec<(usize, TargetResult)> = Vec::new();
        let mut work: Vec<Work<G::State>> = Vec::new();
        for (at, Found { resource, observed }) in found.into_iter().enumerate() {
            let settled = match observed {
                Err(error) => without_plan(resource, Outcome::Failed, format!("it could not be read: {error}")),
                Ok(Observed::Gone) => without_plan(resource, Outcome::Gone, "it no longer exists".to_owned()),
                Ok(Observed::Foreign(owner)) => {
                    without_plan(resource, Outcome::Refused, format!("account {owner} owns it, and only its owner can change it"))
                }
                Ok(Observed::State(state)) => {
                    let plan = (self.policy)(&state, now, 0);
                    if plan.verdict == Verdict::Change {
                        work.push(Work { at, resource, state, plan });
                        continue;
                    }
                    let verdict = plan.verdict.clone();
                    let mut result = result(&resource, plan);
                    result.told = exemption_is_told(&verdict, trigger.cause.door, now);
                    result
                }
            };
            results.push((at, settled));
        }

        // Worst first; where they are as bad as each other, by name, so that a second run chooses alike.
        work.sort_by(|a, b| b.plan.exposure.cmp(&a.plan.exposure).then_with(|| a.resource.cmp(&b.resource)));
        for (rank, Work { at, resource, state, plan }) in work.into_iter().enumerate() {
            let done = if rank >= self.common.max_changes {
                self.over_the_blast_radius(&resource, plan)
            } else if mode == Mode::DryRun {
                self.rehearse(&resource, &state, plan).await
            } else {
                Enforcement { gateway: &self.gateway, policy: &self.policy, own, resource: &resource }.carry_out(state, plan).await
            };
            results.push((at, done));
        }
        results.sort_by_key(|(at, _)| *at);
        let mut results: Vec<TargetResult> = results.into_iter().map(|(_, result)| result).collect();
        for result in &mut results {
            result.told |= matches!(result.outcome, Outcome::Changed | Outcome::WouldChange | Outcome::Refused | Outcome::Failed);
        }
        results
    }

    fn over_the_blast_radius(&self, resource: &str, plan: Plan) -> TargetResult {
        let most = self.common.max_changes;
        let mut result = result(resource, plan);
        result.outcome = Outcome::Refused;
        result.reason = format!(
            "over the blast radius: one invocation changes at most {most} targets (PALISADE_MAX_CHANGES), and others are worse; {}",
            result.reason
        );
        result.changes.clear();
        result.undo.clear();
        result.sketch = Sketch::default();
        result
    }

    /// Dry run: everything but the change itself, and whether EC2 would allow that.
    async fn rehearse(&self, resource: &str, state: &G::State, plan: Plan) -> TargetResult {
        let changes = plan.changes.clone();
        let unread = plan.unread.clone();
        let mut result = result(resource, plan);
        match self.gateway.permitted(state, &changes).await {
            Ok(permitted) => result.permitted = permitted,
            Err(error) => {
                result.outcome = Outcome::Failed;
                result.reason = format!("{}; whether our role may close it could not be asked: {error}", result.reason);
            }
        }
        if let Some(unread) = unread {
            result.outcome = Outcome::Failed;
            result.reason = format!("{}; {unread}", result.reason);
        }
        result
    }
}

/// An exemption is told of when it ends soon, and when the hole was opened under it just now.
fn exemption_is_told(verdict: &Verdict, door: Door, now: Timestamp) -> bool {
    match verdict {
        Verdict::Exempt { until } => door == Door::Cloudtrail || now.duration_until(*until) <= WARNED_AHEAD,
        Verdict::Compliant | Verdict::Change | Verdict::Refused => false,
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
        sketch: Sketch::default(),
    }
}

/// The account that a function is in: `arn:aws:lambda:<region>:<account>:function:<name>`.
fn account_of(function_arn: &str) -> Result<AccountId, Failure> {
    let account = function_arn.split(':').nth(4).unwrap_or_default();
    account.parse().map_err(|_| Failure::context("the ARN of the invoked function has no account, so there is none to act in"))
}
