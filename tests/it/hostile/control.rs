//! The control API, on its socket and on its TCP port.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

use super::{Echo, exchange, half_open, is_well, noise, soon, spelled, told};
use crate::support::Serve;

/// Stopping takes at most the gateway's grace of three seconds.
const STOP: Duration = Duration::from_secs(8);

/// The status of the answer to a request for `path` with these headers.
async fn asked(serve: &Serve, path: &str, headers: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\n{headers}Connection: close\r\n\r\n");
    let answer = told(serve.http, request).await;
    answer.split(' ').nth(1).unwrap_or("none").to_owned()
}

#[tokio::test]
async fn no_page_of_the_web_can_read_it() {
    let serve = Serve::without_engine().await;
    let port = serve.http.port();
    for (headers, status) in [
        ("Host: localhost\r\n", "200"),
        ("Host: 127.0.0.1:PORT\r\n", "200"),
        ("Host: [::1]:PORT\r\n", "200"),
        (
            "Host: localhost:PORT\r\nOrigin: http://localhost:PORT\r\n",
            "200",
        ),
        ("Host: localhost\r\nSec-Fetch-Site: none\r\n", "200"),
        // DNS rebinding: the browser believes it talks to the attacker's own host.
        ("Host: evil.example\r\n", "403"),
        ("Host: evil.example:PORT\r\n", "403"),
        ("Host: 127.0.0.1.evil.example\r\n", "403"),
        ("Host: localhost.evil.example:PORT\r\n", "403"),
        ("Host: evil.example:80@127.0.0.1\r\n", "403"),
        ("Host: 10.0.0.1\r\n", "403"),
        ("Host: 0.0.0.0:PORT\r\n", "403"),
        ("Host: \r\n", "403"),
        ("", "403"),
        // A page that asks across sites.
        ("Host: localhost\r\nOrigin: http://evil.example\r\n", "403"),
        ("Host: localhost\r\nOrigin: https://evil.example\r\n", "403"),
        ("Host: localhost\r\nOrigin: null\r\n", "403"),
        (
            "Host: localhost\r\nOrigin: http://localhost.evil.example\r\n",
            "403",
        ),
        ("Host: localhost\r\nSec-Fetch-Site: cross-site\r\n", "403"),
        ("Host: localhost\r\nSec-Fetch-Site: same-site\r\n", "403"),
    ] {
        let headers = headers.replace("PORT", &port.to_string());
        for path in [
            "/v1/status",
            "/v1/resolve?name=a",
            "/v1/route?host=a",
            "/healthz",
            "/proxy.pac",
            "/metrics",
            "/",
            "/v1/traffic",
        ] {
            let answered = asked(&serve, path, &headers).await;
            // Who may ask what the engine says hears that it has not said anything yet.
            let asks_engine = path.contains('?') && status == "200";
            let expected = if asks_engine { "503" } else { status };
            assert_eq!(answered, expected, "{path} {headers:?}");
        }
    }
    assert_eq!(asked(&serve, "/", "Host: evil.example\r\n").await, "403");
}

#[tokio::test]
async fn questions_without_sense_are_refused_with_advice() {
    let serve = Serve::without_engine().await;
    let long = "a".repeat(20_000);
    // 503 is for a question that is one, while there is no engine.
    for (path, status) in [
        ("/v1/resolve", "400"),
        ("/v1/resolve?name=a&type=MX", "503"),
        ("/v1/resolve?name=a&type=PTR", "503"),
        ("/v1/resolve?name=a&from=nobody", "503"),
        ("/v1/resolve?name=", "503"),
        ("/v1/resolve?name=%FF%00..", "503"),
        (&format!("/v1/resolve?name={long}"), "503"),
        ("/v1/route?host=a&port=65536", "400"),
        ("/v1/route?host=a&port=-1", "400"),
        ("/v1/route?host=%5B%3A%3A1&port=1", "503"),
        ("/v1/who", "400"),
        ("/v1/who?client=127.0.0.1", "400"),
        ("/v1/who?client=127.0.0.1:1", "404"),
        ("/v2", "404"),
        ("/v1/../../etc/passwd", "404"),
    ] {
        let shown = &path[..path.len().min(40)];
        assert_eq!(
            asked(&serve, path, "Host: localhost\r\n").await,
            status,
            "{shown}"
        );
    }
}

