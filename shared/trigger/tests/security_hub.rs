//! What Security Hub finds, which guardrail it concerns, and which finding waits for a note.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

#[allow(dead_code, reason = "every test takes what it needs")]
mod corpus;

use corpus::samples::{own_of, sample, table, told};
use corpus::{with, without};
use palisade_policy::control::{Control, Finding, Noted};
use palisade_policy::guardrail::Guardrail::{self, DenySource, EnableFlowLogs, LiftDenials, RevokeAdminIngress, StripDefaultGroup};
use palisade_policy::trigger::{Asker, Cause, Door};
use palisade_trigger::{Reading, read};
use serde_json::{Value, json};

const LOOK: &str = "look: sg-0868a6c39d5f230f3";
const BOTH: &str = "look: sg-0868a6c39d5f230f3 sg-08a9855c5ad1a091d";
const VPC: &str = "look: vpc-06a70f77f8c08378f";
const GROUP: &str = "sg-0868a6c39d5f230f3";
const OTHER_ACCOUNT: &str = "ignored: an event of `444455556666`, and this function acts in `111122223333` only";
const OTHER_REGION: &str = "ignored: an event of `eu-central-1`, and this function acts in `eu-west-1` only";
const NOT_ITS_OWN: &str = "ignored: the finding is not of Security Hub's own";
const FINDING: &str = "/detail/findings/0";

fn ours() -> Value {
    sample("security-hub-ec2-13")
}

fn ocsf() -> Value {
    sample("security-hub-v2-ec2-13")
}

/// The event with another member of its first finding.
fn finding(payload: Value, pointer: &str, value: Value) -> Value {
    with(payload, [(format!("{FINDING}{pointer}").as_str(), value)])
}

fn not_in_finding(payload: Value, pointer: &str) -> Value {
    without(payload, [format!("{FINDING}{pointer}").as_str()])
}

/// The findings that wait for a note.
fn answered(guardrail: Guardrail, payload: &Value) -> Vec<Finding> {
    match read(payload, &own_of(guardrail)).unwrap() {
        Reading::Trigger(trigger) => match trigger.asker {
            Asker::SecurityHub(findings) => findings,
            other => panic!("{other:?}"),
        },
        Reading::Ignored { asker, .. } => {
            assert_eq!(asker, Asker::Nobody, "a finding that asks for nothing gets no note");
            Vec::new()
        }
    }
}

/// The guardrail that a finding of this control wakes, and where it looks.
fn woken(control: Control) -> (Guardrail, &'static str) {
    match control {
        Control::Ec2_2 => (StripDefaultGroup, LOOK),
        Control::Ec2_6 => (EnableFlowLogs, VPC),
        _ => (RevokeAdminIngress, LOOK),
    }
}

#[test]
fn each_control_wakes_its_guardrail_and_no_other() {
    for control in Control::ALL {
        let payload = sample(&format!("security-hub-{}", control.id().to_lowercase().replace('.', "-")));
        let (its, look) = woken(control);
        for guardrail in Guardrail::ALL {
            let wanted = if guardrail == its { look.to_owned() } else { format!("ignored: {control} is not for {guardrail}") };
            assert_eq!(told(guardrail, &payload), wanted);
        }
    }
}

