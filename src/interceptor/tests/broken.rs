//! What breaks off must not look whole, and who does not read holds up who writes.

use std::convert::Infallible;
use std::future::ready;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::rig::{Rig, accept_tls, hear, hear_head, say, send_h2, soon};

/// How an origin begins an answer, each with a body that is not whole; and how the client hears it.
const CUT: [(&str, &str); 3] = [
    ("Content-Length: 9\r\n\r\npart", "part"),
    (
        "Transfer-Encoding: chunked\r\n\r\n4\r\npart\r\n",
        "4\r\npart\r\n",
    ),
    ("Connection: close\r\n\r\npart", "4\r\npart\r\n"),
];
/// More than all buffers on the way hold, those of the kernel included.
const MUCH: usize = 256 << 20;

/// Ends a connection with a reset.
fn reset(stream: TcpStream) {
    let socket = socket2::SockRef::from(&stream);
    socket.set_linger(Some(Duration::ZERO)).unwrap();
    drop(stream);
}

/// All that still comes, however it ends.
async fn rest(stream: &mut (impl AsyncRead + Unpin)) -> Vec<u8> {
    let mut rest = Vec::new();
    // A connection may well end with a reset.
    let _ = soon("the end", stream.read_to_end(&mut rest)).await;
    rest
}

#[tokio::test]
async fn an_answer_that_breaks_off_does_not_look_whole() {
    let rig = Rig::new().await;
    let (plain, secure) = (rig.origin("api:80").await, rig.origin("api:443").await);
    let tls = rig.tls_server("api", &["http/1.1"]);
    for (cut, heard) in CUT {
        let answer = format!("HTTP/1.1 200 OK\r\n{cut}");
        let mut caller = rig.caller().await;
        say(&mut caller, "GET http://api/ HTTP/1.1\r\nHost: api\r\n\r\n").await;
        let (mut origin, _) = soon("a connection", plain.accept()).await.unwrap();
        hear_head(&mut origin).await;
        say(&mut origin, &answer).await;
        hear_head(&mut caller).await;
        hear(&mut caller, heard).await;
        reset(origin);
        assert_eq!(rest(&mut caller).await, b"", "{cut}");

        let connecting = rig.secure("api:443", &["http/1.1"], true);
        let (caller, mut origin) = tokio::join!(connecting, accept_tls(&secure, &tls));
        let mut caller = caller.unwrap();
        say(&mut caller, "GET / HTTP/1.1\r\nHost: api\r\n\r\n").await;
        hear_head(&mut origin).await;
        say(&mut origin, &answer).await;
        hear_head(&mut caller).await;
        hear(&mut caller, heard).await;
        // An orderly end of TCP alone is none of TLS.
        soon("an end", origin.get_mut().0.shutdown()).await.unwrap();
        assert_eq!(rest(&mut caller).await, b"", "{cut} by TLS");
    }
    let entries = rig.ends().await;
    assert_eq!(entries.len(), 2 * CUT.len());
    for entry in entries {
        let comment = entry["comment"].as_str().unwrap_or_default();
        assert!(comment.starts_with("the answer broke off: "), "{entry}");
    }
}

#[tokio::test]
async fn a_stream_of_http2_that_breaks_off_does_not_look_whole() {
    let rig = Rig::new().await;
    let listener = rig.origin("api:443").await;
    let tls = rig.tls_server("api", &["h2"]);
    let cue = Arc::new(Notify::new());
    let heard = Arc::clone(&cue);
    let mut served = JoinSet::new();
    served.spawn(async move {
        let origin = accept_tls(&listener, &tls).await;
        let broken = service_fn(move |_: Request<Incoming>| {
            let part = stream::once(ready(Ok(Frame::data(Bytes::from("part")))));
            let cue = Arc::clone(&cue);
            let end = stream::once(async move {
                cue.notified().await;
                Err(io::Error::other("broken"))
            });
            let body = StreamBody::new(Box::pin(part.chain(end)));
            ready(Ok::<_, Infallible>(Response::new(body)))
        });
        let served = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
            .serve_connection(TokioIo::new(origin), broken)
            .await;
        drop(served);
    });
    let caller = rig.secure("api:443", &["h2"], true).await.unwrap();
    let (mut sender, _driven) = send_h2(caller).await;
    let request = Request::get("https://api/").body(Full::default());
    let answer = soon("an answer", sender.send_request(request.unwrap())).await;
    let mut body = answer.unwrap().into_body();
    let part = soon("a part", body.frame()).await.unwrap().unwrap();
    assert_eq!(part.into_data().unwrap(), "part");
    heard.notify_one();
    soon("the end", body.frame()).await.unwrap().unwrap_err();
    drop(sender);
    let entries = rig.ends().await;
    let comment = entries[0]["comment"].as_str().unwrap_or_default();
    assert!(comment.starts_with("the answer broke off: "), "{comment}");
}

#[tokio::test]
async fn an_upload_waits_for_the_origin_to_read() {
    let rig = Rig::new().await;
    let listener = rig.origin("api:80").await;
    let mut caller = rig.caller().await;
    let head = format!("PUT http://api/ HTTP/1.1\r\nHost: api\r\nContent-Length: {MUCH}\r\n\r\n");
    say(&mut caller, &head).await;
    let (mut origin, _) = soon("a connection", listener.accept()).await.unwrap();
    hear_head(&mut origin).await;
    let piece = vec![b'x'; 1 << 20];
    let mut sent = 0;
    // As long as it takes nothing there is no more to be taken.
    while let Ok(written) = timeout(Duration::from_secs(1), caller.write(&piece)).await {
        sent += written.unwrap();
        assert!(sent < MUCH / 2, "nobody read, and {sent} bytes were taken");
    }
    let mut read = 0;
    let mut buffer = vec![0; 1 << 20];
    while read < sent {
        read += soon("the body", origin.read(&mut buffer)).await.unwrap();
    }
    assert_eq!(read, sent);
}

#[tokio::test]
async fn who_waits_for_100_continue_gets_it_once_the_way_is_open() {
    let rig = Rig::new().await;
    let listener = rig.origin("api:80").await;
    for target in ["api:80", "away:80"] {
        let mut caller = rig.caller().await;
        let head = format!(
            "PUT http://{target}/ HTTP/1.1\r\nHost: {target}\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"
        );
        say(&mut caller, &head).await;
        if target == "away:80" {
            assert!(hear_head(&mut caller).await.starts_with("HTTP/1.1 403 "));
            continue;
        }
        hear(&mut caller, "HTTP/1.1 100 Continue\r\n\r\n").await;
        say(&mut caller, "ping").await;
        let (mut origin, _) = soon("a connection", listener.accept()).await.unwrap();
        let head = hear_head(&mut origin).await.to_lowercase();
        assert!(head.contains("\r\nexpect: 100-continue\r\n"), "{head}");
        hear(&mut origin, "ping").await;
        // The client has had its own.
        let answer = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n";
        say(&mut origin, answer).await;
        assert!(hear_head(&mut caller).await.starts_with("HTTP/1.1 204 "));
    }
}
