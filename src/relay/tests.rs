//! The relay between made-up streams, which give and take as little at a time as they like.

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::task::JoinSet;

use super::*;

/// More than any buffer on the way holds.
const MUCH: usize = 3 * MOST + 17;

fn noise(length: usize, seed: usize) -> Vec<u8> {
    let byte = |at: usize| u8::try_from((at * 31 + seed + at / 251) % 256).unwrap();
    (0..length).map(byte).collect()
}

/// Sends `sent` and meanwhile reads to the end.
async fn talk(stream: DuplexStream, sent: Vec<u8>) -> Vec<u8> {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let mut heard = Vec::new();
    let (read, ()) = tokio::join!(reader.read_to_end(&mut heard), async {
        writer.write_all(&sent).await.unwrap();
        writer.shutdown().await.unwrap();
    });
    read.unwrap();
    heard
}

#[tokio::test]
async fn carries_everything_both_ways_however_small_the_bites() {
    for (client_bite, target_bite) in [(1 << 20, 1 << 20), (7, 1 << 20), (1 << 20, 7), (1_000, 3)] {
        let (client, mut near) = duplex(client_bite);
        let (target, mut far) = duplex(target_bite);
        let (up, down) = (noise(MUCH, 1), noise(MUCH, 2));
        let mut ends = JoinSet::new();
        let sent = up.clone();
        ends.spawn(async move { (true, talk(client, sent).await) });
        let sent = down.clone();
        ends.spawn(async move { (false, talk(target, sent).await) });
        let early = (
            Bytes::from_static(b"early up "),
            Bytes::from_static(b"early down "),
        );
        carry(&mut near, &mut far, early.0, early.1).await.unwrap();
        drop((near, far));
        for (is_client, heard) in ends.join_all().await {
            let expected = if is_client {
                [b"early down ".as_slice(), &down].concat()
            } else {
                [b"early up ".as_slice(), &up].concat()
            };
            assert!(heard == expected, "{client_bite} {target_bite} {is_client}");
        }
    }
}

/// Lets bytes flow for as long as they do.
async fn flow(direction: &mut Direction, from: &mut DuplexStream, to: &mut DuplexStream) {
    let other = Direction::new(Bytes::new());
    poll_fn(|cx| {
        assert!(direction.poll(cx, from, to, &other).is_pending());
        Poll::Ready(())
    })
    .await;
}

#[tokio::test]
async fn a_full_receiver_holds_back_one_small_read_at_most() {
    let (mut client, mut near) = duplex(MUCH);
    let (_target, mut far) = duplex(1);
    client.write_all(&noise(MUCH, 1)).await.unwrap();
    let mut direction = Direction::new(Bytes::new());
    flow(&mut direction, &mut near, &mut far).await;
    assert_eq!(direction.pending.len(), LEAST - 1);
}

#[tokio::test]
async fn reads_grow_while_the_receiver_takes_all_and_only_then() {
    let (mut client, mut near) = duplex(MUCH);
    let (mut target, mut far) = duplex(MUCH);
    client.write_all(&noise(MUCH, 1)).await.unwrap();
    let mut direction = Direction::new(Bytes::new());
    flow(&mut direction, &mut near, &mut far).await;
    assert_eq!(direction.reach, MOST);
    assert_eq!(direction.pending.len(), 0);

    // The receiver is full now: one large read is held back, and the next ones are small again.
    client.write_all(&noise(MUCH, 2)).await.unwrap();
    flow(&mut direction, &mut near, &mut far).await;
    assert_eq!(direction.pending.len(), MOST);
    assert_eq!(direction.reach, LEAST);

    // Once it is taken, its memory is given back.
    let mut taken = vec![0; MUCH];
    target.read_exact(&mut taken).await.unwrap();
    flow(&mut direction, &mut near, &mut far).await;
    assert_eq!(direction.pending.len(), 0);
}
