//! HTTP inside TLS.

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::AsyncWriteExt as _;
use tokio::task::JoinSet;

use super::rig::{Rig, accept_tls, ask_h2, echo, hear, hear_head, say};

#[tokio::test]
async fn http1_is_seen_inside_tls_and_the_origin_is_verified() {
    let rig = Rig::new().await;
    let listener = rig.origin("my_api:443").await;
    let tls = rig.tls_server("my_api", &["http/1.1"]);
    let ask = async {
        let mut caller = rig
            .secure("my_api:443", &["h2", "http/1.1"], true)
            .await
            .unwrap();
        assert_eq!(caller.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
        for _ in 0..3 {
            say(&mut caller, "GET /x?y HTTP/1.1\r\nHost: my_api\r\n\r\n").await;
            assert!(hear_head(&mut caller).await.starts_with("HTTP/1.1 200 OK"));
            hear(&mut caller, "hello").await;
        }
    };
    let serve = async {
        let mut origin = accept_tls(&listener, &tls).await;
        assert_eq!(origin.get_ref().1.server_name(), Some("my_api"));
        for _ in 0..3 {
            assert!(
                hear_head(&mut origin)
                    .await
                    .starts_with("GET /x?y HTTP/1.1\r\n")
            );
            say(
                &mut origin,
                "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
            )
            .await;
        }
    };
    tokio::join!(ask, serve);
    let entries = rig.ends().await;
    assert_eq!(entries.len(), 3);
    assert_eq!(entries[0]["request"]["url"], "https://my_api/x?y");
    assert_eq!(entries[0]["response"]["content"]["text"], "hello");
}

/// With a word of it, as TLS wants it, and without, as busybox does it.
#[tokio::test]
async fn a_client_that_says_no_more_gets_its_answer() {
    let rig = Rig::new().await;
    let listener = rig.origin("api:443").await;
    let tls = rig.tls_server("api", &["http/1.1"]);
    for in_order in [true, false] {
        let ask = async {
            let mut caller = rig.secure("api:443", &[], true).await.unwrap();
            say(&mut caller, "GET / HTTP/1.1\r\nHost: api\r\n\r\n").await;
            if in_order {
                caller.shutdown().await.unwrap();
            } else {
                caller.get_mut().0.shutdown().await.unwrap();
            }
            caller
        };
        let serve = async {
            let mut origin = accept_tls(&listener, &tls).await;
            hear_head(&mut origin).await;
            origin
        };
        let (mut caller, mut origin) = tokio::join!(ask, serve);
        // It has heard of the end by now, or will before it hears the answer.
        tokio::task::yield_now().await;
        let answer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
        say(&mut origin, answer).await;
        assert!(hear_head(&mut caller).await.starts_with("HTTP/1.1 200 OK"));
        hear(&mut caller, "hello").await;
    }
}

#[tokio::test]
async fn http2_is_spoken_to_both_with_trailers() {
    let rig = Rig::new().await;
    let listener = rig.origin("api:443").await;
    let tls = rig.tls_server("api", &["h2", "http/1.1"]);
    let mut served = JoinSet::new();
    served.spawn(async move {
        let origin = accept_tls(&listener, &tls).await;
        let served = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
            .serve_connection(TokioIo::new(origin), service_fn(echo))
            .await;
        drop(served);
    });
    let caller = rig
        .secure("api:443", &["h2", "http/1.1"], true)
        .await
        .unwrap();
    assert_eq!(caller.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let request = |text: &'static str| {
        let request = Request::post("https://api/call").header("te", "trailers");
        request
            .body(Full::from(Bytes::from_static(text.as_bytes())))
            .unwrap()
    };
    let answers = ask_h2(caller, vec![request("one"), request("two")]).await;
    for ((answer, trailers), text) in answers.iter().zip(["one", "two"]) {
        assert_eq!(answer.body(), text);
        assert_eq!(trailers.as_ref().unwrap()["grpc-status"], "0");
    }
    // One connection served both.
    assert_eq!(rig.asked.lock().unwrap().len(), 1);
    let entries = rig.ends().await;
    assert_eq!(entries[0]["request"]["httpVersion"], "HTTP/2");
    assert_eq!(entries[0]["request"]["url"], "https://api/call");
}

#[tokio::test]
async fn websockets_pass_inside_tls() {
    let rig = Rig::new().await;
    let listener = rig.origin("api:443").await;
    let tls = rig.tls_server("api", &["http/1.1"]);
    let connecting = rig.secure("api:443", &["http/1.1"], true);
    let (caller, mut origin) = tokio::join!(connecting, accept_tls(&listener, &tls));
    let mut caller = caller.unwrap();
    say(
        &mut caller,
        "GET /ws HTTP/1.1\r\nHost: api\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: k\r\n\r\n",
    )
    .await;
    let head = hear_head(&mut origin).await.to_lowercase();
    assert!(head.contains("upgrade: websocket"), "{head}");
    say(
        &mut origin,
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello",
    )
    .await;
    assert!(hear_head(&mut caller).await.starts_with("HTTP/1.1 101 "));
    hear(&mut caller, "hello").await;
    for _ in 0..3 {
        say(&mut caller, "ping").await;
        hear(&mut origin, "ping").await;
        say(&mut origin, "pong").await;
        hear(&mut caller, "pong").await;
    }
    drop((caller, origin));
    let entries = rig.ends().await;
    assert_eq!(entries[0]["response"]["status"], 101);
}

#[tokio::test]
async fn an_origin_that_nobody_trusts_is_a_502_that_says_so() {
    let rig = Rig::new().await;
    let listener = rig.origin("api:443").await;
    let tls = Rig::stranger("api");
    let mut served = JoinSet::new();
    served.spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        assert!(tls.accept(stream).await.is_err());
    });
    let mut caller = rig.secure("api:443", &["http/1.1"], true).await.unwrap();
    say(&mut caller, "GET / HTTP/1.1\r\nHost: api\r\n\r\n").await;
    assert!(hear_head(&mut caller).await.starts_with("HTTP/1.1 502 "));
    hear(
        &mut caller,
        "dockline does not trust the certificate of api:443: its issuer is not known.",
    )
    .await;
    drop(caller);
    let entries = rig.ends().await;
    let comment = entries[0]["comment"].as_str().unwrap();
    assert!(comment.contains("its issuer is not known"), "{comment}");
}

