//! The API proxy between a client and an engine that are both bare sockets: every byte is seen.

mod builders;
mod builds;
mod classic;
mod rig;
mod streams;

use rig::Rig;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK";

#[tokio::test]
async fn requests_and_answers_pass_as_the_very_bytes() {
    let rig = Rig::start();
    let mut client = rig.client().await;
    let request = "PUT /v1.45/x?a=%2F HTTP/1.1\r\nhOst:  d\r\nX-A: b\r\nTransfer-Encoding: chunked\r\n\r\n\
                   3;x=y\r\nabc\r\n0\r\nT: r\r\n\r\n";
    client.send(request).await;
    let mut engine = rig.engine().await;
    engine.reads(request).await;
    let answer = "HTTP/1.1 200 Fine By Me\r\nx-b:c\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nT: r\r\n\r\n";
    engine.send(answer).await;
    client.reads(answer).await;
    // The same two connections serve the next request.
    client.send("GET /y HTTP/1.1\r\n\r\n").await;
    engine.reads("GET /y HTTP/1.1\r\n\r\n").await;
    engine.send(OK).await;
    client.reads(OK).await;
}

#[tokio::test]
async fn a_ping_says_whose_proxy_it_is() {
    let rig = Rig::start();
    let mut client = rig.client().await;
    client.send("HEAD /_ping HTTP/1.1\r\n\r\n").await;
    let mut engine = rig.engine().await;
    engine.reads("HEAD /_ping HTTP/1.1\r\n\r\n").await;
    engine
        .send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
        .await;
    client
        .reads("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nDockline-Instance: default\r\n\r\n")
        .await;
}

#[tokio::test]
async fn calls_are_counted_by_what_became_of_them() {
    let rig = Rig::start();
    let mut client = rig.client().await;
    let pong = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nDockline-Instance: default\r\n\r\nOK";
    let empty = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]";
    let mut engine = None;
    for (target, said, heard) in [
        ("/info", OK, OK),
        ("/_ping", OK, pong),
        // Nothing in it is to be changed.
        ("/containers/json", empty, empty),
        // Whoever is answered the next has been counted.
        ("/info", OK, OK),
    ] {
        let request = format!("GET {target} HTTP/1.1\r\n\r\n");
        client.send(&request).await;
        if engine.is_none() {
            engine = Some(rig.engine().await);
        }
        let engine = engine.as_mut().unwrap();
        engine.reads(&request).await;
        engine.send(said).await;
        client.reads(heard).await;
    }
    let of = |wanted: &str| {
        let mut counted = rig.counts.api.list();
        counted.find(|(op, _)| *op == wanted).unwrap().1
    };
    assert_eq!(of("ping"), [0, 1, 0]);
    assert_eq!(of("container_list"), [1, 0, 0]);
    assert!(of("other")[0] >= 1);
}

