//! # deny-source
//!
//! **What it does.** Denies an attacking source for a while: in the network ACLs of the subnets that it attacks, or of every subnet that the
//! internet reaches, and in WAF IP sets where there are some. `lift-denials` takes each denial back when its time has passed.
//!
//! **Why.** Who scans or tries passwords goes on until something stops it, and a security group has no deny. It is what teams do by hand at
//! three in the morning.
//!
//! **Example.** GuardDuty reports `198.51.100.7` trying SSH passwords: the ACL of the attacked subnet gets entry 89, which denies it all
//! traffic, and a tag that says until when.
//!
//! **Instead**, close the port (`revoke-admin-ingress`), or put what must be public behind something that expects attacks. A network ACL has
//! room for a dozen sources; an IP set for thousands.
//!
//! Never denied, wholly or in part: what is not public, what the account itself uses or is connected to, AWS's own addresses, and what
//! the operator names. Entries that Palisade did not make are never touched.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use jiff::{SignedDuration, Timestamp};

use crate::address::{AddressSet, public};
use crate::change::{AclEntryChange, ApplyError, Change, IpSetChange, State, TagChange, TagRemoval};
use crate::cidr::{Cidr, Family};
use crate::denial;
use crate::exemption::Exemption;
use crate::guardrail::Guardrail;
use crate::id::Excerpt;
use crate::ip_set::IpSet;
use crate::network_acl::{AclEntry, Action, NetworkAcl};
use crate::plan::{Fate, Plan, Sketch, SketchLine, Verdict};
use crate::security_group::{Direction, is_reserved};
use crate::traffic::Traffic;

/// The number above those that anybody can give to an entry: EC2's own last entries.
const LAST: u16 = 32767;
/// The most tags that a resource can have ("Tag restrictions", Amazon EC2 user guide).
const MOST_TAGS: usize = 50;
/// The most blocks that an IP set can hold (WAF developer guide, "IP set match").
const MOST_ADDRESSES: usize = 10_000;
/// The widest blocks that are denied.
const WIDEST: [u8; 2] = [24, 48];

/// What the operator wants.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Blocks that are never denied.
    pub never: Vec<Cidr>,
    /// How long a denial lasts.
    pub deny_for: SignedDuration,
    /// The entry numbers that Palisade may use.
    pub numbers: RangeInclusive<u16>,
    /// Entries of one family and direction that an ACL may hold, the default entry counted.
    pub quota: usize,
    /// Whether exemption tags count.
    pub exemptions: bool,
}

/// Somebody whom no denial may touch, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Friend {
    /// Its addresses.
    pub block: Cidr,
    /// What it is, such as `the VPC vpc-…`.
    pub what: String,
}

/// A source that is to be denied, and everything that this concerns, read live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denying {
    /// Who.
    pub source: Cidr,
    /// Whether traffic to it is denied too.
    pub both_ways: bool,
    /// Why, for the tag.
    pub cause: String,
    /// The network ACLs to deny it in.
    pub acls: Vec<NetworkAcl>,
    /// The IP sets of its family, in the order of the setting. Those that can't be used have a reason instead.
    pub ip_sets: Vec<Result<IpSet, String>>,
    /// Whom no denial may touch.
    pub friends: Vec<Friend>,
}

impl State for Denying {
    fn shows(&self, change: &Change) -> bool {
        self.acls.iter().any(|acl| acl.shows(change)) || self.ip_sets.iter().flatten().any(|set| set.shows(change))
    }

    fn make(&mut self, change: &Change) -> Result<(), ApplyError> {
        for acl in &mut self.acls {
            match acl.make(change) {
                Err(ApplyError::OtherResource) => {}
                done => return done,
            }
        }
        for set in self.ip_sets.iter_mut().flatten() {
            match set.make(change) {
                Err(ApplyError::OtherResource) => {}
                done => return done,
            }
        }
        Err(ApplyError::OtherResource)
    }
}

/// What is denied, for how long, and where there is room.
#[derive(Debug, Clone)]
pub struct Policy {
    settings: Settings,
}

/// What one ACL needs, and the model of it with that done.
struct Draft {
    acl: NetworkAcl,
    changes: Vec<Change>,
    remarks: Vec<String>,
}

impl Draft {
    fn make(&mut self, change: Change) {
        // The model can't refuse what was planned on it.
        let _ = self.acl.make(&change);
        self.changes.push(change);
    }
}

/// When it is, and until when to deny.
#[derive(Clone, Copy)]
struct Time {
    now: Timestamp,
    until: Timestamp,
}

