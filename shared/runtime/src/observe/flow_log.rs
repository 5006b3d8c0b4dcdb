//! VPCs, with the flow logs of their own.

use std::collections::BTreeMap;

use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{Filter, FlowLog as Ec2FlowLog, Tag, Vpc as Ec2Vpc};
use palisade_policy::change::Change;
use palisade_policy::flow_log::{FlowLog, Vpc};
use palisade_policy::id::{AccountId, IdError, VpcId};
use palisade_policy::security_group::Tags;
use palisade_policy::trigger::Targets;

use crate::apply;
use crate::askers::ConfigAndSecurityHub;
use crate::aws::{AwsError, Clients};
use crate::deadline::Deadline;
use crate::gateway::{Errand, Found, Gateway, Interrupted, Observed};
use crate::observe::{MOST_FILTER_VALUES, every_page};

/// The largest page ("DescribeVpcs", "DescribeFlowLogs", `MaxResults`). A listing without one is throttled sooner.
const PAGE: i32 = 1000;

const VPCS: &str = "DescribeVpcs";
const FLOW_LOGS: &str = "DescribeFlowLogs";

/// The gateway to VPCs and their flow logs.
#[derive(Debug, Clone)]
pub struct FlowLogs {
    ec2: Client,
}

impl FlowLogs {
    /// A gateway with a client of its own.
    #[must_use]
    pub fn new(clients: &Clients) -> Self {
        Self { ec2: clients.ec2() }
    }

    /// These VPCs, each with its flow logs, a few at a time. Those that another account owns are left out unless they are `named`: their
    /// flow logs are the owner's affair, and hidden from us (Amazon VPC, "Share your VPC subnets with other accounts").
    async fn read(&self, own: &AccountId, vpcs: Vec<Listed>, named: bool, found: &mut impl FnMut(Found<Vpc>)) {
        let (mine, others): (Vec<Listed>, Vec<Listed>) = vpcs.into_iter().partition(|vpc| vpc.owner == *own);
        for Listed { id, owner, .. } in others.into_iter().filter(|_| named) {
            found(Found { resource: id.to_string(), observed: Ok(Observed::Foreign(owner)) });
        }
        for vpcs in mine.chunks(MOST_FILTER_VALUES) {
            let logs = self.logs_of(vpcs).await;
            for vpc in vpcs {
                let observed = match &logs {
                    Ok(logs) => state(vpc, logs).map(Observed::State).map_err(|error| AwsError::unreadable(FLOW_LOGS, error)),
                    Err(error) => Err(error.clone()),
                };
                found(Found { resource: vpc.id.to_string(), observed });
            }
        }
    }

    /// These VPCs, as the ids come.
    pub(crate) async fn read_ids(&self, own: &AccountId, ids: &[VpcId], found: &mut impl FnMut(Found<Vpc>)) {
        for ids in ids.chunks(MOST_FILTER_VALUES) {
            // By filter, not by id: one id that is gone would fail the whole call.
            let filter = Filter::builder().name("vpc-id").set_values(Some(ids.iter().map(ToString::to_string).collect())).build();
            let mut read: BTreeMap<String, Found<Vpc>> = BTreeMap::new();
            let vpcs = self.vpcs(Some(filter)).await;
            let error = vpcs.as_ref().err().cloned();
            let mut keep = |found: Found<Vpc>| drop(read.insert(found.resource.clone(), found));
            self.read(own, vpcs.unwrap_or_default(), true, &mut keep).await;
            for id in ids {
                let resource = id.to_string();
                match (read.remove(&resource), &error) {
                    (Some(there), _) => found(there),
                    (None, Some(error)) => found(Found { resource, observed: Err(error.clone()) }),
                    (None, None) => found(Found { resource, observed: Ok(Observed::Gone) }),
                }
            }
        }
    }

    /// In the order of their ids, so that a second run sees them alike.
    async fn vpcs(&self, filter: Option<Filter>) -> Result<Vec<Listed>, AwsError> {
        let call = self.ec2.describe_vpcs().max_results(PAGE).set_filters(filter.map(|filter| vec![filter]));
        let pages = call.into_paginator().send();
        let mut listed: Vec<Result<Listed, IdError>> = Vec::new();
        every_page(VPCS, pages, |page| listed.extend(page.vpcs.unwrap_or_default().iter().map(Listed::of))).await?;
        let listed: Result<Vec<Listed>, IdError> = listed.into_iter().collect();
        let mut vpcs = listed.map_err(|error| AwsError::unreadable(VPCS, error.to_string()))?;
        vpcs.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(vpcs)
    }

    /// The flow logs of these VPCs, by VPC: at most as many as a filter takes. A subnet's or an interface's have another resource.
    async fn logs_of(&self, vpcs: &[Listed]) -> Result<BTreeMap<String, Vec<Ec2FlowLog>>, AwsError> {
        let ids = vpcs.iter().map(|vpc| vpc.id.to_string()).collect();
        let filter = Filter::builder().name("resource-id").set_values(Some(ids)).build();
        let pages = self.ec2.describe_flow_logs().max_results(PAGE).filter(filter).into_paginator().send();
        let mut logs: BTreeMap<String, Vec<Ec2FlowLog>> = BTreeMap::new();
        every_page(FLOW_LOGS, pages, |page| {
            for log in page.flow_logs.unwrap_or_default() {
                logs.entry(log.resource_id.clone().unwrap_or_default()).or_default().push(log);
            }
        })
        .await?;
        Ok(logs)
    }
}

