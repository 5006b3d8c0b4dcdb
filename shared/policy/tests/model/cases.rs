//! Groups and settings that are made to hurt: wide sources that add up, ports beside ports, prefix lists, groups near the quota.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use jiff::Timestamp;
use palisade_policy::cidr::{Cidr, Family};
use palisade_policy::revoke_admin_ingress::{Policy, Ranges, Settings};
use palisade_policy::security_group::{Direction, GroupReference, PrefixList, Rule, SecurityGroup, Source, Tags};
use palisade_policy::traffic::{Icmp, PortRange, PortSet, Traffic, Transport};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::select;

use super::{ICMP, ICMPV6, Kind, Plain, Sender, TCP, UDP, World, ingress, last_address, span};

pub(crate) const EXEMPT: &str = "palisade:exempt:revoke-admin-ingress";

/// Values of the exemption tag that count at [`now`].
const VALID: [&str; 3] =
    ["until=2026-12-31 reason=CHG-1", "until=2026-11-21T12:00:01Z reason=until=2020-01-01", "until=2027-02-18 reason=ninety days"];

/// Values of the exemption tag that don't.
pub(crate) const INVALID: [&str; 8] = [
    "",
    "true",
    "until=2026-12-31",
    "until=2026-12-31 reason= ",
    "until=2026-11-20 reason=over",
    "until=2026-11-21T12:00:00Z reason=just over",
    "until=2027-02-20 reason=too long",
    "reason=CHG-1 until=2026-12-31",
];

pub(crate) fn now() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

/// The settings, in plain numbers.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    /// Protocol, first and last port.
    pub(crate) ports: Vec<(u8, u16, u16)>,
    pub(crate) trusted: Vec<Cidr>,
    pub(crate) replacements: Vec<Cidr>,
    pub(crate) prefix_v4: u8,
    pub(crate) prefix_v6: u8,
    pub(crate) carve: bool,
    pub(crate) exemptions: bool,
}

impl Setup {
    pub(crate) fn policy(&self) -> Policy {
        let mut ports = PortSet::default();
        for (protocol, first, last) in &self.ports {
            ports.insert(if *protocol == TCP { Transport::Tcp } else { Transport::Udp }, PortRange::new(*first, *last).unwrap());
        }
        Policy::new(Settings {
            ports,
            trusted: self.trusted.clone(),
            replacements: self.replacements.clone(),
            world_prefix_v4: self.prefix_v4,
            world_prefix_v6: self.prefix_v6,
            ranges: if self.carve { Ranges::Carve } else { Ranges::Revoke },
            exemptions: self.exemptions,
        })
        .unwrap()
    }

    pub(crate) fn world(&self) -> World {
        let uncounted: Vec<Cidr> = self.trusted.iter().chain(&self.replacements).copied().collect();
        World::new(&uncounted, self.prefix_v4, self.prefix_v6)
    }

    pub(crate) fn is_admin(&self, kind: Kind) -> bool {
        self.ports.iter().any(|(protocol, first, last)| *protocol == kind.protocol && (*first..=*last).contains(&kind.port))
    }
}

/// One group under some settings.
#[derive(Clone)]
pub(crate) struct Case {
    pub(crate) setup: Setup,
    pub(crate) group: SecurityGroup,
    /// For whatever else has to be chosen.
    pub(crate) seed: u64,
}

impl Case {
    /// Whether the tags make a rule or the group exempt.
    pub(crate) fn exempts(&self, tags: &Tags) -> bool {
        self.setup.exemptions && tags.get(EXEMPT).is_some_and(|value| VALID.contains(&value.as_str()))
    }

    /// The ingress rules that are not exempt.
    pub(crate) fn judged(&self, group: &SecurityGroup) -> Vec<Plain> {
        ingress(group).into_iter().filter(|rule| !self.exempts(&rule.rule.tags)).collect()
    }

