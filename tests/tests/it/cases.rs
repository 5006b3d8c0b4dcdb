//! Every case folder, in both modes, each delivered twice.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use palisade_policy::guardrail::Guardrail;
use palisade_tests::case::Case;
use palisade_tests::expected::differences;
use palisade_tests::replay::{Play, play};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::scene::{aws, block_on, with_aws_of_its_own};

/// Every case, played: once for all tests.
pub(crate) fn plays() -> &'static [(Case, Result<Play, String>)] {
    static PLAYS: OnceLock<Vec<(Case, Result<Play, String>)>> = OnceLock::new();
    PLAYS.get_or_init(|| {
        with_aws_of_its_own(|| {
            block_on(async {
                let at_once = Arc::new(Semaphore::new(3));
                let mut running = JoinSet::new();
                for case in Case::all().unwrap() {
                    let at_once = Arc::clone(&at_once);
                    running.spawn(async move {
                        let _turn = at_once.acquire().await;
                        let played = play(aws(), &case, true).await.map_err(|error| format!("{error:#}"));
                        (case, played)
                    });
                }
                running.join_all().await
            })
        })
    })
}

#[test]
fn every_case_comes_out_as_expected() {
    let wrong = plays().iter().filter_map(|(case, played)| {
        let wrong = match played {
            Ok(played) => [played.broken.clone(), differences(case, played)].concat(),
            Err(error) => vec![format!("can't be played: {error}")],
        };
        (!wrong.is_empty()).then(|| format!("{}\n  {}", case.full_name(), wrong.join("\n  ")))
    });
    let failures: BTreeSet<String> = wrong.collect();
    assert!(failures.is_empty(), "{}", failures.into_iter().collect::<Vec<_>>().join("\n"));
}

#[test]
fn every_guardrail_has_the_cases_that_its_readers_would_try_first() {
    let cases: BTreeSet<(Guardrail, String)> = Case::all().unwrap().into_iter().map(|case| (case.guardrail, case.name)).collect();
    for guardrail in Guardrail::ALL {
        let wanted: &[&str] = match guardrail {
            Guardrail::RevokeAdminIngress => &[
                "console-opens-ssh",
                "rdp-over-ipv6",
                "all-tcp-ports",
                "range-20-25",
                "all-traffic",
                "split-halves",
                "world-and-office-in-one-permission",
                "prefix-list-holds-the-world",
                "source-is-a-security-group",
                "udp-22",
                "clean-group",
                "group-is-gone",
                "modify-widens-a-rule",
                "our-own-role",
                "failed-call",
                "nearly-full-group",
                "sweep",
            ],
            Guardrail::EnableFlowLogs => &[
                "create-vpc",
                "create-default-vpc",
                "delete-flow-log",
                "delete-several-flow-logs",
                "all-suffices-for-reject",
                "accept-and-reject-are-all",
                "only-accept-is-not-enough",
                "subnet-level-does-not-count",
                "failing-to-deliver-elsewhere",
                "failing-to-the-same-log-group",
                "s3-destination",
                "exempt-vpc",
                "vpc-is-gone",
                "another-accounts-vpc",
                "sweep-of-vpcs",
                "named-vpcs-by-direct-call",
                "own-role-deletes-flow-logs",
                "failed-create-vpc",
            ],
            Guardrail::StripDefaultGroup => &[
                "create-vpc",
                "create-default-vpc",
                "authorize-egress-on-default",
                "authorize-on-another-group",
                "modify-rules",
                "group-in-use",
                "group-in-use-strip",
                "ipv6-and-self-reference",
                "already-empty",
                "exempt-group",
                "exempt-rule",
                "vpc-is-gone",
                "sweep",
            ],
            Guardrail::DenySource => &[
                "one-source-by-direct-call",
                "ipv6-source",
                "never-denied",
                "the-denial-that-ends-soonest-makes-room",
                "quota-of-entries",
                "all-numbers-taken-by-others",
                "a-denial-that-was-overtaken-is-moved",
                "ip-sets-take-turns",
                "alarm-without-source",
                "alarm-sns",
                "guardduty-ssh-brute-force",
                "guardduty-actor",
                "five-hundred-sources",
            ],
            Guardrail::LiftDenials => &["denials-that-have-ended", "tags-that-somebody-edited", "ip-sets-that-have-ended"],
            Guardrail::UndoChange => &["a-revoked-rule", "a-denial", "an-altered-notice", "edited-since", "a-default-group"],
        };
        for name in wanted {
            assert!(cases.contains(&(guardrail, (*name).to_owned())), "{guardrail} has no case {name}");
        }
    }
}
