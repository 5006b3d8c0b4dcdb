//! What other services wrap an event in: SNS, in one record for Lambda or as a JSON text in a queue, and SQS, many at a time.
//!
//! Whatever is inside is read as if it had come by itself, with two exceptions. A direct call can't: who may publish to a topic or send to
//! a queue may thereby not call a function. And nothing is unwrapped more often than services wrap: SNS in SQS.

use serde_json::Value;

use crate::member::Member;
use crate::{Own, Reading, TriggerError, alarm, direct, event, members, parsed};

/// SQS hands over at most so many messages at a time ("Using Lambda with Amazon SQS", batch size).
const MOST_MESSAGES: usize = 10_000;

/// Several messages in one payload, each to be read and answered by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// What they came by.
    pub carrier: Carrier,
    /// The messages, in order.
    pub messages: Vec<Message>,
}

/// What carries several messages at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// A queue, which takes back the messages that it is told of as failed.
    Queue {
        /// Whether their order counts: then none may be handled after one that failed.
        fifo: bool,
    },
    /// A topic, which takes nothing back.
    Topic,
}

/// One message of a [`Batch`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// What the queue knows it by.
    pub id: String,
    path: String,
    record: Value,
}

impl Message {
    /// Reads it.
    ///
    /// # Errors
    /// Like [`read`](crate::read).
    pub fn read(&self, own: &Own) -> Result<Reading, TriggerError> {
        let record = Member::at_path(&self.path, &self.record);
        if record.get("Sns").exists() {
            return read_notification(&record.get("Sns").object()?, own);
        }
        let body = record.get("body");
        let value = parsed(&body)?;
        let body = body.holding(&value);
        // The same object as Lambda gets, unless the subscription delivers raw messages.
        let is_notification = body.get("Type").value().and_then(Value::as_str) == Some("Notification");
        if is_notification { read_notification(&body, own) } else { read_inside(&body, None, own) }
    }
}

/// The messages of a payload that is a batch of SQS, or of more than one record of SNS. `None` for any other payload.
///
/// # Errors
/// Where a message has nothing that the queue could be told it by: then all of them must come again.
pub fn batch(payload: &Value) -> Result<Option<Batch>, TriggerError> {
    let records = Member::root(payload).get("Records");
    let Some(Value::Array(list)) = records.value() else { return Ok(None) };
    let of = |record: &Member<'_>| {
        let source = record.get(if record.get("eventSource").exists() { "eventSource" } else { "EventSource" });
        source.value().and_then(Value::as_str).map(str::to_owned)
    };
    let records: Vec<Member<'_>> = records.items();
    let Some(carrier) = records.first().and_then(|first| match of(first).as_deref() {
        Some("aws:sqs") => {
            let arn = first.get("eventSourceARN");
            Some(Carrier::Queue { fifo: arn.value().and_then(Value::as_str).is_some_and(|arn| arn.ends_with(".fifo")) })
        }
        _ if first.get("Sns").exists() && list.len() > 1 => Some(Carrier::Topic),
        _ => None,
    }) else {
        return Ok(None);
    };
    if list.len() > MOST_MESSAGES {
        return Err(Member::root(payload)
            .get("Records")
            .wrong(format!("has {} records, and a queue sends {MOST_MESSAGES} at most", list.len())));
    }
    let message = |(at, record): (usize, &Member<'_>)| {
        let id = match carrier {
            Carrier::Queue { .. } => record.get("messageId"),
            Carrier::Topic => record.at(&["Sns", "MessageId"]),
        };
        let fits = of(record).as_deref() == Some("aws:sqs") || matches!(carrier, Carrier::Topic) && record.get("Sns").exists();
        if !fits {
            return Err(record.wrong("is of another kind than the record before it"));
        }
        let id = match (id.text()?, carrier) {
            (Some(id), _) if !id.is_empty() => id.to_owned(),
            (_, Carrier::Topic) => at.to_string(),
            (_, Carrier::Queue { .. }) => return Err(id.wrong("is missing, so the queue can't be told of the message")),
        };
        let record = record.value().cloned().unwrap_or_default();
        Ok(Message { id, path: format!("Records[{at}]"), record })
    };
    let messages = records.iter().enumerate().map(message).collect::<Result<_, _>>()?;
    Ok(Some(Batch { carrier, messages }))
}

/// Whether a payload is what SNS hands to Lambda.
pub(crate) fn is_notification(payload: &Value) -> bool {
    payload.pointer("/Records/0/Sns").is_some_and(Value::is_object)
}

/// The one record of SNS.
pub(crate) fn read_record(root: &Member<'_>, own: &Own) -> Result<Reading, TriggerError> {
    let records = root.get("Records").items();
    let [record] = records.as_slice() else {
        return Err(root.get("Records").wrong(format!("has {} records, and one answer has room for one", records.len())));
    };
    read_notification(&record.get("Sns"), own)
}

fn read_notification(sns: &Member<'_>, own: &Own) -> Result<Reading, TriggerError> {
    let text = sns.get("Message");
    let value = parsed(&text)?;
    read_inside(&text.holding(&value), Some(sns), own)
}

fn read_inside(inside: &Member<'_>, sns: Option<&Member<'_>>, own: &Own) -> Result<Reading, TriggerError> {
    let Some(value) = inside.value() else { return Err(inside.wrong("is missing")) };
    if let Some(reading) = event(inside, own)? {
        return Ok(reading);
    }
    if alarm::is_message(value) {
        return alarm::read_message(inside, sns, own);
    }
    if let Some(name) = direct::member_of_call(value) {
        return Err(inside.get(name).wrong("is for a direct call, which no topic and no queue can make"));
    }
    Err(TriggerError::Unrecognised(format!("`{}` holds {}", inside.path(), members(value))))
}
