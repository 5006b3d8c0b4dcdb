//! Tags, put and deleted.

use serde::{Deserialize, Serialize};

use crate::change::Change;

/// A tag that a resource gets, and the value that it had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TagChange {
    /// The id of the resource.
    pub resource: String,
    /// The tag's key.
    pub key: String,
    /// The value that it gets.
    pub value: String,
    /// The value that it had.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub previous: Option<String>,
}

/// A tag that a resource loses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TagRemoval {
    /// The id of the resource.
    pub resource: String,
    /// The tag's key.
    pub key: String,
    /// The value that it had.
    pub value: String,
}

impl TagChange {
    pub(crate) fn inverse(self) -> Change {
        let TagChange { resource, key, value, previous } = self;
        match previous {
            None => Change::DeleteTag(TagRemoval { resource, key, value }),
            Some(before) => Change::PutTag(TagChange { resource, key, value: before, previous: Some(value) }),
        }
    }
}

impl TagRemoval {
    pub(crate) fn inverse(self) -> Change {
        let TagRemoval { resource, key, value } = self;
        Change::PutTag(TagChange { resource, key, value, previous: None })
    }
}
