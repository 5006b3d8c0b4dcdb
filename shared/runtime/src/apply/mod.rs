//! Carrying out a plan on one target: apply, verify, and what to do when the world has moved meanwhile.

pub(crate) mod denial;
pub(crate) mod flow_log;
pub(crate) mod security_group;
pub(crate) mod undo;

use std::time::Duration;

use jiff::Timestamp;
use palisade_policy::change::{Change, undo};
use palisade_policy::exemption;
use palisade_policy::guardrail::Guardrail;
use palisade_policy::id::AccountId;
use palisade_policy::plan::{Plan, Sketch, Verdict};
use palisade_policy::response::{Mode, Outcome, TargetResult};

use crate::aws::AwsError;
use crate::deadline::Deadline;
use crate::gateway::{Gateway, Interrupted, Observed};
use crate::verify::{Verified, verify};

/// The waits before a target starts again at observe because the world has moved: EC2's reads may not show yet what moved it.
const RESTARTS: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(3)];

/// One target on its way through enforcement.
pub(crate) struct Enforcement<'a, G: Gateway, P> {
    pub(crate) guardrail: Guardrail,
    pub(crate) gateway: &'a G,
    pub(crate) policy: &'a P,
    pub(crate) own: &'a AccountId,
    pub(crate) resource: &'a str,
    pub(crate) deadline: Deadline,
}

/// What came of taking back what was put in.
enum TakenBack<S> {
    /// It is out again.
    All,
    /// Somebody has taken away meanwhile what it was put in for, and stands on it: it is in, and this is the state.
    Needed(S),
}

/// Why a target could not be changed.
struct Trouble {
    text: String,
    /// Whether a call was left without an answer, and may take effect yet.
    lost: bool,
}

impl From<&AwsError> for Trouble {
    fn from(error: &AwsError) -> Self {
        Self { text: error.to_string(), lost: error.is_lost() }
    }
}

impl From<String> for Trouble {
    fn from(text: String) -> Self {
        Self { text, lost: false }
    }
}

/// What has been tried on the target so far.
struct Attempts {
    /// What a person is told: the plan that began it, unless that one was given up for another.
    told: Plan,
    /// Every change that was tried and not taken back.
    changes: Vec<Change>,
    /// What was authorised for a rule that was gone when it was to be revoked.
    orphans: Vec<Change>,
    /// Whether a rule was edited after it was read, and was put back so.
    edited: bool,
}

