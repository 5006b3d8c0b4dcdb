//! The replay harness: real function binaries, behind a Lambda Runtime API, against a local AWS.
//!
//! AWS is faked at HTTP, never by a trait: function → [`proxy`] → [`local_aws`]. A [`case`] is data; [`replay`] plays it; the command-line
//! tool and the tests are two ways to look at that.

pub mod binaries;
pub mod case;
pub mod expected;
mod http;
pub mod lambda;
pub mod lambda_api;
pub mod live;
pub mod local_aws;
pub mod local_cloud;
pub mod permission;
pub mod proxy;
pub mod python;
pub mod replay;
pub mod show;
pub mod stub;
pub mod world;
