//! The function `undo-change`: its settings, its policy, its gateway.

use std::process::ExitCode;

use palisade_policy::guardrail::Guardrail;
use palisade_policy::id::Region;
use palisade_policy::undo_change::{Policy, Undoing};
use palisade_runtime::{Clients, SettingsError, Undo, serve};

fn main() -> ExitCode {
    serve(Guardrail::UndoChange, |variables| {
        let exemptions = variables.exemptions()?;
        let key_arn = variables.kms_key("PALISADE_SEAL_KEY_ARN")?.ok_or_else(|| SettingsError::Missing {
            variable: "PALISADE_SEAL_KEY_ARN".to_owned(),
            what: "the KMS key of the seals, without which any notice could be made up".to_owned(),
        })?;
        let region: Region = variables.parsed("AWS_REGION")?.ok_or_else(|| SettingsError::unusable("AWS_REGION", "it is not set"))?;
        let policy = Policy::new(exemptions);
        let plan = move |undoing: &Undoing, now, refusals| policy.plan(undoing, now, refusals);
        Ok((plan, move |clients: &Clients| Undo::new(clients, key_arn, region)))
    })
}
