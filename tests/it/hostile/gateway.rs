//! SOCKS and HTTP on the gateway's one port.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Echo, dropped, half_open, is_well, noise, socks_request, soon, spelled, told};
use crate::support::Serve;

#[tokio::test]
async fn nonsense_is_refused_in_its_own_language() {
    let (serve, echo) = (Serve::without_engine().await, Echo::new().await);
    is_well(&serve, &echo).await;
    let http_400 = "HTTP/1.1 400";
    let long = "a.".repeat(20_000);
    let (connect, absolute) = (
        format!("CONNECT {long}:80 HTTP/1.1\r\nConnection: close\r\n\r\n"),
        format!("GET http://{long}/ HTTP/1.1\r\nConnection: close\r\n\r\n"),
    );
    for (bytes, answer) in [
        // A TLS hello, SOCKS4, and what begins like neither.
        (&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..], ""),
        (b"\x04\x01\x00\x50\x01\x02\x03\x04me\0", "\0[\0\0\0\0\0\0"),
        (b"\0\0\0\0\0\0", ""),
        // No method that is offered; BIND; an address of no known kind.
        (b"\x05\x01\x77", "\x05\u{FFFD}"),
        (b"\x05\x00", "\x05\u{FFFD}"),
        (
            b"\x05\x01\0\x05\x02\0\x01\x7f\0\0\x01\0\x50",
            "\x05\0\x05\x07",
        ),
        (
            b"\x05\x01\0\x05\x01\0\x09\x7f\0\0\x01\0\x50",
            "\x05\0\x05\x08",
        ),
        (b"\x05\x01\0\x06\x01\0\x01\x7f\0\0\x01\0\x50", "\x05\0"),
        (b"GET\r\n\r\n", http_400),
        (b"GET / HTTP/9.9\r\n\r\n", "HTTP/1."),
        (b"GET http://[::1/ HTTP/1.1\r\n\r\n", http_400),
        (
            b"GET http://x/ HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            http_400,
        ),
        (b"GET http://x/ HTTP/1.1\r\nNo colon\r\n\r\n", http_400),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", http_400),
        (b"CONNECT / HTTP/1.1\r\nConnection: close\r\n\r\n", http_400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", ""),
        (connect.as_bytes(), http_400),
        (absolute.as_bytes(), http_400),
    ] {
        let heard = told(serve.gateway, bytes).await;
        let shown = String::from_utf8_lossy(bytes);
        assert!(heard.starts_with(answer), "{shown:?}: {heard:?}");
    }
    for seed in 0..200 {
        let first = [5, b'G', 0x16][usize::try_from(seed).unwrap() % 3];
        let mut stream = TcpStream::connect(serve.gateway).await.unwrap();
        let bytes = [&[first][..], &noise(seed, 2_000)].concat();
        let _ = stream.write_all(&bytes).await;
        let _ = stream.shutdown().await;
        let _ = soon("an end", stream.read_to_end(&mut Vec::new())).await;
    }
    is_well(&serve, &echo).await;
    serve.recovers().await;
}

#[tokio::test]
async fn a_head_without_an_end_is_refused_before_it_costs_memory() {
    let (serve, echo) = (Serve::without_engine().await, Echo::new().await);
    is_well(&serve, &echo).await;
    let before = serve.cost();
    let long = "a".repeat(32 << 20);
    let many = "a: b\r\n".repeat(1 << 20);
    for head in [
        format!("GET http://x/ HTTP/1.1\r\nlong: {long}"),
        format!("GET http://x/{long}"),
        format!("GET http://x/ HTTP/1.1\r\n{many}"),
        long.clone(),
    ] {
        // The refusal may be lost with the rest of a head that nobody reads.
        let heard = told(serve.gateway, head).await;
        assert!(
            heard.is_empty() || heard.starts_with("HTTP/1.1 4"),
            "{heard}"
        );
    }
    is_well(&serve, &echo).await;
    let after = serve.cost();
    assert!(after.memory < before.memory + 8_192, "{before:?} {after:?}");
    serve.recovers().await;
}

#[tokio::test]
async fn silent_clients_are_sent_away() {
    let (serve, echo) = (Serve::without_engine().await, Echo::new().await);
    is_well(&serve, &echo).await;
    let mut silent = half_open(serve.gateway, b"", 400).await;
    silent.extend(half_open(serve.gateway, b"\x05", 200).await);
    silent.extend(half_open(serve.gateway, b"\x05\x01\x02\x01\x04us", 200).await);
    silent.extend(half_open(serve.gateway, b"\x05\x01\0\x05\x01\0\x03\xffname", 200).await);
    // Heads have longer; these leave by themselves.
    let heads = half_open(serve.gateway, b"GET http://x/ HT", 400).await;
    is_well(&serve, &echo).await;
    dropped(silent).await;
    drop(heads);
    is_well(&serve, &echo).await;
    serve.recovers().await;
}

#[tokio::test]
async fn one_byte_at_a_time_is_enough() {
    let (serve, echo) = (Serve::without_engine().await, Echo::new().await);
    let connect = format!("CONNECT {} HTTP/1.1\r\n\r\n", echo.address);
    for (request, answer) in [
        (connect.into_bytes(), 19),
        (socks_request(echo.address), 12),
    ] {
        let stream = TcpStream::connect(serve.gateway).await.unwrap();
        let mut stream = spelled(stream, &request).await;
        let mut answer = vec![0; answer];
        soon("an answer", stream.read_exact(&mut answer))
            .await
            .unwrap();
        let mut stream = spelled(stream, b"ping").await;
        let mut pong = [0; 4];
        soon("the echo", stream.read_exact(&mut pong))
            .await
            .unwrap();
        assert_eq!(&pong, b"ping");
    }
}

#[tokio::test]
async fn silent_and_open_clients_do_not_hold_up_the_end() {
    let (serve, echo) = (Serve::without_engine().await, Echo::new().await);
    let mut open = Vec::new();
    for beginning in [&b""[..], b"\x05", b"\x05\x01\x02", b"GET http://x/ HT"] {
        open.extend(half_open(serve.gateway, beginning, 50).await);
    }
    open.extend(half_open(serve.gateway, &socks_request(echo.address), 50).await);
    is_well(&serve, &echo).await;
    serve.terminate(super::LONGER_THAN_SILENCE / 2).await;
    dropped(open).await;
}