#[test]
fn the_samples_are_read_as_their_names_say() {
    let finding = |name: &str| sample(&format!("security-hub-{name}"));
    table(
        RevokeAdminIngress,
        [
            (finding("cis-1-2-4-1"), LOOK),
            (finding("cis-3-0-5-2"), LOOK),
            (finding("pci-ec2-5"), LOOK),
            (finding("custom-action"), LOOK),
            (finding("v2-ec2-13"), LOOK),
            (finding("noted"), LOOK),
            (finding("aggregated"), LOOK),
            (finding("several-findings"), BOTH),
            (finding("several-resources"), BOTH),
            (finding("passed"), "ignored: the finding is `PASSED`"),
            (finding("archived"), "ignored: the finding is `ARCHIVED`"),
            (finding("suppressed"), "ignored: the finding is `SUPPRESSED`"),
            (finding("resolved"), "ignored: the finding is `RESOLVED`"),
            (finding("v2-suppressed"), "ignored: the finding is closed (`status_id` 3)"),
            (finding("third-party"), NOT_ITS_OWN),
            (finding("other-account"), OTHER_ACCOUNT),
            (finding("other-region"), OTHER_REGION),
            (finding("fsbp-ec2-2"), "ignored: EC2.2 is not for revoke-admin-ingress"),
            (finding("insight"), "ignored: the results of an insight are no findings"),
        ],
    );
    table(StripDefaultGroup, [(finding("fsbp-ec2-2"), LOOK)]);
    table(EnableFlowLogs, [(finding("v2-ec2-6"), VPC)]);
}

#[test]
fn a_control_is_known_by_each_id_that_a_standard_gives_it() {
    let fsbp = "aws-foundational-security-best-practices/v/1.0.0";
    let ids = [
        ("security-control/EC2.13".to_owned(), Control::Ec2_13),
        (format!("{fsbp}/EC2.2"), Control::Ec2_2),
        (format!("{fsbp}/EC2.6"), Control::Ec2_6),
        (format!("{fsbp}/EC2.18"), Control::Ec2_18),
        (format!("{fsbp}/EC2.19"), Control::Ec2_19),
        ("nist-800-53/v/5.0.0/EC2.13".to_owned(), Control::Ec2_13),
        ("service-managed-aws-control-tower/v/1.0.0/EC2.14".to_owned(), Control::Ec2_14),
        ("arn:aws:securityhub:::ruleset/cis-aws-foundations-benchmark/v/1.2.0/rule/2.9".to_owned(), Control::Ec2_6),
        ("arn:aws:securityhub:::ruleset/cis-aws-foundations-benchmark/v/1.2.0/rule/4.1".to_owned(), Control::Ec2_13),
        ("arn:aws:securityhub:::ruleset/cis-aws-foundations-benchmark/v/1.2.0/rule/4.2".to_owned(), Control::Ec2_14),
        ("arn:aws:securityhub:::ruleset/cis-aws-foundations-benchmark/v/1.2.0/rule/4.3".to_owned(), Control::Ec2_2),
        ("cis-aws-foundations-benchmark/v/1.4.0/3.9".to_owned(), Control::Ec2_6),
        ("cis-aws-foundations-benchmark/v/1.4.0/5.3".to_owned(), Control::Ec2_2),
        ("cis-aws-foundations-benchmark/v/3.0.0/3.7".to_owned(), Control::Ec2_6),
        ("cis-aws-foundations-benchmark/v/3.0.0/5.2".to_owned(), Control::Ec2_53),
        ("cis-aws-foundations-benchmark/v/3.0.0/5.3".to_owned(), Control::Ec2_54),
        ("cis-aws-foundations-benchmark/v/3.0.0/5.4".to_owned(), Control::Ec2_2),
        ("cis-aws-foundations-benchmark/v/5.0.0/3.7".to_owned(), Control::Ec2_6),
        ("cis-aws-foundations-benchmark/v/5.0.0/5.3".to_owned(), Control::Ec2_53),
        ("cis-aws-foundations-benchmark/v/5.0.0/5.4".to_owned(), Control::Ec2_54),
        ("cis-aws-foundations-benchmark/v/5.0.0/5.5".to_owned(), Control::Ec2_2),
        ("pci-dss/v/3.2.1/PCI.EC2.2".to_owned(), Control::Ec2_2),
        ("pci-dss/v/3.2.1/PCI.EC2.5".to_owned(), Control::Ec2_13),
        ("pci-dss/v/3.2.1/PCI.EC2.6".to_owned(), Control::Ec2_6),
        ("pci-dss/v/4.0.1/EC2.13".to_owned(), Control::Ec2_13),
    ];
    for (id, control) in ids {
        let (guardrail, look) = woken(control);
        let of_standard = if control == Control::Ec2_6 { sample("security-hub-ec2-6") } else { sample("security-hub-cis-1-2-4-1") };
        let payload = finding(finding(of_standard, "/Compliance/SecurityControlId", Value::Null), "/GeneratorId", json!(id));
        assert_eq!(told(guardrail, &payload), look, "{id}");
        assert_eq!(answered(guardrail, &payload)[0].control, control, "{id}");
    }
}

