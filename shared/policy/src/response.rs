//! What a function answers, which is also the JSON of its notice.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::change::Change;
use crate::guardrail::Guardrail;
use crate::id::{AccountId, Region};
use crate::plan::Sketch;
use crate::seal::Seal;
use crate::trigger::Cause;

/// Whether AWS may be changed. Dry run unless somebody chose otherwise.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Say what would be done.
    #[default]
    DryRun,
    /// Do it.
    Enforce,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Mode::DryRun => "dry-run",
            Mode::Enforce => "enforce",
        })
    }
}

/// What became of one target. The order is that of gravity, the gravest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// We tried and could not.
    Failed,
    /// We will not.
    Refused,
    /// AWS was changed, and the re-read shows it.
    Changed,
    /// Dry run: this is what would be done.
    WouldChange,
    /// Something would have been done, and all of it is validly exempt.
    Exempt,
    /// The resource no longer exists.
    Gone,
    /// Nothing to do.
    Compliant,
}

impl Outcome {
    /// Its name in JSON.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Outcome::Failed => "failed",
            Outcome::Refused => "refused",
            Outcome::Changed => "changed",
            Outcome::WouldChange => "would-change",
            Outcome::Exempt => "exempt",
            Outcome::Gone => "gone",
            Outcome::Compliant => "compliant",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

/// What became of one target, and what takes it back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TargetResult {
    /// The resource: an id, or a name where the event has no id and nothing has that name.
    pub resource: String,
    /// What became of it.
    pub outcome: Outcome,
    /// Why, in one line.
    pub reason: String,
    /// What else a person must know.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
    /// What was changed, or would be.
    pub changes: Vec<Change>,
    /// The changes that take these back, in order.
    pub undo: Vec<Change>,
    /// Dry run: whether EC2 says that our role may make the changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub permitted: Option<bool>,
    /// Whether anybody is told.
    #[serde(skip)]
    pub told: bool,
    /// Whether something is wrong with it now, where that is known: for whoever asked.
    #[serde(skip)]
    pub wrong: Option<bool>,
    /// When the exemption that it is left alone for ends.
    #[serde(skip)]
    pub exempt_until: Option<Timestamp>,
    /// The resource before and after, for the notice's text.
    #[serde(skip)]
    pub sketch: Sketch,
}

/// What became of an invocation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Response {
    /// Which function answers.
    pub guardrail: Guardrail,
    /// The mode that it ran in, which a call may have lowered.
    pub mode: Mode,
    /// The account that it acts in.
    pub account: AccountId,
    /// The Region that it acts in.
    pub region: Region,
    /// Why it woke.
    pub trigger: Cause,
    /// Why the trigger asks for nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ignored: Option<String>,
    /// One for each target; a sweep leaves out the compliant.
    pub results: Vec<TargetResult>,
    /// How many targets came to each outcome, the compliant ones of a sweep too.
    pub summary: BTreeMap<Outcome, usize>,
    /// What lets `undo-change` take the changes back, where there are some.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seal: Option<Seal>,
}

impl Response {
    /// The gravest outcome that somebody is to be told of.
    #[must_use]
    pub fn gravest_told(&self) -> Option<Outcome> {
        self.results.iter().filter(|result| result.told).map(|result| result.outcome).min()
    }

    /// Whether AWS was changed, wholly or half.
    #[must_use]
    pub fn has_changes(&self) -> bool {
        self.mode == Mode::Enforce && self.results.iter().any(|result| !result.changes.is_empty())
    }
}
