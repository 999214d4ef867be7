//! One request and its answer, between a client and whom it is sent on to.

use std::borrow::Cow;
use std::fmt::Display;
use std::pin::{Pin, pin};

use bytes::Bytes;
use hyper::Method;
use tokio::io::{AsyncWriteExt as _, WriteHalf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::head::{Answer, Passage, Recipient, Request};
use crate::gateway::Deadlines;
use crate::gateway::error::{Error, Kind};
use crate::http1::exchange::{Asked, HalfClose, Progress, both, finish, listen};
use crate::http1::framing::Framing;
use crate::http1::inbound::{Broke, Inbound};
use crate::http1::{Next, Side};
use crate::metered::Metered;
use crate::traffic::Talk;

/// What a client's connection is after an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// Ready for the next request.
    Next,
    /// A stream of bytes in both directions.
    Stream,
    /// At its end.
    Close,
    /// Cut off, and it must not look complete.
    Reset,
}

/// What has become of an exchange.
#[derive(Clone, Copy, Debug)]
pub(super) struct Done {
    pub(super) then: Then,
    /// Whether the other side will take another request.
    pub(super) persists: bool,
    /// Whether what is still to come of the request is to be passed on.
    wants_rest: bool,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Failed {
    /// The client has yet to hear of it.
    Unanswered {
        error: Error,
        /// Whether it may wait no longer: nothing is to be done again for it.
        half_closed: bool,
    },
    /// It has gone.
    Gone,
}

/// The other side of an exchange.
pub(super) struct Far<'a> {
    pub(super) side: &'a mut Side<Metered>,
    /// Where what is sent to it is counted.
    pub(super) talk: &'a Talk,
}

/// For how long an exchange goes on.
pub(super) struct Terms<'a> {
    pub(super) deadlines: &'a Deadlines,
    pub(super) stop: &'a CancellationToken,
}

/// Sends a request that begins so, and passes the answer on, each as fast as the other side takes it.
pub(super) async fn exchange(
    client: &mut Side<TcpStream>,
    far: Far<'_>,
    begin: Bytes,
    request: &Request,
    terms: Terms<'_>,
) -> Result<Done, Failed> {
    let progress = Progress::default();
    let mut rest = request.body.clone();
    let half_close = HalfClose {
        // Who leaves TLS to the proxy, busybox that is, ends its side at once; and interceptors take that for its end.
        passes: !request.leaves_tls(),
        patience: terms.deadlines.half_closed,
    };
    let (inbound, outbound) = (&mut client.inbound, &mut far.side.outbound);
    let mut asking = pin!(async {
        let passed = inbound.pass(begin, outbound, &mut rest).await;
        listen(passed, inbound, outbound, &progress, half_close).await
    });
    let stopping = || terms.stop.is_cancelled();
    let client = Client {
        outbound: &mut client.outbound,
        progress: &progress,
    };
    let answering = answer(&mut far.side.inbound, client, request, stopping);
    let answered = both(asking.as_mut(), answering, &progress).await;
    let mut done = match answered {
        None | Some(Err(None)) => return Err(Failed::Gone),
        Some(Ok(done)) => done,
        Some(Err(Some(error))) => {
            return Err(Failed::Unanswered {
                error,
                half_closed: progress.is_half_closed(),
            });
        }
    };
    if done.then == Then::Next && done.wants_rest {
        finish_while_it_moves(asking, &progress, far.talk, &terms).await;
    }
    if !progress.is_whole() && matches!(done.then, Then::Next | Then::Stream) {
        // What is left of the request would be taken for the next one.
        done.then = Then::Close;
    }
    done.persists &= progress.is_whole() && !progress.is_half_closed();
    Ok(done)
}

/// Goes on with a request that was answered before its end.
async fn finish_while_it_moves(
    mut asking: Pin<&mut impl Future<Output = Asked>>,
    progress: &Progress,
    talk: &Talk,
    terms: &Terms<'_>,
) {
    loop {
        let sent = talk.sent.get();
        let finished = timeout(terms.deadlines.parting, finish(asking.as_mut(), progress));
        let finished = terms.stop.run_until_cancelled(finished).await;
        if !matches!(finished, Some(Err(_))) || talk.sent.get() == sent {
            return;
        }
    }
}

