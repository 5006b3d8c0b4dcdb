//! The events of the case folders, a few forms that they lack, and every way to spoil one.

pub(crate) mod laws;
pub(crate) mod samples;

use std::fs;
use std::path::{Path, PathBuf};

use palisade_policy::guardrail::Guardrail;
use palisade_trigger::Own;
use serde_json::{Value, json};

#[allow(unused_imports, reason = "every test takes what it needs")]
pub(crate) use laws::{ACCOUNT, REGION, ROLE};

/// Ids that no event has.
pub(crate) const PLANTED: [&str; 4] = ["sg-0planted", "pl-0planted", "vpc-0planted", "subnet-0planted"];

pub(crate) fn own() -> Own {
    laws::own_of(Guardrail::RevokeAdminIngress)
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events/revoke-admin-ingress")
}

pub(crate) fn event(case: &str) -> Value {
    let path = folder().join(case).join("event.json");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// An API call in our account and Region, as CloudTrail tells it.
pub(crate) fn call(name: &str, request: Value, response: Value) -> Value {
    let mut event = event("console-opens-ssh");
    let detail = event["detail"].as_object_mut().unwrap();
    detail.insert("eventName".to_owned(), json!(name));
    detail.insert("requestParameters".to_owned(), request);
    detail.insert("responseElements".to_owned(), response);
    event
}

/// Sets members by their JSON pointers, making objects on the way.
pub(crate) fn with<const N: usize>(mut event: Value, members: [(&str, Value); N]) -> Value {
    for (pointer, value) in members {
        let mut at = &mut event;
        for name in pointer.split('/').skip(1) {
            at = match name.parse::<usize>() {
                Ok(i) if at.is_array() => &mut at[i],
                _ => &mut at[name],
            };
        }
        *at = value;
    }
    event
}

pub(crate) fn without<const N: usize>(event: Value, pointers: [&str; N]) -> Value {
    pointers.iter().fold(event, |event, pointer| Spoil::Remove.apply(&event, pointer).unwrap().payload)
}

/// Every event of the case folders, and the forms that they lack.
pub(crate) fn events() -> Vec<(String, Value)> {
    let mut cases: Vec<String> = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    cases.sort();
    assert!(cases.len() >= 40, "only {} case folders", cases.len());
    let mut events: Vec<(String, Value)> = cases.into_iter().map(|case| (case.clone(), event(&case))).collect();
    let rules = json!({"securityGroupRuleSet": {"items": [
        {"groupId": "sg-0byresponse", "referencedGroupInfo": {"groupId": "sg-0referenced"}}, {"groupId": "sg-0byresponse"}
    ]}});
    let rule = json!({"securityGroupRuleSet": {"items": {"groupId": "sg-0byresponse"}}});
    let content = |id: &str| json!({"tag": 1, "content": id});
    let more = [
        ("group by response", call("AuthorizeSecurityGroupIngress", json!({"groupName": "web"}), rules)),
        ("group by response of one rule", call("AuthorizeSecurityGroupIngress", json!({"groupName": "web"}), rule)),
        (
            "group in `content`",
            call("ModifySecurityGroupRules", json!({"ModifySecurityGroupRulesRequest": {"GroupId": content("sg-0content")}}), Value::Null),
        ),
        ("group in the older dialect", call("ModifySecurityGroupRules", json!({"groupId": "sg-0older"}), Value::Null)),
        (
            "list in `content`",
            call("ModifyManagedPrefixList", json!({"ModifyManagedPrefixListRequest": {"PrefixListId": content("pl-0content")}}), json!("")),
        ),
        ("schedule of EventBridge Scheduler", with(event("sweep"), [("/source", json!("aws.scheduler")), ("/detail", json!("{}"))])),
        ("dry-run sweep", json!({"sweep": true, "dryRun": true})),
        ("dry-run call", json!({"securityGroupIds": ["sg-0a", "sg-0b"], "dryRun": true})),
    ];
    events.extend(more.into_iter().map(|(name, event)| (name.to_owned(), event)));
    events
}

/// The JSON pointer of every value, the whole first. `/!` is the JSON that a text holds; of a long list the first two and the last.
pub(crate) fn pointers(value: &Value) -> Vec<String> {
    fn walk(value: &Value, at: &str, all: &mut Vec<String>) {
        all.push(at.to_owned());
        match value {
            Value::Object(object) => object.iter().for_each(|(name, value)| walk(value, &format!("{at}/{}", escaped(name)), all)),
            Value::Array(items) => {
                let last = items.len().saturating_sub(1);
                let some = items.iter().enumerate().filter(|(i, _)| *i < 2 || *i == last);
                some.for_each(|(i, value)| walk(value, &format!("{at}/{i}"), all));
            }
            Value::String(text) => {
                if let Some(held) = held(text) {
                    walk(&held, &format!("{at}/!"), all);
                }
            }
            _ => {}
        }
    }
    let mut all = Vec::new();
    walk(value, "", &mut all);
    all
}

/// The object or list that a text holds.
pub(crate) fn held(text: &str) -> Option<Value> {
    if text.starts_with(['{', '[']) { serde_json::from_str(text).ok() } else { None }
}

/// What is in a place, within texts too.
pub(crate) fn at(payload: &Value, pointer: &str) -> Option<Value> {
    match pointer.split_once("/!") {
        None => payload.pointer(pointer).cloned(),
        Some((outer, inner)) => at(&held(payload.pointer(outer)?.as_str()?)?, inner),
    }
}

fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// Changes what is in a place, within texts too; nothing where there is no such place.
pub(crate) fn edit(payload: &Value, pointer: &str, change: &mut dyn FnMut(&mut Value)) -> Option<Value> {
    let mut whole = payload.clone();
    match pointer.split_once("/!") {
        None => change(whole.pointer_mut(pointer)?),
        Some((outer, inner)) => {
            let slot = whole.pointer_mut(outer)?;
            *slot = Value::String(edit(&held(slot.as_str()?)?, inner, change)?.to_string());
        }
    }
    Some(whole)
}

/// One way to spoil a member.
#[derive(Debug, Clone)]
pub(crate) enum Spoil {
    Remove,
    Replace(Value),
    Rename(&'static str),
    /// A member more, where none has that name.
    Plant(&'static str, Value),
    /// Beside it under another name, or, in a list, a second time.
    Double,
    /// As `content`, as CloudTrail's newer dialect does.
    Wrap,
    /// Into something else that depends on what it is; nothing where that can't be done.
    Turn(&'static str, fn(&Value) -> Option<Value>),
}

/// A spoilt payload, and the name that was put.
#[derive(Debug)]
pub(crate) struct Spoilt {
    pub(crate) payload: Value,
    pub(crate) name: Option<String>,
}

impl Spoil {
    /// What means nothing to any door: each member removed, nulled, emptied, of another type, doubled, of another's, in another spelling.
    pub(crate) fn junk() -> Vec<Spoil> {
        let values = [
            json!(null),
            json!(true),
            json!(0),
            json!(-1.5e300),
            json!(""),
            json!(" "),
            json!("{}"),
            json!("junk"),
            json!("sg-0\u{1b}[2J\r\n\u{0}planted"),
            json!("x".repeat(10_000)),
            json!(format!("sg-{}", "é".repeat(10_000))),
            json!({}),
            json!([]),
            json!([[[PLANTED[0]]]]),
        ];
        let mut all = vec![Spoil::Remove, Spoil::Double, Spoil::Wrap, Spoil::Rename("\u{1b}[2J\u{7}")];
        all.extend(values.map(Spoil::Replace));
        all.extend([
            Spoil::Turn("a list of it", |value| Some(json!([value]))),
            Spoil::Turn("`items` of it", |value| Some(json!({"items": [value]}))),
            Spoil::Turn("its JSON in a text", |value| Some(json!(value.to_string()))),
            Spoil::Turn("a text that is a number", |value| value.as_str()?.parse().ok().map(|number: u64| json!(number))),
            Spoil::Turn("in capitals", |value| text(value, str::to_uppercase)),
            Spoil::Turn("in small letters", |value| text(value, str::to_lowercase)),
            Spoil::Turn("a space before it", |value| text(value, |text| format!(" {text}"))),
            Spoil::Turn("a line break behind it", |value| text(value, |text| format!("{text}\n"))),
            Spoil::Turn("another behind it", |value| text(value, |text| format!("{text},{}", PLANTED[0]))),
            Spoil::Turn("a NUL in it", |value| text(value, |text| format!("{text}\0{text}"))),
            Spoil::Turn("turned around", |value| text(value, |text| format!("\u{202e}{text}"))),
            Spoil::Turn("of another account", |value| elsewhere(value, ACCOUNT, "444455556666")),
            Spoil::Turn("of another Region", |value| elsewhere(value, REGION, "us-east-1")),
        ]);
        all
    }

    /// What means something to one door or another.
    pub(crate) fn meant() -> Vec<Spoil> {
        let values = [
            json!(false),
            json!(PLANTED[0]),
            json!(PLANTED[1]),
            json!(PLANTED[2]),
            json!(PLANTED[3]),
            json!([PLANTED[0]]),
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
            json!("arn:aws:cloudwatch:us-east-1:444455556666:alarm:data-exfiltration"),
            json!("data-exfiltration"),
            json!("{\"sample\":true}"),
            json!("{\"sweep\":true}"),
            json!("GuardDuty Finding"),
            json!("CloudWatch Alarm State Change"),
            json!("Config Rules Compliance Change"),
            json!("AWS API Call via CloudTrail"),
            json!("aws.cloudwatch"),
        ];
        let names = [
            "groupId",
            "groupName",
            "items",
            "content",
            "detail-type",
            "detail",
            "sweep",
            "dryRun",
            "securityGroupIds",
            "vpcIds",
            "sources",
            "aclIds",
            "errorCode",
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
            "body",
        ];
        let plants = [
            ("groupId", json!(PLANTED[0])),
            ("GroupId", json!(PLANTED[0])),
            ("groupName", json!("planted")),
            ("prefixListId", json!(PLANTED[1])),
            ("PrefixListId", json!(PLANTED[1])),
            ("vpcId", json!(PLANTED[2])),
            ("subnetId", json!(PLANTED[3])),
            ("resourceId", json!(PLANTED[0])),
            ("resourceId", json!(PLANTED[2])),
            ("content", json!(PLANTED[0])),
            ("items", json!([{"groupId": PLANTED[0]}])),
            ("srcAddr", json!("198.51.100.199")),
            ("ipAddressV4", json!("198.51.100.199")),
            ("attributes", json!({"srcAddr": "198.51.100.199"})),
            ("securityGroupIds", json!([PLANTED[0]])),
            ("vpcIds", json!([PLANTED[2]])),
            ("sources", json!(["198.51.100.199"])),
            ("sweep", json!(true)),
            ("dryRun", json!(false)),
        ];
        let replaced = values.map(Spoil::Replace).into_iter().chain(names.map(Spoil::Rename));
        replaced.chain(plants.map(|(name, value)| Spoil::Plant(name, value))).collect()
    }

    pub(crate) fn all() -> Vec<Spoil> {
        Spoil::junk().into_iter().chain(Spoil::meant()).collect()
    }

    /// Nothing where it can't be done: what has no name can't have another.
    pub(crate) fn apply(&self, payload: &Value, pointer: &str) -> Option<Spoilt> {
        if let Some((outer, inner)) = pointer.rsplit_once("/!") {
            let spoilt = self.apply(&at(payload, &format!("{outer}/!"))?, inner)?;
            let payload = edit(payload, outer, &mut |text| *text = Value::String(spoilt.payload.to_string()))?;
            return Some(Spoilt { payload, name: spoilt.name });
        }
        if let Spoil::Plant(name, value) = self {
            let is_free = payload.pointer(pointer)?.as_object().is_some_and(|object| !object.contains_key(*name));
            let payload = is_free.then(|| edit(payload, pointer, &mut |object| object[*name] = value.clone()))??;
            return Some(Spoilt { payload, name: Some((*name).to_owned()) });
        }
        let mut spoilt = Spoilt { payload: payload.clone(), name: None };
        let new = match self {
            Spoil::Replace(value) => Some(value.clone()),
            Spoil::Wrap => Some(json!({"content": payload.pointer(pointer)?, "tag": 1})),
            Spoil::Turn(_, turn) => Some(turn(payload.pointer(pointer)?)?),
            Spoil::Remove | Spoil::Rename(_) | Spoil::Double | Spoil::Plant(..) => None,
        };
        if let Some(new) = new {
            *spoilt.payload.pointer_mut(pointer)? = new;
            return Some(spoilt);
        }
        let (parent, last) = pointer.rsplit_once('/')?;
        let name = last.replace("~1", "/").replace("~0", "~");
        spoilt.name = match (spoilt.payload.pointer_mut(parent)?, self) {
            (Value::Object(object), Spoil::Remove) => object.remove(&name).map(|_| None)?,
            (Value::Object(object), Spoil::Rename(new)) => {
                let value = object.remove(&name)?;
                object.insert((*new).to_owned(), value);
                Some((*new).to_owned())
            }
            (Value::Object(object), Spoil::Double) => {
                let (twin, value) = (format!("{name}2"), object.get(&name)?.clone());
                object.insert(twin.clone(), value);
                Some(twin)
            }
            (Value::Array(items), Spoil::Remove) => {
                items.remove(name.parse().ok()?);
                None
            }
            (Value::Array(items), Spoil::Double) => {
                let item = items.get(name.parse::<usize>().ok()?)?.clone();
                items.push(item);
                None
            }
            _ => return None,
        };
        Some(spoilt)
    }
}

/// A text in another spelling, if that is another.
fn text(value: &Value, turn: impl FnOnce(&str) -> String) -> Option<Value> {
    let text = value.as_str()?;
    let turned = turn(text);
    (turned != text).then_some(Value::String(turned))
}

/// What says whose it is says another's.
fn elsewhere(value: &Value, ours: &str, other: &str) -> Option<Value> {
    match value {
        Value::Number(number) => number.to_string().eq(ours).then(|| other.parse().ok().map(|number: u64| json!(number)))?,
        value => text(value, |text| text.replace(ours, other)),
    }
}
