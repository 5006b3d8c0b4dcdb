//! # lift-denials
//!
//! **What it does.** Takes back what `deny-source` denied, when its time has passed: the entry of the network ACL, then the tag that
//! remembered it; and empties WAF IP sets whose time has passed.
//!
//! **Why.** Addresses change hands. A denial that nobody lifts fills the ACL, and one day keeps out a customer.
//!
//! **Example.** The tag `palisade:deny:in:198.51.100.7/32` says `198.51.100.7/32 until 2026-11-21T08:00:00Z`. At a quarter past, entry 89,
//! which denies exactly that source, goes, and the tag after it.
//!
//! **Instead** of waiting, delete the entry and the tag by hand; nothing else remembers the denial.
//!
//! An entry that no tag names is never touched, nor one outside the numbers that Palisade may use, nor one that denies anything else.
//!
//! Nothing is exempt from it. An exemption leaves things as their owner made them, and a denial is Palisade's: one that never ended would be
//! more than anybody was shown. To keep a source out for longer, deny it again, or make an entry of your own.

use std::ops::RangeInclusive;

use jiff::Timestamp;

use crate::change::{ApplyError, Change, IpSetChange, State};
use crate::denial;
use crate::deny_source::forget;
use crate::guardrail::Guardrail;
use crate::ip_set::IpSet;
use crate::network_acl::{AclEntry, NetworkAcl};
use crate::plan::{Fate, Plan, Sketch, SketchLine, Verdict};
use crate::security_group::Direction;

/// Something that may hold denials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lifting {
    /// A network ACL.
    Acl(NetworkAcl),
    /// An IP set.
    IpSet(IpSet),
}

impl State for Lifting {
    fn shows(&self, change: &Change) -> bool {
        match self {
            Lifting::Acl(acl) => acl.shows(change),
            Lifting::IpSet(set) => set.shows(change),
        }
    }

    fn make(&mut self, change: &Change) -> Result<(), ApplyError> {
        match self {
            Lifting::Acl(acl) => acl.make(change),
            Lifting::IpSet(set) => set.make(change),
        }
    }
}

/// What is lifted.
#[derive(Debug, Clone)]
pub struct Policy {
    numbers: RangeInclusive<u16>,
}

impl Policy {
    /// The policy for these entry numbers.
    #[must_use]
    pub fn new(numbers: RangeInclusive<u16>) -> Self {
        Self { numbers }
    }

    /// Decides about one network ACL or IP set.
    #[must_use]
    pub fn plan(&self, lifting: &Lifting, now: Timestamp) -> Plan {
        let (changes, remarks, sketch) = match lifting {
            Lifting::Acl(acl) => self.in_acl(acl, now),
            Lifting::IpSet(set) => in_ip_set(set, now),
        };
        let (verdict, reason) = match changes.as_slice() {
            [] => (Verdict::Compliant, "no denial has ended".to_owned()),
            _ => (Verdict::Change, "denials have ended".to_owned()),
        };
        Plan { verdict, reason, remarks, changes, unread: None, exposure: 0, sketch }
    }

    fn in_acl(&self, acl: &NetworkAcl, now: Timestamp) -> (Vec<Change>, Vec<String>, Sketch) {
        let (mut changes, mut remarks, mut lines) = (Vec::new(), Vec::new(), Vec::new());
        for (key, value) in acl.tags.iter().filter(|(key, _)| denial::is_key(key)) {
            // A key that can't be read names no entry; whoever made it may tell what it is for.
            let Some((direction, source)) = denial::read_key(key) else { continue };
            let end = denial::read_value(value, source);
            if end.is_some_and(|end| end > now) {
                continue;
            }
            if end.is_none() {
                remarks.push(format!("the tag {key} does not say until when, so the denial is lifted"));
            }
            for change in forget(acl, direction, source, &self.numbers) {
                if let Change::DeleteAclEntry(change) = &change {
                    let entry = AclEntry::of(change);
                    let way = if entry.direction == Direction::Ingress { "in" } else { "out" };
                    let cells = vec![way.to_owned(), entry.number.to_string(), format!("deny {}", entry.traffic), entry.cidr.to_string()];
                    lines.push(SketchLine { fate: Fate::Removed, cells });
                }
                changes.push(change);
            }
        }
        let key = Guardrail::LiftDenials.exemption_key();
        if !changes.is_empty() && acl.tags.contains_key(&key) {
            remarks.push(format!(
                "the tag {key} does not count: a denial ends when its own tag says so; deny the source again to keep it out"
            ));
        }
        (changes, remarks, Sketch { name: None, title: "Entries", lines })
    }
}

fn in_ip_set(set: &IpSet, now: Timestamp) -> (Vec<Change>, Vec<String>, Sketch) {
    let ended = denial::read_description(&set.description).is_some_and(|end| end <= now);
    if !ended || set.addresses.is_empty() {
        return (Vec::new(), Vec::new(), Sketch::default());
    }
    let lines = set.addresses.iter().map(|block| SketchLine { fate: Fate::Removed, cells: vec![block.to_string()] }).collect();
    let change = Change::UpdateIpSet(IpSetChange {
        arn: set.arn.clone(),
        add: Vec::new(),
        remove: set.addresses.clone(),
        description: set.description.clone(),
        previous_description: set.description.clone(),
    });
    (vec![change], Vec::new(), Sketch { name: Some(set.arn.parts().name.to_owned()), title: "Addresses", lines })
}
