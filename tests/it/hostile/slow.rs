//! Readers and writers that are slow: the other side waits for them, and dockline keeps next to nothing meanwhile.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::{Echo, by_connect, by_socks, is_well, noise, soon};
use crate::support::{PATIENCE, Serve};

const CONNECTIONS: usize = 32;
/// What both kernels' buffers of two loopback connections may hold: far more than they do.
const BUFFERS: usize = 32 << 20;
/// What the relay may hold back for each connection, in KiB, and what its allocator may add.
const HELD_BACK: u64 = 64 + 64;
/// What HTTP may hold back for each message that is stuck both ways, in KiB: four buffers, of 408 KiB at most, while they
/// grow.
const MESSAGE: u64 = 4 * 1_024;
const SLACK: u64 = 8_192;
/// How often in a row a sender must be stuck, with work for the service in between, to count as blocked.
const STUCK: usize = 5;

/// Sends until the other side takes no more; answers how much it took.
async fn fill(stream: &TcpStream, serve: &Serve, echo: &Echo) -> usize {
    let bytes = noise(3, 1 << 16);
    let (mut taken, mut stuck) = (0, 0);
    while stuck < STUCK {
        match stream.try_write(&bytes[taken % bytes.len()..]) {
            Ok(written) => {
                taken += written;
                stuck = 0;
            }
            Err(error) => {
                assert_eq!(
                    error.kind(),
                    io::ErrorKind::WouldBlock,
                    "after {taken} bytes: {error}"
                );
                is_well(serve, echo).await;
                stuck += 1;
            }
        }
        assert!(
            taken < BUFFERS,
            "nobody reads, and yet {taken} bytes were taken"
        );
    }
    taken
}

/// Reads exactly what [`fill`] sent.
async fn drain(stream: &mut TcpStream, length: usize) {
    let bytes = noise(3, 1 << 16);
    let mut heard = vec![0; length];
    soon("all that was sent", stream.read_exact(&mut heard))
        .await
        .unwrap();
    for (piece, expected) in heard.chunks(bytes.len()).zip(std::iter::repeat(&bytes)) {
        assert!(
            *piece == expected[..piece.len()],
            "bytes were lost or changed"
        );
    }
}

#[tokio::test]
async fn a_sender_waits_for_a_reader_that_does_not_read() {
    let (serve, echo) = (Serve::without_engine().await, Echo::new().await);
    let target = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = target.local_addr().unwrap();
    is_well(&serve, &echo).await;
    let before = serve.cost();
    let mut pairs = Vec::new();
    for number in 0..CONNECTIONS {
        let client = match number % 2 {
            0 => by_socks(serve.gateway, address).await,
            _ => by_connect(serve.gateway, address).await,
        };
        pairs.push((client, target.accept().await.unwrap().0));
    }
    let mut sent = Vec::new();
    for (client, container) in &pairs {
        let up = fill(client, &serve, &echo).await;
        sent.push((up, fill(container, &serve, &echo).await));
    }
    let after = serve.cost();
    let most = before.memory + HELD_BACK * CONNECTIONS as u64 + SLACK;
    println!("{CONNECTIONS} blocked both ways: {before:?} {after:?}, of {sent:?} bytes");
    assert!(after.memory < most, "{before:?} {after:?}");
    for ((mut client, mut container), (up, down)) in pairs.into_iter().zip(sent) {
        drain(&mut container, up).await;
        drain(&mut client, down).await;
    }
    is_well(&serve, &echo).await;
    serve.recovers().await;
}

#[tokio::test]
async fn an_origin_waits_for_a_client_that_does_not_read_its_answer() {
    let (serve, echo) = (Serve::without_engine().await, Echo::new().await);
    let origin = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = origin.local_addr().unwrap();
    is_well(&serve, &echo).await;
    let before = serve.cost();
    let mut pairs = Vec::new();
    for _ in 0..8 {
        let mut client = TcpStream::connect(serve.gateway).await.unwrap();
        let request = format!(
            "POST http://{address}/ HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999\r\n\r\n"
        );
        client.write_all(request.as_bytes()).await.unwrap();
        let (mut container, _) = soon("the request", origin.accept()).await.unwrap();
        let mut head = vec![0; 4];
        while !head.ends_with(b"\r\n\r\n") {
            head.push(soon("the request", container.read_u8()).await.unwrap());
        }
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n";
        container.write_all(head).await.unwrap();
        fill(&container, &serve, &echo).await;
        fill(&client, &serve, &echo).await;
        pairs.push((client, container));
    }
    let after = serve.cost();
    println!("8 blocked messages: {before:?} {after:?}");
    assert!(
        after.memory < before.memory + 8 * MESSAGE + SLACK,
        "{before:?} {after:?}"
    );
    drop(pairs);
    is_well(&serve, &echo).await;
    serve.recovers().await;
}

#[tokio::test]
async fn who_asks_and_does_not_listen_to_dns_is_not_heard_any_more() {
    let (serve, echo) = (Serve::without_engine().await, Echo::new().await);
    is_well(&serve, &echo).await;
    let before = serve.cost();
    let client = TcpStream::connect(serve.dns).await.unwrap();
    let question = super::framed(&super::question(1, "nobody"));
    let questions = question.repeat(2_000);
    let (mut taken, mut stuck) = (0, 0);
    let started = std::time::Instant::now();
    while stuck < STUCK {
        match client.try_write(&questions[taken % question.len()..]) {
            Ok(written) => (taken, stuck) = (taken + written, 0),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                is_well(&serve, &echo).await;
                stuck += 1;
            }
            // It was given up, which is as good.
            Err(_) => break,
        }
        assert!(
            taken < BUFFERS,
            "nobody listens, and yet {taken} bytes were taken"
        );
        assert!(started.elapsed() < PATIENCE);
    }
    let after = serve.cost();
    println!("{taken} bytes of questions: {before:?} {after:?}");
    assert!(after.memory < before.memory + SLACK, "{before:?} {after:?}");
    drop(client);
    serve.recovers().await;
}
