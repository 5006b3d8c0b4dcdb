//! Carrying out a plan on one target: apply, verify, and what to do when the world has moved meanwhile.

pub(crate) mod security_group;

use jiff::Timestamp;
use palisade_policy::change::{Change, undo};
use palisade_policy::id::AccountId;
use palisade_policy::plan::{Plan, Verdict};
use palisade_policy::response::{Outcome, TargetResult};

use crate::aws::AwsError;
use crate::gateway::{Gateway, Interrupted, Observed};
use crate::verify::{Verified, verify};

/// How often a target starts again at observe when the world has moved.
const ATTEMPTS: usize = 3;

/// One target on its way through enforcement.
pub(crate) struct Enforcement<'a, G: Gateway, P> {
    pub(crate) gateway: &'a G,
    pub(crate) policy: &'a P,
    pub(crate) own: &'a AccountId,
    pub(crate) resource: &'a str,
}

impl<G, P> Enforcement<'_, G, P>
where
    G: Gateway,
    P: Fn(&G::State, Timestamp, usize) -> Plan,
{
    /// Makes the changes of a plan that was made from `state`, and gives the one outcome that the target ends in.
    pub(crate) async fn carry_out(&self, mut state: G::State, first: Plan) -> TargetResult {
        let mut attempted: Vec<Change> = Vec::new();
        let mut refusals = 0;
        let mut attempt = 1;
        let mut plan = first;
        // What a person is told is the plan that began it, unless that one was given up for another.
        let mut told = plan.clone();
        loop {
            attempted.retain(|change| !plan.changes.contains(change));
            attempted.extend(plan.changes.iter().cloned());
            let moved = match self.gateway.apply(&state, &plan.changes).await {
                Ok(()) => match verify(self.gateway, self.own, self.resource, &plan.changes).await {
                    Ok(Verified::All) => return self.changed(told, &attempted).await,
                    Ok(Verified::Gone) => return gone(self.resource, told),
                    Ok(Verified::Not(change)) => AwsError::unreadable("verify", format!("EC2 still does not show {}", label(&change))),
                    Err(error) => error,
                },
                Err(Interrupted::Moved(error)) => error,
                Err(Interrupted::NoRoom { error, made }) => match self.take_back(&state, &plan.changes, &made).await {
                    Ok(()) => {
                        attempted.retain(|change| !plan.changes.contains(change));
                        refusals += 1;
                        attempt = 0; // a smaller plan is a new one
                        error
                    }
                    Err(second) => {
                        return self
                            .failed(told, &attempted, &format!("{error}; taking back what was authorised failed too: {second}"))
                            .await;
                    }
                },
                Err(Interrupted::Failed(error)) => return self.failed(told, &attempted, &error.to_string()).await,
            };
            tracing::warn!(resource = self.resource, attempt, error = %moved, "the world has moved; looking again");
            if attempt >= ATTEMPTS {
                return self.failed(told, &attempted, &moved.to_string()).await;
            }
            attempt += 1;
            state = match self.gateway.observe(self.own, self.resource).await {
                Ok(Observed::State(state)) => state,
                Ok(Observed::Gone | Observed::Foreign(_)) => return gone(self.resource, told),
                Err(error) => return self.failed(told, &attempted, &error.to_string()).await,
            };
            plan = (self.policy)(&state, Timestamp::now(), refusals);
            let ours = attempted.iter().any(|change| G::is_made(change, &state));
            if plan.verdict != Verdict::Change {
                // What was to be done is there: by a call of ours whose answer was lost, or by somebody as quick as we.
                return if ours { self.changed(told, &attempted).await } else { result(self.resource, plan) };
            }
            if !ours {
                told = plan.clone();
            }
        }
    }

    /// Takes out what a refused plan has put in. Those of its additions that the state before did not have are ours.
    async fn take_back(&self, before: &G::State, changes: &[Change], made: &[Change]) -> Result<(), AwsError> {
        verify(self.gateway, self.own, self.resource, made).await?;
        let Observed::State(now) = self.gateway.observe(self.own, self.resource).await? else { return Ok(()) };
        let ours: Vec<Change> = changes.iter().filter(|change| !G::is_made(change, before) && G::is_made(change, &now)).cloned().collect();
        let back = undo(&ours);
        if back.is_empty() {
            return Ok(());
        }
        match self.gateway.apply(&now, &back).await {
            Ok(()) => {}
            Err(Interrupted::Moved(error) | Interrupted::Failed(error) | Interrupted::NoRoom { error, .. }) => return Err(error),
        }
        match verify(self.gateway, self.own, self.resource, &back).await? {
            Verified::Not(change) => Err(AwsError::unreadable("verify", format!("EC2 still does not show {}", label(&change)))),
            Verified::All | Verified::Gone => Ok(()),
        }
    }

    async fn changed(&self, told: Plan, attempted: &[Change]) -> TargetResult {
        let (made, _) = self.standing(attempted).await;
        let unread = told.unread.clone();
        let mut result = result(self.resource, told);
        result.outcome = Outcome::Changed;
        result.undo = undo(&made);
        result.changes = made;
        if let Some(unread) = unread {
            result.outcome = Outcome::Failed;
            result.reason = format!("{}; {unread}", result.reason);
        }
        result
    }

    async fn failed(&self, told: Plan, attempted: &[Change], error: &str) -> TargetResult {
        let (made, known) = self.standing(attempted).await;
        let left = match (known, made.is_empty()) {
            (false, _) => "it can't be read how far it got".to_owned(),
            (true, true) => "nothing was changed".to_owned(),
            (true, false) => format!("left half done: {}", made.iter().map(label).collect::<Vec<_>>().join(", ")),
        };
        let mut result = result(self.resource, told);
        result.outcome = Outcome::Failed;
        result.reason = format!("{}, and could not be closed: {error}; {left}", result.reason);
        result.undo = undo(&made);
        result.changes = made;
        result
    }

    /// Those of the attempted changes that AWS shows now, and whether it could be read at all.
    async fn standing(&self, attempted: &[Change]) -> (Vec<Change>, bool) {
        match self.gateway.observe(self.own, self.resource).await {
            Ok(Observed::State(state)) => (attempted.iter().filter(|change| G::is_made(change, &state)).cloned().collect(), true),
            Ok(Observed::Gone | Observed::Foreign(_)) => (Vec::new(), true),
            Err(_) => (attempted.to_vec(), false),
        }
    }
}

