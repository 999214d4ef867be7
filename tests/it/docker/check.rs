//! `dockline integrate --check`, with everything as it should be and with what people get wrong.

use std::net::SocketAddr;
use std::process::Stdio;

use rustix::process::Signal;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::commands::{Served, dockline};
use crate::support::tls::acceptor;
use crate::support::{Lab, eventually, on_each_engine};

/// An interceptor as somebody has set it up who has not got far.
#[derive(Clone)]
enum Wrong {
    /// It goes on by itself, and knows no containers.
    Alone,
    /// It goes by the gateway, and opens TLS with an authority of which nobody was told.
    Stranger(SocketAddr, TlsAcceptor),
}

/// Runs it until it is dropped.
fn wrong(listener: TcpListener, wrong: Wrong) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut conversations = JoinSet::new();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            conversations.spawn(talk(stream, wrong.clone()));
        }
    });
    tasks
}

async fn talk(mut stream: TcpStream, wrong: Wrong) {
    let Some(head) = head(&mut stream).await else {
        return;
    };
    let no = "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 12\r\n\r\nno such host";
    let Wrong::Stranger(gateway, acceptor) = wrong else {
        let _ = stream.write_all(no.as_bytes()).await;
        return;
    };
    let mut far = TcpStream::connect(gateway).await.unwrap();
    far.write_all(&head).await.unwrap();
    if !head.starts_with(b"CONNECT") {
        let _ = tokio::io::copy_bidirectional(&mut stream, &mut far).await;
        return;
    }
    let answer = self::head(&mut far).await.unwrap();
    stream.write_all(&answer).await.unwrap();
    if let Ok(mut opened) = acceptor.accept(stream).await
        && self::head(&mut opened).await.is_some()
    {
        let _ = opened.write_all(no.as_bytes()).await;
    }
}

async fn head(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> Option<Vec<u8>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    Some(head)
}

fn authority(name: &str) -> (rcgen::Certificate, rcgen::KeyPair) {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(["any.test".to_owned()]).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, name);
    (params.self_signed(&key).unwrap(), key)
}

fn stranger() -> TlsAcceptor {
    let (certificate, key) = authority("stranger");
    acceptor(&certificate, &key)
}

/// The last leg, and whether all is well; nothing of the check is left.
fn check(lab: &Lab, served: &Served, program: &str) -> (Value, bool) {
    let arguments = ["integrate", program, "--check", "--json"];
    let output = tokio::task::block_in_place(|| served.run(lab, &arguments));
    let text = String::from_utf8_lossy(&output.stderr);
    let report: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {text}"));
    let ok = report["ok"].as_bool().unwrap();
    assert_eq!(output.status.code(), Some(i32::from(!ok)), "{text}");
    let left = lab.labelled("dockline.check");
    assert!(!left.iter().any(|name| is_labs(lab, name)), "{left:?}");
    let legs = report["legs"].as_array().unwrap();
    (legs.last().unwrap().clone(), ok)
}

fn is_labs(lab: &Lab, name: &str) -> bool {
    let labels = ["inspect", "-f", "{{json .}}", name];
    let shown = lab.try_docker(&labels).stdout;
    String::from_utf8_lossy(&shown).contains(&format!("\"dockline.instance\":\"{}\"", lab.name))
}

fn expect(leg: &Value, name: &str, words: &[&str]) {
    assert_eq!(leg["leg"], name, "{leg}");
    let text = format!("{} {}", leg["what"], leg["remedy"]);
    for word in words {
        assert!(text.contains(word), "{word} is not in {leg}");
    }
}

async fn until(lab: &Lab, served: &Served, what: &str, is: impl Fn(&Value) -> bool) -> Value {
    eventually(what, async || {
        let there = served.folder().join("run/control.sock").exists();
        let status = there.then(|| served.json(lab, &["status", "--wait", "20", "--json"]))?;
        is(&status).then_some(status)
    })
    .await
}

/// The same, once dockline was not too busy to take the request within the second that the tunnel waits for it.
async fn by_dockline(lab: &Lab, served: &Served, name: &str) -> (Value, bool) {
    eventually("taken by dockline", async || {
        let (leg, ok) = check(lab, served, name);
        // Of HTTPS it is told where its own round ended.
        let ended = leg["what"].as_str().unwrap_or_default();
        (leg["leg"] != "link" && !ended.starts_with("at link")).then_some((leg, ok))
    })
    .await
}

