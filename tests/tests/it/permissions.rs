//! Each function's policy against the calls that its replays really made: nothing missing, nothing unused.

use std::collections::{BTreeMap, BTreeSet};

use palisade_policy::guardrail::Guardrail;
use palisade_policy::response::Mode;
use palisade_tests::case::{ACCOUNT, REGION};
use palisade_tests::permission::{Permissions, Request, requests};
use palisade_tests::proxy::Call;
use serde_json::json;

use crate::cases::plays;
use crate::house::house;
use crate::scene::{Scene, block_on, refuse};
use crate::undo;

/// What a role may do although no replay shows it, and why.
const UNSEEN: [(&str, &[Guardrail], &str); 11] = [
    ("logs:CreateLogStream", &Guardrail::ALL, "Lambda writes the log in the function's name"),
    ("logs:PutLogEvents", &Guardrail::ALL, "Lambda writes the log in the function's name"),
    ("xray:PutTraceSegments", &Guardrail::ALL, "Lambda traces in the function's name"),
    ("xray:PutTelemetryRecords", &Guardrail::ALL, "Lambda traces in the function's name"),
    ("sqs:ReceiveMessage", &[Guardrail::EnableFlowLogs], "Lambda reads the queue of new VPCs in the function's name"),
    ("sqs:DeleteMessage", &[Guardrail::EnableFlowLogs], "Lambda reads the queue of new VPCs in the function's name"),
    ("sqs:GetQueueAttributes", &[Guardrail::EnableFlowLogs], "Lambda reads the queue of new VPCs in the function's name"),
    (
        "ec2:AuthorizeSecurityGroupEgress",
        &[Guardrail::StripDefaultGroup],
        "what was edited in the moment before is put back (default_groups.rs)",
    ),
    (
        "ec2:AuthorizeSecurityGroupIngress",
        &[Guardrail::StripDefaultGroup],
        "what was edited in the moment before is put back (default_groups.rs)",
    ),
    ("ec2:CreateTags", &[Guardrail::StripDefaultGroup], "with its tags"),
    ("logs:StopQuery", &[Guardrail::DenySource], "a search that Lambda's time is too short for"),
];

/// What replays ask for that the deployed template does not give, because its parameters leave it out there.
const BY_PARAMETER: [(&str, &[Guardrail], &str); 2] = [
    ("logs:CreateLogDelivery", &[Guardrail::EnableFlowLogs, Guardrail::UndoChange], "FlowLogBucketArn"),
    ("logs:DeleteLogDelivery", &[Guardrail::EnableFlowLogs, Guardrail::UndoChange], "FlowLogBucketArn"),
];

/// One change of each function under a seal, and a topic that does not take the notice.
fn sealed_and_unpublished() -> Vec<(Guardrail, String, Call)> {
    let settings = [
        ("PALISADE_SEAL_KEY_ARN", "arn:aws:kms:eu-west-1:111122223333:key/5ea15ea1-0000-4000-8000-000000000001"),
        ("PALISADE_FAILURE_QUEUE_URL", "https://sqs.eu-west-1.amazonaws.com/111122223333/palisade-unpublished-notices"),
    ];
    let mut calls = Vec::new();
    for case in [
        "revoke-admin-ingress/console-opens-ssh",
        "strip-default-group/create-vpc",
        "enable-flow-logs/create-vpc",
        "deny-source/one-source-by-direct-call",
        "lift-denials/denials-that-have-ended",
        "undo-change/a-revoked-rule",
    ] {
        let act = block_on(async {
            let scene = Scene::with(case, &settings).await;
            let refused = refuse("Publish", 1..=99, 403, "AuthorizationError");
            (scene.case.guardrail, scene.function(Mode::Enforce, vec![refused]).await.deliver().await)
        });
        calls.extend(act.1.calls.into_iter().map(|call| (act.0, case.to_owned(), call)));
    }
    calls
}

