//! Settings, read once and strictly: an unreadable value, or a `PALISADE_` variable that the function does not know, stops it at init.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use jiff::SignedDuration;
use palisade_policy::control::Control;
use palisade_policy::guardrail::Guardrail;
use palisade_policy::id::{Excerpt, Region};
use palisade_policy::response::Mode;

/// A setting that can't be used. The function does not start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// The value of a variable can't be read.
    #[error("the environment variable `{variable}` can't be used: {problem}")]
    Unusable {
        /// Its name.
        variable: String,
        /// What is wrong.
        problem: String,
    },
    /// A variable that must be set is not.
    #[error("the environment variable `{variable}` is not set: {what}")]
    Missing {
        /// Its name.
        variable: String,
        /// What it is for.
        what: String,
    },
    /// A variable that begins like a setting but is none of this function's.
    #[error("the environment variable `{variable}` is not a setting of this function, which knows {known}")]
    Unknown {
        /// Its name.
        variable: String,
        /// Those that it knows.
        known: String,
    },
}

impl SettingsError {
    /// An error about the value of a variable.
    pub fn unusable(variable: &str, problem: impl Display) -> Self {
        Self::Unusable { variable: variable.to_owned(), problem: problem.to_string() }
    }
}

/// The environment, which remembers what was asked of it.
#[derive(Debug)]
pub struct Variables {
    variables: BTreeMap<String, String>,
    known: BTreeSet<&'static str>,
    not_text: BTreeSet<String>,
}

impl Variables {
    /// The variables of this process.
    #[must_use]
    pub fn of_process() -> Self {
        let mut variables = Self { variables: BTreeMap::new(), known: BTreeSet::new(), not_text: BTreeSet::new() };
        for (name, value) in std::env::vars_os() {
            let name = name.to_string_lossy().into_owned();
            match value.into_string() {
                Ok(value) => drop(variables.variables.insert(name, value)),
                Err(_) => drop(variables.not_text.insert(name)),
            }
        }
        variables
    }

    /// The value of a variable, `None` where it is not set. An empty value is not the same as none: it is read like any other.
    ///
    /// # Errors
    /// A value that is not text.
    pub fn text(&mut self, variable: &'static str) -> Result<Option<&str>, SettingsError> {
        self.known.insert(variable);
        if self.not_text.contains(variable) {
            return Err(SettingsError::unusable(variable, "it is not UTF-8"));
        }
        Ok(self.variables.get(variable).map(String::as_str))
    }

    /// The value of a variable, read as what it should be.
    ///
    /// # Errors
    /// A value that can't be read.
    pub fn parsed<T: FromStr<Err: Display>>(&mut self, variable: &'static str) -> Result<Option<T>, SettingsError> {
        self.text(variable)?.map(|text| text.trim().parse().map_err(|error| SettingsError::unusable(variable, error))).transpose()
    }

    /// A whole number that is not below `least`.
    ///
    /// # Errors
    /// Anything else.
    pub fn whole<T: FromStr + PartialOrd + Display>(&mut self, variable: &'static str, least: T) -> Result<Option<T>, SettingsError> {
        let Some(text) = self.text(variable)? else { return Ok(None) };
        let plain = text.bytes().all(|b| b.is_ascii_digit());
        match text.parse::<T>() {
            Ok(number) if plain && number >= least => Ok(Some(number)),
            _ => Err(SettingsError::unusable(variable, format!("`{}` is not a whole number from {least} up", Excerpt(text)))),
        }
    }