/// Why there is no room in an ACL.
enum Full {
    Numbers,
    Quota,
    Tags,
}

impl Policy {
    /// The policy of these settings.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { settings }
    }

    /// Decides about one source. `refusals` is how often EC2 has said that an ACL is full: its quota is taken to be so much less.
    #[must_use]
    pub fn plan(&self, denying: &Denying, now: Timestamp, refusals: usize) -> Plan {
        let plan = |verdict, reason: String, remarks, changes| Plan {
            verdict,
            reason,
            remarks,
            changes,
            unread: None,
            exposure: 0,
            sketch: Sketch::default(),
        };
        let Denying { source, .. } = denying;
        if let Some(why) = self.never(denying) {
            return plan(Verdict::Refused, format!("{source} is never denied: {why}"), Vec::new(), Vec::new());
        }
        if denying.acls.is_empty() && denying.ip_sets.is_empty() {
            let reason =
                format!("{source} attacks, but no network ACL guards a subnet that the internet reaches, and no IP set is configured");
            return plan(Verdict::Refused, reason, Vec::new(), Vec::new());
        }

        let until = denial::whole_seconds(now.saturating_add(self.settings.deny_for).unwrap_or(Timestamp::MAX));
        let (mut changes, mut remarks, mut refused, mut exempt) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for acl in &denying.acls {
            let exemptions = self.exemptions(acl, *source, now);
            for (exemption, whom) in exemptions.iter().zip([acl.id.to_string(), format!("{source} in {}", acl.id)]) {
                match exemption {
                    Exemption::Valid { until, reason } => {
                        remarks.push(format!("{whom} is exempt until {until}: {reason}"));
                        exempt.push(*until);
                    }
                    Exemption::Invalid { why } => remarks.push(format!("the exemption tag of {whom} does not count: {why}")),
                    Exemption::None => {}
                }
            }
            if exemptions.iter().any(|exemption| matches!(exemption, Exemption::Valid { .. })) {
                continue;
            }
            match self.in_acl(denying, acl, Time { now, until }, refusals) {
                Ok(draft) => {
                    changes.extend(draft.changes);
                    remarks.extend(draft.remarks);
                }
                Err(why) => refused.push(why),
            }
        }
        match self.in_ip_sets(denying, now) {
            _ if self.exempt_everywhere(denying, now).is_some() => {}
            Ok(change) => changes.extend(change),
            Err(why) => refused.push(why),
        }

        let sketch = sketch(denying, &changes);
        if !changes.is_empty() {
            let in_acls = changes.iter().any(|change| matches!(change, Change::PutTag(_)));
            remarks
                .splice(..0, in_acls.then(|| format!("the denial in network ACLs is to end at {until}, when lift-denials takes it back")));
            remarks.extend(refused);
            return Plan { sketch, ..plan(Verdict::Change, format!("{source} attacks"), remarks, changes) };
        }
        if !refused.is_empty() {
            return plan(Verdict::Refused, format!("{source} attacks, but {}", refused.join("; ")), remarks, changes);
        }
        if let Some(until) = exempt.iter().min() {
            return plan(Verdict::Exempt { until: *until }, format!("{source} attacks, exempt until {until}"), remarks, changes);
        }
        plan(Verdict::Compliant, format!("{source} is denied already"), remarks, changes)
    }

    /// Why the source must not be denied.
    fn never(&self, denying: &Denying) -> Option<String> {
        let source = denying.source;
        let family = source.family();
        let [v4, v6] = WIDEST;
        let widest = if family == Family::V4 { v4 } else { v6 };
        let mapped = Cidr::canonical("::ffff:0.0.0.0/96").is_ok_and(|mapped| mapped.contains(&source));
        if mapped {
            return Some("it is an IPv4-mapped IPv6 address, which nobody sends from".to_owned());
        }
        if source.prefix() < widest {
            return Some(format!("it is wider than a /{widest}"));
        }
        if !AddressSet::of(family, [&source]).without(&public(family)).is_empty() {
            return Some("it is not public".to_owned());
        }
        let overlaps = |block: &Cidr| block.contains(&source) || source.contains(block);
        if let Some(block) = self.settings.never.iter().find(|block| overlaps(block)) {
            return Some(format!("PALISADE_NEVER_DENY names {block}"));
        }
        let friend = denying.friends.iter().find(|friend| overlaps(&friend.block))?;
        Some(format!("{} belongs to {}", friend.block, friend.what))
    }

    /// An ACL may be exempt whole, and for one source: what its tags say of the one, and of the other. That one does not count says nothing
    /// about the other.
    fn exemptions(&self, acl: &NetworkAcl, source: Cidr, now: Timestamp) -> Vec<Exemption> {
        if !self.settings.exemptions {
            return Vec::new();
        }
        let keys = [Guardrail::DenySource.exemption_key(), exemption_key(source)];
        keys.iter().map(|key| Exemption::under(key, &acl.tags, now)).collect()
    }

    /// Until when the source itself is exempt, by the tag of any of the ACLs: then no IP set takes it either, for an IP set has no tags of
    /// its own that Palisade reads.
    fn exempt_everywhere(&self, denying: &Denying, now: Timestamp) -> Option<Timestamp> {
        let key = exemption_key(denying.source);
        let ends = denying.acls.iter().filter_map(|acl| match Exemption::under(&key, &acl.tags, now) {
            Exemption::Valid { until, .. } => Some(until),
            _ => None,
        });
        ends.filter(|_| self.settings.exemptions).max()
    }

    fn in_acl(&self, denying: &Denying, acl: &NetworkAcl, time: Time, refusals: usize) -> Result<Draft, String> {
        let mut draft = Draft { acl: acl.clone(), changes: Vec::new(), remarks: Vec::new() };
        let directions = if denying.both_ways { &[Direction::Ingress, Direction::Egress][..] } else { &[Direction::Ingress][..] };
        for direction in directions {
            self.in_direction(denying, *direction, &mut draft, time, refusals)?;
        }
        Ok(draft)
    }

    fn in_direction(&self, denying: &Denying, direction: Direction, draft: &mut Draft, time: Time, refusals: usize) -> Result<(), String> {
        let source = denying.source;
        let id = draft.acl.id.clone();
        let key = denial::key(direction, source);
        let remembered = draft.acl.tags.get(&key).cloned();
        let below = first_allow(&draft.acl, direction, source);
        let exact: Vec<u16> = self.denials(&draft.acl, direction, source);
        let entry = |rule_number| AclEntryChange { acl_id: id.clone(), direction, rule_number, cidr: source };
        let value = denial::value(source, time.until, &denying.cause);
        let tag = Change::PutTag(TagChange { resource: id.to_string(), key: key.clone(), value, previous: remembered.clone() });
        // Less than a tenth more is not worth a write: the same event comes twice, and GuardDuty repeats itself.
        let end = remembered.as_deref().and_then(|value| denial::read_value(value, source));
        let worth_a_tag = end.is_none_or(|end| end.duration_until(time.until) > self.settings.deny_for / 10);

        if let Some(number) = exact.iter().find(|number| **number < below) {
            if remembered.is_none() {
                // Somebody else denies it, for good: a tag of ours would have that lifted.
                draft.remarks.push(format!("entry {number} of {id}, which is not Palisade's, denies it already"));
            } else if worth_a_tag {
                draft.make(tag);
            }
            return Ok(());
        }
        if let (None, Some(number)) = (&remembered, exact.first()) {
            // Whoever lifts ours could not tell the two apart.
            return Err(format!("entry {number} of {id} denies it too late, has one of Palisade's numbers, and is not Palisade's"));
        }
        if remembered.is_some() {
            // An entry of ours that a later allow has overtaken denies no more: it moves, and needs no more room than it has.
            exact.into_iter().for_each(|number| draft.make(Change::DeleteAclEntry(entry(number))));
        }
        loop {
            let full = match self.room(&draft.acl, direction, source, below, refusals) {
                Ok(number) => {
                    if worth_a_tag {
                        draft.make(tag);
                    }
                    draft.make(Change::PutAclEntry(entry(number)));
                    return Ok(());
                }
                Err(full) => full,
            };
            let Some((end, of, victim)) = self.victim(&draft.acl, direction, source, below, &full) else {
                return Err(match full {
                    Full::Numbers => format!(
                        "{id} has no free entry number from {} to {} before the first entry that allows it",
                        self.settings.numbers.start(),
                        self.settings.numbers.end()
                    ),
                    Full::Quota => format!("{id} has no room for another entry (PALISADE_ACL_QUOTA is {})", self.settings.quota),
                    Full::Tags => format!("{id} has {MOST_TAGS} tags already"),
                });
            };
            let ends = match end.filter(|end| *end > time.now) {
                Some(end) => format!("which of those would have ended soonest, at {end}"),
                None => "which had ended".to_owned(),
            };
            draft.remarks.push(format!("the denial of {victim} in {id}, {ends}, made room"));
            forget(&draft.acl, of, victim, &self.settings.numbers).into_iter().for_each(|change| draft.make(change));
        }
    }

    /// The numbers, among ours, of the entries that deny exactly this.
    fn denials(&self, acl: &NetworkAcl, direction: Direction, source: Cidr) -> Vec<u16> {
        denials(acl, direction, source, &self.settings.numbers)
    }

    /// The number that a new entry gets: the highest that is free, ours, and below the first entry that allows the source anything.
    fn room(&self, acl: &NetworkAcl, direction: Direction, source: Cidr, below: u16, refusals: usize) -> Result<u16, Full> {
        let taken: BTreeSet<u16> = acl.entries.iter().filter(|entry| entry.direction == direction).map(|entry| entry.number).collect();
        let number = self.settings.numbers.clone().rev().find(|number| *number < below && !taken.contains(number)).ok_or(Full::Numbers)?;
        let of_family = |entry: &&AclEntry| entry.direction == direction && entry.cidr.family() == source.family();
        let entries = acl.entries.iter().filter(of_family).filter(|entry| entry.number < LAST).count();
        // EC2's own last entry counts too, whether it is listed or not.
        if entries + 1 + 1 > self.settings.quota.saturating_sub(refusals) {
            return Err(Full::Quota);
        }
        let tags = acl.tags.keys().filter(|key| !is_reserved(key)).count();
        if !acl.tags.contains_key(&denial::key(direction, source)) && tags + 1 > MOST_TAGS {
            return Err(Full::Tags);
        }
        Ok(number)
    }

    /// Of our denials whose removal helps, the one that ends soonest. One whose end can't be read ends first of all.
    fn victim(
        &self,
        acl: &NetworkAcl,
        direction: Direction,
        source: Cidr,
        below: u16,
        full: &Full,
    ) -> Option<(Option<Timestamp>, Direction, Cidr)> {
        let helps = |of: Direction, victim: Cidr| {
            let numbers = self.denials(acl, of, victim);
            match full {
                Full::Numbers => of == direction && numbers.iter().any(|number| *number < below),
                Full::Quota => of == direction && victim.family() == source.family() && !numbers.is_empty(),
                Full::Tags => true,
            }
        };
        acl.tags
            .iter()
            .filter_map(|(key, value)| {
                let (of, victim) = denial::read_key(key)?;
                (victim != source && helps(of, victim)).then(|| (denial::read_value(value, victim), of, victim))
            })
            .min()
    }

    /// IP sets take turns. The one whose end is far enough away takes more; else the first that has ended is used anew.
    fn in_ip_sets(&self, denying: &Denying, now: Timestamp) -> Result<Option<Change>, String> {
        let n = i32::try_from(denying.ip_sets.len()).unwrap_or(i32::MAX);
        if n == 0 {
            return Ok(None);
        }
        let mut unusable = Vec::new();
        let mut usable: Vec<(&IpSet, Option<Timestamp>)> = Vec::new();
        for set in &denying.ip_sets {
            match set {
                Err(why) => unusable.push(why.clone()),
                Ok(set) => match denial::read_description(&set.description) {
                    None if !set.addresses.is_empty() => unusable.push(format!("{} holds addresses that are not Palisade's", set.arn)),
                    end => usable.push((set, end)),
                },
            }
        }
        let far = now.saturating_add(self.settings.deny_for).unwrap_or(Timestamp::MAX);
        // A tenth of grace, so that the same event a second later finds the set that it wrote.
        let far_enough = |end: Timestamp| far.duration_until(end) >= -(self.settings.deny_for / 10);
        let source = denying.source;
        if usable.iter().any(|(set, end)| set.addresses.contains(&source) && end.is_some_and(far_enough)) {
            return Ok(None);
        }
        let with_room = |set: &IpSet| set.addresses.len() < MOST_ADDRESSES;
        let merging = usable.iter().find(|(set, end)| end.is_some_and(|end| end >= far) && with_room(set));
        if let Some((set, _)) = merging {
            return Ok(Some(Change::UpdateIpSet(IpSetChange {
                arn: set.arn.clone(),
                add: vec![source],
                remove: Vec::new(),
                description: set.description.clone(),
                previous_description: set.description.clone(),
            })));
        }
        let Some((set, _)) = usable.iter().find(|(_, end)| end.is_none_or(|end| end <= now)) else {
            unusable.push("no IP set has ended yet, and none lasts long enough".to_owned());
            return Err(unusable.join("; "));
        };
        let turn = if n > 1 { self.settings.deny_for.checked_mul(n).map(|all| all / (n - 1)) } else { Some(self.settings.deny_for) };
        let end = turn.and_then(|turn| now.saturating_add(turn).ok()).unwrap_or(Timestamp::MAX);
        let end = denial::whole_seconds(end);
        Ok(Some(Change::UpdateIpSet(IpSetChange {
            arn: set.arn.clone(),
            add: if set.addresses.contains(&source) { Vec::new() } else { vec![source] },
            remove: set.addresses.iter().filter(|block| **block != source).copied().collect(),
            description: denial::description(end),
            previous_description: set.description.clone(),
        })))
    }
}

