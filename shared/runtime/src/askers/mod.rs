//! Those who wait for an answer of their own: AWS Config and Security Hub.

mod config;
mod security_hub;

use std::future::Future;

use palisade_policy::control::{Finding, FollowUp};
use palisade_policy::evaluation::{Evaluation, Inquiry};

use crate::aws::{AwsError, Clients};
use crate::deadline::Deadline;

/// Who waits for an answer about a kind of resource. The gateway says, so that a function links the clients of those alone.
pub trait Askers {
    /// The ways to them.
    fn new(clients: &Clients) -> Self;

    /// Puts the evaluations that AWS Config waits for, every one of them.
    ///
    /// # Errors
    /// When AWS Config did not take some of them: the event must come again.
    fn evaluate(&self, inquiry: &Inquiry, of: &[Evaluation], deadline: Deadline) -> impl Future<Output = Result<(), AwsError>>;

    /// Writes a note on a finding of Security Hub, and that it is resolved where it is.
    ///
    /// # Errors
    /// When Security Hub did not take it: the event must come again.
    fn follow_up(&self, finding: &Finding, author: &str, follow_up: &FollowUp) -> impl Future<Output = Result<(), AwsError>>;
}

/// AWS Config, whose custom rules are about groups and VPCs, and Security Hub, whose controls are.
pub struct ConfigAndSecurityHub {
    config: config::Evaluator,
    security_hub: security_hub::Resolver,
}

impl Askers for ConfigAndSecurityHub {
    fn new(clients: &Clients) -> Self {
        Self { config: config::Evaluator::new(clients), security_hub: security_hub::Resolver::new(clients) }
    }

    async fn evaluate(&self, inquiry: &Inquiry, of: &[Evaluation], deadline: Deadline) -> Result<(), AwsError> {
        self.config.put(inquiry, of, deadline).await
    }

    async fn follow_up(&self, finding: &Finding, author: &str, follow_up: &FollowUp) -> Result<(), AwsError> {
        self.security_hub.follow_up(finding, author, follow_up).await
    }
}

/// Nobody waits for an answer about denials, or about an undoing: a trigger that says so is none of theirs.
pub struct Nobody;

impl Askers for Nobody {
    fn new(_: &Clients) -> Self {
        Self
    }

    async fn evaluate(&self, _: &Inquiry, _: &[Evaluation], _: Deadline) -> Result<(), AwsError> {
        Err(AwsError::unreadable("PutEvaluations", "this function has no way to AWS Config"))
    }

    async fn follow_up(&self, _: &Finding, _: &str, _: &FollowUp) -> Result<(), AwsError> {
        Err(AwsError::unreadable("BatchUpdateFindings", "this function has no way to Security Hub"))
    }
}
