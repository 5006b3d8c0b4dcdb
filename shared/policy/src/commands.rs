//! Changes as AWS CLI commands, for whoever has no more than that.

use std::collections::BTreeSet;

use jiff::civil::Date;
use serde_json::{Value, json};

use crate::change::{AclEntryChange, Change, FlowLogChange, IpSetChange, RuleChange, TagChange};
use crate::cidr::{Cidr, Family};
use crate::exemption;
use crate::flow_log::Destination;
use crate::guardrail::Guardrail;
use crate::id::Region;
use crate::response::Response;
use crate::security_group::{Direction, Source, Tags, is_reserved};
use crate::undo_change::{Place, exemption_place};

/// The command that makes the change, on one line, to be pasted into a POSIX shell.
#[must_use]
pub fn command(change: &Change, region: &Region) -> String {
    match change {
        Change::AuthorizeRule(change) => rule("authorize", change, region),
        Change::RevokeRule(change) => rule("revoke", change, region),
        Change::CreateFlowLog(change) => create_flow_log(change, region),
        Change::DeleteFlowLog(change) => delete_flow_log(change, region),
        Change::PutAclEntry(change) => format!(
            "{} --protocol -1 --rule-action deny {} {}",
            acl_entry("create", change, region),
            if change.cidr.family() == Family::V4 { "--cidr-block" } else { "--ipv6-cidr-block" },
            change.cidr
        ),
        Change::DeleteAclEntry(change) => acl_entry("delete", change, region),
        Change::PutTag(tag) => {
            let tags = quoted(&json!([{"Key": tag.key, "Value": tag.value}]).to_string());
            format!("aws ec2 create-tags --region {region} --resources {} --tags {tags}", tag.resource)
        }
        Change::DeleteTag(tag) => {
            // With its value: a denial that was extended since keeps its tag.
            let tags = quoted(&json!([{"Key": tag.key, "Value": tag.value}]).to_string());
            format!("aws ec2 delete-tags --region {region} --resources {} --tags {tags}", tag.resource)
        }
        Change::UpdateIpSet(change) => ip_set(change),
    }
}

/// Commands for whoever has no undo-change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restoring {
    /// In the order in which they are safe: none may be made unless the one before it was.
    pub commands: Vec<String>,
    /// Whether what comes back is exempt.
    pub exempts: bool,
}

/// The commands that take back what a result tells of, each on one line: first what exempts a resource, then the changes. What comes back
/// is exempt until the end of a day, where tags exempt, or its guardrail would close it again while the commands are still being pasted.
#[must_use]
pub fn restoring(of: Guardrail, undo: &[Change], region: &Region, until: Option<Date>) -> Restoring {
    let value = until.map(|until| exemption::value_until_the_end_of(until, "undone by hand"));
    let mut exempting: BTreeSet<String> = BTreeSet::new();
    let (mut commands, mut exempts) = (Vec::new(), false);
    for change in undo {
        let mut change = change.clone();
        if let (Some(place), Some(value)) = (exemption_place(of, &change), value.clone()) {
            exempts = true;
            match (place, &mut change) {
                (Place::Rule { key }, Change::AuthorizeRule(change)) => drop(change.rule.tags.insert(key, value)),
                (Place::Rule { .. }, _) => {}
                (Place::Resource { id, key }, _) => {
                    let tag = TagChange { resource: id, key, value, previous: None };
                    exempting.insert(command(&Change::PutTag(tag), region));
                }
            }
        }
        commands.push(command(&change, region));
    }
    Restoring { commands: exempting.into_iter().chain(commands).collect(), exempts }
}

/// A payload longer than this does not go into a command: it would be half of the notice. Who reads mail has nothing but the command.
const LONGEST_PAYLOAD: usize = 25_000;

