//! # revoke-admin-ingress
//!
//! **What it does.** Finds the administrative ports (`22,3389` unless set) that a security group opens to the world, and takes exactly
//! those ports from exactly those sources. A rule that admits more is carved: the rest of it is authorised first, then it is revoked.
//!
//! **Why.** An SSH or RDP port open to the internet is found within minutes and tried for ever. It is Security Hub's EC2.13, EC2.14,
//! EC2.53 and EC2.54.
//!
//! **Example.** `tcp/20-25` from `0.0.0.0/0` becomes `tcp/20-21` and `tcp/23-25` from `0.0.0.0/0`; `tcp/22` from the office's
//! `198.51.100.7/32` stays.
//!
//! **Instead**, reach machines through SSM Session Manager or EC2 Instance Connect Endpoint, which need no inbound rule at all, or open
//! the port to the addresses that need it.
//!
//! What counts is the *union*: a port is open to the world when all the group's sources together, CIDR blocks and prefix lists, admit at
//! least as many public addresses to it as a `/8` has (IPv6: a `/16`). Two halves, or 200 scattered `/9`s, are the world too.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;

use crate::address::{AddressSet, public};
use crate::change::{Change, RuleChange};
use crate::cidr::{Cidr, Family};
use crate::exemption::Exemption;
use crate::exposure::{Atom, World};
use crate::guardrail::Guardrail;
use crate::plan::{Fate, Plan, Sketch, SketchLine, Verdict};
use crate::security_group::{Direction, Rule, SecurityGroup, Source, is_reserved};
use crate::traffic::{Icmp, PortRange, PortSet, Traffic, Transport, list};

/// Rules of one family and direction that a group may hold unless the account's quota was raised ("Amazon VPC quotas").
pub const QUOTA: usize = 60;

/// What to do with the rest of a rule that loses a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ranges {
    /// Keep it, in rules of its own.
    Carve,
    /// Let it go with the port.
    Revoke,
}

/// What the operator wants, before it is checked.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The ports that the world must not reach.
    pub ports: PortSet,
    /// Blocks that never count as the world.
    pub trusted: Vec<Cidr>,
    /// Blocks that are let in instead of a source that goes, as far as it contained them. They never count as the world either.
    pub replacements: Vec<Cidr>,
    /// A port is open to the world when as many public IPv4 addresses reach it as a block of this prefix length has.
    pub world_prefix_v4: u8,
    /// The same for IPv6.
    pub world_prefix_v6: u8,
    /// Whether to carve.
    pub ranges: Ranges,
    /// Whether exemption tags count.
    pub exemptions: bool,
}

impl Default for Settings {
    fn default() -> Self {
        let mut ports = PortSet::default();
        for port in [22, 3389] {
            ports.insert(Transport::Tcp, PortRange::new(port, port).unwrap_or(PortRange::ALL));
        }
        Self {
            ports,
            trusted: Vec::new(),
            replacements: Vec::new(),
            world_prefix_v4: 8,
            world_prefix_v6: 16,
            ranges: Ranges::Carve,
            exemptions: true,
        }
    }
}

/// Settings that contradict themselves.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// A trusted block is the world.
    #[error("`{0}` is as wide as what counts as the world")]
    TrustedTooWide(Cidr),
    /// A replacement block is the world.
    #[error("`{0}` is as wide as what counts as the world")]
    ReplacementTooWide(Cidr),
    /// No block can be this wide, or everything would be the world.
    #[error("`/{prefix}` is not a prefix length from 1 to {} for {family}", family.bits())]
    WorldPrefix {
        /// The family that it was given for.
        family: Family,
        /// What was given.
        prefix: u8,
    },
}

/// What is forbidden. Built once, from settings that make sense.
#[derive(Debug, Clone)]
pub struct Policy {
    settings: Settings,
    v4: World,
    v6: World,
}

