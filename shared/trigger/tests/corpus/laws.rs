//! What holds of every payload whatsoever, for every guardrail, told by the payload alone: the tests hold it of spoilt samples, the fuzz
//! target of any bytes.
//!
//! *Never another resource* means: what a trigger points at is exactly what the payload names in the places of [`rows`] that count for its
//! door and its call, all of it and nothing else. So a target is either one that the sample named before it was spoilt, or the very value
//! that was put into such a place.

use std::collections::BTreeSet;
use std::net::IpAddr;

use jiff::Timestamp;
use palisade_policy::guardrail::Guardrail;
use palisade_policy::trigger::{Cause, Door, Targets, Trigger};
use palisade_trigger::{Own, Reading, TriggerError};
use serde_json::Value;

pub(crate) const ACCOUNT: &str = "111122223333";
pub(crate) const REGION: &str = "eu-west-1";
pub(crate) const ROLE: &str = "arn:aws:iam::111122223333:role/palisade-RevokeAdminIngressRole-9QK2TT71XW4M";

/// The most characters of a text of an event that are told.
const LONGEST_TOLD: usize = 300;
/// The most that an error may have which names one member.
const LONGEST_ERROR: usize = 500;
/// The most that one may have which names the members of an unknown payload, a dozen of them.
const LONGEST_LIST: usize = 1_200;
/// The most sources that are read in one event.
const MOST_SOURCES: usize = 1_000;

/// What a person should not have to read, nor a log to store.
const RUST: [&str; 16] = [
    "::",
    "Some(",
    "None",
    "Ok(",
    "Err(",
    "Option",
    "Vec<",
    "&str",
    "Value",
    "usize",
    "u64",
    "i64",
    "f64",
    "Object",
    "Error",
    "invalid type",
];

pub(crate) type Law = Result<(), String>;

fn law(holds: bool, otherwise: impl FnOnce() -> String) -> Law {
    if holds { Ok(()) } else { Err(otherwise()) }
}

/// The function that reads.
pub(crate) fn own_of(guardrail: Guardrail) -> Own {
    Own { guardrail, account: ACCOUNT.parse().unwrap(), region: REGION.parse().unwrap(), role_arn: Some(ROLE.to_owned()) }
}

/// What holds of every reading.
pub(crate) fn hold(guardrail: Guardrail, payload: &Value, reading: &Result<Reading, TriggerError>) -> Law {
    match reading {
        Ok(Reading::Trigger(trigger)) => {
            let direct = trigger.cause.door == Door::Direct;
            law(direct || !trigger.dry_run, || "a dry run that nobody asked for".to_owned())?;
            // No topic and no queue can make a call: it is the payload itself or nothing.
            if direct {
                return points_where_it_says(guardrail, payload, trigger);
            }
            holds_of_one(payload, &|event| points_where_it_says(guardrail, event, trigger))
        }
        Ok(Reading::Ignored { cause, why, .. }) => {
            law(cause.door != Door::Direct, || "a call is never ignored".to_owned())?;
            holds_of_one(payload, &|event| cause_is_what_the_event_says(event, cause))?;
            reads_well(why, LONGEST_ERROR)
        }
        Err(error @ TriggerError::Unrecognised(_)) => reads_well(&error.to_string(), LONGEST_LIST),
        Err(error @ TriggerError::Member { path, .. }) => {
            // A member may have an empty name.
            law(!path.is_empty() || payload.get("").is_some(), || "an error without a path".to_owned())?;
            reads_well(&error.to_string(), LONGEST_ERROR)
        }
    }
}

/// The law holds of the payload, or of an event that SNS or SQS wraps in it: what is read is one of these, and one only.
fn holds_of_one(payload: &Value, law: &dyn Fn(&Value) -> Law) -> Law {
    let Err(broken) = law(&opened(payload)) else { return Ok(()) };
    let records = payload["Records"].as_array().map(Vec::as_slice).unwrap_or_default();
    let texts = records.iter().flat_map(|record| [&record["Sns"]["Message"], &record["body"]]).chain([&payload["Message"]]);
    let wrapped: Vec<Value> = texts.filter_map(|text| serde_json::from_str(text.as_str()?).ok()).collect();
    if wrapped.iter().any(|event| holds_of_one(event, law).is_ok()) { Ok(()) } else { Err(broken) }
}

