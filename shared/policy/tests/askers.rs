//! What those are told who wait for an answer of their own: AWS Config its verdicts, Security Hub its notes.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

use palisade_policy::control::{Control, Finding, FollowUp, Noted, author};
use palisade_policy::evaluation::{About, Compliance, ConfigResource, Evaluation, Inquiry, ResourceType, evaluations, not_applicable};
use palisade_policy::guardrail::Guardrail;
use palisade_policy::plan::Sketch;
use palisade_policy::response::{Outcome, TargetResult};
use proptest::prelude::*;

const EVERY_OUTCOME: [Outcome; 7] =
    [Outcome::Failed, Outcome::Refused, Outcome::Changed, Outcome::WouldChange, Outcome::Exempt, Outcome::Gone, Outcome::Compliant];

fn result(outcome: Outcome, wrong: Option<bool>, reason: &str) -> TargetResult {
    TargetResult {
        resource: "sg-0a".to_owned(),
        outcome,
        reason: reason.to_owned(),
        remarks: Vec::new(),
        changes: Vec::new(),
        undo: Vec::new(),
        permitted: None,
        told: false,
        wrong,
        exempt_until: None,
        sketch: Sketch::default(),
    }
}

fn inquiry(about: About) -> Inquiry {
    Inquiry { result_token: "token".to_owned(), as_of: "2026-11-21T12:00:00Z".parse().unwrap(), about }
}

fn one() -> Inquiry {
    inquiry(About::One(ConfigResource { resource_type: "AWS::EC2::VPC".to_owned(), resource_id: "vpc-0a".to_owned() }))
}

fn verdict(outcome: Outcome, wrong: Option<bool>) -> Option<Compliance> {
    let evaluations = evaluations(&one(), &[result(outcome, wrong, "why")]);
    assert!(evaluations.len() <= 1);
    evaluations.first().map(|evaluation| evaluation.compliance)
}

#[test]
fn the_verdict_is_on_the_state_that_is_left() {
    use Compliance::{Compliant, NonCompliant, NotApplicable};
    let rows = [
        (Outcome::Compliant, None, Some(Compliant)),
        // An exemption is the owner's word that it is right so.
        (Outcome::Exempt, None, Some(Compliant)),
        (Outcome::Exempt, Some(true), Some(Compliant)),
        (Outcome::Changed, Some(false), Some(Compliant)),
        (Outcome::Changed, Some(true), Some(NonCompliant)),
        (Outcome::WouldChange, None, Some(NonCompliant)),
        (Outcome::WouldChange, Some(true), Some(NonCompliant)),
        (Outcome::Refused, Some(true), Some(NonCompliant)),
        (Outcome::Refused, Some(false), Some(Compliant)),
        // Another account's.
        (Outcome::Refused, None, Some(NotApplicable)),
        (Outcome::Failed, Some(true), Some(NonCompliant)),
        (Outcome::Failed, Some(false), Some(Compliant)),
        // What could not be read has no verdict: Config keeps the last.
        (Outcome::Failed, None, None),
        (Outcome::Changed, None, None),
        (Outcome::Gone, None, Some(NotApplicable)),
        (Outcome::Gone, Some(true), Some(NotApplicable)),
    ];
    for (outcome, wrong, wanted) in rows {
        assert_eq!(verdict(outcome, wrong), wanted, "{outcome} {wrong:?}");
    }
}

#[test]
fn the_verdict_on_one_is_on_what_was_asked_about_and_on_every_on_what_was_judged() {
    // Asked about a VPC, its default group is judged.
    let of_vpc = evaluations(&one(), &[result(Outcome::WouldChange, Some(true), "2 rules")]);
    let wanted = Evaluation {
        resource: ConfigResource { resource_type: "AWS::EC2::VPC".to_owned(), resource_id: "vpc-0a".to_owned() },
        compliance: Compliance::NonCompliant,
        annotation: Some("2 rules".to_owned()),
    };
    assert_eq!(of_vpc, [wanted]);
    let results: Vec<TargetResult> = (0..250)
        .map(|i| TargetResult {
            resource: format!("sg-{i}"),
            ..result(if i % 2 == 0 { Outcome::Compliant } else { Outcome::Failed }, None, "why")
        })
        .collect();
    for (of, named) in [(ResourceType::SecurityGroup, "AWS::EC2::SecurityGroup"), (ResourceType::Vpc, "AWS::EC2::VPC")] {
        let every = evaluations(&inquiry(About::Every(of)), &results);
        assert_eq!(every.len(), 125);
        assert!(every.iter().enumerate().all(|(i, one)| one.resource.resource_id == format!("sg-{}", 2 * i)));
        assert!(every.iter().all(|one| one.resource.resource_type == named && one.compliance == Compliance::Compliant));
    }
}

#[test]
fn what_is_not_judged_is_not_applicable_and_of_every_resource_nothing_is_said() {
    let why = "the resource has left the rule's scope";
    let answer = not_applicable(&one(), why);
    assert_eq!(answer.len(), 1);
    assert_eq!(answer[0].resource.resource_id, "vpc-0a");
    assert_eq!((answer[0].compliance, answer[0].annotation.as_deref()), (Compliance::NotApplicable, Some(why)));
    assert_eq!(not_applicable(&inquiry(About::Every(ResourceType::Vpc)), why), []);
}

