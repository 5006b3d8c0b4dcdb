//! # undo-change
//!
//! **What it does.** Takes back what another function changed, from the response or the notice that told of it, and exempts just that from
//! the guardrail for a while, so that the two do not fight.
//!
//! **Why.** The one thing that keeps people from letting anything change their network by itself is what happens when it was wrong.
//!
//! **Example.** `revoke-admin-ingress` took `tcp/22 from 0.0.0.0/0` from a group. `{"undo": <the notice>, "reason": "CHG-1234"}` puts the rule
//! back, with its description and tags and with one more, which exempts that rule until tomorrow.
//!
//! **Instead**, paste the AWS CLI commands of the notice, and tag what must stay.
//!
//! Each inverse change is judged alone against what is there now. What is as it was before is skipped. Where exactly that stands which the
//! change left, the inverse is made. Anything else is somebody's later work: then the whole result is refused, and named is what stands in
//! the way. So what is undone twice is `compliant` the second time. Only a response with a seal of ours is taken.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use crate::change::{AclEntryChange, ApplyError, Change, FlowLogChange, IpSetChange, RuleChange, State, TagChange, TagRemoval, undo};
use crate::cidr::Cidr;
use crate::denial::{self, whole_seconds};
use crate::deny_source;
use crate::exemption::{self, Exemption};
use crate::flow_log::{FlowLog, Vpc};
use crate::guardrail::Guardrail;
use crate::id::{AccountId, FlowLogId, Region};
use crate::ip_set::IpSet;
use crate::network_acl::{AclEntry, Action, NetworkAcl};
use crate::plan::{Fate, Plan, Sketch, SketchLine, Verdict};
use crate::response::Mode;
use crate::seal::Seal;
use crate::security_group::{Direction, Rule, SecurityGroup, Tags, is_reserved};
use crate::traffic::{Traffic, list};

/// How long a response can be undone after it was sealed.
pub const LONGEST: SignedDuration = SignedDuration::from_hours(30 * 24);
/// How far the clocks of two functions may be apart.
const SKEW: SignedDuration = SignedDuration::from_mins(5);
/// The most tags that a resource can have ("Tag restrictions", Amazon EC2 user guide).
const MOST_TAGS: usize = 50;

/// What a person asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What is to be undone.
    pub given: Given,
    /// Why.
    pub reason: String,
    /// How long what comes back is exempt.
    pub exempt_for: SignedDuration,
}

/// A response as it came back. Nothing of it is to be believed until its seal was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// Whose response it is.
    pub guardrail: Guardrail,
    /// Whether anything was changed.
    pub mode: Mode,
    /// The account that it speaks of.
    pub account: AccountId,
    /// The Region that it speaks of.
    pub region: Region,
    /// Its seal, if it has one.
    pub seal: Option<Seal>,
    /// What the seal is of.
    pub message: String,
    /// The results that tell of changes.
    pub results: Vec<Made>,
}

/// A result that tells of changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// What it is of.
    pub resource: String,
    /// The changes.
    pub changes: Vec<Change>,
}

impl Given {
    /// The seal to check, if checking it is worth the while.
    ///
    /// # Errors
    /// Why the response can't be undone, whatever its seal.
    pub fn seal_to_check(&self, account: &AccountId, region: &Region, now: Timestamp) -> Result<&Seal, String> {
        if self.mode == Mode::DryRun {
            return Err("it is of a dry run, which changed nothing".to_owned());
        }
        if self.account != *account {
            return Err(format!("it is of account {}, and this function acts in {account} only", self.account));
        }
        if self.region != *region {
            return Err(format!("it is of {}, and this function acts in {region} only", self.region));
        }
        let Some(seal) = &self.seal else {
            return Err(
                "it has no seal, so whether a function of Palisade wrote it can't be told; the AWS CLI commands of its notice undo it \
                        too"
                .to_owned(),
            );
        };
        let age = seal.time.duration_until(now);
        if age > LONGEST {
            return Err(format!("it was sealed at {}, more than 30 days ago; the AWS CLI commands of its notice undo it too", seal.time));
        }
        if age < -SKEW {
            return Err(format!("it was sealed at {}, which is in the future", seal.time));
        }
        Ok(seal)
    }
}

