//! Every member of every event, spoilt in every way, for every guardrail: a trigger, an `ignored` or an error that names the member; never a
//! panic, and never another resource than the event's own.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

#[allow(dead_code, reason = "every test takes what it needs")]
mod corpus;

use std::collections::BTreeSet;

use corpus::laws::{hold, own_of};
use corpus::samples::samples;
use corpus::{Spoil, at, edit, held, pointers};
use palisade_policy::guardrail::Guardrail;
use palisade_policy::trigger::{Door, Targets};
use palisade_trigger::{Reading, TriggerError, batch, read};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};

type Read = Result<Reading, TriggerError>;

fn readings(payload: &Value) -> Vec<(Guardrail, Read)> {
    Guardrail::ALL.into_iter().map(|guardrail| (guardrail, weightiest(each(payload, guardrail)))).collect()
}

/// What a function reads: of a batch, each message for itself.
fn each(payload: &Value, guardrail: Guardrail) -> Vec<Read> {
    let own = own_of(guardrail);
    match batch(payload) {
        Ok(Some(batch)) => batch.messages.iter().map(|message| message.read(&own)).collect(),
        Ok(None) => vec![read(payload, &own)],
        Err(error) => vec![Err(error)],
    }
}

/// The one that does most stands for its batch where two are compared; what holds of every reading is asked of each.
fn weightiest(readings: Vec<Read>) -> Read {
    let weight = |reading: &Read| match reading {
        Ok(Reading::Ignored { .. }) => 0,
        Err(_) => 1,
        Ok(Reading::Trigger(_)) if is_sweep(reading) => 3,
        Ok(Reading::Trigger(_)) => 2,
    };
    readings.into_iter().max_by_key(weight).unwrap_or_else(|| Err(TriggerError::Unrecognised("an empty batch".to_owned())))
}

fn excerpt(shown: &impl std::fmt::Debug) -> String {
    format!("{shown:?}").chars().take(400).collect()
}

fn is_sweep(reading: &Read) -> bool {
    matches!(reading, Ok(Reading::Trigger(trigger)) if trigger.targets == Targets::Sweep)
}

/// Whether it may enforce, where a person called.
fn may_enforce(reading: &Read) -> bool {
    matches!(reading, Ok(Reading::Trigger(trigger)) if trigger.cause.door == Door::Direct && !trigger.dry_run)
}

/// Samples of one shape, but for what their texts say, are spoilt once where a spoil is dear.
fn one_of_each_shape() -> Vec<(String, Value)> {
    let mut shapes: BTreeSet<String> = BTreeSet::new();
    samples().into_iter().filter(|(_, payload)| shapes.insert(shape(payload))).collect()
}

fn shape(payload: &Value) -> String {
    let words = ["/detail-type", "/source", "/detail/eventName", "/detail/configRuleName", "/detail/service/action/actionType"];
    let said = words.map(|word| payload.pointer(word).cloned());
    let kinds = pointers(payload).into_iter().map(|pointer| format!("{pointer}{:?}", at(payload, &pointer).as_ref().map(kind)));
    format!("{said:?}{:?}", kinds.collect::<Vec<_>>())
}

fn kind(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Number(_) => 2,
        Value::String(_) => 3,
        Value::Array(_) => 4,
        Value::Object(_) => 5,
    }
}

/// Where a spoil was put, and what it was.
struct Spot<'a> {
    sample: &'a str,
    pointer: &'a str,
    spoil: &'a Spoil,
    name: Option<String>,
}

impl Spot<'_> {
    fn told(&self) -> String {
        format!("{} {} {}", self.sample, self.pointer, excerpt(self.spoil))
    }
}

