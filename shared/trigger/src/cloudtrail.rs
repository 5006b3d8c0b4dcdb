//! Door `cloudtrail`: *AWS API Call via CloudTrail* on EventBridge.
//!
//! EC2 writes two dialects (older actions camelCase and flat, newer ones `<Action>Request` with `tag` and `content`), and failed calls are
//! delivered like others, with an `errorCode`.

use palisade_policy::guardrail::Guardrail;
use palisade_policy::id::{Excerpt, PrefixListId, SecurityGroupId, VpcId};
use palisade_policy::trigger::{Cause, Door, Targets, Trigger};
use serde_json::Value;

use crate::member::Member;
use crate::{Own, Reading, TriggerError, foreign};

/// The longest name that EC2 gives a security group (EC2 `CreateSecurityGroup`, `GroupName`).
const LONGEST_NAME: usize = 255;

pub(crate) fn read(root: &Member<'_>, own: &Own) -> Result<Reading, TriggerError> {
    let detail = root.get("detail").object()?;
    let cause = cause(&detail);
    let ignored = |why: String| Ok(Reading::ignored(cause.clone(), why));

    if let Some(why) = foreign(root, &detail, ["recipientAccountId", "awsRegion"], own)? {
        return ignored(why);
    }
    if detail.get("errorCode").exists() {
        let code = detail.get("errorCode").told().map(|code| format!(" (`{}`)", Excerpt(&code))).unwrap_or_default();
        return ignored(format!("the call failed{code}, so nothing changed"));
    }
    // The role, never the session's name: anybody who may assume a role can call a session what they like.
    let issuer = detail.at(&["userIdentity", "sessionContext", "sessionIssuer", "arn"]).value().and_then(Value::as_str);
    if issuer.is_some() && issuer == own.role_arn.as_deref() {
        return ignored("our own role's doing".to_owned());
    }
    let event_name = detail.get("eventName").text()?.ok_or_else(|| detail.get("eventName").wrong("is missing"))?;
    let source = detail.get("eventSource").text()?;
    match targets(own.guardrail, source, event_name, &detail)? {
        Some(targets) => Ok(Reading::Trigger(Trigger::new(cause, targets))),
        None => ignored(format!("`{}` is not for {}", Excerpt(event_name), own.guardrail)),
    }
}

fn cause(detail: &Member<'_>) -> Cause {
    let identity = detail.get("userIdentity");
    let actor = ["arn", "invokedBy", "principalId", "type"].into_iter().find_map(|name| identity.get(name).told());
    Cause {
        door: Door::Cloudtrail,
        event_id: detail.get("eventID").told(),
        time: detail.get("eventTime").time(),
        actor,
        source_ip: detail.get("sourceIPAddress").told(),
        detail: detail.get("eventName").told(),
    }
}

/// What the call may have changed, if it concerns the guardrail at all.
fn targets(guardrail: Guardrail, source: Option<&str>, event_name: &str, detail: &Member<'_>) -> Result<Option<Targets>, TriggerError> {
    if source.is_some_and(|source| source != "ec2.amazonaws.com") {
        return Ok(None);
    }
    match guardrail {
        Guardrail::RevokeAdminIngress => opened(event_name, detail),
        Guardrail::StripDefaultGroup => filled(event_name, detail),
        Guardrail::EnableFlowLogs => unwatched(event_name, detail),
        Guardrail::DenySource | Guardrail::LiftDenials | Guardrail::UndoChange => Ok(None),
    }
}

/// What may have opened a port.
fn opened(event_name: &str, detail: &Member<'_>) -> Result<Option<Targets>, TriggerError> {
    match event_name {
        "AuthorizeSecurityGroupIngress" => authorised(detail).map(Some),
        "ModifySecurityGroupRules" => modified(event_name, detail).map(Some),
        "ModifyManagedPrefixList" | "RestoreManagedPrefixListVersion" => {
            request::<PrefixListId>(detail, event_name, "PrefixListId", "prefixListId").map(|id| Some(Targets::UsersOfPrefixList(id)))
        }
        _ => Ok(None),
    }
}

