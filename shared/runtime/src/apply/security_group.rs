//! Changes to the rules of a security group.

use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{
    IpPermission, IpRange, Ipv6Range, PrefixListId, ResourceType, RevokedSecurityGroupRule, Tag, TagSpecification, UserIdGroupPair,
};
use palisade_policy::change::{Change, RuleChange};
use palisade_policy::cidr::{Cidr, Family};
use palisade_policy::id::{RuleId, SecurityGroupId};
use palisade_policy::security_group::{Direction, Rule, SecurityGroup, Source, Tags, is_reserved};
use palisade_policy::traffic::Traffic;

use crate::aws::AwsError;
use crate::deadline::Deadline;
use crate::gateway::Interrupted;

/// What EC2 says when the group is not as the plan supposed: the rule is there already, or no longer.
const MOVED: [&str; 4] =
    ["InvalidPermission.Duplicate", "InvalidPermission.NotFound", "InvalidSecurityGroupRuleId.NotFound", "InvalidGroup.NotFound"];

/// First authorises, one call for each direction and set of tags (EC2 tags every rule of a call alike); then, when all of it is in,
/// revokes by rule id, one call for each direction. So a crash between two calls never cuts off legitimate traffic.
pub(crate) async fn apply(ec2: &Client, group: &SecurityGroup, changes: &[Change], deadline: Deadline) -> Result<(), Interrupted> {
    let mut made: Vec<Change> = Vec::new();
    for call in authorisations(changes) {
        if !deadline.leaves_a_call() {
            return Err(Interrupted::OutOfTime { made });
        }
        if let Err(error) = deadline.act(authorise(ec2, &group.id, &call, false)).await {
            return Err(match error.code() {
                Some("RulesPerSecurityGroupLimitExceeded") => Interrupted::NoRoom { error, made },
                _ => interrupted(error, made),
            });
        }
        made.extend(call.iter().map(|change| Change::AuthorizeRule((*change).clone())));
    }
    for call in revocations(changes) {
        if !deadline.leaves_a_call() {
            return Err(Interrupted::OutOfTime { made });
        }
        let revoked = match deadline.act(revoke(ec2, group, &call, false)).await {
            Ok(revoked) => revoked,
            Err(error) => return Err(interrupted(error, made)),
        };
        put_back(ec2, group, &call, &revoked, &made, deadline).await?;
        made.extend(call.iter().map(|change| Change::RevokeRule((*change).clone())));
    }
    Ok(())
}

/// A person who edits a rule keeps its id. If that happened since it was read, the edited rule is what went: it comes back, as EC2 says
/// that it was, however late it is. What was `made` by then for the rule as it was is named, for it must go.
async fn put_back(
    ec2: &Client,
    group: &SecurityGroup,
    planned: &[&RuleChange],
    revoked: &[RevokedSecurityGroupRule],
    made: &[Change],
    deadline: Deadline,
) -> Result<(), Interrupted> {
    let (mut returning, mut as_planned) = (Vec::new(), Vec::new());
    for revoked in revoked {
        let Some(rule) = rule_of(group, revoked) else { continue };
        match planned.iter().find(|planned| planned.rule.is_same(&rule)) {
            Some(planned) => as_planned.push(&planned.rule),
            None => returning.push(RuleChange { group_id: group.id.clone(), rule }),
        }
    }
    if returning.is_empty() {
        return Ok(());
    }
    let is_piece = |rule: &Rule| !as_planned.iter().any(|whole| whole.covers(rule)) && planned.iter().any(|whole| whole.rule.covers(rule));
    let unwanted = made.iter().filter(|change| matches!(change, Change::AuthorizeRule(piece) if is_piece(&piece.rule))).cloned().collect();
    let operation = planned.first().map_or("RevokeSecurityGroupIngress", |planned| revocation(planned.rule.direction));
    for rule in &returning {
        deadline.look(authorise(ec2, &group.id, &[rule], false)).await.map_err(|error| {
            let lost = format!("{} was edited just before it was revoked, and can't be put back: {error}", rule.rule);
            Interrupted::Failed(AwsError::unreadable(operation, lost))
        })?;
    }
    let error = AwsError::unreadable(operation, "a rule was edited after it was read; it was put back as it was");
    let edited = planned.iter().filter(|planned| !as_planned.iter().any(|rule| rule.is_same(&planned.rule)));
    let edited = edited.map(|planned| Change::RevokeRule((*planned).clone())).collect();
    Err(Interrupted::Edited { error, edited, unwanted })
}