    /// One port of each run of admin ports that all rules treat alike.
    pub(crate) fn admin_ports(&self) -> Vec<Kind> {
        let cuts: Vec<u32> = ingress(&self.group)
            .iter()
            .filter_map(Plain::ports)
            .flat_map(|(first, last)| [u32::from(first), u32::from(last) + 1])
            .collect();
        let mut ports = BTreeSet::new();
        for (protocol, first, last) in &self.setup.ports {
            let inside = |cut: &&u32| (u32::from(*first)..=u32::from(*last)).contains(cut);
            ports.insert(Kind::port(*protocol, *first));
            ports.extend(cuts.iter().filter(inside).map(|cut| Kind::port(*protocol, u16::try_from(*cut).unwrap())));
        }
        ports.into_iter().collect()
    }

    /// Senders on both sides of every edge of every block.
    pub(crate) fn senders(&self) -> Vec<Sender> {
        let mut senders = BTreeSet::from([Sender::Group("sg-stranger".to_owned())]);
        let rules = ingress(&self.group);
        let settings: Vec<_> = self.setup.trusted.iter().chain(&self.setup.replacements).map(span).collect();
        for (family, (first, last)) in rules.iter().flat_map(|rule| &rule.blocks).chain(&settings) {
            let around = [first.checked_sub(1), Some(*first), Some(*last), last.checked_add(1)];
            senders.extend(
                around.into_iter().flatten().filter(|n| *n <= last_address(*family)).map(|number| Sender::Address(*family, number)),
            );
        }
        for rule in &rules {
            if let Source::ReferencedGroup(group) = &rule.rule.source {
                senders.insert(Sender::Group(group.group_id.to_string()));
            }
        }
        self.some(senders, 48)
    }

    /// Ports on both sides of every edge of every range, and a few packets of other protocols.
    pub(crate) fn kinds(&self) -> Vec<Kind> {
        let rules = ingress(&self.group);
        let admin = self.setup.ports.iter().map(|(_, first, last)| (*first, *last));
        let mut ports = BTreeSet::from([0, u16::MAX]);
        for (first, last) in rules.iter().filter_map(Plain::ports).chain(admin) {
            ports.extend([first.checked_sub(1), Some(first), Some(last), last.checked_add(1)].into_iter().flatten());
        }
        let mut kinds: BTreeSet<Kind> = self.some(ports, 40).into_iter().flat_map(|p| [Kind::port(TCP, p), Kind::port(UDP, p)]).collect();
        for icmp in [(0, 0), (3, 1), (8, 0), (128, 0), (255, 255)] {
            kinds.extend([ICMP, ICMPV6].map(|protocol| Kind { protocol, port: 0, icmp }));
        }
        kinds.extend([0, 2, 47, 50, 132].map(|protocol| Kind::port(protocol, 22)));
        kinds.into_iter().collect()
    }

    /// At most so many of them, chosen by the seed.
    fn some<T>(&self, all: BTreeSet<T>, most: usize) -> Vec<T> {
        let mut all: Vec<T> = all.into_iter().collect();
        if all.len() > most {
            shuffle(&mut all, self.seed);
            all.truncate(most);
        }
        all
    }
}

/// The same order for the same seed (Fisher and Yates over an xorshift).
pub(crate) fn shuffle<T>(items: &mut [T], seed: u64) {
    let mut state = seed | 1;
    for last in (1..items.len()).rev() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        items.swap(last, usize::try_from(state % (last as u64 + 1)).unwrap());
    }
}

/// As short as a person needs it to write the example down.
impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n{:?}", self.setup)?;
        writeln!(f, "group tags {:?}, seed {}", self.group.tags, self.seed)?;
        for rule in &self.group.rules {
            let Rule { direction, traffic, source, description, tags, .. } = rule;
            writeln!(f, "  {direction:?} {traffic} from {source} {description:?} {tags:?}")?;
        }
        for (id, list) in &self.group.prefix_lists {
            let entries = list.entries.as_ref().map(|entries| entries.iter().map(ToString::to_string).collect::<Vec<_>>());
            writeln!(f, "  {id} weighs {}: {entries:?}", list.weight)?;
        }
        Ok(())
    }
}

