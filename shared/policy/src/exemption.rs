//! Exemptions: a tag that tells a guardrail to leave a resource, or one rule, alone for a while.
//!
//! Key `palisade:exempt:<guardrail>`, value `until=2026-12-31 reason=CHG-1234`. They fail closed: a tag that is expired, malformed,
//! without end or reason, or too far ahead exempts nothing, and the notice says why.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::denial::tag_value;
use crate::guardrail::Guardrail;
use crate::id::Excerpt;
use crate::security_group::Tags;

/// The longest that an exemption may have to run.
pub const LONGEST: SignedDuration = SignedDuration::from_hours(90 * 24);

/// What a resource's tags say about being exempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exemption {
    /// Nothing.
    None,
    /// It is exempt.
    Valid {
        /// When that ends.
        until: Timestamp,
        /// Why, in the words of whoever set it.
        reason: String,
    },
    /// It says so, but that does not count.
    Invalid {
        /// Why not.
        why: String,
    },
}

impl Exemption {
    /// Reads the tags of a resource or a rule.
    #[must_use]
    pub fn read(tags: &Tags, guardrail: Guardrail, now: Timestamp) -> Self {
        Self::under(&guardrail.exemption_key(), tags, now)
    }

    /// Reads the tag with this key.
    #[must_use]
    pub fn under(key: &str, tags: &Tags, now: Timestamp) -> Self {
        match tags.get(key) {
            None => Exemption::None,
            Some(value) => match parse(value, now) {
                Ok((until, reason)) => Exemption::Valid { until, reason },
                Err(why) => Exemption::Invalid { why },
            },
        }
    }
}

/// Whether the key is that of an exemption, of whatever guardrail.
#[must_use]
pub fn is_key(key: &str) -> bool {
    key.starts_with("palisade:exempt:")
}

/// The value of a tag that exempts until then. What tags can't hold of the reason is replaced, and what is too long is cut.
#[must_use]
pub fn value(until: Timestamp, reason: &str) -> String {
    tag_value(&format!("until={until} reason={}", reason.trim()))
}

/// The same until the end of a day, UTC.
#[must_use]
pub fn value_until_the_end_of(day: Date, reason: &str) -> String {
    tag_value(&format!("until={day} reason={}", reason.trim()))
}

/// Whether a text says anything: a letter or a digit at least, which a tag can hold.
#[must_use]
pub fn is_reason(text: &str) -> bool {
    text.contains(char::is_alphanumeric)
}

fn parse(value: &str, now: Timestamp) -> Result<(Timestamp, String), String> {
    const SHAPE: &str = "it is not of the form `until=2026-12-31 reason=CHG-1234`";
    let (until, reason) = value.trim().strip_prefix("until=").and_then(|rest| rest.split_once(' ')).ok_or(SHAPE)?;
    let reason = reason.trim_start().strip_prefix("reason=").ok_or(SHAPE)?.trim();
    if !is_reason(reason) {
        return Err("it gives no reason".to_owned());
    }
    let end = end(until).ok_or_else(|| format!("`{}` is neither a date nor an RFC 3339 time", Excerpt(until)))?;
    if end <= now {
        return Err(format!("it ended at {end}"));
    }
    if now.duration_until(end) > LONGEST {
        return Err(format!("it would last until {end}, more than 90 days ahead"));
    }
    Ok((end, reason.to_owned()))
}

/// A date ends with that day, UTC.
fn end(text: &str) -> Option<Timestamp> {
    if text.len() == "2026-12-31".len() {
        let date: Date = text.parse().ok()?;
        return Some(date.tomorrow().ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp());
    }
    // jiff reads a good deal more: spaces, missing seconds, names of zones.
    is_rfc_3339(text).then(|| text.parse().ok())?
}

