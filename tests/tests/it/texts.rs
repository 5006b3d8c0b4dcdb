//! What a person reads: the text of each guardrail's notice for each thing that can become of a target. They are to be read aloud.

use std::time::Duration;

use palisade_policy::response::Mode;
use palisade_tests::replay::literal_text;

use crate::scene::{Scene, block_on, refuse};

/// What goes wrong, if anything.
#[derive(Clone, Copy)]
enum Trouble {
    None,
    /// The last call that changes something is denied: what was done before is half of it.
    Denied(&'static str),
    /// There is no time for more than one target.
    NoTime,
    /// It is deleted, or was never there.
    Unreadable(&'static str),
    /// Nothing: there is another setting.
    Set(&'static str, &'static str),
}

use Trouble::{Denied, NoTime, None as Fine, Set, Unreadable};

const SEALED: Trouble = Set("PALISADE_SEAL_KEY_ARN", "arn:aws:kms:eu-west-1:111122223333:key/5ea15ea1-0000-4000-8000-000000000001");

#[test]
fn notices_can_be_understood_by_a_tired_person() {
    let texts: &[(&str, &str, Mode, Trouble)] = &[
        ("revoke: would change", "revoke-admin-ingress/range-20-25", Mode::DryRun, Fine),
        ("revoke: changed", "revoke-admin-ingress/range-20-25", Mode::Enforce, Fine),
        ("revoke: refused over the blast radius", "revoke-admin-ingress/blast-radius", Mode::Enforce, Fine),
        ("revoke: refused out of time", "revoke-admin-ingress/sweep-by-direct-call", Mode::Enforce, NoTime),
        ("revoke: failed", "revoke-admin-ingress/console-opens-ssh", Mode::Enforce, Denied("RevokeSecurityGroupIngress")),
        ("revoke: half done", "revoke-admin-ingress/range-20-25", Mode::Enforce, Denied("RevokeSecurityGroupIngress")),
        ("revoke: unreadable", "revoke-admin-ingress/console-opens-ssh", Mode::Enforce, Unreadable("DescribeSecurityGroups")),
        ("revoke: exempt, ends soon", "revoke-admin-ingress/exemption-ends-within-a-week", Mode::Enforce, Fine),
        ("revoke: gone", "revoke-admin-ingress/group-is-gone", Mode::Enforce, Fine),
        ("strip: would change", "strip-default-group/create-vpc", Mode::DryRun, Fine),
        ("strip: changed", "strip-default-group/create-vpc", Mode::Enforce, Fine),
        ("strip: refused in use", "strip-default-group/group-in-use", Mode::Enforce, Fine),
        ("strip: half done", "strip-default-group/create-vpc", Mode::Enforce, Denied("RevokeSecurityGroupEgress")),
        ("strip: failed", "strip-default-group/create-vpc", Mode::Enforce, Denied("RevokeSecurityGroupIngress")),
        ("strip: exempt, ends soon", "strip-default-group/exemption-ends-within-a-week", Mode::Enforce, Fine),
        ("strip: gone", "strip-default-group/vpc-is-gone", Mode::Enforce, Fine),
        ("flow logs: would change", "enable-flow-logs/create-vpc", Mode::DryRun, Fine),
        ("flow logs: changed", "enable-flow-logs/create-vpc", Mode::Enforce, Fine),
        ("flow logs: refused", "enable-flow-logs/failing-to-the-same-log-group", Mode::Enforce, Fine),
        ("flow logs: failed", "enable-flow-logs/create-vpc", Mode::Enforce, Denied("CreateFlowLogs")),
        ("flow logs: exempt, ends soon", "enable-flow-logs/exemption-ends-within-a-week", Mode::Enforce, Fine),
        ("flow logs: gone", "enable-flow-logs/vpc-is-gone", Mode::Enforce, Fine),
        ("deny: would change", "deny-source/guardduty-ssh-brute-force", Mode::DryRun, Fine),
        ("deny: changed", "deny-source/guardduty-ssh-brute-force", Mode::Enforce, Fine),
        ("deny: refused", "deny-source/never-denied", Mode::Enforce, Fine),
        ("deny: half done", "deny-source/guardduty-ssh-brute-force", Mode::Enforce, Denied("CreateNetworkAclEntry")),
        ("deny: failed", "deny-source/guardduty-ssh-brute-force", Mode::Enforce, Denied("CreateTags")),
        ("deny: exempt, ends soon", "deny-source/exempt-acl-ends-within-a-week", Mode::Enforce, Fine),
        ("lift: would change", "lift-denials/denials-that-have-ended", Mode::DryRun, Fine),
        ("lift: changed", "lift-denials/denials-that-have-ended", Mode::Enforce, Fine),
        ("lift: refused", "lift-denials/acls-over-the-blast-radius", Mode::Enforce, Fine),
        ("lift: half done", "lift-denials/denials-that-have-ended", Mode::Enforce, Denied("DeleteTags")),
        ("sealed: changed", "strip-default-group/create-vpc", Mode::Enforce, SEALED),
        ("exemptions off: changed", "revoke-admin-ingress/range-20-25", Mode::Enforce, Set("PALISADE_EXEMPTIONS", "off")),
        ("undo: would change", "undo-change/a-revoked-rule", Mode::DryRun, Fine),
        ("undo: changed", "undo-change/a-denial", Mode::Enforce, Fine),
        ("undo: refused, edited since", "undo-change/edited-since", Mode::Enforce, Fine),
        ("undo: refused, altered", "undo-change/an-altered-notice", Mode::Enforce, Fine),
        ("undo: failed", "undo-change/a-default-group", Mode::Enforce, Denied("AuthorizeSecurityGroupIngress")),
    ];
    let mut all = String::new();
    for (what, case, mode, trouble) in texts {
        let text = block_on(text(case, *mode, *trouble));
        all.push_str(&format!("=== {what} ({case})\n\n{text}\n\n"));
    }
    insta::assert_snapshot!(all);
}

/// The notices of one delivery, with literal ids and without times of the day.
async fn text(case: &str, mode: Mode, trouble: Trouble) -> String {
    let settings: &[(&str, &str)] = if let Set(name, value) = &trouble { &[(*name, *value)] } else { &[] };
    let scene = Scene::with(case, settings).await;
    let faults = match trouble {
        Fine | NoTime | Set(..) => Vec::new(),
        Denied(action) | Unreadable(action) => vec![refuse(action, 1..=99, 403, "UnauthorizedOperation")],
    };
    let mut function = scene.function(mode, faults).await;
    if matches!(trouble, NoTime) {
        function.lambda.set_timeout(Duration::from_secs(20));
    }
    let act = function.deliver().await;
    let texts: Vec<String> = act.notices.iter().map(|notice| format!("{}\n\n{}", notice.subject, notice.email.trim_end())).collect();
    if texts.is_empty() {
        return "(nobody is told)".to_owned();
    }
    without_seals(&literal_text(&scene.case, &scene.made, &texts.join("\n\n--- and\n\n")).unwrap())
}

/// Every key is new, and so are the hash and the time of a seal.
fn without_seals(text: &str) -> String {
    let mut parts = text.split(r#""seal":{"#);
    let mut without = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (_, rest) = part.split_once('}').unwrap();
        without.push_str(r#""seal":{…}"#);
        without.push_str(rest);
    }
    without
}
