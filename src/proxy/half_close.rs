//! Clients that say that nothing more comes from them, and still listen for their answer, as `wget` of busybox does.
//!
//! hyper takes whoever ends its side for gone, and drops what was asked. So it does not hear of that end while an answer is due,
//! for a while: most who have ended their side *have* gone, which is not to be told from one that listens.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::task::AtomicWaker;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

/// For the next piece of an answer to pass, once the client has ended its side.
const PATIENCE: Duration = Duration::from_secs(60);
/// For a request whose end was heard of together with its client's to be known as whole.
const SETTLING: Duration = Duration::from_secs(1);

/// A client's connection, below hyper.
#[derive(Debug)]
pub(crate) struct HalfOpen<S> {
    stream: S,
    answers: Answers,
    /// The client has ended its side; until then hyper does not hear of it.
    ended: Option<Ended>,
}

#[derive(Debug)]
struct Ended {
    /// When it did, or took something last.
    at: Instant,
    deadline: Pin<Box<Sleep>>,
}

/// What the client of a connection still waits for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answers(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    expected: AtomicUsize,
    /// Those of them whose requests are whole.
    due: AtomicUsize,
    /// Who reads, if it waits for the last of them.
    reader: AtomicWaker,
}

/// An answer that is due from when its request is whole, for as long as this is held.
#[derive(Debug)]
pub(crate) struct Due {
    answers: Answers,
    begun: AtomicBool,
}

impl Answers {
    /// Nothing is due before the request is whole: one that breaks off is to be heard of at once.
    pub(crate) fn expect(&self) -> Due {
        self.0.expected.fetch_add(1, Ordering::AcqRel);
        Due {
            answers: self.clone(),
            begun: AtomicBool::new(false),
        }
    }
}

impl Due {
    /// The request is whole.
    pub(crate) fn begin(&self) {
        if !self.begun.swap(true, Ordering::Relaxed) {
            self.answers.0.due.fetch_add(1, Ordering::AcqRel);
            self.answers.0.reader.wake();
        }
    }
}

impl Inner {
    /// How long the client's end is held back.
    fn patience(&self) -> Duration {
        if self.due.load(Ordering::Acquire) > 0 {
            PATIENCE
        } else if self.expected.load(Ordering::Acquire) > 0 {
            SETTLING
        } else {
            Duration::ZERO
        }
    }
}

impl Drop for Due {
    fn drop(&mut self) {
        if self.begun.load(Ordering::Relaxed) {
            self.answers.0.due.fetch_sub(1, Ordering::AcqRel);
        }
        self.answers.0.expected.fetch_sub(1, Ordering::AcqRel);
        self.answers.0.reader.wake();
    }
}

impl<S> HalfOpen<S> {
    /// The connection to give to hyper, and what tells it when answers are due.
    pub(crate) fn new(stream: S) -> (Self, Answers) {
        let answers = Answers::default();
        let half_open = Self {
            stream,
            answers: answers.clone(),
            ended: None,
        };
        (half_open, answers)
    }

    /// Who takes something is there.
    fn took(&mut self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let (Some(ended), Poll::Ready(Ok(1..))) = (&mut self.ended, &written) {
            ended.at = Instant::now();
            // The reader's deadline is a later one now.
            self.answers.0.reader.wake();
        }
        written
    }

    /// The connection itself.
    pub(crate) fn into_inner(self) -> S {
        self.stream
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for HalfOpen<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let connection = self.get_mut();
        if connection.ended.is_none() {
            let before = buffer.filled().len();
            let read = ready!(Pin::new(&mut connection.stream).poll_read(cx, buffer));
            let ends = match &read {
                Ok(()) => buffer.filled().len() == before && buffer.remaining() > 0,
                // TLS that ends without a word of it.
                Err(error) => error.kind() == io::ErrorKind::UnexpectedEof,
            };
            if !ends {
                return Poll::Ready(read);
            }
        }
        let now = Instant::now();
        let ended = connection.ended.get_or_insert_with(|| Ended {
            at: now,
            deadline: Box::pin(sleep(Duration::ZERO)),
        });
        let answers = &connection.answers.0;
        answers.reader.register(cx.waker());
        let deadline = ended.at + answers.patience();
        if deadline > now {
            ended.deadline.as_mut().reset(deadline);
            ready!(ended.deadline.as_mut().poll(cx));
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for HalfOpen<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.took(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, pieces);
        self.took(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_end_is_heard_of_when_nothing_is_due() {
        let (mut client, near) = duplex(16);
        let (mut near, answers) = HalfOpen::new(near);
        let due = answers.expect();
        client.write_all(b"get").await.unwrap();
        client.shutdown().await.unwrap();
        let mut read = [0; 3];
        near.read_exact(&mut read).await.unwrap();
        due.begin();
        assert_eq!(near.read(&mut read).now_or_never().map(Result::ok), None);
        near.write_all(b"answer").await.unwrap();
        drop(due);
        assert_eq!(near.read(&mut read).await.unwrap(), 0);
        let mut heard = [0; 6];
        client.read_exact(&mut heard).await.unwrap();
        assert_eq!(heard, *b"answer");
    }

    #[tokio::test(start_paused = true)]
    async fn an_end_in_the_midst_of_a_request_is_heard_of_soon_and_any_after_a_while() {
        let (client, near) = duplex(16);
        let (mut near, answers) = HalfOpen::new(near);
        let due = answers.expect();
        drop(client);
        let begun = Instant::now();
        assert_eq!(near.read(&mut [0; 3]).await.unwrap(), 0);
        assert_eq!(begun.elapsed(), SETTLING);
        drop(due);

        let (client, near) = duplex(16);
        let (mut near, answers) = HalfOpen::new(near);
        let due = answers.expect();
        due.begin();
        let begun = Instant::now();
        drop(client);
        assert_eq!(near.read(&mut [0; 3]).await.unwrap(), 0);
        assert_eq!(begun.elapsed(), PATIENCE);
    }
}
