//! What the service tells about itself: the control API, for the commands and for others.
//!
//! Read-only HTTP on a private socket and on a loopback address: `status`, `resolve`, `route`, `events`, a page, and
//! whether it is healthy and ready; `metrics` for those who keep watch. [`report`] says in JSON what the snapshots say;
//! [`server`] serves it;
//! [`client`] is the commands' end.

pub mod client;
mod metrics;
pub mod report;
pub mod server;

pub use report::{Addresses, Sources};
pub use server::Control;
