//! Default security groups, with the network interfaces that use them.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::types::Filter;
use palisade_policy::change::Change;
use palisade_policy::id::{AccountId, IdError, InterfaceId, SecurityGroupId, VpcId};
use palisade_policy::security_group::SecurityGroup;
use palisade_policy::strip_default_group::{DefaultGroup, NAME};
use palisade_policy::trigger::Targets;

use crate::apply;
use crate::askers::ConfigAndSecurityHub;
use crate::aws::{AwsError, Clients};
use crate::deadline::Deadline;
use crate::gateway::{Errand, Found, Gateway, Interrupted, Observed};
use crate::observe::security_group::{Group, SecurityGroups};
use crate::observe::{MOST_FILTER_VALUES, every_page};

/// The largest page of network interfaces ("DescribeNetworkInterfaces", `MaxResults`).
const PAGE: i32 = 1000;

const VPCS: &str = "DescribeVpcs";
const INTERFACES: &str = "DescribeNetworkInterfaces";

/// The gateway to default security groups. It reads any group that it is told to: that a group is none, only reading it shows.
#[derive(Debug, Clone)]
pub struct DefaultGroups {
    groups: SecurityGroups,
}

/// Which of the default groups their interfaces are read of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Users {
    /// Those with rules: there is something to decide.
    OfThoseWithRules,
    /// All: after it was stripped, too, somebody may want to know who uses the group.
    OfAll,
}

impl DefaultGroups {
    /// A gateway with a client of its own.
    #[must_use]
    pub fn new(clients: &Clients) -> Self {
        Self { groups: SecurityGroups::without_prefix_lists(clients) }
    }

    /// Every default group that the filters leave, in the order of their ids.
    async fn default_groups(&self, more: Option<Filter>) -> Result<Vec<Group>, AwsError> {
        let name = Filter::builder().name("group-name").values(NAME).build();
        let mut groups = self.groups.groups(&[vec![name], more.into_iter().collect()].concat()).await?;
        groups.retain(|group| group.name == NAME);
        groups.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(groups)
    }

    /// The default groups of these VPCs. A VPC that has none has not come to its own yet, or is gone, or is another account's.
    async fn of_vpcs(&self, own: &AccountId, vpcs: &[VpcId], found: &mut impl FnMut(Found<SecurityGroup>)) {
        for vpcs in vpcs.chunks(MOST_FILTER_VALUES) {
            let groups = match self.default_groups(Some(of(vpcs))).await {
                Ok(groups) => groups,
                Err(error) => {
                    fail(vpcs.iter(), &error, found);
                    continue;
                }
            };
            let with: BTreeSet<VpcId> = groups.iter().filter_map(|group| group.vpc.clone()).collect();
            let without: Vec<VpcId> = vpcs.iter().filter(|vpc| !with.contains(*vpc)).cloned().collect();
            self.groups.read(own, groups, true, found).await;
            if without.is_empty() {
                continue;
            }
            match self.owners(&without).await {
                Err(error) => fail(without.iter(), &error, found),
                Ok(mut owners) => {
                    for vpc in without {
                        let observed = match owners.remove(&vpc) {
                            None => Ok(Observed::Gone),
                            Some(owner) if owner != *own => Ok(Observed::Foreign(owner)),
                            Some(_) => Err(AwsError::unreadable("DescribeSecurityGroups", "its default group does not show")),
                        };
                        found(Found { resource: vpc.to_string(), observed });
                    }
                }
            }
        }
    }

    /// Those of the VPCs that exist, and who owns them: at most as many as a filter takes, which is less than a page.
    async fn owners(&self, vpcs: &[VpcId]) -> Result<BTreeMap<VpcId, AccountId>, AwsError> {
        // By filter, not by id: one id that is gone would fail the whole call.
        let call = self.groups.ec2().describe_vpcs().filters(of(vpcs)).max_results(PAGE);
        let there = call.send().await.map_err(|error| AwsError::new(VPCS, &error))?.vpcs.unwrap_or_default();
        let owner = |vpc: aws_sdk_ec2::types::Vpc| {
            Ok::<_, IdError>((vpc.vpc_id.unwrap_or_default().parse()?, vpc.owner_id.unwrap_or_default().parse()?))
        };
        there.into_iter().map(owner).collect::<Result<_, _>>().map_err(|error| AwsError::unreadable(VPCS, error.to_string()))
    }

    /// Hands the groups over, with the interfaces that use them where that matters.
    async fn with_users(&self, groups: Vec<Found<SecurityGroup>>, users: Users, found: &mut impl FnMut(Found<DefaultGroup>)) {
        let asked = |group: &SecurityGroup| group.name == NAME && (users == Users::OfAll || !group.rules.is_empty());
        let ids: Vec<SecurityGroupId> = groups
            .iter()
            .filter_map(|found| match &found.observed {
                Ok(Observed::State(group)) if asked(group) => Some(group.id.clone()),
                _ => None,
            })
            .collect();
        let mut interfaces: BTreeMap<String, Result<Vec<InterfaceId>, AwsError>> = BTreeMap::new();
        for ids in ids.chunks(MOST_FILTER_VALUES) {
            let mut read = self.interfaces_of(ids).await;
            for id in ids {
                let of_group = match &mut read {
                    Ok(read) => Ok(read.remove(id.as_str()).unwrap_or_default()),
                    Err(error) => Err(error.clone()),
                };
                interfaces.insert(id.to_string(), of_group);
            }
        }
        for Found { resource, observed } in groups {
            let observed = match observed {
                Ok(Observed::State(group)) => {
                    let interfaces = interfaces.remove(group.id.as_str()).unwrap_or_else(|| Ok(Vec::new()));
                    interfaces.map(|interfaces| Observed::State(DefaultGroup { group, interfaces }))
                }
                Ok(Observed::Gone) => Ok(Observed::Gone),
                Ok(Observed::Foreign(owner)) => Ok(Observed::Foreign(owner)),
                Ok(Observed::Refused(why)) => Ok(Observed::Refused(why)),
                Ok(Observed::Nothing(why)) => Ok(Observed::Nothing(why)),
                Err(error) => Err(error),
            };
            found(Found { resource, observed });
        }
    }