/// With what AWS Config writes as a text in it read.
fn opened(payload: &Value) -> Value {
    let mut payload = payload.clone();
    let invoking = payload.get("invokingEvent").and_then(Value::as_str).and_then(|text| serde_json::from_str::<Value>(text).ok());
    if let Some(invoking) = invoking {
        payload["invokingEvent"] = invoking;
    }
    payload
}

fn points_where_it_says(guardrail: Guardrail, event: &Value, trigger: &Trigger) -> Law {
    let door = trigger.cause.door;
    law(door != Door::Direct || trigger.dry_run == (event["dryRun"] != false), || "the call's `dryRun` is read otherwise".to_owned())?;
    cause_is_what_the_event_says(event, &trigger.cause)?;
    event_is_ours(event, door)?;
    something_is_asked_of_us(event, door)?;
    targets_are_what_is_named(guardrail, event, trigger)
}

/// Short, one line, lower case, no full stop, no Rust.
pub(crate) fn reads_well(text: &str, longest: usize) -> Law {
    law(text.chars().count() <= longest, || format!("{} characters", text.chars().count()))?;
    law(!text.contains(steers), || format!("control characters: {text:?}"))?;
    // A name of AWS's keeps its capitals, and so does the id of a control.
    let starts_well =
        text.starts_with(|c: char| c == '`' || c.is_lowercase()) || text.starts_with("AWS Config ") || text.starts_with("EC2.");
    law(starts_well, || format!("starts otherwise: {text}"))?;
    law(!text.ends_with('.'), || format!("a full stop: {text}"))?;
    // What is repeated of the input may look like anything, and have a backtick in it.
    let own_words: String = if text.matches('`').count() == 2 { text.split('`').step_by(2).collect() } else { String::new() };
    law(!RUST.iter().any(|rust| own_words.contains(rust)), || format!("Rust: {text}"))
}

/// Whether the character steers what shows it: breaks the line, or turns the direction of writing.
fn steers(c: char) -> bool {
    c.is_control() || ['\u{200e}', '\u{200f}', '\u{2028}', '\u{2029}', '\u{202a}', '\u{202e}', '\u{2066}', '\u{2069}'].contains(&c)
}

/// What something that is pointed at is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Group,
    GroupName,
    PrefixList,
    Vpc,
    Source,
    Acl,
    Subnet,
}

/// Where a door, of a call if it tells of calls, names something: the first of the places that names any is the one that counts.
struct Row {
    door: Door,
    /// The API calls, or the kinds of traffic, that it is for; any where there are none.
    of: &'static [&'static str],
    kind: Kind,
    places: &'static [&'static str],
}

const AUTHORIZE: &[&str] = &["AuthorizeSecurityGroupIngress", "AuthorizeSecurityGroupEgress"];
const PREFIX_LIST: &[&str] = &["ModifyManagedPrefixList", "RestoreManagedPrefixListVersion"];
const IN_RESPONSE: &str = "detail.responseElements.securityGroupRuleSet*.groupId";
const IN_ITEM: &[&str] = &["invokingEvent.configurationItem.resourceId", "invokingEvent.configurationItemSummary.resourceId"];

