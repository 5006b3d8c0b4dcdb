//! What a rule admits besides its source: protocol, ports, ICMP types.

use std::fmt;
use std::str::FromStr;

use range_set_blaze::RangeSetBlaze;

use crate::id::Excerpt;

/// A protocol that has ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// TCP, protocol 6.
    Tcp,
    /// UDP, protocol 17.
    Udp,
}

impl Transport {
    /// Both.
    pub const BOTH: [Transport; 2] = [Transport::Tcp, Transport::Udp];
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Transport::Tcp => "tcp",
            Transport::Udp => "udp",
        })
    }
}

/// Ports from `first` to `last`, both included and in that order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortRange {
    first: u16,
    last: u16,
}

impl PortRange {
    /// Every port.
    pub const ALL: PortRange = PortRange { first: 0, last: u16::MAX };

    /// `None` where the first port is above the last.
    #[must_use]
    pub fn new(first: u16, last: u16) -> Option<Self> {
        (first <= last).then_some(Self { first, last })
    }

    /// The lowest port.
    #[must_use]
    pub fn first(self) -> u16 {
        self.first
    }

    /// The highest port.
    #[must_use]
    pub fn last(self) -> u16 {
        self.last
    }

    fn contains(self, other: Self) -> bool {
        self.first <= other.first && other.last <= self.last
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last { write!(f, "{}", self.first) } else { write!(f, "{}-{}", self.first, self.last) }
    }
}

/// ICMP messages of a type and a code; `None` is every one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Icmp {
    /// The ICMP type.
    pub kind: Option<u8>,
    /// The ICMP code.
    pub code: Option<u8>,
}

impl Icmp {
    /// Every ICMP message.
    pub const ALL: Icmp = Icmp { kind: None, code: None };

    fn contains(self, other: Self) -> bool {
        (self.kind.is_none() || self.kind == other.kind) && (self.code.is_none() || self.code == other.code)
    }
}

/// The traffic that a rule admits from its source. Ports exist only where the protocol has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Traffic {
    /// Every protocol and port: EC2's protocol `-1`.
    All,
    /// TCP or UDP to some ports.
    Ports(Transport, PortRange),
    /// ICMP for IPv4, protocol 1.
    Icmp(Icmp),
    /// ICMP for IPv6, protocol 58.
    Icmpv6(Icmp),
    /// Any other protocol by its number; EC2 admits all of it, whatever ports the rule names.
    Other(u8),
}

/// EC2 spoke of traffic that we can't read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("EC2 reports a rule with protocol `{protocol}` and ports `{}` to `{}`, which Palisade can't read", or_none(*from), or_none(*to))]
pub struct TrafficError {
    protocol: String,
    from: Option<i32>,
    to: Option<i32>,
}

fn or_none(port: Option<i32>) -> String {
    port.map_or_else(|| "none".to_owned(), |port| port.to_string())
}

impl Traffic {
    /// Reads a rule as EC2 gives it. The protocol is a name or a number; `-1` and `all` ignore the ports, and for tcp and udp missing
    /// ports or `-1` are all ports. For ICMP the first "port" is the type and the second the code, `-1` meaning all (EC2 `IpPermission`).
    ///
    /// # Errors
    /// A protocol that is neither, or ports outside 0 to 65535 or in the wrong order.
    pub fn from_ec2(protocol: &str, from: Option<i32>, to: Option<i32>) -> Result<Self, TrafficError> {
        let read = || {
            let icmp = || Some(Icmp { kind: icmp_part(from)?, code: icmp_part(to)? });
            match protocol.to_ascii_lowercase().as_str() {
                "-1" | "all" => Some(Traffic::All),
                "tcp" | "6" => Some(Traffic::Ports(Transport::Tcp, ports(from, to)?)),
                "udp" | "17" => Some(Traffic::Ports(Transport::Udp, ports(from, to)?)),
                "icmp" | "1" => Some(Traffic::Icmp(icmp()?)),
                "icmpv6" | "58" => Some(Traffic::Icmpv6(icmp()?)),
                // Strictly, for `06` would be tcp by another name.
                number => number.parse::<u8>().ok().filter(|read| read.to_string() == number).map(Traffic::Other),
            }
        };
        read().ok_or_else(|| TrafficError { protocol: Excerpt(protocol).to_string(), from, to })
    }

    /// The protocol as EC2 names it.
    #[must_use]
    pub fn ec2_protocol(self) -> String {
        match self {
            Traffic::All => "-1".to_owned(),
            Traffic::Ports(transport, _) => transport.to_string(),
            Traffic::Icmp(_) => "icmp".to_owned(),
            Traffic::Icmpv6(_) => "icmpv6".to_owned(),
            Traffic::Other(number) => number.to_string(),
        }
    }

