//! Heads of messages: what they say about the message, beside the very bytes.

#[cfg(test)]
mod tests;

use std::net::IpAddr;

use bytes::{Buf as _, Bytes, BytesMut};
use httparse::{Header, Status};

use crate::http1::Next;
use crate::http1::fields::{self, Contradiction};
use crate::http1::framing::Framing;

/// The longest head that is understood; it is also what the engine accepts. The CLI sends credentials in headers.
pub(super) const LONGEST: usize = 1024 * 1024;
/// Header lines that are understood.
const LINES: usize = 128;

/// The head of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RequestHead {
    /// As it came, with the empty line at its end.
    pub(super) bytes: Bytes,
    pub(super) method: String,
    pub(super) target: String,
    pub(super) body: Framing,
    /// Whether the client waits to be told before it sends the body.
    pub(super) expects_continue: bool,
    /// Whether a web page sent it, or a name that leads here did: no client of Docker's does either.
    pub(super) is_from_browser: bool,
}

/// The head of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ResponseHead {
    /// As it came, with the empty line at its end.
    pub(super) bytes: Bytes,
    pub(super) status: u16,
    pub(super) body: Framing,
    /// Whether the engine will take another request on this connection.
    pub(super) persists: bool,
    /// Whether the body is as its type says, and not compressed.
    pub(super) plain: bool,
}

impl RequestHead {
    /// Takes the next head from the beginning of `buffer`.
    pub(super) fn take(buffer: &mut BytesMut) -> Next<Self> {
        // Empty lines before a request mean nothing (RFC 9112, section 2.2).
        let empty = buffer
            .iter()
            .take_while(|b| matches!(b, b'\r' | b'\n'))
            .count();
        buffer.advance(empty);
        let mut lines = [httparse::EMPTY_HEADER; LINES];
        let mut request = httparse::Request::new(&mut lines);
        let (length, mut head) = match request.parse(buffer) {
            Ok(Status::Complete(length)) => {
                let Ok(body) = framing(request.headers) else {
                    return Next::Opaque;
                };
                let head = Self {
                    bytes: Bytes::new(),
                    method: request.method.unwrap_or_default().to_owned(),
                    target: request.path.unwrap_or_default().to_owned(),
                    body: body.unwrap_or(Framing::EMPTY),
                    expects_continue: has(request.headers, "expect", "100-continue"),
                    is_from_browser: is_from_browser(request.headers),
                };
                (length, head)
            }
            Ok(Status::Partial) if buffer.len() < LONGEST => return Next::More,
            Ok(Status::Partial) | Err(_) => return Next::Opaque,
        };
        head.bytes = buffer.split_to(length).freeze();
        Next::Head(head)
    }

    /// The same head for a body of that length.
    pub(super) fn with_length(&self, length: usize) -> Bytes {
        resized(&self.bytes, length)
    }

    /// The same head for another target, and a body in chunks.
    pub(super) fn with_chunks(&self, target: &str) -> Bytes {
        let head = Self {
            bytes: self.with_target(target),
            ..self.clone()
        };
        reframed(&head.bytes, &[], "Transfer-Encoding: chunked")
    }

    /// Whether its client speaks HTTP/1.0, which has no chunks.
    pub(super) fn is_old(&self) -> bool {
        let line = self.bytes.split(|byte| *byte == b'\n').next();
        line.is_some_and(|line| line.trim_ascii_end().ends_with(b"HTTP/1.0"))
    }

    /// The same head for another target.
    pub(super) fn with_target(&self, target: &str) -> Bytes {
        let at = self.method.len() + 1;
        let (before, rest) = self.bytes.split_at(at);
        let after = rest.get(self.target.len()..).unwrap_or_default();
        [before, target.as_bytes(), after].concat().into()
    }
}

