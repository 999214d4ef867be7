//! Bodies on their way: streamed on as they come, measured, and kept within bounds where somebody wants to read them later.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body_util::{Either, Empty, Full};
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};

use super::records::{Open, Side};
use crate::proxy::half_close::Due;

/// What an answer carries: the origin's own body, or a text of ours.
pub(super) type Body = Either<Tap, Full<Bytes>>;

/// What a request carries on to the origin. Nothing only for one that is sent a second time.
pub(super) type Sent = Either<Tap, Empty<Bytes>>;

/// A body that passes, and the exchange that it is a part of.
pub(super) struct Tap {
    pub(super) body: Incoming,
    pub(super) of: Arc<Open>,
    pub(super) side: Side,
    /// The answer that it asks for, or is.
    pub(super) due: Arc<Due>,
}

impl HttpBody for Tap {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    self.of.passes(self.side, data);
                }
            }
            Some(Err(error)) => self.of.broke(self.side, error),
            None => {}
        }
        let is_whole = frame.is_none() || self.is_end_stream();
        if is_whole && matches!(self.side, Side::Request) {
            self.due.begin();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The most that is kept of one body.
const MOST: usize = 1024 * 1024;
/// The most that is kept of all bodies that have yet to be written down.
const MOST_OF_ALL: usize = 256 * 1024 * 1024;

/// How much of all bodies is kept at the moment.
#[derive(Clone, Debug, Default)]
pub(super) struct Budget(Arc<AtomicUsize>);

/// What is kept of a body.
#[derive(Default)]
pub(super) struct Kept {
    /// How long the body was.
    pub(super) size: u64,
    bytes: Vec<u8>,
    /// Nothing if bodies are not kept.
    budget: Option<Budget>,
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept")
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

impl Kept {
    pub(super) fn within(budget: Option<Budget>) -> Self {
        Self {
            size: 0,
            bytes: Vec::new(),
            budget,
        }
    }

    pub(super) fn push(&mut self, data: &[u8]) {
        let is_whole = self.is_whole();
        self.size += data.len() as u64;
        let Some(Budget(used)) = self.budget.as_ref().filter(|_| is_whole) else {
            return;
        };
        let room = MOST - self.bytes.len().min(MOST);
        let before = used.load(Ordering::Relaxed);
        let room = room.min(MOST_OF_ALL.saturating_sub(before));
        let piece = &data[..data.len().min(room)];
        used.fetch_add(piece.len(), Ordering::Relaxed);
        self.bytes.extend_from_slice(piece);
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether nothing of it was left out.
    pub(super) fn is_whole(&self) -> bool {
        self.bytes.len() as u64 == self.size
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if let Some(Budget(used)) = &self.budget {
            used.fetch_sub(self.bytes.len(), Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_has_an_end_and_is_given_back() {
        let budget = Budget::default();
        let mut kept = Kept::within(Some(budget.clone()));
        kept.push(b"abc");
        assert!(kept.is_whole());
        kept.push(&vec![0; 2 * MOST]);
        kept.push(b"after the gap");
        assert_eq!(kept.bytes().len(), MOST);
        assert_eq!(kept.size, 3 + 2 * MOST as u64 + 13);
        assert!(!kept.is_whole());
        let mut many: Vec<_> = (0..300)
            .map(|_| Kept::within(Some(budget.clone())))
            .collect();
        for kept in &mut many {
            kept.push(&vec![0; MOST]);
        }
        assert_eq!(budget.0.load(Ordering::Relaxed), MOST_OF_ALL);
        drop((kept, many));
        assert_eq!(budget.0.load(Ordering::Relaxed), 0);
        let mut counted = Kept::within(None);
        counted.push(b"abc");
        assert_eq!((counted.size, counted.bytes().len()), (3, 0));
    }
}
