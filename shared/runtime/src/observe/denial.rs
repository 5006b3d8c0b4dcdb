//! Sources to be denied, and denials to be lifted.

use aws_sdk_ec2::Client;
use palisade_policy::change::Change;
use palisade_policy::cidr::{Cidr, Family};
use palisade_policy::deny_source::{Denying, Friend};
use palisade_policy::id::{AccountId, AclId, IpSetArn, Region};
use palisade_policy::ip_set::IpSet;
use palisade_policy::lift_denials::Lifting;
use palisade_policy::network_acl::NetworkAcl;
use palisade_policy::trigger::{Attack, Cause, Pattern, Targets};

use crate::apply;
use crate::askers::Nobody;
use crate::aws::{AwsError, Clients};
use crate::deadline::Deadline;
use crate::gateway::{Errand, Found, Gateway, Interrupted, Observed};
use crate::observe::ip_set::Waf;
use crate::observe::search::{self, Thresholds};
use crate::observe::{friend, network_acl};

/// Where denials go, besides what an event names.
#[derive(Debug, Clone)]
pub struct Places {
    /// The Region.
    pub region: Region,
    /// These network ACLs instead of the ones found.
    pub acl_ids: Vec<AclId>,
    /// IP sets for IPv4.
    pub ip_sets_v4: Vec<IpSetArn>,
    /// IP sets for IPv6.
    pub ip_sets_v6: Vec<IpSetArn>,
}

impl Places {
    fn ip_sets(&self, family: Family) -> &[IpSetArn] {
        match family {
            Family::V4 => &self.ip_sets_v4,
            Family::V6 => &self.ip_sets_v6,
        }
    }
}

/// Where the sources come from that an event does not name.
#[derive(Debug, Clone)]
pub struct Searching {
    /// The log group of the flow logs.
    pub log_group: Option<String>,
    /// How much a source must have done.
    pub thresholds: Thresholds,
}

/// The gateway to what denies a source.
#[derive(Debug, Clone)]
pub struct Denials {
    ec2: Client,
    logs: aws_sdk_cloudwatchlogs::Client,
    waf: Waf,
    places: Places,
    searching: Searching,
}

impl Denials {
    /// A gateway with clients of its own.
    #[must_use]
    pub fn new(clients: &Clients, places: Places, searching: Searching) -> Self {
        Self { ec2: clients.ec2(), logs: clients.logs(), waf: Waf::new(clients), places, searching }
    }

    async fn deny(&self, errand: &Errand<'_>, attack: &Attack, found: &mut impl FnMut(Found<Denying>)) -> Result<(), AwsError> {
        let most = self.searching.thresholds.sources;
        let room = most.saturating_sub(errand.begun);
        for source in attack.sources.iter().skip(room) {
            let why = format!("{source} is one more than the {most} that one invocation denies (PALISADE_MAX_SOURCES)");
            found(Found { resource: source.to_string(), observed: Ok(Observed::Refused(why)) });
        }
        let sources: Vec<Cidr> = attack.sources.iter().take(room).copied().collect();
        if sources.is_empty() {
            return Ok(());
        }
        let friends = friend::read(&self.ec2).await?;
        let acls = match self.acls(errand.own, attack).await? {
            Ok(acls) => acls,
            Err(why) => {
                for source in &sources {
                    found(Found { resource: source.to_string(), observed: Ok(Observed::Refused(why.clone())) });
                }
                return Ok(());
            }
        };
        for source in sources {
            let state = Denying {
                source,
                both_ways: attack.both_ways,
                cause: cause(&errand.trigger.cause),
                acls: acls.clone(),
                ip_sets: self.ip_sets(errand.own, source.family()).await,
                friends: overlapping(&friends, source),
            };
            found(Found { resource: source.to_string(), observed: Ok(Observed::State(state)) });
        }
        Ok(())
    }

    /// The ACLs to deny in: those of the call, else those of the setting, else those of the attacked subnets, else those of every subnet
    /// that the internet reaches. Why not, where a named one can't be used.
    async fn acls(&self, own: &AccountId, attack: &Attack) -> Result<Result<Vec<NetworkAcl>, String>, AwsError> {
        let named = if attack.acls.is_empty() { &self.places.acl_ids } else { &attack.acls };
        if !named.is_empty() {
            let acls = network_acl::by_id(&self.ec2, named).await?;
            for id in named {
                match acls.iter().find(|acl| acl.id == *id) {
                    None => return Ok(Err(format!("the network ACL {id} does not exist"))),
                    Some(acl) if acl.owner != *own => {
                        return Ok(Err(format!("account {} owns {id}, and only its owner can change it", acl.owner)));
                    }
                    Some(_) => {}
                }
            }
            return Ok(Ok(acls));
        }
        let mut acls = Vec::new();
        if !attack.subnets.is_empty() {
            acls = network_acl::of_subnets(&self.ec2, &attack.subnets).await?;
        }
        if acls.is_empty() {
            let subnets = network_acl::internet_subnets(&self.ec2).await?;
            acls = network_acl::of_subnets(&self.ec2, &subnets).await?;
        }
        acls.retain(|acl| acl.owner == *own);
        Ok(Ok(acls))
    }