fn block(family: Family, number: u128, prefix: u8) -> Cidr {
    let address = match family {
        Family::V4 => IpAddr::V4(Ipv4Addr::from(u32::try_from(number & 0xffff_ffff).unwrap())),
        Family::V6 => IpAddr::V6(Ipv6Addr::from(number)),
    };
    Cidr::containing(address, prefix).unwrap()
}

fn v4() -> impl Strategy<Value = Cidr> {
    let address = prop_oneof![
        6 => any::<u32>(),
        2 => select(vec![0x0000_0000_u32, 0x8000_0000, 0x4000_0000, 0xc000_0000, 0xffff_ffff]),
        // Private, shared, multicast, class E; an office and its neighbours.
        2 => select(vec![0x0a01_0203_u32, 0xac10_0001, 0xc0a8_0001, 0x6440_0001, 0xe000_0001, 0xf000_0001, 0xc000_0001]),
        3 => (0_u32..4).prop_map(|low| 0xc633_6400 + low),
    ];
    let prefix = prop_oneof![2 => Just(0_u8), 3 => Just(1), 6 => 2_u8..=8, 5 => Just(9), 2 => 10_u8..=12, 2 => 13_u8..=31, 3 => Just(32)];
    (address, prefix).prop_map(|(address, prefix)| block(Family::V4, u128::from(address), prefix))
}

fn v6() -> impl Strategy<Value = Cidr> {
    let address = prop_oneof![
        4 => any::<u128>(),
        4 => any::<u128>().prop_map(|n| (n >> 3) | (1 << 125)),
        2 => select(vec![0_u128, 1 << 127, 1 << 125, u128::MAX, 1]),
        2 => select(vec![0xfc_u128 << 120, 0xfe80 << 112, 0xff02 << 112, 0x0100 << 112, 0x0064_ff9b << 96, 0x0064_ff9b_0001 << 80]),
        2 => (0_u128..4).prop_map(|low| (0x2001_0db8_u128 << 96) + low),
    ];
    let prefix = prop_oneof![
        2 => Just(0_u8), 3 => Just(1), 3 => Just(3), 5 => 2_u8..=12, 6 => 13_u8..=17, 2 => 18_u8..=64, 3 => Just(128)
    ];
    (address, prefix).prop_map(|(address, prefix)| block(Family::V6, address, prefix))
}

fn cidr() -> impl Strategy<Value = Cidr> {
    prop_oneof![3 => v4(), 2 => v6()]
}

fn source() -> impl Strategy<Value = Source> {
    let list = (0_u8..6).prop_map(|n| Source::PrefixListId(format!("pl-{n}").parse().unwrap()));
    let group =
        (0_u8..3).prop_map(|n| Source::ReferencedGroup(GroupReference { group_id: format!("sg-{n}").parse().unwrap(), user_id: None }));
    prop_oneof![12 => cidr().prop_map(Source::Cidr), 2 => list, 1 => group]
}

/// A port at, beside or far from one that may be an administrative port.
fn port() -> impl Strategy<Value = u16> {
    prop_oneof![
        8 => select(vec![20_u16, 21, 22, 23, 24, 25, 3388, 3389, 3390]),
        2 => select(vec![0_u16, 1, 65534, 65535, 80, 443, 5899, 5900, 5905, 5910, 5911]),
        1 => any::<u16>(),
    ]
}

fn ports() -> impl Strategy<Value = PortRange> {
    prop_oneof![
        3 => port().prop_map(|port| (port, port)),
        4 => (port(), port()),
        1 => Just((0, u16::MAX)),
        3 => Just((22, 22)),
    ]
    .prop_map(|(a, b)| PortRange::new(a.min(b), a.max(b)).unwrap())
}

