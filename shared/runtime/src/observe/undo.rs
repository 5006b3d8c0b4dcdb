//! What a response's changes speak of, to take them back.

use std::collections::BTreeSet;
use std::str::FromStr;

use aws_sdk_ec2::Client;
use jiff::Timestamp;
use palisade_policy::change::Change;
use palisade_policy::id::{AccountId, Region};
use palisade_policy::trigger::Targets;
use palisade_policy::undo_change::{Request, Undoing, end_of_exemption, resource};

use crate::apply;
use crate::askers::Nobody;
use crate::aws::{AwsError, Clients};
use crate::deadline::Deadline;
use crate::gateway::{Errand, Found, Gateway, Interrupted, Observed};
use crate::observe::flow_log::FlowLogs;
use crate::observe::ip_set::Waf;
use crate::observe::network_acl;
use crate::observe::security_group::SecurityGroups;
use crate::seal::is_genuine;

/// What stands for the response itself, where it is refused as a whole.
const THE_RESPONSE: &str = "undo";

/// The gateway to whatever the other functions change.
#[derive(Debug, Clone)]
pub struct Undo {
    ec2: Client,
    groups: SecurityGroups,
    flow_logs: FlowLogs,
    waf: Waf,
    kms: aws_sdk_kms::Client,
    key_arn: String,
    region: Region,
}

impl Undo {
    /// A gateway with clients of its own, that believes what was sealed with this key.
    #[must_use]
    pub fn new(clients: &Clients, key_arn: String, region: Region) -> Self {
        Self {
            ec2: clients.ec2(),
            groups: SecurityGroups::without_prefix_lists(clients),
            flow_logs: FlowLogs::new(clients),
            waf: Waf::new(clients),
            kms: clients.kms(),
            key_arn,
            region,
        }
    }

    /// Why the response is not to be believed, if it isn't.
    async fn doubt(&self, own: &AccountId, request: &Request) -> Result<Option<String>, AwsError> {
        let seal = match request.given.seal_to_check(own, &self.region, Timestamp::now()) {
            Ok(seal) => seal,
            Err(why) => return Ok(Some(why)),
        };
        let genuine = is_genuine(&self.kms, &self.key_arn, &request.given.message, seal).await?;
        Ok((!genuine).then(|| "its seal does not fit: it was altered, or sealed with another key".to_owned()))
    }

    /// Reads everything that the changes speak of. What does not exist is left out.
    async fn read(&self, own: &AccountId, of: Undoing) -> Result<Observed<Undoing>, AwsError> {
        let mut undoing = Undoing { groups: Vec::new(), vpcs: Vec::new(), acls: Vec::new(), ip_sets: Vec::new(), ..of };
        let mut trouble = None;
        let groups = ids(&undoing.changes);
        let mut keep = |found: Found<_>| match found.observed {
            Ok(Observed::State(group)) => undoing.groups.push(group),
            Ok(Observed::Foreign(owner)) => trouble = Some(Ok(Observed::Foreign(owner))),
            Err(error) => trouble = Some(Err(error)),
            Ok(_) => {}
        };
        self.groups.read_ids(own, &groups, true, &mut keep).await;
        let vpcs = ids(&undoing.changes);
        let mut keep = |found: Found<_>| match found.observed {
            Ok(Observed::State(vpc)) => undoing.vpcs.push(vpc),
            Ok(Observed::Foreign(owner)) => trouble = Some(Ok(Observed::Foreign(owner))),
            Err(error) => trouble = Some(Err(error)),
            Ok(_) => {}
        };
        self.flow_logs.read_ids(own, &vpcs, &mut keep).await;
        if let Some(trouble) = trouble {
            return trouble;
        }
        undoing.acls = network_acl::by_id(&self.ec2, &ids(&undoing.changes)).await?;
        if let Some(acl) = undoing.acls.iter().find(|acl| acl.owner != *own) {
            return Ok(Observed::Foreign(acl.owner.clone()));
        }
        for arn in ids(&undoing.changes) {
            match self.waf.read(&arn).await {
                Ok(locked) => undoing.ip_sets.push(locked.set),
                Err(error) if error.code() == Some("WAFNonexistentItemException") => {}
                Err(error) => return Err(error),
            }
        }
        let nothing = undoing.groups.is_empty() && undoing.vpcs.is_empty() && undoing.acls.is_empty() && undoing.ip_sets.is_empty();
        Ok(if nothing { Observed::Gone } else { Observed::State(undoing) })
    }
}

/// Those resources of the changes whose ids are of this kind, each once.
fn ids<T: FromStr + Ord>(changes: &[Change]) -> Vec<T> {
    let ids: BTreeSet<T> = changes.iter().filter_map(|change| resource(change).parse().ok()).collect();
    ids.into_iter().collect()
}

impl Gateway for Undo {
    type State = Undoing;
    type Askers = Nobody;

    /// One ACL holds the denials of many sources.
    const SHARED: bool = true;

    async fn find(&self, errand: &Errand<'_>, found: &mut impl FnMut(Found<Undoing>)) -> Result<(), AwsError> {
        let Targets::Undo(request) = &errand.trigger.targets else { return Ok(()) };
        let refused = match self.doubt(errand.own, request).await {
            Ok(None) => None,
            Ok(Some(why)) => Some(Ok(Observed::Refused(why))),
            Err(error) => Some(Err(error)),
        };
        if let Some(observed) = refused {
            found(Found { resource: THE_RESPONSE.to_owned(), observed });
            return Ok(());
        }
        let until = end_of_exemption(Timestamp::now(), request.exempt_for);
        for (rank, made) in request.given.results.iter().enumerate() {
            let undoing = Undoing {
                guardrail: request.given.guardrail,
                resource: made.resource.clone(),
                changes: made.changes.clone(),
                later: request.given.results.iter().skip(rank + 1).map(|made| made.changes.clone()).collect(),
                rank,
                reason: request.reason.clone(),
                until,
                groups: Vec::new(),
                vpcs: Vec::new(),
                acls: Vec::new(),
                ip_sets: Vec::new(),
            };
            found(Found { resource: made.resource.clone(), observed: self.read(errand.own, undoing).await });
        }
        Ok(())
    }

    async fn observe(&self, own: &AccountId, of: &Undoing) -> Result<Observed<Undoing>, AwsError> {
        // By now the later ones are undone, or are not: what is there counts.
        self.read(own, Undoing { later: Vec::new(), ..of.clone() }).await
    }

    async fn apply(&self, state: &Undoing, changes: &[Change], deadline: Deadline) -> Result<(), Interrupted> {
        apply::undo::apply(&self.ec2, &self.waf, state, changes, deadline).await
    }

    async fn permitted(&self, state: &Undoing, changes: &[Change]) -> Result<Option<bool>, Interrupted> {
        apply::undo::permitted(&self.ec2, state, changes).await
    }
}
