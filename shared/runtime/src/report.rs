//! The end of an invocation: the response, the notice, and the function's own success or failure.

use std::fmt;

use lambda_runtime::Diagnostic;
use palisade_policy::response::{Outcome, Response};
use palisade_trigger::TriggerError;
use serde_json::Value;

use crate::metrics;

/// An invocation that failed. Lambda retries it, then dead-letters it with the message.
pub(crate) struct Failure {
    kind: &'static str,
    headline: String,
    response: Option<Value>,
}

impl Failure {
    pub(crate) fn context(problem: &str) -> Self {
        Self { kind: "Palisade.Context", headline: problem.to_owned(), response: None }
    }

    /// A message that its invocation had no time for.
    pub(crate) fn out_of_time() -> Self {
        let headline = "the time that Lambda allows was over before its turn".to_owned();
        Self { kind: "Palisade.OutOfTime", headline, response: None }
    }

    /// Some of the messages that can't be taken back one by one.
    pub(crate) fn of_batch(headline: String, responses: Value) -> Self {
        Self { kind: "Palisade.MessageFailed", headline, response: Some(responses) }
    }

    /// What failed, and what the invocation came to all the same.
    pub(crate) fn into_response(self) -> Option<Value> {
        self.response
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

/// What became of telling those who are to be told, besides the caller.
pub(crate) struct Told {
    /// Why a notice was not published.
    pub(crate) notice: Result<(), String>,
    /// Why whoever asked has no answer.
    pub(crate) asker: Result<(), String>,
}

/// The function's answer. A target that failed fails the function, and so do a notice that nobody took and an asker without an answer.
pub(crate) fn conclude(response: &Response, told: Told) -> Result<Value, Failure> {
    metrics::write(response);
    let failed: Vec<String> = response
        .results
        .iter()
        .filter(|result| result.outcome == Outcome::Failed)
        .map(|result| format!("{} failed: {}", result.resource, result.reason))
        .collect();
    let value = serde_json::to_value(response).map_err(|error| Failure {
        kind: "Palisade.Response",
        headline: format!("the response can't be written: {error}"),
        response: None,
    })?;
    let kind = match (&failed[..], &told) {
        ([], Told { notice: Ok(()), asker: Ok(()) }) => return Ok(value),
        ([], Told { notice: Ok(()), .. }) => "Palisade.Unanswered",
        ([], _) => "Palisade.Unpublished",
        _ => "Palisade.TargetFailed",
    };
    const NAMED: usize = 5;
    let more = failed.len().saturating_sub(NAMED);
    let more = (more > 0).then(|| format!("and {more} more failed"));
    let untold = [told.notice.err(), told.asker.err()].into_iter().flatten();
    let headline = failed.into_iter().take(NAMED).chain(more).chain(untold).collect::<Vec<_>>().join("; ");
    Err(Failure { kind, headline, response: Some(value) })
}
