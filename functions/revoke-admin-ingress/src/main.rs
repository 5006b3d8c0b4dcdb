//! The function `revoke-admin-ingress`: its settings, its policy, its gateway.

use std::process::ExitCode;

use palisade_policy::guardrail::Guardrail;
use palisade_policy::revoke_admin_ingress::{self as policy, Policy, Ranges, Settings};
use palisade_policy::security_group::SecurityGroup;
use palisade_runtime::{SecurityGroups, SettingsError, Variables, serve};

fn main() -> ExitCode {
    serve(Guardrail::RevokeAdminIngress, |variables| {
        let policy = policy(variables)?;
        Ok((move |group: &SecurityGroup, now, refusals| policy.plan(group, now, refusals), SecurityGroups::new))
    })
}

fn policy(variables: &mut Variables) -> Result<Policy, SettingsError> {
    let default = Settings::default();
    let settings = Settings {
        ports: variables.parsed("PALISADE_ADMIN_PORTS")?.unwrap_or(default.ports),
        trusted: variables.list("PALISADE_TRUSTED_SOURCES")?,
        replacements: variables.list("PALISADE_REPLACEMENT_SOURCES")?,
        world_prefix_v4: variables.whole("PALISADE_WORLD_PREFIX_V4", 1)?.unwrap_or(default.world_prefix_v4),
        world_prefix_v6: variables.whole("PALISADE_WORLD_PREFIX_V6", 1)?.unwrap_or(default.world_prefix_v6),
        ranges: variables.one_of("PALISADE_RANGES", &[("carve", Ranges::Carve), ("revoke", Ranges::Revoke)])?.unwrap_or(default.ranges),
        exemptions: variables.exemptions()?,
    };
    Policy::new(settings).map_err(|error| {
        let variable = match &error {
            policy::SettingsError::TrustedTooWide(_) => "PALISADE_TRUSTED_SOURCES",
            policy::SettingsError::ReplacementTooWide(_) => "PALISADE_REPLACEMENT_SOURCES",
            policy::SettingsError::WorldPrefix { family, .. } => match family {
                palisade_policy::cidr::Family::V4 => "PALISADE_WORLD_PREFIX_V4",
                palisade_policy::cidr::Family::V6 => "PALISADE_WORLD_PREFIX_V6",
            },
        };
        SettingsError::unusable(variable, error)
    })
}
