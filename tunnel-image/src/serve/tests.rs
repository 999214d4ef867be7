use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::*;
use crate::link::Link;
use crate::names::Names;
use crate::socks::Socks;
use crate::wire::hello::VERSION;

struct Server {
    address: SocketAddr,
    stop_tx: oneshot::Sender<()>,
    serving: JoinSet<JoinSet<()>>,
}

async fn server(capacity: usize) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let socks = Arc::new(Socks {
        secret: "0".repeat(64).parse().unwrap(),
        names: Arc::new(Names::from_file("/nonexistent")),
        link: Arc::new(Link::new(1, VERSION)),
    });
    let client = move |stream| {
        let socks = Arc::clone(&socks);
        async move { socks.serve(stream).await }
    };
    let (stop_tx, stop_rx) = oneshot::channel();
    let stop = async { stop_rx.await.unwrap() };
    let mut serving = JoinSet::new();
    serving.spawn(serve(vec![listener], client, capacity, stop));
    Server {
        address,
        stop_tx,
        serving,
    }
}

async fn greeted(stream: &mut TcpStream) {
    stream.write_all(&[5, 1, 2]).await.unwrap();
    stream.read_exact(&mut [0; 2]).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn beyond_capacity_connections_wait_for_their_turn() {
    let server = server(1).await;
    let mut first = TcpStream::connect(server.address).await.unwrap();
    let mut second = TcpStream::connect(server.address).await.unwrap();
    greeted(&mut first).await;
    let early = timeout(Duration::from_secs(1), greeted(&mut second)).await;
    assert!(early.is_err(), "two at a time");
    drop(first);
    second.read_exact(&mut [0; 2]).await.unwrap();
}

#[tokio::test]
async fn when_stopped_it_hands_back_what_is_open() {
    let mut server = server(2).await;
    let mut client = TcpStream::connect(server.address).await.unwrap();
    greeted(&mut client).await;
    server.stop_tx.send(()).unwrap();
    let mut open = server.serving.join_next().await.unwrap().unwrap();
    assert!(TcpStream::connect(server.address).await.is_err());
    assert_eq!(open.len(), 1);
    drop(client);
    open.join_next().await.unwrap().unwrap();
}