    /// A time: `<n>m`, `<n>h` or `<n>d`, at least a minute.
    ///
    /// # Errors
    /// Anything else.
    pub fn duration(&mut self, variable: &'static str) -> Result<Option<SignedDuration>, SettingsError> {
        let Some(text) = self.text(variable)? else { return Ok(None) };
        let read = || {
            let (number, minutes) =
                [("m", 1), ("h", 60), ("d", 24 * 60)].into_iter().find_map(|(unit, minutes)| Some((text.strip_suffix(unit)?, minutes)))?;
            let plain = !number.is_empty() && number.len() <= 6 && number.bytes().all(|b| b.is_ascii_digit());
            let number: i64 = plain.then(|| number.parse().ok())??;
            (number > 0).then(|| SignedDuration::from_mins(number * minutes))
        };
        match read() {
            Some(duration) => Ok(Some(duration)),
            None => Err(SettingsError::unusable(variable, format!("`{}` is not a time such as `90m`, `24h` or `7d`", Excerpt(text)))),
        }
    }

    /// Whole numbers from one to another: `1-89`.
    ///
    /// # Errors
    /// Anything else, or numbers outside `within`.
    pub fn range(&mut self, variable: &'static str, within: RangeInclusive<u16>) -> Result<Option<RangeInclusive<u16>>, SettingsError> {
        let Some(text) = self.text(variable)? else { return Ok(None) };
        let number = |text: &str| {
            let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            plain.then(|| text.parse::<u16>().ok()).flatten().filter(|number| within.contains(number))
        };
        let read = || {
            let (first, last) = text.split_once('-')?;
            let (first, last) = (number(first)?, number(last)?);
            (first <= last).then_some(first..=last)
        };
        match read() {
            Some(range) => Ok(Some(range)),
            None => {
                let problem = format!("`{}` is not a range such as `1-89`, from {} to {}", Excerpt(text), within.start(), within.end());
                Err(SettingsError::unusable(variable, problem))
            }
        }
    }

    /// A list, comma separated.
    ///
    /// # Errors
    /// An item that can't be read, or an empty one.
    pub fn list<T: FromStr<Err: Display>>(&mut self, variable: &'static str) -> Result<Vec<T>, SettingsError> {
        match self.text(variable)? {
            None => Ok(Vec::new()),
            Some(text) => {
                text.split(',').map(|item| item.trim().parse().map_err(|error| SettingsError::unusable(variable, error))).collect()
            }
        }
    }

    /// One of a few words.
    ///
    /// # Errors
    /// Another word.
    pub fn one_of<T: Copy>(&mut self, variable: &'static str, words: &[(&str, T)]) -> Result<Option<T>, SettingsError> {
        let Some(text) = self.text(variable)? else { return Ok(None) };
        match words.iter().find(|(word, _)| *word == text) {
            Some((_, meaning)) => Ok(Some(*meaning)),
            None => {
                let words: Vec<String> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
                Err(SettingsError::unusable(variable, format!("`{}` is not {}", Excerpt(text), words.join(" or "))))
            }
        }
    }

    /// Whether tags exempt: `PALISADE_EXEMPTIONS`.
    ///
    /// # Errors
    /// Anything but `tags` and `off`.
    pub fn exemptions(&mut self) -> Result<bool, SettingsError> {
        Ok(self.one_of("PALISADE_EXEMPTIONS", &[("tags", true), ("off", false)])?.unwrap_or(true))
    }

    /// An ARN of this service.
    ///
    /// # Errors
    /// Anything else.
    pub fn arn(&mut self, variable: &'static str, service: &str) -> Result<Option<String>, SettingsError> {
        self.parsed::<Arn>(variable)?.map(|arn| arn.of_service(variable, service)).transpose()
    }

    /// The ARN of a key of KMS; not of an alias, which may come to name another key.
    ///
    /// # Errors
    /// Anything else.
    pub fn kms_key(&mut self, variable: &'static str) -> Result<Option<String>, SettingsError> {
        match self.arn(variable, "kms")? {
            Some(arn) if !arn.contains(":key/") => {
                Err(SettingsError::unusable(variable, format!("`{}` is not the ARN of a key", Excerpt(&arn))))
            }
            arn => Ok(arn),
        }
    }

