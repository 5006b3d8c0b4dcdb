//! What GuardDuty finds, and whom it names as the attacker.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

#[allow(dead_code, reason = "every test takes what it needs")]
mod corpus;

use corpus::samples::{own_of, sample, table, told};
use corpus::{with, without};
use palisade_policy::guardrail::Guardrail::{self, DenySource};
use palisade_policy::trigger::{Cause, Door, Targets};
use palisade_trigger::{Reading, read};
use serde_json::{Value, json};

const DENIED: &str = "deny: 198.51.100.23/32 at subnet-0b1c2d3e4f5a60718";
const CONNECTION: &str = "/detail/service/action/networkConnectionAction";

fn ours() -> Value {
    sample("guardduty-ssh-brute-force")
}

/// The finding with another member of its `service`.
fn service(pointer: &str, value: Value) -> Value {
    with(ours(), [(format!("/detail/service{pointer}").as_str(), value)])
}

/// The finding with another `remoteIpDetails`.
fn remote(details: Value) -> Value {
    with(ours(), [(format!("{CONNECTION}/remoteIpDetails").as_str(), details)])
}

#[test]
fn the_samples_are_read_as_their_names_say() {
    table(
        DenySource,
        [
            (sample("guardduty-ssh-brute-force"), DENIED),
            (sample("guardduty-port-probe-two-sources"), "deny: 198.51.100.41/32 203.0.113.77/32 at subnet-0b1c2d3e4f5a60718"),
            (sample("guardduty-ipv6"), "deny: 2001:db8:bad::25/128 at subnet-0b1c2d3e4f5a60718"),
            (sample("guardduty-rds-login"), "deny: 203.0.113.140/32"),
            (sample("guardduty-actor"), "ignored: we are `ACTOR` in the finding, not its target"),
            (sample("guardduty-outbound"), "ignored: the connection is outbound"),
            (sample("guardduty-sample"), "ignored: the finding is a sample"),
            (sample("guardduty-archived"), "ignored: the finding is archived"),
        ],
    );
}

#[test]
fn only_a_finding_in_which_we_are_the_target_names_an_attacker() {
    table(
        DenySource,
        [
            (service("/resourceRole", json!("ACTOR")), "ignored: we are `ACTOR` in the finding, not its target"),
            (service("/resourceRole", json!("target")), "ignored: we are `target` in the finding, not its target"),
            (service("/resourceRole", Value::Null), "ignored: the finding does not say that we are its target"),
            (service("/resourceRole", json!(7)), "error: `detail.service.resourceRole` is not a text"),
            (without(ours(), ["/detail/service"]), "ignored: the finding does not say that we are its target"),
        ],
    );
}

#[test]
fn a_connection_counts_unless_it_is_outbound_and_blocked_or_not() {
    let direction = |value: Value| with(ours(), [(format!("{CONNECTION}/connectionDirection").as_str(), value)]);
    table(
        DenySource,
        [
            (direction(json!("INBOUND")), DENIED),
            (direction(json!("IN")), DENIED),
            (direction(json!("UNKNOWN")), DENIED),
            (direction(Value::Null), DENIED),
            (direction(json!("OUTBOUND")), "ignored: the connection is outbound"),
            (direction(json!("OUT")), "ignored: the connection is outbound"),
            (direction(json!(1)), "error: `detail.service.action.networkConnectionAction.connectionDirection` is not a text"),
            (with(ours(), [(format!("{CONNECTION}/blocked").as_str(), json!(true))]), DENIED),
        ],
    );
}

#[test]
fn an_action_whose_traffic_crosses_no_network_acl_is_ignored() {
    for action in ["AWS_API_CALL", "DNS_REQUEST", "KUBERNETES_API_CALL", "SOMETHING_NEW", ""] {
        let wanted = format!("ignored: `{action}` names no source whose traffic crosses a network ACL");
        assert_eq!(told(DenySource, &service("/action/actionType", json!(action))), wanted);
    }
    let none = "ignored: the finding has no action, so it names no source whose traffic crosses a network ACL";
    let sequence = json!({"sequence": {"endpoints": [{"ip": "198.51.100.23"}], "actors": [], "signals": []}});
    table(
        DenySource,
        [
            (without(ours(), ["/detail/service/action"]), none),
            (with(without(ours(), ["/detail/service/action"]), [("/detail/service/detection", sequence)]), none),
        ],
    );
}

