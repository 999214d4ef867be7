mod properties;

use std::net::{IpAddr, SocketAddr};

use fast_socks5::consts::{SOCKS5_CMD_TCP_BIND, SOCKS5_CMD_UDP_ASSOCIATE};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::*;
use crate::wire::hello::VERSION;

const SECRET: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const PASSWORD: u8 = 2;
const MIB: usize = 1 << 20;

fn secret() -> Secret {
    SECRET.parse().unwrap()
}

/// A client's connection to a tunnel of its own, which ends with it.
struct Peer {
    stream: TcpStream,
    tasks: JoinSet<()>,
}

impl Peer {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let (client, _) = listener.accept().await.unwrap();
            let socks = Socks {
                secret: secret(),
                names: Arc::new(Names::from_file("/nonexistent")),
                link: Arc::new(Link::new(1, VERSION)),
            };
            socks.serve(client).await;
        });
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, tasks }
    }

    async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    async fn receive<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.stream.read_exact(&mut bytes).await.unwrap();
        bytes
    }

    async fn expect_end(&mut self) {
        assert_eq!(self.stream.read(&mut [0]).await.unwrap(), 0);
    }

    /// A peer that has authenticated by password.
    async fn authenticated() -> Self {
        let mut peer = Self::new().await;
        peer.send(&[5, 1, PASSWORD]).await;
        assert_eq!(peer.receive().await, [5, PASSWORD]);
        peer.send(&password(SECRET)).await;
        assert_eq!(peer.receive().await, [1, 0]);
        peer
    }

    /// A peer whose tunnel leads to what `target` accepts.
    async fn connected(target: &TcpListener) -> (Self, TcpStream) {
        let mut peer = Self::authenticated().await;
        peer.send(&connect(target.local_addr().unwrap())).await;
        let (accepted, from) = target.accept().await.unwrap();
        assert_eq!(peer.receive().await, succeeded(from));
        (peer, accepted)
    }

    /// The reply's code for `request`, after which the connection has to end.
    async fn refused(request: &[u8]) -> u8 {
        let mut peer = Self::authenticated().await;
        peer.send(request).await;
        let [version, code, ..] = peer.receive::<10>().await;
        assert_eq!(version, 5);
        peer.expect_end().await;
        code
    }
}

async fn target() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

fn password(secret: &str) -> Vec<u8> {
    let length = u8::try_from(secret.len()).unwrap();
    [&[1, 1, b'u', length], secret.as_bytes()].concat()
}

fn connect(address: SocketAddr) -> Vec<u8> {
    let (kind, ip) = match address.ip() {
        IpAddr::V4(ip) => (1, ip.octets().to_vec()),
        IpAddr::V6(ip) => (4, ip.octets().to_vec()),
    };
    [&[5, 1, 0, kind], &ip[..], &address.port().to_be_bytes()].concat()
}

fn connect_by_name(name: &str, port: u16) -> Vec<u8> {
    let length = u8::try_from(name.len()).unwrap();
    [&[5, 1, 0, 3, length], name.as_bytes(), &port.to_be_bytes()].concat()
}

fn succeeded(bound: SocketAddr) -> [u8; 10] {
    let [high, low] = bound.port().to_be_bytes();
    [5, 0, 0, 1, 127, 0, 0, 1, high, low]
}

#[tokio::test]
async fn a_wrong_password_is_rejected() {
    for wrong in ["", "x", &SECRET[1..], &SECRET.to_uppercase()] {
        let mut peer = Peer::new().await;
        peer.send(&[5, 2, 0, PASSWORD]).await;
        assert_eq!(peer.receive().await, [5, PASSWORD]);
        peer.send(&password(wrong)).await;
        if !wrong.is_empty() {
            let [_, code] = peer.receive().await;
            assert_ne!(code, 0);
        }
        peer.expect_end().await;
    }
}

#[tokio::test]
async fn nobody_gets_in_without_authentication() {
    for greeting in [&[5, 1, 0][..], &[5, 0], &[5, 2, 0, 1], &[5, 1, 0x81]] {
        let mut peer = Peer::new().await;
        peer.send(greeting).await;
        assert_eq!(peer.receive().await, [5, 0xff]);
        peer.expect_end().await;
    }
}

#[tokio::test]
async fn garbage_closes() {
    for garbage in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[4, 1, 0, 80], &[0; 64]] {
        let mut peer = Peer::new().await;
        peer.send(garbage).await;
        peer.expect_end().await;
    }
}

#[tokio::test]
async fn all_in_one_flight_loses_nothing() {
    let target = target().await;
    let mut peer = Peer::new().await;
    let payload = noise(8 * HANDSHAKE_BUFFER);
    let request = connect(target.local_addr().unwrap());
    peer.send(&[&[5, 1, PASSWORD], &password(SECRET)[..], &request, &payload].concat())
        .await;
    let (mut accepted, from) = target.accept().await.unwrap();
    let mut received = vec![0; payload.len()];
    accepted.read_exact(&mut received).await.unwrap();
    assert!(received == payload);
    assert_eq!(peer.receive().await, [5, PASSWORD, 1, 0]);
    assert_eq!(peer.receive().await, succeeded(from));
}

