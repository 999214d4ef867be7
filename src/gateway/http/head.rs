//! Heads of messages: what they say, and how they go on.
//!
//! What passes stays as it came, in its order and its letters; but for what is about one connection.

mod answer;
mod request;

pub(super) use answer::{Answer, Passage, Recipient};
pub(super) use request::Request;

use bytes::Bytes;
use hyper::header::{CONTENT_LENGTH, TRAILER, TRANSFER_ENCODING};

use crate::http1::fields::items;
use crate::proxy::conversation::BUFFER;
use crate::proxy::headers::passes;

/// The longest head. Servers take far smaller ones.
const LONGEST: usize = BUFFER;
/// Header lines at most.
const LINES: usize = 128;

/// Header lines, as they came.
#[derive(Clone, Debug)]
struct Lines(Bytes);

impl Lines {
    /// Those of a head that has been parsed, without its first line.
    fn of(head: &Bytes) -> Self {
        let first = head.iter().position(|byte| *byte == b'\n');
        Self(head.slice(first.map_or(head.len(), |at| at + 1)..))
    }

    /// Names and values, in order.
    fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> + Clone {
        self.0.split(|byte| *byte == b'\n').filter_map(|line| {
            let colon = line.iter().position(|byte| *byte == b':')?;
            let name = str::from_utf8(&line[..colon]).ok()?;
            Some((name, line[colon + 1..].trim_ascii()))
        })
    }

    fn value(&self, name: &str) -> Option<&[u8]> {
        let mut named = self.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name));
        named.next().map(|(_, value)| value)
    }

    fn says(&self, name: &str, item: &str) -> bool {
        crate::http1::fields::has(self.iter(), name, item)
    }

    /// The protocol that a message wants to switch to, if it does.
    fn upgrade(&self) -> Option<&[u8]> {
        self.value("upgrade")
            .filter(|_| self.says("connection", "upgrade"))
    }
}

/// What of the framing of a body goes on with its head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framed {
    AsItCame,
    /// Not a length beside a transfer coding (RFC 9112, section 6.3).
    ByCoding,
    /// Nothing of it.
    Anew,
}

impl Framed {
    fn keeps(self, name: &str) -> bool {
        let is = |header: &hyper::header::HeaderName| header.as_str().eq_ignore_ascii_case(name);
        match self {
            Self::AsItCame => true,
            Self::ByCoding => !is(&CONTENT_LENGTH),
            Self::Anew => !is(&CONTENT_LENGTH) && !is(&TRANSFER_ENCODING) && !is(&TRAILER),
        }
    }
}

/// A head with that first line, the lines that pass, and `added`.
fn encoded(first: &str, lines: &Lines, framed: Framed, added: &[(&str, &[u8])]) -> Bytes {
    let named: Vec<&str> = items(lines.iter(), "connection").collect();
    let kept = lines
        .iter()
        .filter(|(name, _)| passes(name, &named) && framed.keeps(name));
    let mut head = Vec::with_capacity(lines.0.len() + first.len() + 64);
    head.extend_from_slice(first.as_bytes());
    head.extend_from_slice(b"\r\n");
    for (name, value) in kept.chain(added.iter().copied()) {
        for piece in [name.as_bytes(), b": ", value, b"\r\n"] {
            head.extend_from_slice(piece);
        }
    }
    head.extend_from_slice(b"\r\n");
    head.into()
}
