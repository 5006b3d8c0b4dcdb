//! CIDR blocks, read strictly.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::id::Excerpt;

/// An address family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// Both, IPv4 first.
    pub const BOTH: [Family; 2] = [Family::V4, Family::V6];

    /// Bits of an address: 32 or 128.
    #[must_use]
    pub fn bits(self) -> u8 {
        match self {
            Family::V4 => 32,
            Family::V6 => 128,
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Family::V4 => "IPv4",
            Family::V6 => "IPv6",
        })
    }
}

/// A block of addresses without host bits: `10.0.0.0/8`, `2001:db8::/32`.
///
/// Reading is strict, as a setting or a call must be: `10.0.0.1/8` (host bits), `010.0.0.0/8` (is that octal?), `10/8` and a bare
/// address are errors. [`Cidr::containing`] is for what AWS says, where the block is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Cidr(IpNet);

/// A text that is not a CIDR block.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CidrError {
    /// Not `<address>/<prefix length>` at all.
    #[error("`{0}` is not a CIDR block (such as `198.51.100.0/24` or `2001:db8::/32`)")]
    Malformed(String),
    /// The address has bits set behind the prefix.
    #[error("`{given}` has host bits set; did you mean `{meant}`")]
    HostBits {
        /// What was given.
        given: String,
        /// The block that holds it.
        meant: Cidr,
    },
}

impl Cidr {
    /// The block of this prefix length that holds the address, with the host bits cleared, as EC2 stores it.
    /// `None` where the prefix is longer than the address.
    #[must_use]
    pub fn containing(address: IpAddr, prefix: u8) -> Option<Self> {
        IpNet::new(address, prefix).ok().map(|net| Self(net.trunc()))
    }

    /// Reads what AWS answers: as strict as [`str::parse`], but host bits are cleared as EC2 does.
    ///
    /// # Errors
    /// [`CidrError::Malformed`].
    pub fn canonical(text: &str) -> Result<Self, CidrError> {
        split(text)
            .and_then(|(address, prefix)| Self::containing(address, prefix))
            .ok_or_else(|| CidrError::Malformed(Excerpt(text).to_string()))
    }

    /// The family of its addresses.
    #[must_use]
    pub fn family(&self) -> Family {
        match self.0 {
            IpNet::V4(_) => Family::V4,
            IpNet::V6(_) => Family::V6,
        }
    }

    /// The prefix length: 0 to 32 or 128.
    #[must_use]
    pub fn prefix(&self) -> u8 {
        self.0.prefix_len()
    }

    /// The first and the last address, as numbers.
    #[must_use]
    pub fn bounds(&self) -> (u128, u128) {
        match self.0 {
            IpNet::V4(net) => (u128::from(u32::from(net.network())), u128::from(u32::from(net.broadcast()))),
            IpNet::V6(net) => (u128::from(net.network()), u128::from(net.broadcast())),
        }
    }

    /// Whether every address of `other` is in this block. Blocks of two families never hold each other.
    #[must_use]
    pub fn contains(&self, other: &Cidr) -> bool {
        self.0.contains(&other.0)
    }

    /// An IPv6 block with every digit of its address, as AWS writes some; IPv4 has one spelling only.
    #[must_use]
    pub fn written_out(&self) -> Option<String> {
        let IpNet::V6(net) = self.0 else { return None };
        let groups: Vec<String> = net.network().segments().iter().map(|group| format!("{group:04x}")).collect();
        Some(format!("{}/{}", groups.join(":"), net.prefix_len()))
    }

    /// Whether it holds every address of its family.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.prefix() == 0
    }
}

/// `<address>/<prefix length>` with nothing else in it: no zone, no sign, no leading zero.
fn split(text: &str) -> Option<(IpAddr, u8)> {
    let (address, prefix) = text.split_once('/')?;
    let plain = !prefix.is_empty()
        && prefix.len() <= 3
        && prefix.bytes().all(|b| b.is_ascii_digit())
        && (prefix.len() == 1 || !prefix.starts_with('0'));
    // The standard library's parser refuses leading zeros in IPv4 octets; ipnet's does not.
    Some((address.parse().ok()?, plain.then(|| prefix.parse().ok())??))
}

impl FromStr for Cidr {
    type Err = CidrError;

    fn from_str(text: &str) -> Result<Self, CidrError> {
        let block = Self::canonical(text)?;
        match split(text) {
            Some((address, _)) if block.0.network() == address => Ok(block),
            _ => Err(CidrError::HostBits { given: Excerpt(text).to_string(), meant: block }),
        }
    }
}

impl TryFrom<String> for Cidr {
    type Error = CidrError;

    fn try_from(text: String) -> Result<Self, CidrError> {
        text.parse()
    }
}

impl From<Cidr> for String {
    fn from(cidr: Cidr) -> String {
        cidr.to_string()
    }
}

impl From<IpNet> for Cidr {
    fn from(net: IpNet) -> Self {
        Self(net.trunc())
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_read_strictly() {
        for good in ["0.0.0.0/0", "10.0.0.0/8", "198.51.100.7/32", "::/0", "2001:db8::/32", "::ffff:0.0.0.0/96"] {
            assert!(good.parse::<Cidr>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "/",
            "0.0.0.0",
            "10/8",
            "10.0.0.0/",
            "10.0.0.0/33",
            "10.0.0.0/08",
            "10.0.0.0/+8",
            "10.0.0.0/-1",
            "010.0.0.0/8",
            "10.0.0.0/8 ",
            " 10.0.0.0/8",
            "10.0.0/8",
            "::/129",
            "::/0128",
            "fe80::%eth0/64",
            "10.0.0.0/8/8",
            "banana",
            "0x0.0.0.0/0",
            "10.0.0.0/8,::/0",
            "2001:db8::/32\n",
        ] {
            assert!(bad.parse::<Cidr>().is_err(), "{bad}");
        }
    }

    #[test]
    fn host_bits_are_an_error_that_says_what_was_meant() {
        let error = "100.68.0.18/18".parse::<Cidr>().unwrap_err();
        assert_eq!(error.to_string(), "`100.68.0.18/18` has host bits set; did you mean `100.68.0.0/18`");
        assert_eq!(Cidr::canonical("100.68.0.18/18").unwrap().to_string(), "100.68.0.0/18");
    }

    #[test]
    fn the_world_is_the_world_however_it_is_spelled() {
        for spelling in ["0:0:0:0:0:0:0:0/0", "::/0", "0000::0000/0"] {
            assert_eq!(spelling.parse::<Cidr>().unwrap().to_string(), "::/0");
        }
        assert_eq!(Cidr::canonical("208.236.235.254/0").unwrap().to_string(), "0.0.0.0/0");
    }
}
