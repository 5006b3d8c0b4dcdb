//! The rim between a guardrail and one kind of AWS resource.

use std::future::Future;

use palisade_policy::change::{Change, State};
use palisade_policy::id::AccountId;
use palisade_policy::trigger::Trigger;

use crate::askers::Askers;
use crate::aws::AwsError;
use crate::deadline::Deadline;

/// What one invocation is about.
#[derive(Debug, Clone, Copy)]
pub struct Errand<'a> {
    /// The account to act in.
    pub own: &'a AccountId,
    /// Why we are awake, and where to look.
    pub trigger: &'a Trigger,
    /// When to have finished.
    pub deadline: Deadline,
    /// How many targets this invocation has changed, or tried to, for messages that came before in the same batch.
    pub begun: usize,
}

/// One kind of resource: how to find it, read it, and change it. This is where AWS is spoken to. It is no seam for tests: those fake AWS
/// at HTTP.
pub trait Gateway {
    /// The resource as the policy sees it.
    type State: State;

    /// Who waits for an answer about such resources.
    type Askers: Askers;

    /// Whether several targets change the same AWS resources, so that what is done for one must be seen by the next, in dry run too.
    const SHARED: bool = false;

    /// Hands over every target with its state, as soon as it is read: of a Region's thousands, few need to be kept. What another account
    /// than `own` owns is left out unless it is named.
    ///
    /// # Errors
    /// When not even the list of targets can be made.
    fn find(&self, errand: &Errand<'_>, found: &mut impl FnMut(Found<Self::State>)) -> impl Future<Output = Result<(), AwsError>>;

    /// The same target again.
    ///
    /// # Errors
    /// When it can't be read.
    fn observe(&self, own: &AccountId, of: &Self::State) -> impl Future<Output = Result<Observed<Self::State>, AwsError>>;

    /// Carries out the changes, which were planned for this state, in an order in which every step is safe. Stops at the first that fails,
    /// and begins none for which there is no time.
    ///
    /// # Errors
    /// See [`Interrupted`].
    fn apply(&self, state: &Self::State, changes: &[Change], deadline: Deadline) -> impl Future<Output = Result<(), Interrupted>>;

    /// Asks AWS whether the changes would be allowed, without making them. `None` where there is no way to ask.
    ///
    /// # Errors
    /// When the question itself fails, or the world has moved.
    fn permitted(&self, state: &Self::State, changes: &[Change]) -> impl Future<Output = Result<Option<bool>, Interrupted>>;
}

/// A target, and what reading it gave.
#[derive(Debug)]
pub struct Found<S> {
    /// Its id, or its name where nothing has that name.
    pub resource: String,
    /// What is there.
    pub observed: Result<Observed<S>, AwsError>,
}

/// What is there.
#[derive(Debug)]
pub enum Observed<S> {
    /// This.
    State(S),
    /// Nothing any more.
    Gone,
    /// Something that another account owns, so only that account can change it.
    Foreign(AccountId),
    /// Something that may not be touched, whatever its state: why.
    Refused(String),
    /// No target after all: why.
    Nothing(String),
}

/// Why changes were not all made.
#[derive(Debug)]
pub enum Interrupted {
    /// The world is not, or may not be, as it was when the plan was made: look again.
    Moved {
        /// What AWS said, or did not say.
        error: AwsError,
        /// The changes of calls that succeeded.
        made: Vec<Change>,
    },
    /// The resource has no room, or something on it stands in the way. Nothing was taken away yet; these additions went in before.
    NoRoom {
        /// What AWS said.
        error: AwsError,
        /// The changes of calls that succeeded.
        made: Vec<Change>,
    },
    /// A rule was edited after it was read, and was put back as its owner has it by now: look again.
    Edited {
        /// What was found.
        error: AwsError,
        /// The changes that were to take it away as it was.
        edited: Vec<Change>,
        /// What had been put in for it as it was. It must go, or it lets in what the owner no longer wants.
        unwanted: Vec<Change>,
    },
    /// There was no time for the next call.
    OutOfTime {
        /// The changes of calls that succeeded.
        made: Vec<Change>,
    },
    /// It can't be done.
    Failed(AwsError),
}

impl Interrupted {
    /// What AWS said.
    pub(crate) fn into_error(self) -> AwsError {
        match self {
            Interrupted::Moved { error, .. }
            | Interrupted::NoRoom { error, .. }
            | Interrupted::Edited { error, .. }
            | Interrupted::Failed(error) => error,
            Interrupted::OutOfTime { .. } => AwsError::out_of_time(),
        }
    }
}
