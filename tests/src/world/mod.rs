//! The world of a case: made in the local AWS before, read back after. One file is one kind of resource.

mod flow_log;
mod interface;
mod ip_set;
mod network_acl;
mod seal;
mod security_group;
mod vpc;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use anyhow::{Context, ensure};
use aws_sdk_ec2::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_ec2::types::{AddPrefixListEntry, ResourceType, Tag, TagSpecification};
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use palisade_policy::change::{ApplyError, Change};
use palisade_policy::flow_log::Vpc;
use palisade_policy::guardrail::Guardrail;
use palisade_policy::id::IpSetArn;
use palisade_policy::ip_set::IpSet;
use palisade_policy::network_acl::NetworkAcl;
use palisade_policy::security_group::SecurityGroup;

pub use self::flow_log::line as flow_log_line;
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
    waf: aws_sdk_wafv2::Client,
    /// The real ARNs of the IP sets: the local AWS can't list them by account.
    ip_sets: Vec<IpSetArn>,
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
            Resource::Acl(acl) => network_acl::lines(acl),
            Resource::IpSet(set) => ip_set::lines(set),
            Resource::Vpc(vpc) => flow_log::lines(vpc),
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
            .credentials_provider(credentials.clone())
            .endpoint_url(proxy.url());
        let waf = aws_sdk_wafv2::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(REGION))
            .credentials_provider(credentials.clone())
            .endpoint_url(proxy.url());
        let waf = aws_sdk_wafv2::Client::from_conf(waf.build());
        let topic = aws_sdk_sns::Client::from_conf(sns.build()).create_topic().name("palisade").send().await?;
        let mut made = Self {
            account: account.to_owned(),
            topic_arn: topic.topic_arn.context("the local AWS made a topic without an ARN")?,
            ec2,
            waf,
            ip_sets: Vec::new(),
            real: BTreeMap::from([(ACCOUNT.to_owned(), account.to_owned())]),
            proxy,
        };
        made.seal_key(world).await?;
        made.vpcs(world).await?;
        made.subnets(world).await?;
        made.acls(world).await?;
        made.ip_sets(world).await?;
        made.destinations(world).await?;
        made.flow_logs(world).await?;
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

    /// The local AWS tells services apart by what a request is signed for; it does not check the signature.
    pub(super) async fn call(
        &self,
        method: &str,
        path: &str,
        service: &str,
        target: Option<&str>,
        body: String,
    ) -> anyhow::Result<serde_json::Value> {
        let scope = format!("AKIAIOSFODNN7EXAMPLE/20261121/{REGION}/{service}/aws4_request");
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.endpoint()))
            .header("authorization", format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"))
            .header("content-type", "application/x-amz-json-1.1");
        let request = target.into_iter().fold(request, |request, target| request.header("x-amz-target", target));
        let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
        let response = client.request(request.body(Full::new(body.into()))?).await?;
        let status = response.status();
        let said = response.into_body().collect().await?.to_bytes();
        ensure!(status.is_success(), "{service} answered {status}: {}", String::from_utf8_lossy(&said));
        Ok(serde_json::from_slice(&said).unwrap_or_default())
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
        self.read_acls(&mut snapshot).await?;
        self.read_ip_sets(&mut snapshot).await?;
        self.read_vpcs(&mut snapshot).await?;
        Ok(snapshot)
    }

    /// Reads only what this guardrail may change.
    ///
    /// # Errors
    /// When the local AWS answers what can't be read.
    pub async fn read_of(&self, guardrail: Guardrail) -> anyhow::Result<Snapshot> {
        let mut snapshot = Snapshot::new();
        match guardrail {
            Guardrail::UndoChange => return self.read().await,
            Guardrail::RevokeAdminIngress | Guardrail::StripDefaultGroup => self.read_groups(&mut snapshot).await?,
            Guardrail::EnableFlowLogs => self.read_vpcs(&mut snapshot).await?,
            Guardrail::DenySource | Guardrail::LiftDenials => {
                self.read_acls(&mut snapshot).await?;
                self.read_ip_sets(&mut snapshot).await?;
            }
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
        replaced(text, self.real.iter().collect())
    }

    /// A text with literal ids in place of the real ones.
    #[must_use]
    pub fn with_literal_ids(&self, text: &str) -> String {
        replaced(text, self.real.iter().map(|(literal, real)| (real, literal)).collect())
    }
}

/// The longest first: an ARN has an account in it.
fn replaced(text: &str, mut pairs: Vec<(&String, &String)>) -> String {
    pairs.sort_by_key(|(from, _)| std::cmp::Reverse(from.len()));
    pairs.into_iter().fold(text.to_owned(), |text, (from, to)| text.replace(from.as_str(), to))
}

fn tagged(resource: ResourceType, tags: &BTreeMap<String, String>) -> Option<Vec<TagSpecification>> {
    let tags: Vec<Tag> = tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect();
    (!tags.is_empty()).then(|| vec![TagSpecification::builder().resource_type(resource).set_tags(Some(tags)).build()])
}