/// What holds of a sample and of what became of it.
fn obeys(spot: &Spot<'_>, guardrail: Guardrail, before: &Read, spoilt: &Value, after: &Read) {
    let broken = |law: &str| -> ! { panic!("{law}: {guardrail} {}: {}, before {}", spot.told(), excerpt(after), excerpt(before)) };
    let in_batch = if spoilt.get("Records").is_some() { each(spoilt, guardrail) } else { Vec::new() };
    for reading in in_batch.iter().chain([after]) {
        if let Err(law) = hold(guardrail, spoilt, reading) {
            broken(&law);
        }
    }
    let renamed = spot.name.as_deref();
    if is_sweep(after) && !is_sweep(before) && before.is_ok() && renamed != Some("sweep") {
        broken("a narrow event became a sweep");
    }
    if may_enforce(after) && !may_enforce(before) && before.is_ok() {
        let by_itself = spot.pointer == "/dryRun" || renamed == Some("dryRun");
        if !by_itself || spoilt["dryRun"] != false {
            broken("a dry run became none");
        }
    }
}

/// Whether an error says what was spoilt: the member, one around it or one in it. Only what was spoilt in the members by which a shape is
/// known is none of the known shapes any more.
fn names_the_member(spot: &Spot<'_>, error: &TriggerError) -> bool {
    let is_name = |name: &&str| !name.is_empty() && *name != "!" && name.parse::<usize>().is_err();
    let mut names: Vec<&str> = spot.pointer.split('/').filter(is_name).collect();
    let by_shape = names.first().is_none_or(|first| !["detail", "account", "region", "id", "time", "resources"].contains(first));
    if matches!(error, TriggerError::Unrecognised(_)) {
        return by_shape;
    }
    let text = error.to_string();
    names.extend(spot.name.as_deref());
    names.is_empty() || names.iter().any(|name| text.contains(name)) || spot.name.is_some() && text.contains('\u{fffd}')
}

/// Of a sample whose shape was spoilt already, or that wraps what other samples have bare, every so-many-th spoil is tried: another one at
/// each member, so that every spoil comes to every door.
const THINNED: usize = 9;

/// Spoils every member of these samples, and says how many were.
fn walk(samples: Vec<(String, Value)>, spoils: &[Spoil], look: impl Fn(&Spot<'_>, Guardrail, &Read, &Read)) -> usize {
    let mut seen = 0;
    let mut shapes: BTreeSet<String> = BTreeSet::new();
    for (sample, payload) in samples {
        let before = readings(&payload);
        let is_new = shapes.insert(shape(&payload)) && payload.get("Records").is_none();
        let every = if is_new { 1 } else { THINNED };
        for (place, pointer) in pointers(&payload).iter().enumerate() {
            for spoil in spoils.iter().skip(place % every).step_by(every) {
                let Some(spoilt) = spoil.apply(&payload, pointer) else { continue };
                let spot = Spot { sample: &sample, pointer, spoil, name: spoilt.name };
                for ((guardrail, before), (_, after)) in before.iter().zip(readings(&spoilt.payload)) {
                    obeys(&spot, *guardrail, before, &spoilt.payload, &after);
                    look(&spot, *guardrail, before, &after);
                }
                seen += 1;
            }
        }
    }
    seen
}

#[test]
fn a_member_that_is_gone_or_empty_or_of_another_type_spelling_or_owner_is_named_and_never_points_elsewhere() {
    let seen = walk(samples(), &Spoil::junk(), |spot, guardrail, before, after| {
        if let (Ok(_), Err(error)) = (before, after) {
            assert!(names_the_member(spot, error), "{guardrail} {}: {error}", spot.told());
        }
    });
    assert!(seen > 190_000, "{seen}");
}

#[test]
fn a_member_that_says_something_else_or_has_another_name_points_at_what_it_says_there_and_nowhere_else() {
    let seen = walk(one_of_each_shape(), &Spoil::meant(), |_, _, _, _| {});
    assert!(seen > 200_000, "{seen}");
}

#[test]
fn of_a_member_that_is_there_twice_the_last_counts() {
    let mut seen = 0;
    for (sample, payload) in one_of_each_shape() {
        let before = readings(&payload);
        for pointer in pointers(&payload) {
            let Some((parent, name)) = pointer.rsplit_once('/') else { continue };
            if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') || name.parse::<usize>().is_ok() {
                continue;
            }
            for twin in [json!(null), json!(7), json!("sg-0planted"), json!({}), json!("444455556666")] {
                // Members are written in the order of their names: `@` comes before letters, and `~` behind them.
                let written = |stand_in: &str| {
                    let with_twin = edit(&payload, parent, &mut |object| object[stand_in] = twin.clone()).unwrap();
                    serde_json::from_str::<Value>(&with_twin.to_string().replace(stand_in, name)).unwrap()
                };
                let replaced = Spoil::Replace(twin.clone()).apply(&payload, &pointer).unwrap().payload;
                assert_eq!(readings(&written("@@twin@@")), before, "{sample} {pointer} {twin} first");
                assert_eq!(readings(&written("~~twin~~")), readings(&replaced), "{sample} {pointer} {twin} last");
                seen += 1;
            }
        }
    }
    assert!(seen > 10_000, "{seen}");
}

