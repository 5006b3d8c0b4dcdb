//! A plain model of what a security group admits: one packet, one rule, whole numbers. It shares no code with the policy, so that the
//! two can disagree.
#![allow(dead_code, reason = "each of the test files that share it uses its part")]

pub(crate) mod cases;
#[allow(dead_code, reason = "each of the files that share it uses its part")]
pub(crate) mod laws;

use std::collections::BTreeMap;
use std::net::IpAddr;

use palisade_policy::change::Change;
use palisade_policy::cidr::{Cidr, Family};
use palisade_policy::id::PrefixListId;
use palisade_policy::security_group::{Direction, PrefixList, Rule, SecurityGroup, Source};
use palisade_policy::traffic::{Traffic, Transport};

pub(crate) const ICMP: u8 = 1;
pub(crate) const TCP: u8 = 6;
pub(crate) const UDP: u8 = 17;
pub(crate) const ICMPV6: u8 = 58;

/// Addresses from the first to the last, both included.
pub(crate) type Span = (u128, u128);

/// Who sends a packet.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Sender {
    Address(Family, u128),
    Group(String),
}

/// What a packet is besides its sender: a protocol, and a port or an ICMP type and code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Kind {
    pub(crate) protocol: u8,
    pub(crate) port: u16,
    pub(crate) icmp: (u8, u8),
}

impl Kind {
    pub(crate) fn port(protocol: u8, port: u16) -> Self {
        Self { protocol, port, icmp: (0, 0) }
    }
}

/// A rule, spelled out.
#[derive(Debug, Clone)]
pub(crate) struct Plain {
    /// The rule that it spells out.
    pub(crate) rule: Rule,
    pub(crate) blocks: Vec<(Family, Span)>,
    protocol: Option<u8>,
    ports: (u16, u16),
    icmp: (Option<u8>, Option<u8>),
}

impl Plain {
    fn new(rule: &Rule, lists: &BTreeMap<PrefixListId, PrefixList>) -> Self {
        let blocks = match &rule.source {
            Source::Cidr(cidr) => vec![span(cidr)],
            Source::PrefixListId(id) => {
                lists.get(id).and_then(|list| list.entries.as_ref().ok()).map(|list| list.iter().map(span).collect()).unwrap_or_default()
            }
            Source::ReferencedGroup(_) => Vec::new(),
        };
        let mut plain = Self { rule: rule.clone(), blocks, protocol: None, ports: (0, 65535), icmp: (None, None) };
        match rule.traffic {
            Traffic::All => {}
            Traffic::Ports(transport, ports) => {
                plain.protocol = Some(if transport == Transport::Tcp { TCP } else { UDP });
                plain.ports = (ports.first(), ports.last());
            }
            Traffic::Icmp(icmp) => (plain.protocol, plain.icmp) = (Some(ICMP), (icmp.kind, icmp.code)),
            Traffic::Icmpv6(icmp) => (plain.protocol, plain.icmp) = (Some(ICMPV6), (icmp.kind, icmp.code)),
            Traffic::Other(number) => plain.protocol = Some(number),
        }
        plain
    }

    pub(crate) fn is_all_traffic(&self) -> bool {
        self.protocol.is_none()
    }

    /// The first and the last port, of a rule for a protocol that has ports.
    pub(crate) fn ports(&self) -> Option<(u16, u16)> {
        matches!(self.protocol, None | Some(TCP | UDP)).then_some(self.ports)
    }

    pub(crate) fn hears(&self, sender: &Sender) -> bool {
        match (sender, &self.rule.source) {
            (Sender::Address(family, number), _) => {
                self.blocks.iter().any(|(its, (first, last))| its == family && first <= number && number <= last)
            }
            (Sender::Group(id), Source::ReferencedGroup(group)) => group.group_id.as_str() == id,
            (Sender::Group(_), _) => false,
        }
    }

    pub(crate) fn takes(&self, kind: Kind) -> bool {
        match self.protocol {
            None => true,
            Some(protocol) if protocol != kind.protocol => false,
            Some(TCP | UDP) => self.ports.0 <= kind.port && kind.port <= self.ports.1,
            Some(ICMP | ICMPV6) => self.icmp.0.is_none_or(|its| its == kind.icmp.0) && self.icmp.1.is_none_or(|its| its == kind.icmp.1),
            Some(_) => true,
        }
    }

