//! Security groups, with their rules and the prefix lists that these name.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{Filter, SecurityGroup as Ec2Group, SecurityGroupRule as Ec2Rule, Tag};
use palisade_policy::change::Change;
use palisade_policy::cidr::Cidr;
use palisade_policy::id::{AccountId, IdError, PrefixListId, SecurityGroupId, VpcId};
use palisade_policy::security_group::{Direction, GroupReference, PrefixList, Rule, SecurityGroup, Source, Tags};
use palisade_policy::traffic::Traffic;
use palisade_policy::trigger::Targets;

use crate::apply;
use crate::askers::ConfigAndSecurityHub;
use crate::aws::{AwsError, Clients};
use crate::deadline::Deadline;
use crate::gateway::{Errand, Found, Gateway, Interrupted, Observed};
use crate::observe::{MOST_FILTER_VALUES, every_page, prefix_list};

/// The largest page of groups and of rules ("DescribeSecurityGroups", `MaxResults`). A listing without one is throttled sooner.
const PAGE: i32 = 1000;

const GROUPS: &str = "DescribeSecurityGroups";
const RULES: &str = "DescribeSecurityGroupRules";

/// The gateway to security groups.
#[derive(Debug, Clone)]
pub struct SecurityGroups {
    ec2: Client,
    /// Whether the prefix lists that rules name are read too.
    lists: bool,
}

impl SecurityGroups {
    /// A gateway with a client of its own.
    #[must_use]
    pub fn new(clients: &Clients) -> Self {
        Self { ec2: clients.ec2(), lists: true }
    }

    /// For a guardrail to which a prefix list is a source like any other: it needs no permission to read one.
    pub(crate) fn without_prefix_lists(clients: &Clients) -> Self {
        Self { ec2: clients.ec2(), lists: false }
    }

    pub(crate) fn ec2(&self) -> &Client {
        &self.ec2
    }

    /// These groups, each with what is there, a few at a time. Those that another account owns are left out unless they are `named`.
    pub(crate) async fn read(&self, own: &AccountId, groups: Vec<Group>, named: bool, found: &mut impl FnMut(Found<SecurityGroup>)) {
        let (mine, others): (Vec<Group>, Vec<Group>) = groups.into_iter().partition(|group| group.owner == *own);
        for Group { id, owner, .. } in others.into_iter().filter(|_| named) {
            found(Found { resource: id.to_string(), observed: Ok(Observed::Foreign(owner)) });
        }
        for groups in mine.chunks(MOST_FILTER_VALUES) {
            match self.rules_of(groups).await {
                Ok(mut rules) => {
                    let lists = self.lists_of(&rules).await;
                    for group in groups {
                        let rules = rules.remove(group.id.as_str()).unwrap_or_default();
                        let state = state(group, &rules, &lists).map(Observed::State).map_err(|error| AwsError::unreadable(RULES, error));
                        found(Found { resource: group.id.to_string(), observed: state });
                    }
                }
                Err(error) => {
                    for group in groups {
                        found(Found { resource: group.id.to_string(), observed: Err(error.clone()) });
                    }
                }
            }
        }
    }

    pub(crate) async fn read_ids(
        &self,
        own: &AccountId,
        ids: &[SecurityGroupId],
        named: bool,
        found: &mut impl FnMut(Found<SecurityGroup>),
    ) {
        for ids in ids.chunks(MOST_FILTER_VALUES) {
            // By filter, not by id: one id that is gone would fail the whole call.
            let filter = Filter::builder().name("group-id").set_values(Some(ids.iter().map(ToString::to_string).collect())).build();
            let mut read: BTreeMap<String, Found<SecurityGroup>> = BTreeMap::new();
            let groups = self.groups(&[filter]).await;
            let error = groups.as_ref().err().cloned();
            let mut keep = |found: Found<SecurityGroup>| drop(read.insert(found.resource.clone(), found));
            self.read(own, groups.unwrap_or_default(), named, &mut keep).await;
            for id in ids {
                let resource = id.to_string();
                match (read.remove(&resource), &error) {
                    (Some(there), _) => found(there),
                    (None, Some(error)) => found(Found { resource, observed: Err(error.clone()) }),
                    (None, None) if named => found(Found { resource, observed: Ok(Observed::Gone) }),
                    (None, None) => {}
                }
            }
        }
    }

