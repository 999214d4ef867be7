//! How callers and clients come in: within bounds, each with a task of its own.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::sleep;
use tracing::{debug, debug_span, warn};

use super::{Client, Shared, proxy};
use crate::core::caller::Caller;
use crate::core::resolve::Scope;
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
        begin(stream, caller, place, shared);
    }
}

/// Accepts clients on this host until told to stop.
pub(super) async fn accept(listener: TcpListener, shared: &Arc<Shared>, capacity: usize) {
    let places = Arc::new(Semaphore::new(capacity));
    let next = async || {
        let place = Arc::clone(&places).acquire_owned().await;
        let place = place.map_err(std::io::Error::other)?;
        let (stream, address) = listener.accept().await?;
        Ok::<_, std::io::Error>((stream, address, place))
    };
    let mut in_trouble = false;
    while let Some(accepted) = shared.stop.run_until_cancelled(next()).await {
        match accepted {
            Ok((stream, address, place)) => {
                in_trouble = false;
                let scope = Scope::Merged;
                begin(stream, Caller { address, scope }, place, shared);
            }
            Err(error) => {
                // Once, and not ten times a second for as long as it lasts.
                if !in_trouble {
                    warn!(%error, "the interceptor cannot accept connections");
                }
                in_trouble = true;
                sleep(BACK_OFF).await;
            }
        }
    }
}

fn begin(stream: TcpStream, caller: Caller, place: OwnedSemaphorePermit, shared: &Arc<Shared>) {
    let span = debug_span!("intercepted", from = %caller.address);
    if let Err(error) = socket::tune(&stream) {
        debug!(%error, "a client left at once");
        return;
    }
    let client = Client::new(caller, shared, place);
    span.in_scope(|| shared.spawn(proxy::serve(stream, client)));
}
