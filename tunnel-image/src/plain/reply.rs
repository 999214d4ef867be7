//! Answers that the entry gives itself. Each says in a sentence what failed and why.

use std::fmt;

use http_body_util::{Either, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONNECTION, CONTENT_TYPE, HeaderValue, LOCATION};
use hyper::{Response, StatusCode};

use super::forwarding::HOST_TOO_LONG;
use crate::dial::Failure;

/// What an answer carries: the origin's own body, or a text of ours.
pub(super) type Body = Either<Incoming, Full<Bytes>>;

/// An answer in the place of the origin's.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    status: StatusCode,
    /// A sentence for people.
    text: String,
    /// Whether there is nothing more to say to this client.
    last: bool,
}

impl Refusal {
    fn new(status: StatusCode, text: String) -> Self {
        Self {
            status,
            text,
            last: false,
        }
    }

    /// There is no connection to where the client wants to go.
    pub(super) fn failed(what: &str, failure: Failure) -> Self {
        let (status, why) = match failure {
            Failure::NoSuchName => (StatusCode::BAD_GATEWAY, "nothing there has that name"),
            Failure::Refused => (StatusCode::BAD_GATEWAY, "it refused the connection"),
            Failure::NetworkUnreachable | Failure::HostUnreachable => {
                (StatusCode::BAD_GATEWAY, "there is no way to it")
            }
            Failure::TimedOut => (StatusCode::GATEWAY_TIMEOUT, "it did not answer"),
            Failure::Other => (StatusCode::BAD_GATEWAY, "the connection broke"),
        };
        Self::new(status, unreachable(what, why))
    }

    /// The client must not go there.
    pub(super) fn forbidden(what: &str, why: &str) -> Self {
        Self::new(StatusCode::FORBIDDEN, unreachable(what, why))
    }

    /// The connection ended before there was an answer.
    pub(super) fn broke(what: &str, error: &dyn fmt::Display) -> Self {
        let why = format!("the connection broke before the answer came: {error}");
        Self::new(StatusCode::BAD_GATEWAY, unreachable(what, &why))
    }

    /// The client takes the entry for a web server, or asks for something else than a proxy does.
    pub(super) fn not_a_server() -> Self {
        let text = "This is the entry of dockline's tunnel, a proxy: it takes CONNECT HOST:PORT, and requests for http://.";
        Self {
            last: true,
            ..Self::new(StatusCode::BAD_REQUEST, text.to_owned())
        }
    }

    /// What the client wants to go to has no name that a host can have.
    pub(super) fn too_long() -> Self {
        Self::new(StatusCode::BAD_REQUEST, HOST_TOO_LONG.to_owned())
    }

    pub(super) fn into_response(self) -> Response<Body> {
        let mut response = Response::new(Either::Right(Full::from(self.text + "\n")));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("text/plain; charset=utf-8"),
        );
        if self.last {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

/// Whoever asks for that is to ask there.
pub(super) fn elsewhere(url: &str) -> Result<Response<Body>, Refusal> {
    let location = HeaderValue::try_from(url).map_err(|_| Refusal::not_a_server())?;
    let mut response = Response::new(Either::Right(Full::default()));
    *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
    response.headers_mut().insert(LOCATION, location);
    Ok(response)
}

fn unreachable(what: &str, why: &str) -> String {
    format!("dockline's tunnel, without dockline, cannot reach {what}: {why}.")
}
