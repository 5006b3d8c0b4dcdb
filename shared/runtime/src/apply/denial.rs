//! Changes to network ACLs, to the tags that remember denials, and to IP sets.

use std::time::Duration;

use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{RuleAction, Tag};
use aws_sdk_wafv2::types::Scope;
use palisade_policy::change::{AclEntryChange, Change, IpSetChange, TagChange, TagRemoval};
use palisade_policy::cidr::{Cidr, Family};
use palisade_policy::denial;
use palisade_policy::ip_set::IpSet;
use palisade_policy::network_acl::{AclEntry, NetworkAcl};
use palisade_policy::security_group::Direction;

use crate::aws::AwsError;
use crate::deadline::Deadline;
use crate::gateway::Interrupted;
use crate::observe::ip_set::Waf;
use crate::observe::network_acl;

/// WAF takes one update a second of an account and Region ("AWS WAF quotas").
const BETWEEN_UPDATES: Duration = Duration::from_secs(1);

/// What AWS says when things are not as the plan supposed.
const MOVED: [&str; 5] = [
    "NetworkAclEntryAlreadyExists",
    "InvalidNetworkAclEntry.NotFound",
    "InvalidNetworkAclID.NotFound",
    "WAFOptimisticLockException",
    "WAFUnavailableEntityException",
];

/// Makes the changes one after the other: their order is what makes a crash between two of them harmless. `sets` are the IP sets as they
/// were when that was planned.
pub(crate) async fn apply(ec2: &Client, waf: &Waf, sets: &[IpSet], changes: &[Change], deadline: Deadline) -> Result<(), Interrupted> {
    let mut made: Vec<Change> = Vec::new();
    for change in changes {
        if !deadline.leaves_a_call() {
            return Err(Interrupted::OutOfTime { made });
        }
        if let Err(error) = deadline.act(make(ec2, waf, sets, change, changes, &made)).await {
            return Err(interrupted(error, made));
        }
        made.push(change.clone());
        if matches!(change, Change::UpdateIpSet(_)) {
            tokio::time::sleep(BETWEEN_UPDATES).await;
        }
    }
    Ok(())
}

async fn make(ec2: &Client, waf: &Waf, sets: &[IpSet], change: &Change, all: &[Change], made: &[Change]) -> Result<(), AwsError> {
    match change {
        Change::PutTag(tag) => put_tag(ec2, tag, false).await,
        Change::DeleteTag(tag) => {
            delete_tag(ec2, tag, false).await?;
            put_back(ec2, tag, made).await
        }
        Change::PutAclEntry(entry) => put_entry(ec2, entry, false).await,
        Change::DeleteAclEntry(entry) => match still_there(ec2, entry, tag_of(entry, all)).await? {
            true => delete_entry(ec2, entry, false).await,
            false => Err(moved("DeleteNetworkAclEntry", format!("entry {} of {} is another now", entry.rule_number, entry.acl_id))),
        },
        Change::UpdateIpSet(change) => update_ip_set(waf, sets, change).await,
        _ => Err(AwsError::unreadable("apply", "a change that is none of a denial")),
    }
}

/// The tag that goes with this entry.
fn tag_of<'a>(entry: &AclEntryChange, all: &'a [Change]) -> Option<&'a TagRemoval> {
    let key = denial::key(entry.direction, entry.cidr);
    all.iter().find_map(|change| match change {
        Change::DeleteTag(tag) if tag.key == key && tag.resource == entry.acl_id.as_str() => Some(tag),
        _ => None,
    })
}

/// A denial that was extended in the moment before its entry went has another tag now, and gets the entry back.
async fn put_back(ec2: &Client, tag: &TagRemoval, made: &[Change]) -> Result<(), AwsError> {
    for change in made {
        let Change::DeleteAclEntry(entry) = change else { continue };
        if tag_of(entry, &[Change::DeleteTag(tag.clone())]).is_none() {
            continue;
        }
        let acl = network_acl::by_id(ec2, std::slice::from_ref(&entry.acl_id)).await?.pop();
        if acl.and_then(|acl| acl.tags.get(&tag.key).cloned()).is_some_and(|value| value != tag.value) {
            put_entry(ec2, entry, false).await?;
            return Err(moved(
                "DeleteNetworkAclEntry",
                format!("the denial of {} was extended meanwhile; its entry was put back", entry.cidr),
            ));
        }
    }
    Ok(())
}

/// Asks EC2, with `DryRun`, whether the role may make these calls. WAF has no such thing.
pub(crate) async fn permitted(ec2: &Client, changes: &[Change]) -> Result<Option<bool>, Interrupted> {
    let mut permitted = None;
    for change in changes {
        let asked = match change {
            Change::PutTag(tag) => put_tag(ec2, tag, true).await,
            Change::DeleteTag(tag) => delete_tag(ec2, tag, true).await,
            Change::PutAclEntry(entry) => put_entry(ec2, entry, true).await,
            Change::DeleteAclEntry(entry) => delete_entry(ec2, entry, true).await,
            _ => continue,
        };
        let allowed = match asked {
            Ok(()) => true,
            Err(error) => match error.code() {
                Some("DryRunOperation") => true,
                Some("UnauthorizedOperation") => false,
                _ => return Err(interrupted(error, Vec::new())),
            },
        };
        permitted = Some(permitted.unwrap_or(true) && allowed);
    }
    Ok(permitted)
}

