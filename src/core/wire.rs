//! The link's wire format: what dockline and its tunnel say to one another. This file is compiled into both.
//!
//! A connection of the link begins like this, on the port where SOCKS is served as well (whose clients begin with another
//! byte). Each side proves that it knows the instance's secret and tells the other nothing that could be used again:
//!
//! ```text
//! dockline ─► "dockline", version, nonce                              hello
//!          ◄─ version, nonce, HMAC-SHA256 of both nonces              challenge
//!          ─► HMAC-SHA256 of both nonces, message                     what the connection is to be
//!          ◄─ message                                                 granted, or not
//! ```
//!
//! From then on there are messages, each with kind and length before it and made of fields with tag and length: kinds and
//! tags that are not known are skipped, so that either side may learn new ones first.

pub mod fetched;
pub mod hello;
pub mod message;

pub use hello::{Key, Nonce, Stranger};
pub use message::{Malformed, Message, Session};
