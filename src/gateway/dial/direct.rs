//! Connections without the tunnel: resolving public names, and trying several addresses (RFC 8305).

use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::within;
use crate::gateway::deadlines::Deadlines;
use crate::gateway::error::{Error, Kind};

/// How many names are resolved at a time. A lookup keeps its thread even when nobody waits for it any more, and the
/// runtime's threads for blocking work are shared with everybody else.
const LOOKUPS: usize = 64;

/// The system's resolver.
#[derive(Debug)]
pub(in crate::gateway) struct Resolver {
    free: Arc<Semaphore>,
}

impl Default for Resolver {
    fn default() -> Self {
        Self {
            free: Arc::new(Semaphore::new(LOOKUPS)),
        }
    }
}

impl Resolver {
    /// The addresses of a public name, in the system's order of preference.
    pub(super) async fn look_up(
        &self,
        name: &str,
        port: u16,
        patience: Duration,
    ) -> Result<Vec<SocketAddr>, Error> {
        let query = (name.to_owned(), port);
        let found = async {
            let place = Arc::clone(&self.free).acquire_owned().await;
            let found = spawn_blocking(move || {
                let _place = place;
                query.to_socket_addrs()
            });
            let stopped = |_| Error::new(Kind::Broken, "the resolver was stopped");
            match found.await.map_err(stopped)? {
                Ok(addresses) => Ok(addresses.collect()),
                Err(error) => Err(Error::new(
                    Kind::NotFound,
                    format!("the system's resolver has no address of {name}: {error}"),
                )),
            }
        };
        within(patience, || format!("resolving {name}"), found).await
    }
}

/// Connects to whichever of `addresses` answers first. Each gets a head start on the next; if none answers, the first
/// failure tells most: it is about the preferred address.
pub(super) async fn connect(
    addresses: &[SocketAddr],
    deadlines: &Deadlines,
) -> Result<(TcpStream, SocketAddr), Error> {
    let what = || {
        let first = addresses.first().map(SocketAddr::to_string);
        format!("connecting to {}", first.unwrap_or_default())
    };
    within(deadlines.connect, what, race(addresses, deadlines)).await
}

async fn race(
    addresses: &[SocketAddr],
    deadlines: &Deadlines,
) -> Result<(TcpStream, SocketAddr), Error> {
    let mut waiting = alternating(addresses).into_iter();
    let mut attempts = FuturesUnordered::new();
    let mut first_failure = None;
    loop {
        attempts.extend(waiting.next().map(attempt));
        tokio::select! {
            Some(outcome) = attempts.next() => match outcome {
                Ok(connected) => return Ok(connected),
                Err(error) => {
                    first_failure.get_or_insert(error);
                }
            },
            () = sleep(deadlines.stagger), if waiting.len() > 0 => {}
            else => break,
        }
    }
    Err(first_failure.unwrap_or_else(|| Error::new(Kind::NotFound, "there is no address")))
}

async fn attempt(address: SocketAddr) -> Result<(TcpStream, SocketAddr), Error> {
    match TcpStream::connect(address).await {
        Ok(stream) => Ok((stream, address)),
        Err(error) => Err(Error::connecting(address, &error)),
    }
}

/// The addresses in their order, but with families taking turns: if one is broken as a whole, the other comes soon.
fn alternating(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let preferred = addresses.first().is_some_and(SocketAddr::is_ipv4);
    let (first, second): (Vec<SocketAddr>, Vec<SocketAddr>) =
        addresses.iter().partition(|a| a.is_ipv4() == preferred);
    let mut second = second.into_iter();
    let mut mixed = Vec::with_capacity(addresses.len());
    for address in first {
        mixed.push(address);
        mixed.extend(second.next());
    }
    mixed.extend(second);
    mixed
}