    pub(crate) async fn groups(&self, filters: &[Filter]) -> Result<Vec<Group>, AwsError> {
        let call = self.ec2.describe_security_groups().max_results(PAGE);
        let pages = call.set_filters((!filters.is_empty()).then(|| filters.to_vec())).into_paginator().send();
        let mut groups: Vec<Result<Group, IdError>> = Vec::new();
        every_page(GROUPS, pages, |page| groups.extend(page.security_groups.unwrap_or_default().into_iter().map(Group::of))).await?;
        groups.into_iter().collect::<Result<_, _>>().map_err(|error| AwsError::unreadable(GROUPS, error.to_string()))
    }

    /// The rules of these groups, by group: at most as many as a filter takes.
    async fn rules_of(&self, groups: &[Group]) -> Result<BTreeMap<String, Vec<Ec2Rule>>, AwsError> {
        let ids = groups.iter().map(|group| group.id.to_string()).collect();
        let filter = Filter::builder().name("group-id").set_values(Some(ids)).build();
        let mut by_group: BTreeMap<String, Vec<Ec2Rule>> = BTreeMap::new();
        self.rules(Some(filter), |rule| by_group.entry(rule.group_id.clone().unwrap_or_default()).or_default().push(rule)).await?;
        Ok(by_group)
    }

    async fn rules(&self, filter: Option<Filter>, mut each: impl FnMut(Ec2Rule)) -> Result<(), AwsError> {
        let call = self.ec2.describe_security_group_rules().max_results(PAGE);
        let pages = call.set_filters(filter.map(|filter| vec![filter])).into_paginator().send();
        every_page(RULES, pages, |page| page.security_group_rules.unwrap_or_default().into_iter().for_each(&mut each)).await
    }

    /// The prefix lists that ingress rules name.
    async fn lists_of(&self, rules: &BTreeMap<String, Vec<Ec2Rule>>) -> BTreeMap<PrefixListId, PrefixList> {
        let ingress = rules.values().flatten().filter(|rule| rule.is_egress == Some(false));
        let lists: BTreeSet<PrefixListId> = ingress.filter_map(|rule| rule.prefix_list_id.as_deref()?.parse().ok()).collect();
        if lists.is_empty() || !self.lists { BTreeMap::new() } else { prefix_list::read(&self.ec2, &lists).await }
    }

    pub(crate) async fn default_vpc(&self) -> Result<Option<String>, AwsError> {
        let filter = Filter::builder().name("is-default").values("true").build();
        let vpcs = self.ec2.describe_vpcs().filters(filter).send().await.map_err(|error| AwsError::new("DescribeVpcs", &error))?;
        Ok(vpcs.vpcs.unwrap_or_default().into_iter().find_map(|vpc| vpc.vpc_id))
    }

    pub(crate) async fn named(&self, own: &AccountId, name: &str, found: &mut impl FnMut(Found<SecurityGroup>)) -> Result<(), AwsError> {
        let mut groups = Vec::new();
        if let Some(vpc) = self.default_vpc().await? {
            let filters = [
                Filter::builder().name("vpc-id").values(vpc).build(),
                // A `*` in a name is a wildcard to the filter; what it finds beyond the name is dropped below.
                Filter::builder().name("group-name").values(name).build(),
            ];
            groups = self.groups(&filters).await?;
            groups.retain(|group| group.name == name);
        }
        if groups.is_empty() {
            found(Found { resource: name.to_owned(), observed: Ok(Observed::Gone) });
        }
        self.read(own, groups, true, found).await;
        Ok(())
    }

    /// The groups with an ingress rule that names the list, found by their rules: that finds the groups of a list that another account
    /// shares with us as well, which its associations don't show to us.
    async fn users_of(&self, list: &PrefixListId) -> Result<Vec<SecurityGroupId>, AwsError> {
        let mut users: BTreeSet<SecurityGroupId> = BTreeSet::new();
        self.rules(None, |rule| {
            if rule.is_egress == Some(false) && rule.prefix_list_id.as_deref() == Some(list.as_str()) {
                users.extend(rule.group_id.as_deref().and_then(|id| id.parse().ok()));
            }
        })
        .await?;
        Ok(users.into_iter().collect())
    }
}

/// What a listing says of a group: of a Region's thousands, no more is kept.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) id: SecurityGroupId,
    pub(crate) name: String,
    owner: AccountId,
    pub(crate) vpc: Option<VpcId>,
    tags: Tags,
}

impl Group {
    fn of(group: Ec2Group) -> Result<Self, IdError> {
        Ok(Self {
            id: group.group_id.as_deref().unwrap_or_default().parse()?,
            name: group.group_name.unwrap_or_default(),
            owner: group.owner_id.as_deref().unwrap_or_default().parse()?,
            vpc: group.vpc_id.as_deref().and_then(|id| id.parse().ok()),
            tags: tags(group.tags.as_deref()),
        })
    }
}

