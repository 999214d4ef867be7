//! HTTP/1 towards clients: CONNECT, and requests in absolute form that are forwarded.
//!
//! One [`Conversation`] per client connection. It answers request after request, until one of them turns the connection
//! into a tunnel (CONNECT, `Upgrade`): then the rest is the relay's. Messages pass as they came, but for what is about one
//! connection; so an exchange takes little more memory than its heads.

mod exchange;
mod forward;
mod head;
mod intercept;
mod origin;
mod reply;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use hyper::{Method, StatusCode};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tracing::{debug, trace};

use super::Shared;
use super::connections::Entry;
use super::dial::{Call, Dialled};
use super::sniff::part;
use crate::core::caller::Caller;
use crate::core::resolve::Scope;
use crate::core::route::Destination;
use crate::http1::{Next, Side};
use crate::proxy::refusal::Refusal;
use crate::proxy::request::connect_destination;
use crate::relay::{End, relay};
use exchange::Then;
use head::{Recipient, Request};
use origin::Origin;

/// Serves one client to the end.
pub(super) async fn serve(stream: TcpStream, peer: SocketAddr, shared: Arc<Shared>) {
    talk(stream, peer, None, shared).await;
}

/// Serves one caller of the entry to the end, who is known: no hint counts.
pub(super) async fn serve_caller(stream: TcpStream, caller: Caller, shared: Arc<Shared>) {
    talk(stream, caller.address, Some(caller.scope), shared).await;
}

async fn talk(stream: TcpStream, peer: SocketAddr, caller: Option<Scope>, shared: Arc<Shared>) {
    let patience = shared.deadlines.parting;
    let mut conversation = Conversation {
        client: Side::new(stream),
        peer,
        caller,
        shared,
        kept: None,
        last: None,
        far: None,
    };
    // Boxed, because it takes far more memory than the relay, which may last for days.
    let then = Box::pin(conversation.converse()).await;
    let Conversation { client, far, .. } = conversation;
    let (stream, early) = client.into_parts();
    match (then, far) {
        (Ok(Some(Then::Stream)), Some(Far { end, entry })) => {
            let client = End {
                stream: stream.into(),
                early,
            };
            let ended = relay(client, end).await;
            trace!(?ended, "relay ended");
            drop(entry);
        }
        (Ok(Some(Then::Reset)), _) => {
            // Fails only on a socket that is dead already.
            let _ = stream.set_zero_linger();
        }
        (Ok(Some(_)), _) => part(stream, patience).await,
        (Ok(None), _) => {}
        (Err(error), _) => debug!(%error, "an HTTP connection ended early"),
    }
}

/// One client connection, from request to request.
struct Conversation {
    client: Side<TcpStream>,
    peer: SocketAddr,
    /// Whose it is, if a caller's of the entry: those are handed on to the interceptor.
    caller: Option<Scope>,
    shared: Arc<Shared>,
    /// The connection to where the last request went, if it can be used again.
    kept: Option<Origin>,
    /// The same, if it cannot: whoever asks where a request went, once it was answered, finds it in the table until the next one.
    last: Option<Entry>,
    /// What the connection is to become one with.
    far: Option<Far>,
}

/// The other side of a connection that leaves HTTP behind.
struct Far {
    end: End,
    /// Keeps the connection in the table.
    entry: Entry,
}

impl Conversation {
    /// Answers requests to the last; nothing if the client just asks no more.
    async fn converse(&mut self) -> io::Result<Option<Then>> {
        loop {
            let Some(request) = self.next().await? else {
                return Ok(None);
            };
            let then = match request {
                Ok(request) => self.answer(request).await?,
                Err(status) => {
                    let refusal = reply::not_understood(status).encoded("HTTP/1.1", false, true);
                    self.client.outbound.write_all(&refusal).await?;
                    Then::Close
                }
            };
            if then != Then::Next {
                self.kept = None;
                return Ok(Some(then));
            }
        }
    }

