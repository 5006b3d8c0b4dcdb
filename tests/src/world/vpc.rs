//! VPCs.

use anyhow::Context;
use aws_sdk_ec2::types::{Filter, ResourceType};
use palisade_policy::flow_log::Vpc;

use super::{Made, Resource, Snapshot, tagged};
use crate::case::World;

impl Made {
    /// In the order of their literal ids, which makes their real ids come in that order too.
    pub(super) async fn default_vpc(&self) -> anyhow::Result<Option<String>> {
        let filter = Filter::builder().name("is-default").values("true").build();
        let vpcs = self.ec2.describe_vpcs().filters(filter).send().await?.vpcs.unwrap_or_default();
        Ok(vpcs.into_iter().find_map(|vpc| vpc.vpc_id))
    }

    pub(super) async fn vpcs(&mut self, world: &World) -> anyhow::Result<()> {
        for (id, vpc) in &world.vpcs {
            let real = if vpc.default {
                self.default_vpc().await?.context("the local AWS has no default VPC")?
            } else {
                let cidr = vpc.cidr.as_ref().with_context(|| format!("the VPC {id} has no `cidr`"))?;
                let made = self.ec2.create_vpc().cidr_block(cidr).send().await?;
                made.vpc.and_then(|vpc| vpc.vpc_id).context("a VPC without an id")?
            };
            let tags = tagged(ResourceType::Vpc, &vpc.tags).into_iter().flatten().find_map(|tags| tags.tags);
            if tags.is_some() {
                self.ec2.create_tags().resources(&real).set_tags(tags).send().await?;
            }
            self.real.insert(id.clone(), real);
        }
        Ok(())
    }

    pub(super) async fn read_vpcs(&self, snapshot: &mut Snapshot) -> anyhow::Result<()> {
        let mut logs = self.read_flow_logs().await?;
        for vpc in self.ec2.describe_vpcs().send().await?.vpcs.unwrap_or_default() {
            let id = vpc.vpc_id.context("a VPC without an id")?;
            let tags = vpc.tags.iter().flatten().filter_map(|tag| Some((tag.key.clone()?, tag.value.clone()?))).collect();
            let flow_logs = logs.remove(&id).unwrap_or_default();
            let read = Vpc { id: id.parse()?, owner: self.account.parse()?, tags, flow_logs };
            snapshot.insert(id, Resource::Vpc(read));
        }
        Ok(())
    }
}
