//! Answers that the gateway gives itself.

use hyper::StatusCode;

use crate::core::route::Destination;
use crate::gateway::error::Error;
use crate::proxy::refusal::Refusal;

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
        "Nobody speaks {scheme}:// for you here: dockline forwards requests for http:// alone. Use CONNECT for anything else."
    );
    Refusal::new(StatusCode::NOT_IMPLEMENTED, text)
}

/// Nobody can tell what the client wants.
pub(super) fn not_understood(status: StatusCode) -> Refusal {
    let text = if status == StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE {
        "The request's headers are too long: dockline takes 64 KiB and 128 lines."
    } else {
        "This is no request that dockline understands: it is not well-formed HTTP/1."
    };
    Refusal::new(status, text)
}
