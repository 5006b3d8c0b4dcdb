//! The policy model of Palisade: what a hole is, and the smallest change that closes it.
//!
//! Everything here is a pure function of its arguments. There is no I/O, no clock (time is an argument), no environment, and no AWS
//! crate; a test keeps it so. Nothing here panics.

pub mod address;
pub mod change;
pub mod cidr;
pub mod commands;
pub mod control;
pub mod denial;
pub mod deny_source;
pub mod enable_flow_logs;
pub mod evaluation;
pub mod exemption;
mod exposure;
pub mod flow_log;
pub mod guardrail;
pub mod id;
pub mod ip_set;
pub mod lift_denials;
pub mod network_acl;
pub mod notice;
pub mod plan;
pub mod response;
pub mod revoke_admin_ingress;
pub mod seal;
pub mod security_group;
pub mod strip_default_group;
pub mod traffic;
pub mod trigger;
pub mod undo_change;
