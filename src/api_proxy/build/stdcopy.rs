//! What a program in a container says and is told, as the engine carries it: its output in frames, each with a head that
//! tells standard output from standard error (`github.com/docker/docker/pkg/stdcopy`).

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncBufRead, AsyncRead, AsyncWrite, BufReader, ReadBuf};

/// Before each piece: which output, three bytes that mean nothing, and the length.
const HEAD: usize = 8;
const STANDARD_OUTPUT: u8 = 1;
/// The most of one piece.
const MOST: usize = 64 * 1024;

/// The program's side: reads what it writes to standard output, and writes to its input.
#[derive(Debug)]
pub(in crate::api_proxy) struct Program<S> {
    stream: BufReader<S>,
    head: [u8; HEAD],
    /// Of the head.
    known: usize,
    /// Of the piece.
    left: usize,
}

impl<S: AsyncRead> Program<S> {
    pub(in crate::api_proxy) fn new(stream: S) -> Self {
        Self {
            stream: BufReader::new(stream),
            head: [0; HEAD],
            known: 0,
            left: 0,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Program<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            let here = ready!(Pin::new(&mut this.stream).poll_fill_buf(cx))?;
            if here.is_empty() {
                let is_cut = this.known > 0 || this.left > 0;
                let cut = || io::ErrorKind::UnexpectedEof.into();
                return Poll::Ready((!is_cut).then_some(()).ok_or_else(cut));
            }
            if this.left == 0 {
                let taken = here.len().min(HEAD - this.known);
                this.head[this.known..this.known + taken].copy_from_slice(&here[..taken]);
                this.known += taken;
                Pin::new(&mut this.stream).consume(taken);
                if this.known == HEAD {
                    let [.., a, b, c, d] = this.head;
                    this.left = u32::from_be_bytes([a, b, c, d]) as usize;
                    this.known = 0;
                }
                continue;
            }
            let mut taken = here.len().min(this.left);
            let is_output = this.head[0] == STANDARD_OUTPUT;
            if is_output {
                taken = taken.min(buf.remaining());
                buf.put_slice(&here[..taken]);
            }
            Pin::new(&mut this.stream).consume(taken);
            this.left -= taken;
            if is_output {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<S: AsyncWrite + AsyncRead + Unpin> AsyncWrite for Program<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

/// The client's side: what is written to it is the program's standard output.
#[derive(Debug)]
pub(in crate::api_proxy) struct Client<S> {
    stream: S,
    head: [u8; HEAD],
    /// Of the head.
    sent: usize,
    /// Of the piece. Once a head is begun, so many bytes have to come.
    left: usize,
}

impl<S> Client<S> {
    pub(in crate::api_proxy) fn new(stream: S) -> Self {
        Self {
            stream,
            head: [0; HEAD],
            sent: HEAD,
            left: 0,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Client<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Client<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        if this.left == 0 {
            this.left = buf.len().min(MOST);
            let length = u32::try_from(this.left).map_err(io::Error::other)?;
            this.head = [STANDARD_OUTPUT, 0, 0, 0, 0, 0, 0, 0];
            this.head[4..].copy_from_slice(&length.to_be_bytes());
            this.sent = 0;
        }
        let mut stream = Pin::new(&mut this.stream);
        while this.sent < HEAD {
            let written = ready!(stream.as_mut().poll_write(cx, &this.head[this.sent..]))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            this.sent += written;
        }
        let piece = &buf[..buf.len().min(this.left)];
        let written = ready!(stream.poll_write(cx, piece))?;
        this.left -= written;
        Poll::Ready(Ok(written))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn what_is_framed_is_read_again_however_it_is_cut() {
        for room in [1, 3, 8, 64, 1 << 20] {
            let (near, far) = tokio::io::duplex(room);
            let (mut client, mut program) = (Client::new(near), Program::new(far));
            let said: Vec<u8> = (0..200_000_u32).map(|at| at.to_le_bytes()[0]).collect();
            let said = if room < 64 { &said[..500] } else { &said };
            let mut heard = Vec::new();
            let write = async {
                client.write_all(said).await.unwrap();
                client.shutdown().await.unwrap();
            };
            let ((), read) = tokio::join!(write, program.read_to_end(&mut heard));
            read.unwrap();
            assert!(heard == said, "room for {room}");
        }
    }

    #[tokio::test]
    async fn errors_are_left_out_and_what_is_cut_off_is_no_end() {
        // As it is sent: two pieces of output around one of errors.
        let sent = b"\x01\0\0\0\0\0\0\x02ab\x02\0\0\0\0\0\0\x04oops\x01\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\x01c";
        let mut heard = Vec::new();
        let read = Program::new(tokio::io::join(&sent[..], tokio::io::sink()));
        tokio::pin!(read);
        read.read_to_end(&mut heard).await.unwrap();
        assert_eq!(heard, b"abc");
        for cut in [1, 9, 13, 31] {
            let read = Program::new(tokio::io::join(&sent[..cut], tokio::io::sink()));
            tokio::pin!(read);
            let error = read.read_to_end(&mut heard).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{cut}");
        }
    }
}
