//! A connection to where requests are forwarded, kept from one request of a client to its next.

use std::sync::Arc;
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::time::timeout;
use tracing::trace;

use super::BUFFER;
use super::reply::Sent;
use crate::gateway::Shared;
use crate::gateway::connections::Entry;
use crate::gateway::dial::{Call, Dialled, Way};
use crate::gateway::error::{Error, Kind};

/// For the last exchange to be over, once its answer has been read to the end: it is, unless the origin never read the
/// request.
const SETTLING: Duration = Duration::from_secs(1);

/// An open connection that speaks HTTP.
pub(super) struct Origin {
    call: Call,
    way: Way,
    sender: SendRequest<Sent>,
    /// Keeps the connection in the table, together with the task that drives it.
    pub(super) entry: Arc<Entry>,
}

type Answer = hyper::Response<Incoming>;

impl Origin {
    /// Dials, and lets a task of its own drive the connection until nobody wants it any more.
    pub(super) async fn open(call: Call, shared: &Shared) -> Result<Self, Error> {
        let Dialled { end, way, entry } = shared.dialler.dial(call.clone()).await?;
        if !end.early.is_empty() {
            return Err(Error::new(Kind::Broken, "it spoke before it was asked"));
        }
        let handshake = http1::Builder::new()
            .preserve_header_case(true)
            .max_buf_size(BUFFER)
            .handshake(TokioIo::new(end.stream))
            .await;
        let (sender, connection) =
            handshake.map_err(|error| Error::new(Kind::Broken, error.to_string()))?;
        let entry = Arc::new(entry);
        let held = Arc::clone(&entry);
        shared.spawn(async move {
            let ended = connection.with_upgrades().await;
            trace!(?ended, "a connection to an origin ended");
            drop(held);
        });
        Ok(Self {
            call,
            way,
            sender,
            entry,
        })
    }

    /// Whether it can take a request for `call` now.
    pub(super) async fn serves(&mut self, call: &Call, shared: &Shared) -> bool {
        if self.call != *call || !shared.dialler.permits(call, &self.way) {
            return false;
        }
        matches!(timeout(SETTLING, self.sender.ready()).await, Ok(Ok(())))
    }

    /// Sends a request. One that was not sent comes back.
    pub(super) async fn send(
        &mut self,
        request: Request<Sent>,
    ) -> Result<Answer, TrySendError<Request<Sent>>> {
        self.sender.try_send_request(request).await
    }
}
