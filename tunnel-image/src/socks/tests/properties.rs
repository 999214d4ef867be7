//! Whatever a client sends, and however the network cuts it up.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// For what takes microseconds: a hang, not a measure.
const PATIENCE: Duration = Duration::from_secs(20);

fn run<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let limited = async { timeout(PATIENCE, work).await.unwrap() };
    runtime.unwrap().block_on(limited)
}

/// `bytes` in pieces of these lengths, over and over.
fn pieces<'a>(mut bytes: &'a [u8], lengths: &'a [usize]) -> impl Iterator<Item = &'a [u8]> {
    let mut lengths = lengths.iter().cycle();
    std::iter::from_fn(move || {
        let length = (*lengths.next()?).min(bytes.len());
        let (piece, rest) = bytes.split_at(length);
        bytes = rest;
        (!piece.is_empty()).then_some(piece)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn however_it_is_cut_up_the_same_arrives(
        payload in vec(any::<u8>(), 1..2000),
        lengths in vec(1_usize..400, 1..20),
    ) {
        run(async {
            let target = target().await;
            let address = target.local_addr().unwrap();
            let all = [vec![5, 1, PASSWORD], password(SECRET), connect(address), payload.clone()].concat();
            let mut peer = Peer::new().await;
            for piece in pieces(&all, &lengths) {
                peer.send(piece).await;
                tokio::task::yield_now().await;
            }
            assert_eq!(peer.receive().await, [5, PASSWORD, 1, 0]);
            let (mut arrived, _) = target.accept().await.unwrap();
            let _: [u8; 10] = peer.receive().await;
            let mut received = vec![0; payload.len()];
            arrived.read_exact(&mut received).await.unwrap();
            assert_eq!(received, payload);
        });
    }

    /// After any number of right bytes anything may follow: the tunnel answers or hangs up, and does not wait for more
    /// from a client that has finished. Not so many right ones that it would go where random bytes send it.
    #[test]
    fn no_bytes_keep_it_from_coming_to_an_end(
        right in 0_usize..80,
        wrong in vec(any::<u8>(), 0..600),
    ) {
        run(async {
            let all = [vec![5, 1, PASSWORD], password(SECRET)].concat();
            let mut bytes = all[..right.min(all.len())].to_vec();
            bytes.extend(wrong);
            let mut peer = Peer::new().await;
            // It may have hung up already.
            let _ = peer.stream.write_all(&bytes).await;
            let _ = peer.stream.shutdown().await;
            let mut rest = Vec::new();
            let _ = peer.stream.read_to_end(&mut rest).await;
            peer.tasks.join_next().await.unwrap().unwrap();
        });
    }
}