    /// `FromPort` and `ToPort` as EC2 wants them: `None` where the protocol has none, `-1` for every ICMP type or code.
    #[must_use]
    pub fn ec2_ports(self) -> Option<(i32, i32)> {
        match self {
            Traffic::All | Traffic::Other(_) => None,
            Traffic::Ports(_, ports) => Some((i32::from(ports.first), i32::from(ports.last))),
            Traffic::Icmp(icmp) | Traffic::Icmpv6(icmp) => Some((icmp.kind.map_or(-1, i32::from), icmp.code.map_or(-1, i32::from))),
        }
    }

    /// The ports of this protocol that it admits.
    #[must_use]
    pub fn port_range(self, transport: Transport) -> Option<PortRange> {
        match self {
            Traffic::All => Some(PortRange::ALL),
            Traffic::Ports(its, ports) => (its == transport).then_some(ports),
            Traffic::Icmp(_) | Traffic::Icmpv6(_) | Traffic::Other(_) => None,
        }
    }

    /// The TCP and UDP ports that it admits.
    #[must_use]
    pub fn ports(self) -> PortSet {
        let mut set = PortSet::default();
        for transport in Transport::BOTH {
            if let Some(ports) = self.port_range(transport) {
                set.insert(transport, ports);
            }
        }
        set
    }

    /// Whether everything that `other` admits is admitted by this too.
    #[must_use]
    pub fn contains(self, other: Traffic) -> bool {
        match (self, other) {
            (Traffic::All, _) => true,
            (Traffic::Ports(a, wide), Traffic::Ports(b, narrow)) => a == b && wide.contains(narrow),
            (Traffic::Icmp(wide), Traffic::Icmp(narrow)) | (Traffic::Icmpv6(wide), Traffic::Icmpv6(narrow)) => wide.contains(narrow),
            (Traffic::Other(a), Traffic::Other(b)) => a == b,
            _ => false,
        }
    }
}

fn ports(from: Option<i32>, to: Option<i32>) -> Option<PortRange> {
    match (from.unwrap_or(-1), to.unwrap_or(-1)) {
        (-1, -1) => Some(PortRange::ALL),
        (from, to) => PortRange::new(u16::try_from(from).ok()?, u16::try_from(to).ok()?),
    }
}

/// `Some(None)` is "all"; `None` is a number that ICMP does not have.
fn icmp_part(number: Option<i32>) -> Option<Option<u8>> {
    match number.unwrap_or(-1) {
        -1 => Some(None),
        number => u8::try_from(number).ok().map(Some),
    }
}

impl fmt::Display for Traffic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let icmp = |f: &mut fmt::Formatter<'_>, name: &str, icmp: &Icmp| match (icmp.kind, icmp.code) {
            (None, _) => f.write_str(name),
            (Some(kind), None) => write!(f, "{name} type {kind}"),
            (Some(kind), Some(code)) => write!(f, "{name} type {kind} code {code}"),
        };
        match self {
            Traffic::All => f.write_str("all traffic"),
            Traffic::Ports(transport, ports) if *ports == PortRange::ALL => write!(f, "all {transport}"),
            Traffic::Ports(transport, ports) => write!(f, "{transport}/{ports}"),
            Traffic::Icmp(i) => icmp(f, "icmp", i),
            Traffic::Icmpv6(i) => icmp(f, "icmpv6", i),
            Traffic::Other(number) => write!(f, "protocol {number}"),
        }
    }
}

/// A set of TCP and UDP ports. Written and read as `22,3389,5900-5910,udp/3389`, where a bare port is TCP.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PortSet {
    tcp: RangeSetBlaze<u16>,
    udp: RangeSetBlaze<u16>,
}

impl PortSet {
    /// Adds ports.
    pub fn insert(&mut self, transport: Transport, ports: PortRange) {
        match transport {
            Transport::Tcp => self.tcp.ranges_insert(ports.first..=ports.last),
            Transport::Udp => self.udp.ranges_insert(ports.first..=ports.last),
        };
    }

    /// The ports in both.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        Self { tcp: &self.tcp & &other.tcp, udp: &self.udp & &other.udp }
    }

    /// The ports in either.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        Self { tcp: &self.tcp | &other.tcp, udp: &self.udp | &other.udp }
    }

    /// The ports in this one only.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        Self { tcp: &self.tcp - &other.tcp, udp: &self.udp - &other.udp }
    }

    /// Whether it holds no port.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tcp.is_empty() && self.udp.is_empty()
    }

    /// Whether it holds the port.
    #[must_use]
    pub fn contains(&self, transport: Transport, port: u16) -> bool {
        match transport {
            Transport::Tcp => self.tcp.contains(port),
            Transport::Udp => self.udp.contains(port),
        }
    }

    /// The longest runs of ports, TCP first, in order.
    pub fn ranges(&self) -> impl Iterator<Item = (Transport, PortRange)> + '_ {
        let of = |transport, ports: &RangeSetBlaze<u16>| {
            ports.ranges().map(move |r| (transport, PortRange { first: *r.start(), last: *r.end() })).collect::<Vec<_>>()
        };
        of(Transport::Tcp, &self.tcp).into_iter().chain(of(Transport::Udp, &self.udp))
    }
}