fn traffic() -> impl Strategy<Value = Traffic> {
    let icmp = (proptest::option::of(select(vec![0_u8, 3, 8, 128, 255])), proptest::option::of(select(vec![0_u8, 1, 255])));
    let icmp = icmp.prop_map(|(kind, code)| Icmp { kind, code });
    prop_oneof![
        3 => Just(Traffic::All),
        12 => ports().prop_map(|ports| Traffic::Ports(Transport::Tcp, ports)),
        3 => ports().prop_map(|ports| Traffic::Ports(Transport::Udp, ports)),
        1 => icmp.clone().prop_map(Traffic::Icmp),
        1 => icmp.prop_map(Traffic::Icmpv6),
        1 => select(vec![2_u8, 47, 50, 132]).prop_map(Traffic::Other),
    ]
}

/// Mostly none; else a person's, AWS's own, and exemptions that count or don't.
fn tags() -> impl Strategy<Value = Tags> {
    let pair = prop_oneof![
        4 => (select(vec!["team", "Name", "ä:b", "aws"]), select(vec!["", "core", "x y"])),
        1 => (select(vec!["aws:cloudformation:stack-name", "AWS:x"]), Just("stack")),
        1 => (Just(EXEMPT), select(VALID.to_vec())),
        1 => (Just(EXEMPT), select(INVALID.to_vec())),
        1 => (Just("palisade:exempt:strip-default-group"), Just(VALID[0])),
    ];
    let some = vec(pair, 1..4).prop_map(|pairs| pairs.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect());
    prop_oneof![3 => Just(Tags::new()), 1 => some]
}

fn rules() -> impl Strategy<Value = Vec<Rule>> {
    // A few sources with many rules each, or many sources with one.
    let sources =
        prop_oneof![8 => vec(source(), 1..4), 6 => vec(source(), 4..12), 2 => vec(source(), 20..60), 1 => vec(scattered(), 20..300)];
    let shapes = prop_oneof![10 => 1_usize..14, 3 => 20_usize..70];
    (sources, shapes).prop_flat_map(|(sources, count)| {
        let count = count.max(sources.len());
        let egress = prop_oneof![9 => Just(Direction::Ingress), 1 => Just(Direction::Egress)];
        let description = proptest::option::of(select(vec!["", "ssh", "from the \"office\"", "ä\u{1f511}"]));
        let rule = (any::<proptest::sample::Index>(), traffic(), egress, description, tags());
        (Just(sources), vec(rule, count)).prop_map(|(sources, rules)| {
            let mut seen = BTreeSet::new();
            let rules = rules.into_iter().enumerate().map(|(n, (at, traffic, direction, description, tags))| {
                // The first few name each source once, so that none is there in vain.
                let source = sources.get(n).unwrap_or_else(|| at.get(&sources)).clone();
                let id = Some(format!("sgr-{n}").parse().unwrap());
                Rule { id, direction, traffic, source, description: description.map(str::to_owned), tags }
            });
            // EC2 has no two rules that admit the same.
            rules.filter(|rule| seen.insert((rule.direction, rule.traffic, rule.source.clone()))).collect()
        })
    })
}

/// Sources that are harmless one by one.
fn scattered() -> impl Strategy<Value = Source> {
    prop_oneof![
        3 => any::<u32>().prop_map(|n| block(Family::V4, u128::from(n), 9)),
        1 => (any::<u32>(), 9_u8..=16).prop_map(|(n, prefix)| block(Family::V4, u128::from(n), prefix)),
        2 => (any::<u128>(), 16_u8..=20).prop_map(|(n, prefix)| block(Family::V6, (n >> 3) | (1 << 125), prefix)),
    ]
    .prop_map(Source::Cidr)
}

fn lists() -> impl Strategy<Value = BTreeMap<u8, PrefixList>> {
    let entries = prop_oneof![
        4 => vec(v4(), 1..5).prop_map(Ok),
        3 => vec(v6(), 1..5).prop_map(Ok),
        1 => Just(Ok(Vec::new())),
        1 => Just(Err("AccessDenied".to_owned())),
    ];
    let list = (entries, prop_oneof![3 => 0_usize..3, 1 => 0_usize..30]).prop_map(|(entries, spare)| {
        let weight = entries.as_ref().map_or(1, Vec::len) + spare;
        PrefixList { weight, entries }
    });
    btree_map(0_u8..6, list, 0..6)
}

