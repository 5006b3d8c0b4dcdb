//! The function `deny-source`: its settings, its policy, its gateway.

use std::process::ExitCode;

use jiff::SignedDuration;
use palisade_policy::deny_source::{Denying, Policy, Settings};
use palisade_policy::guardrail::Guardrail;
use palisade_policy::id::IpSetArn;
use palisade_runtime::{Clients, Denials, Places, Searching, SettingsError, Thresholds, Variables, serve};

fn main() -> ExitCode {
    serve(Guardrail::DenySource, |variables| {
        let policy = Policy::new(settings(variables)?);
        let (places, searching) = (places(variables)?, searching(variables)?);
        let plan = move |denying: &Denying, now, refusals| policy.plan(denying, now, refusals);
        Ok((plan, move |clients: &Clients| Denials::new(clients, places, searching)))
    })
}

fn settings(variables: &mut Variables) -> Result<Settings, SettingsError> {
    let quota = variables.whole("PALISADE_ACL_QUOTA", 2)?.unwrap_or(20);
    if quota > 40 {
        return Err(SettingsError::unusable(
            "PALISADE_ACL_QUOTA",
            format!("`{quota}` is more than the 40 entries that AWS allows at most"),
        ));
    }
    Ok(Settings {
        never: variables.list("PALISADE_NEVER_DENY")?,
        deny_for: variables.duration("PALISADE_DENY_FOR")?.unwrap_or(SignedDuration::from_hours(24)),
        numbers: variables.range("PALISADE_ACL_NUMBERS", 1..=32766)?.unwrap_or(1..=89),
        quota,
        exemptions: variables.exemptions()?,
    })
}

fn places(variables: &mut Variables) -> Result<Places, SettingsError> {
    let mut ip_sets = |variable| -> Result<Vec<IpSetArn>, SettingsError> {
        let sets: Vec<IpSetArn> = variables.list(variable)?;
        if sets.len() == 1 {
            return Err(SettingsError::unusable(variable, "one IP set can't take turns: name two or more, or none"));
        }
        Ok(sets)
    };
    Ok(Places {
        ip_sets_v4: ip_sets("PALISADE_IP_SET_V4")?,
        ip_sets_v6: ip_sets("PALISADE_IP_SET_V6")?,
        acl_ids: variables.list("PALISADE_ACL_IDS")?,
        region: variables.parsed("AWS_REGION")?.ok_or_else(|| SettingsError::unusable("AWS_REGION", "it is not set"))?,
    })
}

fn searching(variables: &mut Variables) -> Result<Searching, SettingsError> {
    let log_group = variables.text("PALISADE_FLOW_LOG_GROUP")?.map(str::to_owned);
    if let Some(group) = &log_group {
        // CloudWatch Logs, "CreateLogGroup", `logGroupName`.
        let plain = group.chars().all(|c| c.is_ascii_alphanumeric() || "_-/.#".contains(c));
        if group.is_empty() || group.len() > 512 || !plain {
            return Err(SettingsError::unusable("PALISADE_FLOW_LOG_GROUP", "it is not the name of a log group"));
        }
    }
    let thresholds = Thresholds {
        hits: variables.whole("PALISADE_MIN_HITS", 1)?.unwrap_or(100),
        bytes: variables.whole("PALISADE_MIN_BYTES", 1)?.unwrap_or(1_073_741_824),
        sources: variables.whole("PALISADE_MAX_SOURCES", 1)?.unwrap_or(10),
    };
    Ok(Searching { log_group, thresholds })
}
