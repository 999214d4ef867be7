//! What a client says first on a connection that it asked for: TLS, HTTP, or something else.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::DEADLINES;
use super::hello::HANDSHAKE;
use crate::doorway::Opened;

/// The longest first line that is waited for. Most servers take a quarter of it.
const LINE: usize = 32 * 1024;
/// The longest method in use is `UPDATEREDIRECTREF` (RFC 4437).
const METHOD: usize = 17;
/// For the rest of a line: who speaks HTTP sends it at once.
const REST: Duration = Duration::from_secs(1);
/// How HTTP/2 begins that was not asked for by TLS (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The length of a frame's head in HTTP/2, and the type of the one with settings (RFC 9113, sections 4.1 and 6.5).
const FRAME_HEAD: usize = 9;
const SETTINGS: u8 = 4;

/// What is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opening {
    Tls,
    Http1,
    Http2,
    Other,
}

/// Waits for either side to say something, and for no more of it than tells what it is. Answers all that was read as well,
/// beginning with what was read before.
pub(super) async fn read(
    stream: &mut TcpStream,
    early: Bytes,
    opened: &Opened,
) -> (Opening, Bytes) {
    let mut read = BytesMut::from(&early[..]);
    let mut server = Server::from(&*opened.early);
    loop {
        let judged = judge(&read);
        let passes = (server == Server::Speaks).then_some(Opening::Other);
        if let Some(opening) = judged.or(passes) {
            return (opening, read.freeze());
        }
        let is_begun = !read.is_empty() || server == Server::Begins;
        let patience = if is_begun { REST } else { DEADLINES.first_byte };
        let mut head = [0; FRAME_HEAD];
        let more = async {
            tokio::select! {
                more = stream.read_buf(&mut read) => matches!(more, Ok(1..)),
                spoken = opened.stream.peek(&mut head), if server == Server::Waits => {
                    server = spoken.map_or(Server::Speaks, |length| Server::from(&head[..length]));
                    server == Server::Begins
                }
            }
        };
        if !matches!(timeout(patience, more).await, Ok(true)) {
            return (Opening::Other, read.freeze());
        }
    }
}

/// What the server has said before its client did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Server {
    Waits,
    /// The settings with which servers of HTTP/2 begin, often before they have heard anything (RFC 9113, section 3.4).
    Begins,
    /// Something else: whoever speaks first speaks no HTTP.
    Speaks,
}

impl From<&[u8]> for Server {
    fn from(said: &[u8]) -> Self {
        match said {
            [] => Self::Waits,
            [0, _, _, SETTINGS, 0, 0, 0, 0, 0, ..] => Self::Begins,
            _ => Self::Speaks,
        }
    }
}

/// Judges what a client has said so far; nothing while that may yet become a request.
fn judge(said: &[u8]) -> Option<Opening> {
    if said.first() == Some(&HANDSHAKE) {
        return Some(Opening::Tls);
    }
    if said.starts_with(PREFACE) {
        return Some(Opening::Http2);
    }
    if PREFACE.starts_with(said) {
        return None;
    }
    let end = said.iter().position(|byte| *byte == b'\n');
    let line = &said[..end.unwrap_or(said.len())];
    if !may_begin(line) || said.len() >= LINE {
        return Some(Opening::Other);
    }
    end?;
    Some(if is_whole(line) {
        Opening::Http1
    } else {
        Opening::Other
    })
}

/// Whether it may be where a request begins that asks a server. One in absolute form asks a proxy behind ours, which has to
/// get it as it is.
fn may_begin(line: &[u8]) -> bool {
    let mut parts = line.splitn(2, |byte| *byte == b' ');
    let method = parts.next().unwrap_or_default();
    let is_method = |byte: &u8| byte.is_ascii_uppercase() || *byte == b'-';
    let target = parts.next();
    method.len() <= METHOD
        && method.iter().all(is_method)
        && target.is_none_or(|target| {
            !method.is_empty() && matches!(target.first(), None | Some(b'/' | b'*'))
        })
}

/// Whether a line that begins as a request does ends as one too (RFC 9112, section 3).
fn is_whole(line: &[u8]) -> bool {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let end = line.len().saturating_sub(9);
    matches!(&line[end..], b" HTTP/1.0" | b" HTTP/1.1")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(said: &[u8], expected: Option<Opening>) {
        assert_eq!(judge(said), expected, "{}", String::from_utf8_lossy(said));
    }

    #[test]
    fn requests_are_told_from_what_is_none() {
        for whole in [
            "GET / HTTP/1.1\r\n",
            "GET /a b HTTP/1.0\n",
            "M-SEARCH * HTTP/1.1\r\nHost: x\r\n",
        ] {
            let end = whole.find('\n').unwrap();
            for length in 0..=end {
                check(&whole.as_bytes()[..length], None);
            }
            check(whole.as_bytes(), Some(Opening::Http1));
        }
        for length in 0..PREFACE.len() {
            check(&PREFACE[..length], None);
        }
        check(PREFACE, Some(Opening::Http2));
        check(&[HANDSHAKE], Some(Opening::Tls));
        for other in [
            &b"\0\0\0\x08\x04\xd2\x16\x2f"[..],
            b"A\0\0\0",
            b"PING\r\n",
            b"EHLO x\r\n",
            b"SSH-2.0-x\r\n",
            b"*1\r\n$4\r\n",
            b" /",
            b"get /",
            b"GET http://x/",
            b"CONNECT db:5432",
            b"OPTIONS rtsp://x",
            b"GET / HTTP/2.0\r\n",
            b"GET /\r\n",
            b"PRI * HTTP/2.0\r\n\r\nXX",
            b"ABCDEFGHIJKLMNOPQR",
        ] {
            check(other, Some(Opening::Other));
        }
        assert_eq!(Server::from(&[][..]), Server::Waits);
        let settings = [0, 0, 6, 4, 0, 0, 0, 0, 0, 0];
        assert_eq!(Server::from(&settings[..]), Server::Begins);
        // A greeting of MySQL's.
        let greeting = [0x4a, 0, 0, 0, 0x0a, b'8', b'.', b'0', b'.'];
        assert_eq!(Server::from(&greeting[..]), Server::Speaks);
        assert_eq!(Server::from(&b"220 ready\r\n"[..]), Server::Speaks);
        let mut long = b"GET /".to_vec();
        long.resize(LINE - 1, b'a');
        check(&long, None);
        long.push(b'a');
        check(&long, Some(Opening::Other));
    }
}
