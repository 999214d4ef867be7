//! The interceptor as a proxy: requests in absolute form, and CONNECT.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;

use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::Upgraded;
use hyper::{Method, Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tracing::debug;

use super::bodies::Body;
use super::exchange::Conversation;
use super::origin::{Target, open};
use super::refusal::Refusal;
use super::tunnel::Tunnel;
use super::{BUFFER, Client, DEADLINES};
use crate::core::route::{Destination, Host};
use crate::proxy::credentials;

/// The port of `http://` without one.
const HTTP_PORT: u16 = 80;

/// Serves one client to the end.
pub(super) async fn serve(stream: TcpStream, client: Client) {
    let conversation = Arc::new(Conversation::new(client.clone()));
    let service = service_fn(move |request| {
        let conversation = Arc::clone(&conversation);
        async move { Ok::<_, Infallible>(answer(&conversation, request).await) }
    });
    converse(stream, &client, service).await;
}

/// Speaks HTTP/1 to the end.
pub(super) async fn converse<S>(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    client: &Client,
    service: S,
) where
    S: hyper::service::Service<
            Request<Incoming>,
            Response = Response<Body>,
            Error = Infallible,
            Future: Send,
        >,
{
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(DEADLINES.idle)
        .max_buf_size(BUFFER)
        .preserve_header_case(true)
        // What passes stays as the origin sent it.
        .auto_date_header(false)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = client.shared.stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        debug!(%error, "an HTTP connection ended early");
    }
}

async fn answer(conversation: &Conversation, request: Request<Incoming>) -> Response<Body> {
    let answered = match admit(&conversation.client, &request) {
        Err(refusal) => Err(refusal),
        Ok(()) if request.method() == Method::CONNECT => {
            connect(&conversation.client, request).await
        }
        Ok(()) => match destination(&request) {
            Ok(destination) => {
                let target = Target {
                    destination,
                    tls: None,
                };
                return conversation.pass(target, request).await;
            }
            Err(refusal) => Err(refusal),
        },
    };
    answered.unwrap_or_else(Refusal::into_response)
}

/// Checks that the client takes us for a proxy and, on this host, knows the password.
fn admit(client: &Client, request: &Request<Incoming>) -> Result<(), Refusal> {
    if request.uri().authority().is_none() {
        return Err(Refusal::not_a_server());
    }
    let Some(password) = client
        .shared
        .password
        .as_ref()
        .filter(|_| client.is_local())
    else {
        return Ok(());
    };
    let given = credentials::of(request.headers());
    if given.is_some_and(|given| password.is(&given.password)) {
        return Ok(());
    }
    Err(Refusal::unauthorised())
}

/// Where a request in absolute form is to go.
fn destination(request: &Request<Incoming>) -> Result<Destination, Refusal> {
    let uri = request.uri();
    let host = uri.host().filter(|_| uri.scheme_str() == Some("http"));
    let host = host.ok_or_else(Refusal::not_a_server)?;
    Ok(Destination {
        host: Host::from(host),
        port: uri.port_u16().unwrap_or(HTTP_PORT),
    })
}

/// Opens the way first: what cannot be reached is refused at once, in words.
async fn connect(
    client: &Client,
    mut request: Request<Incoming>,
) -> Result<Response<Body>, Refusal> {
    let authority = request.uri().authority();
    let destination = authority.and_then(|authority| {
        Some(Destination {
            host: Host::from(authority.host()),
            port: authority.port_u16()?,
        })
    });
    let destination = destination.ok_or_else(Refusal::no_port)?;
    let opened = open(client, &destination, false).await;
    let opened = opened.inspect_err(|refusal| {
        client.refused(&destination, refusal);
    })?;
    let tunnel = Tunnel {
        client: client.clone(),
        destination,
        opened,
    };
    let upgrade = hyper::upgrade::on(&mut request);
    client.shared.spawn(async move {
        let taken = upgrade.await.map(Upgraded::downcast::<TokioIo<TcpStream>>);
        let Ok(Ok(parts)) = taken else {
            debug!("a connection ended before it was handed over");
            return;
        };
        // Boxed, because it takes far more memory than the relay that it may end as.
        Box::pin(tunnel.run(parts.io.into_inner(), parts.read_buf)).await;
    });
    Ok(Response::new(Either::Right(Full::default())))
}
