//! Notices: to SNS, failing that to a queue and the log, failing that into the function's error. Never nowhere.

use aws_sdk_sns::types::MessageAttributeValue;
use jiff::Timestamp;
use palisade_policy::guardrail::Guardrail;
use palisade_policy::notice::{Way, short_text, subject, text};
use palisade_policy::response::{Outcome, Response};
use serde_json::{Value, json};

use crate::aws::{AwsError, Clients};
use crate::deadline::Deadline;
use crate::seal::Sealer;
use crate::settings::Common;

/// SNS takes 256 KiB, attributes and all ("Publish", `Message`), and so do a queue and a line of the log, where the message is escaped
/// once and twice more.
const LONGEST_MESSAGE: usize = 100_000;

/// Of the time to tell, a seal may take so small a part: the notice itself is what people wait for.
const FOR_SEALS: usize = 3;

/// The way to the topic and to the queue.
pub(crate) struct Publisher {
    sns: aws_sdk_sns::Client,
    sqs: aws_sdk_sqs::Client,
    sealer: Sealer,
    undo_function: String,
    exemptions: bool,
    topic_arn: String,
    failure_queue_url: Option<String>,
}

/// One SNS message.
struct Notice {
    subject: String,
    message: String,
    attributes: [(&'static str, String); 5],
}

impl Publisher {
    pub(crate) fn new(guardrail: Guardrail, clients: &Clients, common: &Common) -> Self {
        Self {
            sns: clients.sns(),
            sqs: clients.sqs(),
            sealer: Sealer::new(clients, common.seal_key_arn.clone()),
            undo_function: undo_function(guardrail),
            exemptions: common.exemptions,
            topic_arn: common.topic_arn.clone(),
            failure_queue_url: common.failure_queue_url.clone(),
        }
    }

    /// Seals a response that tells of changes.
    pub(crate) async fn seal(&self, response: Response, deadline: Deadline) -> Response {
        self.sealer.seal(response, deadline.share(FOR_SEALS)).await
    }

    /// Publishes what there is to tell, in as many notices as SNS needs.
    ///
    /// # Errors
    /// When neither SNS nor the queue took a notice: then the caller must carry it on.
    pub(crate) async fn publish(&self, response: &Response, deadline: Deadline) -> Result<(), String> {
        let mut lost = Vec::new();
        let way = Way { undo_function: &self.undo_function, exemptions: self.exemptions, now: Timestamp::now() };
        let parts = parts(response, &way);
        let several = parts.len() > 1;
        let number = parts.len();
        for (at, (part, gravest)) in parts.into_iter().enumerate() {
            let left = number - at;
            // Each must be undone without the others. Where KMS did not seal the whole, it is not asked again: people are waiting.
            let part = match several && part.seal.is_some() {
                true => self.sealer.seal(part, deadline.share(left.saturating_mul(FOR_SEALS))).await,
                false => part,
            };
            let notice = notice(&part, gravest, &way);
            if let Err(error) = deadline.tell(left, true, self.send(&notice)).await
                && let Err(second) = self.fall_back(&notice, &error, deadline, left).await
            {
                lost.push(format!("the notice was not published: {error}; {second}"));
            }
        }
        if lost.is_empty() { Ok(()) } else { Err(lost.join("; ")) }
    }

    async fn send(&self, notice: &Notice) -> Result<(), AwsError> {
        if notice.message.len() > LONGEST_MESSAGE {
            return Err(AwsError::unreadable("Publish", "the notice of one target is longer than SNS takes"));
        }
        let mut call = self.sns.publish().topic_arn(&self.topic_arn).subject(&notice.subject);
        call = call.message(&notice.message).message_structure("json");
        for (name, value) in &notice.attributes {
            let value = MessageAttributeValue::builder().data_type("String").string_value(value).build();
            call = call.message_attributes(*name, value.map_err(|error| AwsError::unreadable("Publish", error.to_string()))?);
        }
        call.send().await.map(drop).map_err(|error| AwsError::new("Publish", &error))
    }

    /// A retry by Lambda could not carry the notice, for it would find nothing to do: so the log has it whole, and the queue, as the
    /// input of `aws sns publish --cli-input-json`.
    async fn fall_back(&self, notice: &Notice, error: &AwsError, deadline: Deadline, left: usize) -> Result<(), String> {
        let body = self.as_cli_input(notice).to_string();
        tracing::error!(%error, notice = body, "the notice was not published");
        let Some(url) = &self.failure_queue_url else {
            return Err("and there is no PALISADE_FAILURE_QUEUE_URL to keep it".to_owned());
        };
        let call = self.sqs.send_message().queue_url(url).message_body(body);
        let sent = async { call.send().await.map(drop).map_err(|error| AwsError::new("SendMessage", &error)) };
        deadline.tell(left, false, sent).await.map_err(|error| format!("nor did the failure queue take it: {error}"))
    }

    fn as_cli_input(&self, notice: &Notice) -> Value {
        let attributes: serde_json::Map<String, Value> = notice
            .attributes
            .iter()
            .map(|(name, value)| ((*name).to_owned(), json!({"DataType": "String", "StringValue": value})))
            .collect();
        json!({
            "TopicArn": self.topic_arn, "Subject": notice.subject, "Message": notice.message, "MessageStructure": "json",
            "MessageAttributes": attributes,
        })
    }
}

/// The function that undoes what this one changes: its own name, with the other's id in it.
fn undo_function(guardrail: Guardrail) -> String {
    let own = std::env::var("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_default();
    let undo = Guardrail::UndoChange.id();
    match own.rsplit_once(guardrail.id()) {
        Some((before, after)) => format!("{before}{undo}{after}"),
        None => undo.to_owned(),
    }
}

/// What each notice of a response tells of, and its gravest outcome: one has it all, none is there where there is nothing to tell, and there
/// are more where one would be too long.
fn parts(response: &Response, way: &Way<'_>) -> Vec<(Response, Outcome)> {
    let Some(gravest) = response.gravest_told() else { return Vec::new() };
    if response.results.len() <= 1 || notice(response, gravest, way).message.len() <= LONGEST_MESSAGE {
        return vec![(response.clone(), gravest)];
    }
    let mut parts_of_halves = Vec::new();
    let (first, second) = response.results.split_at(response.results.len() / 2);
    for half in [first, second] {
        let mut part = Response { results: half.to_vec(), ..response.clone() };
        part.summary.clear();
        for result in &part.results {
            *part.summary.entry(result.outcome).or_default() += 1;
        }
        parts_of_halves.extend(parts(&part, way));
    }
    parts_of_halves
}

fn notice(response: &Response, gravest: Outcome, way: &Way<'_>) -> Notice {
    let json = serde_json::to_string(response).unwrap_or_default();
    let message = json!({"default": json, "email": text(response, way), "sms": short_text(response)}).to_string();
    Notice {
        subject: subject(response),
        message,
        attributes: [
            ("guardrail", response.guardrail.to_string()),
            ("mode", response.mode.to_string()),
            ("outcome", gravest.to_string()),
            ("account", response.account.to_string()),
            ("region", response.region.to_string()),
        ],
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use palisade_policy::plan::Sketch;
    use palisade_policy::response::{Mode, TargetResult};
    use palisade_policy::trigger::{Cause, Door};

    use super::*;

    fn response(targets: usize, length: usize) -> Response {
        let result = |number| TargetResult {
            resource: format!("sg-{number}"),
            outcome: Outcome::Changed,
            reason: "x".repeat(length),
            remarks: Vec::new(),
            changes: Vec::new(),
            undo: Vec::new(),
            permitted: None,
            told: true,
            wrong: None,
            exempt_until: None,
            sketch: Sketch::default(),
        };
        Response {
            guardrail: Guardrail::RevokeAdminIngress,
            mode: Mode::Enforce,
            account: "111122223333".parse().unwrap(),
            region: "eu-west-1".parse().unwrap(),
            trigger: Cause::new(Door::Direct),
            ignored: None,
            results: (0..targets).map(result).collect(),
            summary: BTreeMap::from([(Outcome::Changed, targets)]),
            seal: None,
        }
    }

    fn notices(response: &Response) -> Vec<Notice> {
        let way = Way { undo_function: "undo-change", exemptions: true, now: Timestamp::UNIX_EPOCH };
        parts(response, &way).iter().map(|(part, gravest)| notice(part, *gravest, &way)).collect()
    }

    #[test]
    fn a_notice_that_is_too_long_becomes_several_and_each_is_a_whole_response() {
        let notices = notices(&response(300, 2_000));
        assert!(notices.len() > 1);
        let mut told = Vec::new();
        for notice in &notices {
            assert!(notice.message.len() <= LONGEST_MESSAGE);
            let message: Value = serde_json::from_str(&notice.message).unwrap();
            let response: Value = serde_json::from_str(message["default"].as_str().unwrap()).unwrap();
            let results = response["results"].as_array().unwrap();
            assert_eq!(response["summary"]["changed"], results.len());
            told.extend(results.iter().map(|result| result["resource"].as_str().unwrap().to_owned()));
        }
        assert_eq!(told, (0..300).map(|number| format!("sg-{number}")).collect::<Vec<_>>(), "each target once, in order");
    }

    #[test]
    fn one_notice_tells_of_all_when_it_fits_and_none_is_sent_when_there_is_nothing_to_tell() {
        assert_eq!(notices(&response(3, 10)).len(), 1);
        assert_eq!(notices(&response(0, 10)).len(), 0);
    }
}