impl Gateway for SecurityGroups {
    type State = SecurityGroup;
    type Askers = ConfigAndSecurityHub;

    async fn find(&self, errand: &Errand<'_>, found: &mut impl FnMut(Found<SecurityGroup>)) -> Result<(), AwsError> {
        let own = errand.own;
        match &errand.trigger.targets {
            Targets::SecurityGroups(ids) => self.read_ids(own, ids, true, found).await,
            Targets::SecurityGroupOfDefaultVpc(name) => self.named(own, name, found).await?,
            Targets::UsersOfPrefixList(list) => {
                let users = self.users_of(list).await?;
                self.read_ids(own, &users, false, found).await;
            }
            Targets::Sweep => {
                let mut groups = self.groups(&[]).await?;
                groups.sort_by(|a, b| a.id.cmp(&b.id));
                self.read(own, groups, false, found).await;
            }
            Targets::Vpcs(_) | Targets::DefaultVpc | Targets::Attack(_) | Targets::Search(_) | Targets::Gone(_) | Targets::Undo(_) => {}
        }
        Ok(())
    }

    async fn observe(&self, own: &AccountId, of: &SecurityGroup) -> Result<Observed<SecurityGroup>, AwsError> {
        let mut observed = Ok(Observed::Gone);
        self.read_ids(own, std::slice::from_ref(&of.id), true, &mut |found| observed = found.observed).await;
        observed
    }

    async fn apply(&self, state: &SecurityGroup, changes: &[Change], deadline: Deadline) -> Result<(), Interrupted> {
        apply::security_group::apply(&self.ec2, state, changes, deadline).await
    }

    async fn permitted(&self, state: &SecurityGroup, changes: &[Change]) -> Result<Option<bool>, Interrupted> {
        apply::security_group::permitted(&self.ec2, state, changes).await
    }
}

fn state(group: &Group, rules: &[Ec2Rule], lists: &BTreeMap<PrefixListId, PrefixList>) -> Result<SecurityGroup, String> {
    let rules = rules.iter().map(rule).collect::<Result<Vec<_>, String>>()?;
    let named = |rule: &Rule| match &rule.source {
        Source::PrefixListId(id) => lists.get(id).map(|list| (id.clone(), list.clone())),
        _ => None,
    };
    Ok(SecurityGroup {
        id: group.id.clone(),
        name: group.name.clone(),
        owner: group.owner.clone(),
        vpc: group.vpc.clone(),
        tags: group.tags.clone(),
        prefix_lists: rules.iter().filter_map(named).collect(),
        rules,
    })
}

/// A rule that can't be read fails its whole group: a plan from half the rules could be wrong either way.
fn rule(rule: &Ec2Rule) -> Result<Rule, String> {
    let traffic =
        Traffic::from_ec2(rule.ip_protocol.as_deref().unwrap_or_default(), rule.from_port, rule.to_port).map_err(|e| e.to_string())?;
    let cidr = rule.cidr_ipv4.as_deref().or(rule.cidr_ipv6.as_deref());
    let source = match (cidr, &rule.prefix_list_id, &rule.referenced_group_info) {
        (Some(cidr), None, None) => Source::Cidr(Cidr::canonical(cidr).map_err(|error| error.to_string())?),
        (None, Some(list), None) => Source::PrefixListId(list.parse().map_err(|error: IdError| error.to_string())?),
        (None, None, Some(group)) => Source::ReferencedGroup(GroupReference {
            group_id: group.group_id.as_deref().unwrap_or_default().parse().map_err(|error: IdError| error.to_string())?,
            user_id: group.user_id.as_deref().and_then(|id| id.parse().ok()),
        }),
        _ => {
            return Err(format!(
                "the rule {} has not exactly one source",
                rule.security_group_rule_id.as_deref().unwrap_or("without an id")
            ));
        }
    };
    let id = rule.security_group_rule_id.as_deref().unwrap_or_default().parse().map_err(|error: IdError| error.to_string())?;
    let direction = match rule.is_egress {
        Some(false) => Direction::Ingress,
        Some(true) => Direction::Egress,
        None => return Err(format!("the rule {id} has no direction")),
    };
    Ok(Rule {
        id: Some(id),
        direction,
        traffic,
        source,
        description: rule.description.clone().filter(|text| !text.is_empty()),
        tags: tags(rule.tags.as_deref()),
    })
}

fn tags(tags: Option<&[Tag]>) -> Tags {
    tags.unwrap_or_default().iter().filter_map(|tag| Some((tag.key.clone()?, tag.value.clone().unwrap_or_default()))).collect()
}
