//! How clients and callers come in: within bounds, each with a task of its own.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{sleep, timeout};
use tracing::{debug, debug_span, warn};

use super::sniff::{self, Protocol};
use super::{Shared, http, socks5};
use crate::core::caller::Caller;
use crate::proxy::socket;

/// After a failed accept: most often no file or memory is left, and trying again at once would only burn the processor.
const BACK_OFF: Duration = Duration::from_millis(100);

/// Takes callers of the entry until told to stop.
pub(super) async fn receive(
    mut arrivals: mpsc::Receiver<(TcpStream, Caller)>,
    shared: &Arc<Shared>,
    capacity: usize,
) {
    let places = Arc::new(Semaphore::new(capacity));
    let mut next = async || {
        let place = Arc::clone(&places).acquire_owned().await.ok()?;
        let (stream, caller) = arrivals.recv().await?;
        Some((stream, caller, place))
    };
    while let Some(Some((stream, caller, place))) = shared.stop.run_until_cancelled(next()).await {
        let span = debug_span!("caller", from = %caller.address);
        let shared_too = Arc::clone(shared);
        let served = async move {
            match socket::tune(&stream) {
                Ok(()) => http::serve_caller(stream, caller, shared_too).await,
                Err(error) => debug!(%error, "a caller left at once"),
            }
            drop(place);
        };
        span.in_scope(|| shared.spawn(served));
    }
}

/// Accepts until told to stop.
pub(super) async fn accept(listener: TcpListener, shared: &Arc<Shared>, capacity: usize) {
    let places = Arc::new(Semaphore::new(capacity));
    let mut in_trouble = false;
    loop {
        let accepted = tokio::select! {
            biased;
            () = shared.stop.cancelled() => return,
            accepted = next(&listener, &places) => accepted,
        };
        match accepted {
            Ok((stream, peer, place)) => {
                in_trouble = false;
                let served = serve(stream, peer, Arc::clone(shared), place);
                debug_span!("conn", %peer).in_scope(|| shared.spawn(served));
            }
            Err(error) => {
                // Once, and not ten times a second for as long as it lasts.
                if !in_trouble {
                    warn!(%error, "the gateway cannot accept connections");
                }
                in_trouble = true;
                sleep(BACK_OFF).await;
            }
        }
    }
}

async fn next(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await;
    let place = place.map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    Ok((stream, peer, place))
}

/// Serves one client to the end.
async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    shared: Arc<Shared>,
    _place: OwnedSemaphorePermit,
) {
    if let Err(error) = socket::tune(&stream) {
        debug!(%error, "a client left at once");
        return;
    }
    let patience = shared.deadlines.first_byte;
    match timeout(patience, sniff::protocol(&stream)).await {
        Ok(Ok(Protocol::Socks5)) => socks5::serve(stream, peer, shared).await,
        Ok(Ok(Protocol::Http)) => http::serve(stream, peer, shared).await,
        Ok(Ok(Protocol::Socks4)) => {
            debug!("a client speaks SOCKS4, which is refused");
            sniff::refuse_socks4(stream, shared.deadlines.parting).await;
        }
        Ok(Ok(Protocol::Unknown)) => debug!("a client speaks neither SOCKS5 nor HTTP"),
        Ok(Err(error)) => debug!(%error, "a client left at once"),
        Err(_) => debug!("a client said nothing"),
    }
}
