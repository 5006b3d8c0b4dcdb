//! What a guardrail decides about one resource.

use jiff::Timestamp;

use crate::change::Change;

/// The answer to (policy, state, time): a verdict, and the changes that make the resource compliant. The same in both modes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// What to do with the resource.
    pub verdict: Verdict,
    /// One line for people and machines: what is wrong, or why nothing is done.
    pub reason: String,
    /// What else a person must know: protocols dropped, a rule revoked whole, an exemption that did not count.
    pub remarks: Vec<String>,
    /// The changes, in the order in which they are safe. Empty unless the verdict is [`Verdict::Change`].
    pub changes: Vec<Change>,
    /// Why part of the resource could not be judged. The target is then `failed`, whatever else was done.
    pub unread: Option<String>,
    /// How bad it is, to choose the worst first when not all may be changed. Comparable within one guardrail only.
    pub exposure: u128,
    /// The resource's rules before and after, for a person.
    pub sketch: Sketch,
}

/// What becomes of the resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing is wrong.
    Compliant,
    /// Something is wrong, and the changes mend it.
    Change,
    /// Something is wrong, and all of it is validly exempt.
    Exempt {
        /// When the first of the exemptions ends.
        until: Timestamp,
    },
    /// Something is wrong, and this guardrail won't touch it.
    Refused,
}

/// A resource before and after, line by line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sketch {
    /// The resource's name, where it has one besides its id.
    pub name: Option<String>,
    /// What the lines are, such as `Ingress rules`.
    pub title: &'static str,
    /// Its rules, entries or logs.
    pub lines: Vec<SketchLine>,
}

/// One line of a [`Sketch`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SketchLine {
    /// What becomes of it.
    pub fate: Fate,
    /// Its columns, such as traffic, source and a person's description.
    pub cells: Vec<String>,
}

/// What becomes of a line of a [`Sketch`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It goes.
    Removed,
    /// It is new.
    Added,
    /// It stays as it was.
    Kept,
}
