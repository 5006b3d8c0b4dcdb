//! Random ACLs and IP sets with somebody to deny in them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;

use jiff::{SignedDuration, Timestamp};
use palisade_policy::cidr::{Cidr, Family};
use palisade_policy::deny_source::{Denying, Friend, Policy, Settings};
use palisade_policy::ip_set::IpSet;
use palisade_policy::network_acl::{AclEntry, Action, NetworkAcl};
use palisade_policy::plan::Plan;
use palisade_policy::security_group::{Direction, Tags};
use palisade_policy::traffic::{Icmp, PortRange, Traffic, Transport};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::{LAST, minutes, tag_key};

/// Values of an exemption tag that count at `now()`.
pub(crate) const VALID: [&str; 2] = ["until=2026-12-31 reason=CHG-1", "until=2026-11-23T00:00:00Z reason=a test of ours"];
/// Values that don't: ended, too far ahead, without reason, without end, nonsense.
pub(crate) const INVALID: [&str; 5] =
    ["until=2026-11-20 reason=CHG-1", "until=2028-01-01 reason=CHG-1", "until=2026-12-31", "reason=CHG-1", "yes"];
/// The key that exempts an ACL whole; with `:<cidr>`, for one source.
pub(crate) const EXEMPT: &str = "palisade:exempt:deny-source";

const V4: [&str; 6] = ["203.0.113.7/32", "203.0.113.0/24", "203.0.113.0/30", "203.0.113.6/31", "198.51.100.7/32", "8.8.8.8/32"];
const V6: [&str; 5] = ["2600::/48", "2600::1/128", "2600::/64", "2600:0:0:1::/64", "2001:db8::1/128"];

/// With nine tenths of a second, for nothing promises a whole one.
pub(crate) fn now() -> Timestamp {
    "2026-11-21T12:00:00.9Z".parse().unwrap()
}

/// A source that attacks, where it may be denied, and the settings.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) settings: Settings,
    pub(crate) denying: Denying,
    pub(crate) refusals: usize,
}

impl Case {
    pub(crate) fn plan(&self, now: Timestamp) -> Plan {
        Policy::new(self.settings.clone()).plan(&self.denying, now, self.refusals)
    }

    pub(crate) fn directions(&self) -> &'static [Direction] {
        if self.denying.both_ways { &[Direction::Ingress, Direction::Egress] } else { &[Direction::Ingress] }
    }

    /// Whether the tags exempt the ACL, whole or for the source.
    pub(crate) fn exempts(&self, acl: &NetworkAcl) -> bool {
        let of_source = format!("{EXEMPT}:{}", self.denying.source);
        let counts = |key: &str| acl.tags.get(key).is_some_and(|value| VALID.contains(&value.as_str()));
        self.settings.exemptions && (counts(EXEMPT) || counts(&of_source))
    }
}

pub(crate) fn cidr(text: &str) -> Cidr {
    text.parse().unwrap()
}

pub(crate) fn block(family: Family, number: u128, prefix: u8) -> Cidr {
    let address = match family {
        Family::V4 => IpAddr::V4(Ipv4Addr::from(u32::try_from(number & 0xffff_ffff).unwrap())),
        Family::V6 => IpAddr::V6(Ipv6Addr::from(number)),
    };
    Cidr::containing(address, prefix).unwrap()
}

fn source() -> impl Strategy<Value = Cidr> {
    let neighbour = (8_u128..72).prop_map(|low| block(Family::V4, 0xcb00_7100 + low, 32));
    prop_oneof![6 => select(V4.to_vec()).prop_map(cidr), 3 => select(V6.to_vec()).prop_map(cidr), 3 => neighbour]
}

/// Whom an entry of somebody else is for.
fn anybody() -> impl Strategy<Value = Cidr> {
    let wide = select(vec!["0.0.0.0/0", "0.0.0.0/0", "::/0", "203.0.0.0/16", "203.0.113.0/25", "128.0.0.0/1", "10.0.0.0/8", "2600::/16"]);
    let any = prop_oneof![
        (any::<u32>(), 0_u8..=32).prop_map(|(n, prefix)| block(Family::V4, u128::from(n), prefix)),
        (any::<u128>(), 0_u8..=128).prop_map(|(n, prefix)| block(Family::V6, n, prefix)),
    ];
    prop_oneof![4 => wide.prop_map(cidr), 4 => source(), 1 => any]
}

