//! The built-in interceptor's own port, and what comes after CONNECT there.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore};

use super::{Echo, by_connect, dropped, half_open, is_well, noise, soon, spelled, told};
use crate::support::Serve;

/// A TLS record that begins a handshake.
const HELLO_BEGINS: &[u8] = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";

async fn serves(serve: &Serve, interceptor: SocketAddr, echo: &Echo) {
    is_well(serve, echo).await;
    let mut stream = by_connect(interceptor, echo.address).await;
    pings(&mut stream).await;
}

async fn pings(stream: &mut TcpStream) {
    stream.write_all(b"ping").await.unwrap();
    let mut pong = [0; 4];
    let read = soon("the echo", stream.read_exact(&mut pong)).await;
    read.unwrap();
    assert_eq!(&pong, b"ping");
}

/// A whole hello of a client that speaks HTTP.
fn hello() -> Vec<u8> {
    let trust = RootCertStore::empty();
    let mut config = ClientConfig::builder()
        .with_root_certificates(trust)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let mut client = ClientConnection::new(Arc::new(config), "api".try_into().unwrap()).unwrap();
    let mut bytes = Vec::new();
    client.write_tls(&mut bytes).unwrap();
    bytes
}

#[tokio::test]
async fn nonsense_is_refused_and_nothing_goes_in_circles() {
    let ((serve, interceptor), echo) = (Serve::intercepting().await, Echo::new().await);
    serves(&serve, interceptor, &echo).await;
    let itself = format!("GET http://{interceptor}/ HTTP/1.1\r\nConnection: close\r\n\r\n");
    let through = format!("CONNECT {interceptor} HTTP/1.1\r\nConnection: close\r\n\r\n");
    let (bad, circle) = ("HTTP/1.1 400", "HTTP/1.1 508");
    for (bytes, answer) in [
        (HELLO_BEGINS, ""),
        (b"GET\r\n\r\n", bad),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", bad),
        (b"GET http://[::1/ HTTP/1.1\r\n\r\n", bad),
        (b"GET ftp://x/ HTTP/1.1\r\n\r\n", bad),
        (b"CONNECT / HTTP/1.1\r\nConnection: close\r\n\r\n", bad),
        (b"CONNECT x HTTP/1.1\r\nConnection: close\r\n\r\n", bad),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", ""),
        (itself.as_bytes(), circle),
        (through.as_bytes(), circle),
    ] {
        let heard = told(interceptor, bytes).await;
        let shown = String::from_utf8_lossy(bytes);
        assert!(heard.starts_with(answer), "{shown:?}: {heard:?}");
    }
    for seed in 0..100 {
        let first = [b'G', 0x16][usize::try_from(seed).unwrap() % 2];
        let bytes = [&[first][..], &noise(seed, 2_000)].concat();
        let mut inside = by_connect(interceptor, echo.address).await;
        for stream in [
            &mut TcpStream::connect(interceptor).await.unwrap(),
            &mut inside,
        ] {
            let _ = stream.write_all(&bytes).await;
            let _ = stream.shutdown().await;
            let _ = soon("an end", stream.read_to_end(&mut Vec::new())).await;
        }
    }
    serves(&serve, interceptor, &echo).await;
    serve.recovers().await;
}

#[tokio::test]
async fn heads_and_hellos_without_an_end_cost_nothing() {
    let ((serve, interceptor), echo) = (Serve::intercepting().await, Echo::new().await);
    serves(&serve, interceptor, &echo).await;
    let before = serve.cost();
    let long = "a".repeat(16 << 20);
    for head in [
        format!("GET http://x/ HTTP/1.1\r\nlong: {long}"),
        format!("GET http://x/{long}"),
        format!("CONNECT {} HTTP/1.1\r\nx: {long}", echo.address),
    ] {
        // The refusal may be lost with the rest of a head that nobody reads.
        let heard = told(interceptor, head).await;
        let refused = heard.is_empty() || heard.starts_with("HTTP/1.1 4");
        assert!(refused, "{heard}");
    }
    // A hello that claims to be as long as one can be, in records that go on and on.
    let record = [
        b"\x16\x03\x01\x40\x00\x01\xff\xff\xff".to_vec(),
        vec![0; 16_379],
    ]
    .concat();
    let mut stream = by_connect(interceptor, echo.address).await;
    for _ in 0..1_024 {
        if stream.write_all(&record).await.is_err() {
            break;
        }
    }
    drop(stream);
    serves(&serve, interceptor, &echo).await;
    let after = serve.cost();
    assert!(after.memory < before.memory + 8_192, "{before:?} {after:?}");
    serve.recovers().await;
}

#[tokio::test]
async fn a_hello_may_come_a_byte_at_a_time_and_half_of_one_is_not_waited_for() {
    let ((serve, interceptor), echo) = (Serve::intercepting().await, Echo::new().await);
    let mut silent = Vec::new();
    for _ in 0..100 {
        let mut stream = by_connect(interceptor, echo.address).await;
        stream.write_all(HELLO_BEGINS).await.unwrap();
        silent.push(stream);
    }
    let stream = TcpStream::connect(interceptor).await.unwrap();
    let connect = format!("CONNECT {} HTTP/1.1\r\n\r\n", echo.address);
    let mut stream = spelled(stream, connect.as_bytes()).await;
    let mut answer = [0; 19];
    let read = soon("CONNECT", stream.read_exact(&mut answer)).await;
    read.unwrap();
    let mut stream = spelled(stream, &hello()).await;
    let mut answer = [0; 3];
    let read = soon("a hello in answer", stream.read_exact(&mut answer)).await;
    read.unwrap();
    assert_eq!(answer, [0x16, 3, 3]);
    dropped(silent).await;
    drop(stream);
    serves(&serve, interceptor, &echo).await;
    serve.recovers().await;
}

#[tokio::test]
async fn open_clients_do_not_hold_up_the_end() {
    let ((serve, interceptor), echo) = (Serve::intercepting().await, Echo::new().await);
    let mut open = half_open(interceptor, b"", 50).await;
    open.extend(half_open(interceptor, b"GET http://x/ HT", 50).await);
    for beginning in [&b""[..], HELLO_BEGINS, b"ping"] {
        let mut stream = by_connect(interceptor, echo.address).await;
        stream.write_all(beginning).await.unwrap();
        open.push(stream);
    }
    serves(&serve, interceptor, &echo).await;
    serve.terminate(super::LONGER_THAN_SILENCE / 2).await;
    dropped(open).await;
}
