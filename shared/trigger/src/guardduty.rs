//! Door `guardduty`: *GuardDuty Finding* on EventBridge.
//!
//! A finding names an address of the other side, but that is an attacker's only where we are the target: in a finding about an outbound
//! port scan (`ACTOR`) it is the victim's. Of the actions, those count whose traffic a network ACL can stop.

use std::collections::BTreeSet;
use std::net::IpAddr;

use palisade_policy::guardrail::Guardrail;
use palisade_policy::id::{Excerpt, SubnetId};
use palisade_policy::trigger::{Attack, Cause, Door, Targets, Trigger};
use serde_json::Value;

use crate::member::Member;
use crate::source::sources;
use crate::{Own, Reading, TriggerError, foreign};

pub(crate) fn read(root: &Member<'_>, own: &Own) -> Result<Reading, TriggerError> {
    let detail = root.get("detail").object()?;
    let cause = Cause {
        event_id: root.get("id").told(),
        time: root.get("time").time(),
        detail: detail.get("type").told(),
        ..Cause::new(Door::Guardduty)
    };
    // A delegated administrator gets the findings of its member accounts: `account` is then ours, and `detail.accountId` is not.
    if let Some(why) = foreign(root, &detail, ["accountId", "region"], own)? {
        return Ok(Reading::ignored(cause, why));
    }
    if own.guardrail != Guardrail::DenySource {
        return Ok(Reading::ignored(cause, format!("a finding of GuardDuty is not for {}", own.guardrail)));
    }
    Ok(match traffic(&detail.get("service"))? {
        Err(why) => Reading::ignored(cause, why),
        Ok(traffic) => Reading::Trigger(Trigger::new(cause, Targets::Attack(attack(&detail, &traffic)?))),
    })
}

/// What came in from an attacker, one member a connection, or why nothing of the finding is to be denied.
///
/// Traffic that is marked `blocked` counts as well: a security group stopped it at one interface, and the attacker goes on to the next.
fn traffic<'a>(service: &Member<'a>) -> Result<Result<Vec<Member<'a>>, String>, TriggerError> {
    let ignored = |why: &str| Ok(Err(why.to_owned()));
    if is_true(&service.get("archived")) {
        return ignored("the finding is archived");
    }
    if is_sample(&service.get("additionalInfo")) {
        return ignored("the finding is a sample");
    }
    match service.get("resourceRole").text()? {
        Some("TARGET") => {}
        Some(role) => return Ok(Err(format!("we are `{}` in the finding, not its target", Excerpt(role)))),
        None => return ignored("the finding does not say that we are its target"),
    }
    let action = service.get("action");
    let found = match action.get("actionType").text()? {
        Some("NETWORK_CONNECTION") => {
            let connection = action.get("networkConnectionAction");
            // `INBOUND`, and `UNKNOWN` or none as well: that we are the target is settled.
            if matches!(connection.get("connectionDirection").text()?, Some("OUTBOUND" | "OUT")) {
                return ignored("the connection is outbound");
            }
            connection.one_or_several()
        }
        Some("PORT_PROBE") => action.at(&["portProbeAction", "portProbeDetails"]).one_or_several(),
        Some("RDS_LOGIN_ATTEMPT") => action.get("rdsLoginAttemptAction").one_or_several(),
        Some(other) => return Ok(Err(format!("`{}` names no source whose traffic crosses a network ACL", Excerpt(other)))),
        None => return ignored("the finding has no action, so it names no source whose traffic crosses a network ACL"),
    };
    Ok(Ok(found))
}

fn attack(detail: &Member<'_>, traffic: &[Member<'_>]) -> Result<Attack, TriggerError> {
    let remotes = traffic.iter().flat_map(|one| one.get("remoteIpDetails").one_or_several());
    let sources = sources(remotes.flat_map(|remote| [remote.get("ipAddressV4"), remote.get("ipAddressV6")]))?;
    if sources.is_empty() {
        return Err(detail.at(&["service", "action"]).wrong("names no remote address"));
    }
    Ok(Attack { sources, acls: Vec::new(), subnets: subnets(detail, traffic)?, both_ways: false })
}

/// The subnets of the attacked interfaces: those with the local addresses of the traffic. Where one can't be told, of every interface of
/// the instance. A database has none, for its interfaces are not named.
fn subnets(detail: &Member<'_>, traffic: &[Member<'_>]) -> Result<Vec<SubnetId>, TriggerError> {
    let interfaces = detail.at(&["resource", "instanceDetails", "networkInterfaces"]).one_or_several();
    let attacked = |one: &Member<'_>| {
        let local = one.get("localIpDetails");
        let local: Vec<IpAddr> = [local.get("ipAddressV4"), local.get("ipAddressV6")].iter().filter_map(address).collect();
        interfaces.iter().find(|interface| addresses(interface).iter().any(|its| local.contains(its)))
    };
    let attacked: Option<Vec<&Member<'_>>> = traffic.iter().map(attacked).collect();
    let mut known: BTreeSet<SubnetId> = BTreeSet::new();
    let mut in_order: Vec<SubnetId> = Vec::new();
    for interface in attacked.unwrap_or_else(|| interfaces.iter().collect()) {
        if let Some(id) = interface.get("subnetId").id::<SubnetId>()?
            && known.insert(id.clone())
        {
            in_order.push(id);
        }
    }
    Ok(in_order)
}

/// The private addresses of an interface.
fn addresses(interface: &Member<'_>) -> Vec<IpAddr> {
    let more = interface.get("privateIpAddresses").one_or_several();
    let more = more.iter().map(|item| item.get("privateIpAddress"));
    let all = more.chain([interface.get("privateIpAddress")]).chain(interface.get("ipv6Addresses").items());
    all.filter_map(|member| address(&member)).collect()
}

fn address(member: &Member<'_>) -> Option<IpAddr> {
    member.value()?.as_str()?.parse().ok()
}

/// `additionalInfo` is an object, or has one as a JSON text in `value`. A text that can't be read says nothing of samples.
fn is_sample(info: &Member<'_>) -> bool {
    let inner = info.get("value");
    let parsed: Option<Value> = inner.value().and_then(Value::as_str).and_then(|text| serde_json::from_str(text).ok());
    is_true(&info.get("sample"))
        || is_true(&inner.get("sample"))
        || parsed.is_some_and(|value| is_true(&inner.holding(&value).get("sample")))
}

fn is_true(member: &Member<'_>) -> bool {
    match member.value() {
        Some(Value::Bool(value)) => *value,
        Some(Value::String(text)) => text.eq_ignore_ascii_case("true"),
        _ => false,
    }
}
