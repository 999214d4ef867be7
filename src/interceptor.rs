//! The built-in interceptor: shows every request of every caller, TLS or not, and changes none.
//!
//! ```text
//! link ─► accept ─► proxy ─┬─ http://… ──────────────► exchange ─► origin ─► gateway's door
//! this host ─►┘            └─ CONNECT ─► tunnel ─► TLS ─►┘    └─► records ─► lines, HAR
//! ```
//!
//! Connections are asked for at the gateway's [door](crate::doorway), in the caller's scope, and nowhere else. What the
//! [authority] signs for clients is made up; what origins show is verified in `trust`.

mod accept;
pub mod authority;
mod bodies;
mod distrust;
mod exchange;
mod har;
mod hello;
mod leaves;
mod opening;
mod origin;
mod prefixed;
mod proxy;
mod records;
mod refusal;
mod tapped;
#[cfg(test)]
mod tests;
mod trust;
mod tunnel;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

pub use authority::{Authority, AuthorityError};
pub use har::Har;
pub use records::Lines;
pub use trust::AskRoots;

use crate::core::caller::Caller;
use crate::core::hand_on::{Exception, Interception, exception};
use crate::core::map::NetworkMap;
use crate::core::resolve::Scope;
use crate::core::route::Destination;
use crate::core::who::{Who, who};
use crate::counts::Counts;
use crate::doorway::Doorway;
use crate::proxy::Password;
use crate::proxy::accept::Place;
use crate::tasks::Tasks;
use accept::{accept, receive};
use distrust::Distrust;
use leaves::Leaves;
use records::Recorder;
use trust::Trust;

/// How long the interceptor waits for anybody. Bodies and answers take as long as they take.
#[derive(Clone, Copy, Debug)]
struct Deadlines {
    /// For the first byte of either side of a CONNECT, which tells what is spoken.
    first_byte: Duration,
    /// For a whole TLS handshake.
    handshake: Duration,
    /// For a client's next request head.
    idle: Duration,
    /// Between signs of life on HTTP/2, and for each.
    ping: Duration,
    /// For what is under way once the interceptor stops.
    grace: Duration,
}

const DEADLINES: Deadlines = Deadlines {
    first_byte: Duration::from_secs(10),
    handshake: Duration::from_secs(10),
    idle: Duration::from_secs(120),
    ping: Duration::from_secs(30),
    grace: Duration::from_secs(3),
};

/// Connections at a time of this host, and as many of callers. As the gateway has it.
const CAPACITY: usize = 8_192;

/// How the interceptor behaves.
#[derive(Debug)]
pub struct Config {
    /// Signs what clients see.
    pub authority: Authority,
    /// To the gateway.
    pub door: Doorway,
    /// From the watcher.
    pub map: watch::Receiver<Arc<NetworkMap>>,
    /// What is opened of what callers send, and what is not.
    pub interception: Interception,
    /// Where requests are counted.
    pub counts: Arc<Counts>,
    /// To whoever reads whom containers trust.
    pub roots: AskRoots,
    /// What clients on this host must know.
    pub password: Option<Password>,
    /// Where a line for each request goes.
    pub lines: Lines,
    /// Where what passes is archived.
    pub har: Option<Har>,
}

/// An interceptor that is bound and not yet running.
#[derive(Debug)]
pub struct BuiltIn {
    listener: TcpListener,
    address: SocketAddr,
}

impl BuiltIn {
    /// Binds to a loopback address, for clients on this host; any port if that one is taken, since none has to be known.
    pub async fn bind(address: SocketAddr) -> io::Result<Self> {
        let listener = match TcpListener::bind(address).await {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                TcpListener::bind(SocketAddr::new(address.ip(), 0)).await?
            }
            bound => bound?,
        };
        Ok(Self {
            address: listener.local_addr()?,
            listener,
        })
    }

    /// The address that it is bound to.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves the entry's callers that the link brings, and clients on this host, until `stop`; then finishes what is under
    /// way, for a grace period at most.
    pub async fn run(
        self,
        config: Config,
        arrivals: mpsc::Receiver<(TcpStream, Caller)>,
        stop: CancellationToken,
    ) -> io::Result<()> {
        let trust = Trust::load(config.roots.clone())?;
        self.run_trusting(trust, config, arrivals, stop).await
    }

    async fn run_trusting(
        self,
        trust: Trust,
        config: Config,
        arrivals: mpsc::Receiver<(TcpStream, Caller)>,
        stop: CancellationToken,
    ) -> io::Result<()> {
        let served = CancellationToken::new();
        let (recorder, writer) = records::open(config.lines, config.har, served.clone());
        let shared = Arc::new(Shared {
            leaves: Leaves::new(config.authority).map_err(io::Error::other)?,
            trust,
            door: config.door,
            map: config.map,
            interception: config.interception,
            password: config.password,
            recorder,
            counts: config.counts,
            distrust: Distrust::default(),
            tasks: Tasks::default(),
            stop,
        });
        let serving = async {
            serve(shared, self.listener, arrivals).await;
            served.cancel();
        };
        tokio::join!(serving, writer.run()).1
    }
}

async fn serve(
    shared: Arc<Shared>,
    listener: TcpListener,
    arrivals: mpsc::Receiver<(TcpStream, Caller)>,
) {
    // Whoever drops this future leaves no task behind either.
    let _guard = shared.tasks.guard();
    tokio::join!(accept(listener, &shared), receive(arrivals, &shared));
    shared.tasks.finish(DEADLINES.grace).await;
}

/// What all connections share.
#[derive(Debug)]
struct Shared {
    leaves: Leaves,
    trust: Trust,
    door: Doorway,
    map: watch::Receiver<Arc<NetworkMap>>,
    interception: Interception,
    password: Option<Password>,
    recorder: Recorder,
    counts: Arc<Counts>,
    distrust: Distrust,
    tasks: Tasks,
    /// No more requests.
    stop: CancellationToken,
}

/// Somebody whose connection is served, with its place among those that are.
#[derive(Clone, Debug)]
struct Client {
    caller: Caller,
    who: Arc<Who>,
    shared: Arc<Shared>,
    _place: Arc<Place>,
}

impl Client {
    fn new(caller: Caller, shared: &Arc<Shared>, place: Place) -> Self {
        let who = who(&shared.map.borrow(), &caller);
        Self {
            caller,
            who: Arc::new(who),
            shared: Arc::clone(shared),
            _place: Arc::new(place),
        }
    }

    /// Whether it is a client on this host, and not a caller of the entry.
    fn is_local(&self) -> bool {
        self.caller.scope == Scope::Merged
    }

    /// Why a wish of the client's passes unopened, if it does. Whom a client on this host trusts is its own business.
    fn exception(&self, destination: &Destination, plain_http: bool) -> Option<Exception> {
        let Shared {
            map, interception, ..
        } = &*self.shared;
        let scope = &self.caller.scope;
        let found = exception(&map.borrow(), scope, destination, plain_http, interception);
        found.filter(|found| *found != Exception::Unknown || !self.is_local())
    }
}

/// HTTP/2 does its work in tasks, which are ours like all others.
impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for Client {
    fn execute(&self, task: F) {
        self.shared.tasks.spawn(task);
    }
}
