//! A plain model of network ACLs: one packet, one entry, whole numbers. It shares no code with the policies, so that they can disagree.

#![allow(dead_code, reason = "each of the test files that share it uses its part")]

pub(crate) mod cases;
#[allow(dead_code, reason = "each of the files that share it uses its part")]
pub(crate) mod laws;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::ops::RangeInclusive;

use jiff::{SignedDuration, Timestamp};
use palisade_policy::cidr::{Cidr, Family};
use palisade_policy::deny_source::Denying;
use palisade_policy::ip_set::IpSet;
use palisade_policy::network_acl::{AclEntry, Action, NetworkAcl};
use palisade_policy::plan::Plan;
use palisade_policy::security_group::{Direction, Tags};
use palisade_policy::traffic::{Traffic, Transport};

/// The lowest number of EC2's own last entries.
pub(crate) const LAST: u16 = 32767;

/// One packet; `address` is of the far end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Packet {
    pub(crate) direction: Direction,
    pub(crate) family: Family,
    pub(crate) address: u128,
    pub(crate) protocol: u8,
    pub(crate) port: u16,
    pub(crate) icmp: (u8, u8),
}

/// Addresses from the first to the last, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) family: Family,
    pub(crate) first: u128,
    pub(crate) last: u128,
}

impl Span {
    /// Read from the text of the block.
    pub(crate) fn of(cidr: Cidr) -> Self {
        let text = cidr.to_string();
        let (address, prefix) = text.split_once('/').unwrap();
        let (family, first, bits) = match address.parse().unwrap() {
            IpAddr::V4(address) => (Family::V4, u128::from(u32::from(address)), 32),
            IpAddr::V6(address) => (Family::V6, u128::from(address), 128),
        };
        let free: u32 = bits - prefix.parse::<u32>().unwrap();
        Self { family, first, last: first | 1_u128.checked_shl(free).map_or(u128::MAX, |size| size - 1) }
    }

    pub(crate) fn holds(&self, family: Family, address: u128) -> bool {
        self.family == family && self.first <= address && address <= self.last
    }

    pub(crate) fn overlaps(&self, other: &Span) -> bool {
        self.family == other.family && self.first <= other.last && other.first <= self.last
    }
}

/// The entries of an ACL, spelled out.
pub(crate) struct PlainAcl(Vec<(AclEntry, Span)>);

impl PlainAcl {
    pub(crate) fn new(acl: &NetworkAcl) -> Self {
        let mut entries: Vec<_> = acl.entries.iter().map(|entry| (entry.clone(), Span::of(entry.cidr))).collect();
        entries.sort_by_key(|(entry, _)| entry.number);
        Self(entries)
    }

    /// The first entry that matches decides, and where none does, the packet is dropped.
    pub(crate) fn admits(&self, packet: &Packet) -> bool {
        let first = self.0.iter().find(|(entry, span)| {
            entry.direction == packet.direction && span.holds(packet.family, packet.address) && is_of(entry.traffic, packet)
        });
        first.is_some_and(|(entry, _)| entry.action == Action::Allow)
    }
}

fn is_of(traffic: Traffic, packet: &Packet) -> bool {
    let icmp =
        |kind: Option<u8>, code: Option<u8>| kind.is_none_or(|kind| kind == packet.icmp.0) && code.is_none_or(|code| code == packet.icmp.1);
    match traffic {
        Traffic::All => true,
        Traffic::Ports(transport, ports) => {
            let protocol = if transport == Transport::Tcp { 6 } else { 17 };
            packet.protocol == protocol && ports.first() <= packet.port && packet.port <= ports.last()
        }
        Traffic::Icmp(its) => packet.protocol == 1 && icmp(its.kind, its.code),
        Traffic::Icmpv6(its) => packet.protocol == 58 && icmp(its.kind, its.code),
        Traffic::Other(protocol) => packet.protocol == protocol,
    }
}

/// Packets at and beside every edge of the entries, of every protocol and port that some entry tells apart.
pub(crate) fn packets(acl: &NetworkAcl, source: Cidr) -> Vec<Packet> {
    let mut addresses = BTreeSet::new();
    let mut kinds = BTreeSet::from([(6_u8, 22_u16, (0_u8, 0_u8)), (17, 53, (0, 0)), (1, 0, (8, 0)), (58, 0, (128, 0)), (47, 0, (0, 0))]);
    for cidr in acl.entries.iter().map(|entry| entry.cidr).chain([source]) {
        let Span { family, first, last } = Span::of(cidr);
        let most = if family == Family::V4 { u128::from(u32::MAX) } else { u128::MAX };
        for address in [first, first.midpoint(last), last, first.saturating_sub(1), last.saturating_add(1).min(most)] {
            addresses.insert((family, address));
        }
    }
    for entry in &acl.entries {
        match entry.traffic {
            Traffic::All => {}
            Traffic::Ports(transport, ports) => {
                let protocol = if transport == Transport::Tcp { 6 } else { 17 };
                kinds.extend([(protocol, ports.first(), (0, 0)), (protocol, ports.last(), (0, 0))]);
            }
            Traffic::Icmp(icmp) => drop(kinds.insert((1, 0, (icmp.kind.unwrap_or(3), icmp.code.unwrap_or(1))))),
            Traffic::Icmpv6(icmp) => drop(kinds.insert((58, 0, (icmp.kind.unwrap_or(3), icmp.code.unwrap_or(1))))),
            Traffic::Other(protocol) => drop(kinds.insert((protocol, 0, (0, 0)))),
        }
    }
    let mut packets = Vec::new();
    for direction in [Direction::Ingress, Direction::Egress] {
        for (family, address) in &addresses {
            for (protocol, port, icmp) in &kinds {
                let (family, address, protocol, port, icmp) = (*family, *address, *protocol, *port, *icmp);
                packets.push(Packet { direction, family, address, protocol, port, icmp });
            }
        }
    }
    packets
}

