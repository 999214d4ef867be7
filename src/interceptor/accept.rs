//! How callers and clients come in: each with a task of its own.

use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tracing::{debug, debug_span};

use super::{CAPACITY, Client, Shared, proxy};
use crate::core::caller::Caller;
use crate::core::resolve::Scope;
use crate::proxy::accept::{self, Place};
use crate::proxy::socket;

/// Takes callers of the entry until told to stop.
pub(super) async fn receive(arrivals: mpsc::Receiver<(TcpStream, Caller)>, shared: &Arc<Shared>) {
    accept::receive(
        arrivals,
        CAPACITY,
        &shared.stop,
        |(stream, caller), place| {
            begin(stream, caller, place, shared);
        },
    )
    .await;
}

/// Accepts clients on this host until told to stop.
pub(super) async fn accept(listener: TcpListener, shared: &Arc<Shared>) {
    let begin = |stream, address, place| {
        let scope = Scope::Merged;
        begin(stream, Caller { address, scope }, place, shared);
    };
    accept::accept(listener, "the interceptor", CAPACITY, &shared.stop, begin).await;
}

fn begin(stream: TcpStream, caller: Caller, place: Place, shared: &Arc<Shared>) {
    let span = debug_span!("intercepted", from = %caller.address);
    if let Err(error) = socket::tune(&stream) {
        debug!(%error, "a client left at once");
        return;
    }
    let client = Client::new(caller, shared, place);
    span.in_scope(|| shared.tasks.spawn(proxy::serve(stream, client)));
}