/// One result to undo, and everything that its changes speak of, read live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undoing {
    /// Whose changes they are.
    pub guardrail: Guardrail,
    /// What the result is of: of a denial, the source.
    pub resource: String,
    /// The changes that were made.
    pub changes: Vec<Change>,
    /// The changes of the results after it, which are undone before it, where that has not been done yet.
    pub later: Vec<Vec<Change>>,
    /// Where among the results it stood: the last is undone first.
    pub rank: usize,
    /// Why it is undone.
    pub reason: String,
    /// Until when what comes back is exempt.
    pub until: Timestamp,
    /// The security groups.
    pub groups: Vec<SecurityGroup>,
    /// The VPCs.
    pub vpcs: Vec<Vpc>,
    /// The network ACLs.
    pub acls: Vec<NetworkAcl>,
    /// The IP sets.
    pub ip_sets: Vec<IpSet>,
}

/// When an exemption ends that a person asks for now.
#[must_use]
pub fn end_of_exemption(now: Timestamp, exempt_for: SignedDuration) -> Timestamp {
    whole_seconds(now.saturating_add(exempt_for).unwrap_or(Timestamp::MAX))
}

impl State for Undoing {
    fn shows(&self, change: &Change) -> bool {
        self.groups.iter().any(|group| group.shows(change))
            || self.vpcs.iter().any(|vpc| vpc.shows(change))
            || self.acls.iter().any(|acl| acl.shows(change))
            || self.ip_sets.iter().any(|set| set.shows(change))
    }

    fn make(&mut self, change: &Change) -> Result<(), ApplyError> {
        let groups = self.groups.iter_mut().map(|group| group as &mut dyn State);
        let vpcs = self.vpcs.iter_mut().map(|vpc| vpc as &mut dyn State);
        let acls = self.acls.iter_mut().map(|acl| acl as &mut dyn State);
        let ip_sets = self.ip_sets.iter_mut().map(|set| set as &mut dyn State);
        for resource in groups.chain(vpcs).chain(acls).chain(ip_sets) {
            match resource.make(change) {
                Err(ApplyError::OtherResource) => {}
                done => return done,
            }
        }
        Err(ApplyError::OtherResource)
    }
}

/// How things stand for one inverse change.
enum Standing {
    /// It is as it was before.
    Already,
    /// It is as the change left it: this takes it back, with what is there now in it.
    Open(Box<Change>),
    /// It is neither.
    Obstructed(String),
}

/// What is undone, and what is exempt afterwards.
#[derive(Debug, Clone)]
pub struct Policy {
    exemptions: bool,
}

impl Policy {
    /// The policy where exemption tags count, or don't.
    #[must_use]
    pub fn new(exemptions: bool) -> Self {
        Self { exemptions }
    }

    /// Decides about one result. `refusals` is how often AWS has said that there is no room for what comes back.
    #[must_use]
    pub fn plan(&self, undoing: &Undoing, now: Timestamp, refusals: usize) -> Plan {
        let plan = |verdict, reason: String, remarks, changes: Vec<Change>| Plan {
            verdict,
            reason,
            remarks,
            sketch: sketch(undoing, &changes),
            changes,
            unread: None,
            exposure: undoing.rank as u128,
        };
        // The changes of one result build upon each other, so each is judged on what the ones before it leave.
        let mut model = undoing.before_later();
        let (mut inverses, mut obstacles) = (Vec::new(), Vec::new());
        for inverse in undo(&undoing.changes) {
            let obstacle = match judge(&model, &inverse, &inverses) {
                Standing::Already => continue,
                Standing::Open(inverse) => match model.make(&inverse) {
                    Ok(()) => {
                        inverses.push(*inverse);
                        continue;
                    }
                    Err(error) => format!("{}: {error}", what(&inverse)),
                },
                Standing::Obstructed(why) => why,
            };
            if !obstacles.contains(&obstacle) {
                obstacles.push(obstacle);
            }
        }
        if inverses.is_empty() && obstacles.is_empty() {
            return plan(Verdict::Compliant, "it is as it was before".to_owned(), Vec::new(), Vec::new());
        }
        let (changes, mut remarks) = self.with_exemptions(undoing, inverses, now, &mut obstacles);
        remarks.extend(changes.iter().filter_map(lost_tags));
        if refusals > 0 {
            obstacles.push("AWS has no room for what would come back".to_owned());
        }
        if !obstacles.is_empty() {
            let reason = format!("it can't be undone: {}", obstacles.join("; "));
            return plan(Verdict::Refused, reason, Vec::new(), Vec::new());
        }
        let reason = format!("undoes what {} changed", undoing.guardrail);
        plan(Verdict::Change, reason, remarks, changes)
    }