#[test]
fn what_people_get_wrong_is_found_with_its_remedy() {
    on_each_engine(async |lab| {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let files = tempfile::tempdir().unwrap();
        let ca = files.path().join("ca.pem");
        std::fs::write(&ca, authority("known").0.pem()).unwrap();
        let (at, ca) = (address.to_string(), ca.display().to_string());
        let mut served = Served::start_with(&lab, &["--interceptor", &at, "--ca", &ca]);
        let linked = |status: &Value| status["tunnel"]["link"]["state"] == "up";
        let status = until(&lab, &served, "linked", linked).await;
        let gateway = status["gateway"].as_str().unwrap();

        let (leg, ok) = by_dockline(&lab, &served, "mitmproxy").await;
        assert!(!ok);
        expect(
            &leg,
            "interceptor",
            &[&at, "nothing answers", "start the interceptor"],
        );

        let reachable = |status: &Value| status["interceptor"]["reachable"] == true;
        let listener = TcpListener::bind(address).await.unwrap();
        let mut running = wrong(listener, Wrong::Alone);
        until(&lab, &served, "an interceptor", reachable).await;
        let (leg, ok) = by_dockline(&lab, &served, "mitmproxy").await;
        assert!(!ok);
        let setting = format!("mitmproxy --mode upstream:http://{gateway}");
        expect(&leg, "gateway", &["no such host", &setting]);

        running.shutdown().await;
        let listener = TcpListener::bind(address).await.unwrap();
        let gateway = gateway.parse().unwrap();
        let _running = wrong(listener, Wrong::Stranger(gateway, stranger()));
        until(&lab, &served, "an interceptor", reachable).await;
        let (leg, ok) = by_dockline(&lab, &served, "generic").await;
        assert!(!ok);
        expect(&leg, "https", &["another authority", "CN=stranger", "--ca"]);

        // However much went on without it: one warning each time that it went away.
        let ended = served.signal(Signal::TERM);
        let said = String::from_utf8_lossy(&ended.stderr);
        let times = |words: &str| said.matches(words).count();
        let (away, back) = (
            times("the interceptor does not answer"),
            times("the interceptor answers"),
        );
        assert!((1..=2).contains(&away) && back == away, "{said}");
    });
}

#[test]
fn the_built_in_one_is_fine_also_when_the_tunnel_was_stopped() {
    on_each_engine(async |lab| {
        let served = Served::start_with(&lab, &[]);
        let linked = |status: &Value| status["tunnel"]["link"]["state"] == "up";
        until(&lab, &served, "linked", linked).await;
        lab.docker(&["stop", "-t", "0", &format!("dockline-tunnel-{}", lab.name)]);
        let (leg, ok) = check(&lab, &served, "generic");
        assert!(ok, "{leg}");
        expect(&leg, "https", &["authority that containers trust"]);
        served.run(&lab, &["pause"]);
        let (leg, ok) = check(&lab, &served, "generic");
        assert!(!ok);
        expect(&leg, "link", &["paused", "dockline resume"]);
    });
}

#[test]
fn without_a_tunnel_or_dockline_it_says_so() {
    on_each_engine(async |lab| {
        let nothing = ["--tunnel-image", "dockline-none:at-all"];
        let mut served = Served::start_with(&lab, &nothing);
        until(&lab, &served, "ready", |status| status["ready"] == true).await;
        let (leg, ok) = check(&lab, &served, "generic");
        assert!(!ok);
        expect(&leg, "tunnel", &["dockline-none:at-all"]);
        served.signal(Signal::TERM);
        let output = served.run(&lab, &["integrate", "--check"]);
        assert_eq!(output.status.code(), Some(3), "{output:?}");
        let output = served.run(&lab, &["integrate"]);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
    });
}

#[test]
fn what_a_killed_check_leaves_clean_removes() {
    on_each_engine(async |lab| {
        let mut served = Served::start_with(&lab, &[]);
        let linked = |status: &Value| status["tunnel"]["link"]["state"] == "up";
        until(&lab, &served, "linked", linked).await;
        let mut checking = dockline(&lab, served.folder(), &["integrate", "--check"])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let label = format!("label={}", lab.watched());
        let containers = [
            "ps",
            "-q",
            "--filter",
            &label,
            "--filter",
            "label=dockline.check",
        ];
        eventually("both containers", async || {
            (lab.docker(&containers).lines().count() == 2).then_some(())
        })
        .await;
        checking.kill().unwrap();
        checking.wait().unwrap();
        served.signal(Signal::TERM);
        let clean = served.json(&lab, &["clean", "--json"]);
        assert_eq!(clean["failures"].as_array().unwrap().len(), 0, "{clean}");
        assert_eq!(lab.labelled(&lab.watched()), [""; 0], "{clean}");
    });
}
