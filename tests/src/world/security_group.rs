//! Security groups and their rules.

use std::collections::BTreeMap;
use std::fmt::Write;

use anyhow::{Context, bail};
use aws_sdk_ec2::types::{Filter, IpPermission, IpRange, Ipv6Range, PrefixListId, ResourceType, SecurityGroupRule, Tag, UserIdGroupPair};
use palisade_policy::cidr::Cidr;
use palisade_policy::security_group::{Direction, GroupReference, Rule, SecurityGroup, Source};
use palisade_policy::traffic::Traffic;

use super::{Made, Resource, Snapshot, tagged};
use crate::case::{self, World};

impl Made {
    /// In the order of their literal ids, which makes their real ids come in that order too.
    pub(super) async fn groups(&mut self, world: &World) -> anyhow::Result<()> {
        for (id, group) in &world.security_groups {
            if group.default {
                let real = self.default_group(group).await.with_context(|| format!("{id} can't be made"))?;
                self.real.insert(id.clone(), real);
                continue;
            }
            let mut call = self.ec2.create_security_group().group_name(&group.name).description("made by the replay tool");
            if let Some(vpc) = &group.vpc {
                call = call.vpc_id(self.real.get(vpc).with_context(|| format!("no VPC {vpc} in the world"))?);
            }
            let made = call.set_tag_specifications(tagged(ResourceType::SecurityGroup, &group.tags)).send().await?;
            self.real.insert(id.clone(), made.group_id.context("a group without an id")?);
        }
        Ok(())
    }

    /// The VPC's own default group, without the rules that it comes with: the local AWS gives it fewer than AWS does.
    async fn default_group(&self, group: &case::SecurityGroup) -> anyhow::Result<String> {
        let vpc = match &group.vpc {
            Some(vpc) => self.real.get(vpc).with_context(|| format!("no VPC {vpc} in the world"))?.clone(),
            None => self.default_vpc().await?.context("no default VPC")?,
        };
        let filter = |name: &str, value: &str| Filter::builder().name(name).values(value).build();
        let call = self.ec2.describe_security_groups().filters(filter("vpc-id", &vpc)).filters(filter("group-name", &group.name));
        let there = call.send().await?.security_groups.unwrap_or_default();
        let id = there.into_iter().find_map(|group| group.group_id).with_context(|| format!("no group `{}` in {vpc}", group.name))?;
        let call = self.ec2.describe_security_group_rules().filters(filter("group-id", &id));
        for rule in call.send().await?.security_group_rules.unwrap_or_default() {
            let rule_id = rule.security_group_rule_id.context("a rule without an id")?;
            if rule.is_egress == Some(true) {
                self.ec2.revoke_security_group_egress().group_id(&id).security_group_rule_ids(rule_id).send().await?;
            } else {
                self.ec2.revoke_security_group_ingress().group_id(&id).security_group_rule_ids(rule_id).send().await?;
            }
        }
        if !group.tags.is_empty() {
            let tags = group.tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect();
            self.ec2.create_tags().resources(&id).set_tags(Some(tags)).send().await?;
        }
        Ok(id)
    }

    pub(super) async fn rule(&mut self, group: &str, rule: &case::Rule) -> anyhow::Result<()> {
        let real = |id: &String| self.real.get(id).with_context(|| format!("no `{id}` in the world"));
        let description = rule.description.clone();
        let mut permission = IpPermission::builder().ip_protocol(&rule.protocol).set_from_port(rule.from_port).set_to_port(rule.to_port);
        permission = match (&rule.cidr, &rule.prefix_list_id, &rule.referenced_group) {
            (Some(cidr), None, None) if cidr.contains(':') => {
                permission.ipv6_ranges(Ipv6Range::builder().cidr_ipv6(cidr).set_description(description).build())
            }
            (Some(cidr), None, None) => permission.ip_ranges(IpRange::builder().cidr_ip(cidr).set_description(description).build()),
            (None, Some(list), None) => {
                permission.prefix_list_ids(PrefixListId::builder().prefix_list_id(real(list)?).set_description(description).build())
            }
            (None, None, Some(group)) => {
                permission.user_id_group_pairs(UserIdGroupPair::builder().group_id(real(group)?).set_description(description).build())
            }
            _ => bail!("it has not exactly one of `cidr`, `prefixListId` and `referencedGroup`"),
        };
        let (group, permission) = (real(&group.to_owned())?, permission.build());
        let tags = tagged(ResourceType::SecurityGroupRule, &rule.tags);
        let made = match rule.direction {
            case::Direction::Ingress => {
                let call = self.ec2.authorize_security_group_ingress().group_id(group).ip_permissions(permission);
                call.set_tag_specifications(tags).send().await?.security_group_rules
            }
            case::Direction::Egress => {
                let call = self.ec2.authorize_security_group_egress().group_id(group).ip_permissions(permission);
                call.set_tag_specifications(tags).send().await?.security_group_rules
            }
        };
        let made = made.unwrap_or_default().into_iter().find_map(|rule| rule.security_group_rule_id).context("a rule without an id")?;
        self.real.insert(rule.id.clone(), made);
        Ok(())
    }

