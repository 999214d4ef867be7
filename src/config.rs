//! Settings after all checks: plain data that the rest can rely on.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;

use crate::core::hand_on::Shares;
use crate::core::host_pattern::HostPattern;
use crate::core::label::Selector;
use crate::dns::ForwardPolicy;
use crate::docker::Endpoint;
use crate::docker::watcher::Pace;
use crate::gateway::{Interceptor, Introduction, Password, Upstream};
use crate::interceptor::Lines;
use crate::warnings::Warnings;

/// What `serve` runs with.
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "switches of the command line, of which none has to do with another"
)]
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
    /// The certificates of an interceptor other than the built-in one, in PEM.
    pub ca: Option<Bytes>,
    /// The file that they come from.
    pub ca_file: Option<PathBuf>,
    /// Whether containers that were created elsewhere may be started in an intercepted shell.
    pub foreign_allowed: bool,
    /// Whether requests of containers to their own loopback are intercepted.
    pub intercept_loopback: bool,
    /// Whether the steps of builds are intercepted.
    pub intercept_builds: bool,
    /// Who gets what containers send by the tunnel's entry.
    pub interception: Interception,
    /// Who gets it of those who have one of their own: by the label that names it, or by compose project.
    pub named: BTreeMap<String, Named>,
    /// Hosts that it never hears of.
    pub pass_through: Vec<HostPattern>,
    /// Whether containers on internal networks alone may get out by the entry.
    pub internal_egress: bool,
    /// How an interceptor is told who calls.
    pub introduction: Introduction,
    /// Where the control API listens over TCP.
    pub http: SocketAddr,
    /// An image for the tunnel instead of the built-in one.
    pub tunnel_image: Option<String>,
    /// The instance's folder, for its sockets and its lock.
    pub runtime_dir: PathBuf,
    /// What the log warned of lately.
    pub warnings: Arc<Warnings>,
}

impl Config {
    /// Who gets what of whom, with the certificates that were given for it.
    pub fn interceptions(&self) -> Shares<(&Interception, Option<&Bytes>)> {
        let named = self.named.iter();
        let named = named.map(|(name, own)| (name.clone(), (&own.interception, own.ca.as_ref())));
        Shares {
            rest: (&self.interception, self.ca.as_ref()),
            named: named.collect(),
        }
    }
}

/// An interceptor of some.
#[derive(Clone, Debug)]
pub struct Named {
    /// Who it is.
    pub interception: Interception,
    /// Its certificates, as with [`Config::ca`].
    pub ca: Option<Bytes>,
    /// The file that they come from.
    pub ca_file: Option<PathBuf>,
}

/// Who gets what containers send by the tunnel's entry.
#[derive(Clone, Debug)]
pub enum Interception {
    /// Nobody: it goes on as it came.
    None,
    /// dockline itself.
    BuiltIn(BuiltIn),
    /// Another program, an HTTP proxy.
    External(Interceptor),
}

/// What the built-in interceptor is to do.
#[derive(Clone, Debug)]
pub struct BuiltIn {
    /// Where it listens for clients on this host; elsewhere if that port is taken.
    pub address: SocketAddr,
    /// The folder with its certificate authority.
    pub authority: PathBuf,
    /// Where a line for each request goes.
    pub lines: Lines,
    /// A file for what passes, as HAR.
    pub har: Option<PathBuf>,
}