#[test]
fn what_is_no_control_of_ours_wakes_nobody() {
    let ids = [
        "security-control/EC2.1",
        "security-control/EC2.130",
        "security-control/ec2.13",
        "aws-foundational-security-best-practices/v/1.0.0/EC2.21",
        "pci-dss/v/3.2.1/PCI.EC2.1",
        // The same number means something else in each edition of CIS.
        "cis-aws-foundations-benchmark/v/1.4.0/4.1",
        "cis-aws-foundations-benchmark/v/3.0.0/5.5",
        "cis-aws-foundations-benchmark/v/5.0.0/5.2",
        "cis-aws-foundations-benchmark/v/1.2.0/5.2",
        "cis-aws-foundations-benchmark/v/9.0.0/5.2",
        "5.2",
        "",
    ];
    for id in ids {
        let payload = finding(sample("security-hub-cis-1-2-4-1"), "/GeneratorId", json!(id));
        for guardrail in Guardrail::ALL {
            assert_eq!(told(guardrail, &payload), format!("ignored: its control is not for {guardrail}"), "{id}");
        }
    }
}

#[test]
fn the_consolidated_id_counts_before_that_of_a_standard() {
    let both = |control: Value| finding(ours(), "/Compliance/SecurityControlId", control);
    table(
        RevokeAdminIngress,
        [
            (both(json!("EC2.2")), "ignored: EC2.2 is not for revoke-admin-ingress"),
            (both(Value::Null), LOOK),
            (both(json!(13)), LOOK),
            (
                not_in_finding(not_in_finding(ours(), "/Compliance/SecurityControlId"), "/GeneratorId"),
                "ignored: its control is not for revoke-admin-ingress",
            ),
            (finding(not_in_finding(ours(), "/Compliance/SecurityControlId"), "/ProductFields/ControlId", json!("EC2.14")), LOOK),
        ],
    );
}

#[test]
fn only_a_finding_that_stands_asks_for_anything() {
    let status = |value: Value| finding(ours(), "/Compliance/Status", value);
    let workflow = |value: Value| finding(ours(), "/Workflow/Status", value);
    let record = |value: Value| finding(ours(), "/RecordState", value);
    let silent = "ignored: the finding does not say that anything failed";
    let not_a_text = |path: &str| format!("error: `detail.findings[0].{path}` is not a text");
    table(
        RevokeAdminIngress,
        [
            (status(json!("PASSED")), "ignored: the finding is `PASSED`"),
            (status(json!("WARNING")), "ignored: the finding is `WARNING`"),
            (status(json!("NOT_AVAILABLE")), "ignored: the finding is `NOT_AVAILABLE`"),
            (status(json!("failed")), "ignored: the finding is `failed`"),
            (status(Value::Null), silent),
            (not_in_finding(sample("security-hub-cis-1-2-4-1"), "/Compliance"), silent),
            (workflow(json!("NEW")), LOOK),
            (workflow(json!("NOTIFIED")), LOOK),
            (not_in_finding(ours(), "/Workflow"), LOOK),
            (workflow(json!("SUPPRESSED")), "ignored: the finding is `SUPPRESSED`"),
            (workflow(json!("RESOLVED")), "ignored: the finding is `RESOLVED`"),
            (record(json!("ARCHIVED")), "ignored: the finding is `ARCHIVED`"),
            (not_in_finding(ours(), "/RecordState"), LOOK),
            // What says whether it stands is not guessed.
            (status(json!(["FAILED"])), &not_a_text("Compliance.Status")),
            (workflow(json!(true)), &not_a_text("Workflow.Status")),
            (record(json!(1)), &not_a_text("RecordState")),
        ],
    );
}

