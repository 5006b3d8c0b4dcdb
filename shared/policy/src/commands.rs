//! Changes as AWS CLI commands, for whoever has no more than that.

use serde_json::{Value, json};

use crate::change::{Change, RuleChange};
use crate::cidr::Family;
use crate::id::Region;
use crate::security_group::{Direction, Source, is_reserved};

/// The command that makes the change, on one line, to be pasted into a POSIX shell.
#[must_use]
pub fn command(change: &Change, region: &Region) -> String {
    let (verb, rule_change) = match change {
        Change::AuthorizeRule(rule) => ("authorize", rule),
        Change::RevokeRule(rule) => ("revoke", rule),
    };
    let direction = match rule_change.rule.direction {
        Direction::Ingress => "ingress",
        Direction::Egress => "egress",
    };
    let permissions = quoted(&json!([permission(rule_change)]).to_string());
    let mut command = format!(
        "aws ec2 {verb}-security-group-{direction} --region {region} --group-id {} --ip-permissions {permissions}",
        rule_change.group_id
    );
    let tags: Vec<Value> =
        rule_change.rule.tags.iter().filter(|(key, _)| !is_reserved(key)).map(|(key, value)| json!({"Key": key, "Value": value})).collect();
    if matches!(change, Change::AuthorizeRule(_)) && !tags.is_empty() {
        let tags = json!([{"ResourceType": "security-group-rule", "Tags": tags}]);
        command.push_str(&format!(" --tag-specifications {}", quoted(&tags.to_string())));
    }
    command
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

/// Within single quotes a shell reads nothing but the closing quote.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