#[test]
fn a_megabyte_in_any_member_is_neither_repeated_nor_too_much() {
    let megabyte = "x".repeat(1 << 20);
    let mut seen = 0;
    for (sample, payload) in one_of_each_shape() {
        let before = readings(&payload);
        for pointer in &pointers(&payload) {
            let spoil = Spoil::Turn("a megabyte longer", |value| value.as_str().map(Value::from));
            let spoilt = edit(&payload, pointer, &mut |value| {
                *value = match &value {
                    Value::String(text) if held(text).is_none() => json!(format!("{text}{megabyte}")),
                    Value::Object(object) => object.iter().map(|(name, value)| (format!("{name}{megabyte}"), value.clone())).collect(),
                    _ => json!(megabyte),
                };
            });
            let (spot, spoilt) = (Spot { sample: &sample, pointer, spoil: &spoil, name: None }, spoilt.unwrap());
            for ((guardrail, before), (_, after)) in before.iter().zip(readings(&spoilt)) {
                obeys(&spot, *guardrail, before, &spoilt, &after);
                let said = match &after {
                    Ok(Reading::Ignored { why, .. }) => why.clone(),
                    Ok(Reading::Trigger(_)) => String::new(),
                    Err(error) => error.to_string(),
                };
                assert!(!said.contains(&megabyte[..81]), "{guardrail} {}: {said}", spot.told());
            }
            seen += 1;
        }
    }
    assert!(seen > 3_000, "{seen}");
}

/// The value so deep in what the wrapping makes of it.
fn nested(wrap: fn(Value) -> Value) -> Value {
    (0..100).fold(json!("sg-0planted"), |value, _| wrap(value))
}

