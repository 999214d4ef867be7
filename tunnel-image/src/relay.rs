//! Carries bytes between two streams until both directions have ended.
//!
//! An idle relay holds no buffer: bytes are read into one buffer that the whole thread shares, and only what the other side
//! does not take at once is copied into memory of the relay's own, at most [`MOST`] bytes a direction. Opening and tuning the
//! streams is left to the caller.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// The most that is read at a time, and so the most that a direction ever holds back. Beyond it a system call more costs
/// next to nothing beside the copying.
const MOST: usize = 256 * 1024;
/// What is read at a time before a receiver has shown that it takes more, and after it has not.
const LEAST: usize = 32 * 1024;

/// Steps in a row before other connections get their turn: at most two megabytes, about a millisecond of copying.
const TURN: usize = 8;

thread_local! {
    static SHARED: RefCell<Box<[u8]>> = RefCell::new(vec![0; MOST].into_boxed_slice());
}

/// Relays between two connections, then closes them; `up` and `down` is what was read of client and target before. Unless both directions ended by themselves, and also when this future is
/// dropped, both peers see a reset: a connection that was cut off must not look like one that is complete.
pub(crate) async fn tunnel(client: TcpStream, target: TcpStream, up: Vec<u8>, down: Vec<u8>) {
    let mut ends = Ends {
        client,
        target,
        complete: false,
    };
    let relayed = relay(&mut ends.client, &mut ends.target, up, down).await;
    ends.complete = relayed.is_ok();
}

/// The connections of a tunnel.
struct Ends {
    client: TcpStream,
    target: TcpStream,
    complete: bool,
}

impl Drop for Ends {
    fn drop(&mut self) {
        if !self.complete {
            let _ = self.client.set_zero_linger();
            let _ = self.target.set_zero_linger();
        }
    }
}

/// Relays between `client` and `target`; `up` is what the client sent before the target was there, `down` the opposite.
///
/// The end of one direction is passed on as a half-close and the other goes on; the end of the other is left to the caller,
/// who closes both. An error means that one of the streams is dead: what it had sent before is still delivered, then the
/// relay ends with that error.
async fn relay<C, T>(client: &mut C, target: &mut T, up: Vec<u8>, down: Vec<u8>) -> io::Result<()>
where
    C: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    let mut up = Direction::starting_with(up);
    let mut down = Direction::starting_with(down);
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

/// One direction of a relay.
struct Direction {
    /// What was read and not yet written; without memory while the receiver keeps up.
    pending: Vec<u8>,
    /// How much of `pending` has been written.
    written: usize,
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
    fn starting_with(pending: Vec<u8>) -> Self {
        Self {
            pending,
            written: 0,
            reach: LEAST,
            stage: Stage::Open,
        }
    }

    /// Moves what can be moved now. Ready means ended; an error means that `from` is dead and the relay with it.
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
                Stage::Open if !self.pending.is_empty() => ready!(self.poll_flush(cx, to)),
                Stage::Open => ready!(self.poll_forward(cx, from, to))?,
                // Closing tells the receiver as well, and it comes at once: a call less for every connection.
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
        // Waking the waker itself would put this task before every socket that has become ready meanwhile; tokio's own
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
        SHARED.with_borrow_mut(|shared| {
            let mut buffer = ReadBuf::new(&mut shared[..self.reach]);
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
                self.pending = chunk[written..].to_vec();
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
        match ready!(Pin::new(to).poll_write(cx, &self.pending[self.written..])) {
            Ok(0) => self.stage = Stage::Ended(Err(io::ErrorKind::WriteZero.into())),
            Ok(written) => self.written += written,
            // Reading what the dead receiver had sent goes on in the other direction, and ends soon.
            Err(error) => self.stage = Stage::Ended(Err(error)),
        }
        if self.written == self.pending.len() {
            self.pending = Vec::new();
            self.written = 0;
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

#[cfg(test)]
mod tests;
