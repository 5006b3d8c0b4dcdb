//! Tags, put and deleted.

use serde::{Deserialize, Serialize};

use crate::change::{ApplyError, Change};
use crate::security_group::Tags;

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

/// Whether the tags of this resource are as a change of tags would leave them; `None` where it is of something else.
pub(crate) fn shows(tags: &Tags, id: &str, change: &Change) -> Option<bool> {
    match change {
        Change::PutTag(tag) if tag.resource == id => Some(tags.get(&tag.key) == Some(&tag.value)),
        Change::DeleteTag(tag) if tag.resource == id => Some(!tags.contains_key(&tag.key)),
        _ => None,
    }
}

/// Carries a change of tags out on the tags of this resource; `None` where it is of something else.
pub(crate) fn make(tags: &mut Tags, id: &str, change: &Change) -> Option<Result<(), ApplyError>> {
    match change {
        Change::PutTag(tag) if tag.resource == id => {
            tags.insert(tag.key.clone(), tag.value.clone());
            Some(Ok(()))
        }
        Change::DeleteTag(tag) if tag.resource == id => Some(tags.remove(&tag.key).map(drop).ok_or(ApplyError::NotFound)),
        _ => None,
    }
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