    /// The inverse changes, and before them or in them what keeps the guardrail from making its own again.
    fn with_exemptions(
        &self,
        undoing: &Undoing,
        inverses: Vec<Change>,
        now: Timestamp,
        obstacles: &mut Vec<String>,
    ) -> (Vec<Change>, Vec<String>) {
        let mut remarks = Vec::new();
        if !can_exempt(undoing.guardrail) {
            return (inverses, remarks);
        }
        if !self.exemptions {
            remarks.push(format!("PALISADE_EXEMPTIONS is `off`, so {} may change it again", undoing.guardrail));
            return (inverses, remarks);
        }
        let exemption = Wanted { until: undoing.until, value: exemption::value(undoing.until, &undoing.reason), now };
        let mut tags: BTreeSet<(String, String)> = BTreeSet::new();
        let mut changes: Vec<Change> = Vec::new();
        for mut inverse in inverses {
            match (exemption_place(undoing.guardrail, &inverse), &mut inverse) {
                (Some(Place::Rule { key }), Change::AuthorizeRule(change)) => {
                    exemption.add_to(&mut change.rule.tags, &key);
                    if change.rule.tags.keys().filter(|key| !is_reserved(key)).count() > MOST_TAGS {
                        obstacles.push(format!("{} has {MOST_TAGS} tags already, and no room for the exemption", change.rule));
                    }
                    remarks.push(format!("{} is exempt until {}", change.rule, undoing.until));
                }
                (Some(Place::Resource { id, key }), _) => {
                    tags.insert((id, key));
                }
                _ => {}
            }
            changes.push(inverse);
        }
        let mut first = Vec::new();
        for (resource, key) in tags {
            let Some(there) = undoing.tags_of(&resource) else { continue };
            let mut with = there.clone();
            exemption.add_to(&mut with, &key);
            remarks.push(format!("{resource} is exempt until {} ({key})", undoing.until));
            if with.keys().filter(|key| !is_reserved(key)).count() > MOST_TAGS {
                obstacles.push(format!("{resource} has {MOST_TAGS} tags already, and no room for the exemption"));
            }
            if with != *there {
                let previous = there.get(&key).cloned();
                first.push(Change::PutTag(TagChange { resource, key, value: exemption.value.clone(), previous }));
            }
        }
        if undoing.guardrail == Guardrail::DenySource && first.is_empty() && remarks.is_empty() {
            let in_ip_set = changes.iter().any(|change| matches!(change, Change::UpdateIpSet(_)));
            if in_ip_set {
                remarks.push("there is no network ACL to carry an exemption, so deny-source may deny it again".to_owned());
            }
        }
        first.extend(changes);
        (first, remarks)
    }
}

/// Where the exemption goes that keeps a guardrail from making a change again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// On the very rule that comes back, in the call that brings it.
    Rule {
        /// The tag's key.
        key: String,
    },
    /// On a resource, before anything is taken back.
    Resource {
        /// Its id.
        id: String,
        /// The tag's key.
        key: String,
    },
}

fn can_exempt(guardrail: Guardrail) -> bool {
    match guardrail {
        Guardrail::RevokeAdminIngress | Guardrail::StripDefaultGroup | Guardrail::EnableFlowLogs | Guardrail::DenySource => true,
        Guardrail::LiftDenials | Guardrail::UndoChange => false,
    }
}

