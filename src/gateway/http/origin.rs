//! A connection to where requests are forwarded, kept from one request of a client to its next.

use std::sync::Arc;
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tracing::trace;

use super::reply::Sent;
use crate::gateway::Shared;
use crate::gateway::connections::Entry;
use crate::gateway::dial::{Call, Dialled, Way};
use crate::gateway::error::{Error, Kind};
use crate::metered::{Meter, Metered};
use crate::proxy::conversation::BUFFER;
use crate::traffic::Pair;

/// For the last exchange to be over, once its answer has been read to the end: it is, unless the origin never read the
/// request.
const SETTLING: Duration = Duration::from_secs(1);

/// An open connection that speaks HTTP.
pub(super) struct Origin {
    to: To,
    sender: SendRequest<Sent>,
    /// Keeps the connection in the table, together with the task that drives it.
    pub(super) entry: Arc<Entry>,
}

/// Who is at the other end.
enum To {
    Origin { call: Box<Call>, way: Way },
    Interceptor,
}

type Answer = hyper::Response<Incoming>;

impl Origin {
    /// Dials, and lets a task of its own drive the connection until nobody wants it any more.
    pub(super) async fn open(call: Call, shared: &Shared) -> Result<Self, Error> {
        let Dialled { end, way, entry } = shared.dialler.dial(call.clone()).await?;
        if !end.early.is_empty() {
            return Err(Error::new(Kind::Broken, "it spoke before it was asked"));
        }
        let call = Box::new(call);
        Self::start(end.stream, To::Origin { call, way }, entry, shared).await
    }

    /// The same over a connection to the interceptor, which `call` is to be handed on to.
    pub(super) async fn interceptor(
        stream: TcpStream,
        call: &Call,
        shared: &Shared,
    ) -> Result<Self, Error> {
        let called = shared.hints.callers.enter(&stream, call.scope.clone());
        let called = called.map_err(|error| Error::new(Kind::Broken, error.to_string()))?;
        let connections = &shared.dialler.connections;
        let entry = connections.enter(call, "interceptor");
        let meter = Meter {
            talk: Arc::clone(entry.talk()),
            tunnel: None,
        };
        let stream = Metered::new(stream, meter);
        Self::start(stream, To::Interceptor, entry.with(called), shared).await
    }

    async fn start(stream: Metered, to: To, entry: Entry, shared: &Shared) -> Result<Self, Error> {
        let handshake = http1::Builder::new()
            .preserve_header_case(true)
            .max_buf_size(BUFFER)
            .handshake(TokioIo::new(stream))
            .await;
        let (sender, connection) =
            handshake.map_err(|error| Error::new(Kind::Broken, error.to_string()))?;
        let entry = Arc::new(entry);
        let held = Arc::clone(&entry);
        shared.tasks.spawn(async move {
            let ended = connection.with_upgrades().await;
            trace!(?ended, "a connection to an origin ended");
            drop(held);
        });
        Ok(Self { to, sender, entry })
    }

    /// Whether the interceptor is at the other end, and can take a request now.
    pub(super) async fn intercepts(&mut self) -> bool {
        matches!(self.to, To::Interceptor) && self.settles().await
    }

    /// Whether it can take a request for `call` now.
    pub(super) async fn serves(&mut self, call: &Call, shared: &Shared) -> bool {
        match &self.to {
            To::Origin {
                call: made_for,
                way,
            } => **made_for == *call && shared.dialler.permits(call, way) && self.settles().await,
            To::Interceptor => false,
        }
    }

    async fn settles(&mut self) -> bool {
        matches!(timeout(SETTLING, self.sender.ready()).await, Ok(Ok(())))
    }

    /// Counts a request that `call` is about to make on it, which may be another than the one that it was opened for.
    pub(super) fn requested(&self, call: &Call, shared: &Shared) {
        let talk = self.entry.talk();
        let Pair { from, to, via } = &talk.pair;
        if *from == call.scope && *to == call.destination {
            return talk.requested();
        }
        let traffic = shared.dialler.connections.traffic();
        traffic
            .between(&call.scope, &call.destination, via)
            .requested();
    }

    /// Sends a request. One that was not sent comes back.
    pub(super) async fn send(
        &mut self,
        request: Request<Sent>,
    ) -> Result<Answer, TrySendError<Request<Sent>>> {
        self.sender.try_send_request(request).await
    }
}
