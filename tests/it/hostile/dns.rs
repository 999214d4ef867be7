//! DNS over UDP and TCP.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

use super::{
    Echo, ask_by_udp, dropped, framed, half_open, is_well, noise, question, soon, spelled,
};
use crate::support::Serve;

/// Connections that the server serves at a time; more wait.
const CONNECTIONS: usize = 128;

#[tokio::test]
async fn datagrams_of_noise_are_forgotten() {
    let (serve, echo) = (Serve::without_engine().await, Echo::new().await);
    is_well(&serve, &echo).await;
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.connect(serve.dns).await.unwrap();
    // The first flood shows how much is kept at a time, the second that it is not kept.
    flood(&socket, &serve, &echo).await;
    let before = serve.cost();
    flood(&socket, &serve, &echo).await;
    let after = serve.cost();
    assert!(after.memory < before.memory + 6_144, "{before:?} {after:?}");
    serve.recovers().await;
}

async fn flood(socket: &UdpSocket, serve: &Serve, echo: &Echo) {
    for round in 0..20_000_u64 {
        let mut bytes = noise(round, usize::try_from(round % 1_400).unwrap());
        if round % 3 == 0 {
            // A question, up to where the noise begins.
            let good = question(1, "some.name.of.length");
            let kept = usize::try_from(round).unwrap() % good.len();
            bytes.splice(..bytes.len().min(kept), good[..kept].iter().copied());
        }
        socket.send(&bytes).await.unwrap();
        if round % 5_000 == 0 {
            is_well(serve, echo).await;
        }
    }
    socket.send(&noise(1, 65_507)).await.unwrap();
    is_well(serve, echo).await;
}

#[tokio::test]
async fn who_holds_connections_holds_up_datagrams_not_at_all_and_others_not_for_long() {
    let (serve, echo) = (Serve::without_engine().await, Echo::new().await);
    is_well(&serve, &echo).await;
    let mut held = Vec::new();
    let good = framed(&question(9, "nobody"));
    for beginning in [&[][..], &[0], &good[..7], &[0xFF, 0xFF, 1]] {
        held.extend(half_open(serve.dns, beginning, CONNECTIONS / 4).await);
    }
    is_well(&serve, &echo).await;
    let mut waiting = TcpStream::connect(serve.dns).await.unwrap();
    waiting.write_all(&good).await.unwrap();
    let mut answer = [0; 4];
    soon("DNS over TCP", waiting.read_exact(&mut answer))
        .await
        .unwrap();
    assert_eq!(answer[2..], [0, 9]);
    dropped(held).await;
    drop(waiting);
    serve.recovers().await;
}

#[tokio::test]
async fn noise_on_a_connection_ends_it() {
    let (serve, echo) = (Serve::without_engine().await, Echo::new().await);
    for seed in 0..50 {
        // In frames, and out of step with them.
        let bytes = match seed % 2 {
            0 => framed(&noise(seed, 300)),
            _ => noise(seed, 3_000),
        };
        let mut stream = TcpStream::connect(serve.dns).await.unwrap();
        stream.write_all(&bytes).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answers = Vec::new();
        let _ = soon("an end", stream.read_to_end(&mut answers)).await;
        // An answer to noise is an error of eight words at most.
        assert!(answers.len() < bytes.len() + 64);
    }
    is_well(&serve, &echo).await;
    serve.recovers().await;
}

#[tokio::test]
async fn a_question_may_come_a_byte_at_a_time() {
    let serve = Serve::without_engine().await;
    let stream = TcpStream::connect(serve.dns).await.unwrap();
    let mut stream = spelled(stream, &framed(&question(5, "nobody"))).await;
    let mut answer = [0; 6];
    soon("an answer", stream.read_exact(&mut answer))
        .await
        .unwrap();
    assert_eq!(answer[2..4], [0, 5]);
    assert_eq!(answer[5] & 15, 3, "NXDOMAIN");
}

#[tokio::test]
async fn names_as_long_as_they_can_be_are_answered() {
    let serve = Serve::without_engine().await;
    let label = "a".repeat(63);
    let longest = [&label[..], &label, &label, &label[..61]].join(".");
    for name in [longest.as_str(), &["a"; 127].join(".")] {
        let answer = ask_by_udp(serve.dns, &question(3, name)).await;
        assert_eq!((answer[1], answer[3] & 15), (3, 3), "{name}");
    }
}