/// The names of members, one in the other. With `*` it is a list in one of CloudTrail's forms, with `+` an object or several, with `?` the
/// one for IPv4 and that for IPv6, and with `~` pairs of which those count that have a name for an address.
const ROWS: &[Row] = &[
    Row { door: Door::Cloudtrail, of: AUTHORIZE, kind: Kind::Group, places: &["detail.requestParameters.groupId", IN_RESPONSE] },
    Row { door: Door::Cloudtrail, of: AUTHORIZE, kind: Kind::GroupName, places: &["detail.requestParameters.groupName"] },
    Row {
        door: Door::Cloudtrail,
        of: &["ModifySecurityGroupRules"],
        kind: Kind::Group,
        places: &["detail.requestParameters.ModifySecurityGroupRulesRequest.GroupId", "detail.requestParameters.groupId"],
    },
    Row {
        door: Door::Cloudtrail,
        of: PREFIX_LIST,
        kind: Kind::PrefixList,
        places: &[
            "detail.requestParameters.ModifyManagedPrefixListRequest.PrefixListId",
            "detail.requestParameters.RestoreManagedPrefixListVersionRequest.PrefixListId",
            "detail.requestParameters.prefixListId",
        ],
    },
    Row {
        door: Door::Cloudtrail,
        of: &["CreateVpc"],
        kind: Kind::Vpc,
        places: &["detail.responseElements.vpc.vpcId", "detail.responseElements.CreateVpcResponse.vpc.vpcId"],
    },
    Row {
        door: Door::Cloudtrail,
        of: &["CreateDefaultVpc"],
        kind: Kind::Vpc,
        places: &["detail.responseElements.vpc.vpcId", "detail.responseElements.CreateDefaultVpcResponse.vpc.vpcId"],
    },
    Row { door: Door::ConfigCompliance, of: &[], kind: Kind::Group, places: &["detail.resourceId"] },
    Row { door: Door::ConfigCompliance, of: &[], kind: Kind::Vpc, places: &["detail.resourceId"] },
    Row { door: Door::ConfigRule, of: &["AWS::EC2::SecurityGroup"], kind: Kind::Group, places: IN_ITEM },
    Row { door: Door::ConfigRule, of: &["AWS::EC2::VPC"], kind: Kind::Vpc, places: IN_ITEM },
    Row {
        door: Door::Guardduty,
        of: &["NETWORK_CONNECTION"],
        kind: Kind::Source,
        places: &["detail.service.action.networkConnectionAction+.remoteIpDetails+.ipAddressV?"],
    },
    Row {
        door: Door::Guardduty,
        of: &["PORT_PROBE"],
        kind: Kind::Source,
        places: &["detail.service.action.portProbeAction.portProbeDetails+.remoteIpDetails+.ipAddressV?"],
    },
    Row {
        door: Door::Guardduty,
        of: &["RDS_LOGIN_ATTEMPT"],
        kind: Kind::Source,
        places: &["detail.service.action.rdsLoginAttemptAction+.remoteIpDetails+.ipAddressV?"],
    },
    Row { door: Door::Guardduty, of: &[], kind: Kind::Subnet, places: &["detail.resource.instanceDetails.networkInterfaces+.subnetId"] },
    Row {
        door: Door::Alarm,
        of: &[],
        kind: Kind::Source,
        places: &[
            // In a message of SNS.
            "AlarmContributorAttributes~",
            "alarmContributor.attributes~",
            "Trigger.Dimensions~",
            "Trigger.Metrics*.MetricStat.Metric.Dimensions~",
            // Of the alarm's own Lambda action.
            "alarmData.AlarmContributorAttributes~",
            "alarmData.alarmContributor.attributes~",
            "alarmData.configuration.metrics*.metricStat.metric.dimensions~",
            // Over EventBridge.
            "detail.AlarmContributorAttributes~",
            "detail.alarmContributor.attributes~",
            "detail.configuration.metrics*.metricStat.metric.dimensions~",
        ],
    },
    Row { door: Door::Direct, of: &[], kind: Kind::Group, places: &["securityGroupIds*"] },
    Row { door: Door::Direct, of: &[], kind: Kind::Vpc, places: &["vpcIds*"] },
    Row { door: Door::Direct, of: &[], kind: Kind::Source, places: &["sources*"] },
    Row { door: Door::Direct, of: &[], kind: Kind::Acl, places: &["aclIds*"] },
];

/// The names of an attribute or a dimension that holds an address, in lower case and without `-` and `_`.
const ADDRESSES: [&str; 12] = [
    "srcaddr",
    "pktsrcaddr",
    "srcip",
    "sourceip",
    "sourceaddr",
    "sourceaddress",
    "dstaddr",
    "pktdstaddr",
    "dstip",
    "destinationip",
    "destinationaddr",
    "destinationaddress",
];

/// The texts in a place.
fn named(event: &Value, place: &str) -> Vec<String> {
    let mut found = vec![event];
    for segment in place.split('.') {
        let name = segment.trim_end_matches(['*', '+', '~', '?']);
        found = found.into_iter().flat_map(|value| members(value, name, segment)).filter(|value| !value.is_null()).collect();
    }
    found.into_iter().filter_map(text).filter(|text| !text.is_empty()).collect()
}

