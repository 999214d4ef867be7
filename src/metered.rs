//! A connection whose bytes are counted: two atomic additions a system call.

use std::io::{self, IoSlice};
use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::counts::Counts;
use crate::traffic::Talk;

/// What is told of bytes that pass.
#[derive(Clone, Debug)]
pub(crate) struct Meter {
    /// Whose conversation it is.
    pub(crate) talk: Arc<Talk>,
    /// Where those through the tunnel are added up.
    pub(crate) tunnel: Option<Arc<Counts>>,
}

impl Meter {
    fn sent(&self, bytes: usize) {
        let bytes = bytes as u64;
        self.talk.sent.add(bytes);
        if let Some(counts) = &self.tunnel {
            counts.tunnel.sent.add(bytes);
        }
    }

    fn received(&self, bytes: usize) {
        let bytes = bytes as u64;
        self.talk.received.add(bytes);
        if let Some(counts) = &self.tunnel {
            counts.tunnel.received.add(bytes);
        }
    }
}

/// A connection, with who counts what passes, if anybody.
#[derive(Debug)]
pub struct Metered {
    tcp: TcpStream,
    meter: Option<Meter>,
}

impl Metered {
    /// Counts from now on.
    pub(crate) fn new(tcp: TcpStream, meter: Meter) -> Self {
        let meter = Some(meter);
        Self { tcp, meter }
    }

    fn wrote(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let (Some(meter), Poll::Ready(Ok(bytes))) = (&self.meter, &written) {
            meter.sent(*bytes);
        }
        written
    }
}

/// Nobody counts.
impl From<TcpStream> for Metered {
    fn from(tcp: TcpStream) -> Self {
        Self { tcp, meter: None }
    }
}

impl Deref for Metered {
    type Target = TcpStream;

    fn deref(&self) -> &TcpStream {
        &self.tcp
    }
}

impl AsyncRead for Metered {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.tcp).poll_read(cx, buffer))?;
        if let Some(meter) = &self.meter {
            meter.received(buffer.filled().len() - before);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Metered {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.tcp).poll_write(cx, bytes);
        self.wrote(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.tcp).poll_write_vectored(cx, pieces);
        self.wrote(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}
