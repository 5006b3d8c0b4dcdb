//! Whom no denial may touch: what the account itself uses, what it is connected to, and AWS.
//!
//! When any part of the list can't be read, nothing is denied.

use std::net::IpAddr;

use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::VpcPeeringConnectionVpcInfo;
use palisade_policy::cidr::Cidr;
use palisade_policy::deny_source::Friend;

use crate::aws::AwsError;
use crate::observe::{every_page, prefix_list};

/// A page of the listings below; each takes at least so many.
const PAGE: i32 = 100;

/// The whole list.
pub(crate) async fn read(ec2: &Client) -> Result<Vec<Friend>, AwsError> {
    let mut list = List { friends: Vec::new(), unreadable: None };
    vpcs(ec2, &mut list).await?;
    peerings(ec2, &mut list).await?;
    routes(ec2, &mut list).await?;
    addresses(ec2, &mut list).await?;
    for (name, entries) in prefix_list::of_aws(ec2).await? {
        entries.into_iter().for_each(|block| list.friends.push(Friend { block, what: format!("AWS ({name})") }));
    }
    match list.unreadable {
        None => Ok(list.friends),
        Some(text) => Err(AwsError::unreadable("the list of those who are never denied", format!("`{text}` is no address and no block"))),
    }
}

struct List {
    friends: Vec<Friend>,
    unreadable: Option<String>,
}

impl List {
    /// A block, or an address, as AWS gives it.
    fn add(&mut self, text: Option<&str>, what: &str) {
        let Some(text) = text.filter(|text| !text.is_empty()) else { return };
        let block = match text.parse::<IpAddr>() {
            Ok(address) => Cidr::containing(address, if address.is_ipv4() { 32 } else { 128 }),
            Err(_) => Cidr::canonical(text).ok(),
        };
        match block {
            Some(block) => self.friends.push(Friend { block, what: what.to_owned() }),
            None => self.unreadable = Some(text.chars().take(80).collect()),
        }
    }
}

async fn vpcs(ec2: &Client, list: &mut List) -> Result<(), AwsError> {
    let pages = ec2.describe_vpcs().max_results(PAGE).into_paginator().send();
    every_page("DescribeVpcs", pages, |page| {
        for vpc in page.vpcs.unwrap_or_default() {
            let what = format!("the VPC {}", vpc.vpc_id.as_deref().unwrap_or_default());
            list.add(vpc.cidr_block.as_deref(), &what);
            vpc.cidr_block_association_set.iter().flatten().for_each(|block| list.add(block.cidr_block.as_deref(), &what));
            vpc.ipv6_cidr_block_association_set.iter().flatten().for_each(|block| list.add(block.ipv6_cidr_block.as_deref(), &what));
        }
    })
    .await
}

async fn peerings(ec2: &Client, list: &mut List) -> Result<(), AwsError> {
    let pages = ec2.describe_vpc_peering_connections().max_results(PAGE).into_paginator().send();
    every_page("DescribeVpcPeeringConnections", pages, |page| {
        for peering in page.vpc_peering_connections.unwrap_or_default() {
            let what = format!("the peering {}", peering.vpc_peering_connection_id.as_deref().unwrap_or_default());
            let mut side = |info: &VpcPeeringConnectionVpcInfo| {
                list.add(info.cidr_block.as_deref(), &what);
                info.cidr_block_set.iter().flatten().for_each(|block| list.add(block.cidr_block.as_deref(), &what));
                info.ipv6_cidr_block_set.iter().flatten().for_each(|block| list.add(block.ipv6_cidr_block.as_deref(), &what));
            };
            peering.accepter_vpc_info.iter().for_each(&mut side);
            peering.requester_vpc_info.iter().for_each(&mut side);
        }
    })
    .await
}

/// Where routes lead to a peering, a transit gateway or a virtual private gateway. A default route names nobody: it is how a VPC without
/// an internet gateway of its own reaches the internet.
async fn routes(ec2: &Client, list: &mut List) -> Result<(), AwsError> {
    let pages = ec2.describe_route_tables().max_results(PAGE).into_paginator().send();
    let mut prefix_lists: Vec<(String, String)> = Vec::new();
    every_page("DescribeRouteTables", pages, |page| {
        for route in page.route_tables.unwrap_or_default().into_iter().flat_map(|table| table.routes.unwrap_or_default()) {
            let virtual_private = route.gateway_id.clone().filter(|gateway| gateway.starts_with("vgw-"));
            let Some(gateway) = route.vpc_peering_connection_id.or(route.transit_gateway_id).or(virtual_private) else { continue };
            let what = format!("what is behind {gateway}");
            let named = |block: &&str| !block.ends_with("/0");
            list.add(route.destination_cidr_block.as_deref().filter(named), &what);
            list.add(route.destination_ipv6_cidr_block.as_deref().filter(named), &what);
            prefix_lists.extend(route.destination_prefix_list_id.map(|id| (id, what)));
        }
    })
    .await?;
    for (id, what) in prefix_lists {
        let id = id.parse().map_err(|error| AwsError::unreadable("DescribeRouteTables", format!("{error}")))?;
        let entries = prefix_list::entries(ec2, &id).await?;
        list.friends.extend(entries.into_iter().filter(|block| block.prefix() > 0).map(|block| Friend { block, what: what.clone() }));
    }
    Ok(())
}

/// Every public address of an interface, elastic address, NAT gateway and customer gateway.
async fn addresses(ec2: &Client, list: &mut List) -> Result<(), AwsError> {
    let pages = ec2.describe_network_interfaces().max_results(PAGE).into_paginator().send();
    every_page("DescribeNetworkInterfaces", pages, |page| {
        for interface in page.network_interfaces.unwrap_or_default() {
            let what = format!("the interface {}", interface.network_interface_id.as_deref().unwrap_or_default());
            let own = interface.association.iter();
            let more = interface.private_ip_addresses.iter().flatten().filter_map(|address| address.association.as_ref());
            for association in own.chain(more) {
                list.add(association.public_ip.as_deref(), &what);
                list.add(association.carrier_ip.as_deref(), &what);
            }
            interface.ipv6_addresses.iter().flatten().for_each(|address| list.add(address.ipv6_address.as_deref(), &what));
        }
    })
    .await?;

    let elastic = ec2.describe_addresses().send().await.map_err(|error| AwsError::new("DescribeAddresses", &error))?;
    for address in elastic.addresses.unwrap_or_default() {
        list.add(address.public_ip.as_deref(), "an elastic address");
        list.add(address.carrier_ip.as_deref(), "an elastic address");
    }

    let pages = ec2.describe_nat_gateways().max_results(PAGE).into_paginator().send();
    every_page("DescribeNatGateways", pages, |page| {
        for gateway in page.nat_gateways.unwrap_or_default() {
            let what = format!("the NAT gateway {}", gateway.nat_gateway_id.as_deref().unwrap_or_default());
            gateway.nat_gateway_addresses.iter().flatten().for_each(|address| list.add(address.public_ip.as_deref(), &what));
        }
    })
    .await?;

    let customer = ec2.describe_customer_gateways().send().await.map_err(|error| AwsError::new("DescribeCustomerGateways", &error))?;
    for gateway in customer.customer_gateways.unwrap_or_default() {
        let what = format!("the customer gateway {}", gateway.customer_gateway_id.as_deref().unwrap_or_default());
        list.add(gateway.ip_address.as_deref(), &what);
    }
    Ok(())
}