impl Policy {
    /// Checks the settings.
    ///
    /// # Errors
    /// A trusted or replacement block as wide as the limit, or a limit that is no prefix length.
    pub fn new(settings: Settings) -> Result<Self, SettingsError> {
        let prefix = |family| match family {
            Family::V4 => settings.world_prefix_v4,
            Family::V6 => settings.world_prefix_v6,
        };
        for family in Family::BOTH {
            if prefix(family) == 0 || prefix(family) > family.bits() {
                return Err(SettingsError::WorldPrefix { family, prefix: prefix(family) });
            }
        }
        if let Some(block) = settings.trusted.iter().find(|block| block.prefix() <= prefix(block.family())) {
            return Err(SettingsError::TrustedTooWide(*block));
        }
        // `10.0.0.0/8` is as wide as the limit, but nobody there is on the internet.
        let opens = |block: &&Cidr| {
            let public = public(block.family()).and(&AddressSet::of(block.family(), [*block]));
            block.prefix() <= prefix(block.family()) && !public.is_empty()
        };
        if let Some(block) = settings.replacements.iter().find(opens) {
            return Err(SettingsError::ReplacementTooWide(*block));
        }
        // A replacement that counted could itself push a port over the limit, and the next run would take it out again.
        let trusted: Vec<Cidr> = settings.trusted.iter().chain(&settings.replacements).copied().collect();
        let world = |family| World::new(family, &trusted, prefix(family));
        Ok(Self { v4: world(Family::V4), v6: world(Family::V6), settings })
    }

    /// Decides about one group. `refusals` is how often EC2 has said that the group has no room for what an earlier plan authorised:
    /// for each, one more rule is revoked whole instead of carved.
    #[must_use]
    pub fn plan(&self, group: &SecurityGroup, now: Timestamp, refusals: usize) -> Plan {
        let (exempt, judged) = self.partition(group, now);
        let decision = self.decide(group, &judged, refusals);
        let sketch = |decision: &Decision<'_>| decision.sketch(group);
        let mut remarks = Vec::new();

        if decision.closings.is_empty() {
            let unread = decision.unread();
            let nothing = |verdict, reason, exposure, remarks, sketch| Plan {
                verdict,
                reason,
                remarks,
                changes: Vec::new(),
                unread,
                exposure,
                sketch,
            };
            let all = self.decide(group, &group.ingress().collect::<Vec<_>>(), 0);
            let spared = |e: &&Exempted<'_>| all.closings.iter().any(|closing| std::ptr::eq(closing.rule, e.rule));
            let counted = |e: &&Exempted<'_>| all.closings.iter().any(|closing| !e.rule.traffic.ports().and(&closing.lost).is_empty());
            // Without any exemption another rule than the exempt one may be the one to go: they are open only together.
            let mut used: Vec<&Exempted<'_>> = exempt.iter().filter(spared).collect();
            if used.is_empty() {
                used = exempt.iter().filter(counted).collect();
            }
            return match used.iter().min_by_key(|e| e.until) {
                None => {
                    nothing(Verdict::Compliant, "no administrative port is open to the world".to_owned(), 0, remarks, Sketch::default())
                }
                Some(first) => {
                    remarks.extend(used.iter().map(|e| e.remark()));
                    let reason = format!("{}, exempt until {}", all.reason(), first.until);
                    nothing(Verdict::Exempt { until: first.until }, reason, all.exposure(self), remarks, sketch(&decision))
                }
            };
        }

        let exposure = decision.exposure(self);
        if self.settings.exemptions {
            match Exemption::read(&group.tags, Guardrail::RevokeAdminIngress, now) {
                Exemption::Valid { until, reason } => {
                    remarks.push(format!("{} is exempt until {until}: {reason}", group.id));
                    let reason = format!("{}, exempt until {until}", decision.reason());
                    let unread = decision.unread();
                    return Plan {
                        verdict: Verdict::Exempt { until },
                        reason,
                        remarks,
                        changes: Vec::new(),
                        unread,
                        exposure,
                        sketch: Sketch::default(),
                    };
                }
                Exemption::Invalid { why } => remarks.push(format!("the exemption tag of {} does not count: {why}", group.id)),
                Exemption::None => {}
            }
            for closing in &decision.closings {
                if let Exemption::Invalid { why } = Exemption::read(&closing.rule.tags, Guardrail::RevokeAdminIngress, now) {
                    remarks.push(format!("the exemption tag of {} does not count: {why}", closing.label()));
                }
            }
        }
        remarks.extend(exempt.iter().map(Exempted::remark));
        remarks.extend(decision.remarks());
        Plan {
            verdict: Verdict::Change,
            reason: decision.reason(),
            remarks,
            changes: decision.changes(group),
            unread: decision.unread(),
            exposure,
            sketch: sketch(&decision),
        }
    }

