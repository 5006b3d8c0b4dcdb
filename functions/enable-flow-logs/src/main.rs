//! The function `enable-flow-logs`: its settings, its policy, its gateway.

use std::process::ExitCode;

use palisade_policy::enable_flow_logs::{Policy, Settings};
use palisade_policy::flow_log::{Destination, Place, TrafficType, Vpc};
use palisade_policy::guardrail::Guardrail;
use palisade_policy::id::Excerpt;
use palisade_runtime::{FlowLogs, SettingsError, Variables, serve};

fn main() -> ExitCode {
    serve(Guardrail::EnableFlowLogs, |variables| {
        let policy = policy(variables)?;
        Ok((move |vpc: &Vpc, now, refusals| policy.plan(vpc, now, refusals), FlowLogs::new))
    })
}

fn policy(variables: &mut Variables) -> Result<Policy, SettingsError> {
    const ROLE: &str = "PALISADE_FLOW_LOG_ROLE_ARN";
    let missing = |variable: &str, what: &str| SettingsError::Missing { variable: variable.to_owned(), what: what.to_owned() };
    let role = variables.arn(ROLE, "iam")?;
    if let Some(arn) = role.as_deref().filter(|arn| !arn.contains(":role/")) {
        return Err(SettingsError::unusable(ROLE, format!("`{}` is not the ARN of a role", Excerpt(arn))));
    }
    let destination = match (variables.parsed("PALISADE_FLOW_LOG_DESTINATION")?, role) {
        (None, _) => {
            let what = "the log group, or `arn:aws:s3:::bucket/prefix`, that new flow logs deliver to";
            return Err(missing("PALISADE_FLOW_LOG_DESTINATION", what));
        }
        (Some(Place::LogGroup(_)), None) => return Err(missing(ROLE, "the role that delivers to the log group")),
        (Some(Place::LogGroup(name)), Some(role)) => Destination::LogGroup { log_group_name: name, deliver_logs_permission_arn: role },
        (Some(Place::S3(arn)), _) => Destination::S3 { log_destination: arn },
    };
    Ok(Policy::new(Settings {
        destination,
        traffic: variables.parsed("PALISADE_FLOW_LOG_TRAFFIC")?.unwrap_or(TrafficType::All),
        exemptions: variables.exemptions()?,
    }))
}
