//! Network interfaces, and the subnets that they are in.

use std::collections::BTreeMap;

use anyhow::Context;

use super::Made;
use crate::case::World;

impl Made {
    /// In the order of their literal ids, which makes their real ids come in that order too.
    pub(super) async fn interfaces(&mut self, world: &World) -> anyhow::Result<()> {
        let mut subnets: BTreeMap<(&str, &str), String> = BTreeMap::new();
        for (id, interface) in &world.interfaces {
            let place = (interface.vpc.as_str(), interface.subnet.as_str());
            let subnet = match subnets.get(&place) {
                Some(subnet) => subnet.clone(),
                None => {
                    let made = self.ec2.create_subnet().vpc_id(self.known(place.0)?).cidr_block(place.1).send().await?;
                    let made = made.subnet.and_then(|subnet| subnet.subnet_id).context("a subnet without an id")?;
                    subnets.insert(place, made.clone());
                    made
                }
            };
            let groups = interface.groups.iter().map(|group| self.known(group).map(str::to_owned)).collect::<anyhow::Result<_>>()?;
            let made = self.ec2.create_network_interface().subnet_id(subnet).set_groups(Some(groups)).send().await?;
            let real = made.network_interface.and_then(|made| made.network_interface_id).context("an interface without an id")?;
            self.real.insert(id.clone(), real);
        }
        Ok(())
    }

    fn known(&self, literal: &str) -> anyhow::Result<&str> {
        self.real.get(literal).map(String::as_str).with_context(|| format!("no `{literal}` in the world"))
    }
}
