//! One end of a connection, as a script: say this, hear that.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// Nothing in these tests takes longer unless it hangs.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let done = timeout(PATIENCE, future).await;
    done.unwrap_or_else(|_| panic!("hangs: {what}"))
}

/// Accepts connections that are made to it.
pub(super) struct Server(pub(super) TcpListener);

impl Server {
    pub(super) async fn new() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }

    pub(super) async fn accept(&self) -> Peer {
        Peer(soon("accept", self.0.accept()).await.unwrap().0)
    }

    /// Whether nobody has connected since the last time.
    pub(super) async fn is_alone(&self) -> bool {
        let waiting = timeout(Duration::ZERO, self.0.accept()).await;
        waiting.is_err()
    }
}

/// One end of a connection.
pub(super) struct Peer(pub(super) TcpStream);

impl Peer {
    pub(super) async fn to(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self(stream)
    }

    pub(super) async fn say(&mut self, bytes: impl AsRef<[u8]>) {
        soon("say", self.0.write_all(bytes.as_ref())).await.unwrap();
    }

    /// Sends every byte in a packet of its own.
    pub(super) async fn spell(&mut self, bytes: impl AsRef<[u8]>) {
        for byte in bytes.as_ref() {
            self.say([*byte]).await;
            tokio::task::yield_now().await;
        }
    }

    /// Expects exactly these bytes next.
    pub(super) async fn hear(&mut self, expected: impl AsRef<[u8]>) {
        let expected = expected.as_ref();
        let heard = self.hear_bytes(expected.len()).await;
        assert_eq!(
            String::from_utf8_lossy(&heard),
            String::from_utf8_lossy(expected)
        );
    }

    pub(super) async fn hear_bytes(&mut self, length: usize) -> Vec<u8> {
        let mut heard = vec![0; length];
        let read = soon("hear", self.0.read_exact(&mut heard)).await;
        read.unwrap();
        heard
    }

    /// Everything up to and with `end`.
    pub(super) async fn hear_until(&mut self, end: &str) -> String {
        let mut heard = Vec::new();
        while !heard.ends_with(end.as_bytes()) {
            let text = || String::from_utf8_lossy(&heard).into_owned();
            let byte = soon(
                &format!("hear {end:?} after {:?}", text()),
                self.0.read_u8(),
            )
            .await;
            let Ok(byte) = byte else {
                panic!("ended after {:?}", text());
            };
            heard.push(byte);
        }
        String::from_utf8(heard).unwrap()
    }

    /// The head of an HTTP message, one line each.
    pub(super) async fn hear_head(&mut self) -> Vec<String> {
        let head = self.hear_until("\r\n\r\n").await;
        head.trim_end().split("\r\n").map(str::to_owned).collect()
    }

    /// A whole response with `Content-Length`: its status and body.
    pub(super) async fn hear_response(&mut self) -> (u16, String) {
        let head = self.hear_head().await;
        let status = head[0].split(' ').nth(1).unwrap().parse().unwrap();
        let length = head.iter().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("content-length")
                .then(|| value.parse().unwrap())
        });
        let body = self.hear_bytes(length.unwrap_or(0)).await;
        (status, String::from_utf8(body).unwrap())
    }

    /// Says that nothing more will come.
    pub(super) async fn finish(&mut self) {
        self.0.shutdown().await.unwrap();
    }

    /// Whether it has said nothing, and not ended either.
    pub(super) fn is_quiet(&self) -> bool {
        let read = self.0.try_read(&mut [0]);
        matches!(read, Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
    }

    /// Expects nothing more.
    pub(super) async fn hear_end(&mut self) {
        let mut rest = Vec::new();
        let read = soon("hear the end", self.0.read_to_end(&mut rest)).await;
        assert!(read.is_ok(), "{read:?}");
        assert_eq!(String::from_utf8_lossy(&rest), "");
    }

    /// Expects nothing more, and does not mind how.
    pub(super) async fn hear_nothing(&mut self) {
        let mut rest = Vec::new();
        let _ = soon("hear nothing", self.0.read_to_end(&mut rest)).await;
        assert_eq!(String::from_utf8_lossy(&rest), "");
    }

    /// Expects the connection to be torn down.
    pub(super) async fn hear_reset(&mut self) {
        let mut rest = Vec::new();
        let read = soon("hear a reset", self.0.read_to_end(&mut rest)).await;
        assert!(read.is_err(), "ended in peace after {rest:?}");
    }
}
