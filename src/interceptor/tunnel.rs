//! What comes after CONNECT: TLS is opened, requests in it and without it are seen; all else is passed on as it is.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use hyper::Method;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tracing::{debug, warn};

use super::distrust::{distrusted, failed};
use super::exchange::Conversation;
use super::hello::{self, Hello};
use super::opening::{self, Opening};
use super::origin::{H2, Origin, Target};
use super::prefixed::Prefixed;
use super::records::Begin;
use super::{Client, DEADLINES};
use crate::core::hand_on::Exception;
use crate::core::route::{Destination, Host};
use crate::doorway::Opened;
use crate::proxy::conversation::{self, serve_http1};
use crate::proxy::half_close::HalfOpen;
use crate::proxy::provisional::Line;
use crate::proxy::refusal::Refusal;
use crate::relay::{End, relay};

/// A connection that a client asked for, with the way to where it is to go.
pub(super) struct Tunnel {
    pub(super) client: Client,
    pub(super) destination: Destination,
    pub(super) opened: Opened,
}

impl Client {
    /// Writes down a CONNECT that came to nothing.
    pub(super) fn refused(&self, destination: &Destination, refusal: &Refusal) {
        self.connected(destination, refusal.status, &refusal.text);
    }

    fn connected(&self, destination: &Destination, status: hyper::StatusCode, remark: &str) {
        let (none, version) = (hyper::HeaderMap::new(), hyper::Version::HTTP_11);
        let open = self.shared.recorder.begin(Begin {
            who: &self.who,
            method: Method::CONNECT,
            url: destination.to_string(),
            version,
            headers: &none,
        });
        open.answered(status, version, &none);
        open.remark(remark);
    }
}

impl Tunnel {
    /// Serves the client to the end, beginning with what was read of it before.
    pub(super) async fn run(self, mut stream: TcpStream, early: Bytes) {
        let exception = self.client.exception(&self.destination, false);
        if exception == Some(Exception::Host) {
            return self.pass_on(stream, early, None).await;
        }
        let (opening, read) = opening::read(&mut stream, early, &self.opened).await;
        match opening {
            Opening::Tls => self.open_tls(stream, read, exception.is_none()).await,
            Opening::Http1 => self.plainly(stream, read, None).await,
            Opening::Http2 => self.plainly(stream, read, Some(H2)).await,
            Opening::Other => {
                let remark = "neither TLS nor HTTP, passed on as it is";
                self.pass_on(stream, read, Some(remark)).await;
            }
        }
    }

    async fn open_tls(self, mut stream: TcpStream, read: Bytes, is_trusted: bool) {
        let hello = timeout(DEADLINES.handshake, hello::read(&mut stream, read)).await;
        match hello {
            Ok(Ok(hello)) if !hello.speaks_http() => {
                let remark = "TLS, but not for HTTP, passed on as it is";
                self.pass_on(stream, hello.read, Some(remark)).await;
            }
            Ok(Ok(hello)) if !is_trusted => {
                distrusted(&self.client);
                let remark = "dockline's CA is not trusted there, passed on as it is";
                self.pass_on(stream, hello.read, Some(remark)).await;
            }
            Ok(Ok(hello)) => self.intercept(stream, hello).await,
            Ok(Err(read)) => {
                let remark = "not the TLS that it begins as, passed on as it is";
                self.pass_on(stream, read, Some(remark)).await;
            }
            Err(_) => debug!("a client did not finish its TLS hello"),
        }
    }

    /// Speaks HTTP without TLS to both, on the connections that there are.
    async fn plainly(self, stream: TcpStream, early: Bytes, protocol: Option<&'static [u8]>) {
        let Opened {
            stream: far,
            early: spoken,
            talk,
            lease,
        } = self.opened;
        let target = Target {
            destination: self.destination,
            server_name: None,
            protocol: protocol.map(Bytes::from_static),
        };
        let far = Prefixed {
            early: spoken,
            stream: far,
        };
        let near = Prefixed {
            early,
            stream: stream.into(),
        };
        let reached = Origin::start(&self.client, target.clone(), far, (talk, lease)).await;
        converse(near, self.client, target, reached).await;
    }

