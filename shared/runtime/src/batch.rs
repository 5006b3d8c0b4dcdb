//! Several messages in one invocation: each is handled by itself, and what failed is named, so that the queue brings only that again.

use jiff::Timestamp;
use palisade_policy::plan::Plan;
use palisade_trigger::{Batch, Carrier, Own};
use serde_json::{Value, json};

use crate::deadline::Deadline;
use crate::gateway::Gateway;
use crate::invocation::{FOR_ONE_TARGET, Function};
use crate::report::Failure;

/// Lambda takes 6 MB of answer ("Lambda quotas", invocation payload), and what is over fails the whole batch: the responses after so many
/// bytes are left out. Their notices are published.
const LONGEST_ANSWER: usize = 4_000_000;

impl<G, P> Function<G, P>
where
    G: Gateway,
    P: Fn(&G::State, Timestamp, usize) -> Plan,
{
    pub(crate) async fn handle_batch(&self, batch: &Batch, own: &Own, deadline: Deadline, turns: &mut usize) -> Result<Value, Failure> {
        let mut responses: Vec<Value> = Vec::new();
        let mut length = 0;
        let mut failures: Vec<Value> = Vec::new();
        let mut first_failure: Option<String> = None;
        for (at, message) in batch.messages.iter().enumerate() {
            // The order of a first-in-first-out queue counts: what comes after a message that failed comes again with it.
            let held_back = !failures.is_empty() && batch.carrier == Carrier::Queue { fifo: true };
            let answer = if held_back || at > 0 && !deadline.leaves(FOR_ONE_TARGET) {
                Err(Failure::out_of_time())
            } else {
                match message.read(own) {
                    Ok(reading) => self.handle(reading, own, deadline, turns).await,
                    Err(error) => Err(Failure::from(error)),
                }
            };
            let response = match answer {
                Ok(response) => Some(response),
                Err(failure) => {
                    if !held_back {
                        tracing::error!(message = message.id, error = failure.headline(), "the message failed");
                    }
                    first_failure.get_or_insert_with(|| format!("message {}: {}", message.id, failure.headline()));
                    failures.push(json!({"itemIdentifier": message.id}));
                    failure.into_response()
                }
            };
            if let Some(response) = response {
                length += response.to_string().len();
                if length <= LONGEST_ANSWER {
                    responses.push(response);
                }
            }
        }
        match (batch.carrier, first_failure) {
            (Carrier::Queue { .. }, _) => Ok(json!({"batchItemFailures": failures, "responses": responses})),
            (Carrier::Topic, None) => Ok(json!({"responses": responses})),
            (Carrier::Topic, Some(headline)) => Err(Failure::of_batch(headline, json!({"responses": responses}))),
        }
    }
}