#[test]
fn a_sample_or_an_archived_finding_is_ignored_in_every_shape() {
    let sample = "ignored: the finding is a sample";
    let info = |value: Value| service("/additionalInfo", value);
    table(
        DenySource,
        [
            (info(json!({"sample": true})), sample),
            (info(json!({"sample": "true"})), sample),
            (info(json!({"value": "{\"sample\":true}", "type": "default"})), sample),
            (info(json!({"value": "{\"threatName\": \"x\", \"sample\" : true}"})), sample),
            (info(json!({"value": {"sample": true}})), sample),
            (info(json!({"sample": false})), DENIED),
            (info(json!({"value": "{\"sample\":false}"})), DENIED),
            (info(json!({"value": "{\"sample\":tr"})), DENIED),
            (info(json!({"value": ""})), DENIED),
            (info(Value::Null), DENIED),
            (info(json!("sample")), DENIED),
            (service("/archived", json!(true)), "ignored: the finding is archived"),
            (service("/archived", json!("true")), "ignored: the finding is archived"),
            (service("/archived", json!(false)), DENIED),
            (without(ours(), ["/detail/service/archived"]), DENIED),
        ],
    );
}

#[test]
fn an_address_is_one_address_and_what_is_none_is_named() {
    let path = "detail.service.action.networkConnectionAction.remoteIpDetails";
    let not = |member: &str, text: &str| format!("error: `{path}.{member}` can't be used: `{text}` is not an IP address");
    let wide = |text: &str| {
        format!(
            "error: `{path}.ipAddressV4` can't be used: `{text}` is wider than one address, and only a direct call may name such a block"
        )
    };
    for text in ["scanner.example.com", "198.51.100.023", "198.51.100", "198.51.100.23 ", "198.51.100.23:22", "fe80::1%eth0", "10.0.0.1/8"]
    {
        assert_eq!(told(DenySource, &remote(json!({"ipAddressV4": text}))), not("ipAddressV4", text));
        assert_eq!(told(DenySource, &remote(json!({"ipAddressV6": text}))), not("ipAddressV6", text));
    }
    let at = "at subnet-0b1c2d3e4f5a60718";
    table(
        DenySource,
        [
            (remote(json!({"ipAddressV4": "10.0.0.0/8"})), &wide("10.0.0.0/8")),
            (remote(json!({"ipAddressV4": "0.0.0.0/0"})), &wide("0.0.0.0/0")),
            (remote(json!({"ipAddressV4": "198.51.100.23/32"})), &format!("deny: 198.51.100.23/32 {at}")),
            (remote(json!({"ipAddressV4": "198.51.100.23", "ipAddressV6": ""})), &format!("deny: 198.51.100.23/32 {at}")),
            (remote(json!({"ipAddressV4": "", "ipAddressV6": "2001:DB8::0:25"})), &format!("deny: 2001:db8::25/128 {at}")),
            (
                remote(json!({"ipAddressV4": "198.51.100.23", "ipAddressV6": "2001:db8::25"})),
                &format!("deny: 198.51.100.23/32 2001:db8::25/128 {at}"),
            ),
            // Which addresses may be denied is the policy's to say: here they are addresses like others.
            (remote(json!({"ipAddressV6": "::ffff:198.51.100.23"})), &format!("deny: ::ffff:198.51.100.23/128 {at}")),
            (remote(json!({"ipAddressV4": "10.0.0.1"})), &format!("deny: 10.0.0.1/32 {at}")),
            (remote(json!({"ipAddressV4": 3_325_256_727_u32})), &format!("error: `{path}.ipAddressV4` is not a text")),
            (remote(json!({"ipAddressV4": {"content": "198.51.100.23"}})), &format!("error: `{path}.ipAddressV4` is not a text")),
            (remote(json!({"country": {"countryName": "Netherlands"}})), "error: `detail.service.action` names no remote address"),
            (remote(Value::Null), "error: `detail.service.action` names no remote address"),
            (remote(json!("198.51.100.23")), "error: `detail.service.action` names no remote address"),
            (
                with(
                    sample("guardduty-port-probe-two-sources"),
                    [("/detail/service/action/portProbeAction/portProbeDetails/1/remoteIpDetails/ipAddressV4", json!("nobody"))],
                ),
                "error: `detail.service.action.portProbeAction.portProbeDetails[1].remoteIpDetails.ipAddressV4` can't be used: `nobody` is not \
             an IP address",
            ),
        ],
    );
}

