//! A stream whose small writes wait until the peer is waited for.
//!
//! A client that sends its whole handshake at once then gets all answers at once: one system call and one packet instead of
//! three, and it is woken once. A client that goes step by step gets each answer when it has to have it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, BufWriter, ReadBuf};

/// Holds all answers of a handshake together; more is written through.
const ROOM: usize = 128;

/// See the module. To be put under a reader's buffer: what is read from that does not wait for the peer.
#[derive(Debug)]
pub(crate) struct Held<S: AsyncWrite>(BufWriter<S>);

impl<S: AsyncWrite + Unpin> Held<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self(BufWriter::with_capacity(ROOM, stream))
    }

    /// The stream, after all that was written has been sent.
    pub(crate) async fn release(mut self) -> io::Result<S> {
        self.0.flush().await?;
        Ok(self.0.into_inner())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Held<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.0).poll_flush(cx))?;
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Held<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader, duplex};

    use super::*;

    #[tokio::test]
    async fn answers_wait_until_the_client_is_waited_for() {
        let (mut client, server) = duplex(64);
        let mut server = BufReader::new(Held::new(server));
        client.write_all(b"ab").await.unwrap();
        assert_eq!(server.read_u8().await.unwrap(), b'a');
        server.write_all(b"1").await.unwrap();
        assert_eq!(server.read_u8().await.unwrap(), b'b');
        server.write_all(b"2").await.unwrap();
        let mut answers = [0; 2];
        let early = tokio::time::timeout(std::time::Duration::ZERO, client.read(&mut answers));
        assert!(early.await.is_err(), "nobody waits for the client yet");

        let (filled, read) = tokio::join!(server.fill_buf(), async {
            client.read_exact(&mut answers).await.unwrap();
            client.shutdown().await
        });
        assert!(filled.unwrap().is_empty());
        read.unwrap();
        assert_eq!(&answers, b"12");
    }
}
