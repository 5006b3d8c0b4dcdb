//! Security groups, with their rules and the prefix lists that these name.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{Filter, SecurityGroup as Ec2Group, SecurityGroupRule as Ec2Rule, Tag};
use palisade_policy::change::Change;
use palisade_policy::cidr::Cidr;
use palisade_policy::id::{AccountId, IdError, PrefixListId, SecurityGroupId};
use palisade_policy::security_group::{Direction, GroupReference, Rule, SecurityGroup, Source, Tags};
use palisade_policy::traffic::Traffic;
use palisade_policy::trigger::Targets;

use crate::apply;
use crate::aws::{AwsError, Clients};
use crate::gateway::{Found, Gateway, Interrupted, Observed};
use crate::observe::{MOST_FILTER_VALUES, MOST_PAGES, prefix_list};

/// The largest page of groups and of rules ("DescribeSecurityGroups", `MaxResults`). A listing without one is throttled sooner.
const PAGE: i32 = 1000;

const GROUPS: &str = "DescribeSecurityGroups";
const RULES: &str = "DescribeSecurityGroupRules";

/// The gateway to security groups.
#[derive(Debug, Clone)]
pub struct SecurityGroups {
    ec2: Client,
}

impl SecurityGroups {
    /// A gateway with a client of its own.
    #[must_use]
    pub fn new(clients: &Clients) -> Self {
        Self { ec2: clients.ec2() }
    }

    /// These groups, each with what is there. Those that another account owns are left out unless they are `named`.
    async fn read(&self, own: &AccountId, filters: &[Filter], named: bool) -> Result<Vec<Found<SecurityGroup>>, AwsError> {
        let groups = self.groups(filters).await?;
        let mine: Vec<&Ec2Group> = groups.iter().filter(|group| group.owner_id.as_deref() == Some(own.as_str())).collect();
        let rules = self.rules_of(&mine).await?;
        let lists: BTreeSet<PrefixListId> = rules
            .values()
            .flatten()
            .filter(|rule| rule.is_egress == Some(false))
            .filter_map(|rule| rule.prefix_list_id.as_deref()?.parse().ok())
            .collect();
        let lists = if lists.is_empty() { BTreeMap::new() } else { prefix_list::read(&self.ec2, &lists).await };

        let mut found = Vec::new();
        for group in groups {
            let resource = group.group_id.clone().unwrap_or_default();
            let owner: Result<AccountId, IdError> = group.owner_id.as_deref().unwrap_or_default().parse();
            let observed = match owner {
                Err(error) => Err(AwsError::unreadable(GROUPS, format!("the owner of {resource}: {error}"))),
                Ok(owner) if owner == *own => {
                    let rules = rules.get(&resource).map(Vec::as_slice).unwrap_or_default();
                    state(&group, owner, rules, &lists).map(Observed::State).map_err(|error| AwsError::unreadable(RULES, error))
                }
                Ok(_) if !named => continue,
                Ok(owner) => Ok(Observed::Foreign(owner)),
            };
            found.push(Found { resource, observed });
        }
        Ok(found)
    }

    async fn read_ids(&self, own: &AccountId, ids: &[SecurityGroupId], named: bool) -> Vec<Found<SecurityGroup>> {
        let mut all = Vec::new();
        for ids in ids.chunks(MOST_FILTER_VALUES) {
            // By filter, not by id: one id that is gone would fail the whole call.
            let filter = Filter::builder().name("group-id").set_values(Some(ids.iter().map(ToString::to_string).collect())).build();
            match self.read(own, &[filter], named).await {
                Ok(mut found) => {
                    for id in ids {
                        let resource = id.to_string();
                        match found.iter().position(|found| found.resource == resource) {
                            Some(at) => all.push(found.swap_remove(at)),
                            None if named => all.push(Found { resource, observed: Ok(Observed::Gone) }),
                            None => {}
                        }
                    }
                }
                Err(error) => all.extend(ids.iter().map(|id| Found { resource: id.to_string(), observed: Err(error.clone()) })),
            }
        }
        all
    }

    async fn groups(&self, filters: &[Filter]) -> Result<Vec<Ec2Group>, AwsError> {
        let call = self.ec2.describe_security_groups().max_results(PAGE);
        let mut pages = call.set_filters((!filters.is_empty()).then(|| filters.to_vec())).into_paginator().send();
        let mut groups = Vec::new();
        let mut read = 0;
        while let Some(page) = pages.next().await {
            groups.extend(page.map_err(|error| AwsError::new(GROUPS, &error))?.security_groups.unwrap_or_default());
            read += 1;
            if read > MOST_PAGES {
                return Err(AwsError::unreadable(GROUPS, "more pages than Palisade reads"));
            }
        }
        Ok(groups)
    }

    /// The rules of these groups, by group. A few are asked for by name; of many, one listing of the Region takes fewer calls.
    async fn rules_of(&self, groups: &[&Ec2Group]) -> Result<BTreeMap<String, Vec<Ec2Rule>>, AwsError> {
        let ids: Vec<String> = groups.iter().filter_map(|group| group.group_id.clone()).collect();
        let rules = match ids.len() {
            0 => Vec::new(),
            1..=MOST_FILTER_VALUES => self.rules(Some(Filter::builder().name("group-id").set_values(Some(ids)).build())).await?,
            _ => self.rules(None).await?,
        };
        let mut by_group: BTreeMap<String, Vec<Ec2Rule>> = BTreeMap::new();
        for rule in rules {
            by_group.entry(rule.group_id.clone().unwrap_or_default()).or_default().push(rule);
        }
        Ok(by_group)
    }