/// The place for an inverse change of what this guardrail changed, where it needs one.
pub(crate) fn exemption_place(of: Guardrail, inverse: &Change) -> Option<Place> {
    let key = of.exemption_key();
    let on = |id: &str, key| Some(Place::Resource { id: id.to_owned(), key });
    match (of, inverse) {
        (Guardrail::RevokeAdminIngress, Change::AuthorizeRule(_)) => Some(Place::Rule { key }),
        (Guardrail::StripDefaultGroup, Change::AuthorizeRule(change)) => on(change.group_id.as_str(), key),
        (Guardrail::EnableFlowLogs, Change::DeleteFlowLog(change)) => on(change.vpc_id.as_str(), key),
        (Guardrail::DenySource, Change::DeleteAclEntry(change)) => on(change.acl_id.as_str(), deny_source::exemption_key(change.cidr)),
        // A denial that was extended ends as early as it did; it must not be extended again.
        (Guardrail::DenySource, Change::PutTag(tag)) if tag.previous.is_some() => {
            let (_, source) = denial::read_key(&tag.key)?;
            on(&tag.resource, deny_source::exemption_key(source))
        }
        _ => None,
    }
}

/// What a person must know of a rule that comes back without some of its tags.
fn lost_tags(change: &Change) -> Option<String> {
    let Change::AuthorizeRule(change) = change else { return None };
    let lost: Vec<String> = change.rule.tags.keys().filter(|key| is_reserved(key)).cloned().collect();
    (!lost.is_empty()).then(|| format!("{} comes back without {}, which only AWS itself can set", change.rule, list(&lost)))
}

/// The exemption that a person asks for.
struct Wanted {
    until: Timestamp,
    value: String,
    now: Timestamp,
}

impl Wanted {
    /// One that stands and lasts longer stays.
    fn add_to(&self, tags: &mut Tags, key: &str) {
        match Exemption::under(key, tags, self.now) {
            Exemption::Valid { until, .. } if until >= self.until => {}
            _ => drop(tags.insert(key.to_owned(), self.value.clone())),
        }
    }
}

impl Undoing {
    /// As things are when the later results have been undone, those that can be.
    fn before_later(&self) -> Self {
        let mut model = self.clone();
        for changes in self.later.iter().rev() {
            let (mut next, mut made) = (model.clone(), Vec::new());
            let mut inverses = undo(changes).into_iter().filter(|change| self.has(resource(change)));
            let all = inverses.all(|inverse| match judge(&next, &inverse, &made) {
                Standing::Already => true,
                Standing::Open(inverse) => {
                    let is_made = next.make(&inverse).is_ok();
                    made.push(*inverse);
                    is_made
                }
                Standing::Obstructed(_) => false,
            });
            if all {
                model = next;
            }
        }
        model
    }

    /// Whether legitimate traffic has nothing but this rule to pass by. What was carved out of a rule goes when that rule is back; where it
    /// is not, because the notice tells of a half-done change that was finished since, it must stay.
    fn is_needed(&self, group: &SecurityGroup, carved: &Rule) -> bool {
        if self.guardrail != Guardrail::RevokeAdminIngress {
            return false;
        }
        let revoked =
            |rule: &Rule| self.changes.iter().any(|change| matches!(change, Change::RevokeRule(change) if change.rule.is_same(rule)));
        // Of the rule that this very result took away it is known that it let all of that in, whatever its prefix list holds by now.
        let replaced = |rule: &Rule| revoked(rule) && rule.direction == carved.direction && rule.traffic.contains(carved.traffic);
        let admits = |rule: &Rule| rule.covers(carved) || replaced(rule);
        !group.rules.iter().any(|rule| !rule.is_same(carved) && admits(rule))
    }

