//! The function `lift-denials`: its settings, its policy, its gateway.

use std::process::ExitCode;

use palisade_policy::guardrail::Guardrail;
use palisade_policy::id::IpSetArn;
use palisade_policy::lift_denials::{Lifting, Policy};
use palisade_runtime::{Clients, StandingDenials, serve};

fn main() -> ExitCode {
    serve(Guardrail::LiftDenials, |variables| {
        let policy = Policy::new(variables.range("PALISADE_ACL_NUMBERS", 1..=32766)?.unwrap_or(1..=89));
        let mut ip_sets: Vec<IpSetArn> = variables.list("PALISADE_IP_SET_V4")?;
        ip_sets.extend(variables.list("PALISADE_IP_SET_V6")?);
        // Exempt or not, a denial ends when its time has passed: the setting is known, and changes nothing here.
        variables.exemptions()?;
        let plan = move |lifting: &Lifting, now, _refusals| policy.plan(lifting, now);
        Ok((plan, move |clients: &Clients| StandingDenials::new(clients, ip_sets)))
    })
}
