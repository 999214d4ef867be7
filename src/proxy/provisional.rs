//! Provisional answers (1xx), which a proxy passes on (RFC 9110, section 15.2).
//!
//! hyper tells of those that an origin sends, but as a server sends none but `100 Continue`, of its own accord. So they are
//! written to the client beside it, between its own messages: a [`Line`] lies below hyper and writes what its [`Interjector`]
//! is given as soon as hyper has flushed all that it had to say before. Whoever gives it something waits until it is written, and
//! says nothing else to hyper meanwhile: what comes after a provisional answer really does.
//!
//! This file is compiled into the tunnel as well, for its plain mode.

use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use hyper::body::{Buf as _, Bytes};
use hyper::ext::on_informational;
use hyper::{HeaderMap, Request, StatusCode, Version};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::mpsc;

use super::headers;

/// Answers of an origin that the client has yet to take. Beyond that they are dropped: none has to be heard.
const WAITING: usize = 16;

/// The connection to a client, below hyper.
#[derive(Debug)]
pub(crate) struct Line<S> {
    stream: S,
    slot: Arc<Slot>,
    /// What is being written.
    begun: Bytes,
}

/// Says something between two messages of hyper's.
#[derive(Clone, Debug)]
pub(crate) struct Interjector(Arc<Slot>);

#[derive(Debug, Default)]
struct Slot {
    /// Whether there is something: looked at far more often than it is so.
    is_full: AtomicBool,
    /// What is to be said, and who waits until it has been.
    content: Mutex<(Bytes, Option<Waker>)>,
}

