//! What passed on a WebSocket, in the form that browsers write (`_webSocketMessages`).

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use flate2::{Decompress, FlushDecompress};
use serde_json::{Value, json};

use super::coding::MOST;
use crate::interceptor::records::{Half, Mark, Messages, Record, seconds};

/// What a sender leaves out at the end of each compressed message (RFC 7692, section 7.2.1).
const LEFT_OUT: [u8; 4] = [0, 0, 0xFF, 0xFF];
/// Made of compressed ones at a time.
const STEP: usize = 16 * 1024;

/// The messages of both sides as they came, if that was a WebSocket.
pub(super) fn messages(record: &Record) -> Option<Vec<Value>> {
    let sent = of(&record.request, record, "send")?;
    let received = of(&record.response, record, "receive")?;
    let mut all: Vec<_> = sent.into_iter().chain(received).collect();
    // Those of one side stay in their order.
    all.sort_by_key(|(mark, _)| mark.at);
    Some(all.into_iter().map(|(_, message)| message).collect())
}

/// Whether something of what one side said is left out.
pub(super) fn is_cut(half: &Half) -> bool {
    let more = half.messages.as_ref().is_some_and(Messages::has_more);
    more || !half.body.is_whole()
}

fn of<'a>(half: &'a Half, record: &Record, side: &str) -> Option<Vec<(&'a Mark, Value)>> {
    let mut rest = half.body.bytes();
    let mut inflate = Inflate::default();
    let value = |mark: &'a Mark| {
        let (data, more) = rest.split_at(mark.kept.min(rest.len()));
        rest = more;
        let is_whole = mark.kept as u64 == mark.size;
        let plain = if mark.kind.is_compressed {
            inflate.message(data, is_whole)
        } else {
            Some(data.to_vec())
        };
        let mut message = json!({
            "type": side,
            "time": seconds(record.began + mark.at),
            "opcode": if mark.kind.is_text { 1 } else { 2 },
        });
        if plain.is_none() {
            message["_compressed"] = true.into();
        }
        if !is_whole {
            message["_size"] = mark.size.into();
        }
        let plain = plain.unwrap_or_else(|| data.to_vec());
        let text = Some(&plain).filter(|_| mark.kind.is_text);
        let text = text.and_then(|plain| std::str::from_utf8(plain).ok());
        message["data"] = match text {
            Some(text) => text.into(),
            None => BASE64_STANDARD.encode(&plain).into(),
        };
        (mark, message)
    };
    Some(half.messages.as_ref()?.marks().iter().map(value).collect())
}

/// What one side has compressed: each message may refer to those before it.
struct Inflate {
    state: Decompress,
    /// What may still be made.
    room: usize,
    /// Something was missing: what follows cannot be understood.
    is_lost: bool,
}

impl Default for Inflate {
    fn default() -> Self {
        Self {
            state: Decompress::new(false),
            room: MOST,
            is_lost: false,
        }
    }
}

impl Inflate {
    fn message(&mut self, data: &[u8], is_whole: bool) -> Option<Vec<u8>> {
        let mut plain = Vec::new();
        for mut piece in [data, &LEFT_OUT] {
            while !piece.is_empty() && !self.is_lost {
                piece = self.step(piece, &mut plain);
            }
        }
        let is_known = !self.is_lost;
        self.is_lost |= !is_whole;
        is_known.then_some(plain)
    }

    /// What is left of `piece`.
    fn step<'a>(&mut self, piece: &'a [u8], plain: &mut Vec<u8>) -> &'a [u8] {
        plain.reserve(STEP);
        let (before, made) = (self.state.total_in(), plain.len());
        let done = self
            .state
            .decompress_vec(piece, plain, FlushDecompress::Sync);
        let taken = usize::try_from(self.state.total_in() - before).unwrap_or(piece.len());
        let made = plain.len() - made;
        // No step is one in vain twice: either something is taken, or something is made.
        self.is_lost = done.is_err() || made > self.room || (taken == 0 && made == 0);
        self.room = self.room.saturating_sub(made);
        &piece[taken..]
    }
}
