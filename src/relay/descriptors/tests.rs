//! Between real sockets, whose buffers hold some hundred kilobytes.

use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::*;

/// More than all buffers on the way hold.
const MUCH: usize = 8 * 1024 * 1024 + 17;
/// When nobody has taken anything for so long, nobody does.
const QUIET: Duration = Duration::from_millis(300);

fn noise(length: usize, seed: usize) -> Vec<u8> {
    let byte = |at: usize| u8::try_from((at * 31 + seed + at / 251) % 256).unwrap();
    (0..length).map(byte).collect()
}

fn pair() -> (UnixStream, UnixStream) {
    let (far, near) = UnixStream::pair().unwrap();
    far.set_nonblocking(true).unwrap();
    near.set_nonblocking(true).unwrap();
    (far, near)
}

fn peer(stream: UnixStream) -> tokio::net::UnixStream {
    tokio::net::UnixStream::from_std(stream).unwrap()
}

/// A client and a target, and the relay between them.
fn relayed(
    up: &'static [u8],
    down: &'static [u8],
) -> (UnixStream, UnixStream, JoinSet<io::Result<()>>) {
    let ((client, near), (target, far)) = (pair(), pair());
    let (up, down) = (Bytes::from_static(up), Bytes::from_static(down));
    let mut relay = JoinSet::new();
    relay.spawn(carry(near.into(), far.into(), up, down));
    (client, target, relay)
}

async fn ended(relay: &mut JoinSet<io::Result<()>>) -> io::Result<()> {
    relay.join_next().await.unwrap().unwrap()
}

/// Sends it in pieces of that length, and says that this is all.
async fn send(mut to: OwnedWriteHalf, bytes: Vec<u8>, piece: usize) {
    for piece in bytes.chunks(piece) {
        to.write_all(piece).await.unwrap();
    }
    to.shutdown().await.unwrap();
}

/// All that comes, read in pieces of that length.
async fn receive(mut from: OwnedReadHalf, piece: usize) -> Vec<u8> {
    let (mut heard, mut bite) = (Vec::new(), vec![0; piece]);
    loop {
        match from.read(&mut bite).await.unwrap() {
            0 => return heard,
            bytes => heard.extend_from_slice(&bite[..bytes]),
        }
    }
}

/// Sends until nothing is taken any more; tells how much was.
async fn fill(client: &tokio::net::UnixStream) -> usize {
    let mut sent = 0;
    while timeout(QUIET, client.writable()).await.is_ok() {
        match client.try_write(&noise(MUCH, 1)[sent..]) {
            Ok(bytes) => sent += bytes,
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
        }
    }
    sent
}

#[tokio::test]
async fn carries_everything_both_ways_however_large_the_pieces() {
    for (length, sent, read) in [
        (100, 1, 7),
        (MUCH, MUCH, MUCH),
        (MUCH, 1_000, MUCH),
        (MUCH, MUCH, 997),
        (MUCH, 40_000, 50_000),
    ] {
        let (client, target, mut relay) = relayed(b"early up ", b"early down ");
        let (from_relay, to_relay) = peer(client).into_split();
        let (from_client, to_client) = peer(target).into_split();
        let (up, down) = (noise(length, 1), noise(length, 2));
        let ((), (), heard_up, heard_down) = tokio::join!(
            send(to_relay, up.clone(), sent),
            send(to_client, down.clone(), sent),
            receive(from_client, read),
            receive(from_relay, read),
        );
        assert!(
            heard_up == [b"early up ".as_slice(), &up].concat(),
            "{length} {sent} {read}"
        );
        assert!(
            heard_down == [b"early down ".as_slice(), &down].concat(),
            "{length} {sent} {read}"
        );
        ended(&mut relay).await.unwrap();
    }
}

#[tokio::test]
async fn one_direction_goes_on_when_the_other_has_ended() {
    let (client, target, mut relay) = relayed(b"", b"");
    client.shutdown(Shutdown::Write).unwrap();
    let (mut client, mut target) = (peer(client), peer(target));
    assert_eq!(target.read(&mut [0]).await.unwrap(), 0);
    target.write_all(b"an answer").await.unwrap();
    drop(target);
    let mut heard = Vec::new();
    client.read_to_end(&mut heard).await.unwrap();
    assert_eq!(heard, b"an answer");
    ended(&mut relay).await.unwrap();
}

/// However much a sender adds meanwhile, a relay whose receiver takes nothing holds the little that it has read.
#[tokio::test]
async fn a_stalled_receiver_stalls_its_sender() {
    let (client, target, mut relay) = relayed(b"", b"");
    let client = peer(client);
    let sent = fill(&client).await;
    assert!(sent < MUCH / 2, "{sent}");
    drop(client);
    let (from_client, _) = peer(target).into_split();
    let heard = receive(from_client, MUCH).await;
    assert!(noise(MUCH, 1)[..sent] == heard);
    // The client could be told nothing any more.
    let _ = ended(&mut relay).await;
}

#[tokio::test]
async fn the_last_words_of_a_dead_target_arrive() {
    let ((client, near), (target, far)) = (pair(), pair());
    let mut target = peer(target);
    target.write_all(b"413").await.unwrap();
    drop(target);
    let mut client = peer(client);
    client.write_all(b"upload").await.unwrap();
    let carried = carry(near.into(), far.into(), Bytes::new(), Bytes::new()).await;
    assert_eq!(carried.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    let mut heard = Vec::new();
    client.read_to_end(&mut heard).await.unwrap();
    assert_eq!(heard, b"413");
}

/// A target that says back all it hears, and hears nothing while nobody takes that, is not waited for by a dead client.
#[tokio::test]
async fn an_echo_without_a_listener_ends() {
    let (client, target, mut relay) = relayed(b"", b"");
    let mut echo = JoinSet::new();
    echo.spawn(async move {
        let (mut from, mut to) = peer(target).into_split();
        let _ = tokio::io::copy(&mut from, &mut to).await;
    });
    let client = peer(client);
    let begun = Instant::now();
    let sent = fill(&client).await;
    assert!(sent < MUCH / 2, "{sent}");
    drop(client);
    assert_eq!(
        ended(&mut relay).await.unwrap_err().kind(),
        io::ErrorKind::BrokenPipe
    );
    echo.join_next().await.unwrap().unwrap();
    assert!(begun.elapsed() < LAST_WORDS);
}

#[tokio::test(start_paused = true)]
async fn the_last_words_of_a_dead_client_are_kept_for_a_while_only() {
    let ((client, near), (target, far)) = (pair(), pair());
    drop(client);
    let mut target = peer(target);
    target.write_all(b"an answer").await.unwrap();
    let begun = Instant::now();
    let words = noise(MUCH, 1).into();
    let carried = carry(near.into(), far.into(), words, Bytes::new()).await;
    assert_eq!(carried.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    assert_eq!(begun.elapsed(), LAST_WORDS);
}