    pub(super) async fn bystander(&self, number: usize) -> anyhow::Result<()> {
        let call = self.ec2.create_security_group().group_name(format!("bystander-{number}")).description("made by the replay tool");
        let id = call.send().await?.group_id.context("a group without an id")?;
        let world = IpRange::builder().cidr_ip("0.0.0.0/0").build();
        let https = IpPermission::builder().ip_protocol("tcp").from_port(443).to_port(443).ip_ranges(world).build();
        self.ec2.authorize_security_group_ingress().group_id(id).ip_permissions(https).send().await?;
        Ok(())
    }

    pub(super) async fn read_groups(&self, snapshot: &mut Snapshot) -> anyhow::Result<()> {
        let mut groups: BTreeMap<String, SecurityGroup> = BTreeMap::new();
        for group in self.ec2.describe_security_groups().send().await?.security_groups.unwrap_or_default() {
            let id = group.group_id.context("a group without an id")?;
            let tags = group.tags.iter().flatten().filter_map(|tag| Some((tag.key.clone()?, tag.value.clone()?))).collect();
            let read = SecurityGroup {
                id: id.parse()?,
                name: group.group_name.unwrap_or_default(),
                owner: self.account.parse()?,
                vpc: group.vpc_id.as_deref().and_then(|id| id.parse().ok()),
                tags,
                rules: Vec::new(),
                prefix_lists: BTreeMap::new(),
            };
            groups.insert(id, read);
        }
        for rule in self.ec2.describe_security_group_rules().send().await?.security_group_rules.unwrap_or_default() {
            let group = rule.group_id.clone().unwrap_or_default();
            groups.get_mut(&group).with_context(|| format!("a rule of the unknown group {group}"))?.rules.push(read(&rule)?);
        }
        snapshot.extend(groups.into_iter().map(|(id, group)| (id, Resource::Group(group))));
        Ok(())
    }
}

fn read(rule: &SecurityGroupRule) -> anyhow::Result<Rule> {
    let source = match (rule.cidr_ipv4.as_deref().or(rule.cidr_ipv6.as_deref()), &rule.prefix_list_id, &rule.referenced_group_info) {
        (Some(cidr), _, _) => Source::Cidr(Cidr::canonical(cidr)?),
        (None, Some(list), _) => Source::PrefixListId(list.parse()?),
        (None, None, Some(group)) => Source::ReferencedGroup(GroupReference {
            group_id: group.group_id.as_deref().unwrap_or_default().parse()?,
            user_id: group.user_id.as_deref().and_then(|id| id.parse().ok()),
        }),
        (None, None, None) => bail!("a rule without a source"),
    };
    let tags = rule.tags.iter().flatten().filter_map(|tag| Some((tag.key.clone()?, tag.value.clone()?))).collect();
    Ok(Rule {
        id: rule.security_group_rule_id.as_deref().and_then(|id| id.parse().ok()),
        direction: if rule.is_egress == Some(true) { Direction::Egress } else { Direction::Ingress },
        traffic: Traffic::from_ec2(rule.ip_protocol.as_deref().unwrap_or_default(), rule.from_port, rule.to_port)?,
        source,
        description: rule.description.clone().filter(|text| !text.is_empty()),
        tags,
    })
}

pub(super) fn lines(group: &SecurityGroup) -> Vec<String> {
    let mut rules: Vec<&Rule> = group.rules.iter().collect();
    rules.sort_by_key(|rule| (rule.direction, rule.traffic, rule.source.clone()));
    rules.into_iter().map(line).collect()
}

/// A rule as a line.
#[must_use]
pub fn line(rule: &Rule) -> String {
    let mut line = rule.to_string();
    if let Some(description) = &rule.description {
        let _ = write!(line, " \"{description}\"");
    }
    if !rule.tags.is_empty() {
        let tags: Vec<String> = rule.tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let _ = write!(line, " {{{}}}", tags.join(", "));
    }
    line
}
