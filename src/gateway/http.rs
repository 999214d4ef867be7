//! HTTP/1 towards clients: CONNECT, and requests in absolute form that are forwarded.
//!
//! One [`Conversation`] per client connection. It answers request after request, until one of them turns the connection
//! into a tunnel (CONNECT, `Upgrade`): then the rest is the relay's.

mod forward;
mod intercept;
mod origin;
mod reply;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tracing::{debug, trace};

use super::Shared;
use super::connections::Entry;
use super::dial::{Call, Dialled};
use crate::core::caller::Caller;
use crate::core::resolve::Scope;
use crate::core::route::Destination;
use crate::metered::Metered;
use crate::proxy::conversation::serve_http1;
use crate::proxy::credentials;
use crate::proxy::provisional::{Interjector, Line};
use crate::proxy::refusal::Refusal;
use crate::proxy::request::{by_host, connect_destination};
use crate::relay::{End, relay};
use origin::Origin;
use reply::Body;

/// Serves one client to the end.
pub(super) async fn serve(stream: TcpStream, peer: SocketAddr, shared: Arc<Shared>) {
    talk(stream, peer, None, shared).await;
}

/// Serves one caller of the entry to the end, who is known: no hint counts.
pub(super) async fn serve_caller(stream: TcpStream, caller: Caller, shared: Arc<Shared>) {
    talk(stream, caller.address, Some(caller.scope), shared).await;
}

async fn talk(stream: TcpStream, peer: SocketAddr, caller: Option<Scope>, shared: Arc<Shared>) {
    let (line, interjector) = Line::new(stream);
    let conversation = Arc::new(Conversation {
        interjector,
        peer,
        caller,
        shared,
        kept: Mutex::default(),
    });
    // Boxed, because it takes far more memory than the relay, which may last for days.
    Box::pin(converse(line, &conversation)).await;
    let handover = conversation.kept().handover.take();
    drop(conversation);
    if let Some(handover) = handover {
        handover.run().await;
    }
}

async fn converse(line: Line<TcpStream>, conversation: &Arc<Conversation>) {
    let service = service_fn(|request| {
        let conversation = Arc::clone(conversation);
        async move { Ok::<_, Infallible>(conversation.answer(request).await) }
    });
    let Shared {
        deadlines, stop, ..
    } = &*conversation.shared;
    serve_http1(line, service, deadlines.idle, stop).await;
}

/// What is known of one client connection from request to request.
struct Conversation {
    peer: SocketAddr,
    /// Whose it is, if a caller's of the entry: those are handed on to the interceptor.
    caller: Option<Scope>,
    shared: Arc<Shared>,
    /// For what comes before an answer.
    interjector: Interjector,
    /// Requests of one connection come one at a time, so nobody ever waits for this.
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    /// The connection to where the last request went, if it can be used again.
    origin: Option<Origin>,
    /// What the connection is to become.
    handover: Option<Handover>,
}

impl Conversation {
    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        // Whole even if a holder panicked: it is only ever replaced as a whole.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn answer(self: Arc<Self>, mut request: Request<Incoming>) -> Response<Body> {
        if self.caller.is_some() {
            by_host(&mut request);
        }
        trace!(method = %request.method(), target = %request.uri(), "HTTP request");
        let answered = match self.admit(&request) {
            // Boxed, so that each takes what it needs: thousands may be under way.
            Ok(hint) if request.method() == Method::CONNECT => {
                Box::pin(self.connect(request, hint)).await
            }
            Ok(hint) => Box::pin(self.forward(request, hint)).await,
            Err(refusal) => Err(refusal),
        };
        answered.unwrap_or_else(Refusal::into_response)
    }

    /// Checks that the client takes us for a proxy and knows the password; answers the client hint.
    fn admit(&self, request: &Request<Incoming>) -> Result<Option<String>, Refusal> {
        if request.uri().authority().is_none() {
            return Err(reply::not_a_server());
        }
        if self.caller.is_some() {
            return Ok(None);
        }
        let given = credentials::of(request.headers());
        if let Some(password) = &self.shared.password {
            let known = given
                .as_ref()
                .is_some_and(|given| password.is(&given.password));
            if !known {
                return Err(Refusal::unauthorised());
            }
        }
        Ok(credentials::hint(request.headers(), given))
    }

    fn call(&self, hint: Option<&str>, destination: Destination, plain_http: bool) -> Call {
        Call {
            client: self.peer,
            scope: match &self.caller {
                Some(scope) => scope.clone(),
                None => self.shared.scope(hint),
            },
            destination,
            plain_http,
        }
    }

    async fn connect(
        &self,
        mut request: Request<Incoming>,
        hint: Option<String>,
    ) -> Result<Response<Body>, Refusal> {
        let destination = connect_destination(request.uri()).ok_or_else(Refusal::no_port)?;
        let call = self.call(hint.as_deref(), destination.clone(), false);
        let failed = |error| reply::failed(&destination, &error);
        if let Some(onward) = self.onward(&call).await.map_err(failed)? {
            return self.connect_onward(onward, &call, request).await;
        }
        let dialled = self.shared.dialler.dial(call).await;
        let Dialled { end, entry, .. } = dialled.map_err(failed)?;
        entry.talk().requested();
        self.kept().handover = Some(Handover {
            client: hyper::upgrade::on(&mut request),
            far: Far::Open(end),
            entry: Arc::new(entry),
        });
        Ok(Response::new(reply::nothing()))
    }
}

/// A connection that is about to leave HTTP behind.
struct Handover {
    client: OnUpgrade,
    far: Far,
    /// Keeps the connection in the table.
    entry: Arc<Entry>,
}

enum Far {
    Open(End),
    Upgrading(OnUpgrade),
}

impl Handover {
    async fn run(self) {
        let far = match self.far {
            Far::Open(end) => Some(end),
            Far::Upgrading(upgrade) => handed_over(upgrade, |stream: Metered| stream).await,
        };
        let client = handed_over(self.client, |line: Line<TcpStream>| {
            line.into_inner().into()
        })
        .await;
        let (Some(client), Some(target)) = (client, far) else {
            return;
        };
        let ended = relay(client, target).await;
        trace!(?ended, "relay ended");
        drop(self.entry);
    }
}

/// The bare connection, which both sides of HTTP give up as soon as the switch has been sent or received.
async fn handed_over<S>(upgrade: OnUpgrade, bare: fn(S) -> Metered) -> Option<End>
where
    TokioIo<S>: hyper::rt::Read + hyper::rt::Write + Unpin + 'static,
{
    let taken = upgrade.await.map(Upgraded::downcast::<TokioIo<S>>);
    let Ok(Ok(parts)) = taken else {
        debug!("a connection ended before it was handed over");
        return None;
    };
    let early = parts.read_buf;
    Some(End {
        stream: bare(parts.io.into_inner()),
        // An empty piece of hyper's buffer would keep all of that for as long as the relay lasts.
        early: if early.is_empty() {
            Bytes::new()
        } else {
            early
        },
    })
}
