//! What must come out of a case, against what came out.

use std::fs;

use anyhow::Context;
use serde_json::Value;

use crate::case::{Case, without_dates};
use crate::replay::Play;

/// Where the play differs from the case's `expected.json`, a line each. A dry run alone is held against that part alone.
#[must_use]
pub fn differences(case: &Case, play: &Play) -> Vec<String> {
    let Some(expected) = &case.expected else {
        return if case.folder.is_some() { vec!["there is no expected.json; `--bless` writes it".to_owned()] } else { Vec::new() };
    };
    let mut found = Vec::new();
    if play.enforced.is_some() {
        compare("", expected, &play.to_json(), &mut found);
    } else {
        let part = expected.get("dry-run").cloned().unwrap_or(Value::Null);
        compare("/dry-run", &part, &play.dry_run.to_json(), &mut found);
    }
    found
}

/// Writes what came out as what must come out.
///
/// # Errors
/// When the case has no folder, or it can't be written.
pub fn bless(case: &Case, play: &Play) -> anyhow::Result<()> {
    let folder = case.folder.as_ref().context("an event without a case folder has nothing to bless")?;
    anyhow::ensure!(play.broken.is_empty(), "{} breaks what must hold in every case, so it is not blessed", case.name);
    let text = without_dates(folder, &serde_json::to_string_pretty(&play.to_json())?)?;
    fs::write(folder.join("expected.json"), format!("{text}\n")).with_context(|| format!("can't write into `{}`", folder.display()))
}

fn compare(path: &str, expected: &Value, got: &Value, found: &mut Vec<String>) {
    match (expected, got) {
        (Value::Object(wanted), Value::Object(there)) => {
            for (name, value) in wanted {
                compare(&format!("{path}/{name}"), value, there.get(name).unwrap_or(&Value::Null), found);
            }
            for (name, value) in there.iter().filter(|(name, _)| !wanted.contains_key(*name)) {
                found.push(format!("{path}/{name} is {value}, and should not be there"));
            }
        }
        (Value::Array(wanted), Value::Array(there)) if wanted.len() == there.len() => {
            for (at, (wanted, there)) in wanted.iter().zip(there).enumerate() {
                compare(&format!("{path}/{at}"), wanted, there, found);
            }
        }
        _ if expected == got => {}
        _ => found.push(format!("{path} should be {expected}\n    but is {got}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn differing(expected: &Value, got: &Value) -> Vec<String> {
        let mut found = Vec::new();
        compare("", expected, got, &mut found);
        found
    }

    #[test]
    fn what_is_missing_changed_or_too_much_is_found() {
        assert!(differing(&json!({"a": [1, {"b": null}]}), &json!({"a": [1, {"b": null}]})).is_empty());
        assert_eq!(differing(&json!({"a": 1}), &json!({})), ["/a should be 1\n    but is null"]);
        assert_eq!(differing(&json!({}), &json!({"a": null})), ["/a is null, and should not be there"]);
        assert_eq!(differing(&json!([1, 2]), &json!([1, 3])), ["/1 should be 2\n    but is 3"]);
        assert_eq!(differing(&json!([1, 2]), &json!([1])), [" should be [1,2]\n    but is [1]"]);
    }
}
