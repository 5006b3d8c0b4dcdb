//! The notice: an outcome told to people.

use std::fmt::Write;

use crate::change::Change;
use crate::commands::command;
use crate::guardrail::Guardrail;
use crate::plan::{Fate, Sketch, SketchLine};
use crate::response::{Mode, Outcome, Response, TargetResult};
use crate::trigger::Door;

/// SNS takes fewer than 100 characters of subject ("Publish", `Subject`).
const LONGEST_SUBJECT: usize = 99;
/// A text for a person names at most so many resources, and so many rules of each; the JSON has them all.
const MOST_RESOURCES: usize = 20;
const MOST_LINES: usize = 25;

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
    for outcome in [Outcome::Failed, Outcome::Refused, Outcome::Changed, Outcome::WouldChange, Outcome::Exempt] {
        let of: Vec<&TargetResult> = response.results.iter().filter(|result| result.told && result.outcome == outcome).collect();
        let Some(first) = of.first() else { continue };
        let whom = if of.len() == 1 { first.resource.clone() } else { format!("{} security groups", of.len()) };
        let revoked: usize = of.iter().map(|result| revoked(result)).sum();
        let rules = if revoked == 1 { "1 rule".to_owned() } else { format!("{revoked} rules") };
        parts.push(match outcome {
            Outcome::Failed if response.mode == Mode::Enforce => format!("FAILED on {whom}"),
            Outcome::Failed => format!("failed to check {whom}"),
            Outcome::Refused if response.mode == Mode::Enforce => format!("refused to change {whom}"),
            Outcome::Refused => format!("would refuse to change {whom}"),
            Outcome::Changed => format!("revoked {rules} on {whom}"),
            Outcome::WouldChange => format!("would revoke {rules} on {whom}"),
            _ => format!("left {whom} alone: exempt"),
        });
    }
    parts.join("; ")
}

/// `1 failed, 3 changed`: the headline where names are too long.
fn counts(response: &Response) -> String {
    let told = |outcome: Outcome| response.results.iter().filter(|result| result.told && result.outcome == outcome).count();
    let outcomes = [Outcome::Failed, Outcome::Refused, Outcome::Changed, Outcome::WouldChange, Outcome::Exempt];
    let parts: Vec<String> =
        outcomes.into_iter().filter(|outcome| told(*outcome) > 0).map(|outcome| format!("{} {outcome}", told(outcome))).collect();
    parts.join(", ")
}

fn revoked(result: &TargetResult) -> usize {
    result.changes.iter().filter(|change| matches!(change, Change::RevokeRule(_))).count()
}

/// The text for a person: what was open to whom, who opened it, from where and when, what is done about it, what still passes,
/// how to take it back, how to exempt it.
#[must_use]
pub fn text(response: &Response) -> String {
    let mut text = String::new();
    let told: Vec<&TargetResult> = response.results.iter().filter(|result| result.told).collect();
    paragraph(&mut text, &opening(response));
    for result in told.iter().take(MOST_RESOURCES) {
        section(&mut text, response, result);
    }
    if told.len() > MOST_RESOURCES {
        paragraph(&mut text, &format!("… and {} more; the JSON of this notice has them all.", told.len() - MOST_RESOURCES));
    }
    if told.iter().any(|result| matches!(result.outcome, Outcome::Changed | Outcome::WouldChange)) {
        paragraph(&mut text, &exempting(response.guardrail));
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
    let what = cause.detail.as_deref().unwrap_or("an event");
    match cause.door {
        Door::Cloudtrail => {
            let _ = writeln!(opening, "\nWoken by   {what}");
            let _ = writeln!(opening, "  by       {}", cause.actor.as_deref().unwrap_or("somebody whom the event does not name"));
            if let Some(source_ip) = &cause.source_ip {
                let _ = writeln!(opening, "  from     {source_ip}");
            }
        }
        Door::Schedule => {
            let _ = writeln!(opening, "\nWoken by   its schedule");
        }
        Door::Direct => {
            let _ = writeln!(opening, "\nWoken by   a direct call");
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

fn section(text: &mut String, response: &Response, result: &TargetResult) {
    let name = result.sketch.name.as_ref().map(|name| format!(" ({})", crate::id::Excerpt(name))).unwrap_or_default();
    let (word, tense) = match (result.outcome, response.mode) {
        (Outcome::Changed, _) => ("closed", "Was open"),
        (Outcome::WouldChange, _) => ("would be closed", "Open"),
        (Outcome::Refused, _) => ("not touched", "Why"),
        (Outcome::Failed, _) => ("FAILED", "Why"),
        (Outcome::Exempt, _) => ("exempt, left alone", "Open"),
        (Outcome::Gone, _) => ("gone", "Why"),
        (Outcome::Compliant, _) => ("compliant", "Why"),
    };
    let mut lines = format!("{}{name}: {word}\n", result.resource);
    let _ = writeln!(lines, "  {tense}: {}.", result.reason);
    for remark in &result.remarks {
        let _ = writeln!(lines, "  Note: {remark}.");
    }
    if result.permitted == Some(false) {
        lines.push_str("  Note: the function's role lacks the permission to do it; EC2's own DryRun says so.\n");
    }
    let sketch = drawing(&result.sketch);
    if !sketch.is_empty() {
        let _ = writeln!(lines, "\n  Ingress rules ({}):", legend(response.mode, result.outcome));
        lines.push_str(&sketch);
    }
    if result.outcome == Outcome::Changed {
        lines.push_str("\n  EC2 lets connections that were already open go on until they end.\n");
    }
    if !result.undo.is_empty() && matches!(result.outcome, Outcome::Changed | Outcome::Failed) {
        lines.push_str("\n  To put it back as it was:\n");
        for change in &result.undo {
            let _ = writeln!(lines, "    {}", command(change, &response.region));
        }
    }
    lines.truncate(lines.trim_end().len());
    paragraph(text, &lines);
}

fn legend(mode: Mode, outcome: Outcome) -> &'static str {
    match (mode, outcome) {
        (_, Outcome::Exempt | Outcome::Refused) => "as they are",
        (_, Outcome::Failed) => "- was to go, + was to be added",
        (Mode::DryRun, _) => "- would go, + would be added",
        (Mode::Enforce, _) => "- gone, + added",
    }
}

/// The sketch as text: one rule a line, columns aligned, what changes first.
#[must_use]
pub fn drawing(sketch: &Sketch) -> String {
    let shown: Vec<&SketchLine> = sketch.lines.iter().take(MOST_LINES).collect();
    let width = |of: fn(&SketchLine) -> &str| shown.iter().map(|line| of(line).chars().count()).max().unwrap_or(0);
    let (traffic, source) = (width(|line| &line.traffic), width(|line| &line.source));
    let mut drawing = String::new();
    for line in &shown {
        let sign = match line.fate {
            Fate::Removed => '-',
            Fate::Added => '+',
            Fate::Kept => ' ',
        };
        let row = format!("    {sign} {:traffic$}  {:source$}  {}", line.traffic, line.source, crate::id::Excerpt(&line.description));
        let _ = writeln!(drawing, "{}", row.trim_end());
    }
    if sketch.lines.len() > MOST_LINES {
        let _ = writeln!(drawing, "      … and {} more", sketch.lines.len() - MOST_LINES);
    }
    drawing
}

fn exempting(guardrail: Guardrail) -> String {
    let what = match guardrail {
        Guardrail::RevokeAdminIngress => "the security group, or the one rule",
    };
    format!("If it must stay open, tag {what}:\n  {}  =  until=<date, at most 90 days ahead> reason=<why>", guardrail.exemption_key())
}
