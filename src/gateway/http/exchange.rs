//! One request and its answer, between a client and whom it is sent on to.

use std::fmt::Display;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use hyper::Method;
use tokio::io::{AsyncWriteExt as _, WriteHalf};
use tokio::net::TcpStream;
use tracing::debug;

use super::head::{Answer, Recipient, Request};
use crate::gateway::error::{Error, Kind};
use crate::http1::exchange::{HalfClose, Whole, both, finish, listen};
use crate::http1::inbound::{Broke, Inbound};
use crate::http1::{Next, Side};
use crate::metered::Metered;

/// For the answer to a client that has said that nothing more will come from it.
const HALF_CLOSED: Duration = Duration::from_secs(60);

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
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Failed {
    /// The client has yet to hear of it.
    Unanswered(Error),
    /// It has gone.
    Gone,
}

/// Sends a request that begins so, and passes the answer on, each as fast as the other side takes it.
pub(super) async fn exchange(
    client: &mut Side<TcpStream>,
    to: &mut Side<Metered>,
    begin: Bytes,
    request: &Request,
    stopping: impl Fn() -> bool,
) -> Result<Done, Failed> {
    let whole = Whole::default();
    let mut rest = request.body.clone();
    let half_close = HalfClose {
        // Who leaves TLS to the proxy, busybox that is, ends its side at once; and interceptors take that for its end.
        passes: !request.leaves_tls(),
        patience: HALF_CLOSED,
    };
    let (inbound, outbound) = (&mut client.inbound, &mut to.outbound);
    let mut asking = pin!(async {
        let passed = inbound.pass(begin, outbound, &mut rest).await;
        listen(passed, inbound, outbound, &whole, half_close).await
    });
    let answering = answer(&mut to.inbound, &mut client.outbound, request, stopping);
    let answered = both(asking.as_mut(), answering).await;
    let mut done = answered.unwrap_or(Err(Failed::Gone))?;
    if done.persists {
        finish(asking, &whole).await;
    }
    if !whole.is() {
        // What is left of the request would be taken for the next one.
        done.persists = false;
        if matches!(done.then, Then::Next | Then::Stream) {
            done.then = Then::Close;
        }
    }
    Ok(done)
}

/// Passes the answer, with all that comes before it (1xx).
async fn answer(
    from: &mut Inbound<Metered>,
    client: &mut WriteHalf<TcpStream>,
    request: &Request,
    stopping: impl Fn() -> bool,
) -> Result<Done, Failed> {
    loop {
        let answer = head(from, &request.method)
            .await
            .map_err(Failed::Unanswered)?;
        let switches = answer.switches();
        if switches && !(request.switches() && answer.names_protocol()) {
            let reason = "it switched protocols without being asked";
            return Err(Failed::Unanswered(Error::new(Kind::Broken, reason)));
        }
        let recipient = Recipient {
            is_old: request.is_old,
            persists: request.persists && !stopping(),
        };
        if switches || answer.is_provisional() {
            // Clients of HTTP/1.0 would take it for the answer.
            if !request.is_old {
                let sent = client.write_all(&answer.to_client(recipient)).await;
                sent.map_err(|_| Failed::Gone)?;
            }
            if !switches {
                continue;
            }
            return Ok(Done {
                then: Then::Stream,
                persists: false,
            });
        }
        return Ok(conclude(from, client, answer, recipient).await);
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
    let (then, cut) = if answer.ends_with_connection(recipient) {
        (Then::Close, Then::Reset)
    } else if recipient.persists {
        (Then::Next, Then::Close)
    } else {
        (Then::Close, Then::Close)
    };
    let begin = answer.to_client(recipient);
    let passed = if answer.is_unpacked_for(recipient) {
        unpack(from, client, begin, &mut answer).await
    } else {
        from.pass(begin, client, &mut answer.body).await
    };
    match passed {
        Ok(()) => Done { then, persists },
        Err(error) => {
            debug!(%error, "an answer broke off");
            Done {
                then: cut,
                persists: false,
            }
        }
    }
}

/// Passes what the chunks carry, to a client that knows none.
async fn unpack(
    from: &mut Inbound<Metered>,
    client: &mut WriteHalf<TcpStream>,
    begin: Bytes,
    answer: &mut Answer,
) -> Result<(), Broke> {
    client.write_all(&begin).await.map_err(Broke::To)?;
    let mut piece = Vec::new();
    while from.piece(&mut answer.body, &mut piece).await? {
        client.write_all(&piece).await.map_err(Broke::To)?;
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
