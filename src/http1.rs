//! Messages of HTTP/1 as they come over the wire (RFC 9112), for those who pass them on as they are: where a body ends, and what
//! comes from a side with what was read of it ahead.
//!
//! What a head says, each reads for itself: a proxy between a client and the engine asks other things of it than one that
//! stands between callers and origins.

pub(crate) mod exchange;
pub(crate) mod fields;
pub(crate) mod framing;
pub(crate) mod inbound;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, WriteHalf};

use inbound::Inbound;

/// What a connection brings next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next<H> {
    /// A whole head; it has been taken from the buffer.
    Head(H),
    /// Not whole yet.
    More,
    /// Nothing that is understood. The buffer is as it was.
    Opaque,
}

/// Both halves of a side.
#[derive(Debug)]
pub(crate) struct Side<S> {
    pub(crate) inbound: Inbound<S>,
    pub(crate) outbound: WriteHalf<S>,
}

impl<S: AsyncRead + AsyncWrite> Side<S> {
    pub(crate) fn new(stream: S) -> Self {
        let (reader, writer) = tokio::io::split(stream);
        Self {
            inbound: Inbound::new(reader),
            outbound: writer,
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Side<S> {
    /// The stream, with what was read of it and not yet passed on.
    pub(crate) fn into_parts(self) -> (S, Bytes) {
        let (reader, ahead) = self.inbound.into_parts();
        (reader.unsplit(self.outbound), ahead)
    }
}
