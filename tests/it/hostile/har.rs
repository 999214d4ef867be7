//! The archive of the built-in interceptor, when its disk is full and when it is killed.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::soon;
use crate::support::{Serve, eventually, succeed};

/// No limit that anything here reaches, in KiB.
const PLENTY: u32 = 1 << 21;

/// Answers every connection with a page of that length.
async fn pages(length: usize) -> (SocketAddr, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut serving = JoinSet::new();
    serving.spawn(async move {
        let body = "x".repeat(length);
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        );
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 1024]).await;
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    (address, serving)
}

async fn fetch(interceptor: SocketAddr, page: SocketAddr) -> usize {
    let mut stream = TcpStream::connect(interceptor).await.unwrap();
    let request = format!("GET http://{page}/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let read = soon("a page", stream.read_to_end(&mut answer)).await;
    read.map_or(0, |_| answer.len())
}

/// How many entries there are; nothing if that is no archive.
fn entries(text: &[u8]) -> Option<usize> {
    let archive: Value = serde_json::from_slice(text).ok()?;
    Some(archive["log"]["entries"].as_array()?.len())
}

/// What docs/interception.md recommends.
fn repaired(har: &Path) -> String {
    let mut shell = Command::new("sh");
    let repair = "{ sed '$d' \"$0\" | sed '$s/,$//'; echo ']}}'; }";
    succeed(shell.args(["-c", repair]).arg(har))
}

#[tokio::test]
async fn a_full_disk_costs_entries_and_never_the_archive() {
    let folder = tempfile::tempdir().unwrap();
    let har = folder.path().join("a.har");
    let (serve, interceptor) = Serve::archiving(&har, 16).await;
    let (page, _serving) = pages(1_000).await;
    let archive = || std::fs::read(&har).unwrap();
    let mut before = 0;
    // Until one more leaves no trace.
    loop {
        assert!(fetch(interceptor, page).await > 1_000);
        let grown = tokio::time::timeout(std::time::Duration::from_secs(2), async {
            eventually("one more", async || {
                entries(&archive()).filter(|entries| *entries > before)
            })
            .await
        });
        match grown.await {
            Ok(entries) => before = entries,
            Err(_) => break,
        }
    }
    assert!((3..16).contains(&before), "{before}");
    for _ in 0..5 {
        assert!(
            fetch(interceptor, page).await > 1_000,
            "what passes does not care"
        );
    }
    // And there is room for a smaller one, if any.
    drop(serve);
    assert!(entries(&archive()).unwrap() >= before);
    let length = archive().len();
    assert!(length <= 16 * 1024, "{length}");
}

#[tokio::test]
async fn a_kill_in_the_middle_leaves_an_archive_or_all_but_its_last_line() {
    let folder = tempfile::tempdir().unwrap();
    let (page, _serving) = pages(900_000).await;
    for round in 0..3 {
        let har = folder.path().join(format!("{round}.har"));
        let (serve, interceptor) = Serve::archiving(&har, PLENTY).await;
        let mut asking = JoinSet::new();
        for _ in 0..4 {
            asking.spawn(async move { while fetch(interceptor, page).await > 0 {} });
        }
        let length = async || std::fs::metadata(&har).unwrap().len();
        eventually("many entries", async || {
            (length().await > 20_000_000).then_some(())
        })
        .await;
        drop(serve);
        asking.shutdown().await;
        let text = std::fs::read(&har).unwrap();
        let found = entries(&text).or_else(|| {
            println!("round {round}: cut in the middle of an entry");
            entries(repaired(&har).as_bytes())
        });
        assert!(found.unwrap() > 10, "{found:?}");
    }
}
