//! Network ACLs.

use std::fmt;

use crate::change::{AclEntryChange, ApplyError, Change, State, tag};
use crate::cidr::Cidr;
use crate::id::{AccountId, AclId, SubnetId, VpcId};
use crate::security_group::{Direction, Tags};
use crate::traffic::Traffic;

/// What an entry does with the packets that it matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Lets them pass.
    Allow,
    /// Drops them.
    Deny,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Action::Allow => "allow",
            Action::Deny => "deny",
        })
    }
}

/// An entry of a network ACL. Entries are tried in ascending order of their numbers, and the first that matches decides.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AclEntry {
    /// Which way.
    pub direction: Direction,
    /// 1 to 32766, unique in its direction; 32767 and 32768 are EC2's own last entries, which deny the rest.
    pub number: u16,
    /// What it does.
    pub action: Action,
    /// What it matches.
    pub traffic: Traffic,
    /// From whom, or to whom.
    pub cidr: Cidr,
}

impl AclEntry {
    /// The denial that a change speaks of.
    #[must_use]
    pub fn of(change: &AclEntryChange) -> Self {
        let AclEntryChange { direction, rule_number, cidr, .. } = change;
        Self { direction: *direction, number: *rule_number, action: Action::Deny, traffic: Traffic::All, cidr: *cidr }
    }
}

/// A network ACL, read live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkAcl {
    /// Its id.
    pub id: AclId,
    /// The account that owns it.
    pub owner: AccountId,
    /// Its VPC.
    pub vpc: VpcId,
    /// The subnets that it guards.
    pub subnets: Vec<SubnetId>,
    /// Its entries, EC2's own last ones too.
    pub entries: Vec<AclEntry>,
    /// Its tags.
    pub tags: Tags,
}

impl State for NetworkAcl {
    fn shows(&self, change: &Change) -> bool {
        match change {
            Change::PutAclEntry(change) if change.acl_id == self.id => self.entries.contains(&AclEntry::of(change)),
            Change::DeleteAclEntry(change) if change.acl_id == self.id => !self.entries.contains(&AclEntry::of(change)),
            _ => tag::shows(&self.tags, self.id.as_str(), change).unwrap_or(false),
        }
    }

    fn make(&mut self, change: &Change) -> Result<(), ApplyError> {
        match change {
            Change::PutAclEntry(change) if change.acl_id == self.id => {
                let entry = AclEntry::of(change);
                if self.entries.iter().any(|other| other.direction == entry.direction && other.number == entry.number) {
                    return Err(ApplyError::Duplicate);
                }
                self.entries.push(entry);
            }
            Change::DeleteAclEntry(change) if change.acl_id == self.id => {
                let entry = AclEntry::of(change);
                let at = self.entries.iter().position(|other| *other == entry).ok_or(ApplyError::NotFound)?;
                self.entries.remove(at);
            }
            _ => return tag::make(&mut self.tags, self.id.as_str(), change).unwrap_or(Err(ApplyError::OtherResource)),
        }
        Ok(())
    }
}
