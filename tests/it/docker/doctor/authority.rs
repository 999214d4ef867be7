//! Interceptors that sign with what containers trust, and with something else.

use std::path::Path;
use std::process::Command;

use dockline::config::{Interception, Named};
use dockline::gateway::Interceptor;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::report;
use crate::support::fake_engine::FakeEngine;
use crate::support::tls::Root;
use crate::support::{Running, eventually};

/// Its certificate in PEM, and what an interceptor with it says in TLS.
fn authority(name: &str) -> (String, TlsAcceptor) {
    let root = Root::new(name);
    (root.pem(), root.server("localhost"))
}

/// An interceptor that first goes where it is asked to, and opens TLS if it is to.
struct Opener {
    address: String,
    _tasks: JoinSet<()>,
}

impl Opener {
    async fn new(acceptor: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut conversations = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                conversations.spawn(talk(stream, acceptor.clone()));
            }
        });
        Self {
            address,
            _tasks: tasks,
        }
    }

    fn interception(&self) -> Interception {
        Interception::External(Interceptor::at(&self.address).unwrap())
    }
}

async fn talk(mut stream: TcpStream, acceptor: Option<TlsAcceptor>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        // Whether anybody answers is asked without a word.
        let Ok(byte) = stream.read_u8().await else {
            return;
        };
        head.push(byte);
    }
    let head = String::from_utf8(head).unwrap();
    let asked = head.strip_prefix("CONNECT ").unwrap();
    let asked = asked.split(' ').next().unwrap();
    let mut far = TcpStream::connect(asked).await.unwrap();
    stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
    match acceptor {
        Some(acceptor) => drop(acceptor.accept(stream).await),
        None => drop(tokio::io::copy_bidirectional(&mut stream, &mut far).await),
    }
}

/// What doctor says of authorities: outcome, text and remedy of each.
fn asked(running: &Running, host: &str) -> Vec<[String; 3]> {
    let mut doctor = Command::new(env!("CARGO_BIN_EXE_dockline"));
    doctor
        .args(["doctor", "--json", "--instance", "fake", "--host", host])
        .env("DOCKLINE_RUNTIME_DIR", running.control.parent().unwrap())
        // Which compose there is takes longest, and does not matter.
        .env("PATH", "");
    let output = tokio::task::block_in_place(|| doctor.output().unwrap());
    let (report, code) = report(&output);
    let checks = report["checks"].as_array().unwrap();
    let of = |check: &Value, name: &str| check[name].as_str().unwrap_or_default().to_owned();
    let found = checks.iter().filter(|check| check["check"] == "ca");
    let found: Vec<_> = found
        .map(|check| ["outcome", "text", "remedy"].map(|name| of(check, name)))
        .collect();
    let failed = found.iter().any(|[outcome, ..]| outcome == "failure");
    assert!(!failed || code == Some(1), "{report}");
    found
}

async fn serve(engine: &FakeEngine, interceptor: &Opener, file: &Path) -> Running {
    let running = Running::launch("fake", &engine.front.host(), |config| {
        config.tunnel_image = Some("absent".to_owned());
        config.interception = interceptor.interception();
        config.ca = Some(std::fs::read(file).unwrap().into());
        config.ca_file = Some(file.to_owned());
        let own = Named {
            interception: interceptor.interception(),
            ca: config.ca.clone(),
            ca_file: config.ca_file.clone(),
        };
        config.named.insert("shop".to_owned(), own);
    })
    .await;
    running.ready().await;
    running
}

/// What it says of both, once it is known that the interceptors answer.
async fn judged(running: &Running, host: &str) -> [[String; 3]; 2] {
    eventually("both to be asked", async || {
        let found = asked(running, host);
        let away = |[_, text, _]: &[String; 3]| text.contains("does not answer");
        let found = <[_; 2]>::try_from(found).map_err(|found| format!("{found:?}"))?;
        if found.iter().any(away) {
            return Err(format!("{found:?}"));
        }
        Ok(found)
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_authority_that_is_not_the_interceptors_is_told_from_one_that_is() {
    let engine = FakeEngine::start();
    let host = engine.front.host();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    let (own, acceptor) = authority("the interceptor's");
    let (other, _) = authority("somebody's");
    let opener = Opener::new(Some(acceptor)).await;

    std::fs::write(&file, &own).unwrap();
    let running = serve(&engine, &opener, &file).await;
    for [outcome, text, _] in judged(&running, &host).await {
        assert_eq!(outcome, "ok", "{text}");
    }
    // Made anew, as mitmproxy does whose folder was removed; dockline still tells the former.
    std::fs::write(&file, &other).unwrap();
    for [outcome, text, remedy] in judged(&running, &host).await {
        assert_eq!(outcome, "warning", "{text}");
        assert!(remedy.contains("start dockline again"), "{remedy}");
    }
    drop(running);

    let running = serve(&engine, &opener, &file).await;
    let [everybodys, shops] = judged(&running, &host).await;
    assert!(shops[1].starts_with("shop: "), "{shops:?}");
    for [outcome, text, remedy] in [everybodys, shops] {
        assert_eq!(outcome, "failure", "{text}");
        assert!(text.contains("the interceptor's"), "{text}");
        assert!(text.contains(&file.display().to_string()), "{text}");
        assert!(remedy.contains("--ca"), "{remedy}");
    }
    drop(running);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_interceptor_that_leaves_tls_alone_is_not_judged_by_it() {
    let engine = FakeEngine::start();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, authority("somebody's").0).unwrap();
    let opener = Opener::new(None).await;
    let running = serve(&engine, &opener, &file).await;
    for [outcome, text, _] in judged(&running, &engine.front.host()).await {
        assert_eq!(outcome, "skipped", "{text}");
        assert!(text.contains("unopened"), "{text}");
    }
    drop(running);
}
