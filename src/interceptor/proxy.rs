//! The interceptor as a proxy: requests in absolute form, whether by TLS or not, and CONNECT.

use std::convert::Infallible;
use std::sync::Arc;

use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::header::{HOST, HeaderValue, PROXY_AUTHORIZATION};
use hyper::service::service_fn;
use hyper::upgrade::Upgraded;
use hyper::{Method, Request, Response, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tracing::debug;

use super::bodies::Body;
use super::exchange::Conversation;
use super::origin::{Target, open};
use super::tunnel::Tunnel;
use super::{Client, DEADLINES, refusal};
use crate::core::tunnel_state::ENTRY_PORT;
use crate::proxy::conversation::serve_http1;
use crate::proxy::credentials;
use crate::proxy::forwarding::by_host;
use crate::proxy::half_close::{Due, HalfOpen};
use crate::proxy::provisional::Line;
use crate::proxy::refusal::Refusal;
use crate::proxy::request::{absolute_destination, connect_destination};

/// Serves one client to the end.
pub(super) async fn serve(stream: TcpStream, client: Client) {
    let (stream, answers) = HalfOpen::new(stream);
    let (line, interjector) = Line::new(stream);
    let conversation = Arc::new(Conversation::new(client.clone(), (interjector, answers)));
    let service = service_fn(move |request| {
        let conversation = Arc::clone(&conversation);
        let due = conversation.expect(&request);
        async move { Ok::<_, Infallible>(answer(&conversation, request, due).await) }
    });
    serve_http1(line, service, DEADLINES.idle, &client.shared.stop).await;
}

async fn answer(
    conversation: &Conversation,
    mut request: Request<Incoming>,
    due: Arc<Due>,
) -> Response<Body> {
    if !conversation.client.is_local() {
        let host = request.headers().get(HOST).map(HeaderValue::as_bytes);
        if let Some(absolute) = by_host(request.uri(), host, ENTRY_PORT) {
            *request.uri_mut() = absolute;
        }
    }
    let answered = match admit(&conversation.client, &request) {
        Err(refusal) => Err(refusal),
        Ok(()) if request.method() == Method::CONNECT => {
            connect(&conversation.client, request).await
        }
        Ok(()) => match target(request.uri()) {
            Ok(target) => return conversation.pass(target, request, due).await,
            Err(refusal) => Err(refusal),
        },
    };
    answered.unwrap_or_else(Refusal::into_response)
}

/// Checks that the client takes us for a proxy and, on this host, knows the password.
fn admit(client: &Client, request: &Request<Incoming>) -> Result<(), Refusal> {
    if request.uri().authority().is_none() {
        return Err(refusal::not_a_server());
    }
    let Some(password) = client
        .shared
        .password
        .as_ref()
        .filter(|_| client.is_local())
    else {
        return Ok(());
    };
    let given = request.headers().get(PROXY_AUTHORIZATION);
    let given = given.and_then(|given| credentials::of(given.as_bytes()));
    if given.is_some_and(|given| password.is(&given.password)) {
        return Ok(());
    }
    Err(Refusal::unauthorised())
}

/// Where a request in absolute form is to go, and how. Some clients leave TLS to the proxy.
fn target(uri: &Uri) -> Result<Target, Refusal> {
    let by_tls = match uri.scheme_str() {
        Some("http") => false,
        Some("https") => true,
        _ => return Err(refusal::not_a_server()),
    };
    let destination = absolute_destination(uri, refusal::not_a_server)?;
    let name = uri.host().unwrap_or_default();
    let name = name.trim_matches(['[', ']']).to_owned();
    Ok(Target {
        destination,
        server_name: by_tls.then_some(name),
        protocol: None,
    })
}

/// Opens the way first: what cannot be reached is refused at once, in words.
async fn connect(
    client: &Client,
    mut request: Request<Incoming>,
) -> Result<Response<Body>, Refusal> {
    let destination = connect_destination(request.uri())?;
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
    client.shared.tasks.spawn(async move {
        let taken = upgrade.await;
        let taken = taken.map(Upgraded::downcast::<TokioIo<Line<HalfOpen<TcpStream>>>>);
        let Ok(Ok(parts)) = taken else {
            debug!("a connection ended before it was handed over");
            return;
        };
        // Boxed, because it takes far more memory than the relay that it may end as.
        Box::pin(tunnel.run(
            parts.io.into_inner().into_inner().into_inner(),
            parts.read_buf,
        ))
        .await;
    });
    Ok(Response::new(Either::Right(Full::default())))
}
