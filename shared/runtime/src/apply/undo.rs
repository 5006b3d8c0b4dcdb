//! Changes of every kind, taken back: each kind as its own function makes it, in the order of the plan.

use aws_sdk_ec2::Client;
use palisade_policy::change::Change;
use palisade_policy::undo_change::{Undoing, resource};

use crate::apply::{denial, flow_log, security_group};
use crate::aws::AwsError;
use crate::deadline::Deadline;
use crate::gateway::Interrupted;
use crate::observe::ip_set::Waf;

/// Whose changes are made together.
#[derive(PartialEq, Eq)]
enum Kind<'a> {
    /// Rules of a security group: authorised first, then revoked.
    Rules(&'a str),
    /// Flow logs of a VPC.
    FlowLogs(&'a str),
    /// Entries, tags and IP sets, one after the other.
    Others,
}

fn kind(change: &Change) -> Kind<'_> {
    match change {
        Change::AuthorizeRule(_) | Change::RevokeRule(_) => Kind::Rules(resource(change)),
        Change::CreateFlowLog(_) | Change::DeleteFlowLog(_) => Kind::FlowLogs(resource(change)),
        _ => Kind::Others,
    }
}

fn gone(id: &str) -> Interrupted {
    Interrupted::Failed(AwsError::unreadable("apply", format!("{id} was not read")))
}

pub(crate) async fn apply(ec2: &Client, waf: &Waf, state: &Undoing, changes: &[Change], deadline: Deadline) -> Result<(), Interrupted> {
    let mut before: Vec<Change> = Vec::new();
    for run in changes.chunk_by(|one, next| kind(one) == kind(next)) {
        let applied = match run.first().map(kind) {
            Some(Kind::Rules(id)) => match state.groups.iter().find(|group| group.id.as_str() == id) {
                Some(group) => security_group::apply(ec2, group, run, deadline).await,
                None => Err(gone(id)),
            },
            Some(Kind::FlowLogs(id)) => match state.vpcs.iter().find(|vpc| vpc.id.as_str() == id) {
                Some(vpc) => flow_log::apply(ec2, vpc, run, deadline).await,
                None => Err(gone(id)),
            },
            _ => denial::apply(ec2, waf, &state.ip_sets, run, deadline).await,
        };
        match applied {
            Ok(()) => before.extend(run.iter().cloned()),
            Err(Interrupted::Moved { error, made }) => return Err(Interrupted::Moved { error, made: [before, made].concat() }),
            Err(Interrupted::NoRoom { error, made }) => return Err(Interrupted::NoRoom { error, made: [before, made].concat() }),
            Err(Interrupted::OutOfTime { made }) => return Err(Interrupted::OutOfTime { made: [before, made].concat() }),
            Err(failed) => return Err(failed),
        }
    }
    Ok(())
}

/// `None` where none of the changes has a `DryRun` to ask.
pub(crate) async fn permitted(ec2: &Client, state: &Undoing, changes: &[Change]) -> Result<Option<bool>, Interrupted> {
    let mut all = None;
    for run in changes.chunk_by(|one, next| kind(one) == kind(next)) {
        let permitted = match run.first().map(kind) {
            Some(Kind::Rules(id)) => match state.groups.iter().find(|group| group.id.as_str() == id) {
                Some(group) => security_group::permitted(ec2, group, run).await?,
                None => return Err(gone(id)),
            },
            Some(Kind::FlowLogs(id)) => match state.vpcs.iter().find(|vpc| vpc.id.as_str() == id) {
                Some(vpc) => flow_log::permitted(ec2, vpc, run).await?,
                None => return Err(gone(id)),
            },
            _ => denial::permitted(ec2, run).await?,
        };
        if let Some(permitted) = permitted {
            all = Some(all.unwrap_or(true) && permitted);
        }
    }
    Ok(all)
}
