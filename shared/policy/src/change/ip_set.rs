//! WAF IP sets, changed.

use serde::{Deserialize, Serialize};

use crate::cidr::Cidr;
use crate::id::IpSetArn;

/// What an IP set gains and loses. WAF replaces a set as a whole, under a lock; this is the difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IpSetChange {
    /// The IP set.
    pub arn: IpSetArn,
    /// Blocks that it gains.
    pub add: Vec<Cidr>,
    /// Blocks that it loses.
    pub remove: Vec<Cidr>,
    /// Its description after.
    pub description: String,
    /// Its description before.
    pub previous_description: String,
}

impl IpSetChange {
    pub(crate) fn inverse(self) -> Self {
        Self {
            arn: self.arn,
            add: self.remove,
            remove: self.add,
            description: self.previous_description,
            previous_description: self.description,
        }
    }
}