    /// The validly exempt ingress rules, and the others.
    fn partition<'a>(&self, group: &'a SecurityGroup, now: Timestamp) -> (Vec<Exempted<'a>>, Vec<&'a Rule>) {
        let mut exempt = Vec::new();
        let mut judged = Vec::new();
        for rule in group.ingress() {
            match Exemption::read(&rule.tags, Guardrail::RevokeAdminIngress, now) {
                Exemption::Valid { until, reason } if self.settings.exemptions => exempt.push(Exempted { rule, until, reason }),
                _ => judged.push(rule),
            }
        }
        (exempt, judged)
    }

    fn world(&self, family: Family) -> &World {
        match family {
            Family::V4 => &self.v4,
            Family::V6 => &self.v6,
        }
    }

    fn decide<'a>(&self, group: &'a SecurityGroup, judged: &[&'a Rule], refusals: usize) -> Decision<'a> {
        let (lost, sources) = self.lost(group, judged);
        let mut closings: Vec<Closing<'a>> = judged
            .iter()
            .filter_map(|rule| {
                let lost = lost.get(&rule.source)?.and(&rule.traffic.ports());
                let keep = match self.settings.ranges {
                    Ranges::Carve => Keep::Rest,
                    Ranges::Revoke => Keep::Nothing(Because::Setting),
                };
                (!lost.is_empty()).then_some(Closing { rule, lost, keep, replace: true })
            })
            .collect();
        // The order in which EC2 lists rules, and their ids, must not matter.
        closings.sort_by(|a, b| content(a.rule).cmp(&content(b.rule)));

        let unread = judged
            .iter()
            .filter_map(|rule| match &rule.source {
                Source::PrefixListId(id) if !rule.traffic.ports().and(&self.settings.ports).is_empty() => {
                    match group.prefix_lists.get(id).map(|list| &list.entries) {
                        Some(Ok(_)) => None,
                        Some(Err(why)) => Some((*rule, why.as_str())),
                        None => Some((*rule, "it was not looked up")),
                    }
                }
                _ => None,
            })
            .collect();

        let mut decision = Decision { closings, additions: Vec::new(), unread, sources, group };
        decision.additions = decision.additions(judged, &self.settings.replacements);
        while let Some(full) = Family::BOTH.into_iter().find(|family| decision.overflows(*family)) {
            if !decision.squeeze(Some(full), Because::Quota) {
                break;
            }
            decision.additions = decision.additions(judged, &self.settings.replacements);
        }
        for _ in 0..refusals {
            let wanted = decision.additions.len();
            // A piece that one rule gives up may be another's as well: only fewer pieces are worth asking EC2 again.
            while decision.additions.len() >= wanted && decision.squeeze(None, Because::Refused) {
                decision.additions = decision.additions(judged, &self.settings.replacements);
            }
        }
        decision
    }

    /// The ports that each source loses, and each source's share of the world.
    fn lost<'a>(&self, group: &'a SecurityGroup, judged: &[&'a Rule]) -> (BTreeMap<&'a Source, PortSet>, BTreeMap<&'a Source, u128>) {
        let mut lost: BTreeMap<&Source, PortSet> = BTreeMap::new();
        let mut shares: BTreeMap<&Source, u128> = BTreeMap::new();
        for family in Family::BOTH {
            let world = self.world(family);
            let sources: BTreeSet<&Source> = judged.iter().map(|rule| &rule.source).collect();
            let atoms: Vec<(&Source, Atom)> = sources.into_iter().map(|source| (source, world.atom(group.blocks(source)))).collect();
            let index: BTreeMap<&Source, usize> = atoms.iter().enumerate().map(|(i, (source, _))| (*source, i)).collect();
            // Most ports are reached by the same sources as their neighbour.
            let mut known: HashMap<Vec<usize>, Vec<usize>> = HashMap::new();
            for (transport, ports) in self.settings.ports.ranges() {
                let reach: Vec<(PortRange, usize)> = judged
                    .iter()
                    .filter_map(|rule| Some((rule.traffic.port_range(transport)?, *index.get(&rule.source)?)))
                    .filter(|(range, _)| range.first() <= ports.last() && ports.first() <= range.last())
                    .collect();
                for ports in slices(ports, reach.iter().map(|(range, _)| *range)) {
                    let here: BTreeSet<usize> = reach
                        .iter()
                        .filter(|(range, _)| range.first() <= ports.first() && ports.last() <= range.last())
                        .map(|(_, source)| *source)
                        .collect();
                    let here: Vec<usize> = here.into_iter().collect();
                    let surplus = known.entry(here).or_insert_with_key(|here| {
                        let these: Vec<(usize, &Atom)> = here.iter().filter_map(|i| Some((*i, &atoms.get(*i)?.1))).collect();
                        let surplus = world.surplus(&these.iter().map(|(_, atom)| *atom).collect::<Vec<_>>());
                        surplus.into_iter().filter_map(|at| these.get(at).map(|(i, _)| *i)).collect()
                    });
                    for (source, atom) in surplus.iter().filter_map(|i| atoms.get(*i)) {
                        lost.entry(source).or_default().insert(transport, ports);
                        let share = shares.entry(source).or_default();
                        *share = world.share(atom).max(*share);
                    }
                }
            }
        }
        (lost, shares)
    }
}