#[test]
fn deep_nesting_in_any_member_or_in_a_text_is_not_followed_down() {
    let texts =
        ["[".repeat(100_000), r#"{"a":"#.repeat(50_000), r#"{"Records":[{"body":"#.repeat(20_000), "[".repeat(100) + &"]".repeat(100)];
    let mut spoils = vec![
        nested(|value| json!([value])),
        nested(|value| json!({"content": value})),
        nested(|value| json!({"items": [value]})),
        nested(|value| json!({"items": value})),
        nested(|value| json!({"Records": [{"Sns": value}]})),
        // Texts in texts: each level doubles the backslashes.
        (0..12).fold(json!({"sweep": true}), |value, _| json!({"Records": [{"Sns": {"Message": value.to_string()}, "body": "{}"}]})),
        (0..12).fold(json!({"sweep": true}), |value, _| json!({"Records": [{"body": value.to_string()}]})),
    ];
    spoils.extend(texts.map(Value::String));
    let mut seen = 0;
    for (sample, payload) in one_of_each_shape() {
        let before = readings(&payload);
        for (place, pointer) in pointers(&payload).iter().enumerate() {
            // Another few at each member: every one comes to every door.
            for value in spoils.iter().skip(place % 4).step_by(4) {
                let spoil = Spoil::Replace(value.clone());
                let spoilt = spoil.apply(&payload, pointer).unwrap();
                let spot = Spot { sample: &sample, pointer, spoil: &spoil, name: None };
                for ((guardrail, before), (_, after)) in before.iter().zip(readings(&spoilt.payload)) {
                    obeys(&spot, *guardrail, before, &spoilt.payload, &after);
                }
                seen += 1;
            }
        }
    }
    assert!(seen > 7_000, "{seen}");
}

/// Whether a text is an id of EC2 or an address.
fn is_id(text: &str) -> bool {
    let kinds = ["sg", "sgr", "vpc", "subnet", "eni", "pl", "acl", "fl", "i", "igw"];
    text.split_once('-').is_some_and(|(kind, _)| kinds.contains(&kind) && text.len() < 30) || text.parse::<std::net::IpAddr>().is_ok()
}

#[test]
fn ids_that_have_changed_places_are_taken_for_what_their_places_say() {
    let mut seen = 0;
    for (sample, payload) in samples() {
        let before = readings(&payload);
        let ids: Vec<(String, Value)> = pointers(&payload)
            .into_iter()
            .filter_map(|pointer| at(&payload, &pointer).map(|value| (pointer, value)))
            .filter(|(_, value)| value.as_str().is_some_and(is_id))
            .collect();
        for (i, (here, one)) in ids.iter().enumerate() {
            for (there, other) in ids.iter().skip(i + 1).filter(|(_, other)| other != one) {
                let spoil = Spoil::Replace(other.clone());
                let swapped = spoil.apply(&payload, here).and_then(|spoilt| Spoil::Replace(one.clone()).apply(&spoilt.payload, there));
                let (spot, swapped) = (Spot { sample: &sample, pointer: here, spoil: &spoil, name: None }, swapped.unwrap().payload);
                for ((guardrail, before), (_, after)) in before.iter().zip(readings(&swapped)) {
                    obeys(&spot, *guardrail, before, &swapped, &after);
                    if let (Ok(_), Err(error)) = (before, &after) {
                        let other = Spot { pointer: there, sample: &sample, spoil: &spoil, name: None };
                        assert!(names_the_member(&spot, error) || names_the_member(&other, error), "{guardrail} {}: {error}", spot.told());
                    }
                }
                seen += 1;
            }
        }
    }
    assert!(seen > 1_500, "{seen}");
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
    for (sample, payload) in samples() {
        let places: Vec<String> =
            pointers(&payload).into_iter().filter(|pointer| ids.iter().any(|id| pointer.ends_with(&format!("/{id}")))).collect();
        for junk in [json!(null), json!(7), json!("junk"), json!([[]]), json!({"content": {}}), json!("x".repeat(10_000))] {
            let spoilt = places.iter().fold(payload.clone(), |payload, place| {
                Spoil::Replace(junk.clone()).apply(&payload, place).map_or(payload, |spoilt| spoilt.payload)
            });
            for ((guardrail, before), (_, after)) in readings(&payload).into_iter().zip(readings(&spoilt)) {
                if let Ok(Reading::Ignored { why, .. }) = before {
                    assert!(
                        matches!(&after, Ok(Reading::Ignored { why: still, .. }) if *still == why),
                        "{guardrail} {sample}: {}",
                        excerpt(&after)
                    );
                    seen += 1;
                }
            }
        }
    }
    assert!(seen > 300, "{seen}");
}

/// At least 10,000 cases; `PROPTEST_CASES` asks for more. No files of old failures: a failure becomes a test by name.
fn config() -> ProptestConfig {
    let asked = ProptestConfig::default();
    ProptestConfig { cases: asked.cases.max(10_000), failure_persistence: None, ..asked }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn an_event_with_many_members_spoilt_never_points_at_a_wrong_resource(
        which in any::<Index>(), places in vec((any::<Index>(), any::<Index>()), 2..6), guardrail in select(Guardrail::ALL.to_vec()),
    ) {
        thread_local! {
            static CORPUS: (Vec<(String, Value)>, Vec<Spoil>) = (samples(), Spoil::all());
        }
        CORPUS.with(|(samples, spoils)| {
            let mut payload = which.get(samples).1.clone();
            for (place, spoil) in &places {
                let pointers = pointers(&payload);
                if let Some(spoilt) = spoil.get(spoils).apply(&payload, place.get::<String>(&pointers)) {
                    payload = spoilt.payload;
                }
            }
            for reading in each(&payload, guardrail) {
                prop_assert_eq!(hold(guardrail, &payload, &reading), Ok(()), "{} {}", guardrail, excerpt(&payload));
            }
            Ok(())
        })?;
    }
}
