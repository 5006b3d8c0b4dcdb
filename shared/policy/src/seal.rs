//! The seal: what tells a response of ours from one that somebody wrote or altered.
//!
//! Whoever may invoke `undo-change` could otherwise open any port with a notice of his own making. The seal is a keyed hash (HMAC) over the
//! whole response, made and checked by KMS, whose key never leaves it. Here is what is sealed, and nothing of the key.

use std::fmt::Write;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::response::Response;

/// Stands before what is sealed, so that no other use of the same key can pass for a seal.
const DOMAIN: &str = "palisade seal 1";

/// What a response carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seal {
    /// When it was sealed.
    pub time: Timestamp,
    /// The keyed hash, in base64.
    pub mac: String,
}

/// What is sealed of a response that is sealed at this time. `None` where it can't be written as JSON.
#[must_use]
pub fn message(response: &Response, time: Timestamp) -> Option<String> {
    let mut json = serde_json::to_value(response).ok()?;
    let members = json.as_object_mut()?;
    members.insert("seal".to_owned(), serde_json::json!({"time": time}));
    Some(canonical(&json))
}

/// What was sealed of a response that came back: all of it but the hash itself.
#[must_use]
pub fn message_of(response: &Value) -> String {
    let mut json = response.clone();
    if let Some(seal) = json.get_mut("seal").and_then(Value::as_object_mut) {
        seal.remove("mac");
    }
    canonical(&json)
}

/// One text for one JSON value, however it was written: members in the order of their names, no white space.
fn canonical(json: &Value) -> String {
    let mut text = format!("{DOMAIN}\n");
    write(json, &mut text);
    text
}

fn write(json: &Value, text: &mut String) {
    match json {
        Value::Object(object) => {
            let mut members: Vec<(&String, &Value)> = object.iter().collect();
            members.sort_by_key(|(name, _)| *name);
            text.push('{');
            for (at, (name, value)) in members.into_iter().enumerate() {
                text.push_str(if at == 0 { "" } else { "," });
                let _ = write!(text, "{}:", Value::String(name.clone()));
                write(value, text);
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for (at, item) in items.iter().enumerate() {
                text.push_str(if at == 0 { "" } else { "," });
                write(item, text);
            }
            text.push(']');
        }
        scalar => drop(write!(text, "{scalar}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_order_of_members_and_white_space_do_not_matter() {
        let one: Value = serde_json::from_str(r#"{"b":[1,{"d":null,"c":"x"}],"a":true,"seal":{"time":"t","mac":"m"}}"#).unwrap();
        let other: Value =
            serde_json::from_str(r#" { "seal" : {"mac":"other","time":"t"}, "a":true, "b":[1, {"c":"x","d":null}] } "#).unwrap();
        assert_eq!(message_of(&one), message_of(&other));
        assert_eq!(message_of(&one), "palisade seal 1\n{\"a\":true,\"b\":[1,{\"c\":\"x\",\"d\":null}],\"seal\":{\"time\":\"t\"}}");
    }

    #[test]
    fn a_text_cannot_pass_for_structure() {
        let pairs = [
            (json!({"a": "b\",\"c\":\"d"}), json!({"a": "b", "c": "d"})),
            (json!(["1,2"]), json!(["1", "2"])),
            (json!(["1"]), json!([1])),
            (json!({"a": null}), json!({})),
            (json!({"a": []}), json!({"a": {}})),
        ];
        for (one, other) in pairs {
            assert_ne!(message_of(&one), message_of(&other), "{one}");
        }
    }
}