fn traffic() -> impl Strategy<Value = Traffic> {
    let icmp =
        (proptest::option::of(select(vec![0_u8, 8, 128])), proptest::option::of(0_u8..2)).prop_map(|(kind, code)| Icmp { kind, code });
    let ports = prop_oneof![
        Just(PortRange::ALL),
        (select(vec![22_u16, 53, 80, 443, 1024]), select(vec![0_u16, 1, 1000, 64000])).prop_map(|(first, more)| PortRange::new(
            first,
            first.saturating_add(more)
        )
        .unwrap()),
    ];
    prop_oneof![
        5 => Just(Traffic::All),
        4 => ports.clone().prop_map(|ports| Traffic::Ports(Transport::Tcp, ports)),
        1 => ports.prop_map(|ports| Traffic::Ports(Transport::Udp, ports)),
        1 => icmp.clone().prop_map(Traffic::Icmp),
        1 => icmp.prop_map(Traffic::Icmpv6),
        1 => select(vec![2_u8, 47, 50]).prop_map(Traffic::Other),
    ]
}

fn direction() -> impl Strategy<Value = Direction> {
    prop_oneof![2 => Just(Direction::Ingress), 1 => Just(Direction::Egress)]
}

pub(crate) fn numbers() -> impl Strategy<Value = RangeInclusive<u16>> {
    prop_oneof![
        5 => Just(1..=89),
        4 => (1_u16..4, 0_u16..6).prop_map(|(first, more)| first..=first + more),
        2 => (95_u16..103, 0_u16..12).prop_map(|(first, more)| first..=first + more),
        1 => Just(32760..=32766),
    ]
}

fn settings() -> impl Strategy<Value = Settings> {
    let quota = prop_oneof![4 => Just(20_usize), 4 => 2_usize..10, 1 => Just(40)];
    let deny_for = prop_oneof![3 => Just(1440_i64), 2 => 1_i64..3000, 1 => 1_i64..4].prop_map(minutes);
    (numbers(), quota, deny_for, proptest::bool::weighted(0.85)).prop_map(|(numbers, quota, deny_for, exemptions)| Settings {
        never: Vec::new(),
        deny_for,
        numbers,
        quota,
        exemptions,
    })
}

/// An entry and its number: one of ours, one near them, or one far away.
fn foreign(numbers: RangeInclusive<u16>) -> impl Strategy<Value = AclEntry> {
    let number = prop_oneof![
        4 => numbers.clone(),
        2 => (0_u16..12).prop_map(move |more| (numbers.end() + 1 + more).min(LAST - 1)),
        3 => select(vec![1_u16, 2, 90, 100, 100, 101, 200, 32766]),
    ];
    let action = prop_oneof![Just(Action::Allow), Just(Action::Deny)];
    (direction(), number, action, traffic(), anybody()).prop_map(|(direction, number, action, traffic, cidr)| AclEntry {
        direction,
        number,
        action,
        traffic,
        cidr,
    })
}

/// What is there of an earlier denial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Earlier {
    Whole,
    TagAlone,
    Edited,
}

/// A denial from before: whose, which way, under which of the numbers, what is left of it, and the minutes until it ends.
fn earlier() -> impl Strategy<Value = (Cidr, Direction, Index, Earlier, i64)> {
    let left = prop_oneof![8 => Just(Earlier::Whole), 2 => Just(Earlier::TagAlone), 1 => Just(Earlier::Edited)];
    (source(), direction(), any::<Index>(), left, -2000_i64..2000)
}

/// A tag that Palisade did not set to remember a denial.
fn foreign_tag() -> impl Strategy<Value = (String, String)> {
    let pair = prop_oneof![
        6 => (select(vec!["Name", "team", "aws", "ä:b", "palisade:guardrail"]), select(vec!["", "core", "x y"])),
        1 => (select(vec!["aws:cloudformation:stack-name", "AWS:x"]), Just("stack")),
        // Keys that can't be read, or that only look like ours.
        2 => (
            select(vec![
                "palisade:deny:",
                "palisade:deny:in",
                "palisade:deny:in:banana",
                "palisade:deny:up:203.0.113.7/32",
                "palisade:deny:in:203.0.113.7",
                "palisade:deny:in:203.0.113.7/24",
                "palisade:deny:in:2600:0::/48",
                "palisade:deny:out:2600:0:0:0::1/128",
                "palisade:deny:in:2001:DB8::1/128",
            ]),
            select(vec!["", "2600::/48 until 2026-11-01T00:00:00Z x", "2600::/48 until 2027-11-01T00:00:00Z x"]),
        ),
    ];
    pair.prop_map(|(key, value)| (key.to_owned(), value.to_owned()))
}

