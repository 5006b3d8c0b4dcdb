//! Flow logs, and where they deliver to.

use std::collections::BTreeMap;
use std::fmt::Write;

use anyhow::{Context, ensure};
use aws_sdk_ec2::types::{FlowLogsResourceType, LogDestinationType, ResourceType, TrafficType};
use palisade_policy::flow_log::{FlowLog, Vpc};
use serde_json::json;

use super::{Made, tagged};
use crate::case::{self, ACCOUNT, REGION, World};

/// A role that is not there: the local AWS does not look.
const ROLE: &str = "arn:aws:iam::111122223333:role/flow-logs";

impl Made {
    /// Log groups and buckets. One call each does not make the clients of two more services worth their building.
    pub(super) async fn destinations(&self, world: &World) -> anyhow::Result<()> {
        for name in &world.log_groups {
            let body = json!({"logGroupName": name}).to_string();
            self.call("POST", "/", "logs", Some("Logs_20140328.CreateLogGroup"), body).await?;
        }
        for name in &world.buckets {
            ensure!(name.contains(ACCOUNT), "the bucket {name} has no {ACCOUNT} in its name");
            let place = format!("<CreateBucketConfiguration><LocationConstraint>{REGION}</LocationConstraint></CreateBucketConfiguration>");
            self.call("PUT", &format!("/{}", self.with_real_ids(name)), "s3", None, place).await?;
        }
        Ok(())
    }

    pub(super) async fn flow_logs(&mut self, world: &World) -> anyhow::Result<()> {
        for (id, vpc) in &world.vpcs {
            let real = self.real(id).to_owned();
            for log in &vpc.flow_logs {
                let made = self.flow_log(&real, log).await.with_context(|| format!("the flow log {} can't be made", log.id))?;
                self.real.insert(log.id.clone(), made);
            }
        }
        for number in 0..world.watched_vpcs {
            let made = self.ec2.create_vpc().cidr_block(format!("10.{}.{}.0/24", number / 256, number % 256)).send().await?;
            let vpc = made.vpc.and_then(|vpc| vpc.vpc_id).context("a VPC without an id")?;
            let destination = world.log_groups.first().context("watched VPCs need a log group")?.clone();
            let (id, traffic_type) = (String::new(), "ALL".to_owned());
            self.flow_log(&vpc, &case::FlowLog { id, traffic_type, destination, subnet: None, tags: BTreeMap::new() }).await?;
        }
        Ok(())
    }

    async fn flow_log(&self, vpc: &str, log: &case::FlowLog) -> anyhow::Result<String> {
        let (kind, resource) = match &log.subnet {
            None => (FlowLogsResourceType::Vpc, vpc.to_owned()),
            Some(cidr) => {
                let made = self.ec2.create_subnet().vpc_id(vpc).cidr_block(cidr).send().await?;
                (FlowLogsResourceType::Subnet, made.subnet.and_then(|subnet| subnet.subnet_id).context("a subnet without an id")?)
            }
        };
        let call = self.ec2.create_flow_logs().resource_type(kind).resource_ids(resource);
        let call = call.traffic_type(TrafficType::from(log.traffic_type.as_str()));
        let call = call.set_tag_specifications(tagged(ResourceType::VpcFlowLog, &log.tags));
        let destination = self.with_real_ids(&log.destination);
        let call = match destination.starts_with("arn:") {
            true => call.log_destination_type(LogDestinationType::S3).log_destination(destination),
            false => call.log_group_name(destination).deliver_logs_permission_arn(ROLE),
        };
        let made = call.send().await?;
        made.flow_log_ids.unwrap_or_default().into_iter().next().with_context(|| format!("the local AWS says {:?}", made.unsuccessful))
    }

    /// By the resource that they are of.
    pub(super) async fn read_flow_logs(&self) -> anyhow::Result<BTreeMap<String, Vec<FlowLog>>> {
        let mut logs: BTreeMap<String, Vec<FlowLog>> = BTreeMap::new();
        for log in self.ec2.describe_flow_logs().send().await?.flow_logs.unwrap_or_default() {
            let traffic = log.traffic_type.as_ref().map(|traffic| traffic.as_str()).unwrap_or_default();
            let failed = log.deliver_logs_status.as_deref() == Some("FAILED");
            let read = FlowLog {
                id: log.flow_log_id.as_deref().and_then(|id| id.parse().ok()),
                traffic_type: traffic.parse().map_err(anyhow::Error::msg)?,
                destination: log.log_group_name.clone().or(log.log_destination.clone()).context("a flow log to nowhere")?,
                active: log.flow_log_status.as_deref() == Some("ACTIVE"),
                failing: failed.then(|| log.deliver_logs_error_message.clone().unwrap_or_default()),
                tags: log.tags.iter().flatten().filter_map(|tag| Some((tag.key.clone()?, tag.value.clone()?))).collect(),
            };
            logs.entry(log.resource_id.unwrap_or_default()).or_default().push(read);
        }
        Ok(logs)
    }
}

pub(super) fn lines(vpc: &Vpc) -> Vec<String> {
    let mut logs: Vec<&FlowLog> = vpc.flow_logs.iter().collect();
    logs.sort_by_key(|log| (log.traffic_type, log.destination.clone()));
    logs.into_iter().map(line).collect()
}

/// A flow log as a line.
#[must_use]
pub fn line(log: &FlowLog) -> String {
    let mut line = format!("flow log {} to {}", log.traffic_type, log.place());
    if let Some(why) = &log.failing {
        let _ = write!(line, " FAILED: {why}");
    }
    if !log.active {
        line.push_str(" not ACTIVE");
    }
    if !log.tags.is_empty() {
        let tags: Vec<String> = log.tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let _ = write!(line, " {{{}}}", tags.join(", "));
    }
    line
}
