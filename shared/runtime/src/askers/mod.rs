//! Those who wait for an answer of their own: AWS Config and Security Hub.

pub(crate) mod config;
pub(crate) mod security_hub;

use crate::aws::Clients;

/// The ways to them.
pub(crate) struct Askers {
    pub(crate) config: config::Evaluator,
    pub(crate) security_hub: security_hub::Resolver,
}

impl Askers {
    pub(crate) fn new(clients: &Clients) -> Self {
        Self { config: config::Evaluator::new(clients), security_hub: security_hub::Resolver::new(clients) }
    }
}