fn annotation(outcome: Outcome, reason: &str) -> Option<String> {
    evaluations(&one(), &[result(outcome, Some(false), reason)]).remove(0).annotation
}

#[test]
fn an_annotation_says_why_and_of_what_was_changed_that_it_was_so_before() {
    for outcome in EVERY_OUTCOME {
        let wanted = if outcome == Outcome::Changed { "changed by Palisade; before: tcp/22 is open" } else { "tcp/22 is open" };
        assert_eq!(annotation(outcome, "tcp/22 is open").as_deref(), Some(wanted));
    }
}

#[test]
fn an_annotation_has_1_to_256_characters() {
    let text = |characters: usize| "é".repeat(characters);
    assert_eq!(annotation(Outcome::Compliant, ""), None);
    assert_eq!(annotation(Outcome::Compliant, "why"), Some("why".to_owned()));
    assert_eq!(annotation(Outcome::Compliant, &text(256)), Some(text(256)));
    assert_eq!(annotation(Outcome::Compliant, &text(257)), Some(format!("{}…", text(255))));
    let changed = annotation(Outcome::Changed, &text(256)).unwrap();
    assert_eq!((changed.chars().count(), changed.ends_with("é…")), (256, true));
    assert_eq!(not_applicable(&one(), &text(1_000))[0].annotation, Some(format!("{}…", text(255))));
}

fn finding(noted: Noted) -> Finding {
    Finding {
        id: "arn:aws:securityhub:eu-west-1:111122223333:security-control/EC2.13/finding/1".to_owned(),
        product_arn: "arn:aws:securityhub:eu-west-1::product/aws/securityhub".to_owned(),
        control: Control::Ec2_13,
        resource: "sg-0a".to_owned(),
        noted,
    }
}

/// What is written to a finding on which this stands: the note, and whether the finding is resolved.
fn written(noted: Noted, outcome: Outcome, satisfied: bool) -> Option<(String, bool)> {
    let result = result(outcome, None, "tcp/22 admits 0.0.0.0/0");
    let follow_up = finding(noted).follow_up(Guardrail::RevokeAdminIngress, &result, satisfied);
    follow_up.map(|FollowUp { note, resolved }| (note, resolved))
}

#[test]
fn a_finding_is_told_what_became_of_it_and_resolved_when_its_control_is_satisfied() {
    let note = |outcome: Outcome| format!("Palisade revoke-admin-ingress: {outcome}, tcp/22 admits 0.0.0.0/0");
    let another = || Noted::Ours("Palisade revoke-admin-ingress: refused, over the blast radius".to_owned());
    for outcome in EVERY_OUTCOME {
        let same = || Noted::Ours(note(outcome));
        let (open, resolved) = (Some((note(outcome), false)), Some((note(outcome), true)));
        assert_eq!(written(Noted::NothingOfOurs, outcome, false), open);
        assert_eq!(written(Noted::NothingOfOurs, outcome, true), resolved);
        assert_eq!(written(another(), outcome, false), open);
        assert_eq!(written(another(), outcome, true), resolved);
        // Security Hub tells of our own note as of news: to say it again would go on for ever.
        assert_eq!(written(same(), outcome, false), None);
        assert_eq!(written(same(), outcome, true), resolved);
        assert_eq!(written(Noted::Unknown, outcome, false), None);
        assert_eq!(written(Noted::Unknown, outcome, true), resolved);
    }
}

#[test]
fn a_note_says_who_wrote_it() {
    for guardrail in Guardrail::ALL {
        assert_eq!(author(guardrail), format!("palisade/{guardrail}"));
        let note = finding(Noted::NothingOfOurs).follow_up(guardrail, &result(Outcome::Changed, None, "why"), false).unwrap().note;
        assert_eq!(note, format!("Palisade {guardrail}: changed, why"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_the_reason_a_note_fits_and_what_was_written_is_not_written_again(reason in "\\PC{0,600}", outcome in proptest::sample::select(EVERY_OUTCOME.to_vec())) {
        let result = result(outcome, None, &reason);
        let first = finding(Noted::NothingOfOurs).follow_up(Guardrail::StripDefaultGroup, &result, false).unwrap();
        prop_assert!((1..=512).contains(&first.note.chars().count()));
        let whole = format!("Palisade strip-default-group: {outcome}, {reason}");
        let is_whole = first.note == whole;
        let is_cut = first.note.strip_suffix('…').is_some_and(|start| whole.starts_with(start) && start.chars().count() == 511);
        prop_assert!(is_whole || is_cut, "{}", first.note);
        prop_assert_eq!(finding(Noted::Ours(first.note)).follow_up(Guardrail::StripDefaultGroup, &result, false), None);
        let length = annotation(Outcome::Compliant, &reason).map_or(0, |text| text.chars().count());
        prop_assert_eq!(length, reason.chars().count().min(256));
    }
}
