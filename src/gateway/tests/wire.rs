//! Where messages end, and what becomes of connections when they do not end as they should.

mod ends;

use super::peer::{Peer, Server};
use super::rig::{GET, Rig};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A gateway with a client, and a container that has just read the head of its first request.
async fn asked(request: &str) -> (Rig, Peer, Peer) {
    let rig = Rig::new().await;
    let (client, mut container) = rig.asked(request).await;
    container.hear_head().await;
    (rig, client, container)
}

#[tokio::test]
async fn requests_whose_end_is_doubtful_are_refused() {
    let rig = Rig::new().await;
    let web = rig.container("10.231.1.2:80").await;
    for framing in [
        "Content-Length: 2\r\nContent-Length: 3\r\n",
        "Content-Length: +2\r\n",
        "Content-Length: 2, 2\r\n",
        "Transfer-Encoding: gzip\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: chunked, chunked\r\n",
        "Transfer-Encoding: chunked\u{a0}\r\n",
        "Transfer-Encoding:\r\nContent-Length: 2\r\n",
        "Transfer-Encoding : chunked\r\n",
        "X-Folded: a\r\n b\r\n",
        "No colon\r\n",
    ] {
        let mut client = rig.client().await;
        let request = format!("POST http://web/ HTTP/1.1\r\nHost: web\r\n{framing}\r\nok");
        client.say(request).await;
        assert_eq!(client.hear_response().await.0, 400, "{framing}");
        client.hear_end().await;
    }
    let mut client = rig.client().await;
    client
        .say("POST http://web/ HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
        .await;
    assert_eq!(client.hear_response().await.0, 400);
    assert!(web.is_alone().await, "none of them went on");
}

#[tokio::test]
async fn a_length_beside_chunks_does_not_pass() {
    let (_rig, mut client, mut container) = asked(
        "POST http://web/ HTTP/1.1\r\nHost: web\r\nContent-Length: 99\r\nTransfer-Encoding: chunked\r\n\r\n\
         2\r\nok\r\n0\r\n\r\n",
    )
    .await;
    container.hear("2\r\nok\r\n0\r\n\r\n").await;
    container
        .say("HTTP/1.1 200 OK\r\nContent-Length: 99\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n")
        .await;
    let head = client.hear_head().await;
    assert_eq!(head, ["HTTP/1.1 200 OK", "Transfer-Encoding: chunked"]);
    client.hear("2\r\nok\r\n0\r\n\r\n").await;
    // The connection goes on.
    client.say(GET).await;
    let head = container.hear_head().await;
    assert_eq!(head, ["GET / HTTP/1.1", "Host: web"]);
}

#[tokio::test]
async fn malformed_chunks_break_a_request_off() {
    let (_rig, mut client, mut container) =
        asked("POST http://web/ HTTP/1.1\r\nHost: web\r\nTransfer-Encoding: chunked\r\n\r\n").await;
    client.say("zz\r\n").await;
    container.hear_end().await;
    client.hear_nothing().await;
}

#[tokio::test]
async fn an_answer_that_ends_with_its_connection_ends_by_itself() {
    let (_rig, mut client, mut container) = asked(GET).await;
    container.say("HTTP/1.0 200 OK\r\n\r\none").await;
    let head = client.hear_head().await;
    assert_eq!(head, ["HTTP/1.1 200 OK", "Transfer-Encoding: chunked"]);
    client.hear("3\r\none\r\n").await;
    container.say("two").await;
    client.hear("3\r\ntwo\r\n").await;
    drop(container);
    client.hear("0\r\n\r\n").await;
    client
        .say("GET http://nobody/ HTTP/1.1\r\nHost: x\r\n\r\n")
        .await;
    assert_eq!(client.hear_response().await.0, 502, "it goes on");
}

#[tokio::test]
async fn an_answer_without_an_end_that_is_cut_off_is_not_taken_for_whole() {
    // On this host, with no tunnel in between.
    let (rig, server) = (Rig::new().await, Server::new().await);
    let mut client = rig.client().await;
    let url = format!("http://localhost:{}/", server.address().port());
    client.say(format!("GET {url} HTTP/1.0\r\n\r\n")).await;
    let mut container = server.accept().await;
    container.hear_head().await;
    container.say("HTTP/1.1 200 OK\r\n\r\nhal").await;
    let head = client.hear_head().await;
    assert_eq!(head, ["HTTP/1.0 200 OK", "Connection: close"]);
    client.hear("hal").await;
    container.0.set_zero_linger().unwrap();
    drop(container);
    client.hear_reset().await;
}

#[tokio::test]
async fn a_request_goes_on_after_its_answer() {
    let (_rig, mut client, mut container) =
        asked("PUT http://web/ HTTP/1.1\r\nHost: web\r\nContent-Length: 4\r\n\r\nbo").await;
    container.say(OK).await;
    assert_eq!(client.hear_response().await.0, 200);
    client.say("dy").await;
    container.hear("body").await;
    client.say(GET).await;
    container.hear_head().await;
    container.say(OK).await;
    assert_eq!(client.hear_response().await.0, 200);
}

#[tokio::test]
async fn an_origin_may_refuse_what_is_expected_of_it() {
    let (_rig, mut client, mut container) = asked(
        "PUT http://web/ HTTP/1.1\r\nHost: web\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n",
    )
    .await;
    container
        .say("HTTP/1.1 417 No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        .await;
    drop(container);
    assert_eq!(client.hear_response().await.0, 417);
    // Whether the body comes now, nobody can tell: what follows is not taken for a request.
    client.hear_end().await;
}

#[tokio::test]
async fn a_refusal_says_as_much_as_its_request_allows() {
    let rig = Rig::new().await;
    let mut client = rig.client().await;
    client
        .say("HEAD http://nobody/ HTTP/1.1\r\nHost: x\r\n\r\nGET http://nobody/ HTTP/1.1\r\nHost: x\r\n\r\n")
        .await;
    let head = client.hear_head().await;
    assert_eq!(head[0], "HTTP/1.1 502 Bad Gateway");
    assert_eq!(client.hear_response().await.0, 502, "the next one's");
    client
        .say("POST http://nobody/ HTTP/1.1\r\nHost: x\r\nContent-Length: 60\r\n\r\nGET http://web/ HTTP/1.1\r\n")
        .await;
    let (status, text) = client.hear_response().await;
    assert_eq!(status, 502, "{text}");
    client.hear_end().await;
}

#[tokio::test]
async fn too_many_lines_are_refused() {
    let rig = Rig::new().await;
    let mut client = rig.client().await;
    client
        .say(format!(
            "GET http://web/ HTTP/1.1\r\n{}\r\n",
            "X: y\r\n".repeat(200)
        ))
        .await;
    assert_eq!(client.hear_response().await.0, 431);
    client.hear_end().await;
}

#[tokio::test]
async fn where_the_last_request_went_is_shown_until_the_next() {
    let (rig, mut client, mut container) = asked(GET).await;
    container
        .say("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")
        .await;
    drop(container);
    client.hear_response().await;
    let shown = rig.connections.list();
    assert_eq!(shown[0].1.destination.to_string(), "web:80");
    client
        .say("GET http://nobody/ HTTP/1.1\r\nHost: x\r\n\r\n")
        .await;
    assert_eq!(client.hear_response().await.0, 502);
    assert!(rig.connections.is_empty());
}

#[tokio::test]
async fn clients_of_http_1_0_may_go_on_as_well() {
    let (_rig, mut client, mut container) =
        asked("GET http://web/ HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").await;
    container.say(OK).await;
    let head = client.hear_head().await;
    assert_eq!(
        head,
        [
            "HTTP/1.0 200 OK",
            "Content-Length: 2",
            "Connection: keep-alive"
        ]
    );
    client.hear("ok").await;
    client.say("GET http://web/ HTTP/1.0\r\n\r\n").await;
    container.hear_head().await;
}

#[tokio::test]
async fn what_comes_with_a_connect_that_is_refused_is_no_request() {
    let rig = Rig::new().await;
    let web = rig.container("10.231.1.2:80").await;
    for with in [
        format!("\r\n{GET}"),
        format!("Content-Length: {}\r\n\r\n{GET}", GET.len()),
    ] {
        let mut client = rig.client().await;
        client
            .say(format!("CONNECT nobody:80 HTTP/1.1\r\n{with}"))
            .await;
        assert_eq!(client.hear_response().await.0, 502);
        client.hear_end().await;
    }
    assert!(web.is_alone().await);
}

#[tokio::test]
async fn a_query_without_a_path_gets_one() {
    let rig = Rig::new().await;
    let web = rig.container("10.231.1.2:80").await;
    let mut client = rig.client().await;
    client
        .say("GET http://web?x=1 HTTP/1.1\r\nHost: web\r\n\r\n")
        .await;
    let head = web.accept().await.hear_head().await;
    assert_eq!(head[0], "GET /?x=1 HTTP/1.1");
}

#[tokio::test]
async fn answers_that_are_none_are_told() {
    for answer in [
        "HTTP/1.1 099 What\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "220 mail.example ESMTP\r\n",
    ] {
        let (_rig, mut client, mut container) = asked(GET).await;
        container.say(answer).await;
        assert_eq!(client.hear_response().await.0, 502, "{answer}");
    }
}
