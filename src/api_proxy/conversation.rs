//! One client's connection: request after request, until it becomes a stream or ends.

mod becoming;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{self, AsyncWriteExt as _};
use tokio::time::{Instant, Sleep, sleep, timeout};
use tracing::{debug, trace};

use super::build;
use becoming::Becomes;

use super::calls::{self, Change, Forward};
use super::exchange::{Outgoing, Rule, Then, exchange, payload};
use super::head::RequestHead;
use super::{Shared, reply};
use crate::core::api::ApiCall;
use crate::counts::Passage;
use crate::docker::dial::{EngineStream, dial};
use crate::http1::framing::Framing;
use crate::http1::{Next, Side};
use crate::relay::Socket;

/// Between two requests. Clients that keep connections open for longer open another without a word.
const IDLE: Duration = Duration::from_secs(600);
/// From the first byte of a head to its last.
const HEAD: Duration = Duration::from_secs(30);
/// For the whole of a body that is read before it goes on: a container's configuration, of some kilobytes.
const BODY: Duration = Duration::from_secs(30);
/// For what a client still sends after it was answered.
const LINGER: Duration = Duration::from_secs(2);
/// The longest body that is read whole; a longer one is no container's configuration.
const LONGEST_BODY: usize = 16 * 1024 * 1024;

/// Serves one client to the end.
pub(super) async fn serve<C>(client: C, by_tcp: bool, shared: Arc<Shared>)
where
    C: Socket,
{
    let mut conversation = Conversation {
        client: Side::new(client),
        engine: None,
        becomes: Becomes::Stream,
        idle: Box::pin(sleep(IDLE)),
        by_tcp,
        shared,
    };
    match conversation.converse().await {
        Ok(Then::Stream) => conversation.become_it().await,
        Ok(Then::Next | Then::Close) => conversation.linger().await,
        Err(error) => debug!(%error, "a client of the API proxy left early"),
    }
}

struct Conversation<C> {
    client: Side<C>,
    engine: Option<Side<EngineStream>>,
    /// Once it is no conversation any more.
    becomes: Becomes,
    /// Put off with each request: a timer of its own for each would wake the whole runtime, which has no earlier one.
    idle: Pin<Box<Sleep>>,
    /// Whoever can open a TCP connection here, a web page among them, is not yet a client.
    by_tcp: bool,
    shared: Arc<Shared>,
}

impl<C: Socket> Conversation<C> {
    async fn converse(&mut self) -> io::Result<Then> {
        loop {
            let Some(head) = self.next_head().await? else {
                return Ok(Then::Close);
            };
            let then = match head {
                Next::Head(head) => self.answer(head).await?,
                Next::Opaque | Next::More if self.by_tcp => Then::Close,
                // What is not understood, and is no HTTP/2 either, is between the client and the engine.
                Next::Opaque | Next::More if self.reach("GET").await? => {
                    if self.shared.intercept_builds && self.begins_http2().await? {
                        self.becomes = Becomes::BuildKit;
                    }
                    Then::Stream
                }
                Next::Opaque | Next::More => Then::Close,
            };
            if then != Then::Next {
                return Ok(then);
            }
        }
    }