#[test]
fn what_the_replays_call_is_what_the_policies_allow() {
    let mut asked: BTreeMap<Guardrail, BTreeSet<String>> = BTreeMap::new();
    let mut wrong = BTreeSet::new();
    let mut calls: Vec<(Guardrail, String, Call)> =
        undo::calls().into_iter().map(|call| (Guardrail::UndoChange, "undo.rs".to_owned(), call)).collect();
    calls.extend(sealed_and_unpublished());
    for (case, played) in plays() {
        let Ok(play) = played else { continue };
        let (first, second) = play.enforced.as_ref().map(|(first, second)| (&first.calls, &second.calls)).unzip();
        let made = [Some(&play.dry_run.calls), first, second].into_iter().flatten().flatten();
        calls.extend(made.map(|call| (case.guardrail, case.name.clone(), call.clone())));
    }
    for (guardrail, place, call) in &calls {
        let role = &house().roles[guardrail];
        for request in requests(call, ACCOUNT, REGION).unwrap() {
            // EC2's resources are named alike everywhere; a topic, a role, a log group, a key and an IP set are the case's own.
            let allowed = if request.action.starts_with("ec2:") { role.allows(&request) } else { role.actions().contains(&request.action) };
            let by_parameter = BY_PARAMETER.iter().any(|(action, of, _)| *action == request.action && of.contains(guardrail));
            if !allowed && !by_parameter {
                wrong.insert(format!("{guardrail} may not do what it does in {place}: {request:?}"));
            }
            asked.entry(*guardrail).or_default().insert(request.action);
        }
    }
    for (guardrail, role) in &house().roles {
        let asked = asked.get(guardrail).cloned().unwrap_or_default();
        for action in role.actions().difference(&asked) {
            if !UNSEEN.iter().any(|(unseen, of, _)| unseen == action && of.contains(guardrail)) {
                wrong.insert(format!("{guardrail} may do {action}, and no replay does it"));
            }
        }
        for (action, of, _) in &UNSEEN {
            if of.contains(guardrail) && !role.actions().contains(*action) {
                wrong.insert(format!("{guardrail} may not do {action} at all: it need not be listed"));
            }
            if of.contains(guardrail) && asked.contains(*action) {
                wrong.insert(format!("{guardrail} does {action} in a replay: it need not be listed"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.into_iter().collect::<Vec<_>>().join("\n"));
}

#[test]
fn no_policy_has_a_star_for_an_action_and_no_mutation_has_one_for_a_resource() {
    for (guardrail, role) in &house().roles {
        assert!(role.actions().len() > 5, "{guardrail}");
        for action in role.actions() {
            assert!(!action.contains('*'), "{guardrail} may do {action}");
            let on_anything = Request { action: action.clone(), resource: "anything".to_owned(), keys: every_key() };
            let reads = ["Describe", "Get", "Stop"].iter().any(|verb| action.split(':').nth(1).is_some_and(|name| name.starts_with(verb)));
            // These know no resource: CloudWatch's and X-Ray's of the traces, and the verdicts for AWS Config.
            let knows_none = action.starts_with("xray:") || action == "config:PutEvaluations";
            assert!(reads || knows_none || !role.allows(&on_anything), "{guardrail} may do {action} on anything");
        }
    }
}

#[test]
fn no_role_may_tag_or_untag_without_naming_the_tags() {
    for (guardrail, role) in &house().roles {
        for action in ["ec2:CreateTags", "ec2:DeleteTags"] {
            for kind in ["network-acl/acl-1", "security-group/sg-1", "vpc/vpc-1", "security-group-rule/sgr-1", "vpc-flow-log/fl-1"] {
                let resource = format!("arn:aws:ec2:{REGION}:{ACCOUNT}:{kind}");
                let request = Request { action: action.to_owned(), resource, keys: BTreeMap::new() };
                assert!(!role.allows(&request), "{guardrail} may, without a key, {request:?}");
            }
        }
    }
}

fn every_key() -> BTreeMap<String, Vec<String>> {
    let keys = [
        ("aws:RequestedRegion", "eu-west-1"),
        ("ec2:CreateAction", "CreateFlowLogs"),
        ("iam:PassedToService", "vpc-flow-logs.amazonaws.com"),
    ];
    keys.into_iter().map(|(key, value)| (key.to_owned(), vec![value.to_owned()])).collect()
}

#[test]
fn a_policy_is_judged_as_iam_would() {
    let policy = json!({"Statement": [
        {"Effect": "Allow", "Action": "ec2:DescribeVpcs", "Resource": "*", "Condition": {"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}},
        {"Effect": "Allow", "Action": ["ec2:CreateTags"], "Resource": "arn:aws:ec2:*:1:network-acl/*",
         "Condition": {"ForAllValues:StringLike": {"aws:TagKeys": "palisade:deny:*"}}},
        {"Effect": "Allow", "Action": "ec2:DeleteTags", "Resource": "arn:aws:ec2:*:1:network-acl/*",
         "Condition": {"ForAllValues:StringLike": {"aws:TagKeys": "palisade:deny:*"}, "Null": {"aws:TagKeys": "false"}}},
        {"Effect": "Allow", "Action": "ec2:DescribeTags", "Resource": "*", "Condition": {"Null": {"aws:TagKeys": "true"}}},
    ]});
    let role = Permissions::read([&policy]).unwrap();
    type Row = (&'static str, &'static str, &'static [(&'static str, &'static str)], bool);
    let table: [Row; 14] = [
        ("ec2:DescribeVpcs", "*", &[("aws:RequestedRegion", "eu-west-1")], true),
        ("ec2:DescribeVpcs", "*", &[("aws:RequestedRegion", "eu-west-2")], false),
        ("ec2:DescribeVpcs", "*", &[], false),
        ("ec2:DescribeSubnets", "*", &[("aws:RequestedRegion", "eu-west-1")], false),
        ("ec2:CreateTags", "arn:aws:ec2:r:1:network-acl/acl-1", &[("aws:TagKeys", "palisade:deny:in:x")], true),
        ("ec2:CreateTags", "arn:aws:ec2:r:1:network-acl/acl-1", &[("aws:TagKeys", "Name")], false),
        ("ec2:CreateTags", "arn:aws:ec2:r:2:network-acl/acl-1", &[("aws:TagKeys", "palisade:deny:in:x")], false),
        ("ec2:CreateTags", "arn:aws:ec2:r:1:vpc/vpc-1", &[("aws:TagKeys", "palisade:deny:in:x")], false),
        // Each of no keys is as it should be.
        ("ec2:CreateTags", "arn:aws:ec2:r:1:network-acl/acl-1", &[], true),
        ("ec2:DeleteTags", "arn:aws:ec2:r:1:network-acl/acl-1", &[], false),
        ("ec2:DeleteTags", "arn:aws:ec2:r:1:network-acl/acl-1", &[("aws:TagKeys", "palisade:deny:in:x")], true),
        ("ec2:DeleteTags", "arn:aws:ec2:r:1:network-acl/acl-1", &[("aws:TagKeys", "Name")], false),
        ("ec2:DescribeTags", "*", &[], true),
        ("ec2:DescribeTags", "*", &[("aws:TagKeys", "Name")], false),
    ];
    for (action, resource, keys, allowed) in table {
        let keys = keys.iter().map(|(key, value)| ((*key).to_owned(), vec![(*value).to_owned()])).collect();
        let request = Request { action: action.to_owned(), resource: resource.to_owned(), keys };
        assert_eq!(role.allows(&request), allowed, "{request:?}");
    }
    for unknown in [
        json!({"Statement": {"Effect": "Deny", "Action": "ec2:DescribeVpcs", "Resource": "*"}}),
        json!({"Statement": {"Effect": "Allow", "NotAction": "ec2:DescribeVpcs", "Resource": "*"}}),
        json!({"Statement": {"Effect": "Allow", "Action": "a:B", "Resource": "*", "Condition": {"Bool": {"a": "true"}}}}),
    ] {
        assert!(Permissions::read([&unknown]).is_err(), "{unknown}");
    }
}
