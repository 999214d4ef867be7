//! How clients and callers come in: each with a task of its own.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tracing::{debug, debug_span};

use super::sniff::{self, Protocol};
use super::{Shared, http, socks5};
use crate::core::caller::Caller;
use crate::proxy::accept::{self, Place};
use crate::proxy::socket;

/// Takes callers of the entry until told to stop.
pub(super) async fn receive(
    arrivals: mpsc::Receiver<(TcpStream, Caller)>,
    shared: &Arc<Shared>,
    capacity: usize,
) {
    accept::receive(
        arrivals,
        capacity,
        &shared.stop,
        |(stream, caller), place| {
            let span = debug_span!("caller", from = %caller.address);
            let served = serve_caller(stream, caller, Arc::clone(shared), place);
            span.in_scope(|| shared.tasks.spawn(served));
        },
    )
    .await;
}

/// Accepts until told to stop.
pub(super) async fn accept(listener: TcpListener, shared: &Arc<Shared>, capacity: usize) {
    let begin = |stream, peer, place| {
        let served = serve(stream, peer, Arc::clone(shared), place);
        debug_span!("conn", %peer).in_scope(|| shared.tasks.spawn(served));
    };
    accept::accept(listener, "the gateway", capacity, &shared.stop, begin).await;
}

async fn serve_caller(stream: TcpStream, caller: Caller, shared: Arc<Shared>, _place: Place) {
    match socket::tune(&stream) {
        Ok(()) => http::serve_caller(stream, caller, shared).await,
        Err(error) => debug!(%error, "a caller left at once"),
    }
}

/// Serves one client to the end.
async fn serve(stream: TcpStream, peer: SocketAddr, shared: Arc<Shared>, _place: Place) {
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
