//! HTTP without TLS, and what is no HTTP at all.

use std::collections::BTreeMap;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::rig::{Rig, hear, hear_head, say, soon};
use crate::core::resolve::Scope;
use crate::core::sample::id;

#[tokio::test]
async fn requests_of_one_connection_are_seen_and_stay_as_they_are() {
    let rig = Rig::new().await;
    let (api, db) = (rig.origin("api:80").await, rig.origin("db:81").await);
    let mut caller = rig.caller().await;
    let mut kept = None;
    for (listener, url, body) in [
        (&api, "http://api/a?b=c%20d", "ping"),
        (&api, "http://api/again", "pong"),
        (&db, "http://db:81/", "other"),
    ] {
        let length = body.len();
        say(
            &mut caller,
            &format!(
                "POST {url} HTTP/1.1\r\nHost: x\r\nX-Case: Kept\r\nProxy-Connection: keep-alive\r\nDockline-Client: db\r\n\
                 Cookie: a=1; b=2\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\r\n{body}"
            ),
        )
        .await;
        let mut origin: TcpStream = match (kept.take(), url) {
            (Some(origin), "http://api/again") => origin,
            _ => soon("a connection", listener.accept()).await.unwrap().0,
        };
        let head = hear_head(&mut origin).await;
        assert!(head.starts_with("POST /"), "{head}");
        assert!(head.contains("\r\nX-Case: Kept\r\n"), "{head}");
        let lower = head.to_lowercase();
        assert!(
            !lower.contains("proxy-") && !lower.contains("dockline"),
            "{head}"
        );
        hear(&mut origin, body).await;
        say(
            &mut origin,
            "HTTP/1.1 201 Created\r\nSet-Cookie: s=1; Path=/\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok",
        )
        .await;
        let head = hear_head(&mut caller).await;
        assert!(head.starts_with("HTTP/1.1 201 "), "{head}");
        assert!(!head.to_lowercase().contains("\r\ndate:"), "{head}");
        hear(&mut caller, "ok").await;
        kept = Some(origin);
    }
    let asked = rig.asked.lock().unwrap().clone();
    let web = Scope::Container(id("web"));
    let expected = [
        (web.clone(), "api:80".to_owned()),
        (web, "db:81".to_owned()),
    ];
    assert_eq!(asked, expected);
    assert_eq!(rig.counts.intercepted.get(), 3);
    let talks = rig.traffic.list().into_iter();
    let requests = talks.map(|talk| (talk.pair.to.to_string(), talk.requests.get()));
    let requests: BTreeMap<_, _> = requests.collect();
    let expected = [("api:80".to_owned(), 2), ("db:81".to_owned(), 1)];
    assert_eq!(requests, expected.into());
    drop(caller);
    let entries = rig.ends().await;
    assert_eq!(entries.len(), 3);
    let first = &entries[0];
    assert_eq!(first["_from"], "web");
    assert_eq!(first["_service"], "web");
    assert_eq!(first["request"]["method"], "POST");
    assert_eq!(first["request"]["url"], "http://api/a?b=c%20d");
    assert_eq!(first["request"]["queryString"][0]["value"], "c d");
    assert_eq!(first["request"]["cookies"][1]["name"], "b");
    assert_eq!(first["request"]["postData"]["text"], "ping");
    assert_eq!(first["response"]["status"], 201);
    assert_eq!(first["response"]["cookies"][0]["value"], "1");
    assert_eq!(first["response"]["content"]["text"], "ok");
    assert_eq!(first["response"]["content"]["size"], 2);
}

#[tokio::test]
async fn what_comes_before_an_answer_passes() {
    let rig = Rig::new().await;
    let api = rig.origin("api:80").await;
    let mut caller = rig.caller().await;
    say(&mut caller, "GET http://api/ HTTP/1.1\r\nHost: api\r\n\r\n").await;
    let (mut origin, _) = soon("a connection", api.accept()).await.unwrap();
    hear_head(&mut origin).await;
    let early = "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n";
    say(&mut origin, early).await;
    hear(&mut caller, early).await;
    say(
        &mut origin,
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    )
    .await;
    assert!(hear_head(&mut caller).await.starts_with("HTTP/1.1 200 "));
    hear(&mut caller, "ok").await;
}