/// Cuts a range wherever one of the others begins or ends, so that within a slice every port is in the same of them.
fn slices(ports: PortRange, others: impl Iterator<Item = PortRange>) -> Vec<PortRange> {
    let mut starts = BTreeSet::from([ports.first()]);
    for other in others {
        starts.insert(other.first().max(ports.first()));
        if let Some(behind) = other.last().checked_add(1).filter(|behind| *behind <= ports.last()) {
            starts.insert(behind);
        }
    }
    let ends = starts.iter().skip(1).map(|start| start.saturating_sub(1)).chain([ports.last()]);
    starts.iter().zip(ends).filter_map(|(first, last)| PortRange::new(*first, last)).collect()
}

fn content(rule: &Rule) -> impl Ord + '_ {
    (&rule.source, rule.traffic, &rule.description, &rule.tags)
}

struct Exempted<'a> {
    rule: &'a Rule,
    until: Timestamp,
    reason: String,
}

impl Exempted<'_> {
    fn remark(&self) -> String {
        format!("{} from {} is exempt until {}: {}", self.rule.traffic, self.rule.source, self.until, self.reason)
    }
}

/// A rule that loses ports.
struct Closing<'a> {
    rule: &'a Rule,
    lost: PortSet,
    keep: Keep,
    replace: bool,
}

/// What stays of a rule that loses ports.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keep {
    Rest,
    Nothing(Because),
}

/// Why nothing stays.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Because {
    Setting,
    Quota,
    Refused,
}

impl Closing<'_> {
    fn label(&self) -> String {
        format!("{} from {}", self.rule.traffic, self.rule.source)
    }

    /// What the rule admits besides the ports it loses.
    fn rest(&self, group: &SecurityGroup) -> Vec<Traffic> {
        let ports = self.rule.traffic.ports().without(&self.lost);
        let mut rest: Vec<Traffic> = ports.ranges().map(|(transport, ports)| Traffic::Ports(transport, ports)).collect();
        if self.rule.traffic == Traffic::All {
            let blocks = group.blocks(&self.rule.source);
            if blocks.iter().any(|block| block.family() == Family::V4) {
                rest.push(Traffic::Icmp(Icmp::ALL));
            }
            if blocks.iter().any(|block| block.family() == Family::V6) {
                rest.push(Traffic::Icmpv6(Icmp::ALL));
            }
        }
        rest
    }

    fn with(&self, traffic: Traffic, source: Source) -> Rule {
        let tags = self.rule.tags.iter().filter(|(key, _)| !is_reserved(key)).map(|(key, value)| (key.clone(), value.clone())).collect();
        Rule { id: None, direction: Direction::Ingress, traffic, source, description: self.rule.description.clone(), tags }
    }
}

/// A rule to authorise, for the closing at this index.
struct Addition {
    rule: Rule,
    closing: usize,
    replacement: bool,
}

struct Decision<'a> {
    closings: Vec<Closing<'a>>,
    additions: Vec<Addition>,
    unread: Vec<(&'a Rule, &'a str)>,
    /// Each source that loses a port, and its share of the world in millionths.
    sources: BTreeMap<&'a Source, u128>,
    group: &'a SecurityGroup,
}

