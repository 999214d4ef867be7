//! Carries bytes between two streams until both directions have ended: for dockline and for its tunnel.
//!
//! An idle relay holds no buffer: bytes are read into one that the whole thread shares, and only what the other side
//! does not take at once is copied into memory of the relay's own, at most [`MOST`] bytes a direction. Opening and tuning
//! the streams is left to the caller.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// The most that is read at a time, and so the most that a direction ever holds back. Beyond it a system call more costs
/// next to nothing beside the copying.
pub(super) const MOST: usize = 256 * 1024;
/// What is read at a time before a receiver has shown that it takes more, and after it has not.
pub(super) const LEAST: usize = 32 * 1024;

/// Steps in a row before other connections get their turn: at most two megabytes, about a millisecond of copying.
pub(super) const TURN: usize = 8;

/// How long what a dead stream had sent may take to arrive. Whoever does not read it must not keep the connection.
pub(super) const LAST_WORDS: Duration = Duration::from_secs(10);

thread_local! {
    /// Scratch space: nothing stays in it from one read to the next. The kernel gives memory only for what was ever used.
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; MOST].into_boxed_slice());
}

/// Lends it, to whoever keeps nothing in it.
pub(crate) fn with_scratch<T>(use_it: impl FnOnce(&mut [u8]) -> T) -> T {
    SCRATCH.with_borrow_mut(|scratch| use_it(scratch))
}

/// Carries bytes both ways, beginning with those that were read before: `up` from the client, `down` from the target.
///
/// The end of one direction is passed on as a half-close, and the other goes on; the end of the other is left to the
/// caller, who closes both. An error means that one of the streams is dead; what it had sent before has been delivered,
/// if the other took it within [`LAST_WORDS`].
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
    let mut deadline: Option<Pin<Box<Sleep>>> = None;
    poll_fn(|cx| {
        let _ = up.poll(cx, client, target, &down)?;
        let _ = down.poll(cx, target, client, &up)?;
        if up.has_ended() && down.has_ended() {
            return Poll::Ready(up.result().and(down.result()));
        }
        if up.has_failed() || down.has_failed() {
            let deadline = deadline.get_or_insert_with(|| Box::pin(sleep(LAST_WORDS)));
            ready!(deadline.as_mut().poll(cx));
            return Poll::Ready(up.result().and(down.result()));
        }
        Poll::Pending
    })
    .await
}