impl ResponseHead {
    /// Takes the next head, of an answer to a request by `method`, from the beginning of `buffer`.
    pub(super) fn take(buffer: &mut BytesMut, method: &str) -> Next<Self> {
        let mut lines = [httparse::EMPTY_HEADER; LINES];
        let mut response = httparse::Response::new(&mut lines);
        let (length, mut head) = match response.parse(buffer) {
            Ok(Status::Complete(length)) => {
                let status = response.code.unwrap_or_default();
                let Ok(announced) = framing(response.headers) else {
                    return Next::Opaque;
                };
                let bodiless = method == "HEAD" || matches!(status, 100..=199 | 204 | 304);
                let body = match announced {
                    _ if bodiless => Framing::EMPTY,
                    Some(body) => body,
                    None => Framing::UntilEnd,
                };
                let head = Self {
                    bytes: Bytes::new(),
                    status,
                    persists: body != Framing::UntilEnd
                        && response.version == Some(1)
                        && !has(response.headers, "connection", "close"),
                    plain: value(response.headers, "content-encoding").is_none(),
                    body,
                };
                (length, head)
            }
            Ok(Status::Partial) if buffer.len() < LONGEST => return Next::More,
            Ok(Status::Partial) | Err(_) => return Next::Opaque,
        };
        head.bytes = buffer.split_to(length).freeze();
        Next::Head(head)
    }

    /// The same head for a body of that length.
    pub(super) fn with_length(&self, length: usize) -> Bytes {
        resized(&self.bytes, length)
    }

    /// The same head with a line more.
    pub(super) fn with_line(&self, name: &str, value: &str) -> Bytes {
        let line = format!("{name}: {value}\r\n");
        let end = lines_end(&self.bytes);
        [&self.bytes[..end], line.as_bytes(), b"\r\n"]
            .concat()
            .into()
    }
}

/// As everybody reads them.
fn lines<'a>(
    headers: &'a [Header<'a>],
) -> impl Iterator<Item = (&'a str, &'a [u8])> + Clone + use<'a> {
    headers.iter().map(|header| (header.name, header.value))
}

/// How the headers tell the end of the body, if they do.
fn framing(headers: &[Header<'_>]) -> Result<Option<Framing>, Contradiction> {
    fields::announced(lines(headers))
}

fn value<'a>(headers: &[Header<'a>], name: &str) -> Option<&'a str> {
    let header = headers.iter().find(|h| h.name.eq_ignore_ascii_case(name))?;
    str::from_utf8(header.value).ok()
}

/// Headers that browsers send, and a `Host` that is no name of this machine's loopback.
fn is_from_browser(headers: &[Header<'_>]) -> bool {
    let by_page = headers.iter().any(|header| {
        let name = header.name.to_ascii_lowercase();
        name == "origin" || name.starts_with("sec-fetch-")
    });
    by_page || value(headers, "host").is_none_or(|host| !is_loopback(host.trim()))
}

fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.trim_matches(['[', ']']).parse::<IpAddr>();
    name.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

/// Whether a header that is a list has that item.
fn has(headers: &[Header<'_>], name: &str, item: &str) -> bool {
    fields::has(lines(headers), name, item)
}

/// Where the lines of a head end and the empty one begins.
fn lines_end(head: &[u8]) -> usize {
    let end = head.strip_suffix(b"\n").unwrap_or(head);
    end.strip_suffix(b"\r").unwrap_or(end).len()
}

/// A head with another length of its body, and no other framing.
fn resized(head: &[u8], length: usize) -> Bytes {
    // The body is here already: nobody is to be asked for it.
    reframed(head, b"expect", &format!("Content-Length: {length}"))
}

/// A head with that framing instead of its own, and without one more header.
fn reframed(head: &[u8], without: &[u8], framing: &str) -> Bytes {
    let mut reframed = Vec::with_capacity(head.len() + 32);
    for (at, line) in head[..lines_end(head)]
        .split_inclusive(|b| *b == b'\n')
        .enumerate()
    {
        let name = line.split(|b| *b == b':').next().unwrap_or_default();
        let others = [
            &b"content-length"[..],
            b"transfer-encoding",
            b"trailer",
            without,
        ];
        if at == 0 || !others.iter().any(|f| name.eq_ignore_ascii_case(f)) {
            reframed.extend_from_slice(line);
        }
    }
    reframed.extend_from_slice(format!("{framing}\r\n\r\n").as_bytes());
    reframed.into()
}