#[test]
fn a_finding_in_ocsf_is_closed_by_its_status_or_its_activity() {
    let id = |name: &str, value: Value| finding(ocsf(), name, value);
    let closed = |what: &str| format!("ignored: the finding is closed ({what})");
    let not_a_number = |name: &str| format!("error: `detail.findings[0].{name}` is not a number");
    table(
        RevokeAdminIngress,
        [
            (id("/status_id", json!(1)), LOOK),
            (id("/status_id", json!(2)), LOOK),
            (id("/status_id", Value::Null), LOOK),
            (id("/status_id", json!(3)), &closed("`status_id` 3")),
            (id("/status_id", json!(4)), &closed("`status_id` 4")),
            (id("/status_id", json!(5)), &closed("`status_id` 5")),
            (id("/activity_id", json!(2)), LOOK),
            (id("/activity_id", json!(3)), &closed("`activity_id` 3")),
            (id("/compliance/status", json!("Fail")), LOOK),
            (id("/compliance/status", json!("FAILED")), LOOK),
            (id("/compliance/status", json!("Pass")), "ignored: the finding's compliance is `Pass`"),
            (id("/compliance/status", json!("Warning")), "ignored: the finding's compliance is `Warning`"),
            (id("/compliance/status", Value::Null), "ignored: the finding does not say that anything failed"),
            (id("/compliance/status", json!(3)), "error: `detail.findings[0].compliance.status` is not a text"),
            // What says whether it is closed is not guessed.
            (id("/status_id", json!("3")), &not_a_number("status_id")),
            (id("/status_id", json!(3.5)), &not_a_number("status_id")),
            (id("/activity_id", json!([3])), &not_a_number("activity_id")),
        ],
    );
}

#[test]
fn a_resource_in_ocsf_is_named_by_id_or_by_arn_in_either_member() {
    let arn = ocsf()["detail"]["findings"][0]["resources"][0]["uid_alt"].clone();
    let named = |uid: Value, alt: Value| finding(finding(ocsf(), "/resources/0/uid", uid), "/resources/0/uid_alt", alt);
    let foreign = |arn: &str| arn.replace("eu-west-1", "eu-central-1");
    table(
        RevokeAdminIngress,
        [
            (named(json!(GROUP), arn.clone()), LOOK),
            (named(arn.clone(), Value::Null), LOOK),
            (named(json!(GROUP), Value::Null), LOOK),
            (named(Value::Null, arn.clone()), LOOK),
            (named(arn.clone(), json!(GROUP)), LOOK),
            (named(json!("a name"), arn.clone()), LOOK),
            (named(json!(GROUP), json!(foreign(arn.as_str().unwrap()))), OTHER_REGION),
            (named(json!("vpc-0a"), Value::Null), "error: `detail.findings[0].resources` names no security group, and EC2.13 is about one"),
            (
                named(json!("sg-0A"), Value::Null),
                "error: `detail.findings[0].resources[0].uid` can't be used: `sg-0A` is not a security group id (`sg-` and lower-case letters or \
                 digits)",
            ),
            (named(json!(7), Value::Null), "error: `detail.findings[0].resources[0].uid` is not a text"),
        ],
    );
}