/// One direction of a relay.
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

    fn has_ended(&self) -> bool {
        matches!(self.stage, Stage::Ended(_))
    }

    fn has_failed(&self) -> bool {
        matches!(self.stage, Stage::Ended(Err(_)))
    }

    /// Moves what can be moved now. Ready means that nothing more comes; an error means that `from` is dead, and the
    /// relay with it.
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
                Stage::Ending if other.has_ended() && !other.has_failed() => {
                    self.stage = Stage::Ended(Ok(()));
                }
                Stage::Ending => {
                    let told = ready!(Pin::new(&mut *to).poll_shutdown(cx));
                    self.stage = Stage::Ended(told);
                }
                // Whoever waits for its own words to be taken might take no others.
                Stage::Ended(Err(_)) if !other.has_ended() => {
                    if ready!(discard(cx, from))? == 0 {
                        return Poll::Ready(Ok(()));
                    }
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
        with_scratch(|scratch| {
            let mut buffer = ReadBuf::new(&mut scratch[..self.reach]);
            match Pin::new(from).poll_read(cx, &mut buffer) {
                Poll::Ready(read) => read?,
                Poll::Pending => {
                    // TLS keeps what its connection did not take at once. If this fails, the next to write will hear of it.
                    let _ = Pin::new(to).poll_flush(cx);
                    return Poll::Pending;
                }
            }
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

/// Reads once what nobody can be given any more; none at the end.
fn discard<R: AsyncRead + Unpin>(cx: &mut Context<'_>, from: &mut R) -> Poll<io::Result<usize>> {
    with_scratch(|scratch| {
        let mut buffer = ReadBuf::new(&mut scratch[..LEAST]);
        ready!(Pin::new(from).poll_read(cx, &mut buffer))?;
        Poll::Ready(Ok(buffer.filled().len()))
    })
}

/// Between made-up streams, which give and take as little at a time as they like.
#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex, join};
    use tokio::task::JoinSet;

    use super::*;

    /// More than any buffer on the way holds.
    const MUCH: usize = 3 * MOST + 17;

    fn noise(length: usize, seed: usize) -> Vec<u8> {
        let byte = |at: usize| u8::try_from((at * 31 + seed + at / 251) % 256).unwrap();
        (0..length).map(byte).collect()
    }

    /// Sends `sent` and meanwhile reads to the end.
    async fn talk(stream: DuplexStream, sent: Vec<u8>) -> Vec<u8> {
        let (mut reader, mut writer) = tokio::io::split(stream);
        let mut heard = Vec::new();
        let (read, ()) = tokio::join!(reader.read_to_end(&mut heard), async {
            writer.write_all(&sent).await.unwrap();
            writer.shutdown().await.unwrap();
        });
        read.unwrap();
        heard
    }

    #[tokio::test]
    async fn carries_everything_both_ways_however_small_the_bites() {
        for (client_bite, target_bite) in
            [(1 << 20, 1 << 20), (7, 1 << 20), (1 << 20, 7), (1_000, 3)]
        {
            let (client, mut near) = duplex(client_bite);
            let (target, mut far) = duplex(target_bite);
            let (up, down) = (noise(MUCH, 1), noise(MUCH, 2));
            let mut ends = JoinSet::new();
            let sent = up.clone();
            ends.spawn(async move { (true, talk(client, sent).await) });
            let sent = down.clone();
            ends.spawn(async move { (false, talk(target, sent).await) });
            let early = (
                Bytes::from_static(b"early up "),
                Bytes::from_static(b"early down "),
            );
            carry(&mut near, &mut far, early.0, early.1).await.unwrap();
            drop((near, far));
            for (is_client, heard) in ends.join_all().await {
                let expected = if is_client {
                    [b"early down ".as_slice(), &down].concat()
                } else {
                    [b"early up ".as_slice(), &up].concat()
                };
                assert!(heard == expected, "{client_bite} {target_bite} {is_client}");
            }
        }
    }

    /// Lets bytes flow for as long as they do.
    async fn flow(direction: &mut Direction, from: &mut DuplexStream, to: &mut DuplexStream) {
        let other = Direction::new(Bytes::new());
        poll_fn(|cx| {
            assert!(direction.poll(cx, from, to, &other).is_pending());
            Poll::Ready(())
        })
        .await;
    }

    #[tokio::test]
    async fn a_full_receiver_holds_back_one_small_read_at_most() {
        let (mut client, mut near) = duplex(MUCH);
        let (_target, mut far) = duplex(1);
        client.write_all(&noise(MUCH, 1)).await.unwrap();
        let mut direction = Direction::new(Bytes::new());
        flow(&mut direction, &mut near, &mut far).await;
        assert_eq!(direction.pending.len(), LEAST - 1);
    }

    #[tokio::test]
    async fn reads_grow_while_the_receiver_takes_all_and_only_then() {
        let (mut client, mut near) = duplex(MUCH);
        let (mut target, mut far) = duplex(MUCH);
        client.write_all(&noise(MUCH, 1)).await.unwrap();
        let mut direction = Direction::new(Bytes::new());
        flow(&mut direction, &mut near, &mut far).await;
        assert_eq!(direction.reach, MOST);
        assert_eq!(direction.pending.len(), 0);

        // The receiver is full now: one large read is held back, and the next ones are small again.
        client.write_all(&noise(MUCH, 2)).await.unwrap();
        flow(&mut direction, &mut near, &mut far).await;
        assert_eq!(direction.pending.len(), MOST);
        assert_eq!(direction.reach, LEAST);

        // Once it is taken, its memory is given back.
        let mut taken = vec![0; MUCH];
        target.read_exact(&mut taken).await.unwrap();
        flow(&mut direction, &mut near, &mut far).await;
        assert_eq!(direction.pending.len(), 0);
    }

    #[tokio::test]
    async fn the_last_words_of_a_dead_target_arrive() {
        let (mut source, mut client) = duplex(1_024);
        // A target that takes nothing any more, but had answered before.
        let (answer, mut answers) = duplex(1_024);
        answers.write_all(b"413").await.unwrap();
        drop(answers);
        let mut target = join(answer, dead());

        source.write_all(b"upload").await.unwrap();
        let carried = carry(&mut client, &mut target, Bytes::new(), Bytes::new()).await;
        assert_eq!(carried.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        let mut received = [0; 3];
        source.read_exact(&mut received).await.unwrap();
        assert_eq!(&received, b"413");
    }

    /// A target that says back all it hears, and hears nothing while nobody takes that, is not waited for by a dead client.
    #[tokio::test]
    async fn an_echo_without_a_listener_ends() {
        let (words, mut client) = duplex(MUCH);
        let (mut near, echo) = duplex(1_024);
        let mut ends = JoinSet::new();
        ends.spawn(async move {
            let mut echo = echo;
            let (mut heard, mut bite) = (0, [0; 1_024]);
            loop {
                match echo.read(&mut bite).await.unwrap() {
                    0 => return heard,
                    bytes => heard += bytes,
                }
                // Fails in the end: nobody listens.
                let _ = echo.write_all(&bite).await;
            }
        });
        client.write_all(&noise(MUCH, 1)).await.unwrap();
        drop(client);
        let mut near_client = join(words, dead());
        let carried = carry(&mut near_client, &mut near, Bytes::new(), Bytes::new()).await;
        assert_eq!(carried.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        drop(near);
        assert_eq!(ends.join_all().await, [MUCH]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_words_of_a_dead_client_are_kept_for_a_while_only() {
        let (words, mut client) = duplex(MUCH);
        let (mut near, mut target) = duplex(1_024);
        client.write_all(&noise(MUCH, 1)).await.unwrap();
        target.write_all(b"an answer").await.unwrap();
        let mut near_client = join(words, dead());
        let begun = tokio::time::Instant::now();
        let carried = carry(&mut near_client, &mut near, Bytes::new(), Bytes::new()).await;
        assert_eq!(carried.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        assert_eq!(begun.elapsed(), LAST_WORDS);
        drop(client);
    }

    /// A stream whose peer is gone.
    fn dead() -> DuplexStream {
        duplex(1).0
    }
}
