//! Answers that a proxy gives itself. Each says in a sentence what failed and why.

use bytes::Bytes;
use http_body_util::{Either, Full};
use hyper::header::{CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue, PROXY_AUTHENTICATE};
use hyper::{Response, StatusCode};

/// What it is made of.
const TEXT: &str = "text/plain; charset=utf-8";

/// An answer in the place of the origin's.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    /// A header that goes with it.
    header: Option<(HeaderName, HeaderValue)>,
    /// A sentence for people.
    pub(crate) text: String,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, text: impl Into<String>) -> Self {
        Self {
            status,
            header: None,
            text: text.into(),
        }
    }

    /// The client does not know the password.
    pub(crate) fn unauthorised() -> Self {
        let challenge = HeaderValue::from_static("Basic realm=\"dockline\"");
        Self {
            header: Some((PROXY_AUTHENTICATE, challenge)),
            ..Self::new(
                StatusCode::PROXY_AUTHENTICATION_REQUIRED,
                "This proxy wants the password that dockline was started with (--gateway-password); any user name will do.",
            )
        }
    }

    /// The client takes a proxy for a web server; `advice` says what it is.
    pub(crate) fn not_a_server(advice: &str) -> Self {
        let close = HeaderValue::from_static("close");
        Self {
            header: Some((CONNECTION, close)),
            ..Self::new(StatusCode::BAD_REQUEST, advice)
        }
    }

    /// A CONNECT without its port.
    pub(crate) fn no_port() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "CONNECT needs HOST:PORT.")
    }

    /// As it goes over the wire in the place of an answer in `version`; without its text in answer to HEAD, and with word of the
    /// connection's end if that comes after it.
    pub(crate) fn encoded(&self, version: &str, to_head: bool, closes: bool) -> Vec<u8> {
        let reason = self.status.canonical_reason().unwrap_or_default();
        let text = format!("{}\n", self.text);
        let close = (CONNECTION, HeaderValue::from_static("close"));
        let close = Some(close).filter(|_| closes || self.closes());
        let named = self.header.clone().filter(|(name, _)| *name != CONNECTION);
        let value = |value: HeaderValue| value.to_str().map(str::to_owned).unwrap_or_default();
        let lines = named.into_iter().chain(close);
        let lines: Vec<String> = lines
            .map(|(name, given)| format!("{name}: {}\r\n", value(given)))
            .collect();
        let mut answer = format!(
            "{version} {} {reason}\r\ncontent-type: {TEXT}\r\ncontent-length: {}\r\n{}\r\n",
            self.status.as_str(),
            text.len(),
            lines.concat(),
        );
        if !to_head {
            answer += &text;
        }
        answer.into_bytes()
    }

    /// Whether nothing is to follow it.
    pub(crate) fn closes(&self) -> bool {
        matches!(&self.header, Some((name, _)) if *name == CONNECTION)
    }

    pub(crate) fn into_response<B>(self) -> Response<Either<B, Full<Bytes>>> {
        let mut response = Response::new(Either::Right(Full::from(self.text + "\n")));
        *response.status_mut() = self.status;
        let text = HeaderValue::from_static(TEXT);
        response.headers_mut().insert(CONTENT_TYPE, text);
        response.headers_mut().extend(self.header);
        response
    }
}
