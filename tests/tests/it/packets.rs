//! What passes, by a plain model of packets that shares no code with the policy: nobody is cut off on the way from one state to another.

use std::collections::BTreeSet;

use palisade_policy::cidr::Cidr;
use palisade_policy::network_acl::{Action, NetworkAcl};
use palisade_policy::security_group::{Direction, SecurityGroup, Source};
use palisade_policy::traffic::Traffic;
use palisade_tests::world::{Resource, Snapshot};

/// A packet from, or to, somebody.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Packet {
    direction: Direction,
    who: Who,
    /// As EC2 writes it.
    protocol: String,
    port: i32,
}

/// Prefix lists and referenced groups are people of their own: which addresses they are does not change meanwhile.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Who {
    Address(bool, u128),
    Other(Source),
}

impl Who {
    fn is_in(&self, block: &Cidr) -> bool {
        let (first, last) = block.bounds();
        matches!(self, Who::Address(v6, address) if *v6 == (block.family().bits() == 128) && (first..=last).contains(address))
    }
}

/// What is wrong with a state on the way from `before` to `last`: somebody is cut off who passed before and passes at last, or let in who
/// did neither. In network ACLs nobody's packets may change their fate but those of the sources that are being denied, or lifted.
pub(crate) fn wrong_on_the_way(before: &Snapshot, state: &Snapshot, last: &Snapshot, denied: &[Cidr]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (id, was) in before {
        match (was, state.get(id), last.get(id)) {
            (Resource::Group(was), Some(Resource::Group(is)), Some(Resource::Group(becomes))) => {
                if is.rules == was.rules || is.rules == becomes.rules {
                    continue;
                }
                for packet in packets_of_groups(&[was, is, becomes]) {
                    let [before, now, at_last] = [was, is, becomes].map(|group| admits(group, &packet));
                    if before && at_last && !now {
                        wrong.push(format!("{id} cuts off {packet:?}"));
                    }
                    if now && !before && !at_last {
                        wrong.push(format!("{id} lets in {packet:?}"));
                    }
                }
            }
            (Resource::Acl(was), Some(Resource::Acl(is)), _) => {
                for packet in packets_of_acls(&[was, is]) {
                    let is_about_the_denied = denied.iter().any(|block| packet.who.is_in(block));
                    if !is_about_the_denied && passes(was, &packet) != passes(is, &packet) {
                        wrong.push(format!("{id} has another fate for {packet:?}"));
                    }
                }
            }
            (Resource::Vpc(was), Some(Resource::Vpc(is)), _) => {
                if let Some(log) = was.flow_logs.iter().find(|log| !is.flow_logs.contains(log)) {
                    wrong.push(format!("{id} has lost {log:?}"));
                }
            }
            (Resource::IpSet(was), Some(Resource::IpSet(is)), Some(Resource::IpSet(becomes))) => {
                let known = |block: &&Cidr| was.addresses.contains(block) || becomes.addresses.contains(block);
                if let Some(block) = is.addresses.iter().find(|block| !known(block)) {
                    wrong.push(format!("{id} denies {block}"));
                }
            }
            _ => wrong.push(format!("{id} is gone, or is something else")),
        }
    }
    wrong
}

fn admits(group: &SecurityGroup, packet: &Packet) -> bool {
    group.rules.iter().any(|rule| {
        let from = match &rule.source {
            Source::Cidr(block) => packet.who.is_in(block),
            other => packet.who == Who::Other(other.clone()),
        };
        rule.direction == packet.direction && from && matches(rule.traffic, packet)
    })
}

/// The first entry that matches decides; where none does, EC2's own last one denies.
fn passes(acl: &NetworkAcl, packet: &Packet) -> bool {
    let mut entries: Vec<_> = acl.entries.iter().filter(|entry| entry.direction == packet.direction).collect();
    entries.sort_by_key(|entry| entry.number);
    let decides = entries.into_iter().find(|entry| packet.who.is_in(&entry.cidr) && matches(entry.traffic, packet));
    decides.is_some_and(|entry| entry.action == Action::Allow)
}

fn matches(traffic: Traffic, packet: &Packet) -> bool {
    let protocol = traffic.ec2_protocol();
    let has_ports = ["tcp", "udp", "6", "17"].contains(&protocol.as_str());
    let port = !has_ports || traffic.ec2_ports().is_none_or(|(from, to)| (from..=to).contains(&packet.port));
    protocol == "-1" || (protocol == packet.protocol && port)
}

fn packets_of_groups(groups: &[&SecurityGroup]) -> BTreeSet<Packet> {
    let rules = || groups.iter().flat_map(|group| &group.rules);
    let blocks: Vec<Cidr> = rules().filter_map(|rule| if let Source::Cidr(block) = &rule.source { Some(*block) } else { None }).collect();
    let others = rules().filter(|rule| !matches!(rule.source, Source::Cidr(_))).map(|rule| Who::Other(rule.source.clone()));
    packets(people(&blocks).into_iter().chain(others).collect(), rules().map(|rule| rule.traffic))
}

fn packets_of_acls(acls: &[&NetworkAcl]) -> BTreeSet<Packet> {
    let entries = || acls.iter().flat_map(|acl| &acl.entries);
    packets(people(&entries().map(|entry| entry.cidr).collect::<Vec<_>>()), entries().map(|entry| entry.traffic))
}

/// Somebody at each end of every block, their neighbours outside, and somebody else.
fn people(blocks: &[Cidr]) -> BTreeSet<Who> {
    let mut people = BTreeSet::from([Who::Address(false, 0x0808_0808), Who::Address(true, 0x2600 << 112 | 1)]);
    for block in blocks {
        let (first, last) = block.bounds();
        let end = if block.family().bits() == 128 { u128::MAX } else { u128::from(u32::MAX) };
        for address in [first, last, first.saturating_sub(1), last.saturating_add(1).min(end)] {
            people.insert(Who::Address(block.family().bits() == 128, address));
        }
    }
    people
}

fn packets(people: BTreeSet<Who>, traffic: impl Iterator<Item = Traffic>) -> BTreeSet<Packet> {
    let mut kinds: BTreeSet<(String, i32)> = ["tcp", "udp", "icmp", "icmpv6"].map(|protocol| (protocol.to_owned(), 22)).into();
    for traffic in traffic {
        let ports = traffic.ec2_ports().map_or(vec![0], |(from, to)| vec![from - 1, from, to, to + 1]);
        kinds.extend(ports.into_iter().map(|port| (traffic.ec2_protocol(), port)));
    }
    // A packet has a protocol; `-1` is only a rule's.
    kinds.retain(|(protocol, _)| protocol != "-1");
    let mut packets = BTreeSet::new();
    for who in &people {
        for (protocol, port) in &kinds {
            for direction in [Direction::Ingress, Direction::Egress] {
                packets.insert(Packet { direction, who: who.clone(), protocol: protocol.clone(), port: *port });
            }
        }
    }
    packets
}
