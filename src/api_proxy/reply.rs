//! What dockline answers itself, in the form of the engine's own errors.

use bytes::Bytes;
use serde_json::json;

/// An error that clients of the engine print.
pub(super) fn error(status: u16, method: &str, message: &str) -> Bytes {
    let reason = reason(status);
    let body = json!({ "message": message }).to_string();
    let length = body.len();
    let body = if method == "HEAD" { "" } else { &body };
    let text = format!(
        "HTTP/1.1 {status} {reason}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{body}"
    );
    Bytes::from(text)
}

/// An answer of dockline's own.
pub(super) fn json(status: u16, body: &[u8]) -> Bytes {
    let reason = reason(status);
    let head = format!(
        "HTTP/1.1 {status} {reason}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat().into()
}

/// What the status is called.
fn reason(status: u16) -> &'static str {
    let known = http::StatusCode::from_u16(status).ok();
    known
        .and_then(|status| status.canonical_reason())
        .unwrap_or("Unknown")
}

/// What a client waits for that wants to be asked for the body.
pub(super) const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
