//! Network ACLs, and which of them guard what.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{Filter, NetworkAcl as Ec2Acl, NetworkAclEntry, RouteState, RouteTable, RuleAction};
use palisade_policy::cidr::Cidr;
use palisade_policy::id::{AclId, IdError, SubnetId};
use palisade_policy::network_acl::{AclEntry, Action, NetworkAcl};
use palisade_policy::security_group::{Direction, Tags};
use palisade_policy::traffic::Traffic;

use crate::aws::AwsError;
use crate::observe::{MOST_FILTER_VALUES, every_page};

const ACLS: &str = "DescribeNetworkAcls";
/// A page ("DescribeNetworkAcls", "DescribeRouteTables", "DescribeSubnets", `MaxResults`; the smallest maximum is that of route tables).
const PAGE: i32 = 100;

/// The ACLs with these ids, in order of their ids.
pub(crate) async fn by_id(ec2: &Client, ids: &[AclId]) -> Result<Vec<NetworkAcl>, AwsError> {
    read(ec2, "network-acl-id", ids.iter().map(ToString::to_string).collect()).await
}

/// The ACLs of these subnets.
pub(crate) async fn of_subnets(ec2: &Client, subnets: &[SubnetId]) -> Result<Vec<NetworkAcl>, AwsError> {
    read(ec2, "association.subnet-id", subnets.iter().map(ToString::to_string).collect()).await
}

/// Every ACL of the Region.
pub(crate) async fn all(ec2: &Client) -> Result<Vec<NetworkAcl>, AwsError> {
    let pages = ec2.describe_network_acls().max_results(PAGE).into_paginator().send();
    let mut acls = Vec::new();
    every_page(ACLS, pages, |page| acls.extend(page.network_acls.unwrap_or_default())).await?;
    acls.iter().map(|acl| state(acl).map_err(|error| AwsError::unreadable(ACLS, error))).collect()
}

async fn read(ec2: &Client, filter: &str, values: Vec<String>) -> Result<Vec<NetworkAcl>, AwsError> {
    let mut acls: BTreeMap<String, Ec2Acl> = BTreeMap::new();
    for values in values.chunks(MOST_FILTER_VALUES) {
        let filter = Filter::builder().name(filter).set_values(Some(values.to_vec())).build();
        let pages = ec2.describe_network_acls().filters(filter).max_results(PAGE).into_paginator().send();
        every_page(ACLS, pages, |page| {
            let found = page.network_acls.unwrap_or_default();
            acls.extend(found.into_iter().map(|acl| (acl.network_acl_id.clone().unwrap_or_default(), acl)));
        })
        .await?;
    }
    acls.values().map(|acl| state(acl).map_err(|error| AwsError::unreadable(ACLS, error))).collect()
}

/// Every subnet that the internet reaches: its route table, the VPC's main one where it has none of its own, has an active route to an
/// internet gateway.
pub(crate) async fn internet_subnets(ec2: &Client) -> Result<Vec<SubnetId>, AwsError> {
    let pages = ec2.describe_route_tables().max_results(PAGE).into_paginator().send();
    let mut tables: Vec<RouteTable> = Vec::new();
    every_page("DescribeRouteTables", pages, |page| tables.extend(page.route_tables.unwrap_or_default())).await?;

    let mut explicit: BTreeSet<String> = BTreeSet::new();
    let mut reached: BTreeSet<String> = BTreeSet::new();
    let mut reached_vpcs: BTreeSet<String> = BTreeSet::new();
    for table in &tables {
        let reaches = leads_to_the_internet(table);
        for association in table.associations.iter().flatten() {
            if let Some(subnet) = &association.subnet_id {
                explicit.insert(subnet.clone());
                if reaches {
                    reached.insert(subnet.clone());
                }
            }
            if association.main == Some(true) && reaches {
                reached_vpcs.extend(table.vpc_id.clone());
            }
        }
    }
    let vpcs: Vec<String> = reached_vpcs.into_iter().collect();
    for vpcs in vpcs.chunks(MOST_FILTER_VALUES) {
        let filter = Filter::builder().name("vpc-id").set_values(Some(vpcs.to_vec())).build();
        let pages = ec2.describe_subnets().filters(filter).max_results(PAGE).into_paginator().send();
        every_page("DescribeSubnets", pages, |page| {
            let subnets = page.subnets.unwrap_or_default().into_iter().filter_map(|subnet| subnet.subnet_id);
            reached.extend(subnets.filter(|subnet| !explicit.contains(subnet)));
        })
        .await?;
    }
    let ids: Result<Vec<SubnetId>, IdError> = reached.iter().map(|id| id.parse()).collect();
    ids.map_err(|error| AwsError::unreadable("DescribeSubnets", error.to_string()))
}

fn leads_to_the_internet(table: &RouteTable) -> bool {
    table.routes.iter().flatten().any(|route| {
        route.state != Some(RouteState::Blackhole) && route.gateway_id.as_deref().is_some_and(|gateway| gateway.starts_with("igw-"))
    })
}

fn state(acl: &Ec2Acl) -> Result<NetworkAcl, String> {
    let id = |text: &Option<String>| text.clone().unwrap_or_default();
    let read = |error: IdError| error.to_string();
    let subnets = acl.associations.iter().flatten().filter_map(|association| association.subnet_id.as_deref()?.parse().ok()).collect();
    Ok(NetworkAcl {
        id: id(&acl.network_acl_id).parse().map_err(read)?,
        owner: id(&acl.owner_id).parse().map_err(read)?,
        vpc: id(&acl.vpc_id).parse().map_err(read)?,
        subnets,
        entries: acl.entries.iter().flatten().map(entry).collect::<Result<_, _>>()?,
        tags: acl.tags.iter().flatten().filter_map(|tag| Some((tag.key.clone()?, tag.value.clone().unwrap_or_default()))).collect::<Tags>(),
    })
}

/// An entry that can't be read fails its ACL: what it allows could not be judged.
fn entry(entry: &NetworkAclEntry) -> Result<AclEntry, String> {
    let number = entry.rule_number.and_then(|number| u16::try_from(number).ok()).ok_or("an entry without a number")?;
    let unreadable = |what: &str| format!("entry {number} of a network ACL has {what}");
    let cidr = entry.cidr_block.as_deref().or(entry.ipv6_cidr_block.as_deref()).ok_or_else(|| unreadable("no source"))?;
    let ports = entry.port_range.as_ref().map(|ports| (ports.from, ports.to));
    let icmp = entry.icmp_type_code.as_ref().map(|icmp| (icmp.r#type, icmp.code));
    let (from, to) = ports.or(icmp).unwrap_or((None, None));
    Ok(AclEntry {
        direction: if entry.egress == Some(true) { Direction::Egress } else { Direction::Ingress },
        number,
        action: match entry.rule_action {
            Some(RuleAction::Allow) => Action::Allow,
            Some(RuleAction::Deny) => Action::Deny,
            _ => return Err(unreadable("no action that Palisade knows")),
        },
        traffic: Traffic::from_ec2(entry.protocol.as_deref().unwrap_or_default(), from, to).map_err(|error| error.to_string())?,
        cidr: Cidr::canonical(cidr).map_err(|error| error.to_string())?,
    })
}
