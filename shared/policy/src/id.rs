//! Identifiers of AWS, each its own type, so that one can't be passed for another.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A text that is not the identifier it was taken for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not {wanted}", Excerpt(given))]
pub struct IdError {
    given: String,
    wanted: &'static str,
}

impl IdError {
    pub(crate) fn new(given: &str, wanted: &'static str) -> Self {
        Self { given: given.chars().take(Excerpt::LONGEST + 1).collect(), wanted }
    }
}

/// The first 80 characters of a text that came from outside, without control characters: what an error may repeat of it.
#[derive(Debug, Clone, Copy)]
pub struct Excerpt<'a>(pub &'a str);

impl Excerpt<'_> {
    const LONGEST: usize = 80;
}

impl fmt::Display for Excerpt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (taken, c) in self.0.chars().enumerate() {
            if taken == Self::LONGEST {
                return f.write_str("…");
            }
            fmt::Write::write_char(f, printable(c))?;
        }
        Ok(())
    }
}

/// The character, or a replacement where it would steer what shows the text: control characters, line separators, and those that turn
/// the direction of writing.
#[must_use]
pub fn printable(c: char) -> char {
    let steers = c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if steers { '\u{fffd}' } else { c }
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $wanted:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The identifier as AWS writes it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let check: fn(&str) -> bool = $check;
                if check(text) { Ok(Self(text.to_owned())) } else { Err(IdError::new(text, $wanted)) }
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;

            fn try_from(text: String) -> Result<Self, IdError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

/// `<prefix>-` and then lower-case letters or digits, at least one: the shape of every EC2 resource id.
fn resource_id(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix)
        .and_then(|rest| rest.strip_prefix('-'))
        .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()))
}

text_id!(
    /// A security group, `sg-…`.
    SecurityGroupId, "a security group id (`sg-` and lower-case letters or digits)", |t| resource_id(t, "sg")
);
text_id!(
    /// A single rule of a security group, `sgr-…`. EC2 gives a rule that is made again a new one.
    RuleId, "a security group rule id (`sgr-` and lower-case letters or digits)", |t| resource_id(t, "sgr")
);
text_id!(
    /// A managed prefix list, `pl-…`.
    PrefixListId, "a prefix list id (`pl-` and lower-case letters or digits)", |t| resource_id(t, "pl")
);
text_id!(
    /// A VPC, `vpc-…`.
    VpcId, "a VPC id (`vpc-` and lower-case letters or digits)", |t| resource_id(t, "vpc")
);
text_id!(
    /// A network ACL, `acl-…`.
    AclId, "a network ACL id (`acl-` and lower-case letters or digits)", |t| resource_id(t, "acl")
);
text_id!(
    /// A subnet, `subnet-…`.
    SubnetId, "a subnet id (`subnet-` and lower-case letters or digits)", |t| resource_id(t, "subnet")
);
text_id!(
    /// A network interface, `eni-…`.
    InterfaceId, "a network interface id (`eni-` and lower-case letters or digits)", |t| resource_id(t, "eni")
);
text_id!(
    /// A flow log, `fl-…`.
    FlowLogId, "a flow log id (`fl-` and lower-case letters or digits)", |t| resource_id(t, "fl")
);
text_id!(
    /// A WAF IP set: `arn:aws:wafv2:<region>:<account>:regional/ipset/<name>/<id>`, or `global/ipset/…` for CloudFront.
    IpSetArn, "the ARN of a WAF IP set", |t| {
        let parts: Vec<&str> = t.splitn(6, ':').collect();
        match parts.as_slice() {
            ["arn", _, "wafv2", region, account, resource] => {
                let path: Vec<&str> = resource.split('/').collect();
                let is_path = matches!(path.as_slice(), ["regional" | "global", "ipset", name, id] if !name.is_empty() && !id.is_empty());
                is_path && region.parse::<Region>().is_ok() && account.parse::<AccountId>().is_ok()
            }
            _ => false,
        }
    }
);
text_id!(
    /// An AWS account: twelve digits.
    AccountId, "an AWS account id (12 digits)", |t| t.len() == 12 && t.bytes().all(|b| b.is_ascii_digit())
);
text_id!(
    /// An AWS Region, such as `eu-west-1`.
    Region, "an AWS Region (such as `eu-west-1`)", |t| {
        !t.is_empty() && t.len() <= 32 && t.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    }
);

/// What the ARN of an IP set says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IpSetParts<'a> {
    /// The Region that WAF is called in: of a set for CloudFront, us-east-1.
    pub region: &'a str,
    /// The account that owns it.
    pub account: &'a str,
    /// `REGIONAL` or `CLOUDFRONT`.
    pub scope: &'static str,
    /// Its name.
    pub name: &'a str,
    /// Its id.
    pub id: &'a str,
}

impl IpSetArn {
    /// Its parts.
    #[must_use]
    pub fn parts(&self) -> IpSetParts<'_> {
        let mut parts = self.0.splitn(6, ':').skip(3);
        let (region, account) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let mut path = parts.next().unwrap_or_default().split('/');
        let scope = if path.next() == Some("global") { "CLOUDFRONT" } else { "REGIONAL" };
        IpSetParts { region, account, scope, name: path.nth(1).unwrap_or_default(), id: path.next().unwrap_or_default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_its_prefix_and_lower_case_letters_or_digits_of_any_length() {
        for good in ["sg-0", "sg-0123456789abcdef0", "sg-a", "sg-903004f8", "sg-zz9"] {
            assert!(good.parse::<SecurityGroupId>().is_ok(), "{good}");
        }
        for bad in ["", "sg-", "sg", "SG-0a", "sg-0A", "sg-0a ", " sg-0a", "sg-0a\n", "sg-0_a", "sgr-0a", "pl-0a", "sg-é", "sg-0a,sg-0b"] {
            assert!(bad.parse::<SecurityGroupId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_account_is_twelve_digits() {
        assert!("012345678901".parse::<AccountId>().is_ok());
        for bad in ["12345678901", "1234567890123", "12345678901a", ""] {
            assert!(bad.parse::<AccountId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_error_repeats_only_the_start_of_what_was_given_and_no_control_characters() {
        let error = format!("sg-{}\u{1b}[31m", "X".repeat(1_000_000)).parse::<SecurityGroupId>().unwrap_err().to_string();
        assert!(error.len() < 200, "{error}");
        let error = "a\u{1b}[31m".parse::<SecurityGroupId>().unwrap_err().to_string();
        assert_eq!(error, "`a\u{fffd}[31m` is not a security group id (`sg-` and lower-case letters or digits)");
    }
}