#[test]
fn of_the_resources_those_count_that_the_control_is_about() {
    let resources = |value: Value| finding(ours(), "/Resources", value);
    let none = "error: `detail.findings[0].Resources` names no security group, and EC2.13 is about one";
    let arn = |path: &str| json!({"Type": "Other", "Id": format!("arn:aws:ec2:eu-west-1:111122223333:{path}"), "Region": "eu-west-1"});
    let group = format!("security-group/{GROUP}");
    table(
        RevokeAdminIngress,
        [
            (resources(json!([arn(&group)])), LOOK),
            (resources(arn(&group)), LOOK),
            (resources(json!([arn("vpc/vpc-0a"), arn(&group), arn(&group)])), LOOK),
            (resources(json!([{"Id": GROUP}])), LOOK),
            (resources(json!([arn("security-group-rule/sgr-0a")])), none),
            (resources(json!([{"Type": "AwsAccount", "Id": "AWS::::Account:111122223333", "Region": "eu-west-1"}])), none),
            (resources(json!([])), none),
            (resources(Value::Null), none),
            (
                resources(json!([arn("security-group/")])),
                "error: `detail.findings[0].Resources[0].Id` can't be used: `` is not a security group id (`sg-` and lower-case letters or digits)",
            ),
            (
                resources(json!([arn(&format!("{group}/{GROUP}"))])),
                &format!(
                    "error: `detail.findings[0].Resources[0].Id` can't be used: `{GROUP}/{GROUP}` is not a security group id (`sg-` and lower-case \
                     letters or digits)"
                ),
            ),
            (resources(json!([{"Id": 7}])), "error: `detail.findings[0].Resources[0].Id` is not a text"),
        ],
    );
    let vpc_is_none = finding(sample("security-hub-ec2-6"), "/Resources", json!([arn(&group)]));
    table(EnableFlowLogs, [(vpc_is_none, "error: `detail.findings[0].Resources` names no VPC, and EC2.6 is about one")]);
}

#[test]
fn the_resources_account_and_region_count_and_the_events_only_where_nothing_else_says_them() {
    let arn = |text: &str| finding(ours(), "/Resources/0/Id", json!(text));
    let untold =
        || finding(finding(not_in_finding(ours(), "/AwsAccountId"), "/Resources/0/Region", Value::Null), "/Resources/0/Id", json!(GROUP));
    table(
        RevokeAdminIngress,
        [
            // Gathered in another Region, or by an administrator's account.
            (with(ours(), [("/region", json!("us-east-1")), ("/account", json!("444455556666"))]), LOOK),
            (finding(ours(), "/Region", json!("us-east-1")), LOOK),
            (finding(ours(), "/AwsAccountId", json!("444455556666")), OTHER_ACCOUNT),
            (finding(ours(), "/Resources/0/Region", json!("eu-central-1")), OTHER_REGION),
            (arn(&format!("arn:aws:ec2:eu-central-1:111122223333:security-group/{GROUP}")), OTHER_REGION),
            (arn(&format!("arn:aws:ec2:eu-west-1:444455556666:security-group/{GROUP}")), OTHER_ACCOUNT),
            (finding(ocsf(), "/cloud/account/uid", json!("444455556666")), OTHER_ACCOUNT),
            (finding(ocsf(), "/cloud/region", json!("eu-central-1")), OTHER_REGION),
            (finding(ocsf(), "/resources/0/owner/account/uid", json!("444455556666")), OTHER_ACCOUNT),
            (finding(ocsf(), "/resources/0/region", json!("eu-central-1")), OTHER_REGION),
            (finding(ours(), "/AwsAccountId", json!(111_122_223_333_u64)), LOOK),
            (untold(), LOOK),
            (with(untold(), [("/account", json!("444455556666"))]), OTHER_ACCOUNT),
            (with(untold(), [("/region", json!("eu-central-1"))]), OTHER_REGION),
            (without(untold(), ["/account"]), "error: `detail.findings[0].AwsAccountId` is missing, so whose event it is can't be told"),
            (without(untold(), ["/region"]), "error: `detail.findings[0].Resources` is missing, so whose event it is can't be told"),
        ],
    );
}

#[test]
fn what_is_ignored_is_so_whatever_its_ids_are() {
    for name in ["passed", "archived", "suppressed", "resolved", "third-party", "other-account", "other-region"] {
        let payload = sample(&format!("security-hub-{name}"));
        let why = told(RevokeAdminIngress, &payload);
        for junk in [json!("junk"), json!(""), json!(7), json!([]), json!({}), Value::Null] {
            let spoilt = finding(finding(payload.clone(), "/Resources/0/Id", junk.clone()), "/Id", junk.clone());
            assert_eq!(told(RevokeAdminIngress, &spoilt), why, "{name} {junk}");
        }
    }
}

