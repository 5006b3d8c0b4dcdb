//! A security group as the guardrails see it.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::cidr::{Cidr, Family};
use crate::id::{AccountId, PrefixListId, RuleId, SecurityGroupId, VpcId};
use crate::traffic::Traffic;

/// Which way the traffic goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// Into the interfaces of the group.
    Ingress,
    /// Out of them.
    Egress,
}

/// Tags of a resource, key to value.
pub type Tags = BTreeMap<String, String>;

/// Whether only AWS itself can set the tag.
#[must_use]
pub fn is_reserved(key: &str) -> bool {
    key.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aws:"))
}

/// Another security group as the source or destination of a rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GroupReference {
    /// The group.
    pub group_id: SecurityGroupId,
    /// The account that owns it, where EC2 says so.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub user_id: Option<AccountId>,
}

/// What a rule admits traffic from (or lets it go to). One rule has one source.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Source {
    /// A block of addresses.
    Cidr(Cidr),
    /// The entries of a managed prefix list.
    PrefixListId(PrefixListId),
    /// The interfaces of a security group.
    ReferencedGroup(GroupReference),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Cidr(cidr) => cidr.fmt(f),
            Source::PrefixListId(id) => id.fmt(f),
            Source::ReferencedGroup(group) => group.group_id.fmt(f),
        }
    }
}

/// One security-group rule. What it *is* are its properties; the id is a hint, for EC2 gives a rule that is made again a new one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The id that EC2 knows it by at the moment, if it exists.
    pub id: Option<RuleId>,
    /// Ingress or egress.
    pub direction: Direction,
    /// The traffic that it admits.
    pub traffic: Traffic,
    /// From whom, or to whom.
    pub source: Source,
    /// The text that a person gave it.
    pub description: Option<String>,
    /// Its tags.
    pub tags: Tags,
}

impl Rule {
    /// Whether the two admit the same: EC2 refuses to have both in one group (`InvalidPermission.Duplicate`).
    #[must_use]
    pub fn is_same(&self, other: &Rule) -> bool {
        self.direction == other.direction && self.traffic == other.traffic && self.source == other.source
    }

    /// Whether this rule lets in all that the other does, by their own words: what a prefix list holds is not looked at.
    #[must_use]
    pub fn covers(&self, other: &Rule) -> bool {
        let of_source = match (&self.source, &other.source) {
            (Source::Cidr(one), Source::Cidr(other)) => one.contains(other),
            (one, other) => one == other,
        };
        of_source && self.direction == other.direction && self.traffic.contains(other.traffic)
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.direction {
            Direction::Ingress => write!(f, "{} from {}", self.traffic, self.source),
            Direction::Egress => write!(f, "egress {} to {}", self.traffic, self.source),
        }
    }
}

/// A managed prefix list that a rule of the group names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrefixList {
    /// How many rules it counts as: its `MaxEntries`, or its number of entries where AWS manages it and names none.
    pub weight: usize,
    /// Its entries, or why they can't be read.
    pub entries: Result<Vec<Cidr>, String>,
}

impl PrefixList {
    /// The family of its entries; a list has one (EC2 `AddressFamily`). `None` where it is empty or unread.
    #[must_use]
    pub fn family(&self) -> Option<Family> {
        self.entries.as_ref().ok()?.first().map(Cidr::family)
    }
}

/// A security group, read live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecurityGroup {
    /// Its id.
    pub id: SecurityGroupId,
    /// Its name, unique in its VPC.
    pub name: String,
    /// The account that owns it. Only the owner can change it.
    pub owner: AccountId,
    /// Its VPC.
    pub vpc: Option<VpcId>,
    /// Its tags.
    pub tags: Tags,
    /// Its rules, both directions.
    pub rules: Vec<Rule>,
    /// Every prefix list that its ingress rules name.
    pub prefix_lists: BTreeMap<PrefixListId, PrefixList>,
}

impl SecurityGroup {
    /// Its ingress rules.
    pub fn ingress(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().filter(|rule| rule.direction == Direction::Ingress)
    }

    /// The blocks that a source stands for: one, a list's entries, or none for a group or a list that can't be read.
    #[must_use]
    pub fn blocks<'a>(&'a self, source: &'a Source) -> &'a [Cidr] {
        match source {
            Source::Cidr(cidr) => std::slice::from_ref(cidr),
            Source::PrefixListId(id) => self.prefix_lists.get(id).and_then(|list| list.entries.as_deref().ok()).unwrap_or_default(),
            Source::ReferencedGroup(_) => &[],
        }
    }

    /// How many rules of this family the source counts as against the quota. A group counts once in each family, a prefix list by its
    /// weight in its own, or in both where its family is not known ("Amazon VPC quotas", security groups).
    #[must_use]
    pub fn weight(&self, source: &Source, family: Family) -> usize {
        match source {
            Source::Cidr(cidr) => usize::from(cidr.family() == family),
            Source::ReferencedGroup(_) => 1,
            Source::PrefixListId(id) => match self.prefix_lists.get(id) {
                Some(list) if list.family().is_none_or(|its| its == family) => list.weight,
                Some(_) => 0,
                None => 1,
            },
        }
    }
}
