//! What an engine fetches by itself for a build (`ADD https://…`): asked for at the entry, fetched by way of the interceptor.
//!
//! ```text
//! link ─► Fetch ─┬─ a step of a build ──────────────────────────────────────────► gateway, or the built-in interceptor
//!                └─ the engine ─► forward: a request of our own, as the engine's ──┘
//!                                    └─ whatever goes wrong: the engine is sent where it wanted to go
//! ```
//!
//! The interceptor takes it for what a caller of the entry sends, which it is: over HTTP in absolute form, and over TLS, of
//! which the engine hears nothing, by CONNECT.

mod forward;
mod lines;
#[cfg(test)]
mod tests;
mod tls;

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::core::caller::Caller;
use crate::core::map::NetworkMap;
use crate::core::route::OwnAddresses;
use crate::core::trust::Ca;
use crate::core::tunnel_state::TunnelState;
use crate::core::wire::fetched;
use crate::proxy::accept;
use crate::tasks::Tasks;
use tls::Tls;

/// Engines and steps that are told apart, or served, at a time. An engine keeps few connections to the one host.
const CALLERS: usize = 1_024;
/// For the first word. Clients of proxies speak first; who has not by then is the gateway's business.
const FIRST_WORD: Duration = Duration::from_secs(1);
/// For what is under way when the service stops.
const GRACE: Duration = Duration::from_secs(1);
/// As an engine begins: in one write, as Go does.
const METHODS: [&[u8]; 2] = [b"GET ", b"HEAD "];
/// The longest of them with the path's beginning.
const BEGINNING: usize = 5 + fetched::PREFIX.len();

/// A caller of the entry, with its connection.
type Arrival = (TcpStream, Caller);

/// What is to be known to fetch.
#[derive(Debug)]
pub struct Fetch {
    /// From the link: callers that may be the engine.
    pub arrivals: mpsc::Receiver<Arrival>,
    /// To the interceptor, or the gateway: all others, and what is fetched.
    pub onward: mpsc::Sender<Arrival>,
    /// From the watcher.
    pub map: watch::Receiver<Arc<NetworkMap>>,
    /// From the tunnel's driver.
    pub tunnel: watch::Receiver<TunnelState>,
    /// Where dockline listens.
    pub own: OwnAddresses,
    /// Whether callers on internal networks may get out.
    pub internal_egress: bool,
    /// Whom to trust besides whom the machine does.
    pub cas: Vec<Ca>,
}

/// What all fetches share.
#[derive(Debug)]
struct Shared {
    onward: mpsc::Sender<Arrival>,
    map: watch::Receiver<Arc<NetworkMap>>,
    tunnel: watch::Receiver<TunnelState>,
    own: OwnAddresses,
    internal_egress: bool,
    tls: Tls,
    tasks: Tasks,
    stop: CancellationToken,
}

impl Fetch {
    /// Serves engines until `stop`; then finishes what is under way, for a grace period at most.
    pub async fn run(self, stop: CancellationToken) {
        let shared = Arc::new(Shared {
            onward: self.onward,
            map: self.map,
            tunnel: self.tunnel,
            own: self.own,
            internal_egress: self.internal_egress,
            tls: Tls::new(self.cas),
            tasks: Tasks::default(),
            stop: stop.clone(),
        });
        // Whoever drops this future leaves no task behind either.
        let _guard = shared.tasks.guard();
        accept::receive(self.arrivals, CALLERS, &stop, |arrival, place| {
            let served = serve(arrival, Arc::clone(&shared));
            shared.tasks.spawn(async move {
                served.await;
                drop(place);
            });
        })
        .await;
        shared.tasks.finish(GRACE).await;
    }
}

async fn serve((stream, caller): Arrival, shared: Arc<Shared>) {
    let mut begun = [0; BEGINNING];
    let read = timeout(FIRST_WORD, stream.peek(&mut begun)).await;
    let is_engine = matches!(read, Ok(Ok(read)) if asks_for_path(&begun[..read]));
    if is_engine {
        forward::serve(stream, caller, shared).await;
    } else {
        // Whoever takes no more of them is stopping.
        let _ = shared.onward.send((stream, caller)).await;
    }
}

fn asks_for_path(begun: &[u8]) -> bool {
    METHODS.iter().any(|method| {
        let path = begun.strip_prefix(*method);
        path.is_some_and(|path| path.starts_with(fetched::PREFIX.as_bytes()))
    })
}