#[test]
fn another_product_may_say_what_it_likes() {
    let by = |arn: &str| finding(ours(), "/ProductArn", json!(arn));
    table(
        RevokeAdminIngress,
        [
            (by("arn:aws:securityhub:eu-west-1:111122223333:product/111122223333/default"), NOT_ITS_OWN),
            (by("arn:aws:securityhub:eu-west-1::product/aws/guardduty"), NOT_ITS_OWN),
            (by("arn:aws:securityhub:eu-west-1::product/prowler/prowler"), NOT_ITS_OWN),
            (by("arn:aws:securityhub:eu-west-1::product/aws/securityhub-mine"), NOT_ITS_OWN),
            (by("arn:aws:securityhub:eu-west-1::productv2/aws/securityhub-coverage"), NOT_ITS_OWN),
            (by("product/aws/securityhub"), NOT_ITS_OWN),
            (not_in_finding(ours(), "/ProductArn"), NOT_ITS_OWN),
            (by("arn:aws-us-gov:securityhub:us-gov-west-1::product/aws/securityhub"), LOOK),
            (finding(ocsf(), "/metadata/product/uid", json!("arn:aws:securityhub:eu-west-1::productv2/aws/inspector")), NOT_ITS_OWN),
            (finding(sample("security-hub-third-party"), "/Workflow/Status", json!(7)), NOT_ITS_OWN),
            (
                finding(finding(ocsf(), "/status_id", json!("3")), "/compliance/control", json!("EC2.2")),
                "ignored: EC2.2 is not for revoke-admin-ingress",
            ),
        ],
    );
}

#[test]
fn several_findings_are_each_judged_and_each_of_those_that_ask_is_answered() {
    let several = sample("security-hub-several-findings");
    let answered_of = |payload: &Value| -> Vec<String> {
        answered(RevokeAdminIngress, payload).iter().map(|finding| format!("{} {}", finding.control, finding.resource)).collect()
    };
    assert_eq!(answered_of(&several), ["EC2.13 sg-0868a6c39d5f230f3", "EC2.14 sg-0868a6c39d5f230f3", "EC2.13 sg-08a9855c5ad1a091d"]);
    assert_eq!(answered_of(&sample("security-hub-several-resources")), ["EC2.19 sg-0868a6c39d5f230f3", "EC2.19 sg-08a9855c5ad1a091d"]);
    let first_elsewhere = finding(several.clone(), "/AwsAccountId", json!("444455556666"));
    assert_eq!(told(RevokeAdminIngress, &first_elsewhere), BOTH);
    assert_eq!(answered_of(&first_elsewhere), ["EC2.14 sg-0868a6c39d5f230f3", "EC2.13 sg-08a9855c5ad1a091d"]);
    // Where none asks, the first says why.
    let none =
        with(several, [("/detail/findings/1/Workflow/Status", json!("RESOLVED")), ("/detail/findings/3/RecordState", json!("ARCHIVED"))]);
    table(RevokeAdminIngress, [(finding(none, "/AwsAccountId", json!("444455556666")), OTHER_ACCOUNT)]);
}

#[test]
fn a_finding_is_known_to_security_hub_by_its_id_and_its_product() {
    let wanted = |id: &Value, control: Control, resource: &str, noted: Noted| Finding {
        id: id.as_str().unwrap().to_owned(),
        product_arn: "arn:aws:securityhub:eu-west-1::product/aws/securityhub".to_owned(),
        control,
        resource: resource.to_owned(),
        noted,
    };
    let asff_id = &ours()["detail"]["findings"][0]["Id"];
    assert_eq!(answered(RevokeAdminIngress, &ours()), [wanted(asff_id, Control::Ec2_13, GROUP, Noted::NothingOfOurs)]);
    // BatchUpdateFindings knows a finding of V2 by the product that it has in ASFF.
    let ocsf_id = &ocsf()["detail"]["findings"][0]["finding_info"]["uid"];
    assert_eq!(answered(RevokeAdminIngress, &ocsf()), [wanted(ocsf_id, Control::Ec2_13, GROUP, Noted::NothingOfOurs)]);
    table(
        RevokeAdminIngress,
        [
            (not_in_finding(ours(), "/Id"), "error: `detail.findings[0].Id` is missing"),
            (finding(ocsf(), "/finding_info/uid", json!(7)), "error: `detail.findings[0].finding_info.uid` is not a text"),
        ],
    );
}