#[tokio::test]
async fn what_cannot_be_reached_is_refused_in_words_and_seen() {
    let rig = Rig::new().await;
    let (_, status, text) = rig.connect("vault:443").await;
    assert_eq!(status, 403);
    assert_eq!(
        text,
        "dockline cannot reach vault:443: it is on no network of web.\n"
    );
    let mut caller = rig.caller().await;
    say(
        &mut caller,
        "GET http://vault/ HTTP/1.1\r\nHost: vault\r\n\r\n",
    )
    .await;
    assert!(hear_head(&mut caller).await.starts_with("HTTP/1.1 403 "));
    let mut caller = rig.caller().await;
    say(&mut caller, "GET / HTTP/1.1\r\nHost: dockline:8790\r\n\r\n").await;
    assert!(hear_head(&mut caller).await.starts_with("HTTP/1.1 400 "));
    let entries = rig.ends().await;
    assert_eq!(entries[0]["request"]["url"], "tcp://vault:443");
    assert_eq!(entries[1]["request"]["url"], "http://vault/");
    for entry in entries {
        assert_eq!(entry["response"]["status"], 403);
        let comment = entry["comment"].as_str().unwrap();
        assert!(comment.contains("on no network of web"), "{comment}");
    }
}

#[tokio::test]
async fn what_is_not_tls_passes_as_it_is_whoever_speaks_first() {
    let rig = Rig::new().await;
    let origin = rig.origin("db:5432").await;
    for server_first in [true, false] {
        let (mut caller, status, _) = rig.connect("db:5432").await;
        assert_eq!(status, 200);
        let (mut far, _) = soon("a connection", origin.accept()).await.unwrap();
        if server_first {
            say(&mut far, "220 ready").await;
            hear(&mut caller, "220 ready").await;
        }
        say(&mut caller, "hello").await;
        hear(&mut far, "hello").await;
        caller.shutdown().await.unwrap();
        let mut rest = String::new();
        soon("the end", far.read_to_string(&mut rest))
            .await
            .unwrap();
        assert_eq!(rest, "");
        say(&mut far, "answer").await;
        hear(&mut caller, "answer").await;
    }
    let entries = rig.ends().await;
    assert_eq!(entries.len(), 2);
    assert_eq!(entries[0]["request"]["method"], "CONNECT");
}

#[tokio::test]
async fn big_bodies_stream_both_ways_and_are_cut_in_the_archive() {
    const SIZE: usize = 8 << 20;
    let rig = Rig::new().await;
    let listener = rig.origin("api:80").await;
    let mut caller = rig.caller().await;
    say(
        &mut caller,
        &format!("PUT http://api/ HTTP/1.1\r\nHost: api\r\nContent-Length: {SIZE}\r\n\r\n"),
    )
    .await;
    let (mut from, mut to) = caller.into_split();
    let piece = vec![0xFF; SIZE];
    let upload = async { soon("upload", to.write_all(&piece)).await.unwrap() };
    let echo = async {
        let (mut origin, _) = soon("a connection", listener.accept()).await.unwrap();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n");
        hear_head(&mut origin).await;
        say(&mut origin, &head).await;
        let (mut from, mut to) = origin.split();
        // Every piece goes back before the next has come.
        let echoed = tokio::io::copy(&mut from, &mut to);
        tokio::time::timeout(std::time::Duration::from_secs(20), echoed).await
    };
    let download = async {
        hear_head(&mut from).await;
        let mut heard = vec![0; SIZE];
        soon("download", from.read_exact(&mut heard)).await.unwrap();
        assert!(heard.iter().all(|byte| *byte == 0xFF));
    };
    tokio::select! {
        _ = echo => panic!("the origin ended first"),
        ((), ()) = async { tokio::join!(upload, download) } => {}
    }
    drop((from, to));
    let entries = rig.ends().await;
    let content = &entries[0]["response"]["content"];
    assert_eq!(content["size"], SIZE);
    assert_eq!(content["encoding"], "base64");
    assert_eq!(content["comment"], "the first 1048576 bytes");
    assert_eq!(entries[0]["request"]["bodySize"], SIZE);
}