    /// The interfaces that use these groups, by group, each in the order of their ids: at most as many groups as a filter takes. Those that
    /// AWS services made (load balancers, Lambda, endpoints) are among them.
    async fn interfaces_of(&self, groups: &[SecurityGroupId]) -> Result<BTreeMap<String, Vec<InterfaceId>>, AwsError> {
        let ids = groups.iter().map(ToString::to_string).collect();
        let filter = Filter::builder().name("group-id").set_values(Some(ids)).build();
        let pages = self.groups.ec2().describe_network_interfaces().filters(filter).max_results(PAGE).into_paginator().send();
        let mut interfaces = Vec::new();
        every_page(INTERFACES, pages, |page| interfaces.extend(page.network_interfaces.unwrap_or_default())).await?;
        let mut by_group: BTreeMap<String, Vec<InterfaceId>> = BTreeMap::new();
        for interface in interfaces {
            let id: Result<InterfaceId, IdError> = interface.network_interface_id.unwrap_or_default().parse();
            let id = id.map_err(|error| AwsError::unreadable(INTERFACES, error.to_string()))?;
            for group in interface.groups.unwrap_or_default() {
                by_group.entry(group.group_id.unwrap_or_default()).or_default().push(id.clone());
            }
        }
        by_group.values_mut().for_each(|interfaces| interfaces.sort());
        Ok(by_group)
    }
}

fn of(vpcs: &[VpcId]) -> Filter {
    Filter::builder().name("vpc-id").set_values(Some(vpcs.iter().map(ToString::to_string).collect())).build()
}

fn fail<'a>(vpcs: impl Iterator<Item = &'a VpcId>, error: &AwsError, found: &mut impl FnMut(Found<SecurityGroup>)) {
    for vpc in vpcs {
        found(Found { resource: vpc.to_string(), observed: Err(error.clone()) });
    }
}

impl Gateway for DefaultGroups {
    type State = DefaultGroup;
    type Askers = ConfigAndSecurityHub;

    async fn find(&self, errand: &Errand<'_>, found: &mut impl FnMut(Found<DefaultGroup>)) -> Result<(), AwsError> {
        let own = errand.own;
        let mut groups: Vec<Found<SecurityGroup>> = Vec::new();
        let mut keep = |found: Found<SecurityGroup>| groups.push(found);
        match &errand.trigger.targets {
            Targets::SecurityGroups(ids) => self.groups.read_ids(own, ids, true, &mut keep).await,
            Targets::SecurityGroupOfDefaultVpc(name) => self.groups.named(own, name, &mut keep).await?,
            Targets::Vpcs(vpcs) => self.of_vpcs(own, vpcs, &mut keep).await,
            Targets::DefaultVpc => match self.groups.default_vpc().await? {
                Some(vpc) => {
                    let vpc = vpc.parse().map_err(|error: IdError| AwsError::unreadable(VPCS, error.to_string()))?;
                    self.of_vpcs(own, &[vpc], &mut keep).await;
                }
                None => keep(Found { resource: "the default VPC".to_owned(), observed: Ok(Observed::Gone) }),
            },
            Targets::Sweep => {
                let groups = self.default_groups(None).await?;
                self.groups.read(own, groups, false, &mut keep).await;
            }
            Targets::UsersOfPrefixList(_) | Targets::Attack(_) | Targets::Search(_) | Targets::Gone(_) | Targets::Undo(_) => {}
        }
        self.with_users(groups, Users::OfThoseWithRules, found).await;
        Ok(())
    }

    async fn observe(&self, own: &AccountId, of: &DefaultGroup) -> Result<Observed<DefaultGroup>, AwsError> {
        let mut groups = Vec::new();
        self.groups.read_ids(own, std::slice::from_ref(&of.group.id), true, &mut |found| groups.push(found)).await;
        let mut observed = Ok(Observed::Gone);
        self.with_users(groups, Users::OfAll, &mut |found| observed = found.observed).await;
        observed
    }

    async fn apply(&self, state: &DefaultGroup, changes: &[Change], deadline: Deadline) -> Result<(), Interrupted> {
        apply::security_group::apply(self.groups.ec2(), &state.group, changes, deadline).await
    }

    async fn permitted(&self, state: &DefaultGroup, changes: &[Change]) -> Result<Option<bool>, Interrupted> {
        apply::security_group::permitted(self.groups.ec2(), &state.group, changes).await
    }
}