#[test]
fn our_own_note_is_known_by_its_author() {
    let noted = |payload: &Value| answered(RevokeAdminIngress, payload)[0].noted.clone();
    let by = |author: &str| finding(sample("security-hub-noted"), "/Note/UpdatedBy", json!(author));
    let text = "Palisade revoke-admin-ingress: would-change, tcp/22 admits 0.0.0.0/0";
    assert_eq!(noted(&sample("security-hub-noted")), Noted::Ours(text.to_owned()));
    assert_eq!(noted(&by("ola.nord@example.com")), Noted::NothingOfOurs);
    assert_eq!(noted(&by("palisade/strip-default-group")), Noted::NothingOfOurs);
    assert_eq!(noted(&not_in_finding(sample("security-hub-noted"), "/Note")), Noted::NothingOfOurs);
    // No page shows where a finding in OCSF has its note; only one that is new has none.
    assert_eq!(noted(&ocsf()), Noted::NothingOfOurs);
    assert_eq!(noted(&finding(ocsf(), "/activity_id", json!(2))), Noted::Unknown);
    assert_eq!(noted(&not_in_finding(ocsf(), "/activity_id")), Noted::Unknown);
}

#[test]
fn an_event_without_a_finding_is_an_error_that_names_it() {
    let findings = |value: Value| with(ours(), [("/detail/findings", value)]);
    let missing = "error: `detail.findings` is missing, or not a list of findings";
    table(
        RevokeAdminIngress,
        [
            (findings(json!([])), missing),
            (findings(Value::Null), missing),
            (findings(json!("finding")), missing),
            (findings(json!(["finding"])), "error: `detail.findings[0]` is not an object"),
            (findings(ours()["detail"]["findings"][0].clone()), LOOK),
            (without(ours(), ["/detail"]), "error: `detail` is missing"),
            // Each form is read by its own detail-type only.
            (with(ocsf(), [("/detail-type", json!("Security Hub Findings - Imported"))]), NOT_ITS_OWN),
            (with(ours(), [("/detail-type", json!("Findings Imported V2"))]), NOT_ITS_OWN),
            (with(ours(), [("/vpcIds", json!(["vpc-0a"]))]), "error: `vpcIds` is for a direct call, and this is an event"),
        ],
    );
    for source in ["my.app", "aws.config", "aws.guardduty"] {
        let told = told(RevokeAdminIngress, &with(ours(), [("/source", json!(source))]));
        assert!(told.starts_with("error: unrecognised event: "), "{told}");
    }
}

#[test]
fn the_cause_is_the_control() {
    for (payload, detail) in [
        (ours(), "EC2.13"),
        (sample("security-hub-cis-1-2-4-1"), "EC2.13"),
        (sample("security-hub-custom-action"), "EC2.13"),
        (ocsf(), "EC2.13"),
        (sample("security-hub-other-account"), "EC2.13"),
    ] {
        for guardrail in [RevokeAdminIngress, DenySource, LiftDenials] {
            let cause = match read(&payload, &own_of(guardrail)).unwrap() {
                Reading::Trigger(trigger) => trigger.cause,
                Reading::Ignored { cause, .. } => cause,
            };
            let wanted = Cause {
                event_id: payload["id"].as_str().map(str::to_owned),
                time: Some("2026-11-19T08:41:12Z".parse().unwrap()),
                detail: Some(detail.to_owned()),
                ..Cause::new(Door::SecurityHub)
            };
            assert_eq!(cause, wanted, "{guardrail}");
        }
    }
}
