//! What comes after CONNECT: TLS is opened, and its requests are seen; all else is passed on as it is.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use dashmap::DashSet;
use hyper::Method;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::{self, AlertDescription};
use tokio_rustls::server::TlsStream;
use tracing::{debug, warn};

use super::exchange::Conversation;
use super::hello::{self, HANDSHAKE, Hello};
use super::origin::{Origin, Target, Tls};
use super::prefixed::Prefixed;
use super::records::Begin;
use super::{Client, DEADLINES};
use crate::core::hand_on::Exception;
use crate::core::route::{Destination, Host};
use crate::doorway::Opened;
use crate::proxy::conversation::{self, serve_http1};
use crate::proxy::provisional::Line;
use crate::proxy::refusal::Refusal;
use crate::relay::{End, relay};

const NOT_TLS: &str = "not TLS, passed on as it is";
/// How many clients that do not trust us are remembered, so that each is told of once.
const REMEMBERED: usize = 1_024;

/// A connection that a client asked for, with the way to where it is to go.
pub(super) struct Tunnel {
    pub(super) client: Client,
    pub(super) destination: Destination,
    pub(super) opened: Opened,
}

/// Which clients do not trust the authority, and for which hosts.
#[derive(Debug, Default)]
pub(super) struct Distrust(DashSet<(String, String)>);

impl Distrust {
    /// Whether it is the first time that somebody says so.
    fn is_news(&self, who: &str, host: &str) -> bool {
        self.0.len() < REMEMBERED && self.0.insert((who.to_owned(), host.to_owned()))
    }
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
        let begins = timeout(DEADLINES.first_byte, self.begins_tls(&stream, &early)).await;
        if !matches!(begins, Ok(Ok(true))) {
            return self.pass_on(stream, early, Some(NOT_TLS)).await;
        }
        let hello = timeout(DEADLINES.handshake, hello::read(&mut stream, early)).await;
        match hello {
            Ok(Ok(hello)) if !hello.speaks_http() => {
                let remark = "TLS, but not for HTTP, passed on as it is";
                self.pass_on(stream, hello.read, Some(remark)).await;
            }
            Ok(Ok(hello)) if exception.is_some() => {
                distrusted(&self.client);
                let remark = "dockline's CA is not trusted there, passed on as it is";
                self.pass_on(stream, hello.read, Some(remark)).await;
            }
            Ok(Ok(hello)) => self.intercept(stream, hello).await,
            Ok(Err(read)) => self.pass_on(stream, read, Some(NOT_TLS)).await,
            Err(_) => debug!("a client did not finish its TLS hello"),
        }
    }

    /// Whether the client speaks first, and TLS.
    async fn begins_tls(&self, stream: &TcpStream, early: &Bytes) -> io::Result<bool> {
        if let Some(first) = early.first() {
            return Ok(*first == HANDSHAKE);
        }
        if !self.opened.early.is_empty() {
            return Ok(false);
        }
        let (mut first, mut other) = ([0], [0]);
        tokio::select! {
            read = stream.peek(&mut first) => Ok(read? == 1 && first[0] == HANDSHAKE),
            spoken = self.opened.stream.peek(&mut other) => spoken.map(|_| false),
        }
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
            tls: Some(Tls {
                name,
                protocol: spoken.map(Bytes::from),
            }),
        };
        let reached = match reached {
            Ok(far) => Origin::start(&client, target.clone(), far, (talk, lease)).await,
            Err(refusal) => Err(refusal),
        };
        converse(near, client, target, reached).await;
    }
}

/// Serves the requests of a client inside TLS.
async fn converse(
    near: TlsStream<Prefixed>,
    client: Client,
    target: Target,
    reached: Result<Origin, Refusal>,
) {
    let is_h2 = target.is_h2();
    let (near, interjector) = Line::new(near);
    let conversation = Conversation::inside(client.clone(), interjector, reached);
    let conversation = Arc::new(conversation);
    let service = service_fn(move |request| {
        let (conversation, target) = (Arc::clone(&conversation), target.clone());
        async move { Ok::<_, std::convert::Infallible>(conversation.pass(target, request).await) }
    });
    if !is_h2 {
        return serve_http1(near, service, DEADLINES.idle, &client.shared.stop).await;
    }
    let connection = http2::Builder::new(client.clone())
        .timer(TokioTimer::new())
        .keep_alive_interval(DEADLINES.ping)
        .keep_alive_timeout(DEADLINES.ping)
        .auto_date_header(false)
        .serve_connection(TokioIo::new(near.into_inner()), service);
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

/// Says who was never told to trust us, and what to do; once.
fn distrusted(client: &Client) {
    let who = client.who.name.as_str();
    if client.shared.distrust.is_news(who, "") {
        warn!(
            from = who,
            "TLS passes unopened: nobody told that container to trust dockline's CA; create it anew in an intercepted shell"
        );
    }
}

/// Says who does not trust us, and what to do; once.
fn failed(client: &Client, name: &str, error: &io::Error) {
    let tls = error.get_ref().and_then(|e| e.downcast_ref());
    let distrusts = match tls {
        Some(rustls::Error::AlertReceived(alert)) => matches!(
            alert,
            AlertDescription::UnknownCA
                | AlertDescription::BadCertificate
                | AlertDescription::CertificateUnknown
                | AlertDescription::UnsupportedCertificate
                | AlertDescription::DecryptError
        ),
        // Some hang up without a word.
        _ => error.kind() == io::ErrorKind::UnexpectedEof,
    };
    let who = client.who.name.as_str();
    if distrusts && client.shared.distrust.is_news(who, name) {
        warn!(
            from = who,
            host = name,
            %error,
            "a program there does not trust dockline's CA: create its container anew in an intercepted shell, or give the program \
             the certificate that `dockline ca --pem` prints"
        );
    } else {
        debug!(from = who, host = name, %error, "a client's TLS failed");
    }
}