    pub(crate) fn admits(&self, sender: &Sender, kind: Kind) -> bool {
        self.takes(kind) && self.hears(sender)
    }

    /// Whether it takes every packet that the other takes.
    pub(crate) fn takes_all_of(&self, other: &Plain) -> bool {
        let any_or_same = |mine: Option<u8>, its: Option<u8>| mine.is_none() || mine == its;
        any_or_same(self.protocol, other.protocol)
            && self.ports.0 <= other.ports.0
            && other.ports.1 <= self.ports.1
            && any_or_same(self.icmp.0, other.icmp.0)
            && any_or_same(self.icmp.1, other.icmp.1)
    }

    /// Whether it stands for whoever the other stands for, now and later: a prefix list can change, so only itself does.
    pub(crate) fn covers_source_of(&self, other: &Plain) -> bool {
        match (&self.rule.source, &other.rule.source) {
            (Source::Cidr(_), Source::Cidr(_)) => {
                let ((its, (first, last)), (family, (low, high))) = (self.blocks[0], other.blocks[0]);
                its == family && first <= low && high <= last
            }
            (mine, its) => mine == its,
        }
    }
}

/// The ingress rules of a group, spelled out.
pub(crate) fn ingress(group: &SecurityGroup) -> Vec<Plain> {
    let rules = group.rules.iter().filter(|rule| rule.direction == Direction::Ingress);
    rules.map(|rule| Plain::new(rule, &group.prefix_lists)).collect()
}

pub(crate) fn admitted<'a>(rules: impl IntoIterator<Item = &'a Plain>, sender: &Sender, kind: Kind) -> bool {
    rules.into_iter().any(|rule| rule.admits(sender, kind))
}

/// The addresses of a block, read from its text.
pub(crate) fn span(cidr: &Cidr) -> (Family, Span) {
    let text = cidr.to_string();
    let (address, prefix) = text.split_once('/').unwrap();
    let prefix: u32 = prefix.parse().unwrap();
    let (family, first, bits) = match address.parse::<IpAddr>().unwrap() {
        IpAddr::V4(address) => (Family::V4, u128::from(u32::from(address)), 32),
        IpAddr::V6(address) => (Family::V6, u128::from(address), 128),
    };
    let host = bits - prefix;
    let ones = if host == 0 { 0 } else { u128::MAX >> (128 - host) };
    (family, (first, first | ones))
}

pub(crate) fn last_address(family: Family) -> u128 {
    if family == Family::V4 { 0xffff_ffff } else { u128::MAX }
}

/// The ranges that nobody on the internet can send from, after design §5, from the first address to the last.
const SPECIAL_V4: [(&str, &str); 11] = [
    ("0.0.0.0", "0.255.255.255"),
    ("10.0.0.0", "10.255.255.255"),
    ("100.64.0.0", "100.127.255.255"),
    ("127.0.0.0", "127.255.255.255"),
    ("169.254.0.0", "169.254.255.255"),
    ("172.16.0.0", "172.31.255.255"),
    ("192.0.0.0", "192.0.0.255"),
    ("192.168.0.0", "192.168.255.255"),
    ("198.18.0.0", "198.19.255.255"),
    ("224.0.0.0", "239.255.255.255"),
    ("240.0.0.0", "255.255.255.255"),
];
const SPECIAL_V6: [(&str, &str); 6] = [
    ("::", "ff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff"),
    ("100::", "100::ffff:ffff:ffff:ffff"),
    ("fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
];

fn special(family: Family) -> Vec<Span> {
    let number = |text: &str| match text.parse::<IpAddr>().unwrap() {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address),
    };
    let table: &[(&str, &str)] = if family == Family::V4 { &SPECIAL_V4 } else { &SPECIAL_V6 };
    table.iter().map(|(first, last)| (number(first), number(last))).collect()
}

/// Sorted and without overlaps.
pub(crate) fn merged(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_unstable();
    let mut merged: Vec<Span> = Vec::new();
    for (first, last) in spans {
        match merged.last_mut() {
            Some(before) if first <= before.1.saturating_add(1) => before.1 = before.1.max(last),
            _ => merged.push((first, last)),
        }
    }
    merged
}

