//! Settings after all checks: plain data that the rest can rely on.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::core::label::Selector;
use crate::dns::ForwardPolicy;
use crate::docker::Endpoint;
use crate::docker::watcher::Pace;
use crate::gateway::{Password, Upstream};

/// What `serve` runs with.
#[derive(Clone, Debug)]
pub struct Config {
    /// The instance, and which containers it watches.
    pub selector: Selector,
    /// The engine.
    pub endpoint: Endpoint,
    /// How patiently it is watched.
    pub pace: Pace,
    /// Where DNS listens.
    pub dns: SocketAddr,
    /// Who answers for names that are not the engine's.
    pub dns_forward: ForwardPolicy,
    /// Where the gateway listens.
    pub gateway: SocketAddr,
    /// What clients of the gateway must know, if anything.
    pub gateway_password: Option<Password>,
    /// The way out for what is not a container's.
    pub upstream: Upstream,
    /// Where the control API listens over TCP.
    pub http: SocketAddr,
    /// An image for the tunnel instead of the built-in one.
    pub tunnel_image: Option<String>,
    /// The instance's folder, for its sockets and its lock.
    pub runtime_dir: PathBuf,
}