/// The key of the tag on a network ACL that exempts this one source.
#[must_use]
pub fn exemption_key(source: Cidr) -> String {
    format!("{}:{source}", Guardrail::DenySource.exemption_key())
}

/// The number of the first entry that allows the source anything, or that of EC2's own last entry.
pub(crate) fn first_allow(acl: &NetworkAcl, direction: Direction, source: Cidr) -> u16 {
    let allows = |entry: &&AclEntry| {
        entry.direction == direction && entry.action == Action::Allow && (entry.cidr.contains(&source) || source.contains(&entry.cidr))
    };
    acl.entries.iter().filter(allows).map(|entry| entry.number).min().unwrap_or(LAST)
}

/// The numbers, of these, of the entries that deny exactly this source all traffic.
pub(crate) fn denials(acl: &NetworkAcl, direction: Direction, source: Cidr, numbers: &RangeInclusive<u16>) -> Vec<u16> {
    let is_one = |entry: &&AclEntry| {
        entry.direction == direction
            && entry.action == Action::Deny
            && entry.traffic == Traffic::All
            && entry.cidr == source
            && numbers.contains(&entry.number)
    };
    let mut found: Vec<u16> = acl.entries.iter().filter(is_one).map(|entry| entry.number).collect();
    found.sort_unstable();
    found
}