#[tokio::test]
async fn what_comes_before_an_answer_passes_as_it_comes() {
    let rig = Rig::start();
    let mut client = rig.client().await;
    client
        .send("POST /x HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
        .await;
    let mut engine = rig.engine().await;
    engine
        .reads("POST /x HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
        .await;
    engine.send("HTTP/1.1 100 Continue\r\n\r\n").await;
    client.reads("HTTP/1.1 100 Continue\r\n\r\n").await;
    client.send("abc").await;
    engine.reads("abc").await;
    engine
        .send("HTTP/1.1 103 Early Hints\r\nLink: </>\r\n\r\n")
        .await;
    client
        .reads("HTTP/1.1 103 Early Hints\r\nLink: </>\r\n\r\n")
        .await;
    engine.send(OK).await;
    client.reads(OK).await;
}

#[tokio::test]
async fn an_answer_before_the_body_is_read_arrives() {
    let rig = Rig::start();
    let mut client = rig.client().await;
    client
        .send("POST /images/load HTTP/1.1\r\nContent-Length: 1000000000\r\n\r\nabc")
        .await;
    let mut engine = rig.engine().await;
    engine
        .reads("POST /images/load HTTP/1.1\r\nContent-Length: 1000000000\r\n\r\nabc")
        .await;
    let answer = "HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\nno";
    engine.send(answer).await;
    client.reads(answer).await;
    // What is left of the body would be taken for a request.
    client.ends().await;
}

#[tokio::test]
async fn a_client_that_goes_away_is_gone_for_the_engine() {
    let rig = Rig::start();
    let mut client = rig.client().await;
    client
        .send("POST /containers/x/wait HTTP/1.1\r\n\r\n")
        .await;
    let mut engine = rig.engine().await;
    engine
        .reads("POST /containers/x/wait HTTP/1.1\r\n\r\n")
        .await;
    engine
        .send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        .await;
    client
        .reads("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        .await;
    drop(client);
    engine.ends().await;
}

#[tokio::test]
async fn an_engine_that_goes_away_is_gone_for_the_client_and_may_come_back() {
    let mut rig = Rig::start();
    let mut client = rig.client().await;
    client.send("GET /x HTTP/1.1\r\n\r\n").await;
    let mut engine = rig.engine().await;
    engine.reads("GET /x HTTP/1.1\r\n\r\n").await;
    engine.send(OK).await;
    client.reads(OK).await;
    // An idle connection ends: the next request has another.
    drop(engine);
    client.send("GET /y HTTP/1.1\r\n\r\n").await;
    let mut engine = rig.engine().await;
    engine.reads("GET /y HTTP/1.1\r\n\r\n").await;
    engine
        .send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab")
        .await;
    client
        .reads("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab")
        .await;
    drop(engine);
    client.ends().await;

    rig.stop_engine();
    let mut client = rig.client().await;
    client.send("GET /x HTTP/1.1\r\n\r\n").await;
    let answer = client.rest().await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    assert!(
        body["message"]
            .as_str()
            .unwrap()
            .contains("no engine answers"),
        "{body}"
    );
}

#[tokio::test]
async fn a_list_is_shown_and_its_framing_is_right() {
    let rig = Rig::start();
    let mut client = rig.client().await;
    client.send("GET /containers/json HTTP/1.1\r\n\r\n").await;
    let mut engine = rig.engine().await;
    engine.reads("GET /containers/json HTTP/1.1\r\n\r\n").await;
    let list = r#"[{"Names":["/w"],"Labels":{"com.docker.compose.config-hash":"h"},"X":1.0}]"#;
    let (one, two) = list.split_at(20);
    let chunks = format!(
        "{:x}\r\n{one}\r\n{:x}\r\n{two}\r\n0\r\n\r\n",
        one.len(),
        two.len()
    );
    engine
        .send(&format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nA: b\r\n\r\n{chunks}"
        ))
        .await;
    let shown = list.replace(r#":"h""#, r#":"h+unintercepted""#);
    let length = shown.len();
    client
        .reads(&format!(
            "HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: {length}\r\n\r\n{shown}"
        ))
        .await;
    // What is not understood, or nothing to change, stays as it came.
    for body in ["[1,2]", "[]", "{"] {
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        client.send("GET /containers/json HTTP/1.1\r\n\r\n").await;
        engine.reads("GET /containers/json HTTP/1.1\r\n\r\n").await;
        engine.send(&answer).await;
        client.reads(&answer).await;
    }
}

#[tokio::test]
async fn web_pages_are_no_clients() {
    let rig = Rig::start();
    for headers in [
        "Host: 127.0.0.1\r\nOrigin: http://evil.example\r\n",
        "Host: evil.example\r\n",
        "Host: localhost:1\r\nSec-Fetch-Site: none\r\n",
    ] {
        let mut page = rig.tcp_client().await;
        page.send(&format!("GET /_ping HTTP/1.1\r\n{headers}\r\n"))
            .await;
        let answer = page.rest().await;
        assert!(answer.starts_with("HTTP/1.1 403 "), "{headers} {answer}");
    }
    let mut client = rig.tcp_client().await;
    let request = "GET /x HTTP/1.1\r\nHost: localhost:2375\r\n\r\n";
    client.send(request).await;
    rig.engine().await.reads(request).await;
}