    /// The entry that has no other memory than this tag: another delivery may have put it, or moved it, since. Where the denial's own entry
    /// has just gone, another like it is somebody else's.
    fn entry_remembered_by(&self, tag: &TagRemoval, made: &[Change]) -> Option<&AclEntry> {
        let (direction, source) = denial::read_key(&tag.key)?;
        let is_its_own = |change: &Change| {
            matches!(change, Change::DeleteAclEntry(entry)
                if entry.acl_id.as_str() == tag.resource && entry.direction == direction && entry.cidr == source)
        };
        if made.iter().any(is_its_own) {
            return None;
        }
        let acl = self.acls.iter().find(|acl| acl.id.as_str() == tag.resource)?;
        // One that an allow has overtaken denies nothing, and may be anybody's.
        let overtaken = deny_source::first_allow(acl, direction, source);
        let denies = |entry: &&AclEntry| {
            entry.direction == direction && entry.action == Action::Deny && entry.traffic == Traffic::All && entry.cidr == source
        };
        acl.entries.iter().filter(denies).find(|entry| entry.number < overtaken)
    }

    fn has(&self, resource: &str) -> bool {
        self.tags_of(resource).is_some() || self.ip_sets.iter().any(|set| set.arn.as_str() == resource)
    }

    fn tags_of(&self, resource: &str) -> Option<&Tags> {
        let groups = self.groups.iter().map(|group| (group.id.as_str(), &group.tags));
        let vpcs = self.vpcs.iter().map(|vpc| (vpc.id.as_str(), &vpc.tags));
        let acls = self.acls.iter().map(|acl| (acl.id.as_str(), &acl.tags));
        groups.chain(vpcs).chain(acls).find(|(id, _)| *id == resource).map(|(_, tags)| tags)
    }
}

/// `made` are the inverse changes that the model has already.
fn judge(model: &Undoing, inverse: &Change, made: &[Change]) -> Standing {
    let standing = match inverse {
        Change::AuthorizeRule(change) => judge_return(model, change),
        Change::RevokeRule(change) => judge_revocation(model, change),
        Change::CreateFlowLog(change) => judge_creation(model, change),
        Change::DeleteFlowLog(change) => judge_deletion(model, change),
        Change::PutAclEntry(change) => judge_entry(model, change, true),
        Change::DeleteAclEntry(change) => judge_entry(model, change, false),
        Change::PutTag(tag) => judge_tag(model, tag),
        Change::DeleteTag(tag) => judge_tag_removal(model, tag, made),
        Change::UpdateIpSet(change) => judge_ip_set(model, change),
    };
    standing.unwrap_or_else(|| Standing::Obstructed(format!("{} no longer exists", resource(inverse))))
}

fn open(change: Change) -> Option<Standing> {
    Some(Standing::Open(Box::new(change)))
}

fn obstructed(why: String) -> Option<Standing> {
    Some(Standing::Obstructed(why))
}

/// The tags that a person gave it: those that exempt it came with an undoing, and those of AWS nobody can put.
fn own_tags(tags: &Tags) -> Vec<(&String, &String)> {
    tags.iter().filter(|(key, _)| !is_reserved(key) && !exemption::is_key(key)).collect()
}

fn is_alike(one: &Rule, other: &Rule) -> bool {
    one.description == other.description && own_tags(&one.tags) == own_tags(&other.tags)
}

fn judge_return(model: &Undoing, change: &RuleChange) -> Option<Standing> {
    let group = model.groups.iter().find(|group| group.id == change.group_id)?;
    match group.rules.iter().find(|rule| rule.is_same(&change.rule)) {
        None => open(Change::AuthorizeRule(change.clone())),
        Some(there) if is_alike(there, &change.rule) => Some(Standing::Already),
        Some(there) => obstructed(format!("{there} is in {} again, with another description or other tags", group.id)),
    }
}

fn judge_revocation(model: &Undoing, change: &RuleChange) -> Option<Standing> {
    let group = model.groups.iter().find(|group| group.id == change.group_id)?;
    match group.rules.iter().find(|rule| rule.is_same(&change.rule)) {
        None => Some(Standing::Already),
        Some(there) if is_alike(there, &change.rule) && !model.is_needed(group, there) => {
            // With its id and all its tags, so that undoing this brings back just this.
            open(Change::RevokeRule(RuleChange { group_id: change.group_id.clone(), rule: there.clone() }))
        }
        Some(there) if is_alike(there, &change.rule) => {
            obstructed(format!("the rule that {there} was carved from is no longer in {}, so nothing else lets that in", group.id))
        }
        Some(there) => obstructed(format!("{there} of {} has another description or other tags by now", group.id)),
    }
}

