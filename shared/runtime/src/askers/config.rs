//! The answer to AWS Config, which waits for one after it has asked a custom rule.

use std::time::Duration;

use aws_sdk_config::Client;
use aws_sdk_config::primitives::DateTime;
use aws_sdk_config::types::{ComplianceType, Evaluation as ForConfig};
use palisade_policy::evaluation::{Compliance, Evaluation, Inquiry};

use crate::aws::{AwsError, Clients};
use crate::deadline::Deadline;

/// "PutEvaluations", AWS Config API, `Evaluations`: at most 100.
const MOST_AT_ONCE: usize = 100;

/// The waits before evaluations that AWS Config did not take are put again.
const RETRIES: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(2)];

/// The way to AWS Config.
pub(crate) struct Evaluator {
    client: Client,
}

impl Evaluator {
    pub(crate) fn new(clients: &Clients) -> Self {
        Self { client: clients.config() }
    }

    /// Puts the evaluations, every one of them.
    ///
    /// # Errors
    /// When AWS Config did not take some of them: the event must come again.
    pub(crate) async fn put(&self, inquiry: &Inquiry, evaluations: &[Evaluation], deadline: Deadline) -> Result<(), AwsError> {
        let all: Vec<ForConfig> = evaluations.iter().map(|one| for_config(inquiry, one)).collect::<Result<_, _>>()?;
        for batch in all.chunks(MOST_AT_ONCE) {
            self.put_batch(inquiry, batch.to_vec(), deadline).await?;
        }
        Ok(())
    }

    async fn put_batch(&self, inquiry: &Inquiry, mut batch: Vec<ForConfig>, deadline: Deadline) -> Result<(), AwsError> {
        let mut retries = RETRIES.into_iter();
        loop {
            let call = self.client.put_evaluations().result_token(&inquiry.result_token).set_evaluations(Some(batch));
            let sent = async { call.send().await.map_err(|error| AwsError::new("PutEvaluations", &error)) };
            let answer = deadline.tell(1, false, sent).await?;
            batch = answer.failed_evaluations.unwrap_or_default();
            if batch.is_empty() {
                return Ok(());
            }
            match retries.next() {
                Some(wait) if deadline.leaves_to_tell(wait) => tokio::time::sleep(wait).await,
                _ => {
                    let named: Vec<&str> = batch.iter().take(5).map(ForConfig::compliance_resource_id).collect();
                    let message =
                        format!("AWS Config did not take {} of the evaluations, among them those of {}", batch.len(), named.join(", "));
                    return Err(AwsError::unreadable("PutEvaluations", message));
                }
            }
        }
    }
}

fn for_config(inquiry: &Inquiry, evaluation: &Evaluation) -> Result<ForConfig, AwsError> {
    let as_of = DateTime::from_nanos(inquiry.as_of.as_nanosecond());
    ForConfig::builder()
        .compliance_resource_type(&evaluation.resource.resource_type)
        .compliance_resource_id(&evaluation.resource.resource_id)
        .compliance_type(match evaluation.compliance {
            Compliance::Compliant => ComplianceType::Compliant,
            Compliance::NonCompliant => ComplianceType::NonCompliant,
            Compliance::NotApplicable => ComplianceType::NotApplicable,
        })
        .set_annotation(evaluation.annotation.clone())
        .ordering_timestamp(as_of.map_err(|error| AwsError::unreadable("PutEvaluations", error.to_string()))?)
        .build()
        .map_err(|error| AwsError::unreadable("PutEvaluations", error.to_string()))
}