    async fn ip_sets(&self, own: &AccountId, family: Family) -> Vec<Result<IpSet, String>> {
        let mut sets = Vec::new();
        for arn in self.places.ip_sets(family) {
            sets.push(self.waf.usable(arn, family, own, &self.places.region).await);
        }
        sets
    }
}

/// Of all whom no denial may touch, only those who matter here: a Region has thousands.
fn overlapping(friends: &[Friend], source: Cidr) -> Vec<Friend> {
    friends.iter().filter(|friend| friend.block.contains(&source) || source.contains(&friend.block)).cloned().collect()
}

/// What a tag says of why: the finding, the alarm, or that somebody asked for it.
fn cause(cause: &Cause) -> String {
    cause.detail.clone().unwrap_or_else(|| "by a direct call".to_owned())
}

impl Gateway for Denials {
    type State = Denying;
    type Askers = Nobody;

    /// One ACL holds the denials of many sources.
    const SHARED: bool = true;

    async fn find(&self, errand: &Errand<'_>, found: &mut impl FnMut(Found<Denying>)) -> Result<(), AwsError> {
        match &errand.trigger.targets {
            Targets::Attack(attack) => self.deny(errand, attack, found).await,
            Targets::Search(search) => {
                let resource = errand.trigger.cause.detail.clone().unwrap_or_else(|| "an alarm".to_owned());
                let Some(log_group) = &self.searching.log_group else {
                    let why = "the alarm names no source, and there is no PALISADE_FLOW_LOG_GROUP to look for one".to_owned();
                    found(Found { resource, observed: Ok(Observed::Refused(why)) });
                    return Ok(());
                };
                let sources = search::run(&self.logs, log_group, search, &self.searching.thresholds, errand.deadline).await?;
                if sources.is_empty() {
                    let why = format!("the flow logs in {log_group} show no source over the threshold");
                    found(Found { resource, observed: Ok(Observed::Nothing(why)) });
                    return Ok(());
                }
                let both_ways = search.pattern == Pattern::DataExfiltration;
                let attack = Attack { sources, acls: Vec::new(), subnets: Vec::new(), both_ways };
                self.deny(errand, &attack, found).await
            }
            _ => Ok(()),
        }
    }

    async fn observe(&self, own: &AccountId, of: &Denying) -> Result<Observed<Denying>, AwsError> {
        let ids: Vec<AclId> = of.acls.iter().map(|acl| acl.id.clone()).collect();
        let acls = network_acl::by_id(&self.ec2, &ids).await?;
        let ip_sets = self.ip_sets(own, of.source.family()).await;
        Ok(Observed::State(Denying { acls, ip_sets, ..of.clone() }))
    }

    async fn apply(&self, state: &Denying, changes: &[Change], deadline: Deadline) -> Result<(), Interrupted> {
        let sets: Vec<IpSet> = state.ip_sets.iter().flatten().cloned().collect();
        apply::denial::apply(&self.ec2, &self.waf, &sets, changes, deadline).await
    }

    async fn permitted(&self, _state: &Denying, changes: &[Change]) -> Result<Option<bool>, Interrupted> {
        apply::denial::permitted(&self.ec2, changes).await
    }
}

/// The gateway to what holds denials.
#[derive(Debug, Clone)]
pub struct StandingDenials {
    ec2: Client,
    waf: Waf,
    ip_sets: Vec<IpSetArn>,
}

impl StandingDenials {
    /// A gateway with clients of its own.
    #[must_use]
    pub fn new(clients: &Clients, ip_sets: Vec<IpSetArn>) -> Self {
        Self { ec2: clients.ec2(), waf: Waf::new(clients), ip_sets }
    }
}

impl Gateway for StandingDenials {
    type State = Lifting;
    type Askers = Nobody;

    async fn find(&self, errand: &Errand<'_>, found: &mut impl FnMut(Found<Lifting>)) -> Result<(), AwsError> {
        for acl in network_acl::all(&self.ec2).await?.into_iter().filter(|acl| acl.owner == *errand.own) {
            found(Found { resource: acl.id.to_string(), observed: Ok(Observed::State(Lifting::Acl(acl))) });
        }
        for arn in &self.ip_sets {
            let observed = self.waf.read(arn).await.map(|locked| Observed::State(Lifting::IpSet(locked.set)));
            found(Found { resource: arn.to_string(), observed });
        }
        Ok(())
    }

    async fn observe(&self, _own: &AccountId, of: &Lifting) -> Result<Observed<Lifting>, AwsError> {
        match of {
            Lifting::Acl(acl) => {
                let acl = network_acl::by_id(&self.ec2, std::slice::from_ref(&acl.id)).await?.pop();
                Ok(acl.map_or(Observed::Gone, |acl| Observed::State(Lifting::Acl(acl))))
            }
            Lifting::IpSet(set) => Ok(Observed::State(Lifting::IpSet(self.waf.read(&set.arn).await?.set))),
        }
    }

    async fn apply(&self, state: &Lifting, changes: &[Change], deadline: Deadline) -> Result<(), Interrupted> {
        let sets = match state {
            Lifting::IpSet(set) => std::slice::from_ref(set),
            Lifting::Acl(_) => &[],
        };
        apply::denial::apply(&self.ec2, &self.waf, sets, changes, deadline).await
    }

    async fn permitted(&self, _state: &Lifting, changes: &[Change]) -> Result<Option<bool>, Interrupted> {
        apply::denial::permitted(&self.ec2, changes).await
    }
}
