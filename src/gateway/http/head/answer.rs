//! Answers.

use bytes::{Buf as _, Bytes, BytesMut};
use httparse::Status;
use hyper::Method;

use super::{Framed, LINES, LONGEST, Lines, encoded};
use crate::gateway::error::{Error, Kind};
use crate::http1::Next;
use crate::http1::fields::{announced, has, values};
use crate::http1::framing::Framing;

/// The head of an answer.
#[derive(Debug)]
pub(in crate::gateway::http) struct Answer {
    pub(in crate::gateway::http) status: u16,
    reason: String,
    pub(in crate::gateway::http) body: Framing,
    /// Whether who sent it will take another request on this connection.
    pub(in crate::gateway::http) persists: bool,
    /// Whether its headers tell of a transfer coding, beside which no length counts.
    coded: bool,
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

/// How the end of an answer's body is told to its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::gateway::http) enum Passage {
    AsItCame,
    /// What the chunks carry, to a client that knows none, until the end of its connection.
    Unpacked,
    /// In chunks, what came until the end of a connection: a client is to see whether it was cut off.
    Packed,
    /// As it came, until the end of the client's connection.
    UntilEnd,
}

impl Passage {
    pub(in crate::gateway::http) fn ends_connection(self) -> bool {
        matches!(self, Self::Unpacked | Self::UntilEnd)
    }
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
        let is_empty = |byte: &&u8| matches!(**byte, b'\r' | b'\n');
        let empty = buffer.iter().take_while(is_empty).count();
        buffer.advance(empty);
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
        if !(100..1000).contains(&status) {
            return Err(broken("its status is none"));
        }
        let announced = announced(fields.clone()).map_err(|error| broken(&error.to_string()))?;
        let connects = method == Method::CONNECT && (200..300).contains(&status);
        let bodiless = method == Method::HEAD || matches!(status, 100..=199 | 204 | 304);
        let body = match &announced {
            _ if bodiless || connects => Framing::EMPTY,
            Some(body) => body.clone(),
            None => Framing::UntilEnd,
        };
        let coded = values(fields.clone(), "transfer-encoding").next().is_some();
        Ok(Self {
            status,
            reason: answer.reason.unwrap_or_default().to_owned(),
            persists: body != Framing::UntilEnd
                && answer.version == Some(1)
                && !has(fields, "connection", "close"),
            body,
            coded,
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

    /// How the client hears of the body's end.
    pub(in crate::gateway::http) fn passage(&self, recipient: Recipient) -> Passage {
        match &self.body {
            Framing::Chunked(_) if recipient.is_old => Passage::Unpacked,
            Framing::UntilEnd if !recipient.is_old && !self.coded => Passage::Packed,
            Framing::UntilEnd => Passage::UntilEnd,
            Framing::Chunked(_) | Framing::Length(_) => Passage::AsItCame,
        }
    }

    /// As the client gets it.
    pub(in crate::gateway::http) fn to_client(&self, recipient: Recipient) -> Bytes {
        let passage = self.passage(recipient);
        let framed = match passage {
            Passage::Unpacked | Passage::Packed => Framed::Anew,
            Passage::AsItCame | Passage::UntilEnd if self.coded => Framed::ByCoding,
            Passage::AsItCame | Passage::UntilEnd => Framed::AsItCame,
        };
        let mut added: Vec<(&str, &[u8])> = Vec::new();
        if passage == Passage::Packed {
            added.push(("Transfer-Encoding", b"chunked"));
        }
        let persists = recipient.persists && !passage.ends_connection();
        if self.switches() {
            added.push(("Connection", b"Upgrade"));
            let protocol = self.lines.upgrade();
            added.extend(protocol.map(|protocol| ("Upgrade", protocol)));
        } else if !self.is_provisional() && !persists {
            added.push(("Connection", b"close"));
        } else if recipient.is_old {
            added.push(("Connection", b"keep-alive"));
        }
        // Ours, whatever the origin speaks.
        let first = format!("{} {} {}", recipient.version(), self.status, self.reason);
        encoded(&first, &self.lines, framed, &added)
    }
}

fn broken(why: &str) -> Error {
    Error::new(Kind::Broken, format!("its answer is not understood: {why}"))
}
