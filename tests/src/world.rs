//! The world of a case: made in the local AWS before, read back after.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::SocketAddr;

use anyhow::{Context, bail};
use aws_sdk_ec2::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_ec2::types::{
    AddPrefixListEntry, IpPermission, IpRange, Ipv6Range, PrefixListId, ResourceType, SecurityGroupRule, Tag, TagSpecification,
    UserIdGroupPair,
};
use palisade_policy::cidr::Cidr;
use palisade_policy::security_group::{Direction, GroupReference, Rule, Source};
use palisade_policy::traffic::Traffic;

use crate::case::{self, ACCOUNT, REGION, World};
use crate::proxy::Proxy;
use crate::stub::Stub;

/// A world in the local AWS, in an account of its own.
#[derive(Debug)]
pub struct Made {
    /// The account.
    pub account: String,
    /// The topic of its notices.
    pub topic_arn: String,
    ec2: aws_sdk_ec2::Client,
    /// Literal ids to real ones.
    real: BTreeMap<String, String>,
    proxy: Proxy,
}

/// Every security group of the account with its rules, by real id.
pub type Snapshot = BTreeMap<String, Group>;

/// A security group as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Its rules.
    pub rules: Vec<Rule>,
}

impl Made {
    /// Makes everything that the case's world names.
    ///
    /// # Errors
    /// When the local AWS won't have it.
    pub async fn make(upstream: SocketAddr, account: &str, world: &World) -> anyhow::Result<Self> {
        let proxy = Proxy::start(upstream, account, Stub::default()).await?;
        let credentials =
            Credentials::builder().access_key_id("AKIAIOSFODNN7EXAMPLE").secret_access_key("harness").provider_name("harness");
        let credentials = credentials.build();
        let config = aws_sdk_ec2::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(REGION))
            .credentials_provider(credentials.clone())
            .endpoint_url(proxy.url());
        let ec2 = aws_sdk_ec2::Client::from_conf(config.build());
        let sns = aws_sdk_sns::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(REGION))
            .credentials_provider(credentials)
            .endpoint_url(proxy.url());
        let topic = aws_sdk_sns::Client::from_conf(sns.build()).create_topic().name("palisade").send().await?;
        let mut made = Self {
            account: account.to_owned(),
            topic_arn: topic.topic_arn.context("the local AWS made a topic without an ARN")?,
            ec2,
            real: BTreeMap::from([(ACCOUNT.to_owned(), account.to_owned())]),
            proxy,
        };
        made.vpcs(world).await?;
        made.prefix_lists(world).await?;
        made.groups(world).await?;
        for (id, group) in &world.security_groups {
            for rule in &group.rules {
                made.rule(id, rule).await.with_context(|| format!("the rule {} can't be made", rule.id))?;
            }
        }
        for number in 0..world.bystanders {
            made.bystander(number).await?;
        }
        Ok(made)
    }

    async fn vpcs(&mut self, world: &World) -> anyhow::Result<()> {
        for (id, vpc) in &world.vpcs {
            let made = self.ec2.create_vpc().cidr_block(&vpc.cidr).send().await?;
            let real = made.vpc.and_then(|vpc| vpc.vpc_id).context("a VPC without an id")?;
            self.real.insert(id.clone(), real);
        }
        Ok(())
    }

    async fn prefix_lists(&mut self, world: &World) -> anyhow::Result<()> {
        for (id, list) in &world.prefix_lists {
            let entries = list.entries.iter().map(|cidr| AddPrefixListEntry::builder().cidr(cidr).build()).collect();
            let call = self.ec2.create_managed_prefix_list().prefix_list_name(&list.name).address_family(&list.address_family);
            let made = call.max_entries(list.max_entries).set_entries(Some(entries)).send().await?;
            let real = made.prefix_list.and_then(|list| list.prefix_list_id).context("a prefix list without an id")?;
            self.real.insert(id.clone(), real);
        }
        Ok(())
    }

    /// In the order of their literal ids, which makes their real ids come in that order too.
    async fn groups(&mut self, world: &World) -> anyhow::Result<()> {
        for (id, group) in &world.security_groups {
            let mut call = self.ec2.create_security_group().group_name(&group.name).description("made by the replay tool");
            if let Some(vpc) = &group.vpc {
                call = call.vpc_id(self.real.get(vpc).with_context(|| format!("no VPC {vpc} in the world"))?);
            }
            let made = call.set_tag_specifications(tagged(ResourceType::SecurityGroup, &group.tags)).send().await?;
            self.real.insert(id.clone(), made.group_id.context("a group without an id")?);
        }
        Ok(())
    }

    async fn rule(&mut self, group: &str, rule: &case::Rule) -> anyhow::Result<()> {
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

    async fn bystander(&self, number: usize) -> anyhow::Result<()> {
        let call = self.ec2.create_security_group().group_name(format!("bystander-{number}")).description("made by the replay tool");
        let id = call.send().await?.group_id.context("a group without an id")?;
        let world = IpRange::builder().cidr_ip("0.0.0.0/0").build();
        let https = IpPermission::builder().ip_protocol("tcp").from_port(443).to_port(443).ip_ranges(world).build();
        self.ec2.authorize_security_group_ingress().group_id(id).ip_permissions(https).send().await?;
        Ok(())
    }

    /// Reads every group of the account, past the function's proxy and what that stands in for.
    ///
    /// # Errors
    /// When the local AWS answers what can't be read.
    pub async fn read(&self) -> anyhow::Result<Snapshot> {
        let groups = self.ec2.describe_security_groups().send().await?.security_groups.unwrap_or_default();
        let mut snapshot: Snapshot = groups
            .into_iter()
            .filter_map(|group| Some((group.group_id?, Group { name: group.group_name.unwrap_or_default(), rules: Vec::new() })))
            .collect();
        for rule in self.ec2.describe_security_group_rules().send().await?.security_group_rules.unwrap_or_default() {
            let group = rule.group_id.clone().unwrap_or_default();
            snapshot.get_mut(&group).with_context(|| format!("a rule of the unknown group {group}"))?.rules.push(read(&rule)?);
        }
        Ok(snapshot)
    }

    /// The client of this account, for a test that wants to do something itself.
    #[must_use]
    pub fn ec2(&self) -> &aws_sdk_ec2::Client {
        &self.ec2
    }

    /// The endpoint of this account, past the function's proxy.
    #[must_use]
    pub fn endpoint(&self) -> String {
        self.proxy.url()
    }

    /// The real id in place of a literal one.
    #[must_use]
    pub fn real<'a>(&'a self, literal: &'a str) -> &'a str {
        self.real.get(literal).map_or(literal, String::as_str)
    }

    /// A text with real ids in place of the literal ones.
    #[must_use]
    pub fn with_real_ids(&self, text: &str) -> String {
        self.real.iter().fold(text.to_owned(), |text, (literal, real)| text.replace(literal, real))
    }

    /// A text with literal ids in place of the real ones.
    #[must_use]
    pub fn with_literal_ids(&self, text: &str) -> String {
        self.real.iter().fold(text.to_owned(), |text, (literal, real)| text.replace(real, literal))
    }
}

fn tagged(resource: ResourceType, tags: &BTreeMap<String, String>) -> Option<Vec<TagSpecification>> {
    let tags: Vec<Tag> = tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect();
    (!tags.is_empty()).then(|| vec![TagSpecification::builder().resource_type(resource).set_tags(Some(tags)).build()])
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

impl Group {
    /// Its rules as lines, in order: `tcp/22 from 198.51.100.7/32 "office" {team=web}`.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let mut rules: Vec<&Rule> = self.rules.iter().collect();
        rules.sort_by_key(|rule| (rule.direction, rule.traffic, rule.source.clone()));
        rules.into_iter().map(line).collect()
    }
}

/// A rule as a line.
#[must_use]
pub fn line(rule: &Rule) -> String {
    let mut line = match rule.direction {
        Direction::Ingress => format!("{} from {}", rule.traffic, rule.source),
        Direction::Egress => format!("egress {} to {}", rule.traffic, rule.source),
    };
    if let Some(description) = &rule.description {
        let _ = write!(line, " \"{description}\"");
    }
    if !rule.tags.is_empty() {
        let tags: Vec<String> = rule.tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let _ = write!(line, " {{{}}}", tags.join(", "));
    }
    line
}
