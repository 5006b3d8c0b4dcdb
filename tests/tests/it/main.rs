//! Every test that crosses rooms, in one executable: each one more would link the AWS clients again.
//!
//! None needs an AWS account. They share one local AWS, each in an account of its own, and so run in parallel.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking, its helpers too")]

mod askers;
mod blast_radius;
mod cases;
mod deadline;
mod default_groups;
mod denials;
mod deployment;
mod every_call_fails;
mod every_door;
mod faults;
mod flow_logs;
mod house;
mod lint;
mod metrics;
mod notices;
mod packets;
mod patterns;
mod permissions;
mod races;
mod rooms;
mod scene;
mod settings;
mod template;
mod texts;
mod tool;
mod two_guardrails;
mod undo;
