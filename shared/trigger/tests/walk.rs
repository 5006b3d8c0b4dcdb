//! Every member of every sample, spoilt in every way, for every guardrail: never a panic, never an address or an id that the event does not
//! have where such a thing belongs.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

#[allow(dead_code, reason = "every test takes what it needs")]
mod corpus;

use std::collections::BTreeSet;

use corpus::laws::reads_well;
use corpus::samples::{message, own_of, samples, with_message};
use corpus::{ACCOUNT, REGION, Spoil, pointers, with};
use palisade_policy::guardrail::Guardrail;
use palisade_policy::trigger::{Door, Targets, Trigger};
use palisade_trigger::{Reading, read};
use serde_json::{Value, json};

/// Values that mean something to one of these doors.
fn spoils() -> Vec<Spoil> {
    let values = [
        json!("198.51.100.199"),
        json!("2001:db8::dead"),
        json!("10.0.0.0/8"),
        json!("0.0.0.0/0"),
        json!("::ffff:192.0.2.1"),
        json!("scanner.example.com"),
        json!({"srcAddr": "198.51.100.199"}),
        json!([{"name": "srcAddr", "value": "198.51.100.199"}]),
        json!([{"ipAddressV4": "198.51.100.199"}]),
        json!({"remoteIpDetails": {"ipAddressV4": "198.51.100.199"}}),
        json!("subnet-0planted"),
        json!("vpc-0planted"),
        json!("OK"),
        json!("ALARM"),
        json!("ACTOR"),
        json!("TARGET"),
        json!("OUTBOUND"),
        json!("PORT_PROBE"),
        json!("COMPLIANT"),
        json!("restricted-ssh"),
        json!("vpc-flow-logs-enabled"),
        json!("AWS::EC2::VPC"),
        json!("AWS::::Account"),
        json!("444455556666"),
        json!("us-east-1"),
        json!("arn:aws:cloudwatch:us-east-1:444455556666:alarm:data-exfiltration"),
        json!("data-exfiltration"),
        json!("{\"sample\":true}"),
        json!("GuardDuty Finding"),
        json!("CloudWatch Alarm State Change"),
        json!("Config Rules Compliance Change"),
        json!("aws.cloudwatch"),
    ];
    let names = [
        "srcAddr",
        "dstAddr",
        "attributes",
        "alarmContributor",
        "AlarmContributorAttributes",
        "dimensions",
        "Dimensions",
        "value",
        "name",
        "ipAddressV4",
        "remoteIpDetails",
        "sample",
        "archived",
        "muteDetail",
        "alarmData",
        "Records",
        "subnetId",
        "resourceId",
    ];
    let plain = [json!(null), json!(7), json!(""), json!("x".repeat(10_000)), json!({}), json!([[[]]])];
    let mut all = vec![Spoil::Remove, Spoil::Double, Spoil::Wrap];
    all.extend(plain.map(Spoil::Replace));
    all.extend(values.map(Spoil::Replace));
    all.extend(names.map(Spoil::Rename));
    all
}

/// A sample, how to spoil it, and how to put it together again: a message of SNS is spoilt inside too.
type Wrap = Box<dyn Fn(Value) -> Value>;

fn places() -> Vec<(String, Value, Wrap)> {
    let mut all: Vec<(String, Value, Wrap)> = Vec::new();
    for (name, mut payload) in samples() {
        if name == "five-hundred-sources" {
            let details = "/detail/service/action/portProbeAction/portProbeDetails";
            payload.pointer_mut(details).unwrap().as_array_mut().unwrap().truncate(3);
        }
        if payload.get("Records").is_some() {
            let whole = payload.clone();
            all.push((format!("{name}'s message"), message(&payload), Box::new(move |message| with_message(whole.clone(), &message))));
        }
        all.push((name, payload, Box::new(|payload| payload)));
    }
    all
}

/// The message of SNS, where there is a readable one.
fn message_of(payload: &Value) -> Option<Value> {
    serde_json::from_str(payload.pointer("/Records/0/Sns/Message")?.as_str()?).ok()
}