impl<G, P> Enforcement<'_, G, P>
where
    G: Gateway,
    P: Fn(&G::State, Timestamp, usize) -> Plan,
{
    /// Makes the changes of a plan that was made from `state`, and gives the one outcome that the target ends in.
    pub(crate) async fn carry_out(&self, mut state: G::State, mut plan: Plan) -> TargetResult {
        let mut tried = Attempts { told: plan.clone(), changes: Vec::new(), orphans: Vec::new(), edited: false };
        let mut refusals = 0;
        // Whether a call of ours took effect, or may have.
        let mut landed = false;
        let mut restarts = RESTARTS.into_iter();
        loop {
            tried.changes.retain(|change| !plan.changes.contains(change));
            tried.changes.extend(plan.changes.iter().cloned());
            let applied = self.gateway.apply(&state, &plan.changes, self.deadline).await;
            landed |= match &applied {
                Ok(()) => true,
                Err(Interrupted::Moved { error, made }) => error.is_lost() || !made.is_empty(),
                // Others may have gone in the same call.
                Err(Interrupted::Edited { .. }) => true,
                // What these made is taken back, or told of.
                Err(Interrupted::NoRoom { .. } | Interrupted::OutOfTime { .. } | Interrupted::Failed(_)) => false,
            };
            let moved = match applied {
                Ok(()) => match verify(self.gateway, self.own, &state, &plan.changes, self.deadline).await {
                    Ok(Verified::All(state)) => return self.changed(tried, plan, &state),
                    Ok(Verified::Gone) => return gone(self.resource, tried.told),
                    Ok(Verified::Not(change)) => not_shown(&change),
                    Err(error) => error,
                },
                Err(Interrupted::Moved { error, made }) => {
                    if error.code().is_some_and(|code| code.ends_with(".NotFound")) {
                        tried.orphans = authorised(made);
                    }
                    error
                }
                Err(Interrupted::Edited { error, edited, unwanted }) => match self.take_back(&state, &unwanted, &[]).await {
                    Ok(_) => {
                        // Its owner's doing, so no change of ours.
                        tried.changes.retain(|change| !unwanted.contains(change) && !edited.contains(change));
                        tried.edited = true;
                        error
                    }
                    Err(second) => {
                        let error = format!("{error}; taking back what was authorised failed too: {second}");
                        return self.failed(tried, &state, error.into()).await;
                    }
                },
                Err(Interrupted::OutOfTime { made }) => return self.out_of_time(tried, plan, &state, &made, landed).await,
                Err(Interrupted::NoRoom { error, made }) => match self.take_back(&state, &made, &plan.changes).await {
                    Ok(TakenBack::All) => {
                        tried.changes.retain(|change| !plan.changes.contains(change));
                        refusals += 1;
                        // A smaller plan is a new one.
                        restarts = RESTARTS.into_iter();
                        error
                    }
                    Ok(TakenBack::Needed(_)) => {
                        tried.orphans = authorised(made);
                        error
                    }
                    Err(second) => {
                        let error = format!("{error}; taking back what was authorised failed too: {second}");
                        return self.failed(tried, &state, error.into()).await;
                    }
                },
                Err(Interrupted::Failed(error)) => return self.failed(tried, &state, (&error).into()).await,
            };
            tracing::warn!(resource = self.resource, error = %moved, "the world has moved; looking again");
            match restarts.next() {
                Some(wait) if self.deadline.leaves(wait) => tokio::time::sleep(wait).await,
                _ => return self.failed(tried, &state, (&moved).into()).await,
            }
            let now = match self.deadline.look(self.gateway.observe(self.own, &state)).await {
                Ok(Observed::State(now)) => now,
                Ok(Observed::Gone | Observed::Foreign(_) | Observed::Refused(_) | Observed::Nothing(_)) => {
                    return gone(self.resource, tried.told);
                }
                // Of the call that made us look it is not known what became of it, whatever is wrong with looking.
                Err(error) => {
                    let trouble = Trouble { lost: moved.is_lost(), ..(&error).into() };
                    return self.failed(tried, &state, trouble).await;
                }
            };
            state = now;
            plan = (self.policy)(&state, Timestamp::now(), refusals);
            // A rule that came back as edited is told of, though nothing is changed by that.
            let ours = tried.edited || tried.changes.iter().any(|change| change.is_made(&state));
            if tried.edited {
                tried.told.sketch = plan.sketch.clone();
            }
            match plan.verdict {
                Verdict::Change => {}
                // The rest may not be done any more: somebody must know how far it got.
                Verdict::Refused if ours && landed => return self.failed(tried, &state, plan.reason.into()).await,
                Verdict::Refused => return result(self.resource, plan),
                // What was to be done is there: by a call of ours whose answer was lost, or by somebody as quick as we.
                _ if ours => return self.changed(tried, plan, &state),
                _ => return result(self.resource, plan),
            }
            if !ours {
                tried.told = plan.clone();
            }
        }
    }

    /// There was no time for the next call. What was only put in so far is taken back, so that nothing is half done; where something was
    /// taken away already, or that fails, somebody must know how far it got, and Lambda's retry finishes it.
    async fn out_of_time(&self, mut tried: Attempts, plan: Plan, state: &G::State, made: &[Change], landed: bool) -> TargetResult {
        const WHY: &str = "out of time, for AWS was slow to answer";
        if landed || made.iter().any(|change| !is_addition(change)) {
            return self.failed(tried, state, WHY.to_owned().into()).await;
        }
        match self.take_back(state, made, &plan.changes).await {
            Ok(TakenBack::All) => out_of_time(self.guardrail, Mode::Enforce, self.resource, tried.told),
            // Another run was as quick as we, and finished it; or the owner took the rule away.
            Ok(TakenBack::Needed(now)) if plan.changes.iter().all(|change| change.is_made(&now)) => {
                tried.orphans = authorised(made.to_vec());
                self.changed(tried, plan, &now)
            }
            Ok(TakenBack::Needed(now)) => self.failed(tried, &now, WHY.to_owned().into()).await,
            Err(error) => {
                let error = format!("{WHY}; taking back what was begun failed too: {error}");
                self.failed(tried, state, error.into()).await
            }
        }
    }

    /// Takes out what the calls of a `planned` whole that succeeded have put in; unless another process, which found it there, has taken
    /// away meanwhile what it is in for: then legitimate traffic has nothing else to pass by.
    async fn take_back(&self, before: &G::State, made: &[Change], planned: &[Change]) -> Result<TakenBack<G::State>, AwsError> {
        if made.is_empty() {
            return Ok(TakenBack::All);
        }
        let is_needed = |state: &G::State| {
            let mut of_others = planned.iter().filter(|change| !is_addition(change) && !made.contains(change));
            of_others.any(|change| change.is_made(state))
        };
        // It must show before it can be taken out: a rule's id is needed, and only EC2 knows it.
        let now = match self.verified(before, made).await? {
            Some(now) => now,
            None => return Ok(TakenBack::All),
        };
        if is_needed(&now) {
            return Ok(TakenBack::Needed(now));
        }
        let back = undo(made);
        self.gateway.apply(&now, &back, self.deadline.to_the_last()).await.map_err(Interrupted::into_error)?;
        match self.verified(&now, &back).await? {
            Some(after) if is_needed(&after) => {
                // In the very moment. It goes in again.
                self.gateway.apply(&after, made, self.deadline.to_the_last()).await.map_err(Interrupted::into_error)?;
                Ok(self.verified(&after, made).await?.map_or(TakenBack::All, TakenBack::Needed))
            }
            _ => Ok(TakenBack::All),
        }
    }

    /// The state that shows these changes; `None` where the target is gone.
    async fn verified(&self, before: &G::State, changes: &[Change]) -> Result<Option<G::State>, AwsError> {
        match verify(self.gateway, self.own, before, changes, self.deadline).await? {
            Verified::All(now) => Ok(Some(now)),
            Verified::Gone => Ok(None),
            Verified::Not(change) => Err(not_shown(&change)),
        }
    }

    /// `last` is the plan made last, which says what can't be read even now.
    fn changed(&self, tried: Attempts, last: Plan, state: &G::State) -> TargetResult {
        let made: Vec<Change> = tried.changes.into_iter().filter(|change| change.is_made(state)).collect();
        let mut result = result(self.resource, tried.told);
        result.outcome = Outcome::Changed;
        if let Some(unread) = last.unread {
            result.outcome = Outcome::Failed;
            result.reason = format!("{}; {unread}", result.reason);
        }
        if last.verdict == Verdict::Refused {
            result.remarks.push(format!("it is not well yet: {}", last.reason));
        }
        if tried.edited {
            result.remarks.push("a rule was edited in the moment before it was revoked; it is back as edited, under another id".to_owned());
        }
        // What undoing puts in is wanted, whoever took the rest away.
        if !tried.orphans.is_empty() && self.guardrail != Guardrail::UndoChange {
            let orphans: Vec<String> = tried.orphans.iter().map(label).collect();
            result.remarks.push(format!(
                "what was to be revoked was gone already, by a call of ours whose answer was lost, by another run of this function, or by \
                 somebody else; {} before that was noticed, and stays",
                orphans.join(", ")
            ));
        }
        let now = (self.policy)(state, Timestamp::now(), 0);
        result.wrong = is_wrong(&now);
        if now.verdict == Verdict::Compliant {
            let new: Vec<String> = now.remarks.into_iter().filter(|remark| !result.remarks.contains(remark)).collect();
            result.remarks.extend(new);
        }
        result.undo = undo(&made);
        result.changes = made;
        result
    }

    async fn failed(&self, tried: Attempts, state: &G::State, trouble: Trouble) -> TargetResult {
        let (mut made, now) = match self.deadline.look(self.gateway.observe(self.own, state)).await {
            Ok(Observed::State(now)) => (tried.changes.into_iter().filter(|change| change.is_made(&now)).collect(), Ok(Some(now))),
            Ok(Observed::Gone | Observed::Foreign(_) | Observed::Refused(_) | Observed::Nothing(_)) => (Vec::new(), Ok(None)),
            Err(error) => (tried.changes, Err(error)),
        };
        if let Ok(Some(now)) = &now
            && !trouble.lost
            && made.iter().all(is_exemption)
        {
            // An exemption without what it is for is a hole that nobody asked for.
            let without = self.take_back(now, &made, &[]).await;
            made.retain(|_| without.is_err());
        }
        let left = match (&now, made.is_empty()) {
            (Err(_), _) => "it can't be read how far it got".to_owned(),
            (Ok(_), true) if trouble.lost => "nothing of it shows, but the last call may take effect yet".to_owned(),
            (Ok(_), true) => "nothing was changed".to_owned(),
            (Ok(_), false) => format!("left half done: {}", made.iter().map(label).collect::<Vec<_>>().join(", ")),
        };
        let mut result = result(self.resource, tried.told);
        result.outcome = Outcome::Failed;
        result.reason = format!("{}; this could not be changed: {}; {left}", result.reason, trouble.text);
        result.undo = undo(&made);
        result.changes = made;
        result
    }
}