fn members<'a>(value: &'a Value, name: &str, segment: &str) -> Vec<&'a Value> {
    let member = &value[name];
    let is_address = |name: &str| ADDRESSES.contains(&name.to_lowercase().replace(['-', '_'], "").as_str());
    match (segment.chars().last(), member) {
        (Some('?'), _) => ["4", "6"].into_iter().map(|family| &value[format!("{name}{family}")]).collect(),
        (Some('~'), Value::Object(pairs)) => pairs.iter().filter(|(name, _)| is_address(name)).map(|(_, value)| value).collect(),
        (Some('~'), Value::Array(pairs)) => {
            pairs.iter().filter(|pair| pair["name"].as_str().is_some_and(is_address)).map(|pair| &pair["value"]).collect()
        }
        (Some('~'), _) => Vec::new(),
        (Some('*'), Value::Object(object)) if object.contains_key("items") => match &member["items"] {
            Value::Array(items) => items.iter().collect(),
            item => vec![item],
        },
        (Some('*' | '+'), Value::Array(items)) => items.iter().collect(),
        _ => vec![member],
    }
}

/// A text, perhaps as CloudTrail's newer dialect has it, or a number.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Object(_) => text(&value["content"]),
        _ => None,
    }
}

/// The block that an address, or a block, is.
fn block(text: &str) -> String {
    match text.parse::<IpAddr>() {
        Ok(address) => format!("{address}/{}", if address.is_ipv4() { 32 } else { 128 }),
        Err(_) => match text.split_once('/') {
            Some((address, prefix)) => address.parse::<IpAddr>().map_or(text.to_owned(), |address| format!("{address}/{prefix}")),
            None => text.to_owned(),
        },
    }
}

/// What the call, or the traffic, is by which rows are chosen.
fn what_it_is(event: &Value, door: Door) -> Option<String> {
    match door {
        Door::Cloudtrail => text(&event["detail"]["eventName"]),
        Door::Guardduty => text(&event["detail"]["service"]["action"]["actionType"]),
        Door::ConfigRule => text(&item_of_config(event)["resourceType"]),
        _ => None,
    }
}

/// The item of AWS Config, or its summary.
fn item_of_config(event: &Value) -> &Value {
    let invoking = &event["invokingEvent"];
    if invoking["configurationItem"].is_null() { &invoking["configurationItemSummary"] } else { &invoking["configurationItem"] }
}

/// Whether AWS Config says that the resource is gone.
fn is_gone(event: &Value) -> bool {
    let status = text(&item_of_config(event)["configurationItemStatus"]);
    matches!(status.as_deref(), Some("ResourceDeleted" | "ResourceDeletedNotRecorded"))
}

/// What the findings of Security Hub name that are its own, ours, and stand: ids, and the ends of ARNs.
fn named_by_findings(event: &Value) -> BTreeSet<String> {
    let mut named = BTreeSet::new();
    for finding in members(&event["detail"], "findings", "findings*") {
        let products = [&finding["ProductArn"], &finding["metadata"]["product"]["uid"]].map(text);
        let is_hubs = products.into_iter().flatten().any(|arn| arn.ends_with("/aws/securityhub"));
        let failed = [text(&finding["Compliance"]["Status"]), text(&finding["compliance"]["status"])];
        let failed = failed.into_iter().flatten().any(|status| ["fail", "failed"].contains(&status.to_lowercase().as_str()));
        let archived = text(&finding["RecordState"]).is_some_and(|state| state != "ACTIVE");
        let settled = text(&finding["Workflow"]["Status"]).is_some_and(|status| ["SUPPRESSED", "RESOLVED"].contains(&status.as_str()));
        let closed = [3, 4, 5].iter().any(|id| finding["status_id"] == *id) || finding["activity_id"] == 3;
        let accounts = [&finding["AwsAccountId"], &finding["cloud"]["account"]["uid"]].map(text);
        let foreign = accounts.into_iter().flatten().any(|its| !its.is_empty() && its != ACCOUNT);
        if !is_hubs || !failed || archived || settled || closed || foreign {
            continue;
        }
        for resource in members(finding, "Resources", "Resources*").into_iter().chain(members(finding, "resources", "resources*")) {
            let elsewhere = [&resource["Region"], &resource["region"]].map(text).into_iter().flatten();
            if elsewhere.into_iter().any(|its| !its.is_empty() && its != REGION) {
                continue;
            }
            for id in ["Id", "uid", "uid_alt"].into_iter().filter_map(|name| text(&resource[name])) {
                match id.splitn(6, ':').collect::<Vec<_>>().as_slice() {
                    ["arn", _, "ec2", REGION, ACCOUNT, path] => {
                        named.extend(path.split_once('/').map(|(_, id)| id.to_owned()));
                    }
                    ["arn", ..] => {}
                    _ => {
                        named.insert(id);
                    }
                }
            }
        }
    }
    named
}

