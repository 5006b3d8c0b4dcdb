//! The key of the seals, and seals for what a case hands to `undo-change`: they can't be written down, for every key is new.

use anyhow::Context;
use aws_smithy_types::base64;
use palisade_policy::seal::message_of;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::Made;
use crate::case::World;

/// The setting whose value names the key, by a literal ARN.
const SETTING: &str = "PALISADE_SEAL_KEY_ARN";
/// What stands in an event where a seal's `mac` belongs.
const TOKEN: &str = "<SEAL>";

impl Made {
    pub(super) async fn seal_key(&mut self, world: &World) -> anyhow::Result<()> {
        let Some(literal) = world.settings.get(SETTING).filter(|arn| arn.contains(":key/")) else { return Ok(()) };
        let body = json!({"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"}).to_string();
        let made = self.call("POST", "/", "kms", Some("TrentService.CreateKey"), body).await?;
        let real = made.pointer("/KeyMetadata/Arn").and_then(Value::as_str).context("a key without an ARN")?;
        self.real.insert(literal.clone(), real.to_owned());
        Ok(())
    }

    /// The event of a case, with real ids, and with seals: `"mac": "<SEAL>"` becomes the seal of the response that it stands in, however that
    /// is wrapped.
    ///
    /// # Errors
    /// When the local AWS makes no seal.
    pub async fn event(&self, event: &str) -> anyhow::Result<String> {
        let event = self.with_real_ids(event);
        if !event.contains(TOKEN) {
            return Ok(event);
        }
        let key = self.real.iter().find(|(literal, _)| literal.contains(":key/")).map(|(_, real)| real.as_str());
        let key = key.with_context(|| format!("the event has a {TOKEN}, and the world no {SETTING}"))?;
        let mut event: Value = serde_json::from_str(&event).context("an event that is not JSON")?;
        // Innermost first: a text that holds a response changes when that is sealed. None is wrapped in more than a few.
        while let Some(message) = unsealed(&mut event, None) {
            let mac = self.mac(key, &message).await?;
            unsealed(&mut event, Some(&mac));
        }
        Ok(event.to_string())
    }

    async fn mac(&self, key: &str, message: &str) -> anyhow::Result<String> {
        let digest = base64::encode(Sha256::digest(message.as_bytes()));
        let body = json!({"KeyId": key, "MacAlgorithm": "HMAC_SHA_256", "Message": digest}).to_string();
        let made = self.call("POST", "/", "kms", Some("TrentService.GenerateMac"), body).await?;
        Ok(made.get("Mac").and_then(Value::as_str).context("no MAC")?.to_owned())
    }
}

/// What is to be sealed of the first response with the token, which becomes `mac` where there is one.
fn unsealed(value: &mut Value, mac: Option<&str>) -> Option<String> {
    match value {
        Value::Object(_) if value.pointer("/seal/mac").and_then(Value::as_str) == Some(TOKEN) => {
            let message = message_of(value);
            if let (Some(mac), Some(place)) = (mac, value.pointer_mut("/seal/mac")) {
                *place = json!(mac);
            }
            Some(message)
        }
        Value::Object(object) => object.values_mut().find_map(|value| unsealed(value, mac)),
        Value::Array(items) => items.iter_mut().find_map(|value| unsealed(value, mac)),
        Value::String(text) if text.contains(TOKEN) => {
            let mut inner: Value = serde_json::from_str(text).ok()?;
            let message = unsealed(&mut inner, mac);
            *text = inner.to_string();
            message
        }
        _ => None,
    }
}
