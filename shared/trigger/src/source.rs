//! An attacker's address, as an event names it.

use std::collections::BTreeSet;
use std::net::IpAddr;

use palisade_policy::cidr::Cidr;
use palisade_policy::id::Excerpt;

use crate::TriggerError;
use crate::member::Member;

/// The most that one event may name; what it names after these is not read.
const MOST: usize = 1000;

/// The addresses of these members, each once, in order. A member that is missing or empty names none.
pub(crate) fn sources<'a>(members: impl IntoIterator<Item = Member<'a>>) -> Result<Vec<Cidr>, TriggerError> {
    let mut known: BTreeSet<Cidr> = BTreeSet::new();
    let mut in_order: Vec<Cidr> = Vec::new();
    for member in members {
        if in_order.len() == MOST {
            break;
        }
        if let Some(source) = source(&member)?
            && known.insert(source)
        {
            in_order.push(source);
        }
    }
    Ok(in_order)
}

/// One address. A block, which an event has no business to name, is an error unless it holds one address only.
fn source(member: &Member<'_>) -> Result<Option<Cidr>, TriggerError> {
    let Some(value) = member.value() else { return Ok(None) };
    let text = value.as_str().ok_or_else(|| member.wrong("is not a text"))?;
    if text.is_empty() {
        return Ok(None);
    }
    if let Some(address) = text.parse::<IpAddr>().ok().and_then(single) {
        return Ok(Some(address));
    }
    let wrong = |problem: &str| Err(member.wrong(format!("can't be used: `{}` {problem}", Excerpt(text))));
    match text.parse::<Cidr>() {
        Ok(block) if block.prefix() == block.family().bits() => Ok(Some(block)),
        Ok(_) => wrong("is wider than one address, and only a direct call may name such a block"),
        Err(_) => wrong("is not an IP address"),
    }
}

fn single(address: IpAddr) -> Option<Cidr> {
    Cidr::containing(address, if address.is_ipv4() { 32 } else { 128 })
}
