//! The events of the case folders, a few forms that they lack, and every way to spoil one.

pub(crate) mod laws;
pub(crate) mod samples;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use palisade_policy::guardrail::Guardrail;
use palisade_trigger::Own;
use serde_json::{Map, Value, json};

pub(crate) const ACCOUNT: &str = "111122223333";
pub(crate) const REGION: &str = "eu-west-1";
pub(crate) const ROLE: &str = "arn:aws:iam::111122223333:role/palisade-RevokeAdminIngressRole-9QK2TT71XW4M";

/// Ids that no event has.
pub(crate) const PLANTED: [&str; 2] = ["sg-0planted", "pl-0planted"];

pub(crate) fn own() -> Own {
    Own {
        guardrail: Guardrail::RevokeAdminIngress,
        account: ACCOUNT.parse().unwrap(),
        region: REGION.parse().unwrap(),
        role_arn: Some(ROLE.to_owned()),
    }
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

/// The JSON pointer of every value, the whole first.
pub(crate) fn pointers(value: &Value) -> Vec<String> {
    fn walk(value: &Value, at: &str, all: &mut Vec<String>) {
        all.push(at.to_owned());
        match value {
            Value::Object(object) => object.iter().for_each(|(name, value)| walk(value, &format!("{at}/{}", escaped(name)), all)),
            Value::Array(items) => items.iter().enumerate().for_each(|(i, value)| walk(value, &format!("{at}/{i}"), all)),
            _ => {}
        }
    }
    let mut all = Vec::new();
    walk(value, "", &mut all);
    all
}

fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// One way to spoil a member.
#[derive(Debug, Clone)]
pub(crate) enum Spoil {
    Remove,
    Replace(Value),
    Rename(&'static str),
    /// Beside it under another name, or, in a list, a second time.
    Double,
    /// As `content`, as CloudTrail's newer dialect does.
    Wrap,
}

/// A spoilt payload, and every text that was put where it wasn't before.
#[derive(Debug)]
pub(crate) struct Spoilt {
    pub(crate) payload: Value,
    pub(crate) put: BTreeSet<String>,
    /// The name that was put.
    pub(crate) name: Option<String>,
}

impl Spoil {
    pub(crate) fn all() -> Vec<Spoil> {
        let values = [
            json!(null),
            json!(true),
            json!(false),
            json!(0),
            json!(4711),
            json!(-1.5e300),
            json!(""),
            json!(" "),
            json!("{}"),
            json!("junk"),
            json!(PLANTED[0]),
            json!(PLANTED[1]),
            json!("SG-0PLANTED"),
            json!("sg-0\u{1b}[2J\r\n\u{0}planted"),
            json!("x".repeat(10_000)),
            json!(format!("sg-{}", "é".repeat(10_000))),
            json!({}),
            json!([]),
            json!([PLANTED[0]]),
            json!([[[PLANTED[0]]]]),
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
            "errorCode",
            "\u{1b}[2J\u{7}",
        ];
        let mut all = vec![Spoil::Remove, Spoil::Double, Spoil::Wrap];
        all.extend(values.map(Spoil::Replace));
        all.extend(names.map(Spoil::Rename));
        all
    }

    /// Nothing where it can't be done: what has no name can't have another.
    pub(crate) fn apply(&self, payload: &Value, pointer: &str) -> Option<Spoilt> {
        let mut spoilt = Spoilt { payload: payload.clone(), put: BTreeSet::new(), name: None };
        match self {
            Spoil::Replace(value) => {
                *spoilt.payload.pointer_mut(pointer)? = value.clone();
                spoilt.put = texts(value);
                return Some(spoilt);
            }
            Spoil::Wrap => {
                let value = spoilt.payload.pointer_mut(pointer)?;
                *value = json!({"content": value.take(), "tag": 1});
                return Some(spoilt);
            }
            Spoil::Remove | Spoil::Rename(_) | Spoil::Double => {}
        }
        let (parent, last) = pointer.rsplit_once('/')?;
        let name = last.replace("~1", "/").replace("~0", "~");
        let put = match (spoilt.payload.pointer_mut(parent)?, self) {
            (Value::Object(object), Spoil::Remove) => object.remove(&name).map(|_| None)?,
            (Value::Object(object), Spoil::Rename(new)) => {
                let value = object.remove(&name)?;
                Some(insert(object, (*new).to_owned(), value))
            }
            (Value::Object(object), Spoil::Double) => {
                let value = object.get(&name)?.clone();
                Some(insert(object, format!("{name}2"), value))
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
        (spoilt.name, spoilt.put) = put.map_or((None, BTreeSet::new()), |(name, put)| (Some(name), put));
        Some(spoilt)
    }
}

fn insert(object: &mut Map<String, Value>, name: String, value: Value) -> (String, BTreeSet<String>) {
    let put = texts(&value);
    object.insert(name.clone(), value);
    (name, put)
}

/// Every text in a value, names not counted.
pub(crate) fn texts(value: &Value) -> BTreeSet<String> {
    pointers(value).iter().filter_map(|pointer| value.pointer(pointer)?.as_str().map(str::to_owned)).collect()
}
