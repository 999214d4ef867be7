//! Answers.

use bytes::{Bytes, BytesMut};
use httparse::Status;
use hyper::Method;

use super::{Framed, LINES, LONGEST, Lines, encoded};
use crate::gateway::error::{Error, Kind};
use crate::http1::Next;
use crate::http1::fields::{announced, has};
use crate::http1::framing::Framing;

/// The head of an answer.
#[derive(Debug)]
pub(in crate::gateway::http) struct Answer {
    pub(in crate::gateway::http) status: u16,
    reason: String,
    pub(in crate::gateway::http) body: Framing,
    /// Whether who sent it will take another request on this connection.
    pub(in crate::gateway::http) persists: bool,
    /// Whether its headers speak of chunks.
    chunked: bool,
    lines: Lines,
}

/// As what a client gets an answer.
#[derive(Clone, Copy, Debug)]
pub(in crate::gateway::http) struct Recipient {
    /// Whether it speaks HTTP/1.0, in which there are no chunks.
    pub(in crate::gateway::http) is_old: bool,
    /// Whether it wants to go on afterwards, and may.
    pub(in crate::gateway::http) persists: bool,
}

impl Recipient {
    pub(in crate::gateway::http) fn version(self) -> &'static str {
        if self.is_old { "HTTP/1.0" } else { "HTTP/1.1" }
    }
}

impl Answer {
    /// Takes the next head, of an answer to a request by `method`, from the beginning of `buffer`.
    pub(in crate::gateway::http) fn take(
        buffer: &mut BytesMut,
        method: &Method,
    ) -> Next<Result<Self, Error>> {
        let mut headers = [httparse::EMPTY_HEADER; LINES];
        let mut answer = httparse::Response::new(&mut headers);
        let (length, taken) = match answer.parse(buffer) {
            Ok(Status::Complete(length)) if length <= LONGEST => {
                (length, Self::of(&answer, method))
            }
            Ok(Status::Partial) if buffer.len() < LONGEST => return Next::More,
            Ok(_) => return Next::Head(Err(broken("its headers are too long"))),
            Err(error) => return Next::Head(Err(broken(&error.to_string()))),
        };
        let head = buffer.split_to(length).freeze();
        Next::Head(taken.map(|taken| Self {
            lines: Lines::of(&head),
            ..taken
        }))
    }

    fn of(answer: &httparse::Response<'_, '_>, method: &Method) -> Result<Self, Error> {
        let fields = answer.headers.iter().map(|h| (h.name, h.value));
        let status = answer.code.unwrap_or_default();
        let announced = announced(fields.clone()).map_err(|error| broken(&error.to_string()))?;
        let connects = method == Method::CONNECT && (200..300).contains(&status);
        let bodiless = method == Method::HEAD || matches!(status, 100..=199 | 204 | 304);
        let body = match &announced {
            _ if bodiless || connects => Framing::EMPTY,
            Some(body) => body.clone(),
            None => Framing::UntilEnd,
        };
        Ok(Self {
            status,
            reason: answer.reason.unwrap_or_default().to_owned(),
            persists: body != Framing::UntilEnd
                && answer.version == Some(1)
                && !has(fields, "connection", "close"),
            body,
            chunked: matches!(announced, Some(Framing::Chunked(_))),
            lines: Lines(Bytes::new()),
        })
    }

    /// Whether it only comes before the answer itself.
    pub(in crate::gateway::http) fn is_provisional(&self) -> bool {
        (100..200).contains(&self.status) && !self.switches()
    }

    /// Whether the connection becomes another one with it.
    pub(in crate::gateway::http) fn switches(&self) -> bool {
        self.status == 101
    }

    /// Whether it says to what.
    pub(in crate::gateway::http) fn names_protocol(&self) -> bool {
        self.lines.upgrade().is_some()
    }

    /// Whether its body ends with the client's connection.
    pub(in crate::gateway::http) fn ends_with_connection(&self, client: Recipient) -> bool {
        self.body == Framing::UntilEnd || self.is_unpacked_for(client)
    }

    /// Whether the client gets what the chunks carry.
    pub(in crate::gateway::http) fn is_unpacked_for(&self, client: Recipient) -> bool {
        client.is_old && matches!(self.body, Framing::Chunked(_))
    }

    /// As the client gets it.
    pub(in crate::gateway::http) fn to_client(&self, client: Recipient) -> Bytes {
        let framed = match (self.chunked, client.is_old) {
            (true, true) => Framed::ByEnd,
            (true, false) => Framed::ByChunks,
            (false, _) => Framed::AsItCame,
        };
        let mut added: Vec<(&str, &[u8])> = Vec::new();
        let persists = client.persists && !self.ends_with_connection(client);
        if self.switches() {
            added.push(("Connection", b"Upgrade"));
            let protocol = self.lines.upgrade();
            added.extend(protocol.map(|protocol| ("Upgrade", protocol)));
        } else if !self.is_provisional() && !persists {
            added.push(("Connection", b"close"));
        } else if client.is_old {
            added.push(("Connection", b"keep-alive"));
        }
        // Ours, whatever the origin speaks.
        let first = format!("{} {} {}", client.version(), self.status, self.reason);
        encoded(&first, &self.lines, framed, &added)
    }
}

fn broken(why: &str) -> Error {
    Error::new(Kind::Broken, format!("its answer is not understood: {why}"))
}