fn exemption(source: Cidr) -> impl Strategy<Value = Vec<(String, String)>> {
    let key = prop_oneof![Just(EXEMPT.to_owned()), Just(format!("{EXEMPT}:{source}")), Just(format!("{EXEMPT}:192.0.2.1/32"))];
    let value = prop_oneof![select(VALID.to_vec()), select(INVALID.to_vec())].prop_map(str::to_owned);
    prop_oneof![9 => Just(Vec::new()), 1 => vec((key, value), 1..3)]
}

/// How the numbers that are left are filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Filling {
    None,
    Ours,
    Foreign,
    Mixed,
}

fn acl(id: usize, source: Cidr, settings: &Settings) -> impl Strategy<Value = NetworkAcl> + use<> {
    let numbers = settings.numbers.clone();
    let filling = prop_oneof![
        6 => Just(Filling::None), 3 => Just(Filling::Ours), 1 => Just(Filling::Foreign), 2 => Just(Filling::Mixed)
    ];
    let spare = prop_oneof![10 => Just(0_usize), 2 => 40_usize..=50];
    let entries = (vec(foreign(numbers.clone()), 0..10), vec(earlier(), 0..10), filling, any::<u64>(), any::<bool>());
    let tags = (vec(foreign_tag(), 0..4), exemption(source), spare);
    (entries, tags, any::<bool>()).prop_map(move |((foreign, earlier, filling, seed, defaults), (own_tags, exemption, spare), allow)| {
        let mut acl = empty_acl(id);
        let add = |acl: &mut NetworkAcl, entry: AclEntry| {
            let free = !acl.entries.iter().any(|other| (other.direction, other.number) == (entry.direction, entry.number));
            if free {
                acl.entries.push(entry);
            }
            free
        };
        acl.tags = own_tags.into_iter().chain(exemption).collect();
        acl.tags.extend((acl.tags.len()..spare).map(|n| (format!("spare{n}"), String::new())));
        let tag = |acl: &mut NetworkAcl, direction, of, value: String| {
            if super::counted_tags(&acl.tags) < 50 {
                acl.tags.insert(tag_key(direction, of), value);
            }
        };
        let all: Vec<u16> = numbers.clone().collect();
        for (of, direction, at, left, until) in earlier {
            let end = now().saturating_add(minutes(until)).unwrap().round(jiff::Unit::Second).unwrap();
            let value = if left == Earlier::Edited { edited(of, until) } else { format!("{of} until {end} alarm x") };
            if left != Earlier::TagAlone {
                let number = *at.get(&all);
                let entry = AclEntry { direction, number, action: Action::Deny, traffic: Traffic::All, cidr: of };
                if !add(&mut acl, entry) {
                    continue;
                }
            }
            tag(&mut acl, direction, of, value);
        }
        for entry in foreign {
            add(&mut acl, entry);
        }
        if allow {
            for (number, any) in [(100, "0.0.0.0/0"), (101, "::/0")] {
                for direction in [Direction::Ingress, Direction::Egress] {
                    add(&mut acl, AclEntry { direction, number, action: Action::Allow, traffic: Traffic::All, cidr: cidr(any) });
                }
            }
        }
        if filling != Filling::None {
            for (n, number) in all.iter().enumerate() {
                let low = u128::try_from(n).unwrap();
                let of = block(Family::V4, 0x0101_0100 + low, 32);
                let direction = if seed >> (n % 64) & 1 == 0 || n % 3 == 0 { Direction::Ingress } else { Direction::Egress };
                let ours = filling == Filling::Ours || filling == Filling::Mixed && seed.rotate_left(7) >> (n % 64) & 1 == 0;
                let room = super::counted_tags(&acl.tags) < 50;
                if ours && !room {
                    continue;
                }
                let entry = AclEntry { direction, number: *number, action: Action::Deny, traffic: Traffic::All, cidr: of };
                if add(&mut acl, entry) && ours {
                    let end = now().saturating_add(minutes(i64::try_from(seed >> (n % 60) & 0x3ff).unwrap() - 300)).unwrap();
                    tag(&mut acl, direction, of, format!("{of} until {} x", end.round(jiff::Unit::Second).unwrap()));
                }
            }
        }
        if defaults {
            acl.entries.extend(last_entries());
        }
        acl
    })
}

