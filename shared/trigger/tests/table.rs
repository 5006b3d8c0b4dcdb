//! `docs/doors.md` says which event wakes which function. It is read here, and the code is held against it, and it against the code.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

#[allow(dead_code, reason = "every test takes what it needs")]
mod corpus;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use corpus::samples::{own_of, sample};
use corpus::{call, with};
use palisade_policy::control::Control;
use palisade_policy::evaluation::ResourceType;
use palisade_policy::guardrail::Guardrail;
use palisade_policy::trigger::Cause;
use palisade_trigger::{Reading, TriggerError, batch, read};
use serde_json::{Value, json};

const CALL: &str = "AWS API Call via CloudTrail";
const PAGE: &str = "../../docs";

/// Calls of EC2 that sound as if they concerned somebody, and do not.
const OTHER_CALLS: [&str; 24] = [
    "AcceptVpcPeeringConnection",
    "AssociateSecurityGroupVpc",
    "AssociateVpcCidrBlock",
    "AuthorizeClientVpnIngress",
    "CreateFlowLogs",
    "CreateManagedPrefixList",
    "CreateNetworkAclEntry",
    "CreateSubnet",
    "CreateTags",
    "DeleteManagedPrefixList",
    "DeleteNetworkAclEntry",
    "DeleteSecurityGroup",
    "DeleteTags",
    "DeleteVpc",
    "DescribeSecurityGroups",
    "ModifyNetworkInterfaceAttribute",
    "ModifyVpcAttribute",
    "ReplaceNetworkAclEntry",
    "RevokeSecurityGroupEgress",
    "RevokeSecurityGroupIngress",
    "RunInstances",
    "UpdateSecurityGroupRuleDescriptionsEgress",
    "UpdateSecurityGroupRuleDescriptionsIngress",
    "authorizesecuritygroupingress",
];

/// One row: an event, and which functions it wakes.
#[derive(Debug)]
struct Row {
    door: String,
    event: String,
    marks: BTreeMap<Guardrail, String>,
    /// Its sample's path, from the page.
    sample: String,
}

impl Row {
    /// What stands in the event's cell between two of these.
    fn spans(&self, mark: char) -> Vec<&str> {
        self.event.split(mark).skip(1).step_by(2).collect()
    }

    /// The name that the event goes by, if it has one.
    fn name(&self) -> Option<&str> {
        self.spans('`').into_iter().next()
    }

    fn payload(&self) -> Value {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE).join(&self.sample);
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let payload = serde_json::from_str(&text).unwrap();
        // Rules that differ by their names only share a sample.
        if self.door == "config-compliance" { with(payload, [("/detail/configRuleName", json!(self.name().unwrap()))]) } else { payload }
    }

    fn woken(&self) -> BTreeSet<Guardrail> {
        self.marks.iter().filter(|(_, mark)| *mark == "✓").map(|(guardrail, _)| *guardrail).collect()
    }
}

fn page() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE).join("doors.md")).unwrap()
}

/// The cells of each line of the table: its head, the line below it, and the rows.
fn lines() -> Vec<Vec<String>> {
    let cells = |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
    page().lines().filter(|line| line.starts_with('|')).map(cells).collect()
}

fn rows() -> Vec<Row> {
    let row = |cells: Vec<String>| {
        assert_eq!(cells.len(), Guardrail::ALL.len() + 3, "{cells:?}");
        let (_, link) = cells.last().unwrap().trim_end_matches(')').split_once("](").unwrap_or_else(|| panic!("no link: {cells:?}"));
        Row {
            door: cells[0].trim_matches('`').to_owned(),
            event: cells[1].clone(),
            marks: Guardrail::ALL.into_iter().zip(cells[2..].iter().cloned()).collect(),
            sample: link.to_owned(),
        }
    };
    lines().into_iter().skip(2).map(row).collect()
}

/// The functions that the table says a name wakes by a door; none where the table does not have it.
fn woken_by(door: &str, name: &str) -> BTreeSet<Guardrail> {
    rows().iter().filter(|row| row.door == door && row.name() == Some(name)).flat_map(Row::woken).collect()
}

/// Every text between quotation marks in a source file: whatever the code compares a name with is among them.
fn literals(source: &str) -> BTreeSet<&str> {
    source.split('"').skip(1).step_by(2).collect()
}

/// The functions that do anything but ignore a payload.
fn awake(payload: &Value) -> BTreeSet<Guardrail> {
    Guardrail::ALL.into_iter().filter(|guardrail| !matches!(read(payload, &own_of(*guardrail)), Ok(Reading::Ignored { .. }))).collect()
}

fn triggered(payload: &Value) -> BTreeSet<Guardrail> {
    Guardrail::ALL.into_iter().filter(|guardrail| matches!(read(payload, &own_of(*guardrail)), Ok(Reading::Trigger(_)))).collect()
}

