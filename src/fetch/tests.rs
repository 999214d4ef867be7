//! An engine, and whoever serves the entry's callers, are both the test's.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use hyper::header::HeaderValue;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::forward::moved;
use super::lines::pair;
use super::{Arrival, Fetch};
use crate::core::caller::Caller;
use crate::core::resolve::Scope;
use crate::core::sample::{map, network_id};
use crate::core::tunnel_state::TunnelState;

/// Whatever takes longer has failed.
const LIMIT: Duration = Duration::from_secs(20);
const MAP: &str = "
    net bridge default 172.17.0.0/16
    net shop 172.20.0.0/24
    run dockline-tunnel-default tunnel bridge=172.17.0.9 shop=172.20.0.9
    run web watched shop=172.20.0.2
";

struct Rig {
    arrivals: mpsc::Sender<Arrival>,
    onward: mpsc::Receiver<Arrival>,
    _running: JoinSet<()>,
}

impl Rig {
    fn start() -> Self {
        let (arrivals, arrivals_rx) = mpsc::channel(4);
        let (onward_tx, onward) = mpsc::channel(4);
        let fetch = Fetch {
            arrivals: arrivals_rx,
            onward: onward_tx,
            map: watch::channel(Arc::new(map(MAP))).1,
            tunnel: watch::channel(TunnelState::default()).1,
            own: BTreeSet::new(),
            internal_egress: false,
            cas: Vec::new(),
        };
        let mut running = JoinSet::new();
        running.spawn(fetch.run(CancellationToken::new()));
        Self {
            arrivals,
            onward,
            _running: running,
        }
    }

    /// Somebody who calls from the default bridge, and what is said first.
    async fn call(&self, says: &str) -> TcpStream {
        let (mut near, far) = pair().await.unwrap();
        near.write_all(says.as_bytes()).await.unwrap();
        let caller = Caller {
            address: "172.17.0.1:4000".parse().unwrap(),
            scope: Scope::Network(network_id("bridge")),
        };
        self.arrivals.send((far, caller)).await.unwrap();
        near
    }

    /// Who is handed on.
    async fn handed_on(&mut self) -> TcpStream {
        let (stream, caller) = timeout(LIMIT, self.onward.recv()).await.unwrap().unwrap();
        assert_eq!(caller.scope, Scope::Network(network_id("bridge")));
        stream
    }
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: 172.17.0.9:8790\r\nUser-Agent: Go\r\n\r\n")
}

/// Reads until a message is here that ends like this.
async fn read_to(stream: &mut TcpStream, end: &str) -> String {
    let read = async {
        let mut all = Vec::new();
        while !all.ends_with(end.as_bytes()) {
            all.push(stream.read_u8().await.unwrap());
        }
        String::from_utf8(all).unwrap()
    };
    timeout(LIMIT, read).await.unwrap()
}

#[tokio::test]
async fn what_an_engine_asks_for_is_asked_of_whoever_intercepts() {
    let mut rig = Rig::start();
    let mut engine = rig
        .call(&get("/.dockline/fetch/http/a.test:81/x?y=1"))
        .await;
    let mut interceptor = rig.handed_on().await;
    let asked = read_to(&mut interceptor, "\r\n\r\n").await;
    assert!(asked.starts_with("GET http://a.test:81/x?y=1 HTTP/1.1\r\n"));
    assert!(
        asked.to_lowercase().contains("\r\nhost: a.test:81\r\n"),
        "{asked}"
    );
    assert!(asked.contains("Go"), "{asked}");
    let answer = "HTTP/1.1 302 Found\r\nLocation: /z\r\nETag: \"e\"\r\nContent-Length: 2\r\n\r\nok";
    interceptor.write_all(answer.as_bytes()).await.unwrap();
    let answer = read_to(&mut engine, "\r\n\r\nok").await;
    let at_entry = "Location: http://172.17.0.9:8790/.dockline/fetch/http/a.test:81/z\r\n";
    assert!(answer.contains(at_entry), "{answer}");
    assert!(answer.contains("ETag: \"e\"\r\n"), "{answer}");
}

#[tokio::test]
async fn whatever_goes_wrong_the_engine_is_sent_where_it_wanted_to_go() {
    for (path, answer) in [
        // Where nobody may go from the default bridge: the engine may.
        ("http/172.20.0.2/x", None),
        (
            "http/a.test/x",
            Some("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"),
        ),
        (
            "https/a.test/x",
            Some("HTTP/1.1 504 Gateway Timeout\r\nContent-Length: 0\r\n\r\n"),
        ),
        // No TLS.
        (
            "https/a.test/x",
            Some("HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 400 Bad Request\r\n\r\n"),
        ),
        // It hangs up.
        ("http/a.test/x", Some("")),
    ] {
        let mut rig = Rig::start();
        let mut engine = rig.call(&get(&format!("/.dockline/fetch/{path}"))).await;
        if let Some(answer) = answer {
            let mut interceptor = rig.handed_on().await;
            read_to(&mut interceptor, "\r\n\r\n").await;
            interceptor.write_all(answer.as_bytes()).await.unwrap();
        }
        let answer = read_to(&mut engine, "\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 307 "), "{path}: {answer}");
        let url = path.replacen('/', "://", 1);
        assert!(
            answer
                .to_lowercase()
                .contains(&format!("location: {url}\r\n")),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn a_refusal_of_the_interceptors_own_is_one() {
    let mut rig = Rig::start();
    let mut engine = rig.call(&get("/.dockline/fetch/https/a.test/x")).await;
    let mut interceptor = rig.handed_on().await;
    let asked = read_to(&mut interceptor, "\r\n\r\n").await;
    assert!(
        asked.starts_with("CONNECT a.test:443 HTTP/1.1\r\n"),
        "{asked}"
    );
    let answer = "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno";
    interceptor.write_all(answer.as_bytes()).await.unwrap();
    let answer = read_to(&mut engine, "\r\n\r\nno").await;
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
}

#[tokio::test]
async fn all_others_are_handed_on_as_they_came() {
    let mut rig = Rig::start();
    for says in [
        "GET http://a.test/ HTTP/1.1\r\n\r\n",
        "CONNECT a.test:443 HTTP/1.1\r\n\r\n",
        "GET /.dockline/other HTTP/1.1\r\n\r\n",
        "POST /.dockline/fetch/http/a.test/x HTTP/1.1\r\n\r\n",
        "G",
    ] {
        let _caller = rig.call(says).await;
        let mut handed_on = rig.handed_on().await;
        assert_eq!(read_to(&mut handed_on, says).await, says);
    }
}

#[test]
fn where_an_answer_sends_the_engine() {
    let entry = HeaderValue::from_static("172.17.0.9:8790");
    for (location, expected) in [
        (
            "https://b.test/y",
            "http://172.17.0.9:8790/.dockline/fetch/https/b.test/y",
        ),
        (
            "y?z",
            "http://172.17.0.9:8790/.dockline/fetch/https/a.test/w/y?z",
        ),
        (
            "//b.test",
            "http://172.17.0.9:8790/.dockline/fetch/https/b.test/",
        ),
        ("https://me@b.test/y", "https://me@b.test/y"),
    ] {
        let location = HeaderValue::from_static(location);
        let found = moved(&location, "https://a.test/w/x", Some(&entry));
        assert_eq!(found.as_deref(), Some(expected));
    }
}