/// The key of the tag that remembers a denial.
pub(crate) fn tag_key(direction: Direction, source: Cidr) -> String {
    let way = if direction == Direction::Ingress { "in" } else { "out" };
    format!("palisade:deny:{way}:{source}")
}

/// A denial that a tag remembers, and until when; no end where the tag doesn't say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Remembered {
    pub(crate) key: String,
    pub(crate) direction: Direction,
    pub(crate) source: Cidr,
    pub(crate) end: Option<Timestamp>,
}

/// The denials that the tags remember, in the spelling of `tag_key` and no other.
pub(crate) fn remembered(tags: &Tags) -> Vec<Remembered> {
    tags.iter()
        .filter_map(|(key, value)| {
            let rest = key.strip_prefix("palisade:deny:")?;
            let direction = if rest.starts_with("in:") { Direction::Ingress } else { Direction::Egress };
            let source: Cidr = rest.split_once(':')?.1.parse().ok()?;
            (tag_key(direction, source) == *key).then(|| {
                let words: Vec<&str> = value.split(' ').collect();
                let end = match words.as_slice() {
                    [its, "until", end, ..] if *its == source.to_string() && end.len() == 20 => end.parse().ok(),
                    _ => None,
                };
                Remembered { key: key.clone(), direction, source, end }
            })
        })
        .collect()
}

/// An entry that denies exactly this source all traffic under one of the numbers.
pub(crate) fn denies_exactly(entry: &AclEntry, direction: Direction, source: Cidr, numbers: &RangeInclusive<u16>) -> bool {
    let its = (entry.direction, entry.action, entry.traffic, entry.cidr);
    its == (direction, Action::Deny, Traffic::All, source) && *numbers.start() <= entry.number && entry.number <= *numbers.end()
}

/// Whether the entry is a denial that a tag of the ACL remembers.
pub(crate) fn is_ours(acl: &NetworkAcl, entry: &AclEntry, numbers: &RangeInclusive<u16>) -> bool {
    denies_exactly(entry, entry.direction, entry.cidr, numbers) && acl.tags.contains_key(&tag_key(entry.direction, entry.cidr))
}

/// The ACL without its denials and their tags, its entries in order.
pub(crate) fn without_ours(acl: &NetworkAcl, numbers: &RangeInclusive<u16>) -> NetworkAcl {
    let mut foreign = acl.clone();
    foreign.entries.retain(|entry| !is_ours(acl, entry, numbers));
    remembered(&acl.tags).iter().for_each(|denial| drop(foreign.tags.remove(&denial.key)));
    foreign.entries.sort();
    foreign
}

pub(crate) fn sorted(acl: &NetworkAcl) -> NetworkAcl {
    let mut acl = acl.clone();
    acl.entries.sort();
    acl
}

/// As they are after undoing: the order of entries and addresses says nothing.
pub(crate) fn sorted_all(denying: &Denying) -> Denying {
    let mut denying = denying.clone();
    denying.acls = denying.acls.iter().map(sorted).collect();
    denying.ip_sets.iter_mut().flatten().for_each(|set| set.addresses.sort());
    denying
}

/// The number of the first entry that allows any of the source anything; that of EC2's own last entry where there is none.
pub(crate) fn first_allow(acl: &NetworkAcl, direction: Direction, source: Cidr) -> u16 {
    let source = Span::of(source);
    let allows = acl.entries.iter().filter(|entry| entry.direction == direction && entry.action == Action::Allow);
    allows.filter(|entry| Span::of(entry.cidr).overlaps(&source)).map(|entry| entry.number).min().unwrap_or(LAST)
}

/// The entries that count towards the quota, EC2's own last one too.
pub(crate) fn counted(acl: &NetworkAcl, direction: Direction, family: Family) -> usize {
    let counts = |entry: &&AclEntry| entry.direction == direction && entry.cidr.family() == family && entry.number < LAST;
    1 + acl.entries.iter().filter(counts).count()
}

/// The tags that count towards the fifty.
pub(crate) fn counted_tags(tags: &Tags) -> usize {
    tags.keys().filter(|key| !key.to_lowercase().starts_with("aws:")).count()
}

/// Everything that the plan says.
pub(crate) fn said(plan: &Plan) -> String {
    format!("{}\n{}", plan.reason, plan.remarks.join("\n"))
}

/// Whether the plan says that it won't deny the source in this ACL.
pub(crate) fn is_told_refused(plan: &Plan, acl: &NetworkAcl) -> bool {
    let id = &acl.id;
    let why = [
        format!("{id} has no free entry number"),
        format!("{id} has no room for another entry"),
        format!("{id} has 50 tags already"),
        format!("of {id} denies it too late"),
    ];
    why.iter().any(|why| said(plan).contains(why))
}

/// Whether all of it may send on the internet: none of it is in a special-purpose range.
pub(crate) fn is_public(span: &Span) -> bool {
    let special = [
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "::/8",
        "64:ff9b:1::/48",
        "100::/64",
        "fc00::/7",
        "fe80::/10",
        "ff00::/8",
    ];
    !special.iter().any(|block| Span::of(block.parse().unwrap()).overlaps(span))
}

/// The end that a set's description gives.
pub(crate) fn set_end(set: &IpSet) -> Option<Timestamp> {
    set.description.strip_prefix("palisade until=")?.parse().ok()
}

pub(crate) fn minutes(minutes: i64) -> SignedDuration {
    SignedDuration::from_mins(minutes)
}