/// What the plan alone says of the target.
pub(crate) fn result(resource: &str, plan: Plan) -> TargetResult {
    let outcome = match plan.verdict {
        Verdict::Compliant => Outcome::Compliant,
        Verdict::Change => Outcome::WouldChange,
        Verdict::Exempt { .. } => Outcome::Exempt,
        Verdict::Refused => Outcome::Refused,
    };
    let (outcome, reason) = match plan.unread {
        Some(unread) if outcome != Outcome::WouldChange => (Outcome::Failed, unread),
        _ => (outcome, plan.reason),
    };
    TargetResult {
        resource: resource.to_owned(),
        outcome,
        reason,
        remarks: plan.remarks,
        undo: undo(&plan.changes),
        changes: plan.changes,
        permitted: None,
        told: false,
        sketch: plan.sketch,
    }
}

fn gone(resource: &str, told: Plan) -> TargetResult {
    TargetResult {
        outcome: Outcome::Gone,
        reason: "it was deleted meanwhile".to_owned(),
        changes: Vec::new(),
        undo: Vec::new(),
        ..result(resource, told)
    }
}

fn label(change: &Change) -> String {
    match change {
        Change::AuthorizeRule(change) => format!("{} from {} authorised", change.rule.traffic, change.rule.source),
        Change::RevokeRule(change) => format!("{} from {} revoked", change.rule.traffic, change.rule.source),
    }
}
