//! The JSON that is promised to users: fields may be added, never renamed or removed.

mod answers;

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

pub use answers::{CandidateReport, Resolution, RouteReport};

/// `GET /v1/status`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are the contract")]
pub struct Status {
    pub instance: String,
    pub version: String,
    pub ready: bool,
    pub engine: Engine,
    pub api_socket: Option<String>,
    pub dns: String,
    pub gateway: String,
    /// Whether it wants the password that was given with `--gateway-password`.
    #[serde(default)]
    pub gateway_protected: bool,
    pub http: String,
    pub control: String,
    pub interceptor: Option<Interceptor>,
    /// Those of some containers alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub interceptors: Vec<NamedInterceptor>,
    /// The file with the authority that containers are to trust.
    #[serde(default)]
    pub ca: Option<String>,
    /// The SHA-256 of that authority, as containers that trust it are labelled.
    #[serde(default)]
    pub ca_sha256: Option<String>,
    /// Whether callers of the entry are handed on: not while it is paused.
    pub intercepting: bool,
    pub tunnel: Tunnel,
    pub containers: Vec<ContainerReport>,
    /// Names that mean different containers on different networks.
    pub ambiguous: Vec<AmbiguousName>,
    /// What the log warned of lately, the latest first.
    #[serde(default)]
    pub warnings: Vec<Warned>,
    pub map: MapReport,
}

/// `engine` of [`Status`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are the contract")]
pub struct Engine {
    pub endpoint: String,
    pub version: Option<String>,
    pub api_version: Option<String>,
    pub connected: bool,
    pub problem: Option<String>,
}

/// `interceptor` of [`Status`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are the contract")]
pub struct Interceptor {
    pub kind: String,
    pub address: String,
    pub reachable: bool,
}

/// One of `interceptors` of [`Status`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NamedInterceptor {
    /// The compose project whose it is, or what the label `dockline.interceptor` says.
    pub name: String,
    /// Nothing if they are not intercepted.
    pub interceptor: Option<Interceptor>,
    /// As with [`Status::ca`].
    #[serde(default)]
    pub ca: Option<String>,
    /// As with [`Status::ca_sha256`].
    pub ca_sha256: Option<String>,
}

/// `tunnel` of [`Status`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are the contract")]
pub struct Tunnel {
    pub state: String,
    pub id: Option<String>,
    pub name: String,
    pub image: Option<String>,
    pub address: Option<String>,
    pub entry: Option<String>,
    pub link: Link,
    /// The name of its home network.
    pub home: Option<String>,
    pub networks: Vec<TunnelNetwork>,
    pub problem: Option<String>,
    /// Watched networks that it keeps off, and why.
    pub kept_off: Vec<KeptOff>,
    /// Tunnels in whose place it has come, and that still have callers.
    #[serde(default)]
    pub former: Vec<FormerTunnel>,
}

/// A tunnel that has a successor.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FormerTunnel {
    /// Its container's id.
    pub id: String,
    /// Its container's name.
    pub name: String,
    /// The containers that know it by an address: for their sake it stays, and they are not intercepted.
    pub containers: Vec<String>,
}

/// `tunnel.link` of [`Status`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Link {
    /// `down`, `up` or `busy`.
    pub state: String,
    /// Who owns the tunnel instead, if it is `busy`.
    pub owner: Option<String>,
}

/// A network that the tunnel is on.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are the contract")]
pub struct TunnelNetwork {
    pub id: String,
    pub name: String,
    pub address: Option<IpAddr>,
}

/// A network that the tunnel keeps off.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are the contract")]
pub struct KeptOff {
    pub name: String,
    pub reason: String,
}

/// One of `containers` of [`Status`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are the contract")]
pub struct ContainerReport {
    pub id: String,
    pub name: String,
    pub running: bool,
    /// Its compose project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    pub injected: bool,
    pub ca_current: bool,
    /// Which of `interceptors` it has; nothing for the one of all others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interceptor: Option<String>,
    pub networks: Vec<EndpointReport>,
}

/// A container on a network.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are the contract")]
pub struct EndpointReport {
    pub id: String,
    pub name: String,
    pub addresses: Vec<IpAddr>,
    pub names: Vec<String>,
}

/// One of `ambiguous` of [`Status`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are the contract")]
pub struct AmbiguousName {
    pub name: String,
    pub networks: Vec<String>,
}

/// One of `warnings` of [`Status`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Warned {
    /// When it was said last, in seconds since 1970.
    pub at: f64,
    /// `warn` or `error`.
    pub level: String,
    /// What the log says.
    pub text: String,
    /// How often it was said.
    pub times: u64,
}

/// `map` of [`Status`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are the contract")]
pub struct MapReport {
    pub generation: u64,
    pub resyncs: u64,
    pub names: usize,
}

/// `POST /v1/pause` and `POST /v1/resume`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are the contract")]
pub struct Intercepting {
    pub intercepting: bool,
}

/// `GET /v1/traffic`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Traffic {
    /// Requests that the interceptor got.
    pub requests: u64,
    /// Who talks to whom, those who spoke last first.
    pub talks: Vec<Talk>,
}

/// One of `talks` of [`Traffic`]: a caller and where it calls, by one way.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are the contract")]
pub struct Talk {
    pub from: String,
    /// The container that calls, if it is one.
    pub from_id: Option<String>,
    pub to: String,
    /// The container that is there now, if there is one.
    pub to_name: Option<String>,
    pub to_id: Option<String>,
    /// `tunnel`, `host`, `direct` or `interceptor`.
    pub via: String,
    /// Connections that are open.
    pub open: usize,
    pub connections: u64,
    /// As far as they can be told apart.
    pub requests: u64,
    /// Bytes from the caller.
    pub sent: u64,
    /// Bytes to the caller.
    pub received: u64,
    /// Since the last connection or request.
    pub idle_seconds: f64,
}

/// `GET /v1/who`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are the contract")]
pub struct WhoReport {
    pub client: String,
    /// The container's name; `ADDRESS@NETWORK` of somebody unknown on a network.
    pub name: String,
    pub container: Option<String>,
    pub service: Option<String>,
    pub project: Option<String>,
}

/// `GET /v1/connections`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are the contract")]
pub struct Connections {
    pub open: Vec<OpenConnection>,
    /// The last that could not be had, the oldest first.
    pub refused: Vec<RefusedConnection>,
}

/// One of `open` of [`Connections`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are the contract")]
pub struct OpenConnection {
    pub client: String,
    /// Whose point of view it is: a container's name, or nobody's in particular.
    pub from: Option<String>,
    pub destination: String,
    /// `interceptor` for one that a caller is handed on by.
    pub via: String,
    /// Seconds since 1970.
    pub since: f64,
}

/// One of `refused` of [`Connections`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are the contract")]
pub struct RefusedConnection {
    pub client: String,
    pub destination: String,
    pub status: u16,
    pub reason: String,
    /// Seconds since 1970.
    pub at: f64,
}
