//! The engine: where it is, what it says, what is asked of it. The only user of bollard.
//!
//! [`endpoint`] finds it, [`client`] talks to it, `convert` turns its words into the core's, and [`watcher`]
//! keeps the map. Facts enter dockline here alone; what to fetch next is [`crate::core::tracker`]'s decision.

pub mod client;
mod context;
mod convert;
pub mod dial;
pub mod endpoint;
mod error;
mod raw;
pub mod watcher;

pub use client::Client;
pub use endpoint::Endpoint;
pub use error::Error;
