//! Requests.

use bytes::{Bytes, BytesMut};
use httparse::Status;
use hyper::header::HeaderValue;
use hyper::http::uri::Scheme;
use hyper::{Method, StatusCode, Uri};

use super::{Framed, LINES, LONGEST, Lines, encoded};
use crate::core::route::Destination;
use crate::core::tunnel_state::ENTRY_PORT;
use crate::gateway::error::{Error, Kind};
use crate::http1::Next;
use crate::http1::fields::{announced, has};
use crate::http1::framing::Framing;
use crate::proxy::credentials::{self, Credentials};
use crate::proxy::forwarding::{by_host, host_of};
use crate::proxy::headers::DOCKLINE_CLIENT;

/// The head of a request.
#[derive(Debug)]
pub(in crate::gateway::http) struct Request {
    pub(in crate::gateway::http) method: Method,
    pub(in crate::gateway::http) uri: Uri,
    pub(in crate::gateway::http) body: Framing,
    /// Whether its headers speak of a body, even where there can be none.
    pub(in crate::gateway::http) announces_body: bool,
    /// Whether it is HTTP/1.0, whose clients know neither chunks nor provisional answers.
    pub(in crate::gateway::http) is_old: bool,
    /// Whether the client wants to go on after the answer.
    pub(in crate::gateway::http) persists: bool,
    lines: Lines,
}

impl Request {
    /// Takes the next head from the beginning of `buffer`; or says as what status the client is to hear of it.
    pub(in crate::gateway::http) fn take(buffer: &mut BytesMut) -> Next<Result<Self, StatusCode>> {
        let mut headers = [httparse::EMPTY_HEADER; LINES];
        let mut request = httparse::Request::new(&mut headers);
        let (length, taken) = match request.parse(buffer) {
            Ok(Status::Complete(length)) if length <= LONGEST => (length, Self::of(&request)),
            Ok(Status::Partial) if buffer.len() < LONGEST => return Next::More,
            Ok(_) | Err(httparse::Error::TooManyHeaders) => {
                return Next::Head(Err(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE));
            }
            Err(_) => return Next::Head(Err(StatusCode::BAD_REQUEST)),
        };
        let head = buffer.split_to(length).freeze();
        Next::Head(taken.map(|taken| Self {
            // A copy: a piece of the buffer would keep all that was read with it.
            lines: Lines::of(&Bytes::copy_from_slice(&head)),
            ..taken
        }))
    }

    fn of(request: &httparse::Request<'_, '_>) -> Result<Self, StatusCode> {
        let fields = request.headers.iter().map(|h| (h.name, h.value));
        let is_old = request.version != Some(1);
        let method = request.method.unwrap_or_default();
        let method = Method::from_bytes(method.as_bytes()).map_err(|_| StatusCode::BAD_REQUEST)?;
        let uri = request.path.unwrap_or_default().parse();
        let announced = announced(fields.clone());
        let announces_body = !matches!(announced, Ok(None));
        let body = match announced {
            // What comes after it is what the connection becomes.
            _ if method == Method::CONNECT => Framing::EMPTY,
            Ok(None) => Framing::EMPTY,
            Ok(Some(Framing::Length(length))) => Framing::Length(length),
            Ok(Some(Framing::Chunked(chunks))) if !is_old => Framing::Chunked(chunks),
            // Where it ends, nobody could tell.
            Ok(Some(_)) | Err(_) => return Err(StatusCode::BAD_REQUEST),
        };
        let persists = if is_old {
            has(fields, "connection", "keep-alive")
        } else {
            !has(fields, "connection", "close")
        };
        Ok(Self {
            uri: uri.map_err(|_| StatusCode::BAD_REQUEST)?,
            method,
            body,
            announces_body,
            is_old,
            persists,
            lines: Lines(Bytes::new()),
        })
    }