/// The command that has this function undo a response, for a POSIX shell. Through `fileb://`, for without it version 2 of the CLI wants the
/// payload in base64, and version 1 wants it plain. The CLI waits as long as any function may take, 15 minutes: after its usual one it would
/// call again.
#[must_use]
pub fn undo_command(response: &Response, function: &str) -> String {
    let region = &response.region;
    let payload = json!({"undo": response, "reason": "undone by its notice", "exemptFor": "24h", "dryRun": false}).to_string();
    let function = quoted(function);
    let invoke = format!(
        "aws lambda invoke --region {region} --function-name {function} --cli-read-timeout 900 --payload fileb:///dev/stdin /dev/stdout"
    );
    if payload.len() <= LONGEST_PAYLOAD {
        return format!("printf %s {} | {invoke}", quoted(&payload));
    }
    let rest = quoted(r#", "reason": "undone by its notice", "exemptFor": "24h", "dryRun": false}"#);
    format!(r#"(printf %s '{{"undo":'; cat notice.json; printf %s {rest}) | {invoke}"#)
}

fn direction(direction: Direction) -> &'static str {
    match direction {
        Direction::Ingress => "ingress",
        Direction::Egress => "egress",
    }
}

fn rule(verb: &str, change: &RuleChange, region: &Region) -> String {
    let permissions = quoted(&json!([permission(change)]).to_string());
    let way = direction(change.rule.direction);
    let mut command =
        format!("aws ec2 {verb}-security-group-{way} --region {region} --group-id {} --ip-permissions {permissions}", change.group_id);
    if verb == "authorize" {
        command.push_str(&tag_specification("security-group-rule", &change.rule.tags));
    }
    command
}

/// With a space before it; nothing where there are no tags that anybody could set.
fn tag_specification(resource_type: &str, tags: &Tags) -> String {
    let tags: Vec<Value> =
        tags.iter().filter(|(key, _)| !is_reserved(key)).map(|(key, value)| json!({"Key": key, "Value": value})).collect();
    if tags.is_empty() {
        return String::new();
    }
    format!(" --tag-specifications {}", quoted(&json!([{"ResourceType": resource_type, "Tags": tags}]).to_string()))
}

fn permission(change: &RuleChange) -> Value {
    let rule = &change.rule;
    let (list, mut source) = match &rule.source {
        Source::Cidr(cidr) if cidr.family() == Family::V4 => ("IpRanges", json!({"CidrIp": cidr.to_string()})),
        Source::Cidr(cidr) => ("Ipv6Ranges", json!({"CidrIpv6": cidr.to_string()})),
        Source::PrefixListId(id) => ("PrefixListIds", json!({"PrefixListId": id.as_str()})),
        Source::ReferencedGroup(group) => {
            let mut pair = json!({"GroupId": group.group_id.as_str()});
            if let (Some(object), Some(owner)) = (pair.as_object_mut(), &group.user_id) {
                object.insert("UserId".to_owned(), json!(owner.as_str()));
            }
            ("UserIdGroupPairs", pair)
        }
    };
    if let (Some(object), Some(description)) = (source.as_object_mut(), &rule.description) {
        object.insert("Description".to_owned(), json!(description));
    }
    let mut permission = json!({"IpProtocol": rule.traffic.ec2_protocol(), list: [source]});
    if let (Some(object), Some((from, to))) = (permission.as_object_mut(), rule.traffic.ec2_ports()) {
        object.insert("FromPort".to_owned(), json!(from));
        object.insert("ToPort".to_owned(), json!(to));
    }
    permission
}

fn create_flow_log(change: &FlowLogChange, region: &Region) -> String {
    let destination = match &change.destination {
        Destination::LogGroup { log_group_name, deliver_logs_permission_arn } => format!(
            "--log-destination-type cloud-watch-logs --log-group-name {} --deliver-logs-permission-arn {}",
            quoted(log_group_name),
            quoted(deliver_logs_permission_arn)
        ),
        Destination::S3 { log_destination } => format!("--log-destination-type s3 --log-destination {}", quoted(log_destination)),
    };
    format!(
        "aws ec2 create-flow-logs --region {region} --resource-type VPC --resource-ids {} --traffic-type {} {destination}{}",
        change.vpc_id,
        change.traffic_type,
        tag_specification("vpc-flow-log", &change.tags)
    )
}

fn delete_flow_log(change: &FlowLogChange, region: &Region) -> String {
    match &change.flow_log_id {
        Some(id) => format!("aws ec2 delete-flow-logs --region {region} --flow-log-ids {id}"),
        None => format!(
            "aws ec2 delete-flow-logs --region {region} --flow-log-ids \"$(aws ec2 describe-flow-logs --region {region} --filter \
             Name=resource-id,Values={} Name=traffic-type,Values={} --query {} --output text)\"",
            change.vpc_id,
            change.traffic_type,
            quoted(&ids_of(&change.destination))
        ),
    }
}

fn acl_entry(verb: &str, change: &AclEntryChange, region: &Region) -> String {
    format!(
        "aws ec2 {verb}-network-acl-entry --region {region} --network-acl-id {} --{} --rule-number {}",
        change.acl_id,
        direction(change.direction),
        change.rule_number
    )
}

/// A JMESPath query for the ids of the flow logs that go there: EC2 has no filter for a bucket, and may write its ARN with a slash at the
/// end or without.
fn ids_of(destination: &Destination) -> String {
    let literal = |text: &str| format!("`{}`", json!(text).to_string().replace('`', r"\`"));
    let which = match destination {
        Destination::LogGroup { log_group_name, .. } => format!("LogGroupName=={}", literal(log_group_name)),
        Destination::S3 { log_destination } => {
            let bare = log_destination.trim_end_matches('/');
            format!("LogDestination=={} || LogDestination=={}", literal(bare), literal(&format!("{bare}/")))
        }
    };
    format!("FlowLogs[?{which}].FlowLogId")
}

/// WAF replaces a set as a whole, so the command reads it first, with the lock that the update needs.
fn ip_set(change: &IpSetChange) -> String {
    let id = change.arn.parts();
    let quoted_list = |blocks: Vec<String>| serde_json::to_string(&blocks).unwrap_or_default();
    // What goes, in every spelling that WAF may have it in.
    let remove = change.remove.iter().flat_map(|block| [Some(block.to_string()), block.written_out()]).flatten().collect();
    let add = change.add.iter().map(Cidr::to_string).collect();
    let set = format!("--name {} --scope {} --id {} --region {}", id.name, id.scope, id.id, id.region);
    let filter =
        format!("jq -c '{{LockToken, Addresses: ((.IPSet.Addresses - {}) + {} | unique)}}'", quoted_list(remove), quoted_list(add));
    // WAF takes no empty description.
    let description = match change.description.as_str() {
        "" => String::new(),
        text => format!(" --description {}", quoted(text)),
    };
    format!(
        "aws wafv2 get-ip-set {set} | {filter} > palisade.json && aws wafv2 update-ip-set {set}{description} --cli-input-json \
         file://palisade.json"
    )
}

/// Within single quotes a shell reads nothing but the closing quote.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