    /// With a remark it is written down.
    async fn pass_on(self, stream: TcpStream, early: Bytes, remark: Option<&str>) {
        let Opened {
            stream: far,
            early: spoken,
            talk: _,
            lease,
        } = self.opened;
        if let Some(remark) = remark {
            self.client
                .connected(&self.destination, hyper::StatusCode::OK, remark);
        }
        let near = End {
            stream: stream.into(),
            early,
        };
        let far = End {
            stream: far,
            early: spoken,
        };
        drop(self.client.who);
        let ended = relay(near, far).await;
        debug!(?ended, "relay ended");
        drop(lease);
    }

    /// Speaks TLS to both, and the same protocol in it.
    async fn intercept(self, stream: TcpStream, hello: Hello) {
        let Self {
            client,
            destination,
            opened,
        } = self;
        let named = hello.server_name.clone();
        let name = named.unwrap_or_else(|| match &destination.host {
            Host::Address(address) => address.to_string(),
            Host::Name(name) => name.clone(),
        });
        let Opened {
            stream: far,
            early,
            talk,
            lease,
        } = opened;
        let far = Prefixed { early, stream: far };
        let offered = hello.offer();
        let trust = &client.shared.trust;
        let origin = (&destination, name.as_str());
        let reached = trust.connect(&client, origin, offered.clone(), far).await;
        // To a client whose origin does not do the reason is told, in whatever it speaks.
        let spoken = match &reached {
            Ok(far) => far.get_ref().1.alpn_protocol().map(<[u8]>::to_vec),
            Err(_) => offered.first().cloned(),
        };
        let near = Prefixed {
            early: hello.read,
            stream: stream.into(),
        };
        let protocols = spoken.clone().into_iter().collect();
        let Some(near) = accept(&client, &name, protocols, near).await else {
            return;
        };
        let target = Target {
            destination,
            server_name: Some(name),
            protocol: spoken.map(Bytes::from),
        };
        let reached = match reached {
            Ok(far) => Origin::start(&client, target.clone(), far, (talk, lease)).await,
            Err(refusal) => Err(refusal),
        };
        converse(near, client, target, reached).await;
    }
}

/// Serves the requests of a client inside what it asked for.
async fn converse(
    near: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    client: Client,
    target: Target,
    reached: Result<Origin, Refusal>,
) {
    let is_h2 = target.is_h2();
    let (near, answers) = HalfOpen::new(near);
    let (near, interjector) = Line::new(near);
    let conversation = Conversation::inside(client.clone(), (interjector, answers), reached);
    let conversation = Arc::new(conversation);
    let service = service_fn(move |request| {
        let (conversation, target) = (Arc::clone(&conversation), target.clone());
        let due = conversation.expect(&request);
        async move { Ok::<_, Infallible>(conversation.pass(target, request, due).await) }
    });
    if !is_h2 {
        return serve_http1(near, service, DEADLINES.idle, &client.shared.stop).await;
    }
    let connection = http2::Builder::new(client.clone())
        .timer(TokioTimer::new())
        .keep_alive_interval(DEADLINES.ping)
        .keep_alive_timeout(DEADLINES.ping)
        .auto_date_header(false)
        .serve_connection(TokioIo::new(near.into_inner().into_inner()), service);
    let close = http2::Connection::graceful_shutdown;
    conversation::serve(connection, close, &client.shared.stop).await;
}

/// Speaks TLS to a client as `name`.
async fn accept(
    client: &Client,
    name: &str,
    protocols: Vec<Vec<u8>>,
    near: Prefixed,
) -> Option<TlsStream<Prefixed>> {
    let config = client.shared.leaves.config(name, protocols);
    let config = config.inspect_err(|error| {
        warn!(
            name,
            error = format!("{:#}", anyhow::anyhow!("{error}")),
            "no certificate could be made"
        );
    });
    let accepting = TlsAcceptor::from(config.ok()?).accept(near);
    match timeout(DEADLINES.handshake, accepting).await {
        Ok(Ok(stream)) => Some(stream),
        Ok(Err(error)) => {
            failed(client, name, &error);
            None
        }
        Err(_) => {
            debug!(name, "a client's TLS handshake took too long");
            None
        }
    }
}
