//! # strip-default-group
//!
//! **What it does.** Revokes every ingress and every egress rule of a security group named `default`. Any other group is left alone, and so
//! is a default group that network interfaces still use, unless the operator says `strip`.
//!
//! **Why.** EC2 gives every VPC a group named `default`. It can be neither deleted nor renamed, nobody else can make one of that name, and
//! it gets every interface that is made without a group being named. As it comes it lets all of its members speak to each other on every
//! port, and to the whole world; whoever adds a rule to it adds it to all that ever landed there by oversight. It is Security Hub's EC2.2
//! and 5.5 of the CIS AWS Foundations Benchmark v5.
//!
//! **Example.** `all traffic from sg-…` (itself), `egress all traffic to 0.0.0.0/0` and a forgotten `tcp/22 from 203.0.113.0/24` all go. The
//! group stays, for it has to, and lets nothing through.
//!
//! **Instead**, give each workload a group of its own, named when its interfaces are made. A default group in use is `refused`, with the
//! interfaces that use it: stripping it would cut them off. Move them to other groups first, or exempt the group or the one rule they need.

use jiff::Timestamp;

use crate::address::{AddressSet, public};
use crate::change::{ApplyError, Change, RuleChange, State};
use crate::control::Control;
use crate::exemption::Exemption;
use crate::guardrail::Guardrail;
use crate::id::InterfaceId;
use crate::plan::{Fate, Plan, Sketch, SketchLine, Verdict};
use crate::security_group::{Direction, Rule, SecurityGroup, Source};
use crate::traffic::list;

/// The name that EC2 gives the default group of every VPC, and no other group ("Default security groups for your VPCs").
pub const NAME: &str = "default";

/// Of the interfaces that use a group so many are named to a person.
const NAMED: usize = 10;

/// What becomes of a default group that network interfaces use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum InUse {
    /// It is left as it is, and told of.
    #[default]
    Refuse,
    /// It is stripped all the same.
    Strip,
}

/// What the operator wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// What to do with a group in use.
    pub in_use: InUse,
    /// Whether exemption tags count.
    pub exemptions: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { in_use: InUse::default(), exemptions: true }
    }
}

/// A security group, and who uses it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefaultGroup {
    /// The group. Any group, for an event may be about any.
    pub group: SecurityGroup,
    /// The network interfaces that use it, of whatever kind: instances', load balancers', Lambda functions'. They need not be known of a
    /// group of another name, nor of one without rules.
    pub interfaces: Vec<InterfaceId>,
}

impl DefaultGroup {
    /// Whether it is its VPC's default group.
    #[must_use]
    pub fn is_default(&self) -> bool {
        self.group.name == NAME
    }
}

impl State for DefaultGroup {
    fn shows(&self, change: &Change) -> bool {
        self.group.shows(change)
    }

    fn make(&mut self, change: &Change) -> Result<(), ApplyError> {
        self.group.make(change)
    }

    fn satisfies(&self, control: Control) -> bool {
        control.is_satisfied_by_default_group(self)
    }
}

/// What is forbidden: a default group with rules.
#[derive(Debug, Clone)]
pub struct Policy {
    settings: Settings,
}

/// A rule that stays, and why.
struct Exempted<'a> {
    rule: &'a Rule,
    until: Timestamp,
    reason: String,
}

impl Policy {
    /// A policy with these settings.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { settings }
    }

    /// Decides about one group.
    #[must_use]
    pub fn plan(&self, state: &DefaultGroup, now: Timestamp) -> Plan {
        let group = &state.group;
        if !state.is_default() {
            return settled(Verdict::Compliant, "it is not a default group".to_owned());
        }
        if group.rules.is_empty() {
            // Where that was not asked for, somebody ought to know: perhaps it began to be used in the moment in which it was stripped.
            let in_use = !state.interfaces.is_empty() && self.settings.in_use == InUse::Refuse;
            let remark = in_use.then(|| format!("{}, and it lets nothing through", uses(&state.interfaces)));
            let plan = settled(Verdict::Compliant, "it is a default group without rules".to_owned());
            return Plan { remarks: remark.into_iter().collect(), ..plan };
        }
        let (exempt, surplus) = self.partition(group, now);
        let own = match self.settings.exemptions {
            true => Exemption::read(&group.tags, Guardrail::StripDefaultGroup, now),
            false => Exemption::None,
        };
        let mut remarks: Vec<String> = match &own {
            Exemption::Valid { until, reason } => vec![format!("{} is exempt until {until}: {reason}", group.id)],
            Exemption::Invalid { why } => vec![format!("the exemption tag of {} does not count: {why}", group.id)],
            Exemption::None => Vec::new(),
        };
        let of_group = if let Exemption::Valid { until, .. } = own { Some(until) } else { None };
        let of_rules = exempt.iter().map(|exempt| exempt.until).min().filter(|_| surplus.is_empty());
        // The group is left alone for as long as either lasts.
        if let Some(until) = of_group.max(of_rules) {
            remarks.extend(exempt.iter().map(Exempted::remark));
            let all: Vec<&Rule> = group.rules.iter().collect();
            let plan = settled(Verdict::Exempt { until }, format!("{}, exempt until {until}", reason(group, &all)));
            return Plan { remarks, exposure: exposure(&all), sketch: sketch(group, &[]), ..plan };
        }

        let reason = reason(group, &surplus);
        let exposure = exposure(&surplus);
        if self.settings.exemptions {
            for rule in &surplus {
                if let Exemption::Invalid { why } = Exemption::read(&rule.tags, Guardrail::StripDefaultGroup, now) {
                    remarks.push(format!("the exemption tag of {rule} does not count: {why}"));
                }
            }
        }
        remarks.extend(exempt.iter().map(Exempted::remark));
        if !state.interfaces.is_empty() {
            match self.settings.in_use {
                InUse::Refuse => {
                    remarks.push(
                        "give the interfaces groups of their own first; with PALISADE_IN_USE=strip it is stripped all the same".to_owned(),
                    );
                    let plan = settled(Verdict::Refused, format!("{reason}, but it is in use: {}", uses(&state.interfaces)));
                    return Plan { remarks, exposure, sketch: sketch(group, &[]), ..plan };
                }
                InUse::Strip => remarks.push(format!("it is in use, and PALISADE_IN_USE is `strip`: {}", uses(&state.interfaces))),
            }
        }
        let revoke = |rule: &&Rule| Change::RevokeRule(RuleChange { group_id: group.id.clone(), rule: (*rule).clone() });
        Plan {
            remarks,
            changes: surplus.iter().map(revoke).collect(),
            exposure,
            sketch: sketch(group, &surplus),
            ..settled(Verdict::Change, reason)
        }
    }

    /// The validly exempt rules, and the others: those that let in before those that let out, each in the order of their content, for the
    /// order in which EC2 lists rules, and their ids, must not matter.
    fn partition<'a>(&self, group: &'a SecurityGroup, now: Timestamp) -> (Vec<Exempted<'a>>, Vec<&'a Rule>) {
        let mut exempt = Vec::new();
        let mut surplus = Vec::new();
        for rule in in_order(group) {
            match Exemption::read(&rule.tags, Guardrail::StripDefaultGroup, now) {
                Exemption::Valid { until, reason } if self.settings.exemptions => exempt.push(Exempted { rule, until, reason }),
                _ => surplus.push(rule),
            }
        }
        (exempt, surplus)
    }
}