/// What a listing says of a VPC.
#[derive(Debug)]
struct Listed {
    id: VpcId,
    owner: AccountId,
    tags: Tags,
}

impl Listed {
    fn of(vpc: &Ec2Vpc) -> Result<Self, IdError> {
        Ok(Self {
            id: vpc.vpc_id.as_deref().unwrap_or_default().parse()?,
            owner: vpc.owner_id.as_deref().unwrap_or_default().parse()?,
            tags: tags(vpc.tags.as_deref()),
        })
    }
}

impl Gateway for FlowLogs {
    type State = Vpc;
    type Askers = ConfigAndSecurityHub;

    async fn find(&self, errand: &Errand<'_>, found: &mut impl FnMut(Found<Vpc>)) -> Result<(), AwsError> {
        let own = errand.own;
        match &errand.trigger.targets {
            Targets::Vpcs(ids) => self.read_ids(own, ids, found).await,
            Targets::DefaultVpc => {
                let vpcs = self.vpcs(Some(Filter::builder().name("is-default").values("true").build())).await?;
                if vpcs.is_empty() {
                    found(Found { resource: "default VPC".to_owned(), observed: Ok(Observed::Gone) });
                }
                self.read(own, vpcs, true, found).await;
            }
            Targets::Sweep => {
                let vpcs = self.vpcs(None).await?;
                self.read(own, vpcs, false, found).await;
            }
            Targets::SecurityGroups(_)
            | Targets::SecurityGroupOfDefaultVpc(_)
            | Targets::UsersOfPrefixList(_)
            | Targets::Attack(_)
            | Targets::Search(_)
            | Targets::Gone(_)
            | Targets::Undo(_) => {}
        }
        Ok(())
    }

    async fn observe(&self, own: &AccountId, of: &Vpc) -> Result<Observed<Vpc>, AwsError> {
        let mut observed = Ok(Observed::Gone);
        self.read_ids(own, std::slice::from_ref(&of.id), &mut |found| observed = found.observed).await;
        observed
    }

    async fn apply(&self, state: &Vpc, changes: &[Change], deadline: Deadline) -> Result<(), Interrupted> {
        apply::flow_log::apply(&self.ec2, state, changes, deadline).await
    }

    async fn permitted(&self, state: &Vpc, changes: &[Change]) -> Result<Option<bool>, Interrupted> {
        apply::flow_log::permitted(&self.ec2, state, changes).await
    }
}

fn state(vpc: &Listed, logs: &BTreeMap<String, Vec<Ec2FlowLog>>) -> Result<Vpc, String> {
    let logs = logs.get(vpc.id.as_str()).map(Vec::as_slice).unwrap_or_default();
    let flow_logs = logs.iter().map(|log| flow_log(log, &vpc.owner)).collect::<Result<_, _>>()?;
    Ok(Vpc { id: vpc.id.clone(), owner: vpc.owner.clone(), tags: vpc.tags.clone(), flow_logs })
}

/// A flow log that can't be read fails its VPC: without it, whether enough is recorded could be wrong either way.
fn flow_log(log: &Ec2FlowLog, owner: &AccountId) -> Result<FlowLog, String> {
    let id = log.flow_log_id.as_deref().unwrap_or_default().parse().map_err(|error: IdError| error.to_string())?;
    let traffic_type = match &log.traffic_type {
        Some(traffic) => traffic.as_str().parse().map_err(|error| format!("what {id} records: {error}"))?,
        None => return Err(format!("{id} does not say what it records")),
    };
    // The status is FAILED or SUCCESS, and missing until there is traffic ("FlowLog", `DeliverLogsStatus`).
    let failing = (log.deliver_logs_status.as_deref() == Some("FAILED"))
        .then(|| log.deliver_logs_error_message.clone().unwrap_or_else(|| "EC2 does not say why".to_owned()));
    Ok(FlowLog {
        id: Some(id),
        traffic_type,
        destination: destination(log, owner),
        active: log.flow_log_status.as_deref() == Some("ACTIVE"),
        failing,
        tags: tags(log.tags.as_deref()),
    })
}

/// A log group may be given by its name or by its ARN, and EC2 shows either or both ("FlowLog", `LogGroupName`, `LogDestination`).
fn destination(log: &Ec2FlowLog, owner: &AccountId) -> String {
    if let Some(name) = log.log_group_name.as_deref().filter(|name| !name.is_empty()) {
        return name.to_owned();
    }
    let arn = log.log_destination.as_deref().unwrap_or_default();
    let parts: Vec<&str> = arn.split(':').collect();
    match parts.as_slice() {
        ["arn", _, "logs", _, account, "log-group", name, ..] if *account == owner.as_str() => (*name).to_owned(),
        _ => arn.to_owned(),
    }
}

fn tags(tags: Option<&[Tag]>) -> Tags {
    tags.unwrap_or_default().iter().filter_map(|tag| Some((tag.key.clone()?, tag.value.clone().unwrap_or_default()))).collect()
}
