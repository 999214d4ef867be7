//! What is archived of what passes.

use std::io::Write as _;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use flate2::write::GzEncoder;
use flate2::{Compress, Compression, FlushCompress};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

use super::rig::{Rig, hear, hear_bytes, hear_head, say, soon};

/// A request that is answered so, with what follows its status line.
async fn answered(rig: &Rig, head: &str, body: &[u8]) {
    let listener = rig.origin("api:80").await;
    let mut caller = rig.caller().await;
    say(&mut caller, "GET http://api/ HTTP/1.1\r\nHost: api\r\n\r\n").await;
    let (mut origin, _) = soon("a connection", listener.accept()).await.unwrap();
    hear_head(&mut origin).await;
    let length = body.len();
    say(
        &mut origin,
        &format!("HTTP/1.1 200 OK\r\n{head}Content-Length: {length}\r\n\r\n"),
    )
    .await;
    soon("an answer", origin.write_all(body)).await.unwrap();
    hear_head(&mut caller).await;
    // On the wire it stays as it is.
    assert_eq!(hear_bytes(&mut caller, length).await, body);
}

#[tokio::test]
async fn bodies_are_archived_as_they_were_before_they_were_coded() {
    let rig = Rig::new().await;
    let text = "h\u{e9}llo ".repeat(100);
    let mut coder = GzEncoder::new(Vec::new(), Compression::best());
    coder.write_all(text.as_bytes()).unwrap();
    let gzip = coder.finish().unwrap();
    let noise = [0xFF, 0xFE, 0x00];
    let html = "Content-Type: text/html\r\n";
    for (head, body) in [
        (format!("{html}Content-Encoding: gzip\r\n"), &gzip[..]),
        (html.to_owned(), text.as_bytes()),
        (String::new(), &noise),
        (format!("{html}Content-Encoding: secret\r\n"), b"as it is"),
        (format!("{html}Content-Encoding: gzip\r\n"), b"a lie"),
        (
            format!("{html}Content-Encoding: gzip\r\n"),
            &gzip[..gzip.len() - 9],
        ),
    ] {
        answered(&rig, &head, body).await;
    }
    let entries = rig.ends().await;
    let contents: Vec<_> = entries.iter().map(|e| &e["response"]["content"]).collect();
    assert_eq!(contents[0]["text"], text);
    assert_eq!(contents[0]["size"], text.len());
    assert_eq!(contents[0]["compression"], text.len() - gzip.len());
    assert_eq!(entries[0]["response"]["bodySize"], gzip.len());
    assert_eq!(contents[0].get("comment"), None);
    assert_eq!(contents[1]["text"], text);
    assert_eq!(contents[1].get("compression"), None);
    assert_eq!(contents[2]["encoding"], "base64");
    assert_eq!(contents[2]["text"], BASE64_STANDARD.encode(noise));
    assert_eq!(contents[3]["text"], "as it is");
    assert_eq!(contents[3]["comment"], "as it was sent, in secret");
    assert_eq!(contents[4]["text"], "a lie");
    assert_eq!(contents[4]["comment"], "as it was sent, in gzip");
    let cut = contents[5]["text"].as_str().unwrap();
    assert!(!cut.is_empty() && text.starts_with(cut), "{cut}");
    let comment = contents[5]["comment"].as_str().unwrap();
    assert!(comment.starts_with("the first "), "{comment}");
}

/// A frame with less than 126 bytes, masked with zeros where a client sends it.
fn frame(first: u8, from_client: bool, data: &[u8]) -> Vec<u8> {
    let mask = if from_client { 0x80 } else { 0 };
    let mut frame = vec![first, mask | u8::try_from(data.len()).unwrap()];
    frame.extend(if from_client { &[0; 4][..] } else { &[] });
    frame.extend(data);
    frame
}

