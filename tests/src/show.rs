//! Plays, shown to a person.

use std::collections::{BTreeMap, BTreeSet};
use std::io::IsTerminal;
use std::time::Duration;

use console::{Style, style};
use indicatif::{ProgressBar, ProgressStyle};
use palisade_policy::change::Change;
use palisade_policy::flow_log::FlowLog;
use palisade_policy::guardrail::Guardrail;
use serde_json::Value;

use crate::lambda::Answer;
use crate::replay::{Act, Play};
use crate::world::{flow_log_line, line};

/// How much of a play is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// A few lines, as one of many.
    Brief,
    /// Everything, the notice's text too.
    Full,
}

/// Of the rules that stay, a brief view shows so many.
const KEPT_SHOWN: usize = 4;
/// Of the results, a brief view shows so many.
const RESULTS_SHOWN: usize = 8;

/// What takes long, told while it does: a spinner on a terminal, else a line each.
#[derive(Debug)]
pub struct Progress {
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Starts telling, on standard error.
    #[must_use]
    pub fn start() -> Self {
        if !std::io::stderr().is_terminal() {
            return Self { bar: None };
        }
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner:.cyan} {msg} {elapsed:.dim}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(100));
        Self { bar: Some(bar) }
    }

    /// Something new takes long.
    pub fn tell(&self, what: &str) {
        match &self.bar {
            Some(bar) => {
                bar.reset_elapsed();
                bar.set_message(what.to_owned());
            }
            None => eprintln!("{what}"),
        }
    }

    /// How far it is. On a terminal only: elsewhere it would be noise.
    pub fn count(&self, what: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(what.to_owned());
        }
    }

    /// Prints to standard output without tearing the spinner.
    pub fn print(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| println!("{text}")),
            None => println!("{text}"),
        }
    }

    /// Nothing takes long any more.
    pub fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// A play, and how it differs from what must come out.
#[must_use]
pub fn play(play: &Play, differences: &[String], detail: Detail) -> String {
    let mut lines = Vec::new();
    let mut outcomes = vec![coloured(&play.dry_run.outcome())];
    if let Some((first, second)) = &play.enforced {
        outcomes.extend([coloured(&first.outcome()), coloured(&second.outcome())]);
    }
    let arrow = style(" → ").dim().to_string();
    lines.push(format!("{}  {}", style(&play.name).bold(), outcomes.join(&arrow)));

    let last = play.enforced.as_ref().map_or(&play.dry_run, |(first, _)| first);
    lines.extend(woken_by(last).map(|text| format!("  {}", style(text).dim())));
    lines.extend(results(last, &play.before, play.enforced.is_some().then_some(&play.after), detail));
    lines.extend(notices(last, detail));
    for problem in play.broken.iter().chain(differences) {
        lines.push(format!("  {} {problem}", style("✗").red().bold()));
    }
    lines.push(String::new());
    lines.join("\n")
}

/// A dry run against a real account.
#[must_use]
pub fn live(name: &str, account: &str, region: &str, act: &Act) -> String {
    let mut lines =
        vec![format!("{}  {}  {}", style(name).bold(), coloured(&act.outcome()), style(format!("account {account}, {region}")).dim())];
    lines.extend(woken_by(act).map(|text| format!("  {}", style(text).dim())));
    lines.extend(results(act, &BTreeMap::new(), None, Detail::Full));
    lines.extend(notices(act, Detail::Full));
    lines.push(format!("\nNothing was changed and nothing was published: {}.", style("this was a dry run").bold()));
    lines.join("\n")
}

/// The table at the end: one line a play.
#[must_use]
pub fn table(rows: &[(Play, bool)]) -> String {
    let cell = |act: Option<&Act>| act.map(Act::outcome).unwrap_or_default();
    let mut table: Vec<[String; 4]> = vec![["case".into(), "dry run".into(), "enforced".into(), "once more".into()]];
    for (play, _) in rows {
        let (first, second) = play.enforced.as_ref().map_or((None, None), |(first, second)| (Some(first), Some(second)));
        table.push([play.name.clone(), cell(Some(&play.dry_run)), cell(first), cell(second)]);
    }
    let width = |column: fn(&[String; 4]) -> &String| table.iter().map(|row| column(row).chars().count()).max().unwrap_or(0);
    let widths = [width(|row| &row[0]), width(|row| &row[1]), width(|row| &row[2]), width(|row| &row[3])];
    let mut lines = Vec::new();
    for (number, row) in table.iter().enumerate() {
        let padded: Vec<String> = row.iter().zip(widths).map(|(text, width)| format!("{text:width$}")).collect();
        if number == 0 {
            lines.push(style(format!("  {}", padded.join("   ")).trim_end()).bold().to_string());
            lines.push(style("─".repeat(widths.iter().sum::<usize>() + 11)).dim().to_string());
            continue;
        }
        let good = rows.get(number - 1).is_some_and(|(_, good)| *good);
        let mark = if good { style("✓").green() } else { style("✗").red().bold() };
        let cells: Vec<String> =
            padded.iter().enumerate().map(|(column, text)| if column == 0 { text.clone() } else { colour(text.trim(), text) }).collect();
        lines.push(format!("{mark} {}", cells.join("   ").trim_end()));
    }
    lines.join("\n")
}