/// What is written where addresses are named, told by the pointers alone.
fn named_sources(payload: &Value) -> BTreeSet<String> {
    let spelled = |name: &str| name.to_lowercase().replace(['-', '_'], "");
    let is_name = |name: &str| ["srcaddr", "pktsrcaddr", "sourceip", "dstaddr"].contains(&spelled(name).as_str());
    let inner = message_of(payload);
    let mut named = BTreeSet::new();
    for value in std::iter::once(payload).chain(inner.as_ref()) {
        for pointer in pointers(value) {
            let Some(text) = value.pointer(&pointer).and_then(Value::as_str) else { continue };
            let (parent, last) = pointer.rsplit_once('/').unwrap();
            let by_finding = pointer.starts_with("/detail/service/action/")
                && parent.contains("emoteIpDetails")
                && ["ipAddressV4", "ipAddressV6"].contains(&last);
            let holder = parent.rsplit('/').next().unwrap().to_lowercase();
            let by_map = is_name(last) && (holder.ends_with("attributes") || holder == "dimensions");
            let in_list = parent.rsplit('/').nth(1).is_some_and(|list| {
                let list = list.to_lowercase();
                list.ends_with("attributes") || list == "dimensions"
            });
            let by_list =
                in_list && last == "value" && value.pointer(&format!("{parent}/name")).and_then(Value::as_str).is_some_and(is_name);
            if by_finding || by_map || by_list {
                named.insert(text.to_owned());
            }
        }
    }
    named
}

/// What holds of every trigger that an event makes.
fn hold(guardrail: Guardrail, payload: &Value, trigger: &Trigger) -> Result<(), String> {
    let law = |holds: bool, what: &str| if holds { Ok(()) } else { Err(what.to_owned()) };
    let detail = &payload["detail"];
    law(!trigger.dry_run, "a dry run that nobody asked for")?;
    let inner = message_of(payload).unwrap_or(Value::Null);
    let accounts = [&payload["account"], &payload["accountId"], &detail["accountId"], &detail["awsAccountId"], &inner["AWSAccountId"]];
    law(!accounts.iter().any(|account| **account == json!("444455556666")), "another account's event")?;
    let regions = [&payload["region"], &detail["region"], &detail["awsRegion"]];
    law(!regions.iter().any(|region| **region == json!("us-east-1")), "another Region's event")?;
    let there = payload.to_string();
    law(there.contains(ACCOUNT) && there.contains(REGION), "nobody's event")?;
    let id_at = |pointer: &str| payload.pointer(pointer).and_then(|id| id.as_str().or_else(|| id["content"].as_str())).map(str::to_owned);
    match (&trigger.targets, trigger.cause.door) {
        (Targets::SecurityGroups(ids), Door::ConfigCompliance) => {
            law(matches!(guardrail, Guardrail::RevokeAdminIngress | Guardrail::StripDefaultGroup), "another guardrail's target")?;
            law(ids.len() == 1 && Some(ids[0].to_string()) == id_at("/detail/resourceId"), "another group")
        }
        (Targets::Vpcs(ids), Door::ConfigCompliance) => {
            law(matches!(guardrail, Guardrail::EnableFlowLogs | Guardrail::StripDefaultGroup), "another guardrail's target")?;
            law(ids.len() == 1 && Some(ids[0].to_string()) == id_at("/detail/resourceId"), "another VPC")
        }
        (Targets::Attack(attack), Door::Guardduty | Door::Alarm) => {
            law(guardrail == Guardrail::DenySource, "another guardrail's target")?;
            law(!attack.sources.is_empty() && attack.acls.is_empty(), "an attack of nobody, or a call's ACLs")?;
            law(attack.sources.iter().all(|source| source.prefix() == source.family().bits()), "a block of addresses")?;
            let named: BTreeSet<String> = named_sources(payload)
                .iter()
                .filter_map(|text| text.split('/').next()?.parse::<std::net::IpAddr>().ok())
                .map(|address| address.to_string())
                .collect();
            for source in &attack.sources {
                let address = source.to_string();
                let address = address.split('/').next().unwrap();
                law(named.contains(address), &format!("{address} is not among {named:?}"))?;
            }
            law(attack.subnets.iter().all(|id| there.contains(&format!("\"{id}\""))), "a subnet that is not there")?;
            if trigger.cause.door == Door::Guardduty {
                let role = &detail["service"]["resourceRole"];
                law(*role == "TARGET" || role["content"] == "TARGET", "we are not the target")?;
                law(detail["service"]["archived"] != true && !attack.both_ways, "archived, or both ways")
            } else {
                is_raised(payload, &inner)
            }
        }
        (Targets::Search(_), Door::Alarm) => {
            law(guardrail == Guardrail::DenySource, "another guardrail's target")?;
            is_raised(payload, &inner)
        }
        (targets, door) => Err(format!("{door:?} makes {targets:?}")),
    }
}

