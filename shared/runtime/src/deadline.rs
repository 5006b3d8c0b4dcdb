//! When Lambda will end the invocation: whatever has been changed by then must have been told.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

/// What the notice may need: publishing it, and failing that the queue.
const FOR_THE_REPORT: Duration = Duration::from_secs(10);

/// When to have finished acting.
#[derive(Debug, Clone, Copy)]
pub struct Deadline(Instant);

impl Deadline {
    /// For an invocation that Lambda ends at this time. A short one keeps half its time for acting.
    pub(crate) fn of(end: SystemTime) -> Self {
        let left = end.duration_since(SystemTime::now()).unwrap_or_default();
        Self(Instant::now() + left.saturating_sub(FOR_THE_REPORT).max(left / 2))
    }

    /// Whether there is so much time left.
    pub(crate) fn leaves(self, time: Duration) -> bool {
        Instant::now() + time < self.0
    }
}