/// The changes of a response, however a person wrapped it.
fn changes_given(undo: &Value) -> Vec<Value> {
    match undo {
        Value::String(text) => serde_json::from_str(text).map_or_else(|_| Vec::new(), |inner: Value| changes_given(&inner)),
        Value::Object(_) if undo.get("guardrail").is_none() => {
            ["Message", "default"].into_iter().find_map(|name| undo.get(name)).map(changes_given).unwrap_or_default()
        }
        _ => {
            let results = undo["results"].as_array().into_iter().flatten();
            results.flat_map(|result| result["changes"].as_array().cloned().unwrap_or_default()).collect()
        }
    }
}

fn targets_are_what_is_named(guardrail: Guardrail, event: &Value, trigger: &Trigger) -> Law {
    let door = trigger.cause.door;
    let call = what_it_is(event, door);
    // What is pointed at, whether all that is named has to be, and who may.
    let pointed: Vec<(Kind, BTreeSet<String>, bool)> = match &trigger.targets {
        Targets::SecurityGroups(ids) => vec![(Kind::Group, ids.iter().map(ToString::to_string).collect(), true)],
        Targets::SecurityGroupOfDefaultVpc(name) => vec![(Kind::GroupName, BTreeSet::from([name.clone()]), true)],
        Targets::UsersOfPrefixList(id) => vec![(Kind::PrefixList, BTreeSet::from([id.to_string()]), true)],
        Targets::Vpcs(ids) => vec![(Kind::Vpc, ids.iter().map(ToString::to_string).collect(), true)],
        Targets::Attack(attack) => {
            law(door == Door::Direct || attack.sources.iter().all(|source| source.prefix() == source.family().bits()), || {
                "an event that names a block".to_owned()
            })?;
            // An alarm may name who sent and who received; of a finding so many are read.
            let all = door == Door::Direct || door == Door::Guardduty && attack.sources.len() < MOST_SOURCES;
            vec![
                (Kind::Source, attack.sources.iter().map(ToString::to_string).collect(), all),
                (Kind::Acl, attack.acls.iter().map(ToString::to_string).collect(), true),
                (Kind::Subnet, attack.subnets.iter().map(ToString::to_string).collect(), false),
            ]
        }
        Targets::DefaultVpc => {
            law(door == Door::Cloudtrail && call.as_deref() == Some("CreateDefaultVpc"), || "the default VPC out of nothing".to_owned())?;
            return law(answers(guardrail).contains(&Kind::Vpc) && of_call(event, door, Kind::Vpc).is_empty(), || {
                "the default VPC, where another is named".to_owned()
            });
        }
        Targets::Search(_) => return law(door == Door::Alarm && guardrail == Guardrail::DenySource, || "a search".to_owned()),
        Targets::Sweep => return law(is_sweep(guardrail, event, door), || "a sweep that nobody asked for".to_owned()),
        Targets::Gone(id) => {
            let takes = match what_it_is(event, door).as_deref() {
                Some("AWS::EC2::SecurityGroup") => answers(guardrail).contains(&Kind::Group),
                Some("AWS::EC2::VPC") => answers(guardrail).contains(&Kind::Vpc),
                _ => false,
            };
            let named = text(&item_of_config(event)["resourceId"]);
            return law(door == Door::ConfigRule && takes && is_gone(event) && named.as_ref() == Some(id), || format!("{id} is not gone"));
        }
        Targets::Undo(request) => {
            let undone = request.given.results.iter().flat_map(|made| &made.changes).map(|change| serde_json::to_value(change).unwrap());
            law(door == Door::Direct && guardrail == Guardrail::UndoChange, || "an undoing that no person asked for".to_owned())?;
            law(event["reason"].as_str().map(str::trim) == Some(request.reason.as_str()), || "another reason".to_owned())?;
            return law(undone.eq(changes_given(&event["undo"])), || "other changes than those given".to_owned());
        }
        #[allow(unreachable_patterns, reason = "a target that is new needs a law of its own")]
        targets => return Err(format!("no law for {targets:?}")),
    };
    law(door != Door::ConfigRule || !is_gone(event), || "what is gone is looked at".to_owned())?;
    for (kind, targets, all) in pointed {
        law(targets.is_empty() || answers(guardrail).contains(&kind), || format!("{guardrail} takes no {kind:?}"))?;
        let named = if door == Door::SecurityHub { named_by_findings(event) } else { of_call(event, door, kind) };
        // A finding may name more than what its control is about.
        let same = if all && door != Door::SecurityHub { targets == named } else { targets.is_subset(&named) };
        law(same, || format!("{kind:?} {targets:?}, where {named:?} is named"))?;
        law(!targets.is_empty() || matches!(kind, Kind::Acl | Kind::Subnet), || format!("no {kind:?} at all"))?;
    }
    Ok(())
}