    /// Lets its client, a caller of the entry, name the server by `Host` alone.
    pub(in crate::gateway::http) fn named_by_host(&mut self) {
        if let Some(absolute) = by_host(&self.uri, self.lines.value("host"), ENTRY_PORT) {
            self.uri = absolute;
        }
    }

    pub(in crate::gateway::http) fn credentials(&self) -> Option<Credentials> {
        credentials::of(self.lines.value("proxy-authorization")?)
    }

    pub(in crate::gateway::http) fn hint(&self, given: Option<Credentials>) -> Option<String> {
        credentials::hint(self.lines.value(DOCKLINE_CLIENT.as_str()), given)
    }

    /// Whether its client waits to be told before it sends the body.
    pub(in crate::gateway::http) fn expects_continue(&self) -> bool {
        self.lines.says("expect", "100-continue")
    }

    /// Whether the client wants to speak something else from then on.
    pub(in crate::gateway::http) fn switches(&self) -> bool {
        self.upgrade().is_some()
    }

    fn upgrade(&self) -> Option<&[u8]> {
        self.lines.upgrade().filter(|_| !self.is_old)
    }

    /// Whether its client wants the proxy to speak TLS for it.
    pub(in crate::gateway::http) fn leaves_tls(&self) -> bool {
        self.uri.scheme() == Some(&Scheme::HTTPS)
    }

    /// Whether it may be sent twice (RFC 9110, section 9.2.2).
    pub(in crate::gateway::http) fn is_repeatable(&self) -> bool {
        self.method.is_idempotent() && self.body.is_done()
    }

    /// As the origin gets it: in origin form, with the `Host` that the client sent.
    pub(in crate::gateway::http) fn to_origin(&self) -> Bytes {
        // As it is shown, with the slash that may have been left out before a query.
        let path = self.uri.path_and_query().map(ToString::to_string);
        self.onward(path.as_deref().unwrap_or("/"), None)
    }

    /// As a proxy gets it: in absolute form, with the `Host` that the client sent.
    pub(in crate::gateway::http) fn to_proxy(
        &self,
        authority: &Destination,
        asked: &Destination,
        introduction: Option<&HeaderValue>,
    ) -> Result<Bytes, Error> {
        if authority == asked {
            return Ok(self.onward(&self.uri.to_string(), introduction));
        }
        let path = self.uri.path_and_query().map_or("/", |path| path.as_str());
        // As an URI is written, whose usual port is left out.
        let scheme = self.uri.scheme_str().unwrap_or("http");
        let uri = format!("{scheme}://{authority}{path}").parse::<Uri>();
        let uri = uri.map_err(|error| Error::new(Kind::Broken, error.to_string()))?;
        Ok(self.onward(&uri.to_string(), introduction))
    }

    fn onward(&self, target: &str, introduction: Option<&HeaderValue>) -> Bytes {
        let framed = match self.body {
            Framing::Chunked(_) => Framed::ByCoding,
            Framing::Length(_) | Framing::UntilEnd => Framed::AsItCame,
        };
        // Clients of HTTP/1.0 need not send it.
        let host = host_of(&self.uri).filter(|_| self.lines.value("host").is_none());
        let trailers = self.lines.says("te", "trailers");
        let upgrade = self.upgrade();
        let options = match (trailers, upgrade) {
            (true, Some(_)) => Some("TE, Upgrade"),
            (true, None) => Some("TE"),
            (false, Some(_)) => Some("Upgrade"),
            (false, None) => None,
        };
        let introduction = introduction.map(|value| ("Proxy-Authorization", value.as_bytes()));
        let added: Vec<(&str, &[u8])> = [
            host.as_ref().map(|host| ("Host", host.as_bytes())),
            trailers.then_some(("TE", &b"trailers"[..])),
            upgrade.map(|protocol| ("Upgrade", protocol)),
            options.map(|options| ("Connection", options.as_bytes())),
            introduction,
        ]
        .into_iter()
        .flatten()
        .collect();
        let first = format!("{} {target} HTTP/1.1", self.method);
        encoded(&first, &self.lines, framed, &added)
    }
}