    async fn next_head(&mut self) -> io::Result<Option<Next<RequestHead>>> {
        self.client.inbound.rest();
        self.idle.as_mut().reset(Instant::now() + IDLE);
        let begun = tokio::select! {
            begun = self.client.inbound.begins() => begun?,
            () = self.shared.stop.cancelled() => false,
            () = &mut self.idle => false,
        };
        if !begun {
            return Ok(None);
        }
        let head = timeout(HEAD, self.client.inbound.next(RequestHead::take)).await;
        head.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    /// Whether the client speaks HTTP/2 from its first byte, as engines from 29 on take it.
    async fn begins_http2(&mut self) -> io::Result<bool> {
        let begins = self.client.inbound.continues_with(build::PREFACE);
        let begun = timeout(HEAD, begins).await;
        begun.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    async fn answer(&mut self, head: RequestHead) -> io::Result<Then> {
        trace!(method = %head.method, target = %head.target, "API call");
        if self.by_tcp && head.is_from_browser {
            let reason = "dockline: this port is for Docker's clients, not for web pages";
            return self.refuse(403, &head.method, reason).await;
        }
        let call = ApiCall::of(&head.method, &head.target);
        let mut rest = head.body.clone();
        let mut wire = Vec::new();
        if call.has_short_body() {
            if head.expects_continue {
                self.client.outbound.write_all(reply::CONTINUE).await?;
            }
            let collected = self.client.inbound.collect(&mut rest, LONGEST_BODY);
            let collected = timeout(BODY, collected).await;
            let collected = collected.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?;
            wire = collected.map_err(io::Error::other)?;
        }
        // A body that is too long to be looked at passes as it is.
        let body = rest.is_done().then(|| payload(head.body.clone(), &wire));
        if let Some(body) = &body {
            match calls::answer(&self.shared, &call, &head, body).await {
                Ok(Some((status, answer))) => {
                    self.count(&call, Passage::Rewritten);
                    return self.answer_with(status, &answer).await;
                }
                Ok(None) => {}
                Err(refusal) => {
                    self.count(&call, Passage::Refused);
                    return self
                        .refuse(refusal.status, &head.method, &refusal.reason)
                        .await;
                }
            }
        }
        match calls::decide(&self.shared, &call, &head, body).await {
            Ok(forward) => self.forward(&call, &head, wire, rest, forward).await,
            Err(refusal) => {
                self.count(&call, Passage::Refused);
                self.refuse(refusal.status, &head.method, &refusal.reason)
                    .await
            }
        }
    }

    /// Sends the request on. `wire`: what was read of its body; `rest`: what is still to come.
    async fn forward(
        &mut self,
        call: &ApiCall,
        head: &RequestHead,
        wire: Vec<u8>,
        rest: Framing,
        forward: Forward,
    ) -> io::Result<Then> {
        if !self.reach(&head.method).await? {
            return Ok(Then::Close);
        }
        let Some(engine) = &mut self.engine else {
            return Ok(Then::Close);
        };
        let mut passage = match (&forward.change, &forward.rule) {
            (Change::Nothing, Rule::AsItCame | Rule::Body(_)) => Passage::Untouched,
            _ => Passage::Rewritten,
        };
        let mut context = None;
        let begin = match forward.change {
            Change::Nothing if wire.is_empty() => head.bytes.clone(),
            Change::Nothing => [&head.bytes[..], &wire].concat().into(),
            Change::Body(body) => [&head.with_length(body.len())[..], &body].concat().into(),
            Change::Target(target) => head.with_target(&target),
            Change::Context(target, reshape) => {
                context = Some((reshape, head.with_chunks(&head.target)));
                head.with_chunks(&target)
            }
        };
        let request = Outgoing {
            begin,
            rest,
            context,
            method: head.method.clone(),
            hijacks: matches!(call, ApiCall::Hijack | ApiCall::Exec(_) | ApiCall::BuildKit),
        };
        self.becomes = match call {
            ApiCall::BuildKit if self.shared.intercept_builds => Becomes::BuildKit,
            ApiCall::Exec(id) if self.shared.intercept_builds => Becomes::Program(id.clone()),
            _ => Becomes::Stream,
        };
        let (then, changed) = exchange(&mut self.client, engine, request, &forward.rule).await;
        if changed {
            passage = Passage::Rewritten;
        }
        self.count(call, passage);
        if let Some(held) = forward.held {
            held.end(&self.shared);
        }
        Ok(then)
    }

    fn count(&self, call: &ApiCall, passage: Passage) {
        self.shared.counts.api.called(call.as_str(), passage);
    }

    /// Makes sure that there is a connection to the engine; tells the client if there cannot be one.
    async fn reach(&mut self, method: &str) -> io::Result<bool> {
        if self
            .engine
            .as_mut()
            .is_some_and(|engine| engine.inbound.is_quiet())
        {
            return Ok(true);
        }
        match dial(&self.shared.endpoint).await {
            Ok(stream) => {
                self.engine = Some(Side::new(stream));
                Ok(true)
            }
            Err(error) => {
                let reason = format!(
                    "dockline: no engine answers at {}: {error}; start it, or see `dockline status`",
                    self.shared.endpoint
                );
                self.refuse(503, method, &reason).await?;
                Ok(false)
            }
        }
    }

    async fn refuse(&mut self, status: u16, method: &str, reason: &str) -> io::Result<Then> {
        let answer = reply::error(status, method, reason);
        self.client.outbound.write_all(&answer).await?;
        Ok(Then::Close)
    }

    async fn answer_with(&mut self, status: u16, body: &[u8]) -> io::Result<Then> {
        let answer = reply::json(status, body);
        self.client.outbound.write_all(&answer).await?;
        Ok(Then::Close)
    }

    /// Closes without cutting off what was said last: a client that still sends would lose it.
    async fn linger(mut self) {
        drop(self.engine);
        if self.client.outbound.shutdown().await.is_ok() {
            // Whether it ends by itself or not, this is the end.
            let _ = timeout(LINGER, self.client.inbound.drain()).await;
        }
    }
}