/// What may have given a default group rules: a new VPC comes with a full one.
fn filled(event_name: &str, detail: &Member<'_>) -> Result<Option<Targets>, TriggerError> {
    match event_name {
        "CreateVpc" | "CreateDefaultVpc" => created(event_name, detail).map(Some),
        "AuthorizeSecurityGroupIngress" | "AuthorizeSecurityGroupEgress" => authorised(detail).map(Some),
        "ModifySecurityGroupRules" => modified(event_name, detail).map(Some),
        _ => Ok(None),
    }
}

/// The VPC of the response. No capture of `CreateDefaultVpc` is public, so either dialect is read for both; and a Region has one default VPC,
/// which can be found without its id.
fn created(event_name: &str, detail: &Member<'_>) -> Result<Targets, TriggerError> {
    let response = detail.get("responseElements");
    let older = response.at(&["vpc", "vpcId"]);
    let id = match older.id::<VpcId>()? {
        Some(id) => Some(id),
        None => response.at(&[&format!("{event_name}Response"), "vpc", "vpcId"]).id()?,
    };
    match id {
        Some(id) => Ok(Targets::Vpcs(vec![id])),
        None if event_name == "CreateDefaultVpc" => Ok(Targets::DefaultVpc),
        None => Err(older.wrong("is missing")),
    }
}

/// What may have left a VPC without a flow log. `DeleteFlowLogs` names flow logs that are gone by now and no VPC, so it may be any.
fn unwatched(event_name: &str, detail: &Member<'_>) -> Result<Option<Targets>, TriggerError> {
    match event_name {
        "CreateVpc" | "CreateDefaultVpc" => created(event_name, detail).map(Some),
        "DeleteFlowLogs" => Ok(Some(Targets::Sweep)),
        _ => Ok(None),
    }
}

fn modified(event_name: &str, detail: &Member<'_>) -> Result<Targets, TriggerError> {
    request(detail, event_name, "GroupId", "groupId").map(|id| Targets::SecurityGroups(vec![id]))
}

/// A group is named by its id, or in the default VPC by its name; then the response has the id, unless its client is an old one.
fn authorised(detail: &Member<'_>) -> Result<Targets, TriggerError> {
    let request = detail.get("requestParameters");
    if let Some(id) = request.get("groupId").id::<SecurityGroupId>()? {
        return Ok(Targets::SecurityGroups(vec![id]));
    }
    let mut ids: Vec<SecurityGroupId> = Vec::new();
    for rule in detail.at(&["responseElements", "securityGroupRuleSet"]).items() {
        if let Some(id) = rule.get("groupId").id::<SecurityGroupId>()?
            && !ids.contains(&id)
        {
            ids.push(id);
        }
    }
    if !ids.is_empty() {
        return Ok(Targets::SecurityGroups(ids));
    }
    let name = request.get("groupName");
    match name.text()? {
        Some(text) if !text.is_empty() && text.chars().count() <= LONGEST_NAME && !text.contains(char::is_control) => {
            Ok(Targets::SecurityGroupOfDefaultVpc(text.to_owned()))
        }
        Some(_) => Err(name.wrong("is not the name of a security group")),
        None => Err(request
            .get("groupId")
            .wrong("is missing, and so are `groupName` and the rules of the response; can't tell which group it is")),
    }
}

/// A member of the request, in the newer dialect or in the older.
fn request<T: std::str::FromStr<Err: std::fmt::Display>>(
    detail: &Member<'_>,
    event_name: &str,
    newer: &str,
    older: &str,
) -> Result<T, TriggerError> {
    let request = detail.get("requestParameters");
    let member = request.at(&[&format!("{event_name}Request"), newer]);
    let id = match member.id()? {
        Some(id) => Some(id),
        None => request.get(older).id()?,
    };
    id.ok_or_else(|| member.wrong("is missing"))
}