    async fn rules(&self, filter: Option<Filter>) -> Result<Vec<Ec2Rule>, AwsError> {
        let call = self.ec2.describe_security_group_rules().max_results(PAGE);
        let mut pages = call.set_filters(filter.map(|filter| vec![filter])).into_paginator().send();
        let mut rules = Vec::new();
        let mut read = 0;
        while let Some(page) = pages.next().await {
            rules.extend(page.map_err(|error| AwsError::new(RULES, &error))?.security_group_rules.unwrap_or_default());
            read += 1;
            if read > MOST_PAGES {
                return Err(AwsError::unreadable(RULES, "more pages than Palisade reads"));
            }
        }
        Ok(rules)
    }

    async fn default_vpc(&self) -> Result<Option<String>, AwsError> {
        let filter = Filter::builder().name("is-default").values("true").build();
        let vpcs = self.ec2.describe_vpcs().filters(filter).send().await.map_err(|error| AwsError::new("DescribeVpcs", &error))?;
        Ok(vpcs.vpcs.unwrap_or_default().into_iter().find_map(|vpc| vpc.vpc_id))
    }

    async fn named(&self, own: &AccountId, name: &str) -> Result<Vec<Found<SecurityGroup>>, AwsError> {
        let mut found = Vec::new();
        if let Some(vpc) = self.default_vpc().await? {
            let filters = [
                Filter::builder().name("vpc-id").values(vpc).build(),
                // A `*` in a name is a wildcard to the filter; what it finds beyond the name is dropped below.
                Filter::builder().name("group-name").values(name).build(),
            ];
            found = self.read(own, &filters, true).await?;
            found.retain(|found| !matches!(&found.observed, Ok(Observed::State(group)) if group.name != name));
        }
        if found.is_empty() {
            found.push(Found { resource: name.to_owned(), observed: Ok(Observed::Gone) });
        }
        Ok(found)
    }

    /// The groups with an ingress rule that names the list, found by their rules: that finds the groups of a list that another account
    /// shares with us as well, which its associations don't show to us.
    async fn users_of(&self, own: &AccountId, list: &PrefixListId) -> Result<Vec<Found<SecurityGroup>>, AwsError> {
        let rules = self.rules(None).await?;
        let users: BTreeSet<SecurityGroupId> = rules
            .iter()
            .filter(|rule| rule.is_egress == Some(false) && rule.prefix_list_id.as_deref() == Some(list.as_str()))
            .filter_map(|rule| rule.group_id.as_deref()?.parse().ok())
            .collect();
        Ok(self.read_ids(own, &users.into_iter().collect::<Vec<_>>(), false).await)
    }
}

impl Gateway for SecurityGroups {
    type State = SecurityGroup;

    async fn find(&self, own: &AccountId, targets: &Targets) -> Result<Vec<Found<SecurityGroup>>, AwsError> {
        match targets {
            Targets::SecurityGroups(ids) => Ok(self.read_ids(own, ids, true).await),
            Targets::SecurityGroupOfDefaultVpc(name) => self.named(own, name).await,
            Targets::UsersOfPrefixList(list) => self.users_of(own, list).await,
            Targets::Sweep => {
                let mut found = self.read(own, &[], false).await?;
                found.sort_by(|a, b| a.resource.cmp(&b.resource));
                Ok(found)
            }
        }
    }

    async fn observe(&self, own: &AccountId, resource: &str) -> Result<Observed<SecurityGroup>, AwsError> {
        let id: SecurityGroupId = resource.parse().map_err(|error: IdError| AwsError::unreadable(GROUPS, error.to_string()))?;
        match self.read_ids(own, &[id], true).await.pop() {
            Some(found) => found.observed,
            None => Ok(Observed::Gone),
        }
    }

    async fn apply(&self, state: &SecurityGroup, changes: &[Change]) -> Result<(), Interrupted> {
        apply::security_group::apply(&self.ec2, state, changes).await
    }

    async fn permitted(&self, state: &SecurityGroup, changes: &[Change]) -> Result<Option<bool>, AwsError> {
        apply::security_group::permitted(&self.ec2, state, changes).await
    }

    fn is_made(change: &Change, state: &SecurityGroup) -> bool {
        change.is_made(state)
    }
}

fn state(
    group: &Ec2Group,
    owner: AccountId,
    rules: &[Ec2Rule],
    lists: &BTreeMap<PrefixListId, palisade_policy::security_group::PrefixList>,
) -> Result<SecurityGroup, String> {
    let rules = rules.iter().map(rule).collect::<Result<Vec<_>, String>>()?;
    let named = |rule: &Rule| match &rule.source {
        Source::PrefixListId(id) => lists.get(id).map(|list| (id.clone(), list.clone())),
        _ => None,
    };
    Ok(SecurityGroup {
        id: group.group_id.as_deref().unwrap_or_default().parse().map_err(|error: IdError| error.to_string())?,
        name: group.group_name.clone().unwrap_or_default(),
        owner,
        vpc: group.vpc_id.as_deref().and_then(|id| id.parse().ok()),
        tags: tags(group.tags.as_deref()),
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
