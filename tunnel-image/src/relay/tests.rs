use std::future::Future;
use std::task::Waker;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex, join};

use super::*;

/// A pipe that takes few bytes, so that the relay's own memory is what counts.
const PIPE: usize = 1024;

fn ready<F: Future>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

/// Writes until nobody takes more, while `relay` runs; answers how much was taken.
async fn fill(
    source: &mut DuplexStream,
    relay: &mut (impl Future<Output = io::Result<()>> + Unpin),
) -> usize {
    let mut taken = 0;
    let mut idle_rounds = 0;
    while idle_rounds < 2 * TURN {
        tokio::select! {
            biased;
            result = &mut *relay => panic!("the relay ended: {result:?}"),
            () = tokio::task::yield_now() => {}
        }
        match ready(source.write(&[7; PIPE])) {
            Some(written) => taken += written.unwrap(),
            None => idle_rounds += 1,
        }
    }
    taken
}

#[tokio::test]
async fn a_reader_that_stalls_stops_the_sender() {
    let (mut source, mut client) = duplex(PIPE);
    let (mut target, mut sink) = duplex(PIPE);
    let mut relay = pin!(relay(&mut client, &mut target, Vec::new(), Vec::new()));

    let taken = fill(&mut source, &mut relay).await;
    assert!(taken <= PIPE + LEAST + PIPE, "{taken} bytes were taken");

    // What was held back is not lost, and in order.
    source.shutdown().await.unwrap();
    let mut received = Vec::new();
    tokio::select! {
        _ = &mut relay => panic!("the other direction is still open"),
        read = sink.read_to_end(&mut received) => { read.unwrap(); }
    }
    assert_eq!(received.len(), taken);
    drop(sink);
    relay.await.unwrap();
}

#[tokio::test]
async fn nothing_is_held_once_the_receiver_has_caught_up() {
    let (mut source, mut from) = duplex(2 * LEAST);
    let (mut to, mut sink) = duplex(PIPE);
    source.write_all(&vec![7; LEAST]).await.unwrap();

    let mut direction = Direction::starting_with(Vec::new());
    let other = Direction::starting_with(Vec::new());
    let mut step = || ready(poll_fn(|cx| direction.poll(cx, &mut from, &mut to, &other)));
    assert!(step().is_none());
    let mut received = vec![0; LEAST];
    while ready(sink.read_exact(&mut received[..PIPE])).is_some() {
        assert!(step().is_none());
    }
    assert_eq!(direction.pending.capacity(), 0);
}

#[tokio::test]
async fn early_bytes_come_first() {
    let (mut source, mut client) = duplex(PIPE);
    let (mut target, mut sink) = duplex(PIPE);
    source.write_all(b"late").await.unwrap();
    source.shutdown().await.unwrap();
    sink.shutdown().await.unwrap();

    relay(&mut client, &mut target, b"early ".to_vec(), Vec::new())
        .await
        .unwrap();
    drop(target);
    let mut received = String::new();
    sink.read_to_string(&mut received).await.unwrap();
    assert_eq!(received, "early late");
}

#[tokio::test]
async fn the_last_words_of_a_dead_target_arrive() {
    let (mut source, mut client) = duplex(PIPE);
    // A target that takes nothing any more, but had answered before.
    let (answer, mut answers) = duplex(PIPE);
    let (closed, taking) = duplex(PIPE);
    drop(closed);
    answers.write_all(b"413").await.unwrap();
    drop(answers);
    let mut target = join(answer, taking);

    source.write_all(b"upload").await.unwrap();
    let error = relay(&mut client, &mut target, Vec::new(), Vec::new())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    let mut received = [0; 3];
    source.read_exact(&mut received).await.unwrap();
    assert_eq!(&received, b"413");
}
