//! The page and what it lives on. With a real browser and real containers: `cargo xtask page`.

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::metrics::get;
use crate::support::fake_engine::FakeEngine;
use crate::support::{PATIENCE, Running};

async fn serve(engine: &FakeEngine) -> Running {
    let running = Running::launch("fake", &engine.front.host(), |config| {
        config.selector.all = true;
        config.tunnel_image = Some("absent".to_owned());
    })
    .await;
    running.ready().await;
    running
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_lets_nothing_in_from_elsewhere() {
    let engine = FakeEngine::start();
    let running = serve(&engine).await;
    for (path, kind) in [
        ("/", "text/html"),
        ("/app.js", "text/javascript"),
        ("/picture.js", "text/javascript"),
        ("/dom.js", "text/javascript"),
        ("/app.css", "text/css"),
    ] {
        let (head, body) = get(running.http, path).await;
        assert!(head.starts_with("HTTP/1.1 200"), "{path}: {head}");
        assert!(head.contains(&format!("content-type: {kind}; charset=utf-8")));
        for word in [
            "content-security-policy: default-src 'none'; script-src 'self'; style-src 'self'",
            "frame-ancestors 'none'",
            "x-content-type-options: nosniff",
            "referrer-policy: no-referrer",
        ] {
            assert!(head.contains(word), "{path}, {word}: {head}");
        }
        let policy = head.split("content-security-policy: ").nth(1).unwrap();
        let policy = policy.lines().next().unwrap();
        assert!(
            !policy.contains("unsafe") && !policy.contains('*'),
            "{policy}"
        );
        assert!(!body.is_empty(), "{path}");
    }
}

/// The name of the next event, and its data.
async fn event(lines: &mut (impl AsyncBufReadExt + Unpin)) -> (String, serde_json::Value) {
    let mut name = String::new();
    loop {
        let mut line = String::new();
        let read = tokio::time::timeout(PATIENCE, lines.read_line(&mut line)).await;
        assert!(read.expect("an event in time").unwrap() > 0, "it ended");
        if let Some(word) = line.strip_prefix("event: ") {
            word.trim().clone_into(&mut name);
        }
        if let Some(data) = line.strip_prefix("data: ") {
            return (name, serde_json::from_str(data).unwrap());
        }
    }
}

async fn listen(running: &Running, path: &str) -> BufReader<TcpStream> {
    let mut stream = TcpStream::connect(running.http).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    BufReader::new(stream)
}

#[tokio::test(flavor = "multi_thread")]
async fn events_tell_of_maps_and_if_wanted_of_everything() {
    let engine = FakeEngine::start();
    engine.change(|world| {
        world.network("shop");
    });
    let running = serve(&engine).await;
    let mut maps = listen(&running, "/v1/events").await;
    let mut live = listen(&running, "/v1/events?live=true").await;
    assert_eq!(event(&mut maps).await.0, "map");
    let mut seen = std::collections::BTreeMap::new();
    while seen.len() < 3 {
        let (name, data) = event(&mut live).await;
        seen.insert(name, data);
    }
    assert_eq!(seen["map"]["containers"], 0);
    assert_eq!(seen["state"]["ready"], true);
    assert_eq!(seen["state"]["link"], "down");
    assert_eq!(seen["traffic"]["requests"], 0);
    assert_eq!(seen["traffic"]["talks"], serde_json::json!([]));

    // One that wants maps alone hears of nothing else, whatever else changes.
    engine.front.stop().await;
    let (mut name, mut data) = event(&mut live).await;
    while name != "state" || data["connected"] != false {
        (name, data) = event(&mut live).await;
    }
    assert_eq!(data["ready"], false);
    engine.quietly(|world| world.run("api-1", "shop"));
    engine.front.open();
    // The network may have been news as well.
    loop {
        let (name, data) = event(&mut maps).await;
        assert_eq!(name, "map");
        if data["containers"] == 1 {
            break;
        }
    }

    let (head, _) = get(running.http, "/v1/events?live=perhaps").await;
    assert!(head.starts_with("HTTP/1.1 400"), "{head}");
}