fn judge_creation(model: &Undoing, change: &FlowLogChange) -> Option<Standing> {
    let vpc = model.vpcs.iter().find(|vpc| vpc.id == change.vpc_id)?;
    match vpc.flow_log(change) {
        None => open(Change::CreateFlowLog(FlowLogChange { flow_log_id: None, ..change.clone() })),
        Some(there) if own_tags(&there.tags) == own_tags(&change.tags) => Some(Standing::Already),
        Some(there) => obstructed(format!("{} records {} traffic to {} by now", name(there), there.traffic_type, there.place())),
    }
}

/// Only the flow log that was created: the same id where that is known, the same tags in any case.
fn judge_deletion(model: &Undoing, change: &FlowLogChange) -> Option<Standing> {
    let vpc = model.vpcs.iter().find(|vpc| vpc.id == change.vpc_id)?;
    let Some(there) = vpc.flow_log(change) else { return Some(Standing::Already) };
    let is_it = change.flow_log_id.is_none() || there.id.is_none() || change.flow_log_id == there.id;
    if !is_it || own_tags(&there.tags) != own_tags(&change.tags) {
        return obstructed(format!("{} to {} is not the flow log that was created", name(there), there.place()));
    }
    open(Change::DeleteFlowLog(FlowLogChange { flow_log_id: there.id.clone(), tags: there.tags.clone(), ..change.clone() }))
}

fn name(log: &FlowLog) -> &str {
    log.id.as_ref().map_or("a flow log", FlowLogId::as_str)
}

fn judge_entry(model: &Undoing, change: &AclEntryChange, is_put: bool) -> Option<Standing> {
    let acl = model.acls.iter().find(|acl| acl.id == change.acl_id)?;
    let entry = AclEntry::of(change);
    let at_number = acl.entries.iter().find(|other| other.direction == entry.direction && other.number == entry.number);
    Some(match (is_put, at_number) {
        (true, Some(there)) if *there == entry => Standing::Already,
        (true, Some(there)) => Standing::Obstructed(format!(
            "entry {} ({}) of {} is {} {} {} by now",
            entry.number,
            way(entry.direction),
            acl.id,
            there.action,
            there.traffic,
            there.cidr
        )),
        (true, None) if !acl.tags.contains_key(&denial::key(change.direction, change.cidr)) => Standing::Obstructed(format!(
            "the denial of {} in {} has ended since, and an entry without its tag nobody would lift",
            change.cidr, acl.id
        )),
        (true, None) => Standing::Open(Box::new(Change::PutAclEntry(change.clone()))),
        (false, Some(there)) if *there == entry => Standing::Open(Box::new(Change::DeleteAclEntry(change.clone()))),
        (false, _) => Standing::Already,
    })
}

fn judge_tag(model: &Undoing, tag: &TagChange) -> Option<Standing> {
    let there = model.tags_of(&tag.resource)?.get(&tag.key);
    if there == Some(&tag.value) {
        return Some(Standing::Already);
    }
    if there == tag.previous.as_ref() {
        return open(Change::PutTag(tag.clone()));
    }
    obstructed(format!("the tag {} of {} was changed since", tag.key, tag.resource))
}

fn judge_tag_removal(model: &Undoing, tag: &TagRemoval, made: &[Change]) -> Option<Standing> {
    match model.tags_of(&tag.resource)?.get(&tag.key) {
        None => Some(Standing::Already),
        Some(there) if *there == tag.value => match model.entry_remembered_by(tag, made) {
            None => open(Change::DeleteTag(tag.clone())),
            Some(entry) => obstructed(format!(
                "entry {} ({}) of {} denies {} still, and without the tag {} nobody would lift it",
                entry.number,
                way(entry.direction),
                tag.resource,
                entry.cidr,
                tag.key
            )),
        },
        Some(_) => obstructed(format!("the tag {} of {} was changed since", tag.key, tag.resource)),
    }
}