    /// Ends the reading: whatever else begins like a setting is a mistake.
    ///
    /// # Errors
    /// The first variable that nobody asked for.
    pub fn finish(self) -> Result<(), SettingsError> {
        let stranger = |name: &&String| name.starts_with("PALISADE_") && !self.known.contains(name.as_str());
        match self.variables.keys().chain(&self.not_text).find(stranger) {
            None => Ok(()),
            Some(variable) => {
                let known: Vec<String> =
                    self.known.iter().filter(|name| name.starts_with("PALISADE_")).map(|name| format!("`{name}`")).collect();
                Err(SettingsError::Unknown { variable: Excerpt(variable).to_string(), known: known.join(", ") })
            }
        }
    }
}

/// What every function is told.
#[derive(Debug, Clone)]
pub(crate) struct Common {
    pub(crate) mode: Mode,
    pub(crate) region: Region,
    pub(crate) topic_arn: String,
    pub(crate) failure_queue_url: Option<String>,
    pub(crate) role_arn: Option<String>,
    pub(crate) max_changes: usize,
    /// Whether tags exempt, so that a notice may say how.
    pub(crate) exemptions: bool,
    /// Whether the finding of Security Hub that woke us is followed up.
    pub(crate) resolve_findings: bool,
    pub(crate) seal_key_arn: Option<String>,
}

impl Common {
    pub(crate) fn read(guardrail: Guardrail, variables: &mut Variables) -> Result<Self, SettingsError> {
        let mode = variables.one_of("PALISADE_MODE", &[("dry-run", Mode::DryRun), ("enforce", Mode::Enforce)])?.unwrap_or_default();
        let region = variables.parsed("AWS_REGION")?.ok_or_else(|| SettingsError::Missing {
            variable: "AWS_REGION".to_owned(),
            what: "the Region to act in, which Lambda sets".to_owned(),
        })?;
        let topic_arn = variables.arn("PALISADE_TOPIC_ARN", "sns")?.ok_or_else(|| SettingsError::Missing {
            variable: "PALISADE_TOPIC_ARN".to_owned(),
            what: "the SNS topic of the notices, without which nobody would be told".to_owned(),
        })?;
        let role_arn = variables.arn("PALISADE_ROLE_ARN", "iam")?;
        let failure_queue_url = variables.parsed::<HttpUrl>("PALISADE_FAILURE_QUEUE_URL")?.map(|url| url.0);
        let seal_key_arn = variables.kms_key("PALISADE_SEAL_KEY_ARN")?;
        let max_changes = variables.whole("PALISADE_MAX_CHANGES", 1)?.unwrap_or(50);
        let resolve_findings = Control::ALL.iter().any(|control| control.guardrail() == guardrail)
            && variables.one_of("PALISADE_SECURITY_HUB", &[("off", false), ("resolve", true)])?.unwrap_or(false);
        let exemptions = variables.exemptions()?;
        Ok(Self { exemptions, mode, region, topic_arn, failure_queue_url, role_arn, max_changes, resolve_findings, seal_key_arn })
    }
}

/// `arn:<partition>:<service>:<region>:<account>:<resource>`.
struct Arn(String);

impl FromStr for Arn {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        match parts.as_slice() {
            ["arn", partition, service, _, _, resource] if !partition.is_empty() && !service.is_empty() && !resource.is_empty() => {
                Ok(Self(text.to_owned()))
            }
            _ => Err(format!("`{}` is not an ARN", Excerpt(text))),
        }
    }
}

impl Arn {
    fn of_service(self, variable: &str, service: &str) -> Result<String, SettingsError> {
        match self.0.split(':').nth(2) {
            Some(its) if its == service => Ok(self.0),
            _ => Err(SettingsError::unusable(variable, format!("`{}` is not an ARN of {service}", Excerpt(&self.0)))),
        }
    }
}

struct HttpUrl(String);

impl FromStr for HttpUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        match rest {
            Some(rest) if rest.contains('/') && !text.contains(char::is_whitespace) => Ok(Self(text.to_owned())),
            _ => Err(format!("`{}` is not the URL of a queue", Excerpt(text))),
        }
    }
}
