//! Requests in absolute form: what passes, and how.

mod ends;
mod interim;
mod upgrade;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::peer::soon;
use super::rig::Rig;

#[tokio::test]
async fn goes_on_in_origin_form_without_what_is_the_gateways() {
    let rig = Rig::new().await;
    let (mut client, mut container) = rig
        .asked(
            "GET http://web/a%20b?q=1 HTTP/1.1\r\nHOST: shop.example\r\nX-First: 1\r\nConnection: keep-alive, X-Mine\r\n\
             X-Mine: 1\r\nProxy-Connection: keep-alive\r\nProxy-Authorization: Basic d2ViOg==\r\n\
             Dockline-Client: web\r\nTE: gzip, trailers\r\nX-lAsT: 2\r\n\r\n",
        )
        .await;
    assert_eq!(
        container.hear_head().await,
        [
            "GET /a%20b?q=1 HTTP/1.1",
            "HOST: shop.example",
            "X-First: 1",
            "X-lAsT: 2",
            "TE: trailers",
            "Connection: TE",
        ]
    );
    container
        .say(
            "HTTP/1.1 299 Almost Fine\r\nServer: X\r\nKeep-Alive: timeout=5\r\nSet-COOKIE: a\r\nset-cookie: b\r\n\
             Content-Length: 2\r\n\r\nok",
        )
        .await;
    assert_eq!(
        client.hear_head().await,
        [
            "HTTP/1.1 299 Almost Fine",
            "Server: X",
            "Set-COOKIE: a",
            "set-cookie: b",
            "Content-Length: 2",
        ]
    );
    client.hear("ok").await;
}

#[tokio::test]
async fn bodies_pass_as_they_come_with_trailers() {
    let rig = Rig::new().await;
    let (mut client, mut container) = rig
        .asked(
            "POST http://web/ HTTP/1.1\r\nHost: web\r\nTE: trailers\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n\
             3\r\none\r\n",
        )
        .await;
    let head = container.hear_head().await;
    assert!(
        head.contains(&"Transfer-Encoding: chunked".to_owned()),
        "{head:?}"
    );
    container.hear("3\r\none\r\n").await;
    client.say("3\r\ntwo\r\n").await;
    container.hear("3\r\ntwo\r\n").await;

    // The answer begins before the request has ended.
    container
        .say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Check\r\n\r\n4\r\nfour\r\n")
        .await;
    let head = client.hear_head().await;
    assert!(
        head.contains(&"Transfer-Encoding: chunked".to_owned()),
        "{head:?}"
    );
    client.hear("4\r\nfour\r\n").await;
    client.say("0\r\nX-Sum: 6\r\n\r\n").await;
    assert_eq!(
        container.hear_until("\r\n\r\n").await.to_lowercase(),
        "0\r\nx-sum: 6\r\n\r\n"
    );
    container.say("0\r\nX-Check: 4\r\n\r\n").await;
    assert_eq!(
        client.hear_until("\r\n\r\n").await.to_lowercase(),
        "0\r\nx-check: 4\r\n\r\n"
    );
}

#[tokio::test]
async fn a_get_with_a_chunked_body_keeps_it() {
    let rig = Rig::new().await;
    let (_client, mut container) = rig
        .asked("GET http://web/ HTTP/1.1\r\nHost: web\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n0\r\n\r\n")
        .await;
    container.hear_head().await;
    container.hear("3\r\none\r\n0\r\n\r\n").await;
}