impl Decision<'_> {
    /// The rules to authorise so that only the lost ports are lost: less those that the group has, or that a rule which stays
    /// admits anyway, and equal ones once.
    fn additions(&self, judged: &[&Rule], replacements: &[Cidr]) -> Vec<Addition> {
        let stay: Vec<&Rule> =
            judged.iter().copied().filter(|rule| !self.closings.iter().any(|closing| std::ptr::eq(closing.rule, *rule))).collect();
        // An exempt rule is no reason to leave a piece out, for it is judged without; but EC2 would not take the piece twice.
        let exist: BTreeSet<(&Source, Traffic)> = self.group.ingress().map(|rule| (&rule.source, rule.traffic)).collect();
        let mut planned: BTreeSet<(Source, Traffic)> = BTreeSet::new();
        let mut additions = Vec::new();
        for (at, closing) in self.closings.iter().enumerate() {
            let mut wanted: Vec<(Rule, bool)> = Vec::new();
            if closing.keep == Keep::Rest {
                wanted.extend(
                    closing.rest(self.group).into_iter().map(|traffic| (closing.with(traffic, closing.rule.source.clone()), false)),
                );
            }
            if closing.replace {
                for block in narrowed(replacements, self.group.blocks(&closing.rule.source)) {
                    let rules = closing.lost.ranges().map(|(transport, ports)| Traffic::Ports(transport, ports));
                    wanted.extend(rules.map(|traffic| (closing.with(traffic, Source::Cidr(block)), true)));
                }
            }
            for (rule, replacement) in wanted {
                let admitted = |kept: &&Rule| kept.traffic.contains(rule.traffic) && holds(&kept.source, &rule.source);
                if !exist.contains(&(&rule.source, rule.traffic))
                    && !stay.iter().any(admitted)
                    && planned.insert((rule.source.clone(), rule.traffic))
                {
                    additions.push(Addition { rule, closing: at, replacement });
                }
            }
        }
        additions
    }

    /// Whether old and new rules together are more than the quota allows. A group that holds more already shows that its account's
    /// quota was raised, to what only EC2 knows.
    fn overflows(&self, family: Family) -> bool {
        let old: usize = self.group.ingress().map(|rule| self.group.weight(&rule.source, family)).sum();
        let new: usize = self.additions.iter().map(|addition| self.group.weight(&addition.rule.source, family)).sum();
        old <= QUOTA && new > 0 && old + new > QUOTA
    }

    /// Gives up the rest of the rule with the most pieces that need room; when there is none, its replacements. `false` when nothing
    /// is left to give up.
    fn squeeze(&mut self, family: Option<Family>, because: Because) -> bool {
        for replacement in [false, true] {
            let mut pieces: BTreeMap<usize, usize> = BTreeMap::new();
            for addition in self.additions.iter().filter(|addition| addition.replacement == replacement) {
                let weight = family.map_or(1, |family| self.group.weight(&addition.rule.source, family));
                *pieces.entry(addition.closing).or_default() += weight;
            }
            // The first by content among equals: `max_by_key` would take the last.
            let most = pieces.into_iter().rev().filter(|(_, weight)| *weight > 0).max_by_key(|(_, weight)| *weight);
            if let Some(closing) = most.and_then(|(at, _)| self.closings.get_mut(at)) {
                if replacement {
                    closing.replace = false;
                } else {
                    closing.keep = Keep::Nothing(because);
                }
                return true;
            }
        }
        false
    }

    fn changes(&self, group: &SecurityGroup) -> Vec<Change> {
        let authorise = self
            .additions
            .iter()
            .map(|addition| Change::AuthorizeRule(RuleChange { group_id: group.id.clone(), rule: addition.rule.clone() }));
        let revoke =
            self.closings.iter().map(|closing| Change::RevokeRule(RuleChange { group_id: group.id.clone(), rule: closing.rule.clone() }));
        authorise.chain(revoke).collect()
    }

    /// `tcp/22 admits 0.0.0.0/0 and ::/0; tcp/3389 admits ::/0`.
    fn reason(&self) -> String {
        let mut lost: BTreeMap<&Source, PortSet> = BTreeMap::new();
        for closing in &self.closings {
            let ports = lost.entry(&closing.rule.source).or_default();
            *ports = ports.or(&closing.lost);
        }
        let mut groups: Vec<(PortSet, Vec<&Source>)> = Vec::new();
        for (source, ports) in lost {
            match groups.iter_mut().find(|(same, _)| *same == ports) {
                Some((_, sources)) => sources.push(source),
                None => groups.push((ports, vec![source])),
            }
        }
        let sentences = groups.into_iter().map(|(ports, mut sources)| {
            const NAMED: usize = 4;
            sources.sort_by_key(|source| std::cmp::Reverse(self.sources.get(source)));
            let mut names: Vec<String> = sources.iter().take(NAMED).map(|source| self.source(source)).collect();
            if sources.len() > NAMED {
                names.push(format!("{} more sources", sources.len() - NAMED));
            }
            let verb = if ports.ranges().count() == 1 { "admits" } else { "admit" };
            format!("{ports} {verb} {}", list(&names))
        });
        sentences.collect::<Vec<_>>().join("; ")
    }

    /// A source; of a prefix list, its widest entry too.
    fn source(&self, source: &Source) -> String {
        match (source, self.group.blocks(source).iter().min_by_key(|block| (block.prefix(), **block))) {
            (Source::PrefixListId(id), Some(widest)) => format!("{id} (which holds {widest})"),
            _ => source.to_string(),
        }
    }

    fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        for closing in &self.closings {
            let label = closing.label();
            match closing.keep {
                Keep::Rest if closing.rule.traffic == Traffic::All => {
                    let mut protocols: Vec<String> = closing.rest(self.group).iter().map(|traffic| traffic.ec2_protocol()).collect();
                    protocols.dedup();
                    remarks.push(format!(
                        "{label} is carved into {}; other protocols from there (such as ESP or GRE) are dropped",
                        list(&protocols)
                    ));
                }
                Keep::Rest => {}
                Keep::Nothing(_) if closing.rest(self.group).is_empty() => {}
                Keep::Nothing(Because::Setting) => remarks.push(format!("{label} goes whole, for PALISADE_RANGES is `revoke`")),
                Keep::Nothing(Because::Quota) => {
                    remarks.push(format!("{label} goes whole: a group holds {QUOTA} rules, and there is no room to carve it"));
                }
                Keep::Nothing(Because::Refused) => {
                    remarks.push(format!(
                        "{label} goes whole: EC2 says the group has no room to carve it (RulesPerSecurityGroupLimitExceeded)"
                    ));
                }
            }
            if !closing.replace {
                remarks.push(format!("there is no room in the group for the replacement sources of {label}"));
            }
            let copied = closing.keep == Keep::Rest && !closing.rest(self.group).is_empty();
            let uncopied: Vec<&str> = closing.rule.tags.keys().filter(|key| copied && is_reserved(key)).map(String::as_str).collect();
            if !uncopied.is_empty() {
                remarks.push(format!("what is carved from {label} can't have its tags {}", list(&uncopied)));
            }
        }
        remarks
    }

    fn unread(&self) -> Option<String> {
        let rules: Vec<String> = self
            .unread
            .iter()
            .map(|(rule, why)| format!("{} from {} was left, for the prefix list can't be read: {why}", rule.traffic, rule.source))
            .collect();
        (!rules.is_empty()).then(|| rules.join("; "))
    }

    fn exposure(&self, policy: &Policy) -> u128 {
        let ports =
            |set: &PortSet| set.and(&policy.settings.ports).ranges().map(|(_, r)| u128::from(r.last() - r.first()) + 1).sum::<u128>();
        self.closings.iter().map(|closing| self.sources.get(&closing.rule.source).copied().unwrap_or(0).max(1) * ports(&closing.lost)).sum()
    }

    fn sketch(&self, group: &SecurityGroup) -> Sketch {
        let line = |fate, rule: &Rule| SketchLine {
            fate,
            cells: vec![rule.traffic.to_string(), rule.source.to_string(), rule.description.clone().unwrap_or_default()],
        };
        let mut lines: Vec<SketchLine> = Vec::new();
        for (at, closing) in self.closings.iter().enumerate() {
            lines.push(line(Fate::Removed, closing.rule));
            lines.extend(self.additions.iter().filter(|addition| addition.closing == at).map(|addition| line(Fate::Added, &addition.rule)));
        }
        let mut kept: Vec<&Rule> =
            group.ingress().filter(|rule| !self.closings.iter().any(|closing| std::ptr::eq(closing.rule, *rule))).collect();
        kept.sort_by(|a, b| (a.traffic, &a.source).cmp(&(b.traffic, &b.source)));
        lines.extend(kept.into_iter().map(|rule| line(Fate::Kept, rule)));
        Sketch { name: Some(group.name.clone()), title: "Ingress rules", lines }
    }
}

/// Whether whoever the inner source stands for is always among those of the outer. A prefix list can change, so only itself holds it.
fn holds(outer: &Source, inner: &Source) -> bool {
    match (outer, inner) {
        (Source::Cidr(outer), Source::Cidr(inner)) => outer.contains(inner),
        _ => outer == inner,
    }
}

/// The replacement blocks as far as the source contained them.
fn narrowed(replacements: &[Cidr], source: &[Cidr]) -> Vec<Cidr> {
    let families = Family::BOTH.into_iter();
    families.flat_map(|family| AddressSet::of(family, replacements).and(&AddressSet::of(family, source)).blocks()).collect()
}
