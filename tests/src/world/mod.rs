//! The world of a case: made in the local AWS before, read back after. One file is one kind of resource.

mod interface;
mod security_group;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use anyhow::Context;
use aws_sdk_ec2::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_ec2::types::{AddPrefixListEntry, Filter, ResourceType, Tag, TagSpecification};
use palisade_policy::change::{ApplyError, Change};
use palisade_policy::flow_log::Vpc;
use palisade_policy::ip_set::IpSet;
use palisade_policy::network_acl::NetworkAcl;
use palisade_policy::security_group::SecurityGroup;

pub use self::security_group::line;
use crate::case::{ACCOUNT, REGION, World};
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

/// Every resource of the account that a function may change, by real id.
pub type Snapshot = BTreeMap<String, Resource>;

/// A resource as it was read, in the policy's own types: changes can be carried out on it, to predict what AWS will do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resource {
    /// A security group.
    Group(SecurityGroup),
    /// A VPC with its flow logs.
    Vpc(Vpc),
    /// A network ACL.
    Acl(NetworkAcl),
    /// A WAF IP set.
    IpSet(IpSet),
}

impl Resource {
    /// What it holds, as lines in order: `tcp/22 from 198.51.100.7/32 "office" {team=web}`.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        match self {
            Resource::Group(group) => security_group::lines(group),
            Resource::Vpc(_) | Resource::Acl(_) | Resource::IpSet(_) => Vec::new(),
        }
    }

    /// Carries a change out on the model.
    ///
    /// # Errors
    /// Where AWS would refuse it.
    pub fn make(&mut self, change: &Change) -> Result<(), ApplyError> {
        match self {
            Resource::Group(group) => change.apply(group),
            Resource::Vpc(vpc) => change.apply(vpc),
            Resource::Acl(acl) => change.apply(acl),
            Resource::IpSet(set) => change.apply(set),
        }
    }
}

/// The id of the resource that a change is of.
#[must_use]
pub fn resource_of(change: &Change) -> &str {
    match change {
        Change::AuthorizeRule(change) | Change::RevokeRule(change) => change.group_id.as_str(),
        Change::CreateFlowLog(change) | Change::DeleteFlowLog(change) => change.vpc_id.as_str(),
        Change::PutAclEntry(change) | Change::DeleteAclEntry(change) => change.acl_id.as_str(),
        Change::PutTag(tag) => &tag.resource,
        Change::DeleteTag(tag) => &tag.resource,
        Change::UpdateIpSet(change) => change.arn.as_str(),
    }
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
        made.interfaces(world).await?;
        for number in 0..world.bystanders {
            made.bystander(number).await?;
        }
        Ok(made)
    }

    async fn vpcs(&mut self, world: &World) -> anyhow::Result<()> {
        for (id, vpc) in &world.vpcs {
            let made = match vpc.default {
                true => self.default_vpc().await?,
                false => self.ec2.create_vpc().cidr_block(&vpc.cidr).send().await?.vpc.and_then(|vpc| vpc.vpc_id),
            };
            self.real.insert(id.clone(), made.context("a VPC without an id")?);
        }
        Ok(())
    }

    async fn default_vpc(&self) -> anyhow::Result<Option<String>> {
        let filter = Filter::builder().name("is-default").values("true").build();
        let vpcs = self.ec2.describe_vpcs().filters(filter).send().await?.vpcs.unwrap_or_default();
        Ok(vpcs.into_iter().find_map(|vpc| vpc.vpc_id))
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

    /// Reads everything of the account that a function may change, past the function's proxy and what that stands in for.
    ///
    /// # Errors
    /// When the local AWS answers what can't be read.
    pub async fn read(&self) -> anyhow::Result<Snapshot> {
        let mut snapshot = Snapshot::new();
        self.read_groups(&mut snapshot).await?;
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