/// What ends a denial: its entry first, then its tag, so that no entry is ever left that nobody would lift.
pub(crate) fn forget(acl: &NetworkAcl, direction: Direction, source: Cidr, numbers: &RangeInclusive<u16>) -> Vec<Change> {
    let entry = |rule_number| Change::DeleteAclEntry(AclEntryChange { acl_id: acl.id.clone(), direction, rule_number, cidr: source });
    let mut changes: Vec<Change> = denials(acl, direction, source, numbers).into_iter().map(entry).collect();
    let key = denial::key(direction, source);
    if let Some(value) = acl.tags.get(&key) {
        changes.push(Change::DeleteTag(TagRemoval { resource: acl.id.to_string(), key, value: value.clone() }));
    }
    changes
}

fn sketch(denying: &Denying, changes: &[Change]) -> Sketch {
    let mut lines = Vec::new();
    let mut line = |fate, entry: &AclEntry, acl: &NetworkAcl| {
        let way = if entry.direction == Direction::Ingress { "in" } else { "out" };
        let number = if entry.number >= LAST { "*".to_owned() } else { entry.number.to_string() };
        let what = format!("{} {}", entry.action, entry.traffic);
        lines.push(SketchLine { fate, cells: vec![acl.id.to_string(), way.to_owned(), number, what, entry.cidr.to_string()] });
    };
    for acl in &denying.acls {
        let (mut gone, mut new) = (Vec::new(), Vec::new());
        for change in changes {
            match change {
                Change::DeleteAclEntry(change) if change.acl_id == acl.id => gone.push(AclEntry::of(change)),
                Change::PutAclEntry(change) if change.acl_id == acl.id => new.push(AclEntry::of(change)),
                _ => {}
            }
        }
        if gone.is_empty() && new.is_empty() {
            continue;
        }
        gone.iter().for_each(|entry| line(Fate::Removed, entry, acl));
        new.iter().for_each(|entry| line(Fate::Added, entry, acl));
        let mut kept: Vec<&AclEntry> = acl.entries.iter().filter(|entry| !gone.contains(entry)).collect();
        kept.sort();
        kept.into_iter().for_each(|entry| line(Fate::Kept, entry, acl));
    }
    for change in changes {
        if let Change::UpdateIpSet(change) = change {
            let name = Excerpt(change.arn.parts().name).to_string();
            let blocks = |fate, of: &[Cidr], lines: &mut Vec<SketchLine>| {
                lines.extend(of.iter().map(|block| SketchLine { fate, cells: vec![name.clone(), block.to_string()] }));
            };
            blocks(Fate::Removed, &change.remove, &mut lines);
            blocks(Fate::Added, &change.add, &mut lines);
        }
    }
    Sketch { name: None, title: "Entries and IP sets", lines }
}