/// The rule that EC2 says it revoked, with the tags that it had when it was read. `None` where EC2 does not say.
fn rule_of(group: &SecurityGroup, revoked: &RevokedSecurityGroupRule) -> Option<Rule> {
    let traffic = Traffic::from_ec2(revoked.ip_protocol.as_deref()?, revoked.from_port, revoked.to_port).ok()?;
    let cidr = revoked.cidr_ipv4.as_deref().or(revoked.cidr_ipv6.as_deref());
    let before = group.rules.iter().find(|rule| rule.id.as_ref().map(RuleId::as_str) == revoked.security_group_rule_id.as_deref());
    let source = match (cidr, revoked.prefix_list_id.as_deref(), revoked.referenced_group_id.as_deref()) {
        (Some(cidr), _, _) => Source::Cidr(Cidr::canonical(cidr).ok()?),
        (None, Some(list), _) => Source::PrefixListId(list.parse().ok()?),
        (None, None, Some(_)) => before?.source.clone(),
        (None, None, None) => return None,
    };
    Some(Rule {
        id: None,
        direction: if revoked.is_egress? { Direction::Egress } else { Direction::Ingress },
        traffic,
        source,
        description: revoked.description.clone().filter(|text| !text.is_empty()),
        tags: before.map(|rule| rule.tags.clone()).unwrap_or_default(),
    })
}

/// Asks EC2, with `DryRun`, whether the role may make these calls.
pub(crate) async fn permitted(ec2: &Client, group: &SecurityGroup, changes: &[Change]) -> Result<Option<bool>, Interrupted> {
    let mut permitted = true;
    for call in authorisations(changes) {
        permitted &= allowed(authorise(ec2, &group.id, &call, true).await)?;
    }
    for call in revocations(changes) {
        permitted &= allowed(revoke(ec2, group, &call, true).await.map(drop))?;
    }
    Ok(Some(permitted))
}

/// `DryRun` answers by an error: `DryRunOperation` is yes, `UnauthorizedOperation` is no.
fn allowed(answer: Result<(), AwsError>) -> Result<bool, Interrupted> {
    match answer {
        Ok(()) => Ok(true),
        Err(error) => match error.code() {
            Some("DryRunOperation") => Ok(true),
            Some("UnauthorizedOperation") => Ok(false),
            _ => Err(interrupted(error, Vec::new())),
        },
    }
}

fn interrupted(error: AwsError, made: Vec<Change>) -> Interrupted {
    if error.is_lost() || error.code().is_some_and(|code| MOVED.contains(&code)) {
        Interrupted::Moved { error, made }
    } else {
        Interrupted::Failed(error)
    }
}

fn authorisations(changes: &[Change]) -> Vec<Vec<&RuleChange>> {
    let mut calls: Vec<Vec<&RuleChange>> = Vec::new();
    for change in changes {
        let Change::AuthorizeRule(change) = change else { continue };
        let alike = |call: &&mut Vec<&RuleChange>| {
            call.first().is_some_and(|first| {
                settable(&first.rule.tags).eq(settable(&change.rule.tags)) && first.rule.direction == change.rule.direction
            })
        };
        match calls.iter_mut().find(alike) {
            Some(call) => call.push(change),
            None => calls.push(vec![change]),
        }
    }
    calls
}

fn revocations<'a>(changes: &'a [Change]) -> Vec<Vec<&'a RuleChange>> {
    let revoked = |direction| {
        let of = |change: &'a Change| match change {
            Change::RevokeRule(change) if change.rule.direction == direction => Some(change),
            _ => None,
        };
        changes.iter().filter_map(of).collect::<Vec<_>>()
    };
    [Direction::Ingress, Direction::Egress].into_iter().map(revoked).filter(|call| !call.is_empty()).collect()
}

async fn authorise(ec2: &Client, group: &SecurityGroupId, rules: &[&RuleChange], dry_run: bool) -> Result<(), AwsError> {
    let Some(first) = rules.first() else { return Ok(()) };
    let permissions: Vec<IpPermission> = rules.iter().map(|rule| permission(rule)).collect();
    let tags = tag_specification(&first.rule.tags);
    match first.rule.direction {
        Direction::Ingress => {
            let call = ec2.authorize_security_group_ingress().group_id(group.as_str()).set_ip_permissions(Some(permissions));
            let call = call.set_tag_specifications(tags).set_dry_run(dry_run.then_some(true));
            call.send().await.map(drop).map_err(|error| AwsError::new("AuthorizeSecurityGroupIngress", &error))
        }
        Direction::Egress => {
            let call = ec2.authorize_security_group_egress().group_id(group.as_str()).set_ip_permissions(Some(permissions));
            let call = call.set_tag_specifications(tags).set_dry_run(dry_run.then_some(true));
            call.send().await.map(drop).map_err(|error| AwsError::new("AuthorizeSecurityGroupEgress", &error))
        }
    }
}

