//! The gateway: the proxy that an interceptor uses as its upstream. SOCKS5 and HTTP on one port, on loopback only, unless
//! clients must know a password.
//!
//! A connection passes through these, in this order:
//!
//! ```text
//! accept ─► sniff ─► socks5 ─┐                              ┌─ tunnel
//!                  └► http ──┴─► hint (scope) ─► dial ──────┼─ direct ─► relay
//!                                   core::route decides     └─ upstream
//! link ─► callers ─► http ─► core::hand_on ─► interceptor ─► (back to accept, or wherever it likes)
//!                                          └► dial           (there is none, or it does not answer)
//! ```
//!
//! Where a connection goes is decided by `core::route` alone, from the map and the scope; here it is only gone there.
//! The gateway changes nothing of what passes but what concerns one connection of HTTP, and looks into nothing.

mod accept;
mod callers;
mod connections;
mod deadlines;
mod dial;
mod door;
mod error;
mod exceptions;
mod hint;
mod http;
mod interceptor;
mod sniff;
mod socks5;
#[cfg(test)]
mod tests;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use futures_util::future::join_all;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

pub use callers::Callers;
pub use connections::{Connection, Connections, Missed};
pub use deadlines::Deadlines;
pub use dial::{AskServers, Upstream, UpstreamError};
pub use interceptor::{Interceptor, InterceptorError};

pub use crate::proxy::{Introduction, Password};

use crate::core::caller::Caller;
use crate::core::hand_on::{Interception, Shares};
use crate::core::map::NetworkMap;
use crate::core::resolve::Scope;
use crate::core::route::{OwnAddresses, Target};
use crate::core::tunnel_state::TunnelState;
use crate::counts::Counts;
use crate::doorway::Wish;
use crate::tasks::Tasks;
use crate::traffic::Traffic;
use accept::{accept, receive};
use dial::{Dialler, Outside, Resolver};
use exceptions::Exceptions;
use hint::Hints;

/// What the gateway reads. Each connection looks at it once for its route, and waits on it for the tunnel.
#[derive(Clone, Debug)]
pub struct View {
    /// From the watcher.
    pub map: watch::Receiver<Arc<NetworkMap>>,
    /// From the tunnel's driver.
    pub tunnel: watch::Receiver<TunnelState>,
    /// Where is counted what goes into networks, and to the interceptor.
    pub counts: Arc<Counts>,
}

impl View {
    /// Connects through the tunnel to the first of `targets` that answers, for somebody else than a client.
    pub async fn connect(&self, targets: &[Target]) -> io::Result<TcpStream> {
        let opened = dial::into_networks(self, targets, &Deadlines::default()).await;
        opened.map(|(stream, _)| stream).map_err(io::Error::other)
    }
}

/// How the gateway behaves.
#[derive(Clone, Debug)]
pub struct Config {
    /// What clients must know.
    pub password: Option<Password>,
    /// The way out.
    pub upstream: Upstream,
    /// Where dockline listens, so that nothing is sent in circles. The gateway's own address need not be among them.
    pub own: OwnAddresses,
    /// To the DNS servers that containers were given.
    pub ask_servers: AskServers,
    /// Who gets what the entry's callers send, before it comes here.
    pub interceptors: Shares<Option<Interceptor>>,
    /// What of that it gets.
    pub interception: Interception,
    /// How that one is told who calls.
    pub introduction: Introduction,
    /// Whether containers on internal networks may get out.
    pub internal_egress: bool,
    /// How many connections are served at a time; more wait in the kernel's queue. Each takes two files. As many callers of
    /// the entry beside them.
    pub capacity: usize,
    /// How long it waits.
    pub deadlines: Deadlines,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            password: None,
            upstream: Upstream::default(),
            own: OwnAddresses::new(),
            ask_servers: AskServers::default(),
            interceptors: Shares::default(),
            interception: Interception::default(),
            introduction: Introduction::None,
            internal_egress: false,
            // Well beyond what an interceptor opens, and as much memory as nobody misses (some 4 KiB each).
            capacity: 8_192,
            deadlines: Deadlines::default(),
        }
    }
}