/// As permessage-deflate has it, with what came before as context.
fn compressed(state: &mut Compress, text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024);
    let flush = FlushCompress::Sync;
    state
        .compress_vec(text.as_bytes(), &mut out, flush)
        .unwrap();
    assert!(out.ends_with(&[0, 0, 0xFF, 0xFF]));
    out.truncate(out.len() - 4);
    out
}

#[tokio::test]
async fn messages_of_websockets_are_archived() {
    let rig = Rig::new().await;
    let listener = rig.origin("api:80").await;
    let mut caller = rig.caller().await;
    let upgrade = "Connection: Upgrade\r\nUpgrade: WebSocket\r\n\r\n";
    say(
        &mut caller,
        &format!("GET http://api/ws HTTP/1.1\r\nHost: api\r\n{upgrade}"),
    )
    .await;
    let (mut origin, _) = soon("a connection", listener.accept()).await.unwrap();
    hear_head(&mut origin).await;
    say(
        &mut origin,
        &format!("HTTP/1.1 101 Switching Protocols\r\n{upgrade}"),
    )
    .await;
    hear_head(&mut caller).await;
    let mut state = Compress::new(Compression::best(), false);
    let first = compressed(&mut state, "hello hello");
    let second = compressed(&mut state, "hello hello again");
    assert!(second.len() < 17, "it refers to the first");
    for (from_client, frame) in [
        (true, frame(0x81, true, b"ask")),
        (false, frame(0xC1, false, &first)),
        (true, frame(0x82, true, &[0xFF])),
        (false, frame(0x89, false, b"ping")),
        (false, frame(0xC1, false, &second)),
    ] {
        let (from, to) = if from_client {
            (&mut caller, &mut origin)
        } else {
            (&mut origin, &mut caller)
        };
        soon("saying", from.write_all(&frame)).await.unwrap();
        assert_eq!(hear_bytes(to, frame.len()).await, frame);
    }
    drop((caller, origin));
    let entries = rig.ends().await;
    assert_eq!(entries[0]["response"]["status"], 101);
    assert_eq!(entries[0]["_resourceType"], "websocket");
    assert_eq!(entries[0]["request"].get("postData"), None);
    let messages = entries[0]["_webSocketMessages"].as_array().unwrap();
    let said: Vec<Value> = messages
        .iter()
        .map(|m| json!([m["type"], m["opcode"], m["data"]]))
        .collect();
    let expected = [
        json!(["send", 1, "ask"]),
        json!(["receive", 1, "hello hello"]),
        json!(["send", 2, "/w=="]),
        json!(["receive", 1, "hello hello again"]),
    ];
    assert_eq!(said, expected);
    let times: Vec<_> = messages
        .iter()
        .map(|m| m["time"].as_f64().unwrap())
        .collect();
    assert!(times.is_sorted() && times[0] > 1.7e9, "{times:?}");
    // Lengths on the wire are what the lines show.
    assert_eq!(
        entries[0]["response"]["bodySize"],
        first.len() + second.len()
    );
}

#[tokio::test]
async fn what_is_no_websocket_after_an_upgrade_is_measured_and_not_kept() {
    let rig = Rig::new().await;
    let listener = rig.origin("api:80").await;
    let mut caller = rig.caller().await;
    let upgrade = "Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n";
    say(
        &mut caller,
        &format!("POST http://api/attach HTTP/1.1\r\nHost: api\r\n{upgrade}"),
    )
    .await;
    let (mut origin, _) = soon("a connection", listener.accept()).await.unwrap();
    hear_head(&mut origin).await;
    say(&mut origin, &format!("HTTP/1.1 101 UPGRADED\r\n{upgrade}")).await;
    hear_head(&mut caller).await;
    say(&mut origin, "output").await;
    hear(&mut caller, "output").await;
    drop((caller, origin));
    let entries = rig.ends().await;
    assert_eq!(entries[0]["response"]["content"]["size"], 6);
    assert_eq!(entries[0]["response"]["content"].get("text"), None);
    assert_eq!(entries[0].get("_webSocketMessages"), None);
}
