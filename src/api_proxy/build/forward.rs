//! A client's HTTP/2 connection, and the one to the engine that belongs to it.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{RecvStream, client, server};
use http::Request;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::OnceCell;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing::{debug, trace, warn};

use super::marks::Marks;
use super::{Context, control, solve, stream};
use crate::api_proxy::Shared;
use crate::core::api::ApiCall;

/// What a client of HTTP/2 begins with.
pub(in crate::api_proxy) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Errors of builds carry the whole Dockerfile in a trailer; the usual 16 KiB cut off the connection.
const LONGEST_HEADERS: u32 = 16 * 1024 * 1024;
/// What may be under way without a word from the receiver: for a stream, and for all of them.
const STREAM_WINDOW: u32 = 1024 * 1024;
const WINDOW: u32 = 4 * 1024 * 1024;
/// Streams at a time. A bake of many targets has some dozens.
const STREAMS: u32 = 1_000;
/// For a client that has become one of HTTP/2 to say so.
const HANDSHAKE: Duration = Duration::from_secs(60);
/// For what was said last to get across.
const FAREWELL: Duration = Duration::from_secs(2);

const BRIDGE_SOLVE: &str = "/moby.buildkit.v1.frontend.LLBBridge/Solve";
const CONTROL_SOLVE: &str = "/moby.buildkit.v1.Control/Solve";

/// Serves a client to the end of either connection.
pub(in crate::api_proxy) async fn carry<C, E>(client: C, engine: E, shared: Arc<Shared>)
where
    C: AsyncRead + AsyncWrite + Unpin,
    E: AsyncRead + AsyncWrite + Unpin,
{
    serve_at(None, client, engine, shared).await;
}

/// The same for a builder in a container, with the entry's address from there.
pub(super) async fn serve_at<C, E>(
    builder: Option<SocketAddr>,
    client: C,
    engine: E,
    shared: Arc<Shared>,
) where
    C: AsyncRead + AsyncWrite + Unpin,
    E: AsyncRead + AsyncWrite + Unpin,
{
    let greeting = server::Builder::new()
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(LONGEST_HEADERS)
        .handshake(client);
    // Clients look whether they could, and leave at once.
    let Ok(Ok(client)) = timeout(HANDSHAKE, greeting).await else {
        return trace!("a client did not become one of HTTP/2");
    };
    let greeting = client::Builder::new()
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_header_list_size(LONGEST_HEADERS)
        .enable_push(false)
        .handshake(engine);
    let (requests, engine) = match greeting.await {
        Ok(greeted) => greeted,
        Err(error) => return debug!(%error, "the engine has ended before a build began"),
    };
    let context = Context {
        shared,
        engine: requests,
        builder,
        marks: Marks::default(),
        goes_by_proxy: OnceCell::new(),
        building: Mutex::new(None),
    };
    serve(client, engine, Arc::new(context)).await;
}

async fn serve<C, E>(
    mut client: server::Connection<C, Bytes>,
    engine: client::Connection<E, Bytes>,
    context: Arc<Context>,
) where
    C: AsyncRead + AsyncWrite + Unpin,
    E: AsyncRead + AsyncWrite + Unpin,
{
    let mut engine = pin!(engine);
    let mut streams = JoinSet::new();
    let engine_ended = loop {
        tokio::select! {
            accepted = client.accept() => match accepted {
                Some(Ok((request, respond))) => {
                    streams.spawn(answer(request, respond, Arc::clone(&context)));
                }
                Some(Err(error)) => {
                    debug!(%error, "a build's client left early");
                    break false;
                }
                None => break false,
            },
            Some(_) = streams.join_next() => {}
            ended = &mut engine => {
                debug!(?ended, "the engine ended a build's connection");
                break true;
            }
        }
    };
    drop(context);
    if engine_ended {
        // What it said last is still on its way.
        client.graceful_shutdown();
        let rest = async { while client.accept().await.is_some() {} };
        let _ = timeout(FAREWELL, rest).await;
    } else {
        // Streams that are dropped are cancelled, and the engine is told.
        streams.shutdown().await;
        let _ = timeout(FAREWELL, engine).await;
    }
}

/// One stream, to its end.
async fn answer(request: Request<RecvStream>, respond: SendResponse<Bytes>, context: Arc<Context>) {
    let path = request.uri().path().to_owned();
    trace!(path, "gRPC call");
    match path.as_str() {
        BRIDGE_SOLVE => solve::answer(request, respond, &context).await,
        CONTROL_SOLVE => control::answer(request, respond, &context).await,
        _ => {
            let call = ApiCall::of(request.method().as_str(), &path);
            if !is_grpc(&request) && is_for_interception(&call) {
                warn!(
                    path,
                    "a call by HTTP/2 is not intercepted: clients of the Engine API make it by HTTP/1.1"
                );
            }
            stream::pass(request, Bytes::new(), respond, &context.engine).await;
        }
    }
}

fn is_grpc<B>(request: &Request<B>) -> bool {
    let kind = request.headers().get(http::header::CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"))
}

/// Whether what comes of a call would be intercepted, had it come by HTTP/1.1.
fn is_for_interception(call: &ApiCall) -> bool {
    matches!(
        call,
        ApiCall::CreateContainer | ApiCall::StartContainer(_) | ApiCall::Build
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_calls_by_http_2_are_warned_of() {
        let request = |path: &str, kind: &str| {
            let request = Request::post(path).header("content-type", kind);
            request.body(()).unwrap()
        };
        for (path, kind, grpc, would_be) in [
            ("/v1.53/containers/create", "application/json", false, true),
            ("/containers/a/start", "", false, true),
            ("/build", "application/x-tar", false, true),
            ("/v1.53/containers/a/wait", "", false, false),
            (CONTROL_SOLVE, "application/grpc+proto", true, false),
        ] {
            let request = request(path, kind);
            assert_eq!(is_grpc(&request), grpc, "{path}");
            let call = ApiCall::of("POST", path);
            assert_eq!(is_for_interception(&call), would_be, "{path}");
        }
    }
}
