//! One request and its answer, in flight in both directions at once.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, WriteHalf};
use tokio::task::spawn_blocking;
use tracing::debug;

use super::classic::{Build, Heads, Reshape};
use super::head::ResponseHead;
use crate::http1::exchange::{Asked, HalfClose, Progress, both, listen};
use crate::http1::framing::Framing;
use crate::http1::inbound::{Broke, Inbound};
use crate::http1::{Next, Side};

/// The longest answer that is read whole; a longer one passes as it is.
const LONGEST_ANSWER: usize = 64 * 1024 * 1024;
/// An answer that takes longer to be read and changed than to be passed to another thread: some tens of containers.
const LONG: usize = 64 * 1024;

/// A request as it goes to the engine.
#[derive(Debug)]
pub(super) struct Outgoing {
    /// The head, and what of the body is at hand.
    pub(super) begin: Bytes,
    /// What of the body is still to come from the client.
    pub(super) rest: Framing,
    pub(super) method: String,
    /// What the body is turned into on its way, if it is not to pass as it is, and how the request begins if that fails.
    pub(super) context: Option<(Box<Reshape>, Bytes)>,
    /// Whether an answer without an end makes the connection a stream of bytes.
    pub(super) hijacks: bool,
}

/// What is done with the body of an answer; `None` leaves it as it came.
pub(super) type Rewrite = Arc<dyn Fn(&[u8]) -> Option<Vec<u8>> + Send + Sync>;

/// What is done with a good answer.
pub(super) enum Rule {
    /// It passes, byte for byte.
    AsItCame,
    /// It gets a header line more.
    Line(&'static str, String),
    /// Its body is changed.
    Body(Rewrite),
    /// It is what the classic builder says, of steps of ours among the user's.
    Output(Arc<Build>),
}

/// What a connection is after an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// Ready for the next request.
    Next,
    /// A stream of bytes in both directions.
    Stream,
    /// At its end.
    Close,
}

/// Sends the request and passes the answer, each as fast as the other side takes it. Tells also whether the answer's body was
/// changed.
pub(super) async fn exchange<C, E>(
    client: &mut Side<C>,
    engine: &mut Side<E>,
    request: Outgoing,
    rule: &Rule,
) -> (Then, bool)
where
    C: AsyncRead + AsyncWrite + Send,
    E: AsyncRead + AsyncWrite,
{
    let progress = Progress::default();
    let (method, hijacks) = (request.method.clone(), request.hijacks);
    let asking = pin!(ask(
        &mut client.inbound,
        &mut engine.outbound,
        request,
        &progress,
    ));
    let answering = answer(
        &mut engine.inbound,
        &mut client.outbound,
        &method,
        hijacks,
        rule,
    );
    let then = both(asking, answering, &progress).await;
    let then = then.unwrap_or(Ok((Then::Close, false)));
    let (then, changed) = then.unwrap_or_else(|error| {
        debug!(%error, "an answer of the engine broke off");
        (Then::Close, false)
    });
    match then {
        // What is left of the body would be taken for the next request.
        Then::Next | Then::Stream if !progress.is_whole() => (Then::Close, changed),
        then => (then, changed),
    }
}

/// Sends the request, then listens whether the client goes away. Ends only if something broke.
async fn ask<C: AsyncRead + Send, E: AsyncWrite>(
    client: &mut Inbound<C>,
    engine: &mut WriteHalf<E>,
    mut request: Outgoing,
    progress: &Progress,
) -> Asked {
    let begin = std::mem::take(&mut request.begin);
    let passed = match request.context.take() {
        None => client.pass(begin, engine, &mut request.rest).await,
        Some((reshape, plain)) => {
            let heads = Heads {
                intercepted: begin,
                plain,
            };
            reshape.pass(client, heads, engine, &mut request.rest).await
        }
    };
    // The engine ends by itself what nobody waits for.
    let half_close = HalfClose {
        passes: true,
        patience: Duration::MAX,
    };
    listen(passed, client, engine, progress, half_close).await
}

/// Passes the answer, with all that comes before it (1xx).
async fn answer<C: AsyncWrite, E: AsyncRead>(
    engine: &mut Inbound<E>,
    client: &mut WriteHalf<C>,
    method: &str,
    hijacks: bool,
    rule: &Rule,
) -> Result<(Then, bool), Broke> {
    loop {
        let next = engine.next(|buffer| ResponseHead::take(buffer, method));
        let head = match next.await.map_err(Broke::From)? {
            Some(Next::Head(head)) => head,
            Some(Next::Opaque | Next::More) => {
                engine
                    .pass(Bytes::new(), client, &mut Framing::UntilEnd)
                    .await?;
                return Ok((Then::Close, false));
            }
            None => return Err(Broke::From(io::ErrorKind::UnexpectedEof.into())),
        };
        match head.status {
            100 | 102..=199 => send(client, &head.bytes).await?,
            101 => {
                send(client, &head.bytes).await?;
                return Ok((Then::Stream, false));
            }
            200 if hijacks && head.body == Framing::UntilEnd => {
                send(client, &head.bytes).await?;
                return Ok((Then::Stream, false));
            }
            _ => return conclude(engine, client, head, rule).await,
        }
    }
}

/// Passes the answer itself, by the rule for good ones.
async fn conclude<C: AsyncWrite, E: AsyncRead>(
    engine: &mut Inbound<E>,
    client: &mut WriteHalf<C>,
    mut head: ResponseHead,
    rule: &Rule,
) -> Result<(Then, bool), Broke> {
    let mut rewritten = false;
    let then = if head.persists {
        Then::Next
    } else {
        Then::Close
    };
    let (mut begin, mut here) = (head.bytes.clone(), Vec::new());
    match rule {
        Rule::Line(name, value) if head.status == 200 => begin = head.with_line(name, value),
        Rule::Body(rewrite) if head.status == 200 && head.plain => {
            let announced = head.body.clone();
            let wire = engine.collect(&mut head.body, LONGEST_ANSWER).await?;
            let changed = if head.body.is_done() {
                apply(rewrite, payload(announced, &wire)).await
            } else {
                None
            };
            if let Some(changed) = &changed {
                rewritten = true;
                begin = head.with_length(changed.len());
            }
            here = changed.unwrap_or(wire);
        }
        Rule::Output(build) => {
            build.answer(engine, client, head).await?;
            return Ok((then, true));
        }
        Rule::AsItCame | Rule::Line(..) | Rule::Body(_) => {}
    }
    engine
        .pass(begin.chain(&here[..]), client, &mut head.body)
        .await?;
    Ok((then, rewritten))
}

/// Changes a body: a long one apart, so that no other connection has to wait for it.
async fn apply(rewrite: &Rewrite, body: Vec<u8>) -> Option<Vec<u8>> {
    if body.len() < LONG {
        return rewrite(&body);
    }
    let rewrite = Arc::clone(rewrite);
    let changed = spawn_blocking(move || rewrite(&body)).await;
    // A panic has been told of where it was; the answer passes as it is.
    changed.ok().flatten()
}

async fn send<C: AsyncWrite>(client: &mut WriteHalf<C>, bytes: &[u8]) -> Result<(), Broke> {
    client.write_all(bytes).await.map_err(Broke::To)
}

/// What a body carries, given how it came on the wire.
pub(super) fn payload(mut framing: Framing, wire: &[u8]) -> Vec<u8> {
    let mut payload = Vec::with_capacity(wire.len());
    // It has been taken once, so it is well-formed.
    let _ = framing.take(wire, |bytes| payload.extend_from_slice(bytes));
    payload
}
