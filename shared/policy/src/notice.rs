//! The notice: an outcome told to people.

use std::fmt::Write;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::change::Change;
use crate::commands::{restoring, undo_command};
use crate::guardrail::Guardrail;
use crate::id::Excerpt;
use crate::plan::{Fate, Sketch, SketchLine};
use crate::response::{Mode, Outcome, Response, TargetResult};
use crate::trigger::Door;

/// SNS takes fewer than 100 characters of subject ("Publish", `Subject`).
const LONGEST_SUBJECT: usize = 99;
/// A text for a person names at most so many resources of which nothing was changed, and so many lines of each; the JSON has them all.
const MOST_RESOURCES: usize = 20;
const MOST_LINES: usize = 25;
/// How long what is restored by the commands of a notice is exempt, from the day of the notice: who comes back from a weekend can still use
/// them.
const RESTORED_EXEMPT: SignedDuration = SignedDuration::from_hours(7 * 24);

/// What a text must know besides the response.
#[derive(Debug, Clone, Copy)]
pub struct Way<'a> {
    /// The function that undoes what this one changed.
    pub undo_function: &'a str,
    /// Whether tags exempt.
    pub exemptions: bool,
    /// The time of the notice.
    pub now: Timestamp,
}

/// What is told of, in the order of gravity.
const TOLD: [Outcome; 5] = [Outcome::Failed, Outcome::Refused, Outcome::Changed, Outcome::WouldChange, Outcome::Exempt];

