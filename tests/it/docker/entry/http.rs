//! What passes, and how: by the interceptor, and by the tunnel alone.

use std::sync::atomic::{AtomicU16, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::inside::{Inside, Talk, soon};
use super::recorder::Recorder;
use super::{intercepted, resident};
use crate::support::{Lab, Running, eventually, on_each_engine, succeed};

/// A client and a server on a network, in both modes.
async fn in_both_modes(lab: &Lab, test: impl AsyncFn(&Lab, &Inside, &Inside)) {
    // Tests run side by side.
    static COUNT: AtomicU16 = AtomicU16::new(0);
    let range = format!(
        "fd00:d0c:e:{:x}::/64",
        COUNT.fetch_add(1, Ordering::Relaxed)
    );
    let net = lab.network("net", &["--ipv6", "--subnet", &range]);
    let recorder = Recorder::new().await;
    let (Some(client), Some(server)) = (
        resident(lab, "client", &net, &[]),
        resident(lab, "server", &net, &[]),
    ) else {
        return;
    };
    let running = intercepted(lab, &recorder).await;
    running.joined(&[&net]).await;
    test(lab, &client, &server).await;
    assert!(!recorder.recorded().is_empty(), "nothing was intercepted");
    pause(&running, lab, &client, &recorder).await;
    test(lab, &client, &server).await;
    assert_eq!(recorder.recorded(), [], "it passed the interceptor");
    running.stop().await;
}

/// Returns when callers are served by the tunnel alone.
async fn pause(running: &Running, lab: &Lab, client: &Inside, recorder: &Recorder) {
    running.command("pause");
    eventually("paused", async || {
        recorder.forget();
        client.get(lab, "http://server:9/").await;
        recorder.recorded().is_empty().then_some(())
    })
    .await;
}

/// Answers a request that has just been read.
async fn answer(server: &mut Talk, body: &str) {
    let length = body.len();
    server
        .say(format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}"
        ))
        .await;
}

#[test]
fn requests_of_one_connection_one_after_the_other() {
    on_each_engine(async |lab| {
        in_both_modes(&lab, async |lab, client, server| {
            let (first, second) = (server.listen(81), server.listen(82));
            let mut caller = client.call(lab).await;
            let mut servers = Vec::new();
            // PHP names the server by `Host` alone.
            for (listener, port, server) in [
                (&first, 81, "http://server:81"),
                (&second, 82, "http://server:82"),
                (&first, 81, ""),
            ] {
                caller
                    .say(format!(
                        "POST {server}/a?b HTTP/1.1\r\nHost: server:{port}\r\nX-Case: Kept\r\n\
                         Proxy-Connection: keep-alive\r\nContent-Length: 4\r\n\r\nping"
                    ))
                    .await;
                let mut server = Talk::accept(listener).await;
                let head = server.hear_head().await;
                assert!(head.starts_with("POST /a?b HTTP/1.1\r\n"), "{head}");
                assert!(head.contains("\r\nX-Case: Kept\r\n"), "{head}");
                assert!(!head.to_lowercase().contains("proxy-connection"), "{head}");
                assert!(!head.to_lowercase().contains("dockline"), "{head}");
                server.hear("ping").await;
                answer(&mut server, "pong").await;
                assert_eq!(caller.hear_response().await, (200, "pong".to_owned()));
                servers.push(server);
            }
        })
        .await;
    });
}

#[test]
fn connections_by_name_and_address_of_either_family() {
    on_each_engine(async |lab| {
        in_both_modes(&lab, async |lab, client, server| {
            let listener = server.listen(443);
            let name = lab.own("server");
            let addresses = server
                .addresses
                .iter()
                .map(|a| std::net::SocketAddr::new(*a, 443).to_string());
            let names = [
                format!("{name}:443"),
                "server:443".to_owned(),
                format!("SERVER.{}:443", lab.own("net")),
            ];
            for target in names.into_iter().chain(addresses) {
                let (mut caller, status, text) = client.connect(lab, &target).await;
                assert_eq!(status, 200, "{target}: {text}");
                let mut far = Talk::accept(&listener).await;
                // Servers may speak first; either side may end first.
                far.say("220 ready").await;
                caller.hear("220 ready").await;
                caller.say("question").await;
                caller.0.shutdown().await.unwrap();
                let mut heard = String::new();
                soon("question", far.0.read_to_string(&mut heard))
                    .await
                    .unwrap();
                assert_eq!(heard, "question");
                far.say("answer").await;
                drop(far);
                heard.clear();
                soon("answer", caller.0.read_to_string(&mut heard))
                    .await
                    .unwrap();
                assert_eq!(heard, "answer");
            }
        })
        .await;
    });
}