impl Exempted<'_> {
    fn remark(&self) -> String {
        format!("{} is exempt until {}: {}", self.rule, self.until, self.reason)
    }
}

/// A plan without changes.
fn settled(verdict: Verdict, reason: String) -> Plan {
    Plan { verdict, reason, remarks: Vec::new(), changes: Vec::new(), unread: None, exposure: 0, sketch: Sketch::default() }
}

fn in_order(group: &SecurityGroup) -> Vec<&Rule> {
    let mut rules: Vec<&Rule> = group.rules.iter().collect();
    rules.sort_by(|a, b| content(a).cmp(&content(b)));
    rules
}

fn content(rule: &Rule) -> impl Ord + '_ {
    (rule.direction, rule.traffic, &rule.source, &rule.description, &rule.tags)
}

/// `the default group of vpc-… has 1 ingress rule and 2 egress rules`.
fn reason(group: &SecurityGroup, rules: &[&Rule]) -> String {
    let counts: Vec<String> = [(Direction::Ingress, "ingress"), (Direction::Egress, "egress")]
        .into_iter()
        .filter_map(|(direction, word)| match rules.iter().filter(|rule| rule.direction == direction).count() {
            0 => None,
            1 => Some(format!("1 {word} rule")),
            n => Some(format!("{n} {word} rules")),
        })
        .collect();
    let of = group.vpc.as_ref().map(|vpc| format!(" of {vpc}")).unwrap_or_default();
    format!("the default group{of} has {}", list(&counts))
}

/// `2 network interfaces use it (eni-… and eni-…)`.
fn uses(interfaces: &[InterfaceId]) -> String {
    let mut names: Vec<String> = interfaces.iter().take(NAMED).map(ToString::to_string).collect();
    if interfaces.len() > NAMED {
        names.push(format!("{} more", interfaces.len() - NAMED));
    }
    match interfaces.len() {
        1 => format!("the network interface {} uses it", list(&names)),
        n => format!("{n} network interfaces use it ({})", list(&names)),
    }
}

/// Ways in from the world count before all else. A prefix list may hold the world.
fn exposure(rules: &[&Rule]) -> u128 {
    let lets_in_the_world = |rule: &&&Rule| {
        rule.direction == Direction::Ingress
            && match &rule.source {
                Source::Cidr(cidr) => !public(cidr.family()).and(&AddressSet::of(cidr.family(), [cidr])).is_empty(),
                Source::PrefixListId(_) => true,
                Source::ReferencedGroup(_) => false,
            }
    };
    let (open, all) = (rules.iter().filter(lets_in_the_world).count(), rules.len());
    (u128::try_from(open).unwrap_or_default() << 32) + u128::try_from(all).unwrap_or_default()
}

fn sketch(group: &SecurityGroup, surplus: &[&Rule]) -> Sketch {
    let goes = |rule: &Rule| surplus.iter().any(|surplus| std::ptr::eq(*surplus, rule));
    let line = |rule: &Rule| SketchLine {
        fate: if goes(rule) { Fate::Removed } else { Fate::Kept },
        cells: match rule.direction {
            Direction::Ingress => vec!["ingress".to_owned(), rule.traffic.to_string(), format!("from {}", rule.source)],
            Direction::Egress => vec!["egress".to_owned(), rule.traffic.to_string(), format!("to {}", rule.source)],
        }
        .into_iter()
        .chain([rule.description.clone().unwrap_or_default()])
        .collect(),
    };
    let (removed, kept): (Vec<SketchLine>, Vec<SketchLine>) =
        in_order(group).into_iter().map(line).partition(|line| line.fate == Fate::Removed);
    Sketch { name: Some(group.name.clone()), title: "Rules", lines: removed.into_iter().chain(kept).collect() }
}