fn setup() -> impl Strategy<Value = Setup> {
    let run = |first, last| (TCP, first, last);
    let ports = prop_oneof![
        4 => Just(vec![run(22, 22), run(3389, 3389)]),
        2 => Just(vec![run(22, 22)]),
        2 => Just(vec![run(22, 23), run(5900, 5910), (UDP, 3389, 3389)]),
        1 => Just(vec![run(0, 0), run(65535, 65535), (UDP, 0, 65535)]),
        2 => vec((select(vec![TCP, TCP, UDP]), port(), 0_u16..30), 1..5)
            .prop_map(|runs| runs.into_iter().map(|(protocol, first, more)| (protocol, first, first.saturating_add(more))).collect()),
    ];
    let prefix_v4 = prop_oneof![6 => Just(8_u8), 2 => 1_u8..=12, 1 => 13_u8..=32];
    let prefix_v6 = prop_oneof![6 => Just(16_u8), 2 => 1_u8..=20, 1 => 21_u8..=128];
    let blocks = || prop_oneof![3 => Just(Vec::new()), 1 => vec(cidr(), 1..4)];
    let flags = (proptest::bool::weighted(0.85), proptest::bool::weighted(0.85));
    (ports, prefix_v4, prefix_v6, blocks(), blocks(), flags).prop_map(|(ports, prefix_v4, prefix_v6, trusted, replacements, flags)| {
        // Settings with a block as wide as the limit are refused.
        let narrow = |blocks: Vec<Cidr>| {
            let limit = |family| if family == Family::V4 { prefix_v4 } else { prefix_v6 };
            blocks.into_iter().filter(|block| block.prefix() > limit(block.family())).collect()
        };
        let (trusted, replacements) = (narrow(trusted), narrow(replacements));
        Setup { ports, trusted, replacements, prefix_v4, prefix_v6, carve: flags.0, exemptions: flags.1 }
    })
}

/// A group that EC2 could hold, with its settings.
pub(crate) fn cases() -> impl Strategy<Value = Case> {
    let group_tags = prop_oneof![12 => Just(Tags::new()), 1 => tags()];
    (setup(), rules(), lists(), group_tags, any::<u64>()).prop_map(|(setup, rules, lists, tags, seed)| {
        let prefix_lists = lists.into_iter().map(|(n, list)| (format!("pl-{n}").parse().unwrap(), list)).collect();
        Case { setup, group: group(tags, rules, prefix_lists), seed }
    })
}

/// Groups that EC2 could not hold: lists of both families, rules twice, protocol numbers that have names.
pub(crate) fn impossible_cases() -> impl Strategy<Value = Case> {
    let lists = btree_map(0_u8..6, vec(cidr(), 0..5), 0..6);
    (cases(), lists, any::<u8>(), any::<bool>()).prop_map(|(mut case, lists, number, twice)| {
        let lists = lists
            .into_iter()
            .map(|(n, entries)| (format!("pl-{n}").parse().unwrap(), PrefixList { weight: usize::from(number), entries: Ok(entries) }));
        case.group.prefix_lists.extend(lists);
        if let Some(first) = case.group.rules.first_mut() {
            first.traffic = Traffic::Other(number);
        }
        if twice {
            case.group.rules.extend_from_within(..);
        }
        case
    })
}

pub(crate) fn group(tags: Tags, rules: Vec<Rule>, prefix_lists: BTreeMap<palisade_policy::id::PrefixListId, PrefixList>) -> SecurityGroup {
    SecurityGroup {
        id: "sg-0a".parse().unwrap(),
        name: "web".to_owned(),
        owner: "111122223333".parse().unwrap(),
        vpc: None,
        tags,
        rules,
        prefix_lists,
    }
}
