//! HTTP towards clients, for as long as it lasts.

use std::convert::Infallible;
use std::error::Error;
use std::pin::{Pin, pin};
use std::time::Duration;

use hyper::body::{Body, Incoming};
use hyper::server::conn::http1::{self, UpgradeableConnection};
use hyper::service::Service;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;
use tracing::debug;

/// The longest head of a message; servers take far smaller ones. In the built-in interceptor also the most that each side of an
/// exchange holds of what it has read and, as much again, of what it has yet to write: hyper's own limit is six times as much.
pub(crate) const BUFFER: usize = 64 * 1024;

/// Speaks HTTP/1 to the end, waiting `idle` for each request's head.
pub(crate) async fn serve_http1<S, B>(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    service: S,
    idle: Duration,
    stop: &CancellationToken,
) where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
    B: Body + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(idle)
        .max_buf_size(BUFFER)
        .preserve_header_case(true)
        // What passes stays as the origin sent it.
        .auto_date_header(false)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    serve(connection, UpgradeableConnection::graceful_shutdown, stop).await;
}

/// Serves a connection to the end. After `stop` it takes no more requests: that is what `close` tells it.
pub(crate) async fn serve<C>(
    connection: C,
    close: impl FnOnce(Pin<&mut C>),
    stop: &CancellationToken,
) where
    C: Future<Output = hyper::Result<()>>,
{
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            close(connection.as_mut());
            connection.await
        }
    };
    if let Err(error) = ended {
        debug!(%error, "an HTTP connection ended early");
    }
}
