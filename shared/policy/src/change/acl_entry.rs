//! Denials in network ACLs, put and deleted.

use serde::{Deserialize, Serialize};

use crate::cidr::Cidr;
use crate::id::AclId;
use crate::security_group::Direction;

/// An entry that denies a source all traffic: the only kind that Palisade makes, and so the only kind that a change can speak of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Json", into = "Json")]
pub struct AclEntryChange {
    /// The network ACL.
    pub acl_id: AclId,
    /// Which way the denied traffic goes.
    pub direction: Direction,
    /// The entry's number: 1 to 32766, unique in its direction.
    pub rule_number: u16,
    /// Who is denied.
    pub cidr: Cidr,
}

/// In EC2's words, with what never varies.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Json {
    acl_id: AclId,
    direction: Direction,
    rule_number: u16,
    rule_action: String,
    protocol: String,
    cidr: Cidr,
}

impl From<AclEntryChange> for Json {
    fn from(change: AclEntryChange) -> Self {
        let AclEntryChange { acl_id, direction, rule_number, cidr } = change;
        Self { acl_id, direction, rule_number, rule_action: "deny".to_owned(), protocol: "-1".to_owned(), cidr }
    }
}

impl TryFrom<Json> for AclEntryChange {
    type Error = String;

    fn try_from(json: Json) -> Result<Self, String> {
        let Json { acl_id, direction, rule_number, rule_action, protocol, cidr } = json;
        if rule_action != "deny" || protocol != "-1" {
            return Err("an entry of a network ACL that does not deny all traffic".to_owned());
        }
        Ok(Self { acl_id, direction, rule_number, cidr })
    }
}
