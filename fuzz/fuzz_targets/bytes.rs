//! Resources and settings built byte by byte, so that libFuzzer can change one rule and keep the rest. Where the bytes end, so does the
//! resource. (proptest's own generators can't be driven so: each union halves the bytes that are left.)

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use jiff::{SignedDuration, Unit};
use palisade_policy::cidr::{Cidr, Family};
use palisade_policy::deny_source::{Denying, Friend, Settings};
use palisade_policy::enable_flow_logs;
use palisade_policy::flow_log::{Destination, FlowLog, TrafficType, Vpc};
use palisade_policy::network_acl::{AclEntry, Action, NetworkAcl};
use palisade_policy::security_group::{Direction, GroupReference, PrefixList, Rule, Source, Tags};
use palisade_policy::traffic::{Icmp, PortRange, Traffic, Transport};

use crate::acl_model::{self, LAST, minutes, tag_key};
use crate::model::{self, TCP, UDP};

const EXEMPTIONS: [&str; 5] =
    ["until=2026-12-31 reason=CHG-1", "until=2026-11-20 reason=CHG-1", "until=2028-01-01 reason=CHG-1", "until=2026-12-31", "yes"];

/// What is left of the input.
pub struct Bytes<'a>(pub &'a [u8]);

impl Bytes<'_> {
    fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn number(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    /// One time in so many.
    fn seldom(&mut self, times: u8) -> bool {
        self.byte() % times == times - 1
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[usize::from(self.byte()) % of.len()]
    }

    fn bool(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    /// A block of note, or any.
    fn cidr(&mut self) -> Cidr {
        let notable = [
            "0.0.0.0/0",
            "0.0.0.0/1",
            "128.0.0.0/1",
            "64.0.0.0/2",
            "203.0.113.7/32",
            "203.0.113.6/31",
            "203.0.113.0/24",
            "10.0.0.0/8",
            "198.51.100.7/32",
            "::/0",
            "2000::/3",
            "8000::/1",
            "2600::/16",
            "2600::/48",
            "2600::1/128",
            "fd00::/8",
        ];
        match self.byte() {
            n @ 0..=127 => notable[usize::from(n) % notable.len()].parse().unwrap(),
            128..=207 => {
                let address = Ipv4Addr::new(self.byte(), self.byte(), self.byte(), self.byte());
                Cidr::containing(IpAddr::V4(address), self.byte() % 33).unwrap()
            }
            _ => {
                let address = Ipv6Addr::from([self.number(), self.number(), self.number(), 0, 0, 0, 0, self.number()]);
                Cidr::containing(IpAddr::V6(address), self.byte() % 129).unwrap()
            }
        }
    }

    fn cidrs(&mut self, most: u8) -> Vec<Cidr> {
        (0..self.byte() % (most + 1)).map(|_| self.cidr()).collect()
    }

    fn port(&mut self) -> u16 {
        match self.byte() {
            n @ 0..=199 => [20, 21, 22, 23, 24, 3388, 3389, 3390, 0, 65535, 443][usize::from(n) % 11],
            _ => self.number(),
        }
    }

    fn traffic(&mut self) -> Traffic {
        let transport = |udp| if udp { Transport::Udp } else { Transport::Tcp };
        match self.byte() % 8 {
            0 | 1 => Traffic::All,
            n @ 2..=5 => {
                let (a, b) = (self.port(), if n == 2 { 0 } else { self.port() });
                let (a, b) = if n == 2 { (a, a) } else { (a.min(b), a.max(b)) };
                Traffic::Ports(transport(n == 5), PortRange::new(a, b).unwrap())
            }
            n => {
                let of = |some: bool, n| some.then_some(n);
                let icmp = Icmp { kind: of(self.bool(), self.byte()), code: of(self.bool(), self.byte()) };
                match (n, self.byte() % 3) {
                    (6, 0) => Traffic::Icmp(icmp),
                    (6, _) => Traffic::Icmpv6(icmp),
                    (_, which) => Traffic::Other([2, 47, 50][usize::from(which)]),
                }
            }
        }
    }

    fn source(&mut self) -> Source {
        match self.byte() % 8 {
            0 => Source::PrefixListId(format!("pl-{}", self.byte() % 4).parse().unwrap()),
            1 => Source::ReferencedGroup(GroupReference { group_id: format!("sg-{}", self.byte() % 3).parse().unwrap(), user_id: None }),
            _ => Source::Cidr(self.cidr()),
        }
    }

    fn tags(&mut self, exempt: &str) -> Tags {
        if !self.seldom(8) {
            return Tags::new();
        }
        let keys = [exempt, "team", "aws:cloudformation:stack-name", "Name"];
        (0..=self.byte() % 3).map(|_| (self.pick(&keys).to_owned(), self.pick(&EXEMPTIONS).to_owned())).collect()
    }

    fn direction(&mut self) -> Direction {
        if self.seldom(4) { Direction::Egress } else { Direction::Ingress }
    }

    /// A security group and the settings that it is judged by: one that EC2 could hold, or any.
    pub fn group(&mut self, possible: bool) -> model::cases::Case {
        let runs: [&[(u8, u16, u16)]; 4] =
            [&[(TCP, 22, 22), (TCP, 3389, 3389)], &[(TCP, 22, 23), (UDP, 3389, 3389)], &[(TCP, 0, 0), (UDP, 0, 65535)], &[(TCP, 20, 25)]];
        let (prefix_v4, prefix_v6) = (self.pick(&[8, 8, 8, 1, 9, 24, 32]), self.pick(&[16, 16, 16, 1, 20, 48, 128]));
        // Settings with a block as wide as the limit are refused.
        let narrow = |blocks: Vec<Cidr>| {
            let limit = |block: &Cidr| if block.family() == Family::V4 { prefix_v4 } else { prefix_v6 };
            blocks.into_iter().filter(|block| block.prefix() > limit(block)).collect()
        };
        let setup = model::cases::Setup {
            ports: self.pick(&runs).to_vec(),
            trusted: narrow(self.cidrs(2)),
            replacements: narrow(self.cidrs(2)),
            prefix_v4,
            prefix_v6,
            carve: !self.seldom(4),
            exemptions: !self.seldom(4),
        };
        let exempt = model::cases::EXEMPT;
        let group_tags = self.tags(exempt);
        let mut lists = std::collections::BTreeMap::new();
        for n in 0..self.byte() % 5 {
            let mut blocks = self.cidrs(4);
            if possible && let Some(first) = blocks.first().map(Cidr::family) {
                blocks.retain(|block| block.family() == first);
            }
            let weight = blocks.len() + usize::from(self.byte() % 40);
            let entries = if self.seldom(8) { Err("AccessDenied".to_owned()) } else { Ok(blocks) };
            lists.insert(format!("pl-{n}").parse().unwrap(), PrefixList { weight, entries });
        }
        let (mut rules, mut seen) = (Vec::new(), BTreeSet::new());
        while !self.is_over() && rules.len() < 150 {
            let rule = Rule {
                id: Some(format!("sgr-{}", rules.len()).parse().unwrap()),
                direction: self.direction(),
                traffic: self.traffic(),
                source: self.source(),
                description: self.seldom(4).then(|| "ssh".to_owned()),
                tags: self.tags(exempt),
            };
            if seen.insert((rule.direction, rule.traffic, rule.source.clone())) || !possible {
                rules.push(rule);
            }
        }
        let seed = rules.len() as u64;
        model::cases::Case { setup, group: model::cases::group(group_tags, rules, lists), seed }
    }

    fn entry(&mut self, possible: bool) -> AclEntry {
        let number = match self.byte() {
            n @ 0..=199 => u16::from(n) % 110 + 1,
            _ => self.number(),
        };
        let number = if possible { number.clamp(1, LAST - 1) } else { number };
        let action = if self.bool() { Action::Allow } else { Action::Deny };
        AclEntry { direction: self.direction(), number, action, traffic: self.traffic(), cidr: self.cidr() }
    }

    fn until(&mut self) -> String {
        let end = acl_model::cases::now().saturating_add(minutes(i64::from(self.number()) % 6_000 - 2_000)).unwrap();
        end.round(Unit::Second).unwrap().to_string()
    }

    fn acl(&mut self, id: usize, numbers: &std::ops::RangeInclusive<u16>, possible: bool) -> NetworkAcl {
        let mut acl = acl_model::cases::empty_acl(id);
        let mut taken = BTreeSet::new();
        let mut add = |acl: &mut NetworkAcl, entry: AclEntry| {
            let free = taken.insert((entry.direction, entry.number)) || !possible;
            if free {
                acl.entries.push(entry);
            }
            free
        };
        for _ in 0..self.byte() % 48 {
            match self.byte() % 4 {
                // A denial of ours, whole or in part.
                0 | 1 => {
                    let (direction, cidr) = (self.direction(), self.cidr());
                    let span = numbers.end().saturating_sub(*numbers.start()).saturating_add(1).max(1);
                    let number = numbers.start().saturating_add(self.number() % span);
                    let there = !self.seldom(5);
                    let value = match self.byte() % 8 {
                        0 => "forever".to_owned(),
                        1 => format!("{cidr} until tomorrow"),
                        _ => format!("{cidr} until {} x", self.until()),
                    };
                    let entry = AclEntry { direction, number, action: Action::Deny, traffic: Traffic::All, cidr };
                    if (!there || add(&mut acl, entry)) && acl_model::counted_tags(&acl.tags) < 50 {
                        acl.tags.insert(tag_key(direction, cidr), value);
                    }
                }
                2 => drop(add(&mut acl, self.entry(possible))),
                _ => {
                    let (key, value) =
                        (self.pick(&["Name", "aws:x", acl_model::cases::EXEMPT, "palisade:deny:in:x"]), self.pick(&EXEMPTIONS));
                    acl.tags.insert(key.to_owned(), value.to_owned());
                }
            }
        }
        let spare = if self.seldom(6) { 40 + usize::from(self.byte() % 11) } else { 0 };
        acl.tags.extend((acl.tags.len()..spare).map(|n| (format!("spare{n}"), String::new())));
        if self.bool() {
            acl.entries.extend(acl_model::cases::last_entries());
        }
        acl
    }

    /// Network ACLs and IP sets, somebody to deny in them, and the settings: what AWS could hold, or anything.
    pub fn denial(&mut self, possible: bool) -> acl_model::cases::Case {
        let numbers = self.pick(&[(1, 89), (1, 3), (95, 103), (32760, 32766), (7, 7)]);
        let numbers = if possible { numbers.0..=numbers.1 } else { self.number()..=self.number() };
        let source = self.cidr();
        // Who is never denied has laws of its own.
        let narrow = source.prefix() >= if source.family() == Family::V4 { 24 } else { 48 };
        let deniable = narrow && acl_model::is_public(&acl_model::Span::of(source));
        let source = if possible && !deniable { "203.0.113.7/32".parse().unwrap() } else { source };
        let deny_for =
            if possible { minutes(i64::from(self.number() % 3_000) + 1) } else { SignedDuration::from_secs(i64::from(self.number()) - 9) };
        let settings = Settings {
            never: Vec::new(),
            deny_for,
            quota: self.pick(&[20, 20, 2, 3, 5, 9, 40]),
            exemptions: !self.seldom(6),
            numbers: numbers.clone(),
        };
        let (both_ways, refusals) = (self.bool(), if self.seldom(5) { usize::from(self.byte() % 4) } else { 0 });
        let acls = (0..=usize::from(self.seldom(4))).map(|id| self.acl(id, &numbers, possible)).collect();
        let mut ip_sets = Vec::new();
        for n in 0..if self.seldom(4) { 2 } else { 0 } {
            let family = if possible || self.bool() { source.family() } else { Family::V4 };
            let mut addresses: Vec<Cidr> = self.cidrs(5).into_iter().filter(|block| block.family() == family).collect();
            addresses.sort();
            addresses.dedup();
            let description = if self.seldom(4) { "blocked by the SOC".to_owned() } else { format!("palisade until={}", self.until()) };
            ip_sets.push(Ok(acl_model::cases::set(n, family, addresses, description)));
        }
        let friends = if possible { Vec::new() } else { self.cidrs(2) };
        let friends = friends.into_iter().map(|block| Friend { block, what: "x".to_owned() }).collect();
        let denying = Denying { source, both_ways, cause: "alarm (ssh)".to_owned(), acls, ip_sets, friends };
        acl_model::cases::Case { settings, denying, refusals }
    }

    /// A VPC with its flow logs, and the settings that it is judged by.
    pub fn vpc(&mut self) -> (Vpc, enable_flow_logs::Settings) {
        let traffic = [TrafficType::Accept, TrafficType::Reject, TrafficType::All];
        let places = ["/palisade/flow", "arn:aws:s3:::a-bucket/flow", "arn:aws:s3:::a-bucket/flow/", "arn:aws:firehose:eu-west-1:1:x"];
        let destination = match self.bool() {
            true => Destination::S3 { log_destination: "arn:aws:s3:::a-bucket/flow".to_owned() },
            false => Destination::LogGroup {
                log_group_name: "/palisade/flow".to_owned(),
                deliver_logs_permission_arn: "arn:aws:iam::111122223333:role/flow-logs".to_owned(),
            },
        };
        let settings = enable_flow_logs::Settings { destination, traffic: self.pick(&traffic), exemptions: self.bool() };
        let tags = self.tags("palisade:exempt:enable-flow-logs");
        let mut flow_logs = Vec::new();
        while !self.is_over() && flow_logs.len() < 6 {
            flow_logs.push(FlowLog {
                id: format!("fl-{}", self.byte()).parse().ok(),
                traffic_type: self.pick(&traffic),
                destination: self.pick(&places).to_owned(),
                active: !self.seldom(4),
                failing: self.seldom(4).then(|| "Access error".to_owned()),
                tags: Tags::new(),
            });
        }
        (Vpc { id: "vpc-0a".parse().unwrap(), owner: "111122223333".parse().unwrap(), tags, flow_logs }, settings)
    }
}
