//! One engine's requests, each made anew for whoever intercepts.

use std::convert::Infallible;
use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::uri::PathAndQuery;
use http_body_util::{Either, Empty, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderValue, LOCATION};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, Uri, Version};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tracing::{debug, warn};
use url::Url;

use super::Shared;
use super::lines::pair;
use crate::core::caller::Caller;
use crate::core::hand_on::{HandOn, hand_on};
use crate::core::route::{Destination, ThisHost};
use crate::core::wire::fetched;
use crate::proxy::conversation::{BUFFER, serve_http1};
use crate::proxy::headers;
use crate::proxy::refusal::Refusal;
use crate::proxy::request::absolute_destination;

/// Between two requests of an engine.
const IDLE: Duration = Duration::from_secs(120);
/// For a way to whoever answers: as long as an interceptor may take to find that there is none.
const WAY: Duration = Duration::from_secs(30);
/// For an answer to begin. A server may have to make what it sends first.
const ANSWER: Duration = Duration::from_secs(300);

type Body = Either<Incoming, Full<Bytes>>;
type Sent = Empty<Bytes>;

/// Why the engine is to go there by itself.
type Problem = String;

/// Serves an engine to the end.
pub(super) async fn serve(stream: TcpStream, caller: Caller, shared: Arc<Shared>) {
    let stop = shared.stop.clone();
    // Engines fetch what one build adds on few connections: once on each is about once a build.
    let said = Arc::new(AtomicBool::new(false));
    let service = service_fn(move |request| {
        let (shared, caller, said) = (Arc::clone(&shared), caller.clone(), Arc::clone(&said));
        async move { Ok::<_, Infallible>(answer(request, caller, &shared, &said).await) }
    });
    serve_http1(stream, service, IDLE, &stop).await;
}

async fn answer(
    request: Request<Incoming>,
    caller: Caller,
    shared: &Arc<Shared>,
    said: &AtomicBool,
) -> Response<Body> {
    let target = request.uri().path_and_query();
    let wanted = target.and_then(|target| fetched::wanted(target.as_str()));
    let Some(wanted) = wanted.filter(|_| matches!(*request.method(), Method::GET | Method::HEAD))
    else {
        return Refusal::new(
            StatusCode::BAD_REQUEST,
            "This is where an engine fetches what a build adds by URL.",
        )
        .into_response();
    };
    let entry = request.headers().get(HOST).cloned();
    match fetch(request, &wanted, caller, shared).await {
        // By these, proxies say that they found no way. The engine may have one.
        Ok(response)
            if !matches!(
                response.status(),
                StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT
            ) =>
        {
            if is_denied(response.status()) && !said.swap(true, Ordering::Relaxed) {
                debug!(url = wanted, status = %response.status(), "denied");
                warn!(
                    "a server denies what a build adds by URL; if that needs a secret that BuildKit finds by the server's name, \
                     have it fetched past the interceptor: --pass-through HOST"
                );
            }
            to_engine(response, &wanted, entry.as_ref())
        }
        Ok(response) => {
            debug!(url = wanted, status = %response.status(), "no way to what a build adds");
            elsewhere(&wanted)
        }
        Err(problem) => {
            debug!(url = wanted, %problem, "the engine fetches that itself");
            if !said.swap(true, Ordering::Relaxed) {
                warn!(
                    "what a build adds by URL is not intercepted: there was no way to it; the log says more at `debug`"
                );
            }
            elsewhere(&wanted)
        }
    }
}

fn is_denied(status: StatusCode) -> bool {
    matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
}

/// Asks as the engine did, by way of whoever serves the entry's callers.
async fn fetch(
    request: Request<Incoming>,
    wanted: &str,
    caller: Caller,
    shared: &Arc<Shared>,
) -> Result<Response<Incoming>, Problem> {
    let uri: Uri = wanted.parse().map_err(problem)?;
    let destination = absolute_destination(&uri, || {
        Refusal::new(StatusCode::BAD_REQUEST, "its URL names no host")
    });
    let destination = destination.map_err(|refusal| refusal.text)?;
    may_go(&destination, &caller, shared)?;
    let stream = timeout(WAY, line(caller, shared))
        .await
        .map_err(problem)??;
    let is_plain = uri.scheme_str() == Some("http");
    let request = of_ours(&request, &uri, is_plain).map_err(problem)?;
    let sent = async {
        if is_plain {
            return send(stream, request, shared).await;
        }
        match timeout(WAY, tunnel(stream, &destination, shared)).await {
            Ok(Ok(Tunnel::Open(stream))) => {
                let host = uri.host().unwrap_or_default();
                let handshake = timeout(WAY, shared.tls.connect(host, stream)).await;
                let stream = handshake.map_err(problem)?.map_err(problem)?;
                send(stream, request, shared).await
            }
            Ok(Ok(Tunnel::Refused(answer))) => Ok(answer),
            Ok(Err(problem)) => Err(problem),
            Err(late) => Err(problem(late)),
        }
    };
    timeout(ANSWER, sent).await.map_err(problem)?
}