/// Those that put rules in.
fn authorised(changes: Vec<Change>) -> Vec<Change> {
    changes.into_iter().filter(|change| matches!(change, Change::AuthorizeRule(_))).collect()
}

fn not_shown(change: &Change) -> AwsError {
    AwsError::unreadable("verify", format!("EC2 still does not show {}", label(change)))
}

/// Whether all that it does is to exempt a resource.
fn is_exemption(change: &Change) -> bool {
    matches!(change, Change::PutTag(tag) if exemption::is_key(&tag.key))
}

/// Whether something is wrong with a target by its plan. Not known where the part that was read is well, and another can't be read.
fn is_wrong(plan: &Plan) -> Option<bool> {
    match plan.verdict {
        Verdict::Change | Verdict::Refused => Some(true),
        Verdict::Compliant | Verdict::Exempt { .. } => plan.unread.is_none().then_some(false),
    }
}

/// What the plan alone says of the target.
pub(crate) fn result(resource: &str, plan: Plan) -> TargetResult {
    let (outcome, exempt_until) = match plan.verdict {
        Verdict::Compliant => (Outcome::Compliant, None),
        Verdict::Change => (Outcome::WouldChange, None),
        Verdict::Exempt { until } => (Outcome::Exempt, Some(until)),
        Verdict::Refused => (Outcome::Refused, None),
    };
    let wrong = is_wrong(&plan);
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
        wrong,
        exempt_until,
        sketch: plan.sketch,
    }
}

