//! Reading again: what AWS was told is not yet what AWS shows.

use std::time::Duration;

use palisade_policy::change::Change;
use palisade_policy::id::AccountId;

use crate::aws::AwsError;
use crate::deadline::Deadline;
use crate::gateway::{Gateway, Observed};

/// The waits before each of six reads, 15 s in all: EC2's reads may be old for some seconds after a write ("Eventual consistency in the
/// Amazon EC2 API").
pub(crate) const WAITS: [Duration; 6] = [
    Duration::ZERO,
    Duration::from_millis(500),
    Duration::from_millis(1000),
    Duration::from_millis(2000),
    Duration::from_millis(4000),
    Duration::from_millis(7500),
];

/// What the reads showed in the end.
pub(crate) enum Verified<S> {
    /// Every change, in this state.
    All(S),
    /// The resource is gone.
    Gone,
    /// Not this one.
    Not(Change),
}

/// Reads until each of the changes shows, at most as often as [`WAITS`] says and the deadline allows. What others change meanwhile does not
/// matter.
pub(crate) async fn verify<G: Gateway>(
    gateway: &G,
    own: &AccountId,
    state: &G::State,
    changes: &[Change],
    deadline: Deadline,
) -> Result<Verified<G::State>, AwsError> {
    let mut last = Err(AwsError::unreadable("verify", "the time that Lambda allows is over"));
    for wait in WAITS {
        if !wait.is_zero() && !deadline.leaves_to_look(wait) {
            break;
        }
        tokio::time::sleep(wait).await;
        last = match deadline.look(gateway.observe(own, state)).await {
            Ok(Observed::State(state)) => match changes.iter().find(|change| !change.is_made(&state)) {
                None => return Ok(Verified::All(state)),
                Some(change) => Ok(Verified::Not(change.clone())),
            },
            Ok(Observed::Gone | Observed::Foreign(_) | Observed::Refused(_) | Observed::Nothing(_)) => return Ok(Verified::Gone),
            Err(error) => Err(error),
        };
    }
    last
}
