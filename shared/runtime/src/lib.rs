//! What every guardrail's Lambda function is made of, but for the decision.
//!
//! [`serve`] reads the settings, then carries each event along its one way: trigger → observe → plan → apply → verify → report. Nothing
//! here knows what is forbidden; that is `palisade-policy`.

mod apply;
mod askers;
mod aws;
mod batch;
mod deadline;
mod gateway;
mod init;
mod invocation;
mod log;
mod metrics;
mod observe;
mod publish;
mod report;
mod seal;
mod settings;
mod verify;

pub use crate::askers::{Askers, ConfigAndSecurityHub, Nobody};
pub use crate::aws::Clients;
pub use crate::deadline::Deadline;
pub use crate::gateway::{Errand, Found, Gateway, Interrupted, Observed};
pub use crate::init::serve;
pub use crate::observe::default_group::DefaultGroups;
pub use crate::observe::denial::{Denials, Places, Searching, StandingDenials};
pub use crate::observe::flow_log::FlowLogs;
pub use crate::observe::search::Thresholds;
pub use crate::observe::security_group::SecurityGroups;
pub use crate::observe::undo::Undo;
pub use crate::settings::{SettingsError, Variables};