#[tokio::test]
async fn http_1_0_is_understood_on_both_sides() {
    let rig = Rig::new().await;
    let web = rig.container("10.231.1.2:8080").await;
    let mut client = rig.client().await;
    client.say("GET http://web:8080/ HTTP/1.0\r\n\r\n").await;
    let mut container = web.accept().await;
    assert_eq!(
        container.hear_head().await,
        ["GET / HTTP/1.1", "Host: web:8080"]
    );
    container
        .say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n0\r\n\r\n")
        .await;
    assert_eq!(
        client.hear_head().await,
        ["HTTP/1.0 200 OK", "Connection: close"]
    );
    client.hear("one").await;
    client.hear_end().await;

    let mut client = rig.client().await;
    client
        .say("GET http://web:8080/ HTTP/1.1\r\nHost: web\r\n\r\n")
        .await;
    let mut container = web.accept().await;
    container.hear_head().await;
    container.say("HTTP/1.0 200 OK\r\n\r\ntill the end").await;
    drop(container);
    let head = client.hear_head().await;
    assert_eq!(head, ["HTTP/1.1 200 OK", "Transfer-Encoding: chunked"]);
    client.hear("c\r\ntill the end\r\n0\r\n\r\n").await;
}

#[tokio::test]
async fn the_gateway_is_no_web_server() {
    let rig = Rig::new().await;
    for (request, status, word) in [
        (
            "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://evil.example\r\n\r\n",
            400,
            "a proxy",
        ),
        ("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 400, "a proxy"),
        (
            "GET https://web/ HTTP/1.1\r\nHost: web\r\n\r\n",
            501,
            "CONNECT",
        ),
        ("GET ws://web/ HTTP/1.1\r\nHost: web\r\n\r\n", 501, "ws://"),
        (
            "GET http://nobody/ HTTP/1.1\r\nHost: x\r\n\r\n",
            502,
            "nobody:80",
        ),
        (
            "GET http://10.231.3.2/ HTTP/1.1\r\nHost: x\r\n\r\n",
            403,
            "network foreign",
        ),
        (
            "GET http://web:9/ HTTP/1.1\r\nHost: x\r\n\r\n",
            502,
            "refused",
        ),
    ] {
        let mut client = rig.client().await;
        client.say(request).await;
        let (got, text) = client.hear_response().await;
        assert_eq!(got, status, "{request}");
        assert!(text.contains(word), "{text}");
    }
    let own = format!("GET http://{}/ HTTP/1.1\r\nHost: x\r\n\r\n", rig.address);
    let mut client = rig.client().await;
    client.say(own).await;
    assert_eq!(client.hear_response().await.0, 508);
}

#[tokio::test]
async fn an_answer_to_head_keeps_its_length() {
    let rig = Rig::new().await;
    let (mut client, mut container) = rig
        .asked("HEAD http://web/ HTTP/1.1\r\nHost: web\r\n\r\n")
        .await;
    for _ in 0..2 {
        container.hear_head().await;
        container
            .say("HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n")
            .await;
        assert_eq!(
            client.hear_head().await,
            ["HTTP/1.1 200 OK", "Content-Length: 1234"]
        );
        client
            .say("HEAD http://web/ HTTP/1.1\r\nHost: web\r\n\r\n")
            .await;
    }
}

#[tokio::test]
async fn bodies_larger_than_any_buffer_pass_both_ways_at_once() {
    const MUCH: usize = 8 << 20;
    let rig = Rig::new().await;
    let web = rig.container("10.231.1.2:80").await;
    let mut client = rig.client().await;
    let head = format!("POST http://web/ HTTP/1.1\r\nHost: web\r\nContent-Length: {MUCH}\r\n\r\n");
    client.say(head).await;
    let mut container = web.accept().await;
    container.hear_head().await;
    container
        .say(format!("HTTP/1.1 200 OK\r\nContent-Length: {MUCH}\r\n\r\n"))
        .await;
    client.hear_head().await;
    let (up, down) = (vec![b'u'; MUCH], vec![b'd'; MUCH]);
    let (mut client, mut container) = (client.0.into_split(), container.0.into_split());
    let (mut sent_up, mut sent_down) = (vec![0; MUCH], vec![0; MUCH]);
    let all = async {
        tokio::try_join!(
            client.1.write_all(&up),
            container.1.write_all(&down),
            client.0.read_exact(&mut sent_down),
            container.0.read_exact(&mut sent_up),
        )
    };
    soon("pass everything", all).await.unwrap();
    assert!(sent_up == up && sent_down == down);
}
