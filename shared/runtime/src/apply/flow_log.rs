//! Changes to the flow logs of a VPC.

use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{
    FlowLogsResourceType, LogDestinationType, ResourceType, Tag, TagSpecification, TrafficType as Ec2TrafficType, UnsuccessfulItem,
};
use palisade_policy::change::{Change, FlowLogChange};
use palisade_policy::flow_log::{Destination, Vpc, destination_of, is_same_destination};
use palisade_policy::id::FlowLogId;
use palisade_policy::security_group::is_reserved;

use crate::aws::AwsError;
use crate::deadline::Deadline;
use crate::gateway::Interrupted;

const CREATE: &str = "CreateFlowLogs";
const DELETE: &str = "DeleteFlowLogs";

/// What EC2 says when the VPC, or the flow log, is there no longer. It writes `Id` and `ID`.
const GONE: [&str; 2] = ["InvalidVpcId.NotFound", "InvalidFlowLogId.NotFound"];

/// One call for each change: a plan has one.
pub(crate) async fn apply(ec2: &Client, vpc: &Vpc, changes: &[Change], deadline: Deadline) -> Result<(), Interrupted> {
    let mut made: Vec<Change> = Vec::new();
    for change in changes {
        if !deadline.leaves_a_call() {
            return Err(Interrupted::OutOfTime { made });
        }
        if let Err(error) = deadline.act(call(ec2, vpc, change, false)).await {
            return Err(interrupted(vpc, change, error, made));
        }
        made.push(change.clone());
    }
    Ok(())
}

/// Asks EC2, with `DryRun`, whether the role may make these calls. It answers by an error: `DryRunOperation` is yes,
/// `UnauthorizedOperation` is no.
pub(crate) async fn permitted(ec2: &Client, vpc: &Vpc, changes: &[Change]) -> Result<Option<bool>, Interrupted> {
    let mut permitted = true;
    for change in changes {
        if let Err(error) = call(ec2, vpc, change, true).await {
            permitted &= match error.code() {
                Some("DryRunOperation") => true,
                Some("UnauthorizedOperation") => false,
                _ => return Err(interrupted(vpc, change, error, Vec::new())),
            };
        }
    }
    Ok(Some(permitted))
}

/// A flow log that exists by now means: look again. Where the one in the way was there to be seen already, a look shows nothing new, and the
/// plan must do without another beside it.
fn interrupted(vpc: &Vpc, change: &Change, error: AwsError, made: Vec<Change>) -> Interrupted {
    let code = error.code().unwrap_or_default();
    if code == "FlowLogAlreadyExists" {
        let seen = match change {
            Change::CreateFlowLog(change) => {
                let wanted = destination_of(&change.destination);
                vpc.flow_logs.iter().any(|log| is_same_destination(&log.destination, wanted))
            }
            _ => false,
        };
        return if seen { Interrupted::NoRoom { error, made } } else { Interrupted::Moved { error, made } };
    }
    if error.is_lost() || GONE.iter().any(|gone| code.eq_ignore_ascii_case(gone)) {
        return Interrupted::Moved { error, made };
    }
    Interrupted::Failed(error)
}

async fn call(ec2: &Client, vpc: &Vpc, change: &Change, dry_run: bool) -> Result<(), AwsError> {
    match change {
        Change::CreateFlowLog(change) => create(ec2, change, dry_run).await,
        Change::DeleteFlowLog(change) => delete(ec2, vpc, change, dry_run).await,
        _ => Err(AwsError::unreadable(CREATE, "that is no change of a flow log")),
    }
}

/// Without a client token: EC2 would remember it, and answer for a flow log that was deleted since.
async fn create(ec2: &Client, change: &FlowLogChange, dry_run: bool) -> Result<(), AwsError> {
    let call = ec2.create_flow_logs().resource_type(FlowLogsResourceType::Vpc).resource_ids(change.vpc_id.as_str());
    let call = call.traffic_type(Ec2TrafficType::from(change.traffic_type.id())).set_tag_specifications(tag_specification(change));
    let call = match &change.destination {
        Destination::LogGroup { log_group_name, deliver_logs_permission_arn } => call
            .log_destination_type(LogDestinationType::CloudWatchLogs)
            .log_group_name(log_group_name)
            .deliver_logs_permission_arn(deliver_logs_permission_arn),
        Destination::S3 { log_destination } => call.log_destination_type(LogDestinationType::S3).log_destination(log_destination),
    };
    let answer = call.set_dry_run(dry_run.then_some(true)).send().await.map_err(|error| AwsError::new(CREATE, &error))?;
    successful(CREATE, answer.unsuccessful())
}

/// By the id that the flow log has now; a change's own is a hint, for one that was made again has another.
async fn delete(ec2: &Client, vpc: &Vpc, change: &FlowLogChange, dry_run: bool) -> Result<(), AwsError> {
    let there = vpc.flow_log(change).and_then(|log| log.id.as_ref());
    let Some(id) = there.or(change.flow_log_id.as_ref()).map(FlowLogId::as_str) else {
        let problem = format!("the flow log of {} to {} has no id", change.vpc_id, change.destination);
        return Err(AwsError::unreadable(DELETE, problem));
    };
    let call = ec2.delete_flow_logs().flow_log_ids(id).set_dry_run(dry_run.then_some(true));
    let answer = call.send().await.map_err(|error| AwsError::new(DELETE, &error))?;
    successful(DELETE, answer.unsuccessful())
}

/// An answer of HTTP 200 may say that nothing was done ("CreateFlowLogs", `Unsuccessful`).
fn successful(operation: &'static str, unsuccessful: &[UnsuccessfulItem]) -> Result<(), AwsError> {
    match unsuccessful.first() {
        None => Ok(()),
        Some(item) => {
            let error = item.error();
            Err(AwsError::in_part(operation, error.and_then(|error| error.code()), error.and_then(|error| error.message())))
        }
    }
}

fn tag_specification(change: &FlowLogChange) -> Option<Vec<TagSpecification>> {
    let settable = change.tags.iter().filter(|(key, _)| !is_reserved(key));
    let tags: Vec<Tag> = settable.map(|(key, value)| Tag::builder().key(key).value(value).build()).collect();
    let of_log = TagSpecification::builder().resource_type(ResourceType::VpcFlowLog);
    (!tags.is_empty()).then(|| vec![of_log.set_tags(Some(tags)).build()])
}