impl Slot {
    fn content(&self) -> MutexGuard<'_, (Bytes, Option<Waker>)> {
        // Whole even if a holder panicked: each part is only ever replaced as a whole.
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S> Line<S> {
    /// The line to give to hyper, and the way past it.
    pub(crate) fn new(stream: S) -> (Self, Interjector) {
        let slot = Arc::<Slot>::default();
        let line = Self {
            stream,
            slot: Arc::clone(&slot),
            begun: Bytes::new(),
        };
        (line, Interjector(slot))
    }

    /// The connection itself.
    pub(crate) fn into_inner(self) -> S {
        self.stream
    }
}

impl<S: AsyncWrite + Unpin> Line<S> {
    /// Writes what has been begun to its end.
    fn poll_begun(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.begun.is_empty() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.begun))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.begun.advance(written);
            if self.begun.is_empty() {
                self.slot.is_full.store(false, Ordering::Release);
                if let Some(waiting) = self.slot.content().1.take() {
                    waiting.wake();
                }
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Line<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Line<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let line = self.get_mut();
        ready!(line.poll_begun(cx))?;
        Pin::new(&mut line.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let line = self.get_mut();
        ready!(line.poll_begun(cx))?;
        Pin::new(&mut line.stream).poll_write_vectored(cx, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// hyper comes here whenever it has written all that it has.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let line = self.get_mut();
        if line.begun.is_empty() && line.slot.is_full.load(Ordering::Acquire) {
            line.begun = std::mem::take(&mut line.slot.content().0);
        }
        ready!(line.poll_begun(cx))?;
        Pin::new(&mut line.stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

impl Interjector {
    /// Waits for the answer to `request` while it passes on what comes before that. `send` is the work of a service of the
    /// hyper connection that the [`Line`] belongs to.
    pub(crate) async fn pass<B, A>(
        &self,
        mut request: Request<B>,
        send: impl AsyncFnOnce(Request<B>) -> A,
    ) -> A {
        // Clients of HTTP/1.0 know nothing of them; what HTTP/2 has for them, hyper has not.
        if request.version() != Version::HTTP_11 {
            return send(request).await;
        }
        // From the origin's connection to this one.
        let (heard_tx, mut heard) = mpsc::channel(WAITING);
        on_informational(&mut request, move |answer| {
            // The client is asked for the body here, as soon as the origin's connection wants it.
            if answer.status() != StatusCode::CONTINUE {
                // Who has gone, or does not listen, misses nothing that he needs.
                let _ = heard_tx.try_send(encoded(answer.status(), answer.headers()));
            }
        });
        let mut answered = pin!(send(request));
        loop {
            tokio::select! {
                biased;
                Some(early) = heard.recv() => self.say(early).await,
                answer = &mut answered => {
                    // They were sent before.
                    while let Ok(early) = heard.try_recv() {
                        self.say(early).await;
                    }
                    return answer;
                }
            }
        }
    }

    async fn say(&self, message: Bytes) {
        let mut message = Some(message);
        std::future::poll_fn(|cx| {
            let mut content = self.0.content();
            if let Some(message) = message.take() {
                *content = (message, Some(cx.waker().clone()));
                self.0.is_full.store(true, Ordering::Release);
                // Whoever polls this is hyper, which flushes at the end of each turn: one more turn is sure to do so.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if !self.0.is_full.load(Ordering::Acquire) {
                return Poll::Ready(());
            }
            content.1 = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

/// As it goes over the wire.
fn encoded(status: StatusCode, all: &HeaderMap) -> Bytes {
    let reason = status.canonical_reason().unwrap_or_default();
    let mut text = format!("HTTP/1.1 {} {reason}\r\n", status.as_str()).into_bytes();
    for (name, value) in &headers::of_response(all, None) {
        for piece in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            text.extend_from_slice(piece);
        }
    }
    text.extend_from_slice(b"\r\n");
    text.into()
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::time::Duration;

    use http_body_util::Empty;
    use hyper::body::Incoming;
    use hyper::service::service_fn;
    use hyper_util::rt::TokioIo;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
    use tokio::time::timeout;

    use super::*;

    async fn hear(stream: &mut DuplexStream, expected: &str) {
        let mut heard = vec![0; expected.len()];
        let read = timeout(Duration::from_secs(20), stream.read_exact(&mut heard)).await;
        read.expect("all of it in time").unwrap();
        assert_eq!(String::from_utf8_lossy(&heard), expected);
    }

    #[tokio::test]
    async fn what_an_origin_says_before_its_answer_reaches_the_client_before_it() {
        // So small that nothing is written at once.
        let (mut client, near) = duplex(7);
        let (far, mut origin) = duplex(1_024);
        let (line, interjector) = Line::new(near);
        let handshake = hyper::client::conn::http1::handshake(TokioIo::new(far)).await;
        let (sender, connection) = handshake.unwrap();
        let sender = Arc::new(tokio::sync::Mutex::new(sender));
        let service = service_fn(|request: Request<Incoming>| {
            let (interjector, sender) = (interjector.clone(), Arc::clone(&sender));
            async move {
                let passed = interjector.pass(request, async |request| {
                    let request = request.map(|_| Empty::<Bytes>::new());
                    sender.lock().await.send_request(request).await.unwrap()
                });
                Ok::<_, Infallible>(passed.await)
            }
        });
        let server = hyper::server::conn::http1::Builder::new()
            .auto_date_header(false)
            .serve_connection(TokioIo::new(line), service);
        let talk = async {
            for _ in 0..2 {
                let sent = client.write_all(b"GET / HTTP/1.1\r\n\r\n").await;
                sent.unwrap();
                hear(&mut origin, "GET / HTTP/1.1\r\n\r\n").await;
                let early = "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n";
                origin.write_all(early.as_bytes()).await.unwrap();
                hear(&mut client, early).await;
                let answer = format!("{early}HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
                origin.write_all(answer.as_bytes()).await.unwrap();
                hear(&mut client, &answer).await;
            }
        };
        tokio::select! {
            () = talk => {}
            ended = server => panic!("the server ended: {ended:?}"),
            ended = connection => panic!("the connection to the origin ended: {ended:?}"),
        }
    }
}