/// A gateway that is bound and not yet running.
#[derive(Debug)]
pub struct Gateway {
    listener: TcpListener,
    address: SocketAddr,
    connections: Connections,
    callers: Callers,
}

impl Gateway {
    /// Binds to an address; port 0 picks a free port. Without a password no other than a loopback address is taken: whoever
    /// reaches the gateway reaches every container.
    pub async fn bind(address: SocketAddr, password: Option<&Password>) -> io::Result<Self> {
        if !address.ip().is_loopback() && password.is_none() {
            let reason = "without a password the gateway listens on loopback addresses only";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
        }
        let listener = TcpListener::bind(address).await?;
        Ok(Self {
            address: listener.local_addr()?,
            listener,
            connections: Connections::default(),
            callers: Callers::default(),
        })
    }

    /// The address that it is bound to.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Who talks to whom by it.
    pub fn traffic(&self) -> Traffic {
        self.connections.traffic().clone()
    }

    /// A view of its open connections.
    pub fn connections(&self) -> Connections {
        self.connections.clone()
    }

    /// Its connections to the interceptor, with whose they are.
    pub fn callers(&self) -> Callers {
        self.callers.clone()
    }

    /// Serves clients, the entry's callers that the link brings, and the wishes of other parts of dockline, until `stop`; then
    /// finishes what is under way, for a grace period at most.
    pub async fn run(
        self,
        view: View,
        config: Config,
        arrivals: mpsc::Receiver<(TcpStream, Caller)>,
        wishes: mpsc::Receiver<Wish>,
        stop: CancellationToken,
    ) {
        let mut own = config.own;
        own.insert(self.address);
        let interceptors = config.interceptors.iter().flatten();
        let interceptors: Vec<_> = interceptors.filter_map(Interceptor::socket_addr).collect();
        let shared = Arc::new(Shared {
            dialler: Dialler {
                view,
                no_proxies: own.iter().copied().chain(interceptors).collect(),
                own,
                upstream: config.upstream,
                resolver: Resolver::default(),
                ask_servers: config.ask_servers,
                deadlines: config.deadlines,
                connections: self.connections,
                internal_egress: config.internal_egress,
                outside: Outside::default(),
            },
            exceptions: Exceptions::new(config.interception, config.interceptors.clone()),
            interceptors: config.interceptors,
            introduction: config.introduction,
            password: config.password,
            hints: Hints::of(self.callers),
            deadlines: config.deadlines,
            tasks: Tasks::default(),
            stop,
        });
        // Whoever drops this future leaves no task behind either.
        let _guard = shared.tasks.guard();
        let looked_out_for = shared.interceptors.iter().flatten();
        let look_out =
            join_all(looked_out_for.map(|one| shared.stop.run_until_cancelled(one.look_out())));
        tokio::join!(
            accept(self.listener, &shared, config.capacity),
            receive(arrivals, &shared, config.capacity),
            door::attend(wishes, &shared, config.capacity),
            look_out,
        );
        shared.tasks.finish(config.deadlines.grace).await;
    }
}

/// What all connections share.
#[derive(Debug)]
struct Shared {
    dialler: Dialler,
    interceptors: Shares<Option<Interceptor>>,
    introduction: Introduction,
    exceptions: Exceptions,
    password: Option<Password>,
    hints: Hints,
    deadlines: Deadlines,
    tasks: Tasks,
    /// No more requests.
    stop: CancellationToken,
}

impl Shared {
    /// Who gets what is sent in `scope`.
    fn interceptor(&self, scope: &Scope) -> Option<&Interceptor> {
        let map = self.dialler.map();
        self.interceptors.of_scope(&map, scope).as_ref()
    }

    fn scope(&self, hint: Option<&str>) -> Scope {
        self.hints.scope(&self.dialler.map(), hint)
    }
}
