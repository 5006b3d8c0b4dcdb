//! AWS clients, with every wait bounded, and AWS errors in words.

use std::error::Error;
use std::fmt::Write;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_ec2::config::http::HttpResponse;
use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use palisade_policy::id::Excerpt;

const CONNECT: Duration = Duration::from_secs(2);
const ATTEMPT: Duration = Duration::from_secs(5);
/// EC2 throttles by token buckets; five attempts with back-off outlast a short burst of others.
const ATTEMPTS: u32 = 5;

/// Where every gateway takes its client from. Endpoints, Region and credentials are the SDK's own settings.
#[derive(Debug, Clone)]
pub struct Clients {
    config: SdkConfig,
}

impl Clients {
    pub(crate) async fn from_environment() -> Self {
        let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT).operation_attempt_timeout(ATTEMPT).build();
        let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12()).timeout_config(timeouts);
        if ["AWS_MAX_ATTEMPTS", "AWS_RETRY_MODE"].iter().all(|name| std::env::var_os(name).is_none()) {
            loader = loader.retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS));
        }
        Self { config: loader.load().await }
    }

    pub(crate) fn ec2(&self) -> aws_sdk_ec2::Client {
        aws_sdk_ec2::Client::new(&self.config)
    }

    pub(crate) fn logs(&self) -> aws_sdk_cloudwatchlogs::Client {
        aws_sdk_cloudwatchlogs::Client::new(&self.config)
    }

    /// WAF, in another Region than the function's where one is given.
    pub(crate) fn waf(&self, region: Option<&'static str>) -> aws_sdk_wafv2::Client {
        let mut config = aws_sdk_wafv2::config::Builder::from(&self.config);
        if let Some(region) = region {
            config = config.region(aws_sdk_wafv2::config::Region::new(region));
        }
        aws_sdk_wafv2::Client::from_conf(config.build())
    }

    pub(crate) fn config(&self) -> aws_sdk_config::Client {
        aws_sdk_config::Client::new(&self.config)
    }

    pub(crate) fn security_hub(&self) -> aws_sdk_securityhub::Client {
        aws_sdk_securityhub::Client::new(&self.config)
    }

    pub(crate) fn kms(&self) -> aws_sdk_kms::Client {
        aws_sdk_kms::Client::new(&self.config)
    }

    pub(crate) fn sns(&self) -> aws_sdk_sns::Client {
        aws_sdk_sns::Client::new(&self.config)
    }

    pub(crate) fn sqs(&self) -> aws_sdk_sqs::Client {
        aws_sdk_sqs::Client::new(&self.config)
    }
}

/// A call to AWS that came to nothing, in words for a notice.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{operation}: {message}")]
pub struct AwsError {
    operation: &'static str,
    code: Option<String>,
    message: String,
    lost: bool,
}

impl AwsError {
    /// An error of the SDK, after all its attempts.
    pub(crate) fn new<E>(operation: &'static str, error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let code = error.as_service_error().and_then(ProvideErrorMetadata::code).map(str::to_owned);
        let text = error.as_service_error().and_then(ProvideErrorMetadata::message);
        let status = error.raw_response().map(|response| response.status().as_u16());
        let message = match (&code, text) {
            (Some(code), Some(text)) => format!("{code}: {}", told(text)),
            (Some(code), None) => code.clone(),
            (None, _) => match status {
                Some(status) if error.as_service_error().is_some() => format!("HTTP {status} without an error that AWS documents"),
                _ => told(&chain(error)),
            },
        };
        // Whether a call took effect can't be told from its silence, nor from a server that stumbled over it.
        let throttled = code.as_deref().is_some_and(|code| code == "RequestLimitExceeded" || code.starts_with("Throttl"));
        let stumbled = status.is_some_and(|status| status >= 500) && !throttled;
        Self { operation, code, message, lost: stumbled || error.as_service_error().is_none() }
    }

    /// AWS took the call and refused a part of it: such errors are in the answer, not in the HTTP status.
    pub(crate) fn in_part(operation: &'static str, code: Option<&str>, text: Option<&str>) -> Self {
        let message = match (code, text) {
            // It becomes the middle of a sentence.
            (Some(code), Some(text)) => format!("{code}: {}", told(text).trim_end_matches('.')),
            (Some(one), None) | (None, Some(one)) => told(one),
            (None, None) => "AWS did not do it, and does not say why".to_owned(),
        };
        Self { operation, code: code.map(str::to_owned), message, lost: false }
    }

    /// An error of our own about what AWS said.
    pub(crate) fn unreadable(operation: &'static str, message: impl Into<String>) -> Self {
        Self { operation, code: None, message: message.into(), lost: false }
    }

    /// The time that Lambda allows was over before AWS answered.
    pub(crate) fn out_of_time() -> Self {
        let message = "AWS did not answer before the time that Lambda allows was over".to_owned();
        Self { operation: "out of time", code: None, message, lost: true }
    }

    /// Whether it is the time that was over, and not AWS that refused.
    pub(crate) fn is_out_of_time(&self) -> bool {
        *self == Self::out_of_time()
    }

    /// An error of our own that means what AWS means by this code.
    pub(crate) fn with_code(operation: &'static str, code: &str, message: String) -> Self {
        Self { operation, code: Some(code.to_owned()), message, lost: false }
    }

    /// AWS's error code.
    pub(crate) fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// Whether the call may have taken effect all the same.
    pub(crate) fn is_lost(&self) -> bool {
        self.lost
    }
}

/// AWS repeats what it was sent in some errors: bounded, and on one line.
fn told(text: &str) -> String {
    const LONGEST: usize = 400;
    let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= LONGEST { line } else { line.chars().take(LONGEST).chain(['…']).collect() }
}

fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let _ = write!(text, ": {}", Excerpt(&cause.to_string()));
        source = cause.source();
    }
    text
}