/// Writes `tcp/22, tcp/3389 and udp/3389`.
impl fmt::Display for PortSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ranges: Vec<String> = self.ranges().map(|(transport, ports)| Traffic::Ports(transport, ports).to_string()).collect();
        f.write_str(&list(&ranges))
    }
}

/// `a`, `a and b`, `a, b and c`.
pub(crate) fn list(words: &[impl AsRef<str>]) -> String {
    match words {
        [] => "nothing".to_owned(),
        [one] => one.as_ref().to_owned(),
        [most @ .., last] => format!("{} and {}", most.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(", "), last.as_ref()),
    }
}

/// The TCP ports that Security Hub control EC2.19 calls high-risk (the control's documentation).
pub const HIGH_RISK: [u16; 24] =
    [20, 21, 22, 23, 25, 110, 135, 143, 445, 1433, 1434, 3000, 3306, 3389, 4333, 5000, 5432, 5500, 5601, 8080, 8088, 8888, 9200, 9300];

/// A text that is not a list of ports.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a port, a range such as `5900-5910`, one of them after `udp/`, or `high-risk`")]
pub struct PortSetError(String);

impl FromStr for PortSet {
    type Err = PortSetError;

    fn from_str(text: &str) -> Result<Self, PortSetError> {
        let mut set = PortSet::default();
        for item in text.split(',').map(str::trim) {
            if item == "high-risk" {
                HIGH_RISK.into_iter().for_each(|port| set.insert(Transport::Tcp, PortRange { first: port, last: port }));
                continue;
            }
            let (transport, numbers) = match item.split_once('/') {
                Some(("tcp", numbers)) => (Transport::Tcp, numbers),
                Some(("udp", numbers)) => (Transport::Udp, numbers),
                Some(_) => return Err(PortSetError(Excerpt(item).to_string())),
                None => (Transport::Tcp, item),
            };
            let (first, last) = numbers.split_once('-').unwrap_or((numbers, numbers));
            let range = || PortRange::new(port(first)?, port(last)?);
            set.insert(transport, range().ok_or_else(|| PortSetError(Excerpt(item).to_string()))?);
        }
        Ok(set)
    }
}

fn port(text: &str) -> Option<u16> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && (text.len() == 1 || !text.starts_with('0'));
    plain.then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_ports_is_read_strictly() {
        assert_eq!("22,3389".parse::<PortSet>().unwrap().to_string(), "tcp/22 and tcp/3389");
        assert_eq!("5900-5910, udp/3389,tcp/22".parse::<PortSet>().unwrap().to_string(), "tcp/22, tcp/5900-5910 and udp/3389");
        assert_eq!("high-risk,5900".parse::<PortSet>().unwrap().ranges().count(), 21, "20 to 23 and 1433 to 1434 are runs");
        for bad in ["", "22,", "ssh", "65536", "-1", "22-", "25-20", "022", "sctp/22", "tcp/", "2 2", "+22", "22;23"] {
            assert!(bad.parse::<PortSet>().is_err(), "{bad}");
        }
    }

    #[test]
    fn ec2_says_the_same_traffic_in_many_ways() {
        let ssh = Traffic::Ports(Transport::Tcp, PortRange::new(22, 22).unwrap());
        assert_eq!(Traffic::from_ec2("tcp", Some(22), Some(22)), Ok(ssh));
        assert_eq!(Traffic::from_ec2("6", Some(22), Some(22)), Ok(ssh));
        assert_eq!(Traffic::from_ec2("TCP", Some(22), Some(22)), Ok(ssh));
        for all in [("-1", None, None), ("-1", Some(-1), Some(-1)), ("-1", Some(0), Some(0)), ("all", Some(22), Some(22))] {
            assert_eq!(Traffic::from_ec2(all.0, all.1, all.2), Ok(Traffic::All));
        }
        assert_eq!(Traffic::from_ec2("tcp", None, None), Ok(Traffic::Ports(Transport::Tcp, PortRange::ALL)));
        assert_eq!(Traffic::from_ec2("50", Some(-1), Some(-1)), Ok(Traffic::Other(50)));
        assert_eq!(Traffic::from_ec2("icmp", Some(8), Some(-1)), Ok(Traffic::Icmp(Icmp { kind: Some(8), code: None })));
        for bad in [
            ("tcp", Some(25), Some(20)),
            ("tcp", Some(0), Some(65_536)),
            ("tcp", Some(22), None),
            ("ssh", None, None),
            ("icmp", Some(256), None),
            ("06", Some(22), Some(22)),
            ("+6", Some(22), Some(22)),
        ] {
            assert!(Traffic::from_ec2(bad.0, bad.1, bad.2).is_err(), "{bad:?}");
        }
    }
}