#[tokio::test]
async fn whatever_is_wrong_is_said_in_json_with_advice() {
    let serve = Serve::without_engine().await;
    for (line, status) in [
        ("GET /v1/resolve", "400"),
        ("GET /v1/resolve?nam=a", "400"),
        ("GET /v1/route?host=a&port=http", "400"),
        ("GET /v1/route?port=80", "400"),
        ("POST /v1/status", "405"),
        ("DELETE /v1/route?host=a", "405"),
        ("GET /v1/pause", "404"),
        ("GET /v1/nothing", "404"),
        ("GET /v1/route?host=a", "503"),
    ] {
        let headers = "Host: localhost\r\nConnection: close\r\n";
        let answer = told(serve.http, format!("{line} HTTP/1.1\r\n{headers}\r\n")).await;
        assert_eq!(answer.split(' ').nth(1), Some(status), "{line}");
        problem(line, &answer);
    }
    // What changes something is there, on the socket, for those who ask rightly.
    let socket = UnixStream::connect(&serve.control).await.unwrap();
    let request = b"GET /v1/pause HTTP/1.1\r\nHost: dockline\r\nConnection: close\r\n\r\n";
    let answer = soon("an answer", exchange(socket, request)).await;
    let answer = String::from_utf8(answer).unwrap();
    assert_eq!(answer.split(' ').nth(1), Some("405"), "{answer}");
    problem("GET /v1/pause", &answer);
}

/// Fails unless the answer is an error as it is promised.
fn problem(line: &str, answer: &str) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let head = head.to_lowercase();
    assert!(
        head.contains("content-type: application/json"),
        "{line}: {head}"
    );
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    for key in ["error", "hint"] {
        let text = body[key].as_str().unwrap_or_default();
        assert!(!text.is_empty(), "{line}: {body}");
    }
}

#[tokio::test]
async fn noise_and_heads_without_an_end_cost_nothing() {
    let (serve, echo) = (Serve::without_engine().await, Echo::new().await);
    is_well(&serve, &echo).await;
    let before = serve.cost();
    let long = format!("GET /v1/status HTTP/1.1\r\nlong: {}", "a".repeat(32 << 20));
    for bytes in [
        long.into_bytes(),
        noise(1, 1 << 20),
        b"GET\r\n\r\n".to_vec(),
    ] {
        let heard = told(serve.http, &bytes).await;
        assert!(
            heard.is_empty() || heard.starts_with("HTTP/1.1 4"),
            "{heard}"
        );
        let socket = UnixStream::connect(&serve.control).await.unwrap();
        let heard = soon("an end", exchange(socket, &bytes)).await;
        assert!(heard.is_empty() || heard.starts_with(b"HTTP/1.1 4"));
    }
    is_well(&serve, &echo).await;
    let after = serve.cost();
    assert!(after.memory < before.memory + 8_192, "{before:?} {after:?}");
    serve.recovers().await;
}

#[tokio::test]
async fn a_request_may_come_a_byte_at_a_time() {
    let serve = Serve::without_engine().await;
    let stream = TcpStream::connect(serve.http).await.unwrap();
    let request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let mut stream = spelled(stream, request).await;
    let mut status = [0; 12];
    soon("an answer", stream.read_exact(&mut status))
        .await
        .unwrap();
    assert_eq!(&status, b"HTTP/1.1 200");
}

#[tokio::test]
async fn silent_clients_are_sent_away_and_cannot_use_up_all_files() {
    let (serve, echo) = (Serve::without_engine().await, Echo::new().await);
    is_well(&serve, &echo).await;
    let before = serve.cost();
    let mut silent = half_open(serve.http, b"", 200).await;
    silent.extend(half_open(serve.http, b"GET /v1/sta", 200).await);
    let at_most = before.files + 300;
    assert!(serve.cost().files < at_most, "{:?}", serve.cost());
    super::dropped(silent).await;
    is_well(&serve, &echo).await;
    serve.recovers().await;
}

#[tokio::test]
async fn nobody_holds_up_the_end() {
    let (serve, echo) = (Serve::without_engine().await, Echo::new().await);
    let mut open = half_open(serve.http, b"", 20).await;
    open.extend(half_open(serve.http, b"GET /v1/sta", 20).await);
    let events = b"GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n";
    open.extend(half_open(serve.http, events, 20).await);
    let mut on_socket = UnixStream::connect(&serve.control).await.unwrap();
    on_socket.write_all(b"GET /v1/sta").await.unwrap();
    is_well(&serve, &echo).await;
    serve.terminate(STOP).await;
    drop((open, on_socket));
}
