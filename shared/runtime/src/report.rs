//! The end of an invocation: the response, the notice, and the function's own success or failure.

use std::fmt;

use lambda_runtime::Diagnostic;
use palisade_policy::response::{Outcome, Response};
use palisade_trigger::TriggerError;
use serde_json::Value;

use crate::metrics;
use crate::publish::Publisher;

/// An invocation that failed. Lambda retries it, then dead-letters it with the message.
pub(crate) struct Failure {
    kind: &'static str,
    headline: String,
    response: Option<String>,
}

impl Failure {
    pub(crate) fn context(problem: &str) -> Self {
        Self { kind: "Palisade.Context", headline: problem.to_owned(), response: None }
    }

    /// What failed, without the response.
    pub(crate) fn headline(&self) -> &str {
        &self.headline
    }
}

impl From<TriggerError> for Failure {
    fn from(error: TriggerError) -> Self {
        let kind = match error {
            TriggerError::Unrecognised(_) => "Palisade.UnrecognisedEvent",
            TriggerError::Member { .. } => "Palisade.MalformedEvent",
        };
        Self { kind, headline: error.to_string(), response: None }
    }
}

impl From<Failure> for Diagnostic {
    fn from(failure: Failure) -> Self {
        let error_message = match failure.response {
            None => failure.headline,
            Some(response) => format!("{}: {response}", failure.headline),
        };
        Diagnostic { error_type: failure.kind.to_owned(), error_message }
    }
}

/// The Lambda runtime logs a failure with this: never the whole response.
impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.headline)
    }
}

/// Publishes the notice and gives the function's answer. A target that failed fails the function, and so does a notice that nobody took.
pub(crate) async fn report(publisher: &Publisher, response: Response) -> Result<Value, Failure> {
    metrics::write(&response);
    let unpublished = publisher.publish(&response).await.err();
    let failed: Vec<String> = response
        .results
        .iter()
        .filter(|result| result.outcome == Outcome::Failed)
        .map(|result| format!("{} failed: {}", result.resource, result.reason))
        .collect();
    let value = serde_json::to_value(&response).map_err(|error| Failure {
        kind: "Palisade.Response",
        headline: format!("the response can't be written: {error}"),
        response: None,
    })?;
    if failed.is_empty() && unpublished.is_none() {
        return Ok(value);
    }
    let kind = if failed.is_empty() { "Palisade.Unpublished" } else { "Palisade.TargetFailed" };
    const NAMED: usize = 5;
    let more = failed.len().saturating_sub(NAMED);
    let more = (more > 0).then(|| format!("and {more} more failed"));
    let headline = failed.into_iter().take(NAMED).chain(more).chain(unpublished).collect::<Vec<_>>().join("; ");
    Err(Failure { kind, headline, response: Some(value.to_string()) })
}
