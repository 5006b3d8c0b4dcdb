//! A denial: what Palisade remembers of it in a tag of the network ACL, and in the description of a WAF IP set.
//!
//! The tag's key is `palisade:deny:<in|out>:<cidr>`, its value `<cidr> until <RFC 3339> <cause>`. Whoever lifts denials has no other memory.

use jiff::{Timestamp, Unit};

use crate::cidr::Cidr;
use crate::security_group::Direction;

const PREFIX: &str = "palisade:deny:";
/// The longest value of a tag ("Tag restrictions", Amazon EC2 user guide).
const LONGEST_VALUE: usize = 256;

/// Whether the key is that of a denial, readable or not.
#[must_use]
pub fn is_key(key: &str) -> bool {
    key.starts_with(PREFIX)
}

/// The key of the tag that remembers a denial.
#[must_use]
pub fn key(direction: Direction, source: Cidr) -> String {
    let way = match direction {
        Direction::Ingress => "in",
        Direction::Egress => "out",
    };
    format!("{PREFIX}{way}:{source}")
}

/// The denial that a key speaks of; `None` where it can't be read. A source in another spelling than ours, as IPv6 has many, is another key:
/// read as the same denial, it would end one that has not ended.
#[must_use]
pub fn read_key(text: &str) -> Option<(Direction, Cidr)> {
    let (way, source) = text.strip_prefix(PREFIX)?.split_once(':')?;
    let direction = match way {
        "in" => Direction::Ingress,
        "out" => Direction::Egress,
        _ => return None,
    };
    let source = source.parse().ok()?;
    (key(direction, source) == text).then_some((direction, source))
}

/// The value of that tag. What tags can't hold of the cause is replaced, and what is too long is cut.
#[must_use]
pub fn value(source: Cidr, until: Timestamp, cause: &str) -> String {
    let cause: String = cause.trim().chars().map(|c| if c.is_ascii() { c } else { '_' }).collect();
    tag_value(&format!("{source} until {until} {cause}"))
}

/// A text as a tag can hold it: letters and digits of any script, spaces, and `+-=._:/@` ("Tag restrictions", Amazon EC2 user guide).
pub(crate) fn tag_value(text: &str) -> String {
    let held = |c: char| if c.is_alphanumeric() || " +-=._:/@".contains(c) { c } else { '_' };
    // Cut first, for the cut may leave a space at the end, which not every reader of tags gives back.
    let value: String = text.chars().map(held).take(LONGEST_VALUE).collect();
    value.trim_end().to_owned()
}

/// When the denial of this source ends, by the value of its tag; `None` where that can't be read, or is of another source.
#[must_use]
pub fn read_value(value: &str, source: Cidr) -> Option<Timestamp> {
    let mut words = value.split(' ');
    let its: Cidr = words.next()?.parse().ok()?;
    let until = words.next()?;
    let end = words.next()?;
    (its == source && until == "until" && end.contains('T')).then(|| end.parse().ok())?
}

const DESCRIPTION: &str = "palisade until=";

/// The description of an IP set whose content is denied until then.
#[must_use]
pub fn description(until: Timestamp) -> String {
    format!("{DESCRIPTION}{until}")
}

/// Until when, by the description of an IP set; `None` where it is not ours.
#[must_use]
pub fn read_description(description: &str) -> Option<Timestamp> {
    description.strip_prefix(DESCRIPTION)?.parse().ok()
}

/// A time without fractions of a second, which nobody who reads a tag wants to see.
pub(crate) fn whole_seconds(time: Timestamp) -> Timestamp {
    time.round(Unit::Second).unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_read_as_it_was_written() {
        for source in ["198.51.100.7/32", "2001:db8::/48"] {
            let source: Cidr = source.parse().unwrap();
            let until: Timestamp = "2026-11-22T08:00:00Z".parse().unwrap();
            for direction in [Direction::Ingress, Direction::Egress] {
                assert_eq!(read_key(&key(direction, source)), Some((direction, source)));
            }
            assert_eq!(read_value(&value(source, until, "alarm (ssh) brute\nforce"), source), Some(until));
            assert_eq!(read_value(&value(source, until, ""), source), Some(until));
        }
    }

    #[test]
    fn what_tags_cannot_hold_is_replaced_and_what_is_too_long_is_cut() {
        let source: Cidr = "198.51.100.7/32".parse().unwrap();
        let value = value(source, "2026-11-22T08:00:00Z".parse().unwrap(), &"ä<>\u{0}".repeat(200));
        assert_eq!(value.len(), 256);
        assert!(value.starts_with("198.51.100.7/32 until 2026-11-22T08:00:00Z ____"));
        let value = super::value(source, "2026-11-22T08:00:00Z".parse().unwrap(), &"x ".repeat(200));
        assert!(value.ends_with('x'), "{value}");
    }

    #[test]
    fn a_tag_that_somebody_edited_has_no_end() {
        let source: Cidr = "198.51.100.7/32".parse().unwrap();
        for value in ["", "until 2026-11-22T08:00:00Z", "198.51.100.8/32 until 2026-11-22T08:00:00Z x", "198.51.100.7/32 until tomorrow"] {
            assert_eq!(read_value(value, source), None, "{value}");
        }
        for key in [
            "palisade:deny:",
            "palisade:deny:in",
            "palisade:deny:in:banana",
            "palisade:deny:up:198.51.100.7/32",
            "deny:in:198.51.100.7/32",
            "palisade:deny:in:2001:DB8::/48",
            "palisade:deny:in:2001:db8:0::/48",
        ] {
            assert_eq!(read_key(key), None, "{key}");
        }
    }
}
