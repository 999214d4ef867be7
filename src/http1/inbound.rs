//! What comes from one side, with what was read of it ahead.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use futures_util::FutureExt as _;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf, ReadHalf};
use tokio::task::unconstrained;

use super::Next;
use super::framing::{Framing, Malformed};
use crate::relay::with_scratch;

/// What is read at a time before a side has shown that it sends more, and the most ever.
const LEAST: usize = 16 * 1024;
const MOST: usize = 256 * 1024;

/// The reading half of a side. While it waits it holds no memory but for what it has read: bytes come into one piece of memory
/// that the whole thread shares, and what is passed on at once stays there.
#[derive(Debug)]
pub(crate) struct Inbound<S> {
    reader: ReadHalf<S>,
    ahead: BytesMut,
    reach: usize,
}

/// Why a body was not passed on to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Broke {
    #[error("its sender has gone: {0}")]
    From(#[source] io::Error),
    #[error("its receiver takes no more: {0}")]
    To(#[source] io::Error),
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

impl<S: AsyncRead> Inbound<S> {
    pub(crate) fn new(reader: ReadHalf<S>) -> Self {
        Self {
            reader,
            ahead: BytesMut::new(),
            reach: LEAST,
        }
    }

    pub(crate) fn into_parts(self) -> (ReadHalf<S>, Bytes) {
        // An empty piece of a buffer would keep all of it.
        let ahead = if self.ahead.is_empty() {
            Bytes::new()
        } else {
            self.ahead.freeze()
        };
        (self.reader, ahead)
    }

    /// Reads once, and hands what came to `take`: nothing is the end.
    fn poll_read<T>(
        &mut self,
        cx: &mut Context<'_>,
        take: impl FnOnce(&mut Context<'_>, &mut BytesMut, &[u8]) -> T,
    ) -> Poll<io::Result<T>> {
        with_scratch(|scratch| {
            let mut buffer = ReadBuf::new(&mut scratch[..self.reach]);
            ready!(Pin::new(&mut self.reader).poll_read(cx, &mut buffer))?;
            let read = buffer.filled();
            if read.len() == self.reach {
                self.reach = MOST.min(self.reach * 2);
            }
            Poll::Ready(Ok(take(cx, &mut self.ahead, read)))
        })
    }

    /// Reads more; zero is the end. Loses nothing when it is dropped while it waits.
    async fn fill(&mut self) -> io::Result<usize> {
        std::future::poll_fn(|cx| {
            self.poll_read(cx, |_, ahead, read| {
                ahead.extend_from_slice(read);
                read.len()
            })
        })
        .await
    }

    /// Waits until there is something, and tells whether there is: it may have ended.
    pub(crate) async fn begins(&mut self) -> io::Result<bool> {
        Ok(!self.ahead.is_empty() || self.fill().await? > 0)
    }

    /// The same for the beginning of a message: empty lines before one mean nothing (RFC 9112, section 2.2).
    pub(crate) async fn begins_message(&mut self) -> io::Result<bool> {
        loop {
            let is_empty = |byte: &&u8| matches!(**byte, b'\r' | b'\n');
            let empty = self.ahead.iter().take_while(is_empty).count();
            self.ahead.advance(empty);
            if !self.ahead.is_empty() || self.fill().await? == 0 {
                return Ok(!self.ahead.is_empty());
            }
        }
    }

    /// What is here of what comes next.
    pub(crate) fn ahead(&self) -> &[u8] {
        &self.ahead
    }

    /// The next head, read to its end; nothing if the side ended in good order before it.
    pub(crate) async fn next<H>(
        &mut self,
        mut take: impl FnMut(&mut BytesMut) -> Next<H>,
    ) -> io::Result<Option<Next<H>>> {
        loop {
            if !self.ahead.is_empty() {
                match take(&mut self.ahead) {
                    Next::More => {}
                    known => return Ok(Some(known)),
                }
            }
            if self.fill().await? == 0 {
                let cut = || io::ErrorKind::UnexpectedEof.into();
                return self.ahead.is_empty().then_some(None).ok_or_else(cut);
            }
        }
    }

    /// Passes a body on, to its end. `before`: what goes before it, in one piece with what is here of the body.
    pub(crate) async fn pass(
        &mut self,
        before: impl Buf,
        to: &mut (impl AsyncWrite + Unpin),
        body: &mut Framing,
    ) -> Result<(), Broke> {
        let taken = body.take(&self.ahead, |_| ())?;
        let mut pieces = Buf::chain(before, &self.ahead[..taken]);
        to.write_all_buf(&mut pieces).await.map_err(Broke::To)?;
        self.ahead.advance(taken);
        while !body.is_done() {
            let passed = std::future::poll_fn(|cx| self.poll_pass(cx, to, body)).await;
            let Some(kept) = passed? else {
                let whole = *body == Framing::UntilEnd;
                let cut = || Broke::From(io::ErrorKind::UnexpectedEof.into());
                return whole.then_some(()).ok_or_else(cut);
            };
            if kept > 0 {
                let written = to.write_all(&self.ahead[..kept]).await;
                written.map_err(Broke::To)?;
                self.ahead.advance(kept);
                self.rest();
            }
        }
        self.reach = LEAST;
        // TLS keeps what its connection did not take at once.
        to.flush().await.map_err(Broke::To)
    }

    /// Reads once and writes at once what the receiver takes. Answers how much of the body it did not, which is kept; nothing at
    /// the sender's end.
    fn poll_pass(
        &mut self,
        cx: &mut Context<'_>,
        to: &mut (impl AsyncWrite + Unpin),
        body: &mut Framing,
    ) -> Poll<Result<Option<usize>, Broke>> {
        let read = self.poll_read(cx, |cx, ahead, read| {
            if read.is_empty() {
                return Ok(None);
            }
            let taken = body.take(read, |_| ())?;
            let written = match Pin::new(&mut *to).poll_write(cx, &read[..taken]) {
                Poll::Ready(Ok(written)) => written,
                Poll::Ready(Err(error)) => return Err(Broke::To(error)),
                Poll::Pending => 0,
            };
            ahead.extend_from_slice(&read[written..]);
            Ok(Some(taken - written))
        });
        match read {
            Poll::Ready(passed) => Poll::Ready(passed.map_err(Broke::From)?),
            // Nothing may be kept from the receiver while the sender waits for what it says to that.
            Poll::Pending => match Pin::new(to).poll_flush(cx) {
                Poll::Ready(Err(error)) => Poll::Ready(Err(Broke::To(error))),
                Poll::Ready(Ok(())) | Poll::Pending => Poll::Pending,
            },
        }
    }

    /// What comes next of a body, as it is carried; false at its end.
    pub(crate) async fn piece(
        &mut self,
        body: &mut Framing,
        piece: &mut Vec<u8>,
    ) -> Result<bool, Broke> {
        std::future::poll_fn(|cx| self.poll_piece(cx, body, piece)).await
    }

    pub(crate) fn poll_piece(
        &mut self,
        cx: &mut Context<'_>,
        body: &mut Framing,
        piece: &mut Vec<u8>,
    ) -> Poll<Result<bool, Broke>> {
        piece.clear();
        let taken = body.take(&self.ahead, |bytes| piece.extend_from_slice(bytes))?;
        self.ahead.advance(taken);
        while piece.is_empty() && !body.is_done() {
            let read = ready!(self.poll_read(cx, |_, ahead, read| {
                let taken = body.take(read, |bytes| piece.extend_from_slice(bytes))?;
                ahead.extend_from_slice(&read[taken..]);
                Ok::<_, Malformed>(read.len())
            }));
            if read.map_err(Broke::From)?? == 0 {
                let whole = *body == Framing::UntilEnd;
                let cut = || Broke::From(io::ErrorKind::UnexpectedEof.into());
                return Poll::Ready(whole.then_some(false).ok_or_else(cut));
            }
        }
        Poll::Ready(Ok(!piece.is_empty()))
    }

    /// Reads a body to its end, or until more than `most` bytes of it are here; as it came on the wire.
    pub(crate) async fn collect(
        &mut self,
        body: &mut Framing,
        most: usize,
    ) -> Result<Vec<u8>, Broke> {
        let mut wire = Vec::new();
        while !body.is_done() && wire.len() <= most {
            if self.ahead.is_empty() && self.fill().await.map_err(Broke::From)? == 0 {
                if *body == Framing::UntilEnd {
                    *body = Framing::EMPTY;
                    break;
                }
                return Err(Broke::From(io::ErrorKind::UnexpectedEof.into()));
            }
            let taken = body.take(&self.ahead, |_| ())?;
            wire.extend_from_slice(&self.ahead[..taken]);
            self.ahead.advance(taken);
        }
        Ok(wire)
    }

    /// Whether what comes next is that; nothing of it is taken.
    pub(crate) async fn continues_with(&mut self, beginning: &[u8]) -> io::Result<bool> {
        while self.ahead.len() < beginning.len() && beginning.starts_with(&self.ahead) {
            if self.fill().await? == 0 {
                return Ok(false);
            }
        }
        Ok(self.ahead.starts_with(beginning))
    }

    /// Waits for the side's end, and keeps what comes before it, up to a bound: beyond that, its end is not seen.
    pub(crate) async fn ends(&mut self) -> io::Result<()> {
        while self.ahead.len() < LEAST {
            self.reach = LEAST;
            if self.fill().await? == 0 {
                return Ok(());
            }
        }
        std::future::pending().await
    }

    /// Reads and forgets, until the side ends.
    pub(crate) async fn drain(&mut self) -> io::Result<()> {
        loop {
            self.ahead.clear();
            if self.fill().await? == 0 {
                return Ok(());
            }
        }
    }

    /// Whether something of it was read and not yet passed on.
    pub(crate) fn is_ahead(&self) -> bool {
        !self.ahead.is_empty()
    }

    /// Whether the side is there and has said nothing.
    pub(crate) fn is_quiet(&mut self) -> bool {
        // Whoever has had its turn is told that there is nothing, also where there is.
        self.ahead.is_empty() && unconstrained(self.fill()).now_or_never().is_none()
    }

    /// Gives memory back that is not in use.
    pub(crate) fn rest(&mut self) {
        self.reach = LEAST;
        if self.ahead.is_empty() {
            self.ahead = BytesMut::new();
        }
    }
}
