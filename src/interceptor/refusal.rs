//! Answers that the interceptor gives itself.

use std::fmt::Display;

use hyper::StatusCode;

use crate::core::route::Destination;
use crate::doorway::Refused;
use crate::proxy::refusal::Refusal;

/// There is no connection.
pub(super) fn unreachable(destination: &Destination, refused: &Refused) -> Refusal {
    let status = StatusCode::from_u16(refused.status).unwrap_or(StatusCode::BAD_GATEWAY);
    let text = format!("dockline cannot reach {destination}: {}.", refused.reason);
    Refusal::new(status, text)
}

/// There is one, and it did not do.
pub(super) fn broken(destination: &Destination, reason: impl Display) -> Refusal {
    let text = format!("dockline cannot talk to {destination}: {reason}.");
    Refusal::new(StatusCode::BAD_GATEWAY, text)
}

/// The origin is not who it should be.
pub(super) fn untrusted(
    destination: &Destination,
    reason: impl Display,
    advice: Option<&str>,
) -> Refusal {
    let mut text = format!("dockline does not trust the certificate of {destination}: {reason}.");
    if let Some(advice) = advice {
        text = text + " " + advice;
    }
    Refusal::new(StatusCode::BAD_GATEWAY, text)
}

/// The client takes a proxy for a web server.
pub(super) fn not_a_server() -> Refusal {
    Refusal::not_a_server(
        "This is dockline's built-in interceptor, a proxy for http:// and CONNECT, and not a web server.",
    )
}
