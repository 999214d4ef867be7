//! HTTP without TLS inside CONNECT, and by TLS without CONNECT.

use hyper::Request;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::AsyncReadExt as _;
use tokio::task::JoinSet;

use super::rig::{Rig, accept_tls, ask_h2, echo, hear, hear_head, say, soon};

#[tokio::test]
async fn http_inside_connect_is_seen() {
    let rig = Rig::new().await;
    let api = rig.origin("api:80").await;
    let (mut caller, status, _) = rig.connect("api:80").await;
    assert_eq!(status, 200);
    // In pieces, as nobody sends it.
    for piece in ["G", "ET /a?b HT", "TP/1.1\r\nHost: api\r\n\r\n"] {
        say(&mut caller, piece).await;
    }
    let (mut origin, _) = soon("a connection", api.accept()).await.unwrap();
    for (method, path) in [("GET", "/a?b"), ("POST", "/again")] {
        if method == "POST" {
            let head =
                format!("POST {path} HTTP/1.1\r\nHost: api\r\nContent-Length: 4\r\n\r\nping");
            say(&mut caller, &head).await;
        }
        let head = hear_head(&mut origin).await;
        assert!(
            head.starts_with(&format!("{method} {path} HTTP/1.1\r\n")),
            "{head}"
        );
        if method == "POST" {
            hear(&mut origin, "ping").await;
        }
        say(
            &mut origin,
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        )
        .await;
        assert!(hear_head(&mut caller).await.starts_with("HTTP/1.1 200 "));
        hear(&mut caller, "ok").await;
    }
    drop((caller, origin));
    let entries = rig.ends().await;
    let seen: Vec<_> = entries.iter().map(|e| &e["request"]["url"]).collect();
    assert_eq!(seen, ["http://api/a?b", "http://api/again"]);
    assert_eq!(entries[1]["request"]["postData"]["text"], "ping");
}

#[tokio::test]
async fn http2_without_tls_is_seen_inside_connect() {
    let rig = Rig::new().await;
    let api = rig.origin("api:50051").await;
    let mut served = JoinSet::new();
    served.spawn(async move {
        let (stream, _) = api.accept().await.unwrap();
        let served = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
            .serve_connection(TokioIo::new(stream), service_fn(echo))
            .await;
        drop(served);
    });
    let (caller, status, _) = rig.connect("api:50051").await;
    assert_eq!(status, 200);
    let request = Request::post("http://api:50051/shop.Orders/Get")
        .body("call".into())
        .unwrap();
    let answers = ask_h2(caller, vec![request]).await;
    let (answer, trailers) = &answers[0];
    assert_eq!(answer.body(), "call");
    assert_eq!(trailers.as_ref().unwrap()["grpc-status"], "0");
    assert_eq!(rig.asked.lock().unwrap().len(), 1);
    let entries = rig.ends().await;
    assert_eq!(entries[0]["request"]["httpVersion"], "HTTP/2");
    assert_eq!(
        entries[0]["request"]["url"],
        "http://api:50051/shop.Orders/Get"
    );
}

#[tokio::test]
async fn what_is_for_a_proxy_behind_ours_passes_as_it_is() {
    let rig = Rig::new().await;
    let proxy = rig.origin("proxy:3128").await;
    for request in [
        "GET http://x/ HTTP/1.1\r\n",
        "CONNECT x:443 HTTP/1.1\r\n",
        "PING\r\n",
    ] {
        let (mut caller, _, _) = rig.connect("proxy:3128").await;
        say(&mut caller, request).await;
        let (mut far, _) = soon("a connection", proxy.accept()).await.unwrap();
        hear(&mut far, request).await;
    }
    let entries = rig.ends().await;
    assert_eq!(entries.len(), 3);
    assert_eq!(entries[0]["request"]["url"], "tcp://proxy:3128");
}

#[tokio::test]
async fn tls_may_be_left_to_the_proxy() {
    let rig = Rig::new().await;
    let listener = rig.origin("api:443").await;
    let tls = rig.tls_server("api", &["http/1.1"]);
    // Whether the caller trusts us does not matter: it never sees a certificate.
    for (container, host, status) in [("web", "api", "200"), ("web", "other", "403")] {
        let mut caller = rig.caller_from(container).await;
        let request =
            format!("GET https://{host}/a?b HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        say(&mut caller, &request).await;
        if status == "200" {
            let mut origin = accept_tls(&listener, &tls).await;
            assert_eq!(origin.get_ref().1.server_name(), Some("api"));
            let head = hear_head(&mut origin).await;
            assert!(head.starts_with("GET /a?b HTTP/1.1\r\n"), "{head}");
            say(
                &mut origin,
                "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            )
            .await;
        }
        let mut answer = String::new();
        soon("an answer", caller.read_to_string(&mut answer))
            .await
            .unwrap();
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{answer}"
        );
    }
    let stranger = Rig::stranger("api");
    let refused = async {
        let (stream, _) = soon("a connection", listener.accept()).await.unwrap();
        assert!(stranger.accept(stream).await.is_err());
    };
    let ask = async {
        let mut caller = rig.caller().await;
        say(
            &mut caller,
            "GET https://api/ HTTP/1.1\r\nHost: api\r\n\r\n",
        )
        .await;
        assert!(hear_head(&mut caller).await.starts_with("HTTP/1.1 502 "));
    };
    tokio::join!(refused, ask);
    let entries = rig.ends().await;
    let seen: Vec<_> = entries.iter().map(|e| &e["request"]["url"]).collect();
    assert_eq!(
        seen,
        ["https://api/a?b", "https://other/a?b", "https://api/"]
    );
}
