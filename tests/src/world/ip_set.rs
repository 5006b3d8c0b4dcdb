//! WAF IP sets.

use anyhow::Context;
use aws_sdk_wafv2::types::{IpAddressVersion, Scope};
use palisade_policy::cidr::{Cidr, Family};
use palisade_policy::id::IpSetArn;
use palisade_policy::ip_set::IpSet;

use super::{Made, Resource, Snapshot};
use crate::case::World;

impl Made {
    pub(super) async fn ip_sets(&mut self, world: &World) -> anyhow::Result<()> {
        for (literal, set) in &world.ip_sets {
            let arn: IpSetArn = literal.parse()?;
            let version = if set.address_family == "IPv6" { IpAddressVersion::Ipv6 } else { IpAddressVersion::Ipv4 };
            let description = Some(set.description.clone()).filter(|text| !text.is_empty());
            let call = self.waf.create_ip_set().name(arn.parts().name).scope(Scope::Regional).ip_address_version(version);
            let made = call.set_description(description).set_addresses(Some(set.addresses.clone())).send().await?;
            let real = made.summary.and_then(|summary| summary.arn).context("an IP set without an ARN")?;
            let made: IpSetArn = real.parse()?;
            // A command names a set by its name and id, not by its ARN.
            self.real.insert(arn.parts().id.to_owned(), made.parts().id.to_owned());
            self.real.insert(literal.clone(), real);
            self.ip_sets.push(made);
        }
        Ok(())
    }

    pub(super) async fn read_ip_sets(&self, snapshot: &mut Snapshot) -> anyhow::Result<()> {
        for arn in &self.ip_sets {
            let parts = arn.parts();
            let read = self.waf.get_ip_set().name(parts.name).id(parts.id).scope(Scope::Regional).send().await?;
            let set = read.ip_set.context("an IP set without content")?;
            let mut addresses = set.addresses.iter().map(|text| Cidr::canonical(text)).collect::<Result<Vec<_>, _>>()?;
            addresses.sort();
            let family = if set.ip_address_version == IpAddressVersion::Ipv6 { Family::V6 } else { Family::V4 };
            let description = set.description.unwrap_or_default();
            snapshot.insert(arn.to_string(), Resource::IpSet(IpSet { arn: arn.clone(), family, addresses, description }));
        }
        Ok(())
    }
}

/// Its description, and its addresses in order.
pub(super) fn lines(set: &IpSet) -> Vec<String> {
    let mut addresses = set.addresses.clone();
    addresses.sort();
    std::iter::once(format!("description {}", set.description)).chain(addresses.iter().map(ToString::to_string)).collect()
}
