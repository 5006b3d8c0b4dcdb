//! A member of a payload that knows its path, so that an error can name it.

use std::str::FromStr;

use jiff::Timestamp;
use palisade_policy::id::printable;
use serde_json::Value;

use crate::TriggerError;

/// The longest text that is taken from an event into a notice. An ARN may have 2,048 characters; none that we name needs them.
const LONGEST_TEXT: usize = 300;

/// A member that may be there.
#[derive(Debug, Clone)]
pub(crate) struct Member<'a> {
    path: String,
    value: Option<&'a Value>,
}

impl<'a> Member<'a> {
    pub(crate) fn root(value: &'a Value) -> Self {
        Self { path: String::new(), value: Some(value) }
    }

    /// A value that stands at a place of something larger.
    pub(crate) fn at_path(path: &str, value: &'a Value) -> Self {
        Self { path: path.to_owned(), value: Some(value) }
    }

    pub(crate) fn get(&self, name: &str) -> Member<'a> {
        let path = if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) };
        Member { path, value: self.value.and_then(|value| value.get(name)).filter(|value| !value.is_null()) }
    }

    pub(crate) fn at(&self, path: &[&str]) -> Member<'a> {
        path.iter().fold(self.clone(), |member, name| member.get(name))
    }

    /// The same place, holding what was a text in it.
    pub(crate) fn holding<'b>(&self, value: &'b Value) -> Member<'b> {
        Member { path: self.path.clone(), value: Some(value) }
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    pub(crate) fn exists(&self) -> bool {
        self.value.is_some()
    }

    pub(crate) fn value(&self) -> Option<&'a Value> {
        self.value
    }

    pub(crate) fn wrong(&self, problem: impl Into<String>) -> TriggerError {
        TriggerError::Member { path: self.path.clone(), problem: problem.into() }
    }

    /// The elements of a list. CloudTrail writes a list as an array, as `{"items": […]}`, and one of a single element as that element;
    /// an empty one as `{}` or `""`.
    pub(crate) fn items(&self) -> Vec<Member<'a>> {
        let list = if self.get("items").exists() { self.get("items") } else { self.clone() };
        let element = |(i, value)| Member { path: format!("{}[{i}]", list.path), value: Some(value) };
        match list.value {
            Some(Value::Array(items)) => items.iter().enumerate().map(element).collect(),
            Some(Value::Object(object)) if object.is_empty() => Vec::new(),
            Some(value @ Value::Object(_)) => vec![element((0, value))],
            _ => Vec::new(),
        }
    }

    /// The elements of a list, or the member itself where it is an object: some services write one where they may write several.
    pub(crate) fn one_or_several(&self) -> Vec<Member<'a>> {
        match self.value {
            Some(Value::Object(_)) => vec![self.clone()],
            Some(Value::Array(_)) => self.items(),
            _ => Vec::new(),
        }
    }

    /// Must be an object.
    pub(crate) fn object(self) -> Result<Self, TriggerError> {
        match self.value {
            Some(Value::Object(_)) => Ok(self),
            Some(_) => Err(self.wrong("is not an object")),
            None => Err(self.wrong("is missing")),
        }
    }

    /// A text; in CloudTrail's newer dialect it may sit in `content`.
    pub(crate) fn text(&self) -> Result<Option<&'a str>, TriggerError> {
        match self.value {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(Value::Object(_)) if self.get("content").exists() => self.get("content").text(),
            Some(_) => Err(self.wrong("is not a text")),
        }
    }

    /// A text for a notice, cut, and without control characters. Nothing depends on it, so one of another type is no error but not told.
    pub(crate) fn told(&self) -> Option<String> {
        let clean: String = self.value?.as_str()?.trim().chars().map(printable).take(LONGEST_TEXT).collect();
        (!clean.is_empty()).then_some(clean)
    }

    /// The texts of a list, for a notice.
    pub(crate) fn items_of_text(&self) -> Vec<String> {
        self.items().iter().filter_map(Member::told).collect()
    }

    /// A time for a notice.
    pub(crate) fn time(&self) -> Option<Timestamp> {
        self.value?.as_str()?.parse().ok()
    }

    pub(crate) fn id<T: FromStr<Err: std::fmt::Display>>(&self) -> Result<Option<T>, TriggerError> {
        self.text()?.map(|text| text.parse().map_err(|error: T::Err| self.wrong(format!("can't be used: {error}")))).transpose()
    }

    /// An account or a Region, to be compared. Some senders write an account as a number, without its leading zeros.
    pub(crate) fn owner(&self) -> Result<Option<String>, TriggerError> {
        match self.value {
            Some(Value::Number(number)) => Ok(Some(format!("{:0>12}", number.to_string()))),
            _ => Ok(self.text()?.map(str::to_owned)),
        }
    }
}