/// What is in the one and not in the other, both merged.
fn minus(spans: &[Span], holes: &[Span]) -> Vec<Span> {
    let mut rest = spans.to_vec();
    for (low, high) in holes {
        let mut next = Vec::new();
        for (first, last) in rest {
            if *high < first || last < *low {
                next.push((first, last));
                continue;
            }
            if first < *low {
                next.push((first, low - 1));
            }
            if *high < last {
                next.push((high + 1, last));
            }
        }
        rest = next;
    }
    rest
}

/// Who counts as the world: the public addresses less those that the settings name, and how many are too many.
pub(crate) struct World {
    counted: [Vec<Span>; 2],
    limit: [u128; 2],
}

impl World {
    pub(crate) fn new(uncounted: &[Cidr], prefix_v4: u8, prefix_v6: u8) -> Self {
        let counted = Family::BOTH.map(|family| {
            let named = uncounted.iter().map(span).filter(|(its, _)| *its == family).map(|(_, span)| span);
            minus(&[(0, last_address(family))], &merged(special(family).into_iter().chain(named).collect()))
        });
        Self { counted, limit: [1 << (32 - prefix_v4), 1 << (128 - prefix_v6)] }
    }

    pub(crate) fn limit(&self, family: Family) -> u128 {
        self.limit[family as usize]
    }

    /// How many addresses of the world the rules name together.
    pub(crate) fn reach<'a>(&self, rules: impl IntoIterator<Item = &'a Plain>, family: Family) -> u128 {
        let spans = rules.into_iter().flat_map(|rule| &rule.blocks).filter(|(its, _)| *its == family).map(|(_, span)| *span);
        let mut count = 0;
        for (first, last) in merged(spans.collect()) {
            for (low, high) in &self.counted[family as usize] {
                if first.max(*low) <= last.min(*high) {
                    count += last.min(*high) - first.max(*low) + 1;
                }
            }
        }
        count
    }

    /// Whether the rules together open the port to the world.
    pub(crate) fn is_open<'a>(&self, rules: impl IntoIterator<Item = &'a Plain>, kind: Kind, family: Family) -> bool {
        self.reach(rules.into_iter().filter(|rule| rule.takes(kind)), family) >= self.limit(family)
    }
}

/// How much of the quota of a family the source takes, after "Amazon VPC quotas".
pub(crate) fn weight(group: &SecurityGroup, source: &Source, family: Family) -> usize {
    match source {
        Source::Cidr(cidr) => usize::from(span(cidr).0 == family),
        Source::ReferencedGroup(_) => 1,
        Source::PrefixListId(id) => match group.prefix_lists.get(id) {
            None => 1,
            Some(PrefixList { weight, entries: Ok(entries) }) if !entries.is_empty() => {
                if span(&entries[0]).0 == family {
                    *weight
                } else {
                    0
                }
            }
            // It may be of either family.
            Some(list) => list.weight,
        },
    }
}

/// What a rule is, without its id, so that rules can be compared as sets.
pub(crate) type Facts = (Direction, Traffic, Source, Option<String>, Vec<(String, String)>);

pub(crate) fn facts(rule: &Rule) -> Facts {
    let tags = rule.tags.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
    (rule.direction, rule.traffic, rule.source.clone(), rule.description.clone(), tags)
}

/// The rules without ids and order.
pub(crate) fn all_facts<'a>(rules: impl IntoIterator<Item = &'a Rule>) -> Vec<Facts> {
    let mut all: Vec<Facts> = rules.into_iter().map(facts).collect();
    all.sort();
    all
}

pub(crate) fn authorised(changes: &[Change]) -> Vec<&Rule> {
    changes.iter().filter_map(|change| if let Change::AuthorizeRule(change) = change { Some(&change.rule) } else { None }).collect()
}

pub(crate) fn revoked(changes: &[Change]) -> Vec<&Rule> {
    changes.iter().filter_map(|change| if let Change::RevokeRule(change) = change { Some(&change.rule) } else { None }).collect()
}
