//! Answers that the gateway gives itself.

use bytes::Bytes;
use http_body_util::{Either, Empty, Full};
use hyper::StatusCode;
use hyper::body::Incoming;

use crate::core::route::Destination;
use crate::gateway::error::Error;
use crate::proxy::refusal::Refusal;

/// What an answer carries: the origin's own body, or a text of ours.
pub(super) type Body = Either<Incoming, Full<Bytes>>;

/// What a request carries on to the origin. Nothing only for one that is sent a second time.
pub(super) type Sent = Either<Incoming, Empty<Bytes>>;

/// No body at all.
pub(super) fn nothing() -> Body {
    Either::Right(Full::default())
}

/// There is no connection to where the client wants to go.
pub(super) fn failed(destination: &Destination, error: &Error) -> Refusal {
    let text = format!("dockline cannot reach {destination}: {error}.");
    Refusal::new(error.kind.status(), text)
}

/// The client takes the gateway for a web server.
pub(super) fn not_a_server() -> Refusal {
    Refusal::not_a_server(
        "This is dockline's gateway, a proxy and not a web server. \
         Set it as the upstream proxy (HTTP or SOCKS5) of your interceptor.",
    )
}

/// The client asks us to speak TLS for it.
pub(super) fn not_by_tls(scheme: &str) -> Refusal {
    let text = format!(
        "A proxy forwards requests for http:// only, and this one is for {scheme}://. Use CONNECT for anything else."
    );
    Refusal::new(StatusCode::NOT_IMPLEMENTED, text)
}
