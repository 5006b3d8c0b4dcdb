//! The function `strip-default-group`: its settings, its policy, its gateway.

use std::process::ExitCode;

use palisade_policy::guardrail::Guardrail;
use palisade_policy::strip_default_group::{DefaultGroup, InUse, Policy, Settings};
use palisade_runtime::{DefaultGroups, SettingsError, Variables, serve};

fn main() -> ExitCode {
    serve(Guardrail::StripDefaultGroup, |variables| {
        let policy = policy(variables)?;
        Ok((move |group: &DefaultGroup, now, _refusals| policy.plan(group, now), DefaultGroups::new))
    })
}

fn policy(variables: &mut Variables) -> Result<Policy, SettingsError> {
    let default = Settings::default();
    Ok(Policy::new(Settings {
        in_use: variables.one_of("PALISADE_IN_USE", &[("refuse", InUse::Refuse), ("strip", InUse::Strip)])?.unwrap_or(default.in_use),
        exemptions: variables.exemptions()?,
    }))
}