pub(crate) fn empty_acl(id: usize) -> NetworkAcl {
    NetworkAcl {
        id: format!("acl-{id}").parse().unwrap(),
        owner: "111122223333".parse().unwrap(),
        vpc: "vpc-0a".parse().unwrap(),
        subnets: Vec::new(),
        entries: Vec::new(),
        tags: Tags::new(),
    }
}

/// EC2's own, which deny the rest.
pub(crate) fn last_entries() -> Vec<AclEntry> {
    let last = |direction, number, any| AclEntry { direction, number, action: Action::Deny, traffic: Traffic::All, cidr: cidr(any) };
    [Direction::Ingress, Direction::Egress]
        .into_iter()
        .flat_map(|way| [last(way, LAST, "0.0.0.0/0"), last(way, LAST + 1, "::/0")])
        .collect()
}

/// A value that somebody edited, so that it says no end any more.
fn edited(of: Cidr, n: i64) -> String {
    match n.rem_euclid(6) {
        0 => String::new(),
        1 => "forever".to_owned(),
        2 => format!("{of} until tomorrow"),
        3 => format!("{of} until 2027-01-01 x"),
        4 => "192.0.2.9/32 until 2027-01-01T00:00:00Z x".to_owned(),
        _ => format!("{of}  until 2027-01-01T00:00:00Z x"),
    }
}

pub(crate) fn set(n: usize, family: Family, addresses: Vec<Cidr>, description: String) -> IpSet {
    let arn = format!("arn:aws:wafv2:eu-west-1:111122223333:regional/ipset/set-{n}/{n}");
    IpSet { arn: arn.parse().unwrap(), family, addresses, description }
}

/// Addresses of nobody, to fill a set with.
pub(crate) fn crowd(family: Family, count: usize) -> Vec<Cidr> {
    let base = if family == Family::V4 { 0x0202_0000 } else { 0x2a00_u128 << 112 };
    (0..count).map(|n| block(family, base + u128::try_from(n).unwrap(), family.bits())).collect()
}

/// A set of a family: ours with an end, empty, or somebody else's; seldom a full one.
pub(crate) fn ip_set(n: usize, family: Family, full: bool) -> impl Strategy<Value = Result<IpSet, String>> {
    let some = || {
        vec(source(), 0..6).prop_map(move |all| {
            let mut of_family: Vec<Cidr> = all.into_iter().filter(|block| block.family() == family).collect();
            of_family.sort();
            of_family.dedup();
            of_family
        })
    };
    let crowd = if full { (9_998_usize..=10_000).prop_map(move |count| crowd(family, count)).boxed() } else { some().boxed() };
    let addresses = prop_oneof![9 => some(), 1 => crowd];
    let description = prop_oneof![
        6 => (-3000_i64..6000).prop_map(|until| {
            format!("palisade until={}", now().saturating_add(minutes(until)).unwrap().round(jiff::Unit::Second).unwrap())
        }),
        2 => select(vec!["", "blocked by the SOC", "palisade until=", "palisade until=tomorrow", "until=2026-11-30T00:00:00Z"])
            .prop_map(str::to_owned),
    ];
    let good = (addresses, description).prop_map(move |(addresses, description)| Ok(set(n, family, addresses, description)));
    prop_oneof![9 => good, 1 => Just(Err(format!("set-{n} is of another family")))]
}

/// ACLs that EC2 could hold, and IP sets.
pub(crate) fn cases() -> impl Strategy<Value = Case> {
    let refusals = prop_oneof![4 => Just(0_usize), 1 => 1_usize..4];
    (settings(), source(), proptest::bool::weighted(0.4), refusals).prop_flat_map(|(settings, source, both_ways, refusals)| {
        let acls = prop_oneof![
            6 => acl(0, source, &settings).prop_map(|acl| vec![acl]),
            2 => (acl(0, source, &settings), acl(1, source, &settings)).prop_map(|(a, b)| vec![a, b]),
        ];
        let family = source.family();
        let sets = prop_oneof![
            3 => Just(Vec::new()),
            1 => (ip_set(0, family, false), ip_set(1, family, false)).prop_map(|(a, b)| vec![a, b]),
        ];
        (acls, sets).prop_map(move |(acls, ip_sets)| {
            let denying = Denying { source, both_ways, cause: "alarm (ssh)".to_owned(), acls, ip_sets, friends: Vec::new() };
            Case { settings: settings.clone(), denying, refusals }
        })
    })
}