fn moved(operation: &'static str, message: String) -> AwsError {
    AwsError::with_code(operation, "InvalidNetworkAclEntry.NotFound", message)
}

fn interrupted(error: AwsError, made: Vec<Change>) -> Interrupted {
    match error.code() {
        Some("NetworkAclEntryLimitExceeded") => Interrupted::NoRoom { error, made },
        Some(code) if MOVED.contains(&code) => Interrupted::Moved { error, made },
        _ if error.is_lost() => Interrupted::Moved { error, made },
        _ => Interrupted::Failed(error),
    }
}

async fn put_tag(ec2: &Client, tag: &TagChange, dry_run: bool) -> Result<(), AwsError> {
    let tags = Tag::builder().key(&tag.key).value(&tag.value).build();
    let call = ec2.create_tags().resources(&tag.resource).tags(tags).set_dry_run(dry_run.then_some(true));
    call.send().await.map(drop).map_err(|error| AwsError::new("CreateTags", &error))
}

/// EC2 deletes a tag given with its value only where it has that value: one that was extended meanwhile stays.
async fn delete_tag(ec2: &Client, tag: &TagRemoval, dry_run: bool) -> Result<(), AwsError> {
    let tags = Tag::builder().key(&tag.key).value(&tag.value).build();
    let call = ec2.delete_tags().resources(&tag.resource).tags(tags).set_dry_run(dry_run.then_some(true));
    call.send().await.map(drop).map_err(|error| AwsError::new("DeleteTags", &error))
}

/// An entry goes by its number alone, so whether it is still the one, and its denial has not been extended, is read just before.
async fn still_there(ec2: &Client, change: &AclEntryChange, tag: Option<&TagRemoval>) -> Result<bool, AwsError> {
    let acl = network_acl::by_id(ec2, std::slice::from_ref(&change.acl_id)).await?.pop();
    let is_planned = |acl: &NetworkAcl| tag.is_none_or(|tag| acl.tags.get(&tag.key) == Some(&tag.value));
    Ok(acl.is_some_and(|acl| acl.entries.contains(&AclEntry::of(change)) && is_planned(&acl)))
}

async fn put_entry(ec2: &Client, change: &AclEntryChange, dry_run: bool) -> Result<(), AwsError> {
    let cidr = change.cidr.to_string();
    let call = ec2
        .create_network_acl_entry()
        .network_acl_id(change.acl_id.as_str())
        .egress(change.direction == Direction::Egress)
        .rule_number(i32::from(change.rule_number))
        .protocol("-1")
        .rule_action(RuleAction::Deny)
        .set_dry_run(dry_run.then_some(true));
    let call = match change.cidr.family() {
        Family::V4 => call.cidr_block(cidr),
        Family::V6 => call.ipv6_cidr_block(cidr),
    };
    call.send().await.map(drop).map_err(|error| AwsError::new("CreateNetworkAclEntry", &error))
}

async fn delete_entry(ec2: &Client, change: &AclEntryChange, dry_run: bool) -> Result<(), AwsError> {
    let call = ec2
        .delete_network_acl_entry()
        .network_acl_id(change.acl_id.as_str())
        .egress(change.direction == Direction::Egress)
        .rule_number(i32::from(change.rule_number))
        .set_dry_run(dry_run.then_some(true));
    call.send().await.map(drop).map_err(|error| AwsError::new("DeleteNetworkAclEntry", &error))
}

/// WAF replaces a set as a whole, under a token: what is there now is read, changed and written, or not at all.
async fn update_ip_set(waf: &Waf, sets: &[IpSet], change: &IpSetChange) -> Result<(), AwsError> {
    const OPERATION: &str = "UpdateIPSet";
    let mut locked = waf.read(&change.arn).await?;
    let now = &locked.set;
    let seen_all = change.remove.iter().all(|block| now.addresses.contains(block));
    // Where the description stays, so do the times of all in the set, and others may have come or gone. A set that is given another time is
    // the very one that was planned for, or another writer was here.
    let of_same_time = change.description == change.previous_description;
    let before = sets.iter().find(|set| set.arn == change.arn);
    let as_planned = before.is_some_and(|before| sorted(&before.addresses) == sorted(&now.addresses));
    if now.description != change.previous_description || !seen_all || !(of_same_time || as_planned) {
        let message = "another writer was here since it was read".to_owned();
        return Err(AwsError::with_code(OPERATION, "WAFOptimisticLockException", message));
    }
    locked.set.addresses.retain(|block| !change.remove.contains(block));
    for block in &change.add {
        if !locked.set.addresses.contains(block) {
            locked.set.addresses.push(*block);
        }
    }
    let parts = change.arn.parts();
    let description = Some(change.description.clone()).filter(|description| !description.is_empty());
    let addresses = locked.set.addresses.iter().map(ToString::to_string).collect();
    let call = waf.client(&change.arn).update_ip_set().name(parts.name).id(parts.id).scope(Scope::from(parts.scope));
    let call = call.set_description(description).set_addresses(Some(addresses)).lock_token(locked.token);
    call.send().await.map(drop).map_err(|error| AwsError::new(OPERATION, &error))
}

fn sorted(blocks: &[Cidr]) -> Vec<Cidr> {
    let mut blocks = blocks.to_vec();
    blocks.sort_unstable();
    blocks
}
