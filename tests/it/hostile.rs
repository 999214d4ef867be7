//! Clients that are broken or mean harm, on every port: what they get, what it costs, and that nobody else notices.
//!
//! The program runs as a process of its own and without an engine; the way through the gateway is the one to this host.

mod control;
mod dns;
mod gateway;
mod har;
mod interceptor;
mod many;
mod slow;

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::support::{PATIENCE, Serve};

/// Longer than the longest deadline that a silent client of gateway or DNS has (ten seconds).
const LONGER_THAN_SILENCE: Duration = Duration::from_secs(20);

async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let done = timeout(PATIENCE, future).await;
    done.unwrap_or_else(|_| panic!("hangs: {what}"))
}

/// Sends back what it gets, on loopback.
struct Echo {
    address: SocketAddr,
    _task: JoinSet<()>,
}

impl Echo {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                open.spawn(async move {
                    let (mut from, mut to) = stream.split();
                    let _ = tokio::io::copy(&mut from, &mut to).await;
                });
            }
        });
        Self {
            address,
            _task: task,
        }
    }
}

/// Everything that listens answers a client that behaves.
async fn is_well(serve: &Serve, echo: &Echo) {
    let answer = soon("DNS", ask_by_udp(serve.dns, &question(7, "nobody"))).await;
    assert_eq!(answer[..2], [0, 7]);
    assert_eq!(answer[3] & 15, 3, "NXDOMAIN");
    assert_eq!(soon("status", serve.status()).await.instance, "alone");
    let health = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let answer = told(serve.http, health).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    for mut stream in [
        by_socks(serve.gateway, echo.address).await,
        by_connect(serve.gateway, echo.address).await,
    ] {
        stream.write_all(b"ping").await.unwrap();
        let mut pong = [0; 4];
        soon("the echo", stream.read_exact(&mut pong))
            .await
            .unwrap();
        assert_eq!(&pong, b"ping");
    }
}

/// A question for IPv4 addresses.
fn question(id: u16, name: &str) -> Vec<u8> {
    let mut bytes = [id.to_be_bytes(), [1, 0], [0, 1], [0; 2], [0; 2], [0; 2]].concat();
    for label in name.split('.') {
        bytes.push(u8::try_from(label.len()).unwrap());
        bytes.extend(label.as_bytes());
    }
    bytes.extend([0, 0, 1, 0, 1]);
    bytes
}

/// The same as it is sent over TCP.
fn framed(message: &[u8]) -> Vec<u8> {
    let length = u16::try_from(message.len()).unwrap();
    [&length.to_be_bytes(), message].concat()
}

async fn ask_by_udp(dns: SocketAddr, message: &[u8]) -> Vec<u8> {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.connect(dns).await.unwrap();
    let mut answer = vec![0; 4096];
    // In a flood of nonsense a datagram may be lost, as everywhere.
    loop {
        socket.send(message).await.unwrap();
        if let Ok(received) = timeout(Duration::from_secs(1), socket.recv(&mut answer)).await {
            answer.truncate(received.unwrap());
            return answer;
        }
    }
}

async fn by_socks(gateway: SocketAddr, to: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(gateway).await.unwrap();
    stream.write_all(&socks_request(to)).await.unwrap();
    let mut answers = [0; 12];
    let read = soon("SOCKS", stream.read_exact(&mut answers)).await;
    read.unwrap();
    assert_eq!(answers[..4], [5, 0, 5, 0]);
    stream
}

/// Greeting and request at once.
fn socks_request(to: SocketAddr) -> Vec<u8> {
    let SocketAddr::V4(to) = to else {
        unreachable!()
    };
    let address = to.ip().octets();
    [
        &[5, 1, 0, 5, 1, 0, 1],
        &address[..],
        &to.port().to_be_bytes(),
    ]
    .concat()
}

async fn by_connect(gateway: SocketAddr, to: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(gateway).await.unwrap();
    let request = format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = [0; 19];
    let read = soon("CONNECT", stream.read_exact(&mut answer)).await;
    read.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200 OK\r\n\r\n");
    stream
}

/// Says all of `bytes`, or as much as is taken, and hears everything until the end.
async fn told(address: SocketAddr, bytes: impl AsRef<[u8]>) -> String {
    let stream = TcpStream::connect(address).await.unwrap();
    let answer = soon("an end", exchange(stream, bytes.as_ref())).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// That the other side ends early, or resets, is its right.
async fn exchange<S>(stream: S, bytes: &[u8]) -> Vec<u8>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite,
{
    let (mut from, mut to) = tokio::io::split(stream);
    let mut answer = Vec::new();
    let _ = tokio::join!(to.write_all(bytes), from.read_to_end(&mut answer));
    answer
}

/// Sends every byte in a packet of its own.
async fn spelled(mut stream: TcpStream, bytes: &[u8]) -> TcpStream {
    stream.set_nodelay(true).unwrap();
    for byte in bytes {
        stream.write_all(&[*byte]).await.unwrap();
        tokio::task::yield_now().await;
    }
    stream
}

/// Bytes without a meaning, the same each time.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        state.to_be_bytes()[2]
    };
    (0..length).map(|_| next()).collect()
}

/// Clients that say `beginning` and no more, each on a connection of its own.
async fn half_open(address: SocketAddr, beginning: &[u8], count: usize) -> Vec<TcpStream> {
    let mut open = Vec::new();
    for _ in 0..count {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(beginning).await.unwrap();
        open.push(stream);
    }
    open
}

/// Waits until the other side has ended all of these.
async fn dropped(clients: Vec<TcpStream>) {
    let ended = timeout(LONGER_THAN_SILENCE, async {
        for mut client in clients {
            let mut rest = Vec::new();
            let _ = client.read_to_end(&mut rest).await;
        }
    });
    ended.await.expect("silent clients are kept");
}
