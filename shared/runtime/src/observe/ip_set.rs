//! WAF IP sets.

use aws_sdk_wafv2::Client;
use aws_sdk_wafv2::types::{IpAddressVersion, Scope};
use palisade_policy::cidr::{Cidr, Family};
use palisade_policy::id::{AccountId, IpSetArn, Region};
use palisade_policy::ip_set::IpSet;

use crate::aws::{AwsError, Clients};

/// WAF in the Region, and in us-east-1, where the sets for CloudFront are.
#[derive(Debug, Clone)]
pub(crate) struct Waf {
    regional: Client,
    cloudfront: Client,
}

/// A set as it was read, and the token that an update of just this content needs.
pub(crate) struct Locked {
    pub(crate) set: IpSet,
    pub(crate) token: String,
}

impl Waf {
    pub(crate) fn new(clients: &Clients) -> Self {
        Self { regional: clients.waf(None), cloudfront: clients.waf(Some("us-east-1")) }
    }

    /// The client for a set.
    pub(crate) fn client(&self, arn: &IpSetArn) -> &Client {
        if arn.parts().scope == "CLOUDFRONT" { &self.cloudfront } else { &self.regional }
    }

    /// Reads a set.
    pub(crate) async fn read(&self, arn: &IpSetArn) -> Result<Locked, AwsError> {
        const OPERATION: &str = "GetIPSet";
        let parts = arn.parts();
        let call = self.client(arn).get_ip_set().name(parts.name).id(parts.id).scope(Scope::from(parts.scope));
        let answer = call.send().await.map_err(|error| AwsError::new(OPERATION, &error))?;
        let (Some(set), Some(token)) = (answer.ip_set, answer.lock_token) else {
            return Err(AwsError::unreadable(OPERATION, format!("WAF has no content for {arn}")));
        };
        let addresses: Result<Vec<Cidr>, _> = set.addresses.iter().map(|text| Cidr::canonical(text)).collect();
        Ok(Locked {
            set: IpSet {
                arn: arn.clone(),
                family: if set.ip_address_version == IpAddressVersion::Ipv6 { Family::V6 } else { Family::V4 },
                addresses: addresses.map_err(|error| AwsError::unreadable(OPERATION, error.to_string()))?,
                description: set.description.unwrap_or_default(),
            },
            token,
        })
    }

    /// Reads a set that is to hold denials of a family; why it can't, where it can't.
    pub(crate) async fn usable(&self, arn: &IpSetArn, family: Family, own: &AccountId, region: &Region) -> Result<IpSet, String> {
        let parts = arn.parts();
        let wanted = if parts.scope == "CLOUDFRONT" { "us-east-1" } else { region.as_str() };
        if parts.account != own.as_str() {
            return Err(format!("{arn} is another account's"));
        }
        if parts.region != wanted {
            return Err(format!("{arn} is of another Region"));
        }
        let set = self.read(arn).await.map_err(|error| format!("{arn} can't be read: {error}"))?.set;
        if set.family == family { Ok(set) } else { Err(format!("{arn} is not for {family}")) }
    }
}
