//! Any bytes as a payload, and as what SNS and SQS wrap: whatever they are, every guardrail reads them by the laws that the tests hold of
//! spoilt samples.

#![no_main]

#[allow(dead_code, reason = "the tests use the rest")]
#[path = "../../shared/trigger/tests/corpus/laws.rs"]
mod laws;

use libfuzzer_sys::fuzz_target;
use palisade_policy::guardrail::Guardrail;
use palisade_trigger::{batch, read};
use serde_json::{Value, json};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(payload) = serde_json::from_slice::<Value>(bytes) {
        obeys_the_laws(&payload);
    }
    // serde_json itself refuses a payload that is nested too deeply. A text may hold anything.
    if let Ok(text) = str::from_utf8(bytes) {
        obeys_the_laws(&json!({"Records": [{"EventSource": "aws:sns", "Sns": {"Message": text}}]}));
        obeys_the_laws(&json!({"Records": [{"eventSource": "aws:sqs", "messageId": "1", "body": text}]}));
    }
});

fn obeys_the_laws(payload: &Value) {
    for guardrail in Guardrail::ALL {
        let own = laws::own_of(guardrail);
        let readings = match batch(payload) {
            Ok(Some(batch)) => batch.messages.iter().map(|message| message.read(&own)).collect(),
            Ok(None) => vec![read(payload, &own)],
            Err(error) => vec![Err(error)],
        };
        for reading in readings {
            if let Err(broken) = laws::hold(guardrail, payload, &reading) {
                panic!("{guardrail}: {broken}: {reading:?}");
            }
        }
    }
}
