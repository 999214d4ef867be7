//! Settings after all checks: plain data that the rest can rely on.

use std::net::SocketAddr;
use std::path::PathBuf;

use bytes::Bytes;

use crate::core::label::Selector;
use crate::dns::ForwardPolicy;
use crate::docker::Endpoint;
use crate::docker::watcher::Pace;
use crate::gateway::{Interceptor, Password, Upstream};

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
    /// Where the API proxy listens, if not in the instance's folder.
    pub api_socket: Option<PathBuf>,
    /// Where it listens over TCP as well.
    pub api_tcp: Option<SocketAddr>,
    /// The interceptor's certificates, in PEM.
    pub ca: Option<Bytes>,
    /// Whether containers that were created elsewhere may be started in an intercepted shell.
    pub foreign_allowed: bool,
    /// Whether requests of containers to their own loopback are intercepted.
    pub intercept_loopback: bool,
    /// Who gets what containers send by the tunnel's entry; without one it goes on as it came.
    pub interceptor: Option<Interceptor>,
    /// Whether containers on internal networks alone may get out by the entry.
    pub internal_egress: bool,
    /// Where the control API listens over TCP.
    pub http: SocketAddr,
    /// An image for the tunnel instead of the built-in one.
    pub tunnel_image: Option<String>,
    /// The instance's folder, for its sockets and its lock.
    pub runtime_dir: PathBuf,
}
