//! DNS for whoever runs on this host: questions to the core, answers to the wire.
//!
//! UDP and TCP on one address. Each question is put to one snapshot of the map; what the core leaves to the world's
//! resolvers, or to those that a container was given, goes to a [`Forwarder`]. What a name means is decided in
//! [`crate::core::resolve`], never here. The only user of hickory.
//!
//! ```text
//! UDP (`udp`) ─┐
//!              ├─► handler ──► core::resolve ──► reply
//! TCP (`tcp`) ─┘      └──────► forward ────────────┘
//! ```
//!
//! No ordinary question is answered SERVFAIL or REFUSED: resolvers of interceptors give up on these, while after
//! NXDOMAIN they go on to the system's resolver.

mod ask;
mod forward;
mod handler;
mod policy;
mod reply;
mod tcp;
#[cfg(test)]
mod tests;
mod udp;

use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;

use tokio::runtime;
use tokio::sync::watch;
use tokio::task::{self, JoinError};
use tokio_util::sync::CancellationToken;

pub use ask::ask;
pub use forward::{Dial, Forwarder};
pub use policy::{ForwardPolicy, InvalidForwardPolicy};

use self::handler::Handler;
use crate::core::map::NetworkMap;
use crate::core::route::OwnAddresses;
use crate::core::tunnel_state::TunnelState;
use crate::counts::Counts;

/// How often a port is looked for that is free for both UDP and TCP. Even if every second one were taken for UDP,
/// one in 65,536 starts would fail.
const FREE_PORT_TRIES: u32 = 16;

/// Why the DNS server ended.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The sockets could not be served.
    #[error("serve DNS")]
    Start(#[source] io::Error),
    /// The UDP socket is no longer usable.
    #[error("read from the DNS socket")]
    Socket(#[source] io::Error),
    /// Its thread panicked.
    #[error("keep the DNS thread")]
    Thread(#[source] JoinError),
}

/// What answers depend on.
#[derive(Clone, Debug)]
pub struct View {
    /// From the watcher.
    pub map: watch::Receiver<Arc<NetworkMap>>,
    /// From the tunnel's driver.
    pub tunnel: watch::Receiver<TunnelState>,
    /// Where dockline listens: no DNS server of a container's.
    pub own: OwnAddresses,
    /// Where answers are counted.
    pub counts: Arc<Counts>,
    /// Whether containers on internal networks alone may get out all the same.
    pub internal_egress: bool,
}

/// The DNS server, bound and not yet running.
#[derive(Debug)]
pub struct Dns {
    udp: UdpSocket,
    tcp: TcpListener,
    address: SocketAddr,
}

impl Dns {
    /// Takes `address` for UDP and TCP. Port 0 stands for any that is free for both.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        let mut tries = if address.port() == 0 {
            FREE_PORT_TRIES
        } else {
            1
        };
        loop {
            tries -= 1;
            match Self::bind_once(address) {
                Err(error) if error.kind() == io::ErrorKind::AddrInUse && tries > 0 => {}
                outcome => return outcome,
            }
        }
    }

    fn bind_once(address: SocketAddr) -> io::Result<Self> {
        let tcp = TcpListener::bind(address)?;
        let address = tcp.local_addr()?;
        let udp = UdpSocket::bind(address)?;
        tcp.set_nonblocking(true)?;
        udp.set_nonblocking(true)?;
        Ok(Self { udp, tcp, address })
    }

    /// The address, with the port that was found.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `stop`, or until the sockets fail.
    ///
    /// Runs on a thread of its own, which is gone when this returns: on a shared runtime a query costs half as
    /// much again.
    pub async fn run(
        self,
        view: View,
        forwarder: Forwarder,
        stop: CancellationToken,
    ) -> Result<(), Error> {
        let stop = stop.child_token();
        // Ends the thread also when nobody waits for this future any more.
        let _ends_thread = stop.clone().drop_guard();
        let thread = task::spawn_blocking(move || {
            let runtime = runtime::Builder::new_current_thread().enable_all().build();
            let handler = Handler::new(view, forwarder.apart());
            runtime
                .map_err(Error::Start)?
                .block_on(self.serve(handler, stop))
        });
        thread.await.map_err(Error::Thread)?
    }

    async fn serve(self, handler: Handler, stop: CancellationToken) -> Result<(), Error> {
        let tcp = tokio::net::TcpListener::from_std(self.tcp).map_err(Error::Start)?;
        let udp = tokio::net::UdpSocket::from_std(self.udp).map_err(Error::Start)?;
        tracing::debug!(address = %self.address, "DNS is up");
        let serve_udp = async {
            let ended = stop.run_until_cancelled(udp::serve(udp, &handler)).await;
            // If it ended by itself, everything does.
            stop.cancel();
            ended.map_or(Ok(()), |error| Err(Error::Socket(error)))
        };
        let (ended, ()) = tokio::join!(serve_udp, tcp::serve(tcp, handler.clone(), &stop));
        ended
    }
}