#[tokio::test]
async fn one_byte_at_a_time_is_enough() {
    let target = target().await;
    let mut peer = Peer::new().await;
    let request = connect(target.local_addr().unwrap());
    for byte in [&[5, 1, PASSWORD], &password(SECRET)[..], &request].concat() {
        peer.send(&[byte]).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(peer.receive().await, [5, PASSWORD, 1, 0]);
    let (_, from) = target.accept().await.unwrap();
    assert_eq!(peer.receive().await, succeeded(from));
}

#[tokio::test]
async fn an_address_given_as_a_name_needs_no_name_server() {
    let target = target().await;
    let mut peer = Peer::authenticated().await;
    let port = target.local_addr().unwrap().port();
    peer.send(&connect_by_name("127.0.0.1", port)).await;
    let (_, from) = target.accept().await.unwrap();
    assert_eq!(peer.receive().await, succeeded(from));
}

#[tokio::test]
async fn refusals_say_why() {
    let closed = target().await.local_addr().unwrap();
    let with_command = |command| {
        let mut request = connect(closed);
        request[1] = command;
        request
    };
    let mut unknown_kind = connect(closed);
    unknown_kind[3] = 2;
    for (request, code) in [
        (connect(closed), 5),
        (connect_by_name("nobody.invalid", 80), 4),
        (with_command(SOCKS5_CMD_TCP_BIND), 7),
        (with_command(SOCKS5_CMD_UDP_ASSOCIATE), 7),
        (with_command(9), 7),
        (unknown_kind, 8),
    ] {
        assert_eq!(Peer::refused(&request).await, code, "{request:?}");
    }
}

#[tokio::test]
async fn a_refusal_arrives_though_the_client_goes_on_sending() {
    let closed = target().await.local_addr().unwrap();
    let request = [connect(closed), noise(64 * 1024)].concat();
    assert_eq!(Peer::refused(&request).await, 5);
}

#[test]
fn every_failure_has_its_reply() {
    for (failure, code) in [
        (Failure::Other, 1),
        (Failure::NetworkUnreachable, 3),
        (Failure::HostUnreachable, 4),
        (Failure::NoSuchName, 4),
        (Failure::Refused, 5),
        (Failure::TimedOut, 6),
    ] {
        assert_eq!(reply_to(failure).as_u8(), code, "{failure:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_client_is_dropped() {
    let start = Instant::now();
    let mut peer = Peer::new().await;
    peer.send(&[5]).await;
    peer.expect_end().await;
    assert!(start.elapsed() >= HANDSHAKE);
}

#[tokio::test]
async fn the_end_of_one_direction_leaves_the_other_open() {
    let target = target().await;
    let (mut peer, mut accepted) = Peer::connected(&target).await;
    peer.send(b"question").await;
    peer.stream.shutdown().await.unwrap();
    let mut question = String::new();
    accepted.read_to_string(&mut question).await.unwrap();
    assert_eq!(question, "question");
    accepted.write_all(b"answer").await.unwrap();
    assert_eq!(&peer.receive().await, b"answer");
    drop(accepted);
    peer.expect_end().await;
    peer.tasks.join_next().await.unwrap().unwrap();
}

#[tokio::test]
async fn the_target_may_end_first() {
    let target = target().await;
    let (mut peer, mut accepted) = Peer::connected(&target).await;
    accepted.write_all(b"hello").await.unwrap();
    accepted.shutdown().await.unwrap();
    assert_eq!(&peer.receive().await, b"hello");
    peer.expect_end().await;
    peer.send(b"bye").await;
    peer.stream.shutdown().await.unwrap();
    let mut bye = String::new();
    accepted.read_to_string(&mut bye).await.unwrap();
    assert_eq!(bye, "bye");
    peer.tasks.join_next().await.unwrap().unwrap();
}

#[tokio::test]
async fn a_reset_is_passed_on_as_a_reset() {
    let target = target().await;
    let (mut peer, accepted) = Peer::connected(&target).await;
    accepted.set_zero_linger().unwrap();
    drop(accepted);
    let error = peer.stream.read(&mut [0]).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn a_tunnel_that_is_cut_off_does_not_look_complete() {
    let target = target().await;
    let (mut peer, mut accepted) = Peer::connected(&target).await;
    peer.tasks.shutdown().await;
    for stream in [&mut peer.stream, &mut accepted] {
        let error = stream.read(&mut [0]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    }
}

#[tokio::test]
async fn a_mebibyte_each_way_at_once_arrives_whole() {
    let target = target().await;
    let (peer, accepted) = Peer::connected(&target).await;
    let (up, down) = (noise(MIB), noise(MIB + 1));
    let (at_target, at_client) = tokio::join!(swap(accepted, &down), swap(peer.stream, &up));
    assert!(at_target == up);
    assert!(at_client == down);
}

/// Sends all of `bytes` and receives all that the other side sends, at the same time.
async fn swap(mut stream: TcpStream, bytes: &[u8]) -> Vec<u8> {
    let (mut from, mut to) = stream.split();
    let mut received = Vec::new();
    let send = async {
        to.write_all(bytes).await.unwrap();
        to.shutdown().await.unwrap();
    };
    tokio::join!(send, async {
        from.read_to_end(&mut received).await.unwrap()
    });
    received
}

/// Bytes among which a lost or doubled piece shows.
fn noise(length: usize) -> Vec<u8> {
    let mut state = u32::try_from(length).unwrap();
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    (0..length).map(|_| next()).collect()
}