    /// The next request; nothing if none comes.
    async fn next(&mut self) -> io::Result<Option<Result<Request, StatusCode>>> {
        self.client.inbound.rest();
        let (idle, stop) = (self.shared.deadlines.idle, &self.shared.stop);
        let begins = async {
            tokio::select! {
                begun = self.client.inbound.begins_message() => begun,
                () = origin::ended(&mut self.kept) => {
                    self.last = self.kept.take().map(Origin::into_entry);
                    self.client.inbound.begins_message().await
                }
            }
        };
        let begun = stop.run_until_cancelled(timeout(idle, begins)).await;
        if !matches!(begun, Some(Ok(Ok(true)))) {
            return Ok(None);
        }
        match timeout(idle, self.client.inbound.next(Request::take)).await {
            Ok(Ok(Some(Next::Head(request)))) => Ok(Some(request)),
            Ok(Err(error)) => Err(error),
            Ok(Ok(Some(Next::Opaque | Next::More) | None)) | Err(_) => Ok(None),
        }
    }

    async fn answer(&mut self, mut request: Request) -> io::Result<Then> {
        self.last = None;
        if self.caller.is_some() {
            request.named_by_host();
        }
        trace!(method = %request.method, target = %request.uri, "HTTP request");
        let answered = match self.admit(&request) {
            // Boxed, so that each takes what it needs: thousands may be under way.
            Ok(hint) if request.method == Method::CONNECT => {
                Box::pin(self.connect(&request, hint)).await
            }
            Ok(hint) => Box::pin(self.forward(&request, hint)).await,
            Err(refusal) => Err(refusal),
        };
        match answered {
            Ok(then) => Ok(then),
            Err(refusal) => self.refuse(&request, &refusal).await,
        }
    }

    async fn refuse(&mut self, request: &Request, refusal: &Refusal) -> io::Result<Then> {
        let recipient = self.recipient(request);
        let closes = !recipient.persists || refusal.closes();
        let to_head = request.method == Method::HEAD;
        let answer = refusal.encoded(recipient.version(), to_head, closes);
        self.client.outbound.write_all(&answer).await?;
        Ok(if closes { Then::Close } else { Then::Next })
    }

    /// As what the client gets an answer to a request that goes nowhere. What comes of that is not to be read as the next one.
    fn recipient(&self, request: &Request) -> Recipient {
        let goes_on = if request.method == Method::CONNECT {
            request.announces_body || self.client.inbound.is_ahead()
        } else {
            !request.body.is_done()
        };
        Recipient {
            is_old: request.is_old,
            persists: request.persists && !goes_on && !self.shared.stop.is_cancelled(),
        }
    }

    /// Checks that the client takes us for a proxy and knows the password; answers the client hint.
    fn admit(&self, request: &Request) -> Result<Option<String>, Refusal> {
        if request.uri.authority().is_none() {
            return Err(reply::not_a_server());
        }
        if self.caller.is_some() {
            return Ok(None);
        }
        let given = request.credentials();
        if let Some(password) = &self.shared.password {
            let known = given
                .as_ref()
                .is_some_and(|given| password.is(&given.password));
            if !known {
                return Err(Refusal::unauthorised());
            }
        }
        Ok(request.hint(given))
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

    async fn connect(&mut self, request: &Request, hint: Option<String>) -> Result<Then, Refusal> {
        let destination = connect_destination(&request.uri)?;
        let call = self.call(hint.as_deref(), destination.clone(), false);
        let failed = |error| reply::failed(&destination, &error);
        if let Some(onward) = self.onward(&call).await.map_err(failed)? {
            return self.connect_onward(onward, &call, request).await;
        }
        let dialled = self.shared.dialler.dial(call).await;
        let Dialled { end, entry, .. } = dialled.map_err(failed)?;
        entry.talk().requested();
        Ok(self.hand_over(request, Far { end, entry }).await)
    }

    /// Tells the client that the connection is now one with `far`.
    async fn hand_over(&mut self, request: &Request, far: Far) -> Then {
        let begin = format!("{} 200 OK\r\n\r\n", self.recipient(request).version());
        if self
            .client
            .outbound
            .write_all(begin.as_bytes())
            .await
            .is_err()
        {
            return Then::Close;
        }
        self.far = Some(far);
        Then::Stream
    }
}
