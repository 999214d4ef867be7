//! A connection whose end is a program in a container: its standard input and output are the connection, its standard error
//! tells of it.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, BytesMut};
use futures_util::StreamExt as _;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::docker::client::{Said, Spoken};

/// See the module.
#[derive(Debug)]
pub(super) struct Line {
    spoken: Spoken,
    /// Heard, and not read yet: the engine passes on both outputs, each for itself.
    early: BytesMut,
    /// Whole lines of standard error, not asked for yet.
    notes: VecDeque<String>,
    /// The beginning of one more.
    begun: Vec<u8>,
}

impl Line {
    pub(super) fn new(spoken: Spoken) -> Self {
        Self {
            spoken,
            early: BytesMut::new(),
            notes: VecDeque::new(),
            begun: Vec::new(),
        }
    }

    /// The next thing that the program tells of the connection.
    pub(super) async fn note(&mut self) -> io::Result<String> {
        loop {
            if let Some(note) = self.notes.pop_front() {
                return Ok(note);
            }
            if !poll_fn(|context| self.hear(context)).await? {
                return Err(io::Error::other("the program ended without a word"));
            }
        }
    }

    /// Takes in what was said next; false at the end.
    fn hear(&mut self, context: &mut Context<'_>) -> Poll<io::Result<bool>> {
        match ready!(self.spoken.output.poll_next_unpin(context)) {
            None => return Poll::Ready(Ok(false)),
            Some(Err(error)) => return Poll::Ready(Err(io::Error::other(error))),
            Some(Ok(Said::Out(bytes))) => self.early.extend_from_slice(&bytes),
            Some(Ok(Said::Err(bytes))) => {
                self.begun.extend_from_slice(&bytes);
                while let Some(end) = self.begun.iter().position(|byte| *byte == b'\n') {
                    let line: Vec<u8> = self.begun.drain(..=end).collect();
                    let line = String::from_utf8_lossy(&line).trim_end().to_owned();
                    self.notes.push_back(line);
                }
            }
        }
        Poll::Ready(Ok(true))
    }
}

impl AsyncRead for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.early.is_empty() {
            if !ready!(self.hear(context))? {
                return Poll::Ready(Ok(()));
            }
        }
        let length = self.early.len().min(buffer.remaining());
        buffer.put_slice(&self.early[..length]);
        self.early.advance(length);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Line {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.spoken.input.as_mut().poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.spoken.input.as_mut().poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.spoken.input.as_mut().poll_shutdown(context)
    }
}