#[test]
fn websockets_and_long_polls() {
    on_each_engine(async |lab| {
        in_both_modes(&lab, async |lab, client, server| {
            let listener = server.listen(80);
            let mut caller = client.call(lab).await;
            caller
                .say(
                    "GET http://server/ws HTTP/1.1\r\nHost: server\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                     Sec-WebSocket-Key: k\r\n\r\n",
                )
                .await;
            let mut far = Talk::accept(&listener).await;
            let head = far.hear_head().await.to_lowercase();
            assert!(head.contains("upgrade: websocket"), "{head}");
            far.say("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello").await;
            let head = caller.hear_head().await;
            assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
            caller.hear("hello").await;
            for _ in 0..3 {
                caller.say("ping").await;
                far.hear("ping").await;
                far.say("pong").await;
                caller.hear("pong").await;
            }

            let mut caller = client.call(lab).await;
            caller.say("GET http://server/poll HTTP/1.1\r\nHost: server\r\n\r\n").await;
            let mut far = Talk::accept(&listener).await;
            far.hear_head().await;
            // Longer than the link takes to find out that its other end is dead.
            tokio::time::sleep(std::time::Duration::from_secs(7)).await;
            far.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n4\r\npart\r\n").await;
            let head = caller.hear_head().await;
            assert!(head.to_lowercase().contains("transfer-encoding: chunked"), "{head}");
            caller.hear("4\r\npart\r\n").await;
            far.say("3\r\nend\r\n0\r\n\r\n").await;
            caller.hear("3\r\nend\r\n0\r\n\r\n").await;
        })
        .await;
    });
}

/// Tens of megabytes, as many as are looked at here.
const UPLOAD: usize = 48 << 20;
/// What waits to be told.
const EXPECTED: usize = 8 << 20;

#[test]
fn big_uploads() {
    on_each_engine(async |lab| {
        in_both_modes(&lab, async |lab, client, server| {
            let listener = server.listen(80);
            for tunnelled in [false, true] {
                let mut caller = if tunnelled {
                    client.connect(lab, "server:80").await.0
                } else {
                    client.call(lab).await
                };
                let url = if tunnelled { "/" } else { "http://server/" };
                caller
                    .say(format!(
                        "PUT {url} HTTP/1.1\r\nHost: server\r\nContent-Length: {UPLOAD}\r\n\r\n"
                    ))
                    .await;
                let (mut from, mut to) = caller.0.into_split();
                let upload = async {
                    let piece = vec![7; 1 << 20];
                    for _ in 0..UPLOAD >> 20 {
                        soon("upload", to.write_all(&piece)).await.unwrap();
                    }
                };
                let receive = async {
                    let mut far = Talk::accept(&listener).await;
                    far.hear_head().await;
                    let mut piece = vec![0; 1 << 20];
                    for _ in 0..UPLOAD >> 20 {
                        soon("receive", far.0.read_exact(&mut piece)).await.unwrap();
                        assert!(piece.iter().all(|byte| *byte == 7));
                    }
                    answer(&mut far, "taken").await;
                    far
                };
                let ((), _far) = tokio::join!(upload, receive);
                let mut heard = Vec::new();
                while !heard.ends_with(b"taken") {
                    heard.push(soon("answer", from.read_u8()).await.unwrap());
                }
            }
        })
        .await;
    });
}

#[test]
fn whoever_waits_until_its_body_is_wanted_is_told() {
    on_each_engine(async |lab| {
        in_both_modes(&lab, async |lab, client, server| {
            let listener = server.listen(80);
            let mut caller = client.call(lab).await;
            caller
                .say(
                    "POST http://server/ HTTP/1.1\r\nHost: server\r\nExpect: 100-continue\r\n\
                     Content-Length: 4\r\n\r\n",
                )
                .await;
            let mut far = Talk::accept(&listener).await;
            let head = far.hear_head().await.to_lowercase();
            assert!(head.contains("\r\nexpect: 100-continue\r\n"), "{head}");
            far.say("HTTP/1.1 100 Continue\r\n\r\n").await;
            caller.hear("HTTP/1.1 100 Continue\r\n\r\n").await;
            caller.say("body").await;
            far.hear("body").await;
            answer(&mut far, "taken").await;
            assert_eq!(caller.hear_response().await, (200, "taken".to_owned()));

            // Large, and by a client that sends nothing unless it is told to.
            let upload = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(upload.path(), vec![7; EXPECTED]).unwrap();
            let mut curl = client.command("curl");
            let proxy = format!("http://{}", client.entry(lab).await);
            let body = format!("@{}", upload.path().display());
            curl.args(["-sS", "--max-time", "60", "--expect100-timeout", "120"])
                .args(["-H", "Expect: 100-continue", "--data-binary", &body])
                .args(["--noproxy", "", "--proxy", &proxy, "http://server/"]);
            let curl = std::thread::spawn(move || succeed(&mut curl));
            let mut far = Talk::accept(&listener).await;
            far.hear_head().await;
            far.say("HTTP/1.1 100 Continue\r\n\r\n").await;
            let mut body = vec![0; EXPECTED];
            soon("the body", far.0.read_exact(&mut body)).await.unwrap();
            answer(&mut far, "all of it").await;
            assert_eq!(curl.join().unwrap(), "all of it");
        })
        .await;
    });
}

#[test]
fn what_cannot_be_had_is_answered_with_the_reason() {
    on_each_engine(async |lab| {
        in_both_modes(&lab, async |lab, client, _| {
            for (target, status) in [("nobody:80", 502), ("server:9", 502), ("localhost:80", 502)] {
                let (_, got, text) = client.connect(lab, target).await;
                assert_eq!(got, status, "{target}: {text}");
                assert!(text.contains("dockline"), "{text}");
            }
            let mut caller = client.call(lab).await;
            let itself = "GET / HTTP/1.1\r\nHost: dockline-tunnel:8790\r\n\r\n";
            caller.say(itself).await;
            assert_eq!(caller.hear_response().await.0, 400);
        })
        .await;
    });
}