#[test]
fn each_function_has_a_column_and_each_column_a_function() {
    let functions = Guardrail::ALL.map(|guardrail| format!("`{guardrail}`"));
    let wanted: Vec<&str> = ["door", "event"].into_iter().chain(functions.iter().map(String::as_str)).chain(["sample"]).collect();
    assert_eq!(lines()[0], wanted, "docs/doors.md: a new function needs a column, and a mark in every row");
}

#[test]
fn each_row_holds_for_its_sample() {
    let rows = rows();
    assert!(rows.len() > 50, "{}", rows.len());
    let mut wrong = Vec::new();
    for row in &rows {
        let payload = row.payload();
        let said = payload.to_string();
        assert_eq!(batch(&payload), Ok(None), "{row:?}");
        for span in row.spans('`') {
            assert!(said.contains(span), "{} of `{}` says nothing of `{span}`", row.sample, row.door);
        }
        for span in row.spans('*') {
            assert_eq!(payload["detail-type"], span, "{}", row.sample);
        }
        for (guardrail, mark) in &row.marks {
            let (is, cause) = match read(&payload, &own_of(*guardrail)) {
                Ok(Reading::Trigger(trigger)) => ("✓", Some(trigger.cause)),
                Ok(Reading::Ignored { cause, .. }) => ("–", Some(cause)),
                Err(TriggerError::Member { path, .. }) if row.door == "direct" && said.contains(&format!("\"{path}\"")) => ("error", None),
                Err(error) => panic!("{guardrail} {}: {error}", row.sample),
            };
            if is != mark {
                wrong.push(format!("\n{guardrail} {}, {}: the table says {mark}, the code {is}", row.door, row.event));
            }
            if let Some(Cause { door, detail, .. }) = cause {
                assert_eq!(serde_json::to_value(door).unwrap(), row.door, "{}", row.sample);
                // These doors' names are what a notice calls the cause.
                if ["cloudtrail", "config-compliance"].contains(&row.door.as_str()) {
                    assert_eq!(detail.as_deref(), row.name(), "{}", row.sample);
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.concat());
}

#[test]
fn each_api_call_wakes_those_that_the_table_says_and_any_other_nobody() {
    let request = json!({"groupId": "sg-0a", "prefixListId": "pl-0a"});
    let response = json!({"vpc": {"vpcId": "vpc-0a"}});
    let names = literals(include_str!("../src/cloudtrail.rs")).into_iter().chain(OTHER_CALLS);
    let in_table: Vec<String> =
        rows().iter().filter(|row| row.door == "cloudtrail").filter_map(|row| Some(row.name()?.to_owned())).collect();
    let mut acted_upon = 0;
    for name in names.chain(in_table.iter().map(String::as_str)) {
        let awake = awake(&call(name, request.clone(), response.clone()));
        acted_upon += usize::from(!awake.is_empty());
        assert_eq!(awake, woken_by("cloudtrail", name), "`{name}`: the code's functions, and those of the table");
    }
    assert!(acted_upon >= 8, "{acted_upon}");
}

#[test]
fn each_detail_type_that_the_code_knows_of_a_source_is_in_the_table_and_on_the_page() {
    let texts = literals(include_str!("../src/lib.rs"));
    let is_known = |detail_type: &str, source: &str| {
        let minimal =
            json!({"detail-type": detail_type, "source": source, "account": corpus::ACCOUNT, "region": corpus::REGION, "detail": {}});
        !matches!(read(&minimal, &own_of(Guardrail::DenySource)), Err(TriggerError::Unrecognised(_)))
    };
    // A call comes under the source of whichever service was called.
    let source_of = |detail_type: &str, source: &str| if detail_type == CALL { "any".to_owned() } else { source.to_owned() };
    let mut known: BTreeSet<(String, String)> = BTreeSet::new();
    for detail_type in &texts {
        let of_it = texts.iter().filter(|source| is_known(detail_type, source));
        known.extend(of_it.map(|source| ((*detail_type).to_owned(), source_of(detail_type, source))));
    }
    let in_table: BTreeSet<(String, String)> = rows()
        .iter()
        .map(Row::payload)
        .filter_map(|payload| {
            let detail_type = payload["detail-type"].as_str()?;
            Some((detail_type.to_owned(), source_of(detail_type, payload["source"].as_str()?)))
        })
        .collect();
    assert_eq!(known, in_table, "detail-types and sources: the code's, and those of the table's samples");
    let page = page();
    for (detail_type, _) in known {
        assert!(page.contains(&format!("*{detail_type}*")), "docs/doors.md does not say *{detail_type}*");
    }
}

#[test]
fn each_delivery_of_an_alarm_is_in_the_table() {
    let raised: Vec<Value> = rows().iter().filter(|row| row.door == "alarm" && !row.woken().is_empty()).map(Row::payload).collect();
    for member in ["/Records/0/Sns", "/alarmData", "/detail/state", "/detail/alarmContributor"] {
        assert!(raised.iter().any(|payload| payload.pointer(member).is_some()), "docs/doors.md has no alarm with `{member}`");
    }
}

#[test]
fn each_managed_rule_wakes_those_that_the_table_says_and_any_other_nobody() {
    let of = |base: &str, rule: &str| with(sample(base), [("/detail/configRuleName", json!(rule))]);
    let mut known = 0;
    for rule in literals(include_str!("../src/config_compliance.rs")) {
        let woken: BTreeSet<Guardrail> =
            ["config-restricted-ssh", "config-flow-logs"].iter().flat_map(|base| triggered(&of(base, rule))).collect();
        known += usize::from(!woken.is_empty());
        assert_eq!(woken, woken_by("config-compliance", rule), "`{rule}`: the code's functions, and those of the table");
    }
    assert_eq!(known, rows().iter().filter(|row| row.door == "config-compliance").count());
}

#[test]
fn each_control_is_in_the_table_and_wakes_its_own_guardrail_alone() {
    for control in Control::ALL {
        let its_row = |row: &&Row| row.door == "security-hub" && row.event == format!("`{control}`");
        let woken: BTreeSet<Guardrail> = rows().iter().filter(its_row).flat_map(Row::woken).collect();
        assert_eq!(woken, BTreeSet::from([control.guardrail()]), "{control}");
    }
}

#[test]
fn each_message_of_config_that_asks_for_a_judgement_is_in_the_table() {
    let invoking: Value = serde_json::from_str(sample("config-rule-change")["invokingEvent"].as_str().unwrap()).unwrap();
    let mut asked = 0;
    for name in literals(include_str!("../src/config_rule.rs")) {
        let invoking = with(invoking.clone(), [("/messageType", json!(name))]).to_string();
        if !triggered(&with(sample("config-rule-change"), [("/invokingEvent", json!(invoking))])).is_empty() {
            asked += 1;
            assert!(!woken_by("config-rule", name).is_empty(), "docs/doors.md has no `{name}` that wakes anybody");
        }
    }
    assert_eq!(asked, 3);
    for (of, id) in [(ResourceType::SecurityGroup, "sg-0a"), (ResourceType::Vpc, "vpc-0a")] {
        let members = [("/configurationItem/resourceType", json!(of.id())), ("/configurationItem/resourceId", json!(id))];
        let invoking = with(invoking.clone(), members).to_string();
        let woken = triggered(&with(sample("config-rule-change"), [("/invokingEvent", json!(invoking))]));
        let its_row = |row: &&Row| row.spans('`') == ["ConfigurationItemChangeNotification", of.id()];
        assert_eq!(woken, rows().iter().filter(its_row).flat_map(Row::woken).collect(), "{}", of.id());
    }
}

#[test]
fn each_action_of_guardduty_whose_source_is_denied_is_in_the_table() {
    let service = "/detail/service/action";
    let remote = json!({"remoteIpDetails": {"ipAddressV4": "198.51.100.23"}});
    let action =
        json!({"networkConnectionAction": remote, "portProbeAction": {"portProbeDetails": [remote]}, "rdsLoginAttemptAction": remote});
    let mut denied = 0;
    for name in literals(include_str!("../src/guardduty.rs")) {
        let action = with(action.clone(), [("/actionType", json!(name))]);
        let woken = triggered(&with(sample("guardduty-ssh-brute-force"), [(service, action)]));
        denied += usize::from(!woken.is_empty());
        assert_eq!(woken, woken_by("guardduty", name), "`{name}`");
    }
    assert_eq!(denied, 3);
}

#[test]
fn each_member_of_a_call_is_answered_by_those_that_the_table_says() {
    let mut answered: BTreeMap<String, BTreeSet<Guardrail>> = BTreeMap::new();
    for guardrail in Guardrail::ALL {
        // The error about a member that nobody has says which ones the function takes.
        let error = read(&json!({"dryRun": true, "nobodys": 1}), &own_of(guardrail)).unwrap_err().to_string();
        let (_, takes) = error.split_once(" takes ").unwrap_or_else(|| panic!("{error}"));
        for member in takes.split('`').skip(1).step_by(2).filter(|member| *member != "dryRun") {
            answered.entry(member.to_owned()).or_default().insert(guardrail);
        }
    }
    let in_table: BTreeMap<String, BTreeSet<Guardrail>> =
        rows().iter().filter(|row| row.door == "direct").map(|row| (row.name().unwrap().to_owned(), row.woken())).collect();
    assert_eq!(answered, in_table, "members of a call: the code's functions, and those of the table");
}
