//! Logs: one JSON object a line on standard output, as Lambda wants them.

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Starts logging. `AWS_LAMBDA_LOG_LEVEL` sets the level of our own lines. Those of libraries stay at WARN whatever it says: at DEBUG the
/// SDK writes whole requests.
pub(crate) fn start(guardrail: &str) {
    let level = match std::env::var("AWS_LAMBDA_LOG_LEVEL").unwrap_or_default().to_ascii_uppercase().as_str() {
        "TRACE" => LevelFilter::TRACE,
        "DEBUG" => LevelFilter::DEBUG,
        "WARN" => LevelFilter::WARN,
        "ERROR" | "FATAL" => LevelFilter::ERROR,
        _ => LevelFilter::INFO,
    };
    let ours = guardrail.replace('-', "_");
    let filter = Targets::new().with_target("palisade", level).with_target(ours, level).with_default(LevelFilter::WARN.min(level));
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_target(false)
        .with_current_span(true)
        .with_span_list(false)
        .with_writer(std::io::stdout);
    // A second start can only be a test's; the first stays.
    let _ = tracing_subscriber::registry().with(filter).with(lines).try_init();
}