fn woken_by(act: &Act) -> Option<String> {
    let response = act.response()?;
    let cause = response.get("trigger")?;
    let text = |name: &str| cause.get(name).and_then(Value::as_str);
    let mut line = match text("door")? {
        "cloudtrail" => text("detail").unwrap_or("an API call").to_owned(),
        "config-compliance" => format!("the AWS Config rule {}", text("detail").unwrap_or("without a name")),
        "guardduty" => format!("the GuardDuty finding {}", text("detail").unwrap_or("without a type")),
        "alarm" => format!("the alarm {}", text("detail").unwrap_or("without a name")),
        "schedule" => "its schedule".to_owned(),
        _ => "a direct call".to_owned(),
    };
    if let Some(actor) = text("actor") {
        line.push_str(&format!(" by {actor}"));
    }
    if let Some(source) = text("sourceIp") {
        line.push_str(&format!(" from {source}"));
    }
    Some(line)
}

/// What became of each target, why, and its rules before and after.
fn results(
    act: &Act,
    before: &BTreeMap<String, Vec<String>>,
    after: Option<&BTreeMap<String, Vec<String>>>,
    detail: Detail,
) -> Vec<String> {
    let mut lines = Vec::new();
    if let Answer::Error { kind, message } = &act.answer {
        let end = act.response().map_or(message.len(), |_| message.find(": {").unwrap_or(message.len()));
        lines.push(format!("  {} {}", style(kind).red(), message.get(..end).unwrap_or(message)));
    }
    let Some(response) = act.response() else { return lines };
    if let Some(why) = response.get("ignored").and_then(Value::as_str) {
        lines.push(format!("  {why}"));
    }
    let all = response.get("results").and_then(Value::as_array).cloned().unwrap_or_default();
    let shown = if detail == Detail::Brief { RESULTS_SHOWN } else { usize::MAX };
    for result in all.iter().take(shown) {
        let text = |name: &str| result.get(name).and_then(Value::as_str).unwrap_or_default();
        let (resource, outcome) = (text("resource"), text("outcome"));
        let which = if all.len() > 1 { format!("{} ", colour(outcome, outcome)) } else { String::new() };
        lines.push(format!("  {which}{}: {}", style(resource).cyan(), text("reason")));
        for remark in result.get("remarks").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
            lines.push(format!("    {} {remark}", style("note").yellow()));
        }
        if result.get("permitted") == Some(&Value::Bool(false)) {
            lines.push(format!("    {} the role may not do this", style("not permitted").red()));
        }
        // What a dry run would do is not to be read back.
        let after = after.filter(|_| outcome != "would-change").and_then(|after| after.get(resource));
        // What goes out is only one guardrail's business.
        let egress = response.get("guardrail").and_then(Value::as_str) == Some(Guardrail::StripDefaultGroup.id());
        lines.extend(rules(result, before.get(resource), after, egress, detail));
    }
    if all.len() > shown {
        lines.push(format!("  … and {} more", all.len() - shown));
    }
    lines
}

/// The rules that go, those that come, and those that stay: as read back where AWS was changed, else as planned.
fn rules(result: &Value, before: Option<&Vec<String>>, after: Option<&Vec<String>>, egress: bool, detail: Detail) -> Vec<String> {
    let changes: Vec<Change> = result.get("changes").and_then(|changes| serde_json::from_value(changes.clone()).ok()).unwrap_or_default();
    let shown = |line: &String| egress || !line.starts_with("egress ");
    let was: Vec<&String> = before.into_iter().flatten().filter(|line| shown(line)).collect();
    let (gone, new): (Vec<String>, Vec<String>) = match after {
        Some(after) => {
            let (had, has): (BTreeSet<&String>, BTreeSet<&String>) = (was.iter().copied().collect(), after.iter().collect());
            let gone = was.iter().filter(|line| !has.contains(**line)).map(|line| (*line).clone()).collect();
            let new = after.iter().filter(|line| !had.contains(line) && shown(line)).cloned().collect();
            (gone, new)
        }
        None => {
            let revoked = |change: &Change| if let Change::RevokeRule(change) = change { Some(line(&change.rule)) } else { None };
            let added = |change: &Change| match change {
                Change::AuthorizeRule(change) => Some(line(&change.rule)),
                Change::CreateFlowLog(change) => Some(flow_log_line(&FlowLog::of(change))),
                _ => None,
            };
            (changes.iter().filter_map(revoked).collect(), changes.iter().filter_map(added).collect())
        }
    };
    let kept: Vec<&&String> = was.iter().filter(|line| !gone.contains(line)).collect();
    let most = if detail == Detail::Brief { KEPT_SHOWN } else { usize::MAX };
    let mut lines: Vec<String> = gone.iter().map(|line| format!("    {}", style(format!("- {line}")).red())).collect();
    lines.extend(new.iter().map(|line| format!("    {}", style(format!("+ {line}")).green())));
    lines.extend(kept.iter().take(most).map(|line| format!("      {line}")));
    if kept.len() > most {
        lines.push(format!("      {}", style(format!("… and {} more that stay", kept.len() - most)).dim()));
    }
    lines
}

fn notices(act: &Act, detail: Detail) -> Vec<String> {
    let mut lines = Vec::new();
    for notice in &act.notices {
        lines.push(format!("  {} {}", style("notice").magenta(), notice.subject));
        if detail == Detail::Full {
            lines.extend(notice.email.lines().map(|line| format!("  {} {line}", style("│").dim()).trim_end().to_owned()));
        }
    }
    if act.notices.is_empty() {
        lines.push(format!("  {}", style("no notice").dim()));
    }
    lines
}

fn coloured(outcome: &str) -> String {
    colour(outcome, outcome)
}

/// The text in the colour of the gravest outcome, which comes first.
fn colour(outcome: &str, text: &str) -> String {
    let word = outcome.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ');
    let colour = match word.split([',', ' ']).next().unwrap_or_default() {
        "failed" | "error" => Style::new().red().bold(),
        "refused" => Style::new().yellow(),
        "changed" => Style::new().green(),
        "would-change" => Style::new().blue(),
        _ => Style::new().dim(),
    };
    colour.apply_to(text).to_string()
}
