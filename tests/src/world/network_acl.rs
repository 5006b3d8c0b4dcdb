//! Subnets, the network ACLs that guard them, and what makes the internet reach them.

use anyhow::{Context, ensure};
use aws_sdk_ec2::types::{Filter, IcmpTypeCode, NetworkAclEntry, PortRange, ResourceType, RuleAction};
use palisade_policy::cidr::Cidr;
use palisade_policy::network_acl::{AclEntry, Action, NetworkAcl};
use palisade_policy::security_group::Direction;
use palisade_policy::traffic::Traffic;

use super::{Made, Resource, Snapshot, tagged};
use crate::case::{self, World};

impl Made {
    pub(super) async fn subnets(&mut self, world: &World) -> anyhow::Result<()> {
        for (id, _) in world.vpcs.iter().filter(|(_, vpc)| vpc.internet) {
            let vpc_id = self.real(id).to_owned();
            let gateway = self.ec2.create_internet_gateway().send().await?.internet_gateway;
            let gateway = gateway.and_then(|gateway| gateway.internet_gateway_id).context("an internet gateway without an id")?;
            self.ec2.attach_internet_gateway().internet_gateway_id(&gateway).vpc_id(&vpc_id).send().await?;
            let main = Filter::builder().name("vpc-id").values(&vpc_id).build();
            let tables = self.ec2.describe_route_tables().filters(main).send().await?.route_tables.unwrap_or_default();
            let table = tables.into_iter().find_map(|table| table.route_table_id).with_context(|| format!("{id} has no route table"))?;
            self.ec2.create_route().route_table_id(table).destination_cidr_block("0.0.0.0/0").gateway_id(gateway).send().await?;
        }
        for (id, subnet) in &world.subnets {
            let vpc = self.real(&subnet.vpc).to_owned();
            let made = self.ec2.create_subnet().vpc_id(&vpc).cidr_block(&subnet.cidr).send().await?;
            let real = made.subnet.and_then(|subnet| subnet.subnet_id).context("a subnet without an id")?;
            if subnet.private {
                let table = self.ec2.create_route_table().vpc_id(&vpc).send().await?.route_table;
                let table = table.and_then(|table| table.route_table_id).context("a route table without an id")?;
                self.ec2.associate_route_table().route_table_id(table).subnet_id(&real).send().await?;
            }
            self.real.insert(id.clone(), real);
        }
        for address in &world.elastic_addresses {
            let made = self.ec2.allocate_address().send().await?.public_ip.context("an elastic address without an address")?;
            self.real.insert(address.clone(), made);
        }
        Ok(())
    }

    pub(super) async fn acls(&mut self, world: &World) -> anyhow::Result<()> {
        for (id, acl) in &world.network_acls {
            let call = self.ec2.create_network_acl().vpc_id(self.real(&acl.vpc));
            let made = call.set_tag_specifications(tagged(ResourceType::NetworkAcl, &acl.tags)).send().await?.network_acl;
            let real = made.and_then(|acl| acl.network_acl_id).context("a network ACL without an id")?;
            for subnet in &acl.subnets {
                let subnet = self.real(subnet);
                let of_subnet = Filter::builder().name("association.subnet-id").values(subnet).build();
                let acls = self.ec2.describe_network_acls().filters(of_subnet).send().await?.network_acls.unwrap_or_default();
                let mut associations = acls.into_iter().flat_map(|acl| acl.associations.unwrap_or_default());
                let association = associations.find(|association| association.subnet_id.as_deref() == Some(subnet));
                let association = association.and_then(|association| association.network_acl_association_id).context("no association")?;
                self.ec2.replace_network_acl_association().association_id(association).network_acl_id(&real).send().await?;
            }
            for entry in &acl.entries {
                self.entry(&real, entry).await.with_context(|| format!("the entry {} of {id} can't be made", entry.number))?;
            }
            self.real.insert(id.clone(), real);
        }
        Ok(())
    }

    async fn entry(&self, acl: &str, entry: &case::AclEntry) -> anyhow::Result<()> {
        let action = RuleAction::from(entry.action.as_str());
        ensure!(matches!(action, RuleAction::Allow | RuleAction::Deny), "`{}` is no action", entry.action);
        let ports = entry.from_port.map(|from| PortRange::builder().from(from).to(entry.to_port.unwrap_or(from)).build());
        let icmp = ["1", "58"].contains(&entry.protocol.as_str()).then(|| IcmpTypeCode::builder().code(-1).r#type(-1).build());
        let call = self.ec2.create_network_acl_entry().network_acl_id(acl).rule_number(entry.number).rule_action(action);
        let call = call.egress(entry.direction == case::Direction::Egress).protocol(&entry.protocol);
        let call = call.set_port_range(ports).set_icmp_type_code(icmp);
        let call = if entry.cidr.contains(':') { call.ipv6_cidr_block(&entry.cidr) } else { call.cidr_block(&entry.cidr) };
        call.send().await?;
        Ok(())
    }

    pub(super) async fn read_acls(&self, snapshot: &mut Snapshot) -> anyhow::Result<()> {
        for acl in self.ec2.describe_network_acls().send().await?.network_acls.unwrap_or_default() {
            let id = acl.network_acl_id.context("a network ACL without an id")?;
            let read = NetworkAcl {
                id: id.parse()?,
                owner: self.account.parse()?,
                vpc: acl.vpc_id.unwrap_or_default().parse()?,
                subnets: Vec::new(),
                entries: acl.entries.iter().flatten().map(entry).collect::<anyhow::Result<_>>()?,
                tags: acl.tags.iter().flatten().filter_map(|tag| Some((tag.key.clone()?, tag.value.clone()?))).collect(),
            };
            snapshot.insert(id, Resource::Acl(read));
        }
        Ok(())
    }
}

fn entry(entry: &NetworkAclEntry) -> anyhow::Result<AclEntry> {
    let ports = entry.port_range.as_ref().map_or((None, None), |ports| (ports.from, ports.to));
    Ok(AclEntry {
        direction: if entry.egress == Some(true) { Direction::Egress } else { Direction::Ingress },
        number: u16::try_from(entry.rule_number.context("an entry without a number")?)?,
        action: if entry.rule_action == Some(RuleAction::Allow) { Action::Allow } else { Action::Deny },
        traffic: Traffic::from_ec2(entry.protocol.as_deref().unwrap_or_default(), ports.0, ports.1)?,
        cidr: Cidr::canonical(entry.cidr_block.as_deref().or(entry.ipv6_cidr_block.as_deref()).unwrap_or_default())?,
    })
}

/// `in 100 allow all traffic 0.0.0.0/0`, and Palisade's tags.
pub(super) fn lines(acl: &NetworkAcl) -> Vec<String> {
    let mut entries = acl.entries.clone();
    entries.sort();
    let line = |entry: &AclEntry| {
        let way = if entry.direction == Direction::Ingress { "in" } else { "out" };
        format!("{way} {} {} {} {}", entry.number, entry.action, entry.traffic, entry.cidr)
    };
    entries.iter().map(line).chain(acl.tags.iter().map(|(key, value)| format!("tag {key} = {value}"))).collect()
}
