//! WAF IP sets.

use crate::change::{ApplyError, Change, State};
use crate::cidr::{Cidr, Family};
use crate::id::IpSetArn;

/// An IP set, read live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IpSet {
    /// Its ARN.
    pub arn: IpSetArn,
    /// The family of its addresses.
    pub family: Family,
    /// Its blocks.
    pub addresses: Vec<Cidr>,
    /// Its description.
    pub description: String,
}

impl State for IpSet {
    fn shows(&self, change: &Change) -> bool {
        match change {
            Change::UpdateIpSet(change) if change.arn == self.arn => {
                // "UpdateIPSet" takes no empty description, and whether one that is left out goes or stays is not documented.
                (self.description == change.description || change.description.is_empty())
                    && change.add.iter().all(|block| self.addresses.contains(block))
                    && !change.remove.iter().any(|block| self.addresses.contains(block))
            }
            _ => false,
        }
    }

    fn make(&mut self, change: &Change) -> Result<(), ApplyError> {
        match change {
            Change::UpdateIpSet(change) if change.arn == self.arn => {
                self.addresses.retain(|block| !change.remove.contains(block));
                let new: Vec<Cidr> = change.add.iter().filter(|block| !self.addresses.contains(block)).copied().collect();
                self.addresses.extend(new);
                self.description.clone_from(&change.description);
                Ok(())
            }
            _ => Err(ApplyError::OtherResource),
        }
    }
}