/// What the event names of a kind, in the first place that names any; of an alarm, in all of them.
fn of_call(event: &Value, door: Door, kind: Kind) -> BTreeSet<String> {
    let call = what_it_is(event, door);
    let is_its = |row: &&Row| {
        let of = row.of.is_empty() || call.as_deref().is_some_and(|call| row.of.contains(&call));
        row.door == door && row.kind == kind && of
    };
    let mut places =
        ROWS.iter().filter(is_its).flat_map(|row| row.places).map(|place| named(event, place)).filter(|named| !named.is_empty());
    let texts: Vec<String> = if door == Door::Alarm { places.flatten().collect() } else { places.next().unwrap_or_default() };
    texts.into_iter().map(|text| if kind == Kind::Source { block(&text) } else { text }).collect()
}

/// What a function takes.
fn answers(guardrail: Guardrail) -> &'static [Kind] {
    match guardrail {
        Guardrail::RevokeAdminIngress => &[Kind::Group, Kind::GroupName, Kind::PrefixList],
        Guardrail::StripDefaultGroup => &[Kind::Group, Kind::GroupName, Kind::Vpc],
        Guardrail::EnableFlowLogs => &[Kind::Vpc],
        Guardrail::DenySource => &[Kind::Source, Kind::Acl, Kind::Subnet],
        _ => &[],
    }
}

fn is_sweep(guardrail: Guardrail, event: &Value, door: Door) -> bool {
    let asked = match door {
        Door::Schedule => true,
        Door::Direct => {
            event["sweep"] == true && ["securityGroupIds", "vpcIds", "sources", "aclIds"].iter().all(|name| event[name].is_null())
        }
        Door::Cloudtrail => {
            guardrail == Guardrail::EnableFlowLogs && text(&event["detail"]["eventName"]).as_deref() == Some("DeleteFlowLogs")
        }
        Door::ConfigRule => {
            text(&event["invokingEvent"]["messageType"]).as_deref() == Some("ScheduledNotification") && guardrail != Guardrail::LiftDenials
        }
        _ => false,
    };
    asked && ![Guardrail::DenySource, Guardrail::UndoChange].contains(&guardrail)
}

/// The members that say whose an event is: its account, its Region.
fn owners(door: Door) -> [&'static [&'static str]; 2] {
    match door {
        Door::Cloudtrail | Door::Schedule => [&["account", "detail.recipientAccountId"], &["region", "detail.awsRegion"]],
        Door::ConfigCompliance => [&["account", "detail.awsAccountId"], &["region", "detail.awsRegion"]],
        Door::ConfigRule => [
            &["accountId", "invokingEvent.awsAccountId", "invokingEvent.configurationItem.awsAccountId"],
            &["invokingEvent.configurationItem.awsRegion"],
        ],
        Door::Guardduty => [&["account", "detail.accountId"], &["region", "detail.region"]],
        Door::Alarm => [&["account", "detail.accountId", "accountId", "AWSAccountId"], &["region", "detail.region"]],
        _ => [&[], &[]],
    }
}

fn event_is_ours(event: &Value, door: Door) -> Law {
    for (places, ours) in owners(door).into_iter().zip([ACCOUNT, REGION]) {
        // An account may come as a number, without its leading zeros.
        let said: Vec<String> = places.iter().flat_map(|place| named(event, place)).collect();
        law(said.iter().all(|its| its == ours), || format!("{said:?} is taken for {ours}"))?;
        // The topic of SNS or the alarm's ARN may have said it for an alarm, the rule's ARN for a rule.
        law(!said.is_empty() || places.is_empty() || [Door::Alarm, Door::ConfigRule].contains(&door), || {
            format!("{places:?} don't say that it is {ours}")
        })?;
    }
    for arn in [&event["AlarmArn"], &event["alarmArn"]].into_iter().filter(|_| door == Door::Alarm).filter_map(text) {
        let is_ours = arn.split(':').skip(2).take(3).eq(["cloudwatch", REGION, ACCOUNT]);
        law(is_ours, || format!("an alarm of {arn}"))?;
    }
    if let Some(arn) = text(&event["configRuleArn"]).filter(|_| door == Door::ConfigRule) {
        law(arn.split(':').skip(2).take(3).eq(["config", REGION, ACCOUNT]), || format!("a rule of {arn}"))?;
    }
    Ok(())
}