/// Whether somebody may get there who asks the entry: an engine may get further than its containers.
fn may_go(destination: &Destination, caller: &Caller, shared: &Shared) -> Result<(), Problem> {
    let here = ThisHost {
        own: &shared.own,
        has_engine: shared.tunnel.borrow().engine_is_here,
        internal_egress: shared.internal_egress,
    };
    match hand_on(&shared.map.borrow(), &caller.scope, destination, here) {
        HandOn::Refused { reason, .. } => Err(reason),
        HandOn::To(_) | HandOn::Public => Ok(()),
    }
}

/// A connection to whoever serves callers.
async fn line(caller: Caller, shared: &Shared) -> Result<TcpStream, Problem> {
    let (near, far) = pair().await.map_err(problem)?;
    let handed = shared.onward.send((far, caller)).await;
    handed.map_err(|_| "dockline is stopping")?;
    Ok(near)
}

/// The request as a proxy gets it, or as an origin does.
fn of_ours(
    request: &Request<Incoming>,
    uri: &Uri,
    is_plain: bool,
) -> Result<Request<Sent>, http::Error> {
    let target = if is_plain {
        uri.clone()
    } else {
        Uri::from(
            uri.path_and_query()
                .cloned()
                .unwrap_or_else(|| PathAndQuery::from_static("/")),
        )
    };
    let mut made = Request::builder()
        .method(request.method())
        .uri(target)
        .version(Version::HTTP_11)
        .body(Empty::new())?;
    *made.headers_mut() = headers::of_request(request.headers(), None);
    let host = uri.authority().map_or("", |authority| authority.as_str());
    made.headers_mut()
        .insert(HOST, HeaderValue::try_from(host)?);
    Ok(made)
}

enum Tunnel {
    Open(TcpStream),
    Refused(Response<Incoming>),
}

/// Has a connection made to an origin.
async fn tunnel(
    stream: TcpStream,
    destination: &Destination,
    shared: &Shared,
) -> Result<Tunnel, Problem> {
    let authority = destination.to_string();
    let connect = Request::connect(&authority)
        .header(HOST, &authority)
        .body(Empty::new());
    let answer = send(stream, connect.map_err(problem)?, shared).await?;
    if !answer.status().is_success() {
        return Ok(Tunnel::Refused(answer));
    }
    let opened = hyper::upgrade::on(answer).await.map_err(problem)?;
    let parts = opened.downcast::<TokioIo<TcpStream>>();
    let parts = parts.map_err(|_| "it is no connection of ours")?;
    if !parts.read_buf.is_empty() {
        return Err("its server speaks before its client does".to_owned());
    }
    Ok(Tunnel::Open(parts.io.into_inner()))
}

async fn send<S>(
    stream: S,
    request: Request<Sent>,
    shared: &Shared,
) -> Result<Response<Incoming>, Problem>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::Builder::new()
        .preserve_header_case(true)
        .max_buf_size(BUFFER)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(problem)?;
    shared.tasks.spawn(async move {
        // What breaks shows in the answer.
        let _ = connection.with_upgrades().await;
    });
    sender.send_request(request).await.map_err(problem)
}

/// The answer for the engine, which is to ask here for where it is sent, too.
fn to_engine(
    response: Response<Incoming>,
    wanted: &str,
    entry: Option<&HeaderValue>,
) -> Response<Body> {
    let (mut parts, body) = response.into_parts();
    parts.headers = headers::of_response(&parts.headers, None);
    parts.version = Version::HTTP_11;
    if let Some(location) = parts.headers.get(LOCATION) {
        let moved = moved(location, wanted, entry);
        if let Some(Ok(moved)) = moved.map(HeaderValue::try_from) {
            parts.headers.insert(LOCATION, moved);
        }
    }
    Response::from_parts(parts, Either::Left(body))
}

/// Where an answer sends the engine, at the entry if it can be.
pub(super) fn moved(
    location: &HeaderValue,
    wanted: &str,
    entry: Option<&HeaderValue>,
) -> Option<String> {
    let to = Url::parse(wanted).ok()?.join(location.to_str().ok()?);
    let to = String::from(to.ok()?);
    let entry = entry.and_then(|entry| entry.to_str().ok()?.parse().ok());
    Some(match entry {
        Some(entry) => fetched::at_entry(&to, entry).unwrap_or(to),
        None => to,
    })
}

/// Sends the engine where it wanted to go.
fn elsewhere(wanted: &str) -> Response<Body> {
    let mut response = Response::new(Either::Right(Full::default()));
    *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
    if let Ok(location) = HeaderValue::try_from(wanted) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

fn problem(error: impl Display) -> Problem {
    error.to_string()
}