fn revocation(direction: Direction) -> &'static str {
    match direction {
        Direction::Ingress => "RevokeSecurityGroupIngress",
        Direction::Egress => "RevokeSecurityGroupEgress",
    }
}

async fn revoke(
    ec2: &Client,
    group: &SecurityGroup,
    rules: &[&RuleChange],
    dry_run: bool,
) -> Result<Vec<RevokedSecurityGroupRule>, AwsError> {
    let Some(first) = rules.first() else { return Ok(Vec::new()) };
    let operation = revocation(first.rule.direction);
    // By id only: by properties, a group of a default VPC silently ignores what it does not know. The id is the one that the rule has
    // now; a change's own is a hint, for a rule that was made again has another.
    let mut ids = Vec::new();
    for rule in rules {
        let there = group.rules.iter().find(|there| there.is_same(&rule.rule)).and_then(|there| there.id.as_ref());
        match there.or(rule.rule.id.as_ref()) {
            Some(id) => ids.push(id.to_string()),
            None => {
                return Err(AwsError::unreadable(operation, format!("the rule {} has no id", rule.rule)));
            }
        }
    }
    match first.rule.direction {
        Direction::Ingress => {
            let call = ec2.revoke_security_group_ingress().group_id(group.id.as_str()).set_security_group_rule_ids(Some(ids));
            let call = call.set_dry_run(dry_run.then_some(true));
            let done = call.send().await.map_err(|error| AwsError::new(operation, &error))?;
            Ok(done.revoked_security_group_rules.unwrap_or_default())
        }
        Direction::Egress => {
            let call = ec2.revoke_security_group_egress().group_id(group.id.as_str()).set_security_group_rule_ids(Some(ids));
            let call = call.set_dry_run(dry_run.then_some(true));
            let done = call.send().await.map_err(|error| AwsError::new(operation, &error))?;
            Ok(done.revoked_security_group_rules.unwrap_or_default())
        }
    }
}

/// One permission holds one rule, so that each keeps its own description.
fn permission(change: &RuleChange) -> IpPermission {
    let rule = &change.rule;
    let ports = rule.traffic.ec2_ports();
    let permission = IpPermission::builder()
        .ip_protocol(rule.traffic.ec2_protocol())
        .set_from_port(ports.map(|ports| ports.0))
        .set_to_port(ports.map(|ports| ports.1));
    let description = rule.description.clone();
    match &rule.source {
        Source::Cidr(cidr) if cidr.family() == Family::V4 => {
            permission.ip_ranges(IpRange::builder().cidr_ip(cidr.to_string()).set_description(description).build())
        }
        Source::Cidr(cidr) => permission.ipv6_ranges(Ipv6Range::builder().cidr_ipv6(cidr.to_string()).set_description(description).build()),
        Source::PrefixListId(id) => {
            permission.prefix_list_ids(PrefixListId::builder().prefix_list_id(id.as_str()).set_description(description).build())
        }
        Source::ReferencedGroup(group) => {
            let owner = group.user_id.as_ref().map(ToString::to_string);
            let pair = UserIdGroupPair::builder().group_id(group.group_id.as_str()).set_user_id(owner);
            permission.user_id_group_pairs(pair.set_description(description).build())
        }
    }
    .build()
}

/// The tags that anybody can set: those of AWS itself can't be copied.
fn settable(tags: &Tags) -> impl Iterator<Item = (&String, &String)> {
    tags.iter().filter(|(key, _)| !is_reserved(key))
}

fn tag_specification(tags: &Tags) -> Option<Vec<TagSpecification>> {
    let tags: Vec<Tag> = settable(tags).map(|(key, value)| Tag::builder().key(key).value(value).build()).collect();
    let of_rules = TagSpecification::builder().resource_type(ResourceType::SecurityGroupRule);
    (!tags.is_empty()).then(|| vec![of_rules.set_tags(Some(tags)).build()])
}