fn is_raised(payload: &Value, message: &Value) -> Result<(), String> {
    let states = [&payload["detail"]["state"]["value"], &payload["alarmData"]["state"]["value"], &message["NewStateValue"]];
    if states.iter().any(|state| **state == "ALARM" || state["content"] == "ALARM") {
        Ok(())
    } else {
        Err("an alarm that is not raised".to_owned())
    }
}

/// Spoils every member of the samples whose name starts so. So many must still point at something: a walk over errors shows nothing.
fn walk(start: &str, least_targets: usize) {
    let spoils = spoils();
    let (mut turn, mut targets) = (0, 0);
    for (name, whole, wrap) in places().into_iter().filter(|(name, ..)| name.starts_with(start)) {
        for pointer in pointers(&whole) {
            for spoil in &spoils {
                let Some(spoilt) = spoil.apply(&whole, &pointer) else { continue };
                let payload = wrap(spoilt.payload);
                // What is no alarm or finding to one is none to any other, so those take turns.
                turn += 1;
                for guardrail in [Guardrail::DenySource, Guardrail::ALL[turn % Guardrail::ALL.len()]] {
                    let at = || format!("{guardrail} {name} {pointer} {}", format!("{spoil:?}").chars().take(80).collect::<String>());
                    match read(&payload, &own_of(guardrail)) {
                        // By another name it may be a call, a schedule or an API call: their laws are held elsewhere.
                        Ok(Reading::Trigger(trigger))
                            if matches!(trigger.cause.door, Door::ConfigCompliance | Door::Guardduty | Door::Alarm) =>
                        {
                            targets += 1;
                            hold(guardrail, &payload, &trigger).unwrap_or_else(|broken| panic!("{broken}: {} {trigger:?}", at()));
                        }
                        Ok(Reading::Trigger(_)) => {}
                        Ok(Reading::Ignored { why, .. }) => reads_well(&why, 500).unwrap_or_else(|broken| panic!("{broken}: {}", at())),
                        Err(error) => reads_well(&error.to_string(), 1_200).unwrap_or_else(|broken| panic!("{broken}: {}", at())),
                    }
                }
            }
        }
    }
    assert!(targets > least_targets, "{targets}");
}

#[test]
fn a_compliance_change_with_one_member_spoilt_never_points_at_another_resource() {
    walk("config-", 500);
}

#[test]
fn a_finding_with_one_member_spoilt_never_names_an_address_that_is_no_attackers() {
    walk("guardduty-", 10_000);
}

#[test]
fn an_alarm_with_one_member_spoilt_never_names_an_address_that_is_no_source() {
    walk("alarm-", 10_000);
}

#[test]
fn a_finding_of_many_sources_with_one_member_spoilt_names_no_others() {
    walk("five-hundred-sources", 5_000);
}

#[test]
fn what_a_sample_is_ignored_for_holds_with_junk_in_every_place_of_an_id_or_an_address() {
    let ids = [
        "ipAddressV4",
        "ipAddressV6",
        "subnetId",
        "vpcId",
        "networkInterfaceId",
        "instanceId",
        "privateIpAddress",
        "resourceId",
        "sourceIp",
    ];
    let mut seen = 0;
    for (name, payload) in samples() {
        for guardrail in Guardrail::ALL {
            let Ok(Reading::Ignored { why, .. }) = read(&payload, &own_of(guardrail)) else { continue };
            for junk in [json!(null), json!(7), json!("junk"), json!([[]]), json!({"content": {}}), json!("x".repeat(100_000))] {
                let mut spoilt = payload.clone();
                for pointer in pointers(&payload) {
                    if ids.iter().any(|id| pointer.ends_with(&format!("/{id}"))) && spoilt.pointer(&pointer).is_some() {
                        spoilt = with(spoilt, [(pointer.as_str(), junk.clone())]);
                    }
                }
                seen += 1;
                match read(&spoilt, &own_of(guardrail)) {
                    Ok(Reading::Ignored { why: still, .. }) => assert_eq!(still, why, "{guardrail} {name}"),
                    other => panic!("{guardrail} {name}: {}", format!("{other:?}").chars().take(300).collect::<String>()),
                }
            }
        }
    }
    assert!(seen > 300, "{seen}");
}