/// How a guardrail speaks of its work.
struct Words {
    /// Several of its targets.
    targets: &'static str,
    /// What became of a changed target.
    done: &'static str,
    /// What would become of it.
    would: &'static str,
    /// Before the reason of a change that was made, and of one that would be.
    reason: [&'static str; 2],
    /// What a person must know of what the change does not do.
    caveat: Option<&'static str>,
    /// What to tag to have it left alone.
    exempt: Option<&'static str>,
}

fn words(guardrail: Guardrail) -> Words {
    // "Security group connection tracking", Amazon EC2 user guide: a flow is untracked where both directions are open to everyone.
    const CONNECTIONS: &str =
        "Connections that EC2 tracks go on until they end. Untracked ones, where egress is open to everyone too, have ended at once.";
    const DENY_AGAIN: &str = "To keep a source out, deny it again with deny-source: what is only put back, the next run lifts.";
    let (targets, done, would, reason, caveat, exempt) = match guardrail {
        Guardrail::RevokeAdminIngress => (
            "security groups",
            "closed",
            "would be closed",
            ["Was open", "Open"],
            Some(CONNECTIONS),
            Some("If it must stay open, tag the security group, or the one rule"),
        ),
        Guardrail::StripDefaultGroup => (
            "security groups",
            "stripped",
            "would be stripped",
            ["Why", "Why"],
            Some(CONNECTIONS),
            Some("If it must keep its rules, tag the security group, or the one rule"),
        ),
        Guardrail::EnableFlowLogs => {
            ("VPCs", "flow log created", "a flow log would be created", ["Why", "Why"], None, Some("If it must go without, tag the VPC"))
        }
        Guardrail::DenySource => {
            ("sources", "denied", "would be denied", ["Why", "Why"], None, Some("If it must be let in, tag the network ACL"))
        }
        Guardrail::LiftDenials => ("resources", "lifted", "would be lifted", ["Why", "Why"], Some(DENY_AGAIN), None),
        Guardrail::UndoChange => ("resources", "undone", "would be undone", ["Why", "Why"], None, None),
    };
    Words { targets, done, would, reason, caveat, exempt }
}

/// The subject: printable ASCII, on one line, under 100 characters.
#[must_use]
pub fn subject(response: &Response) -> String {
    let lead = match response.mode {
        Mode::Enforce => "[Palisade]",
        Mode::DryRun => "[Palisade dry run]",
    };
    let place = format!("({} {})", response.account, response.region);
    let mut subject = format!("{lead} {} {place}", headline(response));
    if subject.len() > LONGEST_SUBJECT {
        subject = format!("{lead} {} {place}", counts(response));
    }
    subject.chars().map(|c| if c == ' ' || c.is_ascii_graphic() { c } else { '?' }).take(LONGEST_SUBJECT).collect()
}

/// `revoked 1 rule on sg-…`, with the gravest first.
fn headline(response: &Response) -> String {
    let mut parts = Vec::new();
    for outcome in TOLD {
        let of: Vec<&TargetResult> = response.results.iter().filter(|result| result.told && result.outcome == outcome).collect();
        let Some(first) = of.first() else { continue };
        let whom = if of.len() == 1 { first.resource.clone() } else { format!("{} {}", of.len(), words(response.guardrail).targets) };
        parts.push(match outcome {
            Outcome::Failed if response.mode == Mode::Enforce => format!("FAILED on {whom}"),
            Outcome::Failed => format!("failed to check {whom}"),
            Outcome::Refused if response.mode == Mode::Enforce => format!("refused to change {whom}"),
            Outcome::Refused => format!("would refuse to change {whom}"),
            Outcome::Changed => deed(response.guardrail, &of, &whom, true),
            Outcome::WouldChange => format!("would {}", deed(response.guardrail, &of, &whom, false)),
            _ => format!("left {whom} alone: exempt"),
        });
    }
    parts.join("; ")
}

/// What was done, or would be: `revoked 2 rules on sg-…`, `deny 198.51.100.7/32`.
fn deed(guardrail: Guardrail, results: &[&TargetResult], whom: &str, past: bool) -> String {
    let count = |of: fn(&Change) -> bool, one: &str| {
        let n = results.iter().flat_map(|result| &result.changes).filter(|change| of(change)).count();
        if n == 1 { format!("1 {one}") } else { format!("{n} {}s", one.trim_end_matches('s')) }
    };
    let verb = |now: &'static str, then: &'static str| if past { then } else { now };
    match guardrail {
        Guardrail::RevokeAdminIngress | Guardrail::StripDefaultGroup => {
            let rules = count(|change| matches!(change, Change::RevokeRule(_)), "rule");
            match results.iter().all(|result| result.changes.is_empty()) {
                // It was edited in the moment before it was to go, and is back.
                true => format!("{} an edited rule on {whom}", verb("put back", "put back")),
                false => format!("{} {rules} on {whom}", verb("revoke", "revoked")),
            }
        }
        Guardrail::EnableFlowLogs => format!("{} flow logs on {whom}", verb("enable", "enabled")),
        Guardrail::DenySource => format!("{} {whom}", verb("deny", "denied")),
        Guardrail::LiftDenials => {
            let denials = count(|change| matches!(change, Change::DeleteTag(_) | Change::UpdateIpSet(_)), "denial");
            format!("{} {denials} on {whom}", verb("lift", "lifted"))
        }
        Guardrail::UndoChange => format!("{} what was changed on {whom}", verb("undo", "undid")),
    }
}

/// `1 failed, 3 changed`: the headline where names are too long.
fn counts(response: &Response) -> String {
    let told = |outcome: Outcome| response.results.iter().filter(|result| result.told && result.outcome == outcome).count();
    let parts: Vec<String> =
        TOLD.into_iter().filter(|outcome| told(*outcome) > 0).map(|outcome| format!("{} {outcome}", told(outcome))).collect();
    parts.join(", ")
}

/// The text for a person: what was wrong, who did it, from where and when, what is done about it, what still is as it was, how to take
/// it back (with undo-change, where the response has a seal), how to exempt it.
#[must_use]
pub fn text(response: &Response, way: &Way<'_>) -> String {
    let mut text = String::new();
    let end = way.now.saturating_add(RESTORED_EXEMPT).unwrap_or(way.now).to_zoned(TimeZone::UTC).date();
    let exempt_until = way.exemptions.then_some(end);
    let exempt = words(response.guardrail).exempt.filter(|_| way.exemptions);
    paragraph(&mut text, &opening(response));
    // Whatever was changed is there, for those who get no more than this text must be able to take it back.
    let mut room = MOST_RESOURCES;
    let mut left = 0;
    for result in response.results.iter().filter(|result| result.told) {
        if room == 0 && !is_restorable(result) {
            left += 1;
            continue;
        }
        room = room.saturating_sub(1);
        section(&mut text, response, result, exempt_until);
    }
    if left > 0 {
        paragraph(&mut text, &format!("… and {left} more of which nothing was changed; the JSON of this notice has them all."));
    }
    if response.seal.is_some() {
        let how = match exempt {
            Some(_) => "Or have undo-change put all of it back and exempt it for a day; say why in `reason`",
            None => "Or have undo-change put all of it back; say why in `reason`",
        };
        let command = undo_command(response, way.undo_function);
        let file = if command.contains("notice.json") { ". `notice.json` is the JSON of this notice" } else { "" };
        paragraph(&mut text, &format!("{how}{file}:\n  {command}"));
    }
    let changing = response.results.iter().any(|result| result.told && matches!(result.outcome, Outcome::Changed | Outcome::WouldChange));
    if let (true, Some(exempt)) = (changing, exempt) {
        let key = response.guardrail.exemption_key();
        paragraph(&mut text, &format!("{exempt}:\n  {key}  =  until=<date, at most 90 days ahead> reason=<why>"));
    }
    text
}

/// A short text, for SMS.
#[must_use]
pub fn short_text(response: &Response) -> String {
    const LONGEST_SMS: usize = 140;
    subject(response).chars().take(LONGEST_SMS).collect()
}

fn paragraph(text: &mut String, lines: &str) {
    if !text.is_empty() {
        text.push('\n');
    }
    text.push_str(lines);
    text.push('\n');
}

fn opening(response: &Response) -> String {
    let mut opening = match response.mode {
        Mode::Enforce => format!("Palisade {}, account {}, {}.\n", response.guardrail, response.account, response.region),
        Mode::DryRun => {
            format!("Palisade {} (dry run: nothing was changed), account {}, {}.\n", response.guardrail, response.account, response.region)
        }
    };
    let cause = &response.trigger;
    let what = cause.detail.as_deref();
    let woken_by = match cause.door {
        Door::Cloudtrail => what.unwrap_or("an API call").to_owned(),
        Door::ConfigRule => format!("the AWS Config rule {}", what.unwrap_or("without a name")),
        Door::SecurityHub => format!("the Security Hub finding of {}", what.unwrap_or("a control")),
        Door::ConfigCompliance => format!("the AWS Config rule {}", what.unwrap_or("that found it non-compliant")),
        Door::Guardduty => format!("the GuardDuty finding {}", what.unwrap_or("of an attack")),
        Door::Alarm => format!("the alarm {}", what.unwrap_or("without a name")),
        Door::Schedule => "its schedule".to_owned(),
        Door::Direct => what.map_or("a direct call".to_owned(), |what| format!("a direct call: {}", Excerpt(what))),
    };
    let _ = writeln!(opening, "\nWoken by   {woken_by}");
    if cause.door == Door::Cloudtrail {
        let _ = writeln!(opening, "  by       {}", cause.actor.as_deref().unwrap_or("somebody whom the event does not name"));
        if let Some(source_ip) = &cause.source_ip {
            let _ = writeln!(opening, "  from     {source_ip}");
        }
    }
    if let Some(time) = cause.time {
        let _ = writeln!(opening, "  at       {time}");
    }
    if let Some(event_id) = &cause.event_id {
        let _ = writeln!(opening, "  event    {event_id}");
    }
    opening.truncate(opening.trim_end().len());
    opening
}

/// Whether there is something to take back.
fn is_restorable(result: &TargetResult) -> bool {
    !result.undo.is_empty() && matches!(result.outcome, Outcome::Changed | Outcome::Failed)
}

fn section(text: &mut String, response: &Response, result: &TargetResult, exempt_until: Option<Date>) {
    let words = words(response.guardrail);
    let name = result.sketch.name.as_ref().map(|name| format!(" ({})", Excerpt(name))).unwrap_or_default();
    let (word, label) = match result.outcome {
        Outcome::Changed => (words.done, words.reason[0]),
        Outcome::WouldChange => (words.would, words.reason[1]),
        Outcome::Refused => ("not touched", "Why"),
        Outcome::Failed => ("FAILED", "Why"),
        Outcome::Exempt => ("exempt, left alone", words.reason[1]),
        Outcome::Gone => ("gone", "Why"),
        Outcome::Compliant => ("compliant", "Why"),
    };
    let mut lines = format!("{}{name}: {word}\n", result.resource);
    let _ = writeln!(lines, "  {label}: {}.", result.reason);
    for remark in &result.remarks {
        let _ = writeln!(lines, "  Note: {remark}.");
    }
    if result.permitted == Some(false) {
        lines.push_str("  Note: the function's role lacks the permission to do it; EC2's own DryRun says so.\n");
    }
    let sketch = drawing(&result.sketch);
    if !sketch.is_empty() {
        let _ = writeln!(lines, "\n  {} ({}):", result.sketch.title, legend(response.mode, result.outcome));
        lines.push_str(&sketch);
    }
    if let (Outcome::Changed, Some(caveat)) = (result.outcome, words.caveat) {
        let _ = writeln!(lines, "\n  {caveat}");
    }
    if let Some(next) = what_next(response, result) {
        let _ = writeln!(lines, "\n  {next}");
    }
    if is_restorable(result) {
        let restoring = restoring(response.guardrail, &result.undo, &response.region, exempt_until);
        // What was finished since must not lose the half that it stands on.
        let when = if result.outcome == Outcome::Failed { "If no better news has come, to" } else { "To" };
        let exempt = match exempt_until {
            Some(until) if restoring.exempts => format!(", exempt until {until}"),
            None if words.exempt.is_some() => ", until the next event (exemptions are off)".to_owned(),
            _ => String::new(),
        };
        // Each hangs on the one before: a piece must not go where the rule did not come.
        let commands = restoring.commands.join(" &&\n    ");
        let _ = writeln!(lines, "\n  {when} put it back as it was{exempt}:\n    {commands}");
    }
    lines.truncate(lines.trim_end().len());
    paragraph(text, &lines);
}

/// What comes of a failure, and of an exemption, if nobody does anything.
fn what_next(response: &Response, result: &TargetResult) -> Option<String> {
    let again = match response.trigger.door {
        Door::Direct => "Mend what the error names, and make the same call again; what is done by then is left as it is.",
        _ => {
            "Lambda delivers the event again within minutes, and what is done by then is left as it is. If no better news follows, mend what \
             the error names."
        }
    };
    match result.outcome {
        Outcome::Failed => Some(again.to_owned()),
        Outcome::Exempt => Some(
            "When the exemption ends, this guardrail acts. To prolong it, give the tag a later date; to end it now, delete the tag."
                .to_owned(),
        ),
        _ => None,
    }
}

fn legend(mode: Mode, outcome: Outcome) -> &'static str {
    match (mode, outcome) {
        (_, Outcome::Exempt | Outcome::Refused) => "as they are",
        (_, Outcome::Failed) => "- was to go, + was to be added",
        (Mode::DryRun, _) => "- would go, + would be added",
        (Mode::Enforce, _) => "- gone, + added",
    }
}

/// The sketch as text: one line each, columns aligned, what changes first.
#[must_use]
pub fn drawing(sketch: &Sketch) -> String {
    let shown: Vec<&SketchLine> = sketch.lines.iter().take(MOST_LINES).collect();
    let columns = shown.iter().map(|line| line.cells.len()).max().unwrap_or(0);
    let width = |column: usize| shown.iter().filter_map(|line| line.cells.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut drawing = String::new();
    for line in &shown {
        let sign = match line.fate {
            Fate::Removed => '-',
            Fate::Added => '+',
            Fate::Kept => ' ',
        };
        let mut row = format!("    {sign}");
        for (at, (cell, width)) in line.cells.iter().zip(&widths).enumerate() {
            // The last column is often a person's own words.
            let cell = if at + 1 == columns { Excerpt(cell).to_string() } else { cell.clone() };
            let _ = write!(row, " {cell:width$} ");
        }
        let _ = writeln!(drawing, "{}", row.trim_end());
    }
    if sketch.lines.len() > MOST_LINES {
        let _ = writeln!(drawing, "      … and {} more", sketch.lines.len() - MOST_LINES);
    }
    drawing
}