/// Who hears the answer.
struct Client<'a> {
    outbound: &'a mut WriteHalf<TcpStream>,
    progress: &'a Progress,
}

/// Passes the answer, with all that comes before it (1xx). Why there is none, the client has yet to hear, if it is there.
async fn answer(
    from: &mut Inbound<Metered>,
    client: Client<'_>,
    request: &Request,
    stopping: impl Fn() -> bool,
) -> Result<Done, Option<Error>> {
    let mut continued = false;
    loop {
        let answer = head(from, &request.method).await?;
        let switches = answer.switches();
        if switches && !(request.switches() && answer.names_protocol()) {
            let reason = "it switched protocols without being asked";
            return Err(Some(Error::new(Kind::Broken, reason)));
        }
        let recipient = Recipient {
            is_old: request.is_old,
            persists: request.persists && !stopping(),
        };
        if !switches && !answer.is_provisional() {
            client.progress.answers();
            let done = conclude(from, client.outbound, answer, recipient).await;
            return Ok(Done {
                // A body that was not asked for may never come, or a request in its place.
                wants_rest: continued || !request.expects_continue(),
                ..done
            });
        }
        continued |= answer.status == 100;
        // Clients of HTTP/1.0 would take it for the answer.
        if !request.is_old {
            let sent = client
                .outbound
                .write_all(&answer.to_client(recipient))
                .await;
            sent.map_err(|_| None)?;
        }
        if switches {
            return Ok(Done {
                then: Then::Stream,
                persists: false,
                wants_rest: false,
            });
        }
    }
}

/// Passes the answer itself.
pub(super) async fn conclude(
    from: &mut Inbound<Metered>,
    client: &mut WriteHalf<TcpStream>,
    mut answer: Answer,
    recipient: Recipient,
) -> Done {
    let persists = answer.persists;
    let passage = answer.passage(recipient);
    let (then, cut) = match passage {
        _ if passage.ends_connection() => (Then::Close, Then::Reset),
        _ if recipient.persists => (Then::Next, Then::Close),
        _ => (Then::Close, Then::Close),
    };
    let begin = answer.to_client(recipient);
    let body = &mut answer.body;
    let passed = match passage {
        Passage::AsItCame | Passage::UntilEnd => from.pass(begin, client, body).await,
        Passage::Unpacked => pieces(from, client, begin, body, |piece| Cow::Borrowed(piece)).await,
        Passage::Packed => {
            let passed = pieces(from, client, begin, body, chunk).await;
            match passed {
                Ok(()) => client.write_all(LAST_CHUNK).await.map_err(Broke::To),
                broke => broke,
            }
        }
    };
    let (then, persists) = match passed {
        Ok(()) => (then, persists),
        Err(error) => {
            debug!(%error, "an answer broke off");
            (cut, false)
        }
    };
    Done {
        then,
        persists,
        wants_rest: true,
    }
}

/// What ends chunks.
const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

fn chunk(piece: &[u8]) -> Cow<'_, [u8]> {
    let mut chunk = format!("{:x}\r\n", piece.len()).into_bytes();
    chunk.extend_from_slice(piece);
    chunk.extend_from_slice(b"\r\n");
    chunk.into()
}

/// Passes what a body carries, in another form than it came in.
async fn pieces(
    from: &mut Inbound<Metered>,
    client: &mut WriteHalf<TcpStream>,
    begin: Bytes,
    body: &mut Framing,
    form: fn(&[u8]) -> Cow<'_, [u8]>,
) -> Result<(), Broke> {
    client.write_all(&begin).await.map_err(Broke::To)?;
    let mut piece = Vec::new();
    while from.piece(body, &mut piece).await? {
        client.write_all(&form(&piece)).await.map_err(Broke::To)?;
    }
    Ok(())
}

/// The head of the next answer.
pub(super) async fn head(from: &mut Inbound<Metered>, method: &Method) -> Result<Answer, Error> {
    match from.next(|buffer| Answer::take(buffer, method)).await {
        Ok(Some(Next::Head(answer))) => answer,
        Ok(Some(Next::Opaque | Next::More) | None) => Err(broke("it ended")),
        Err(error) => Err(broke(error)),
    }
}

pub(super) fn broke(why: impl Display) -> Error {
    let reason = format!("the connection broke before the answer came: {why}");
    Error::new(Kind::Broken, reason)
}