/// `2026-12-31T23:59:59Z`, with or without a fraction, with `Z` or an offset, in capitals or not.
fn is_rfc_3339(text: &str) -> bool {
    const TIME: &str = "0000-00-00T00:00:00";
    const OFFSET: &str = "+00:00";
    let is = |text: &str, shape: &str| {
        text.len() == shape.len()
            && text.bytes().zip(shape.bytes()).all(|(byte, shape)| match shape {
                b'0' => byte.is_ascii_digit(),
                b'+' => byte == b'+' || byte == b'-',
                _ => byte.eq_ignore_ascii_case(&shape),
            })
    };
    let Some((time, rest)) = text.split_at_checked(TIME.len()) else { return false };
    let zone = match rest.strip_prefix('.') {
        None => rest,
        Some(fraction) => match fraction.trim_start_matches(|c: char| c.is_ascii_digit()) {
            zone if zone.len() == fraction.len() => return false,
            zone => zone,
        },
    };
    // A leap second is no second of our clock.
    is(time, TIME) && !time.ends_with("60") && (is(zone, "Z") || is(zone, OFFSET))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &str) -> Exemption {
        let tags = Tags::from([("palisade:exempt:revoke-admin-ingress".to_owned(), value.to_owned())]);
        Exemption::read(&tags, Guardrail::RevokeAdminIngress, "2026-11-21T12:00:00Z".parse().unwrap())
    }

    #[test]
    fn a_date_ends_with_its_day_and_a_time_at_its_second() {
        for (value, until, reason) in [
            ("until=2026-11-21 reason=CHG-1", "2026-11-22T00:00:00Z", "CHG-1"),
            (
                "until=2026-11-21T12:00:01Z reason=a reason with until=2020-01-01 in it",
                "2026-11-21T12:00:01Z",
                "a reason with until=2020-01-01 in it",
            ),
            ("until=2026-11-21T14:00:00+01:00 reason=x", "2026-11-21T13:00:00Z", "x"),
            ("until=2027-02-18  reason=ninety days", "2027-02-19T00:00:00Z", "ninety days"),
            ("until=2027-02-19T12:00:00Z reason=ninety days to the second", "2027-02-19T12:00:00Z", "ninety days to the second"),
            ("until=2026-11-21T12:00:00.001Z reason=a moment", "2026-11-21T12:00:00.001Z", "a moment"),
            ("until=2026-12-31t00:00:00z reason=RFC 3339 takes small letters", "2026-12-31T00:00:00Z", "RFC 3339 takes small letters"),
            ("until=2026-12-31T23:59:59-11:30 reason=far west", "2027-01-01T11:29:59Z", "far west"),
            ("until=2026-12-31 reason=CHG=1 = 2", "2027-01-01T00:00:00Z", "CHG=1 = 2"),
            ("until=2026-12-31 reason=Störung bei Müller, bis 工事 endet", "2027-01-01T00:00:00Z", "Störung bei Müller, bis 工事 endet"),
            ("  until=2026-12-31 reason= padded  ", "2027-01-01T00:00:00Z", "padded"),
        ] {
            assert_eq!(read(value), Exemption::Valid { until: until.parse().unwrap(), reason: reason.to_owned() }, "{value}");
        }
    }

    #[test]
    fn a_leap_day_is_a_day_in_a_leap_year_alone() {
        let at = |now: &str, value: &str| {
            let tags = Tags::from([("palisade:exempt:revoke-admin-ingress".to_owned(), value.to_owned())]);
            Exemption::read(&tags, Guardrail::RevokeAdminIngress, now.parse().unwrap())
        };
        let until = "2028-03-01T00:00:00Z".parse().unwrap();
        assert_eq!(at("2028-02-01T00:00:00Z", "until=2028-02-29 reason=x"), Exemption::Valid { until, reason: "x".to_owned() });
        assert!(matches!(at("2027-02-01T00:00:00Z", "until=2027-02-29 reason=x"), Exemption::Invalid { .. }));
        // Ninety days over a leap day are ninety days.
        assert!(matches!(at("2028-01-01T00:00:00Z", "until=2028-03-30 reason=x"), Exemption::Valid { .. }));
        assert!(matches!(at("2028-01-01T00:00:00Z", "until=2028-03-31 reason=x"), Exemption::Invalid { .. }));
    }

    #[test]
    fn a_reason_in_any_script_makes_a_value_that_exempts() {
        let until: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
        for (given, kept) in [
            ("CHG-1234", "CHG-1234"),
            ("工事のため", "工事のため"),
            ("Störung <bei> Müller; \"eilig\"", "Störung _bei_ Müller_ _eilig_"),
            (" — 7 — ", "_ 7 _"),
        ] {
            assert!(is_reason(given));
            assert_eq!(read(&value(until, given)), Exemption::Valid { until, reason: kept.to_owned() }, "{given}");
        }
        let longest = value(until, &"工".repeat(300));
        assert_eq!(longest.chars().count(), 256);
        assert!(matches!(read(&longest), Exemption::Valid { .. }));
        assert!(!is_reason("—") && !is_reason("_ . :"));
    }

    #[test]
    fn a_value_as_long_as_a_tag_can_hold_is_read_whole() {
        let reason = "ä".repeat(256 - "until=2026-12-31 reason=".len());
        let read = read(&format!("until=2026-12-31 reason={reason}"));
        assert_eq!(read, Exemption::Valid { until: "2027-01-01T00:00:00Z".parse().unwrap(), reason });
    }

    #[test]
    fn what_is_expired_malformed_too_long_or_without_a_reason_exempts_nothing() {
        for value in [
            "",
            "true",
            "until=2026-12-31",
            "until=2026-12-31 reason=",
            "until=2026-12-31 reason=  ",
            "reason=CHG-1 until=2026-12-31",
            "until=2026-11-20 reason=x",
            "until=2026-11-21T12:00:00Z reason=x",
            "until=2027-02-20 reason=x",
            "until=2027-02-19 reason=the day ends half a day too late",
            "until=2027-02-19T12:00:00.000000001Z reason=x",
            "until=20261231T000000Z reason=x",
            "until=2026-12-31T00:00Z reason=x",
            "until=2026-12-31T00:00:00+0100 reason=x",
            "until=2026-12-31T00:00:60Z reason=x",
            "until=2026-12-31 reason=-",
            "until=2026-12-31T00:00:00 reason=no zone",
            "until=2026-12-31T00:00:00+01:00[Europe/Berlin] reason=more than RFC 3339",
            "until=2026-12-31T24:00:00Z reason=x",
            "until=2026-12-31\treason=x",
            "until=2026-12-31\u{a0}reason=x",
            "until =2026-12-31 reason=x",
            "until=２０２６-12-31 reason=x",
            "until=+2026-12-31 reason=x",
            "until=-2026-12-31 reason=x",
            "until=2026-12-31 Reason=x",
            "until=2026-12-31 because reason=x",
            "until=2026-12-31 reason=\u{200b}",
            "until=forever reason=x",
            "until=2026-13-01 reason=x",
            "until=2026-02-30 reason=x",
            "Until=2026-12-31 reason=x",
            "until=20261231 reason=x",
            "until=2026-12-31reason=x",
            "until=9999-12-31 reason=x",
            "until= reason=x",
        ] {
            assert!(matches!(read(value), Exemption::Invalid { .. }), "{value}: {:?}", read(value));
        }
    }

    #[test]
    fn another_guardrails_tag_is_no_exemption() {
        let tags = Tags::from([("palisade:exempt:strip-default-group".to_owned(), "until=2026-12-31 reason=x".to_owned())]);
        assert_eq!(Exemption::read(&tags, Guardrail::RevokeAdminIngress, "2026-11-21T12:00:00Z".parse().unwrap()), Exemption::None);
    }
}