#[tokio::test]
async fn a_client_that_does_not_trust_us_costs_nobody_else_anything() {
    let rig = Rig::new().await;
    let listener = rig.origin("api:443").await;
    let tls = rig.tls_server("api", &["http/1.1"]);
    let (refusing, _origin) = tokio::join!(
        rig.secure("api:443", &["http/1.1"], false),
        accept_tls(&listener, &tls)
    );
    let error = refusing.unwrap_err().to_string();
    assert!(error.contains("UnknownIssuer"), "{error}");
    let (trusting, mut origin) = tokio::join!(
        rig.secure("api:443", &["http/1.1"], true),
        accept_tls(&listener, &tls)
    );
    let mut caller = trusting.unwrap();
    say(&mut caller, "GET / HTTP/1.1\r\nHost: api\r\n\r\n").await;
    hear_head(&mut origin).await;
}

#[tokio::test]
async fn tls_for_something_else_than_http_passes_as_it_is() {
    let rig = Rig::new().await;
    let listener = rig.origin("db:5432").await;
    // The client sees the origin's own certificate, which it does not know.
    let tls = rig.tls_server("db", &["postgresql"]);
    let mut served = JoinSet::new();
    served.spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let error = tls.accept(stream).await.unwrap_err();
        assert!(error.to_string().contains("alert: UnknownCA"), "{error}");
    });
    assert!(rig.secure("db:5432", &["postgresql"], true).await.is_err());
    served.join_next().await.unwrap().unwrap();
    let entries = rig.ends().await;
    let comment = entries[0]["comment"].as_str().unwrap();
    assert!(comment.contains("not for HTTP"), "{comment}");
}

#[tokio::test]
async fn tls_that_is_not_ours_to_open_passes_as_it_is() {
    let rig = Rig::new().await;
    for (container, target) in [("old", "api:443"), ("web", "pinned.test:443")] {
        let listener = rig.origin(target).await;
        let tls = rig.tls_server(target.split(':').next().unwrap(), &[]);
        let ask = async {
            // It is the origin's own certificate that is seen.
            let mut caller = rig.secure_from(container, target).await.unwrap();
            say(&mut caller, "hello").await;
            hear(&mut caller, "you too").await;
        };
        let serve = async {
            let mut origin = accept_tls(&listener, &tls).await;
            hear(&mut origin, "hello").await;
            say(&mut origin, "you too").await;
        };
        tokio::join!(ask, serve);
    }
    let entries = rig.ends().await;
    let seen: Vec<_> = entries
        .iter()
        .map(|e| e["request"]["url"].as_str())
        .collect();
    assert_eq!(
        seen,
        [Some("tcp://api:443")],
        "of hosts that pass through nothing is told"
    );
}