#[test]
fn one_remote_may_be_an_object_and_several_a_list() {
    let attempt = "/detail/service/action/rdsLoginAttemptAction";
    let several = json!([{"ipAddressV4": "203.0.113.140"}, {"ipAddressV4": "203.0.113.141"}, {"ipAddressV4": "203.0.113.140"}]);
    let rds = || sample("guardduty-rds-login");
    let details = sample("guardduty-port-probe-two-sources")["detail"]["service"]["action"]["portProbeAction"]["portProbeDetails"].clone();
    table(
        DenySource,
        [
            (with(rds(), [(format!("{attempt}/remoteIpDetails").as_str(), several)]), "deny: 203.0.113.140/32 203.0.113.141/32"),
            (with(rds(), [(attempt, json!([{"remoteIpDetails": {"ipAddressV4": "203.0.113.140"}}]))]), "deny: 203.0.113.140/32"),
            (
                with(
                    sample("guardduty-port-probe-two-sources"),
                    [("/detail/service/action/portProbeAction/portProbeDetails", details[0].clone())],
                ),
                "deny: 198.51.100.41/32 at subnet-0b1c2d3e4f5a60718",
            ),
            (
                with(sample("guardduty-port-probe-two-sources"), [("/detail/service/action/portProbeAction/portProbeDetails", json!([]))]),
                "error: `detail.service.action` names no remote address",
            ),
        ],
    );
}

#[test]
fn the_subnet_is_that_of_the_interface_with_the_attacked_address_or_else_all_of_them() {
    let local = |value: Value| with(ours(), [(format!("{CONNECTION}/localIpDetails").as_str(), value)]);
    let interfaces = |value: Value| with(ours(), [("/detail/resource/instanceDetails/networkInterfaces", value)]);
    let all = "deny: 198.51.100.23/32 at subnet-0c2d3e4f5a6b70819 subnet-0b1c2d3e4f5a60718";
    let second = "deny: 198.51.100.23/32 at subnet-0c2d3e4f5a6b70819";
    let probe = sample("guardduty-port-probe-two-sources");
    let two = ours()["detail"]["resource"]["instanceDetails"]["networkInterfaces"].clone();
    let probe = with(probe, [("/detail/resource/instanceDetails/networkInterfaces", two)]);
    let second_probe = "/detail/service/action/portProbeAction/portProbeDetails/1/localIpDetails";
    table(
        DenySource,
        [
            (local(json!({"ipAddressV4": "10.20.2.14"})), second),
            (local(json!({"ipAddressV6": "2001:DB8:20:1::14"})), DENIED),
            (local(json!({"ipAddressV4": "10.20.9.9"})), all),
            (local(json!({"ipAddressV4": "nobody"})), all),
            (local(Value::Null), all),
            (
                with(
                    local(json!({"ipAddressV4": "10.20.2.99"})),
                    [("/detail/resource/instanceDetails/networkInterfaces/0/privateIpAddresses/0/privateIpAddress", json!("10.20.2.99"))],
                ),
                second,
            ),
            (with(ours(), [("/detail/resource/instanceDetails/networkInterfaces/0/subnetId", json!("subnet-0b1c2d3e4f5a60718"))]), DENIED),
            (without(ours(), ["/detail/resource"]), "deny: 198.51.100.23/32"),
            (interfaces(json!([])), "deny: 198.51.100.23/32"),
            (interfaces(json!([{"subnetId": null}])), "deny: 198.51.100.23/32"),
            // Of an interface that is not attacked, nothing is looked at.
            (with(ours(), [("/detail/resource/instanceDetails/networkInterfaces/0/subnetId", json!("junk"))]), DENIED),
            (
                with(ours(), [("/detail/resource/instanceDetails/networkInterfaces/1/subnetId", json!("Replace with valid SubnetID"))]),
                "error: `detail.resource.instanceDetails.networkInterfaces[1].subnetId` can't be used: `Replace with valid SubnetID` is not a \
             subnet id (`subnet-` and lower-case letters or digits)",
            ),
            (
                with(probe.clone(), [(second_probe, json!({"ipAddressV4": "10.20.2.14"}))]),
                "deny: 198.51.100.41/32 203.0.113.77/32 at subnet-0b1c2d3e4f5a60718 subnet-0c2d3e4f5a6b70819",
            ),
            (without(probe, [second_probe]), "deny: 198.51.100.41/32 203.0.113.77/32 at subnet-0c2d3e4f5a6b70819 subnet-0b1c2d3e4f5a60718"),
        ],
    );
}

