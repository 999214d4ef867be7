//! Answers that the interceptor gives itself. Each says in a sentence what failed and why.

use http_body_util::{Either, Full};
use hyper::header::{CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue, PROXY_AUTHENTICATE};
use hyper::{Response, StatusCode};

use super::bodies::Body;
use crate::core::route::Destination;
use crate::doorway::Refused;

/// An answer in the place of the origin's.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    header: Option<(HeaderName, HeaderValue)>,
    /// A sentence for people.
    pub(super) text: String,
}

impl Refusal {
    fn new(status: StatusCode, text: impl Into<String>) -> Self {
        Self {
            status,
            header: None,
            text: text.into(),
        }
    }

    /// There is no connection.
    pub(super) fn unreachable(destination: &Destination, refused: &Refused) -> Self {
        let status = StatusCode::from_u16(refused.status).unwrap_or(StatusCode::BAD_GATEWAY);
        let text = format!("dockline cannot reach {destination}: {}.", refused.reason);
        Self::new(status, text)
    }

    /// There is one, and it did not do.
    pub(super) fn broken(destination: &Destination, reason: impl std::fmt::Display) -> Self {
        let text = format!("dockline cannot talk to {destination}: {reason}.");
        Self::new(StatusCode::BAD_GATEWAY, text)
    }

    /// The origin is not who it should be.
    pub(super) fn untrusted(destination: &Destination, reason: impl std::fmt::Display) -> Self {
        let text = format!(
            "dockline does not trust the certificate of {destination}: {reason}. Its issuer must be among this machine's \
             certificate authorities, or in the file that SSL_CERT_FILE names for `dockline serve`."
        );
        Self::new(StatusCode::BAD_GATEWAY, text)
    }

    /// The client does not know the password.
    pub(super) fn unauthorised() -> Self {
        let challenge = HeaderValue::from_static("Basic realm=\"dockline\"");
        Self {
            header: Some((PROXY_AUTHENTICATE, challenge)),
            ..Self::new(
                StatusCode::PROXY_AUTHENTICATION_REQUIRED,
                "This proxy wants the password that dockline was started with (--gateway-password); any user name will do.",
            )
        }
    }

    /// The client takes a proxy for a web server.
    pub(super) fn not_a_server() -> Self {
        let close = HeaderValue::from_static("close");
        Self {
            header: Some((CONNECTION, close)),
            ..Self::new(
                StatusCode::BAD_REQUEST,
                "This is dockline's built-in interceptor, a proxy for http:// and CONNECT, and not a web server.",
            )
        }
    }

    /// A CONNECT without its port.
    pub(super) fn no_port() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "CONNECT needs HOST:PORT.")
    }

    pub(super) fn into_response(self) -> Response<Body> {
        let mut response = Response::new(Either::Right(Full::from(self.text + "\n")));
        *response.status_mut() = self.status;
        let text = HeaderValue::from_static("text/plain; charset=utf-8");
        response.headers_mut().insert(CONTENT_TYPE, text);
        response.headers_mut().extend(self.header);
        response
    }
}