fn judge_ip_set(model: &Undoing, change: &IpSetChange) -> Option<Standing> {
    let set = model.ip_sets.iter().find(|set| set.arn == change.arn)?;
    let has = |block| set.addresses.contains(block);
    let is_anew = change.description != change.previous_description;
    if set.shows(&Change::UpdateIpSet(change.clone())) {
        return Some(Standing::Already);
    }
    if !is_anew && change.add.is_empty() && !change.remove.iter().any(has) {
        // Whatever became of the set since: what was put into it is in it no longer.
        return Some(Standing::Already);
    }
    let arn = &set.arn;
    if set.description != change.previous_description {
        return obstructed(format!("{arn} is described as `{}` by now", set.description));
    }
    if !change.remove.iter().all(has) || change.add.iter().any(has) {
        return obstructed(format!("{arn} was changed since"));
    }
    // A set that was taken anew held nothing then but the source that it was taken for, which it may have held before.
    let of_result = |block: &&Cidr| model.resource == block.to_string();
    let more = set.addresses.iter().filter(|block| !change.remove.contains(block) && !of_result(block)).count();
    if is_anew && more > 0 {
        return obstructed(format!("{arn} holds {more} {} made since", if more == 1 { "denial that was" } else { "denials that were" }));
    }
    open(Change::UpdateIpSet(change.clone()))
}

/// The id of the resource that a change is of.
#[must_use]
pub fn resource(change: &Change) -> &str {
    match change {
        Change::AuthorizeRule(change) | Change::RevokeRule(change) => change.group_id.as_str(),
        Change::CreateFlowLog(change) | Change::DeleteFlowLog(change) => change.vpc_id.as_str(),
        Change::PutAclEntry(change) | Change::DeleteAclEntry(change) => change.acl_id.as_str(),
        Change::PutTag(tag) => &tag.resource,
        Change::DeleteTag(tag) => &tag.resource,
        Change::UpdateIpSet(change) => change.arn.as_str(),
    }
}

fn way(direction: Direction) -> &'static str {
    match direction {
        Direction::Ingress => "in",
        Direction::Egress => "out",
    }
}

/// What a change is of, in a few words.
fn what(change: &Change) -> String {
    match change {
        Change::AuthorizeRule(change) | Change::RevokeRule(change) => match &change.rule.description {
            Some(description) => format!("{} \"{description}\"", change.rule),
            None => change.rule.to_string(),
        },
        Change::CreateFlowLog(change) | Change::DeleteFlowLog(change) => {
            format!("flow log of {} traffic to {}", change.traffic_type, change.destination)
        }
        Change::PutAclEntry(change) | Change::DeleteAclEntry(change) => {
            format!("entry {} ({}): deny all traffic {}", change.rule_number, way(change.direction), change.cidr)
        }
        Change::PutTag(tag) => format!("tag {} = {}", tag.key, tag.value),
        Change::DeleteTag(tag) => format!("tag {} = {}", tag.key, tag.value),
        Change::UpdateIpSet(change) => format!("the addresses of {}", change.arn.parts().name),
    }
}

fn sketch(undoing: &Undoing, changes: &[Change]) -> Sketch {
    let line = |fate, change: &Change, what: String| SketchLine { fate, cells: vec![resource(change).to_owned(), what] };
    let mut lines = Vec::new();
    for change in changes {
        match change {
            Change::UpdateIpSet(of) => {
                lines.extend(of.remove.iter().map(|block| line(Fate::Removed, change, block.to_string())));
                lines.extend(of.add.iter().map(|block| line(Fate::Added, change, block.to_string())));
            }
            Change::RevokeRule(_) | Change::DeleteFlowLog(_) | Change::DeleteAclEntry(_) | Change::DeleteTag(_) => {
                lines.push(line(Fate::Removed, change, what(change)));
            }
            _ => lines.push(line(Fate::Added, change, what(change))),
        }
    }
    let name = match undoing.groups.as_slice() {
        [group] => Some(group.name.clone()),
        _ => None,
    };
    Sketch { name, title: "What is put back", lines }
}
