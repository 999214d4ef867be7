//! Very many connections at a time.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::{Echo, by_connect, by_socks, is_well, soon};
use crate::support::{Serve, raise_file_limit};

const TUNNELS: usize = 5_000;
/// What one idle tunnel may cost in a build for tests, in bytes.
const EACH: u64 = 16 << 10;

#[tokio::test]
async fn thousands_of_tunnels_stay_open_and_leave_nothing() {
    let (serve, echo) = (Serve::without_engine().await, Echo::new().await);
    let target = TcpListener::bind("127.0.0.1:0").await.unwrap();
    is_well(&serve, &echo).await;
    let before = serve.cost();
    let mut open = open(&serve, target.local_addr().unwrap(), &target).await;
    let count = open.len();
    let full = serve.cost();
    println!("{count} tunnels: {before:?} {full:?}");
    assert!(full.files >= 2 * count);
    let most = before.memory + EACH * count as u64 / 1_024;
    assert!(full.memory < most, "{before:?} {full:?}");
    is_well(&serve, &echo).await;
    // Each is alive in both directions.
    for (number, (client, far)) in open.iter_mut().enumerate() {
        passes(number, client, far).await;
        passes(number, far, client).await;
    }
    drop(open);
    is_well(&serve, &echo).await;
    serve.recovers().await;
}

async fn passes(number: usize, from: &mut TcpStream, to: &mut TcpStream) {
    let word = number.to_be_bytes();
    from.write_all(&word).await.unwrap();
    let mut heard = word.map(|byte| !byte);
    soon("a word", to.read_exact(&mut heard)).await.unwrap();
    assert_eq!(heard, word);
}

/// As many tunnels as are wanted, or as this process may have files for both ends of.
async fn open(
    serve: &Serve,
    address: SocketAddr,
    target: &TcpListener,
) -> Vec<(TcpStream, TcpStream)> {
    // Half for other tests in this process.
    let files = usize::try_from(raise_file_limit()).unwrap_or(usize::MAX);
    let count = TUNNELS.min(files / 4);
    let mut open = Vec::new();
    for number in 0..count {
        let client = match number % 2 {
            0 => by_socks(serve.gateway, address).await,
            _ => by_connect(serve.gateway, address).await,
        };
        open.push((
            client,
            soon("the far end", target.accept()).await.unwrap().0,
        ));
    }
    open
}
