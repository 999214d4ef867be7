//! Answers that the gateway gives itself. Each says in a sentence what failed and why.

use bytes::Bytes;
use http_body_util::{Either, Empty, Full};
use hyper::body::Incoming;
use hyper::header::{CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue, PROXY_AUTHENTICATE};
use hyper::{Response, StatusCode};

use crate::core::route::Destination;
use crate::gateway::error::Error;

/// What an answer carries: the origin's own body, or a text of ours.
pub(super) type Body = Either<Incoming, Full<Bytes>>;

/// What a request carries on to the origin. Nothing only for one that is sent a second time.
pub(super) type Sent = Either<Incoming, Empty<Bytes>>;

/// No body at all.
pub(super) fn nothing() -> Body {
    Either::Right(Full::default())
}

/// An answer in the place of the origin's.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    /// A header that goes with it.
    header: Option<(HeaderName, HeaderValue)>,
    /// A sentence for people.
    text: String,
}

impl Refusal {
    fn new(status: StatusCode, text: impl Into<String>) -> Self {
        Self {
            status,
            header: None,
            text: text.into(),
        }
    }

    /// There is no connection to where the client wants to go.
    pub(super) fn failed(destination: &Destination, error: &Error) -> Self {
        let text = format!("dockline cannot reach {destination}: {error}.");
        Self::new(error.kind.status(), text)
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

    /// The client takes the gateway for a web server.
    pub(super) fn not_a_server() -> Self {
        let close = HeaderValue::from_static("close");
        Self {
            header: Some((CONNECTION, close)),
            ..Self::new(
                StatusCode::BAD_REQUEST,
                "This is dockline's gateway, a proxy and not a web server. \
                 Set it as the upstream proxy (HTTP or SOCKS5) of your interceptor.",
            )
        }
    }

    /// The client asks us to speak TLS for it.
    pub(super) fn not_by_tls(scheme: &str) -> Self {
        let text = format!(
            "A proxy forwards requests for http:// only, and this one is for {scheme}://. Use CONNECT for anything else."
        );
        Self::new(StatusCode::NOT_IMPLEMENTED, text)
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
