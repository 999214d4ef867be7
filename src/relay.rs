//! Carries bytes between two streams until both directions have ended.
//!
//! An idle relay holds no buffer: bytes are read into one that the whole thread shares, and only what the other side
//! does not take at once is copied into memory of the relay's own, at most [`MOST`] bytes a direction.

#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::metered::Metered;

/// The most that is read at a time, and so the most that a direction ever holds back. Beyond it a system call more costs
/// next to nothing beside the copying.
const MOST: usize = 256 * 1024;
/// What is read at a time before a receiver has shown that it takes more, and after it has not.
const LEAST: usize = 32 * 1024;

/// Steps in a row before other connections get their turn: at most two megabytes, about a millisecond of copying.
const TURN: usize = 8;

thread_local! {
    /// Scratch space: nothing stays in it from one read to the next. The kernel gives memory only for what was ever used.
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; MOST].into_boxed_slice());
}

/// A stream, with what was read from it before the relay began.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) stream: Metered,
    pub(crate) early: Bytes,
}

/// Relays between two connections to the end. Unless both directions end by themselves, both connections are reset,
/// even if the relay is dropped: what was cut off must not look complete.
pub(crate) async fn relay(client: End, target: End) -> io::Result<()> {
    let mut pair = Pair {
        client: client.stream,
        target: target.stream,
        complete: false,
    };
    carry(
        &mut pair.client,
        &mut pair.target,
        client.early,
        target.early,
    )
    .await?;
    pair.complete = true;
    Ok(())
}

struct Pair {
    client: Metered,
    target: Metered,
    complete: bool,
}

impl Drop for Pair {
    fn drop(&mut self) {
        if !self.complete {
            // Fails only on a socket that is dead already.
            let _ = self.client.set_zero_linger();
            let _ = self.target.set_zero_linger();
        }
    }
}

/// Carries bytes both ways, beginning with those that were read before: `up` from the client, `down` from the target.
///
/// The end of one direction is passed on as a half-close, and the other goes on; the end of the other is left to the
/// caller, who closes both. An error means that one of the streams is dead; what it had sent before has been delivered.
pub(crate) async fn carry<C, T>(
    client: &mut C,
    target: &mut T,
    up: Bytes,
    down: Bytes,
) -> io::Result<()>
where
    C: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    let mut up = Direction::new(up);
    let mut down = Direction::new(down);
    poll_fn(|cx| {
        let sent = up.poll(cx, client, target, &down)?;
        let received = down.poll(cx, target, client, &up)?;
        if sent.is_pending() || received.is_pending() {
            return Poll::Pending;
        }
        Poll::Ready(up.result().and(down.result()))
    })
    .await
}

struct Direction {
    /// What was read and not yet written; without memory while the receiver keeps up.
    pending: Bytes,
    /// How much is read next.
    reach: usize,
    stage: Stage,
}

enum Stage {
    /// Bytes flow, or may.
    Open,
    /// The sender has ended; the receiver has yet to be told.
    Ending,
    /// Nothing more will be written.
    Ended(io::Result<()>),
}

impl Direction {
    fn new(pending: Bytes) -> Self {
        Self {
            pending,
            reach: LEAST,
            stage: Stage::Open,
        }
    }

    /// Moves what can be moved now. Ready means ended; an error means that `from` is dead, and the relay with it.
    fn poll<R, W>(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut R,
        to: &mut W,
        other: &Self,
    ) -> Poll<io::Result<()>>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        for _ in 0..TURN {
            match self.stage {
                Stage::Open if self.pending.has_remaining() => ready!(self.poll_flush(cx, to)),
                Stage::Open => ready!(self.poll_forward(cx, from, to))?,
                // Closing tells the receiver as well, and it comes at once.
                Stage::Ending if matches!(other.stage, Stage::Ended(Ok(()))) => {
                    self.stage = Stage::Ended(Ok(()));
                }
                Stage::Ending => {
                    let told = ready!(Pin::new(&mut *to).poll_shutdown(cx));
                    self.stage = Stage::Ended(told);
                }
                Stage::Ended(_) => return Poll::Ready(Ok(())),
            }
        }
        // Waking the waker itself would put this task before every socket that became ready meanwhile; tokio's own
        // yield looks at those first.
        let _ = pin!(tokio::task::yield_now()).poll(cx);
        Poll::Pending
    }

    /// Reads once and writes what was read.
    fn poll_forward<R, W>(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut R,
        to: &mut W,
    ) -> Poll<io::Result<()>>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        SCRATCH.with_borrow_mut(|scratch| {
            let mut buffer = ReadBuf::new(&mut scratch[..self.reach]);
            ready!(Pin::new(from).poll_read(cx, &mut buffer))?;
            let chunk = buffer.filled();
            if chunk.is_empty() {
                self.stage = Stage::Ending;
                return Poll::Ready(Ok(()));
            }
            let written = match Pin::new(to).poll_write(cx, chunk) {
                Poll::Ready(Ok(written)) => written,
                Poll::Pending => 0,
                Poll::Ready(Err(error)) => {
                    self.stage = Stage::Ended(Err(error));
                    return Poll::Ready(Ok(()));
                }
            };
            if written < chunk.len() {
                self.pending = Bytes::copy_from_slice(&chunk[written..]);
                self.reach = LEAST;
            } else if written == self.reach {
                self.reach = MOST.min(self.reach * 2);
            }
            Poll::Ready(Ok(()))
        })
    }

    /// Writes from what was held back, and gives its memory back when all is written.
    fn poll_flush<W>(&mut self, cx: &mut Context<'_>, to: &mut W) -> Poll<()>
    where
        W: AsyncWrite + Unpin,
    {
        match ready!(Pin::new(to).poll_write(cx, &self.pending)) {
            Ok(0) => self.stage = Stage::Ended(Err(io::ErrorKind::WriteZero.into())),
            Ok(written) => self.pending.advance(written),
            // What the dead receiver had sent is still read by the other direction, which ends soon.
            Err(error) => self.stage = Stage::Ended(Err(error)),
        }
        if !self.pending.has_remaining() {
            self.pending = Bytes::new();
        }
        Poll::Ready(())
    }

    /// How an ended direction has ended; taken once.
    fn result(&mut self) -> io::Result<()> {
        match std::mem::replace(&mut self.stage, Stage::Ended(Ok(()))) {
            Stage::Ended(result) => result,
            Stage::Open | Stage::Ending => Ok(()),
        }
    }
}
