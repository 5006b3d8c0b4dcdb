//! An event against the caller's own AWS account: dry run only, and the notice comes here instead of to a topic.

use std::env;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, bail};
use aws_config::BehaviorVersion;
use palisade_policy::response::Mode;

use crate::binaries;
use crate::case::{ACCOUNT, Case, REGION};
use crate::http::{Server, answer};
use crate::lambda::Lambda;
use crate::proxy::{Call, read};
use crate::replay::{Act, notice};

/// What came of it.
#[derive(Debug, Clone)]
pub struct Live {
    /// The caller's account.
    pub account: String,
    /// The caller's Region.
    pub region: String,
    /// The dry run.
    pub act: Act,
}

/// Plays the event in dry run with the caller's credentials, Region and `PALISADE_` settings. The account and the Region that cases are
/// written for become the caller's.
///
/// # Errors
/// When there are no credentials or no Region, or the function does not answer.
pub async fn play(case: &Case) -> anyhow::Result<Live> {
    let config = aws_config::load_defaults(BehaviorVersion::latest()).await;
    let region = config.region().map(ToString::to_string).context("there is no Region: set AWS_REGION, or a region in your AWS profile")?;
    let caller = aws_sdk_sts::Client::new(&config).get_caller_identity().send().await;
    let caller = caller.map_err(aws_sdk_sts::Error::from).context(
        "STS does not say whose account this is: set AWS_PROFILE or AWS_ACCESS_KEY_ID … (for IAM Identity Center: `eval \"$(aws configure export-credentials --format env)\"`)",
    )?;
    let account = caller.account.context("STS named no account")?;

    let published = Arc::new(Mutex::new(Vec::<Call>::new()));
    let sink = sink(Arc::clone(&published)).await?;
    let mut environment: Vec<(String, String)> = env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| is_passed_on(name))
        .collect();
    environment.extend([
        ("PALISADE_MODE".to_owned(), Mode::DryRun.to_string()),
        ("PALISADE_TOPIC_ARN".to_owned(), format!("arn:aws:sns:{region}:{account}:the-replay-tools-own-sink")),
        ("AWS_ENDPOINT_URL_SNS".to_owned(), sink.url()),
        ("AWS_REGION".to_owned(), region.clone()),
    ]);
    let function_arn = format!("arn:aws:lambda:{region}:{account}:function:{}", case.guardrail);
    let mut lambda = Lambda::start(&binaries::of(case.guardrail)?, &function_arn, &environment).await?;
    let event = match case.event.contains(ACCOUNT) {
        true => case.event.replace(ACCOUNT, &account).replace(REGION, &region),
        false => case.event.clone(),
    };
    let answer = lambda.invoke(event).await?;
    lambda.stop().await?;
    let calls = published.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let notices = calls.iter().map(notice).collect::<anyhow::Result<_>>()?;
    let act = Act { answer, notices, calls };
    match act.response() {
        Some(response) if response.get("mode").and_then(serde_json::Value::as_str) != Some("dry-run") => {
            bail!("the function did not run dry")
        }
        _ => Ok(Live { account, region, act }),
    }
}

/// Everything that finds and reaches AWS as the caller does; of Palisade's settings those of the guardrail.
fn is_passed_on(name: &str) -> bool {
    let ours = ["PALISADE_MODE", "PALISADE_TOPIC_ARN", "PALISADE_FAILURE_QUEUE_URL"];
    !ours.contains(&name) && !name.starts_with("AWS_LAMBDA_") && name != "AWS_ENDPOINT_URL_SNS"
}

/// An SNS that keeps what it is given to itself.
async fn sink(published: Arc<Mutex<Vec<Call>>>) -> anyhow::Result<Server> {
    Server::start(move |request| {
        let published = Arc::clone(&published);
        async move {
            let call = read(&request);
            if call.action != "Publish" {
                return Ok(answer(400, "text/xml", "<ErrorResponse><Error><Code>InvalidAction</Code></Error></ErrorResponse>"));
            }
            published.lock().unwrap_or_else(PoisonError::into_inner).push(call);
            Ok(answer(200, "text/xml", "<PublishResponse><PublishResult><MessageId>sink</MessageId></PublishResult></PublishResponse>"))
        }
    })
    .await
}
