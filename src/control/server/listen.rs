//! Accepts clients and serves each within bounds: so many at a time, none that says nothing, none that outlives the stop.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::serve::Listener;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::local;
use crate::proxy::accept::Trouble;
use crate::proxy::conversation;
use crate::tasks::Tasks;

/// Clients at a time, on each listener; more wait to be accepted. Commands come one at a time, pages keep a few.
const CLIENTS: usize = 256;
/// For a client's next request head.
const HEAD: Duration = Duration::from_secs(5);
/// For what is under way once the service stops. Answers come from memory; a name that the world is asked for is not
/// worth waiting for.
const GRACE: Duration = Duration::from_secs(1);

/// The user's own socket, as a listener of axum's.
pub(super) struct Own {
    listener: local::Listener,
    trouble: Trouble,
}

impl From<local::Listener> for Own {
    fn from(listener: local::Listener) -> Self {
        let trouble = Trouble::default();
        Self { listener, trouble }
    }
}

impl Listener for Own {
    type Io = local::Incoming;
    type Addr = ();

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            match self.listener.accept().await {
                Ok(stream) => {
                    self.trouble.ends();
                    return (stream, ());
                }
                Err(error) => {
                    self.trouble
                        .goes_on("the control API's socket", &error)
                        .await;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        Ok(())
    }
}

/// Serves until `stop`; then finishes what is under way, for a grace period at most.
pub(super) async fn serve<L: Listener>(mut listener: L, api: Router, stop: &CancellationToken) {
    let clients = Tasks::default();
    // Whoever drops this future leaves no task behind either.
    let _guard = clients.guard();
    let places = Arc::new(Semaphore::new(CLIENTS));
    let accepting = async {
        while let Ok(place) = Arc::clone(&places).acquire_owned().await {
            let (stream, _) = listener.accept().await;
            let served = client(stream, api.clone(), stop.clone());
            clients.spawn(async move {
                served.await;
                drop(place);
            });
        }
    };
    stop.run_until_cancelled(accepting).await;
    drop(listener);
    clients.finish(GRACE).await;
}

/// Serves one client to the end.
async fn client<S>(stream: S, api: Router, stop: CancellationToken)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(api));
    conversation::serve(connection, http1::Connection::graceful_shutdown, &stop).await;
}
