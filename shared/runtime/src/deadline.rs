//! When Lambda will end the invocation: whatever has been changed by then must have been told.

use std::future::Future;
use std::time::{Duration, SystemTime};

use tokio::time::{Instant, timeout_at};

use crate::aws::AwsError;

/// What telling may need: publishing the notice, and failing that the queue.
const FOR_THE_REPORT: Duration = Duration::from_secs(10);
/// What it may need to read again what has been changed, and to take back what may not stay without the rest.
const FOR_THE_LAST_LOOK: Duration = Duration::from_secs(8);
/// What a call that changes something may need when AWS is slow: with less left it is not begun.
const FOR_A_CALL: Duration = Duration::from_secs(2);
/// What the answer to Lambda needs.
const FOR_THE_ANSWER: Duration = Duration::from_millis(500);

/// An invocation's time in three parts: to act, to look at what was done, to tell of it.
#[derive(Debug, Clone, Copy)]
pub struct Deadline {
    acting: Instant,
    looking: Instant,
    telling: Instant,
}

impl Deadline {
    /// For an invocation that Lambda ends at this time. A short one keeps a good third of its time for acting.
    pub(crate) fn of(end: SystemTime) -> Self {
        let left = end.duration_since(SystemTime::now()).unwrap_or_default();
        let telling = left.saturating_sub(FOR_THE_ANSWER.min(left / 8));
        let looking = left.saturating_sub(FOR_THE_REPORT.min(left / 2));
        let acting = looking.saturating_sub(FOR_THE_LAST_LOOK.min(left / 8));
        let now = Instant::now();
        Self { acting: now + acting, looking: now + looking, telling: now + telling }
    }

    /// Whether there is so much time left to act.
    pub(crate) fn leaves(self, time: Duration) -> bool {
        Instant::now() + time < self.acting
    }

    /// Whether a call that changes something may still be begun.
    pub(crate) fn leaves_a_call(self) -> bool {
        self.leaves(FOR_A_CALL)
    }

    /// Whether there is so much time left to look at what was done.
    pub(crate) fn leaves_to_look(self, time: Duration) -> bool {
        Instant::now() + time < self.looking
    }

    /// Whether there is so much time left to tell of it.
    pub(crate) fn leaves_to_tell(self, time: Duration) -> bool {
        Instant::now() + time < self.telling
    }

    /// With the time to look as time to act: to take back what may not stay.
    pub(crate) fn to_the_last(self) -> Self {
        Self { acting: self.looking, ..self }
    }

    /// A part of the work, cut off when the time to act is over. A call that is cut off may have taken effect all the same.
    pub(crate) async fn act<T>(self, part: impl Future<Output = Result<T, AwsError>>) -> Result<T, AwsError> {
        timeout_at(self.acting, part).await.unwrap_or_else(|_| Err(AwsError::out_of_time()))
    }

    /// A look at what is there, cut off when the time for that is over.
    pub(crate) async fn look<T>(self, part: impl Future<Output = Result<T, AwsError>>) -> Result<T, AwsError> {
        timeout_at(self.looking, part).await.unwrap_or_else(|_| Err(AwsError::out_of_time()))
    }

    /// One of so many equal parts of the time to tell.
    pub(crate) fn share(self, parts: usize) -> Duration {
        self.telling.saturating_duration_since(Instant::now()) / u32::try_from(parts.max(1)).unwrap_or(u32::MAX)
    }

    /// One of `left` notices that have yet to be told, cut off when its share of the time is over. A way that must leave time for
    /// `another` gets the half of it.
    pub(crate) async fn tell<T>(self, left: usize, another: bool, part: impl Future<Output = Result<T, AwsError>>) -> Result<T, AwsError> {
        let share = self.share(left.max(1).saturating_mul(if another { 2 } else { 1 }));
        timeout_at(Instant::now() + share, part).await.unwrap_or_else(|_| Err(AwsError::out_of_time()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_short_the_time_is_each_part_has_some_of_it() {
        for seconds in [3, 10, 20, 60, 900] {
            let left = Duration::from_secs(seconds);
            let start = Instant::now();
            let deadline = Deadline::of(SystemTime::now() + left);
            assert!(deadline.acting - start >= left * 3 / 10, "{seconds} s: {deadline:?}");
            assert!(deadline.looking - deadline.acting >= Duration::from_millis(300), "{seconds} s: {deadline:?}");
            assert!(deadline.telling - deadline.looking >= left / 4 || seconds > 20, "{seconds} s: {deadline:?}");
            assert!(start + left - deadline.telling >= Duration::from_millis(300), "{seconds} s: {deadline:?}");
        }
    }
}