/// Nothing of a call that failed or was our own, of what is in order, of a finding that is not of an attack, of an alarm that is over.
fn something_is_asked_of_us(event: &Value, door: Door) -> Law {
    let detail = &event["detail"];
    let is = |value: &Value, wanted: &str| text(value).as_deref() == Some(wanted);
    let holds = match door {
        Door::Cloudtrail => {
            event["detail-type"] == "AWS API Call via CloudTrail"
                && detail["errorCode"].is_null()
                && detail["userIdentity"]["sessionContext"]["sessionIssuer"]["arn"] != ROLE
                && (detail["eventSource"].is_null() || is(&detail["eventSource"], "ec2.amazonaws.com"))
        }
        Door::Schedule => {
            event["detail-type"] == "Scheduled Event" && (event["source"] == "aws.events" || event["source"] == "aws.scheduler")
        }
        Door::ConfigCompliance => is(&detail["newEvaluationResult"]["complianceType"], "NON_COMPLIANT"),
        Door::Guardduty => is(&detail["service"]["resourceRole"], "TARGET") && detail["service"]["archived"] != true,
        Door::Alarm => {
            let states = [&detail["state"]["value"], &event["alarmData"]["state"]["value"], &event["NewStateValue"]];
            states.into_iter().any(|state| is(state, "ALARM"))
        }
        _ => true,
    };
    law(holds, || format!("nothing is asked by the {door:?}"))
}

fn cause_is_fit_to_print(cause: &Cause) -> Law {
    for told in [&cause.event_id, &cause.actor, &cause.source_ip, &cause.detail].into_iter().flatten() {
        law(told.chars().count() <= LONGEST_TOLD && !told.contains(steers), || format!("{told:?} is told"))?;
    }
    Ok(())
}

fn cause_is_what_the_event_says(payload: &Value, cause: &Cause) -> Law {
    cause_is_fit_to_print(cause)?;
    let (detail, nothing) = (&payload["detail"], &Value::Null);
    let identity = &detail["userIdentity"];
    let actors = ["arn", "invokedBy", "principalId", "type"].map(|name| &identity[name]);
    let (event_id, time, source_ip, what) = match cause.door {
        Door::Cloudtrail => (&detail["eventID"], &detail["eventTime"], &detail["sourceIPAddress"], &detail["eventName"]),
        Door::Schedule => (&payload["id"], &payload["time"], nothing, &payload["resources"]),
        Door::Direct => (nothing, nothing, nothing, nothing),
        // Each puts them somewhere else: tables say where.
        _ => return Ok(()),
    };
    let first = if cause.door == Door::Schedule && what.is_array() { what.as_array().into_iter().flatten().next() } else { None };
    told_as_said("event id", cause.event_id.as_deref(), &[event_id])?;
    told_as_said("source IP", cause.source_ip.as_deref(), &[source_ip])?;
    told_as_said("actor", cause.actor.as_deref(), if cause.door == Door::Cloudtrail { &actors } else { &[] })?;
    if cause.door == Door::Cloudtrail || first.is_some() {
        told_as_said("detail", cause.detail.as_deref(), &[first.unwrap_or(what)])?;
    }
    let said = time.as_str().and_then(|time| time.parse::<Timestamp>().ok());
    law(cause.time == said, || format!("time: {:?}", cause.time))
}

/// The first of the members that has a text: the start of it, but for its control characters.
fn told_as_said(what: &str, told: Option<&str>, members: &[&Value]) -> Law {
    let said = members.iter().filter_map(|member| member.as_str()).map(str::trim).find(|text| !text.is_empty());
    let same = match (told, said) {
        (None, None) => true,
        (Some(told), Some(said)) => {
            let alike = told.chars().zip(said.chars()).all(|(told, said)| told == said || (told == '\u{fffd}' && !said.is_alphanumeric()));
            alike && told.chars().count() == said.chars().count().min(LONGEST_TOLD)
        }
        _ => false,
    };
    law(same, || format!("{what}: {told:?}"))
}
