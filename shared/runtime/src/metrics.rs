//! Metrics of outcomes: one line an event on standard output, in CloudWatch's embedded metric format, of which CloudWatch makes metrics.
//!
//! Namespace `Palisade`, dimensions `guardrail` and `mode`, and a metric for each outcome that there was, which counts targets; an event that
//! is ignored counts one `ignored`. What there was none of is left out, because CloudWatch charges by the metric.

use std::sync::OnceLock;

use metrics::{Unit, counter, describe_counter};
use metrics_cloudwatch_embedded::{Builder, Collector};
use palisade_policy::response::Response;

const NAMESPACE: &str = "Palisade";
const IGNORED: &str = "ignored";

/// Writes the metrics of a response.
pub(crate) fn write(response: &Response) {
    let Some(collector) = collector() else { return };
    for (outcome, count) in &response.summary {
        count_of(response, outcome.id(), *count);
    }
    if response.ignored.is_some() {
        count_of(response, IGNORED, 1);
    }
    // Where standard output takes no line there is nobody to tell: the log goes the same way.
    let _ = collector.flush(std::io::stdout().lock());
}

fn count_of(response: &Response, outcome: &'static str, count: usize) {
    describe_counter!(outcome, Unit::Count, "");
    let count = u64::try_from(count).unwrap_or(u64::MAX);
    counter!(outcome, "guardrail" => response.guardrail.id(), "mode" => response.mode.to_string()).increment(count);
}

/// The one of this process. None where another library has set up its own, which none here does.
fn collector() -> Option<&'static Collector> {
    static COLLECTOR: OnceLock<Option<&'static Collector>> = OnceLock::new();
    *COLLECTOR.get_or_init(|| Builder::new().cloudwatch_namespace(NAMESPACE).init().ok())
}
