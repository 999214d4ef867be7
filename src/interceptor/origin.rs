//! A connection to an origin, in HTTP/1.1 or HTTP/2, kept from one request to the next.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::Request;
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1, http2};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tracing::trace;

use super::bodies::Sent;
use super::prefixed::Prefixed;
use super::refusal;
use super::{Client, DEADLINES};
use crate::core::route::Destination;
use crate::doorway::{Lease, Opened};
use crate::proxy::conversation::BUFFER;
use crate::proxy::refusal::Refusal;
use crate::traffic::Talk;

/// What HTTP/2 is called in TLS (RFC 9113, section 3.2).
pub(super) const H2: &[u8] = b"h2";

/// For the last exchange to be over, once its answer has been read to the end: it is, unless the origin never read the
/// request.
const SETTLING: Duration = Duration::from_secs(1);

/// Where requests go, and how they are sent there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) destination: Destination,
    /// Whom the client wants to talk to by TLS; nothing for HTTP without it.
    pub(super) server_name: Option<String>,
    /// What client and origin speak, as TLS calls it; HTTP/1.1 if nobody said.
    pub(super) protocol: Option<Bytes>,
}

impl Target {
    pub(super) fn is_h2(&self) -> bool {
        self.protocol.as_ref().is_some_and(|p| p == H2)
    }
}

/// An open connection that speaks HTTP.
#[derive(Debug)]
pub(super) struct Origin {
    target: Target,
    sender: Sender,
    /// Where requests are counted.
    talk: Arc<Talk>,
    lease: Lease,
}

#[derive(Debug)]
enum Sender {
    Http1(http1::SendRequest<Sent>),
    Http2(http2::SendRequest<Sent>),
}

type Answer = hyper::Response<Incoming>;

impl Origin {
    /// Opens a connection, as it was settled when the first one was.
    pub(super) async fn open(client: &Client, target: &Target) -> Result<Self, Refusal> {
        let Target {
            destination,
            server_name,
            protocol,
        } = target;
        let opened = open(client, destination, server_name.is_none()).await?;
        let Opened {
            stream,
            early,
            talk,
            lease,
        } = opened;
        let stream = Prefixed { early, stream };
        let Some(name) = server_name else {
            return Self::start(client, target.clone(), stream, (talk, lease)).await;
        };
        let protocols = protocol.iter().map(|p| p.to_vec()).collect();
        let names = (destination, name.as_str());
        let trust = &client.shared.trust;
        let stream = trust.connect(client, names, protocols, stream).await?;
        let settled = stream.get_ref().1.alpn_protocol();
        if target.is_h2() != (settled == Some(H2)) {
            let reason = "it has changed its mind about HTTP/2";
            return Err(refusal::broken(destination, reason));
        }
        Self::start(client, target.clone(), stream, (talk, lease)).await
    }

    /// Speaks HTTP on an open connection, which a task of its own drives until nobody wants it any more.
    pub(super) async fn start(
        client: &Client,
        target: Target,
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        (talk, lease): (Arc<Talk>, Lease),
    ) -> Result<Self, Refusal> {
        let broken = |error: hyper::Error| refusal::broken(&target.destination, error);
        let io = TokioIo::new(stream);
        let sender = if target.is_h2() {
            let handshake = http2::Builder::new(client.clone())
                .timer(TokioTimer::new())
                .keep_alive_interval(DEADLINES.ping)
                .keep_alive_timeout(DEADLINES.ping)
                .handshake(io)
                .await;
            let (sender, connection) = handshake.map_err(broken)?;
            client.shared.tasks.spawn(async move {
                let ended = connection.await;
                trace!(?ended, "an HTTP/2 connection to an origin ended");
            });
            Sender::Http2(sender)
        } else {
            let handshake = http1::Builder::new()
                .preserve_header_case(true)
                .max_buf_size(BUFFER)
                .handshake(io)
                .await;
            let (sender, connection) = handshake.map_err(broken)?;
            client.shared.tasks.spawn(async move {
                let ended = connection.with_upgrades().await;
                trace!(?ended, "a connection to an origin ended");
            });
            Sender::Http1(sender)
        };
        Ok(Self {
            target,
            sender,
            talk,
            lease,
        })
    }

    /// Another handle of the same connection, where it takes several requests at a time.
    pub(super) fn share(&self) -> Option<Self> {
        match &self.sender {
            Sender::Http1(_) => None,
            Sender::Http2(sender) => Some(Self {
                target: self.target.clone(),
                sender: Sender::Http2(sender.clone()),
                talk: Arc::clone(&self.talk),
                lease: self.lease.clone(),
            }),
        }
    }

    /// Whether it can take a request for `target` now, and still goes there.
    pub(super) async fn serves(&mut self, target: &Target) -> bool {
        self.target == *target && self.lease.holds() && self.settles().await
    }

    async fn settles(&mut self) -> bool {
        let ready = async {
            match &mut self.sender {
                Sender::Http1(sender) => sender.ready().await,
                Sender::Http2(sender) => sender.ready().await,
            }
        };
        matches!(timeout(SETTLING, ready).await, Ok(Ok(())))
    }

    /// Sends a request. One that was not sent comes back.
    pub(super) async fn send(
        &mut self,
        request: Request<Sent>,
    ) -> Result<Answer, TrySendError<Request<Sent>>> {
        self.talk.requested();
        match &mut self.sender {
            Sender::Http1(sender) => sender.try_send_request(request).await,
            Sender::Http2(sender) => sender.try_send_request(request).await,
        }
    }
}

/// A connection to `destination`, as far as the client may get there.
pub(super) async fn open(
    client: &Client,
    destination: &Destination,
    plain_http: bool,
) -> Result<Opened, Refusal> {
    let caller = client.caller.clone();
    let door = &client.shared.door;
    let opened = door.open(caller, destination.clone(), plain_http).await;
    opened.map_err(|refused| refusal::unreachable(destination, &refused))
}
