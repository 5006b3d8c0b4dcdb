//! Sets of addresses, and which of them are public.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;

use ipnet::{IpNet, Ipv4Subnets, Ipv6Subnets};
use range_set_blaze::RangeSetBlaze;

use crate::cidr::{Cidr, Family};

/// A set of addresses of one family, as numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressSet {
    family: Family,
    ranges: RangeSetBlaze<u128>,
}

impl AddressSet {
    /// The empty set.
    #[must_use]
    pub fn empty(family: Family) -> Self {
        Self { family, ranges: RangeSetBlaze::new() }
    }

    /// Every address of those blocks that are of this family.
    pub fn of<'a>(family: Family, blocks: impl IntoIterator<Item = &'a Cidr>) -> Self {
        let ranges = blocks.into_iter().filter(|block| block.family() == family).map(range);
        Self { family, ranges: ranges.collect() }
    }

    /// Every address of any of the sets, which are of this family.
    pub fn union<'a>(family: Family, sets: impl IntoIterator<Item = &'a AddressSet>) -> Self {
        Self { family, ranges: sets.into_iter().flat_map(|set| set.ranges.ranges()).collect() }
    }

    /// The family of its addresses.
    #[must_use]
    pub fn family(&self) -> Family {
        self.family
    }

    /// How many addresses it holds. The whole of IPv6 does not fit and counts one less; no set of public addresses comes near.
    #[must_use]
    pub fn count(&self) -> u128 {
        self.ranges.ranges().fold(0_u128, |sum, r| sum.saturating_add((r.end() - r.start()).saturating_add(1)))
    }

    /// Whether it holds no address.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// The addresses in both.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        Self { family: self.family, ranges: &self.ranges & &other.ranges }
    }

    /// The addresses in either.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        Self { family: self.family, ranges: &self.ranges | &other.ranges }
    }

    /// The addresses in this one only.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        Self { family: self.family, ranges: &self.ranges - &other.ranges }
    }

    /// The fewest blocks that hold exactly these addresses, in order.
    #[must_use]
    pub fn blocks(&self) -> Vec<Cidr> {
        let mut blocks = Vec::new();
        for r in self.ranges.ranges() {
            match self.family {
                Family::V4 => {
                    // Numbers of this family are below 2^32 by construction.
                    let low = |n: u128| Ipv4Addr::from(u32::try_from(n).unwrap_or(u32::MAX));
                    blocks.extend(Ipv4Subnets::new(low(*r.start()), low(*r.end()), 0).map(|net| Cidr::from(IpNet::V4(net))));
                }
                Family::V6 => {
                    let subnets = Ipv6Subnets::new(Ipv6Addr::from(*r.start()), Ipv6Addr::from(*r.end()), 0);
                    blocks.extend(subnets.map(|net| Cidr::from(IpNet::V6(net))));
                }
            }
        }
        blocks
    }
}

fn range(block: &Cidr) -> RangeInclusive<u128> {
    let (first, last) = block.bounds();
    first..=last
}

/// Special-purpose ranges that nobody on the internet can send from, of IANA's two registries. Documentation ranges and
/// unallocated space are not among them: to a security group they are as public as any.
const NOT_PUBLIC: [&str; 17] = [
    "0.0.0.0/8",      // this network
    "10.0.0.0/8",     // private
    "100.64.0.0/10",  // shared
    "127.0.0.0/8",    // loopback
    "169.254.0.0/16", // link-local
    "172.16.0.0/12",  // private
    "192.0.0.0/24",   // protocol assignments
    "192.168.0.0/16", // private
    "198.18.0.0/15",  // benchmarking
    "224.0.0.0/4",    // multicast
    "240.0.0.0/4",    // class E and broadcast
    "::/8",           // unspecified, loopback, IPv4-mapped, NAT64
    "64:ff9b:1::/48", // local NAT64
    "100::/64",       // discard
    "fc00::/7",       // unique local
    "fe80::/10",      // link-local
    "ff00::/8",       // multicast
];

/// Every public address of a family: the one answer to "who is the internet", for exposure and for denials alike.
#[must_use]
pub fn public(family: Family) -> AddressSet {
    let special: Vec<Cidr> = NOT_PUBLIC.iter().filter_map(|block| block.parse().ok()).collect();
    let everything = match family {
        Family::V4 => AddressSet { family, ranges: RangeSetBlaze::from_iter([0..=u128::from(u32::MAX)]) },
        Family::V6 => AddressSet { family, ranges: RangeSetBlaze::from_iter([0..=u128::MAX]) },
    };
    everything.without(&AddressSet::of(family, &special))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_public(address: &str) -> bool {
        let address = address.parse().unwrap();
        let block = Cidr::containing(address, if address.is_ipv4() { 32 } else { 128 }).unwrap();
        !AddressSet::of(block.family(), [&block]).and(&public(block.family())).is_empty()
    }

    #[test]
    fn every_special_range_is_read() {
        for block in NOT_PUBLIC {
            assert!(block.parse::<Cidr>().is_ok(), "{block}");
        }
    }

    #[test]
    fn the_internet_is_public_and_what_cannot_send_from_it_is_not() {
        for address in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "198.51.100.7",
            "203.0.113.9",
            "192.0.2.1",
            "192.0.1.0",
            "2001:db8::1",
            "2600::1",
            "4000::",
            "fbff::1",
        ] {
            assert!(is_public(address), "{address}");
        }
        for address in [
            "0.1.2.3",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "172.31.255.255",
            "192.0.0.8",
            "192.168.0.1",
            "198.19.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
            "64:ff9b:1::1",
            "100::1",
            "fd00::1",
            "fe80::1",
            "ff02::1",
        ] {
            assert!(!is_public(address), "{address}");
        }
    }

    #[test]
    fn blocks_are_the_fewest_that_hold_the_set() {
        let halves = ["0.0.0.0/1".parse().unwrap(), "128.0.0.0/1".parse().unwrap()];
        assert_eq!(AddressSet::of(Family::V4, &halves).blocks(), ["0.0.0.0/0".parse().unwrap()]);
        let all = ["::/1".parse().unwrap(), "8000::/1".parse().unwrap()];
        assert_eq!(AddressSet::of(Family::V6, &all).blocks(), ["::/0".parse().unwrap()]);
    }
}