pub(crate) fn gone(resource: &str, told: Plan) -> TargetResult {
    TargetResult {
        outcome: Outcome::Gone,
        reason: "it was deleted meanwhile".to_owned(),
        changes: Vec::new(),
        undo: Vec::new(),
        ..result(resource, told)
    }
}

/// Whether nothing is taken away by it.
fn is_addition(change: &Change) -> bool {
    match change {
        Change::AuthorizeRule(_) | Change::CreateFlowLog(_) | Change::PutAclEntry(_) | Change::PutTag(_) => true,
        Change::RevokeRule(_) | Change::DeleteFlowLog(_) | Change::DeleteAclEntry(_) | Change::DeleteTag(_) | Change::UpdateIpSet(_) => {
            false
        }
    }
}

/// A target for which this invocation has no turn, or no time: it is left as it is, and how to go on is told.
pub(crate) fn left(guardrail: Guardrail, mode: Mode, resource: &str, plan: Plan, why: &str) -> TargetResult {
    let how = match guardrail.call_for(resource, mode) {
        Some(call) if guardrail.sweeps() => format!("the next sweep takes it up; so does a call with `{call}`"),
        Some(call) => format!("a call with `{call}` takes it up"),
        None => "the same call again takes it up, and skips what is done".to_owned(),
    };
    let why = format!("{why}; {}", plan.reason);
    // Lambda must come back to what could not be read.
    let (outcome, reason) = match plan.unread {
        Some(unread) => (Outcome::Failed, format!("{why}; {unread}")),
        None => (Outcome::Refused, why),
    };
    TargetResult {
        outcome,
        reason,
        remarks: vec![how],
        changes: Vec::new(),
        undo: Vec::new(),
        sketch: Sketch { name: plan.sketch.name.clone(), ..Sketch::default() },
        ..result(resource, Plan { unread: None, ..plan })
    }
}

pub(crate) fn out_of_time(guardrail: Guardrail, mode: Mode, resource: &str, plan: Plan) -> TargetResult {
    const WHY: &str = "out of time: Lambda would have ended the function before it was done, so nothing was changed";
    left(guardrail, mode, resource, plan, WHY)
}

/// What the change did, in a few words.
fn label(change: &Change) -> String {
    match change {
        Change::AuthorizeRule(change) => format!("{} authorised", change.rule),
        Change::RevokeRule(change) => format!("{} revoked", change.rule),
        Change::CreateFlowLog(change) => format!("a flow log of {} created", change.vpc_id),
        Change::DeleteFlowLog(change) => format!("a flow log of {} deleted", change.vpc_id),
        Change::PutAclEntry(change) => format!("entry {} of {} put", change.rule_number, change.acl_id),
        Change::DeleteAclEntry(change) => format!("entry {} of {} deleted", change.rule_number, change.acl_id),
        Change::PutTag(tag) => format!("tag {} of {} put", tag.key, tag.resource),
        Change::DeleteTag(tag) => format!("tag {} of {} deleted", tag.key, tag.resource),
        Change::UpdateIpSet(change) => format!("{} updated", change.arn),
    }
}