#[test]
fn of_very_many_sources_the_first_thousand_are_read_each_once() {
    let sources = |payload: &Value| match read(payload, &own_of(DenySource)).unwrap() {
        Reading::Trigger(trigger) => match trigger.targets {
            Targets::Attack(attack) => attack.sources.iter().map(ToString::to_string).collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        },
        Reading::Ignored { why, .. } => panic!("{why}"),
    };
    let five_hundred = sources(&sample("five-hundred-sources"));
    assert_eq!(five_hundred.len(), 500);
    assert_eq!((five_hundred[0].as_str(), five_hundred[499].as_str()), ("198.51.100.1/32", "203.0.113.246/32"));

    let remotes = |count: u32| (0..count).map(|i| json!({"ipAddressV6": format!("2001:db8::{i:x}")}));
    let twice = |details: Vec<Value>| remote(json!([details.clone(), details].concat()));
    assert_eq!(sources(&twice(remotes(600).collect())).len(), 600);
    let many = sources(&twice(remotes(5_000).collect()));
    assert_eq!((many.len(), many[0].as_str(), many[999].as_str()), (1_000, "2001:db8::/128", "2001:db8::3e7/128"));
}

#[test]
fn a_finding_of_another_account_or_region_is_ignored() {
    let account = "ignored: an event of `444455556666`, and this function acts in `111122223333` only";
    let region = "ignored: an event of `us-east-1`, and this function acts in `eu-west-1` only";
    table(
        DenySource,
        [
            (with(ours(), [("/account", json!("444455556666"))]), account),
            // A delegated administrator is told of its members' findings.
            (with(ours(), [("/detail/accountId", json!("444455556666"))]), account),
            (with(ours(), [("/region", json!("us-east-1"))]), region),
            (with(ours(), [("/detail/region", json!("us-east-1"))]), region),
            (without(ours(), ["/detail/accountId", "/detail/region"]), DENIED),
            (without(ours(), ["/account", "/detail/accountId"]), "error: `account` is missing, so whose event it is can't be told"),
        ],
    );
}

#[test]
fn what_is_ignored_is_so_whatever_its_ids_are() {
    let junk = [Value::Null, json!(7), json!("junk"), json!([]), json!({}), json!("0.0.0.0/0"), json!("x".repeat(1_000_000))];
    for name in ["guardduty-actor", "guardduty-outbound", "guardduty-sample", "guardduty-archived"] {
        let why = told(DenySource, &sample(name));
        for junk in &junk {
            let spoilt = with(
                sample(name),
                [
                    (format!("{CONNECTION}/remoteIpDetails/ipAddressV4").as_str(), junk.clone()),
                    (format!("{CONNECTION}/localIpDetails").as_str(), junk.clone()),
                    ("/detail/resource/instanceDetails/networkInterfaces/0/subnetId", junk.clone()),
                    ("/detail/resource/instanceDetails/instanceId", junk.clone()),
                ],
            );
            assert_eq!(told(DenySource, &spoilt), why, "{name}");
        }
    }
}

#[test]
fn another_guardrail_ignores_every_finding_and_another_sender_is_not_believed() {
    for guardrail in Guardrail::ALL.into_iter().filter(|guardrail| *guardrail != DenySource) {
        assert_eq!(told(guardrail, &ours()), format!("ignored: a finding of GuardDuty is not for {guardrail}"));
    }
    let unknown = told(DenySource, &with(ours(), [("/source", json!("my.app"))]));
    assert!(unknown.starts_with("error: unrecognised event: "), "{unknown}");
}

#[test]
fn the_cause_is_the_findings_type() {
    let wanted = Cause {
        event_id: Some("5d0c1f2e-9a47-4b36-8e05-3f6a7b8c9d01".to_owned()),
        time: Some("2026-11-18T02:35:11Z".parse().unwrap()),
        detail: Some("UnauthorizedAccess:EC2/SSHBruteForce".to_owned()),
        ..Cause::new(Door::Guardduty)
    };
    for guardrail in Guardrail::ALL {
        let cause = match read(&ours(), &own_of(guardrail)).unwrap() {
            Reading::Trigger(trigger) => trigger.cause,
            Reading::Ignored { cause, .. } => cause,
        };
        assert_eq!(cause, wanted, "{guardrail}");
    }
}
