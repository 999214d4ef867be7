//! A stream that passes: both directions at their own pace, with trailers, and resets by the reason that was given.

use std::future::poll_fn;
use std::task::Poll;

use bytes::{Bytes, BytesMut};
use h2::client::SendRequest;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{Request, Response};
use tracing::debug;

/// Passes a request, of whose body `early` has been read, and its answer.
pub(super) async fn pass(
    request: Request<RecvStream>,
    early: Bytes,
    mut respond: SendResponse<Bytes>,
    engine: &SendRequest<Bytes>,
) {
    match begin(request, early, &mut respond, engine).await {
        Ok(Some((head, body, asking))) => {
            tokio::select! {
                () = conclude(head, body, &mut respond) => {}
                () = async { asking.await; std::future::pending().await } => {}
            }
        }
        // The client has gone; the engine is told by what is dropped.
        Ok(None) => {}
        Err(error) => refuse(&mut respond, &error),
    }
}

type Asking = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

/// Sends the request until the engine begins to answer.
async fn begin(
    request: Request<RecvStream>,
    early: Bytes,
    respond: &mut SendResponse<Bytes>,
    engine: &SendRequest<Bytes>,
) -> Result<Option<(http::response::Parts, RecvStream, Asking)>, h2::Error> {
    let (head, body) = request.into_parts();
    let ended = early.is_empty() && body.is_end_stream();
    let mut engine = engine.clone().ready().await?;
    let (response, to_engine) = engine.send_request(Request::from_parts(head, ()), ended)?;
    let mut asking: Asking = Box::pin(async move {
        if !ended {
            pump(body, early, to_engine).await;
        }
    });
    let mut asked = false;
    let mut response = std::pin::pin!(response);
    loop {
        tokio::select! {
            response = &mut response => {
                let (head, body) = response?.into_parts();
                let rest: Asking = if asked { Box::pin(async {}) } else { asking };
                return Ok(Some((head, body, rest)));
            }
            () = &mut asking, if !asked => asked = true,
            _ = poll_fn(|cx| respond.poll_reset(cx)) => return Ok(None),
        }
    }
}

/// Passes an answer on.
async fn conclude(
    head: http::response::Parts,
    body: RecvStream,
    respond: &mut SendResponse<Bytes>,
) {
    let ended = body.is_end_stream();
    match respond.send_response(Response::from_parts(head, ()), ended) {
        Ok(to_client) if !ended => pump(body, Bytes::new(), to_client).await,
        Ok(_) => {}
        Err(error) => debug!(%error, "a build's client does not wait for its answer"),
    }
}

/// Tells the client that its stream has come to nothing, for the reason that the engine gave.
pub(super) fn refuse(respond: &mut SendResponse<Bytes>, error: &h2::Error) {
    debug!(%error, "a call of a build came to nothing");
    respond.send_reset(error.reason().unwrap_or(Reason::INTERNAL_ERROR));
}

/// Passes `early` and then all of a body, to the end or to a reset of either side.
async fn pump(mut from: RecvStream, early: Bytes, mut to: SendStream<Bytes>) {
    if let Err(reason) = drain(&mut from, early, &mut to).await {
        to.send_reset(reason);
    }
}

async fn drain(
    from: &mut RecvStream,
    early: Bytes,
    to: &mut SendStream<Bytes>,
) -> Result<(), Reason> {
    send(to, early).await?;
    while let Some(data) = next(from, to).await? {
        let length = data.len();
        send(to, data).await?;
        // The sender may send as much again as was taken.
        let released = from.flow_control().release_capacity(length);
        released.map_err(|error| reason(&error))?;
    }
    let trailers = from.trailers().await.map_err(|error| reason(&error))?;
    let sent = match trailers {
        Some(trailers) => to.send_trailers(trailers),
        None => to.send_data(Bytes::new(), true),
    };
    sent.map_err(|error| reason(&error))
}

/// More of a body, unless its receiver wants no more.
async fn next(from: &mut RecvStream, to: &mut SendStream<Bytes>) -> Result<Option<Bytes>, Reason> {
    poll_fn(|cx| {
        if let Poll::Ready(reset) = to.poll_reset(cx) {
            return Poll::Ready(Err(reset.unwrap_or(Reason::CANCEL)));
        }
        let data = std::task::ready!(from.poll_data(cx)).transpose();
        Poll::Ready(data.map_err(|error| reason(&error)))
    })
    .await
}

/// Sends bytes as the receiver has room for them.
pub(super) async fn send(to: &mut SendStream<Bytes>, mut data: Bytes) -> Result<(), Reason> {
    while !data.is_empty() {
        to.reserve_capacity(data.len());
        let room = poll_fn(|cx| to.poll_capacity(cx)).await;
        let room = room.ok_or(Reason::CANCEL)?;
        let room = room.map_err(|error| reason(&error))?.min(data.len());
        let sent = to.send_data(data.split_to(room), false);
        sent.map_err(|error| reason(&error))?;
    }
    Ok(())
}

fn reason(error: &h2::Error) -> Reason {
    error.reason().unwrap_or(Reason::INTERNAL_ERROR)
}

/// Reads a body until it ends, or more than `most` of it is here; whether it has ended.
pub(super) async fn collect(
    body: &mut RecvStream,
    most: usize,
) -> Result<(Bytes, bool), h2::Error> {
    let mut collected = BytesMut::new();
    while collected.len() <= most {
        let Some(data) = body.data().await else {
            return Ok((collected.freeze(), true));
        };
        let data = data?;
        body.flow_control().release_capacity(data.len())?;
        collected.extend_from_slice(&data);
    }
    Ok((collected.freeze(), false))
}
