//! What passes on a WebSocket: where each message begins in what is kept.

use std::time::Duration;

use crate::core::websocket::{Frames, Kind, Seen};
use crate::interceptor::bodies::Kept;

/// Messages of one side that are told apart. What follows is counted.
const MOST: usize = 1_000;

/// One side's.
#[derive(Debug, Default)]
pub(in crate::interceptor) struct Messages {
    frames: Frames,
    marks: Vec<Mark>,
    has_more: bool,
}

/// A message.
#[derive(Debug)]
pub(in crate::interceptor) struct Mark {
    /// When it came, since the request.
    pub(in crate::interceptor) at: Duration,
    pub(in crate::interceptor) kind: Kind,
    /// How much of it is kept, after what is of the ones before.
    pub(in crate::interceptor) kept: usize,
    pub(in crate::interceptor) size: u64,
}

impl Messages {
    /// Takes bytes that have passed, and keeps of them what belongs to messages.
    pub(super) fn push(&mut self, data: &[u8], at: Duration, body: &mut Kept) {
        let Self {
            frames,
            marks,
            has_more,
        } = self;
        frames.push(data, |seen| match seen {
            Seen::Begin(_) if marks.len() == MOST => *has_more = true,
            Seen::Begin(kind) => marks.push(Mark {
                at,
                kind,
                kept: 0,
                size: 0,
            }),
            Seen::Data(data) if *has_more => body.size += data.len() as u64,
            Seen::Data(data) => {
                let before = body.bytes().len();
                body.push(data);
                if let Some(mark) = marks.last_mut() {
                    mark.kept += body.bytes().len() - before;
                    mark.size += data.len() as u64;
                }
            }
        });
    }

    pub(in crate::interceptor) fn marks(&self) -> &[Mark] {
        &self.marks
    }

    /// Whether there were more than are told apart.
    pub(in crate::interceptor) fn has_more(&self) -> bool {
        self.has_more
    }
}
