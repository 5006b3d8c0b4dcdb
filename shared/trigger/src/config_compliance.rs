//! Door `config-compliance`: *Config Rules Compliance Change* on EventBridge.
//!
//! AWS Config tells of changes only, best effort, and of many rules: what is acted on is a resource that a managed rule of ours has just
//! found non-compliant.

use palisade_policy::guardrail::Guardrail;
use palisade_policy::id::Excerpt;
use palisade_policy::trigger::{Cause, Door, Targets, Trigger};

use crate::member::Member;
use crate::{Own, Reading, TriggerError, foreign};

pub(crate) fn read(root: &Member<'_>, own: &Own) -> Result<Reading, TriggerError> {
    let detail = root.get("detail").object()?;
    let cause = Cause {
        event_id: root.get("id").told(),
        time: root.get("time").time(),
        detail: detail.get("configRuleName").told(),
        ..Cause::new(Door::ConfigCompliance)
    };
    let ignored = |why: String| Ok(Reading::ignored(cause.clone(), why));

    if let Some(why) = foreign(root, &detail, ["awsAccountId", "awsRegion"], own)? {
        return ignored(why);
    }
    let needed = |member: Member<'_>| member.text()?.map(str::to_owned).ok_or_else(|| member.wrong("is missing"));
    let rule = needed(detail.get("configRuleName"))?;
    if !rules(own.guardrail).iter().any(|name| is_rule(&rule, name)) {
        return ignored(format!("the rule `{}` is not for {}", Excerpt(&rule), own.guardrail));
    }
    let compliance = needed(detail.at(&["newEvaluationResult", "complianceType"]))?;
    if compliance != "NON_COMPLIANT" {
        return ignored(format!("the resource is `{}`", Excerpt(&compliance)));
    }
    let resource_type = needed(detail.get("resourceType"))?;
    let id = detail.get("resourceId");
    let missing = || id.wrong("is missing");
    let targets = match (own.guardrail, resource_type.as_str()) {
        (Guardrail::RevokeAdminIngress | Guardrail::StripDefaultGroup, "AWS::EC2::SecurityGroup") => {
            Targets::SecurityGroups(vec![id.id()?.ok_or_else(missing)?])
        }
        (Guardrail::StripDefaultGroup | Guardrail::EnableFlowLogs, "AWS::EC2::VPC") => Targets::Vpcs(vec![id.id()?.ok_or_else(missing)?]),
        _ => return ignored(format!("a resource of type `{}` is not for {}", Excerpt(&resource_type), own.guardrail)),
    };
    Ok(Reading::Trigger(Trigger::new(cause, targets)))
}

/// The managed rules that look for a guardrail's hole, by the names that AWS gives them.
fn rules(guardrail: Guardrail) -> &'static [&'static str] {
    match guardrail {
        Guardrail::RevokeAdminIngress => &[
            "restricted-ssh",
            "restricted-common-ports",
            // Security Hub's own names for `restricted-common-ports`: EC2.14 and EC2.19.
            "restricted-rdp",
            "vpc-sg-restricted-common-ports",
            "vpc-sg-open-only-to-authorized-ports",
            "vpc-sg-port-restriction-check",
        ],
        Guardrail::StripDefaultGroup => &["vpc-default-security-group-closed"],
        Guardrail::EnableFlowLogs => &["vpc-flow-logs-enabled"],
        Guardrail::DenySource | Guardrail::LiftDenials | Guardrail::UndoChange => &[],
    }
}

/// Whether a rule is this managed one: by its own name, as `securityhub-<name>-<suffix>`, or as `<name>-conformance-pack-<id>`.
fn is_rule(rule: &str, name: &str) -> bool {
    // A suffix is one word: `securityhub-restricted-ssh-of-mine-1a2b` would be another rule.
    let is_suffix = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric());
    let rest = |rule: &str, joint: &str| rule.strip_prefix(name).and_then(|rest| rest.strip_prefix(joint)).is_some_and(is_suffix);
    rule == name || rule.strip_prefix("securityhub-").is_some_and(|rule| rest(rule, "-")) || rest(rule, "-conformance-pack-")
}
