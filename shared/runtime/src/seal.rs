//! Seals: made and checked by KMS, with a key that never leaves it.

use std::time::Duration;

use aws_sdk_kms::Client;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::MacAlgorithmSpec;
use aws_smithy_types::base64;
use jiff::Timestamp;
use palisade_policy::response::Response;
use palisade_policy::seal::{Seal, message};
use sha2::{Digest, Sha256};

use crate::aws::{AwsError, Clients};

/// No notice waits longer for its seal.
const LONGEST_WAIT: Duration = Duration::from_secs(4);

/// Seals what tells of changes.
pub(crate) struct Sealer {
    kms: Client,
    key_arn: Option<String>,
}

impl Sealer {
    pub(crate) fn new(clients: &Clients, key_arn: Option<String>) -> Self {
        Self { kms: clients.kms(), key_arn }
    }

    /// Seals a response that tells of changes, in place of any seal that it has. Where KMS does not, within `share` of the time, the response
    /// says so: people must be told all the same.
    pub(crate) async fn seal(&self, mut response: Response, share: Duration) -> Response {
        response.seal = None;
        let Some(key_arn) = self.key_arn.as_deref().filter(|_| response.has_changes()) else { return response };
        let wait = share.min(LONGEST_WAIT);
        let sealed = match tokio::time::timeout(wait, self.make(key_arn, &response)).await {
            Ok(sealed) => sealed,
            Err(_) => Err(AwsError::unreadable(GENERATE, format!("no answer within {} ms", wait.as_millis()))),
        };
        match sealed {
            Ok(seal) => response.seal = Some(seal),
            Err(error) => {
                tracing::error!(%error, "the response could not be sealed");
                for result in response.results.iter_mut().filter(|result| !result.changes.is_empty()) {
                    result.remarks.push(format!("this has no seal, so undo-change won't take it: {error}"));
                }
            }
        }
        response
    }

    async fn make(&self, key_arn: &str, response: &Response) -> Result<Seal, AwsError> {
        let now = Timestamp::now();
        let time = Timestamp::from_second(now.as_second()).unwrap_or(now);
        let text = message(response, time).ok_or_else(|| AwsError::unreadable(GENERATE, "the response can't be written"))?;
        let call = self.kms.generate_mac().key_id(key_arn).mac_algorithm(MacAlgorithmSpec::HmacSha256).message(digest(&text));
        let answer = call.send().await.map_err(|error| AwsError::new(GENERATE, &error))?;
        let mac = answer.mac.ok_or_else(|| AwsError::unreadable(GENERATE, "KMS answered without a MAC"))?;
        Ok(Seal { time, mac: base64::encode(mac) })
    }
}

const GENERATE: &str = "GenerateMac";
const VERIFY: &str = "VerifyMac";

/// Whether the seal is of this message, and of this key.
pub(crate) async fn is_genuine(kms: &Client, key_arn: &str, message: &str, seal: &Seal) -> Result<bool, AwsError> {
    // KMS takes at most 512 bytes ("VerifyMac", `Mac`), and HMAC_SHA_256 has 32.
    let Some(mac) = base64::decode(&seal.mac).ok().filter(|mac| mac.len() == 32) else { return Ok(false) };
    let call = kms.verify_mac().key_id(key_arn).mac_algorithm(MacAlgorithmSpec::HmacSha256);
    match call.message(digest(message)).mac(Blob::new(mac)).send().await {
        Ok(answer) => Ok(answer.mac_valid),
        Err(error) => match AwsError::new(VERIFY, &error) {
            error if error.code() == Some("KMSInvalidMacException") => Ok(false),
            error => Err(error),
        },
    }
}

/// KMS takes at most 4096 bytes ("GenerateMac", `Message`), so it is the digest that is sealed.
fn digest(text: &str) -> Blob {
    Blob::new(Sha256::digest(text.as_bytes()).to_vec())
}