/// One ACL with denials in it, and the numbers of ours.
pub(crate) fn acls() -> impl Strategy<Value = (NetworkAcl, RangeInclusive<u16>)> {
    (settings(), source()).prop_flat_map(|(settings, source)| (acl(0, source, &settings), Just(settings.numbers)))
}

/// Any block at all, more often a narrow one or one of note.
pub(crate) fn any_block() -> impl Strategy<Value = Cidr> {
    let of_note = select(vec![
        "0.0.0.0/0",
        "::/0",
        "10.0.0.0/8",
        "10.1.2.3/32",
        "192.168.0.0/24",
        "100.64.0.1/32",
        "169.254.169.254/32",
        "127.0.0.1/32",
        "::ffff:203.0.113.7/128",
        "::ffff:0.0.0.0/96",
        "::1/128",
        "64:ff9b::cb00:7107/128",
        "fe80::1/128",
        "fd00::/48",
        "ff02::1/128",
        "203.0.112.0/23",
        "203.0.113.0/24",
        "2600::/47",
        "2600::/48",
        "223.255.255.255/32",
        "224.0.0.0/24",
        "192.0.0.0/24",
        "192.0.1.0/24",
        "100::/64",
        "100::/48",
        "100:0:0:1::/64",
    ]);
    let v4 = (any::<u32>(), prop_oneof![1 => 0_u8..=23, 3 => 24_u8..=32]);
    let v6 = (any::<u128>(), prop_oneof![1 => 0_u8..=47, 3 => 48_u8..=128]);
    prop_oneof![
        3 => source(),
        3 => of_note.prop_map(cidr),
        2 => v4.prop_map(|(n, prefix)| block(Family::V4, u128::from(n), prefix)),
        2 => v6.prop_map(|(n, prefix)| block(Family::V6, (n >> 3) | (1 << 125), prefix)),
    ]
}

/// Nothing that EC2 could hold, nor the settings: numbers twice and out of range, any time, any text in a tag.
pub(crate) fn impossible_cases() -> impl Strategy<Value = (Case, Timestamp)> {
    let time = prop_oneof![
        Just(now()),
        Just(Timestamp::MIN),
        Just(Timestamp::MAX),
        (-377_000_000_000_i64..253_000_000_000).prop_map(|s| Timestamp::from_second(s).unwrap())
    ];
    let length = prop_oneof![
        Just(SignedDuration::ZERO),
        Just(SignedDuration::MIN),
        Just(SignedDuration::MAX),
        any::<i64>().prop_map(SignedDuration::from_secs),
        (-5_i64..5).prop_map(SignedDuration::from_nanos),
    ];
    let entry = (direction(), any::<u16>(), any::<bool>(), traffic(), any_block()).prop_map(|(direction, number, allow, traffic, cidr)| {
        AclEntry { direction, number, action: if allow { Action::Allow } else { Action::Deny }, traffic, cidr }
    });
    let key = prop_oneof![
        2 => (select(vec!["in", "out", "up"]), any_block()).prop_map(|(way, of)| format!("palisade:deny:{way}:{of}")),
        1 => "palisade:(deny|exempt):.{0,30}",
        1 => ".{0,10}",
    ];
    let value = prop_oneof![".{0,40}", (any_block(), ".{0,30}").prop_map(|(of, rest)| format!("{of} until {rest}"))];
    let friend = any_block().prop_map(|block| Friend { block, what: "x".to_owned() });
    let more = (vec(entry, 0..20), vec((key, value), 0..60), vec(friend, 0..2), any_block(), any::<(u16, u16)>());
    let ends = vec("palisade until=.{0,30}", 0..4);
    (cases(), time, length, any::<(usize, usize)>(), more, ends).prop_map(|(mut case, now, length, (quota, refusals), more, ends)| {
        let (entries, tags, friends, source, numbers) = more;
        case.settings.deny_for = length;
        if quota % 2 == 0 {
            (case.settings.quota, case.refusals) = (quota, refusals);
        }
        if quota % 3 == 0 {
            case.settings.numbers = numbers.0..=numbers.1;
        }
        if quota % 5 == 0 {
            (case.denying.source, case.denying.friends) = (source, friends);
        }
        for acl in &mut case.denying.acls {
            acl.entries.extend(entries.clone());
            acl.tags.extend(tags.clone());
        }
        case.denying.ip_sets.extend(ends.into_iter().enumerate().map(|(n, end)| Ok(set(n, Family::V4, Vec::new(), end))));
        (case, now)
    })
}
