//! HTTP/2 between a client and an engine that are both ends of it.

use bytes::Bytes;
use h2::{Reason, RecvStream, client, server};
use http::{HeaderMap, HeaderValue, Request, Response};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::Rig;
use super::rig::LIMIT;
use crate::core::llb;

const SOLVE: &str = "http://localhost/moby.buildkit.v1.frontend.LLBBridge/Solve";

type Asked = (Request<RecvStream>, server::SendResponse<Bytes>);

/// Both ends, with what keeps them going.
struct Pair {
    rig: Rig,
    client: client::SendRequest<Bytes>,
    engine: tokio::sync::mpsc::Receiver<Asked>,
    tasks: JoinSet<()>,
}

impl Pair {
    /// As engines from 29 on are asked: by HTTP/2 from the first byte.
    async fn new() -> Self {
        let rig = Rig::start();
        let stream = rig.client().await.0;
        let mut greeting = client::Builder::new();
        let greeting = greeting.max_header_list_size(1 << 24).handshake(stream);
        let mut tasks = JoinSet::new();
        let (client, connection) = timeout(LIMIT, greeting).await.unwrap().unwrap();
        tasks.spawn(async move {
            let _ = connection.await;
        });
        let engine = rig.engine().await.0;
        let (asked_tx, asked_rx) = tokio::sync::mpsc::channel(8);
        tasks.spawn(async move {
            let mut connection = server::handshake(engine).await.unwrap();
            while let Some(Ok(asked)) = connection.accept().await {
                asked_tx.send(asked).await.unwrap();
            }
        });
        Self {
            rig,
            client,
            engine: asked_rx,
            tasks,
        }
    }

    fn ask(&mut self, uri: &str, body: Vec<u8>) -> client::ResponseFuture {
        let request = Request::post(uri)
            .header("te", "trailers")
            .body(())
            .unwrap();
        let (response, mut to) = self.client.send_request(request, false).unwrap();
        to.send_data(body.into(), true).unwrap();
        response
    }

    async fn asked(&mut self) -> Asked {
        timeout(LIMIT, self.engine.recv()).await.unwrap().unwrap()
    }
}

async fn body(mut from: RecvStream) -> (Vec<u8>, Option<HeaderMap>) {
    let read = async {
        let mut all = Vec::new();
        while let Some(data) = from.data().await {
            let data = data.unwrap();
            from.flow_control().release_capacity(data.len()).unwrap();
            all.extend_from_slice(&data);
        }
        (all, from.trailers().await.unwrap())
    };
    timeout(LIMIT, read).await.unwrap()
}

fn succeed(mut respond: server::SendResponse<Bytes>, message: &[u8]) {
    let mut to = respond.send_response(Response::new(()), false).unwrap();
    to.send_data(llb::frame(message).into(), false).unwrap();
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    to.send_trailers(trailers).unwrap();
}

#[tokio::test]
async fn streams_pass_with_trailers_of_any_length() {
    let mut pair = Pair::new().await;
    let sent = vec![7; 3 * 1024 * 1024];
    let request = Request::post("http://localhost/any")
        .header("x-a", "b")
        .body(())
        .unwrap();
    let (response, mut to) = pair.client.send_request(request, false).unwrap();
    let expected = sent.clone();
    pair.tasks.spawn(async move {
        let mut rest = Bytes::from(sent);
        while !rest.is_empty() {
            to.reserve_capacity(rest.len());
            let room = std::future::poll_fn(|cx| to.poll_capacity(cx))
                .await
                .unwrap()
                .unwrap();
            to.send_data(rest.split_to(room.min(rest.len())), false)
                .unwrap();
        }
        to.send_data(Bytes::new(), true).unwrap();
    });
    let (asked, mut respond) = pair.asked().await;
    assert_eq!(asked.headers()["x-a"], "b");
    assert_eq!(asked.uri().path(), "/any");
    let (got, _) = body(asked.into_body()).await;
    assert!(got == expected);
    let mut to = respond.send_response(Response::new(()), false).unwrap();
    to.send_data("answer".into(), false).unwrap();
    let mut trailers = HeaderMap::new();
    let details = HeaderValue::from_str(&"x".repeat(200_000)).unwrap();
    trailers.insert("grpc-status-details-bin", details.clone());
    to.send_trailers(trailers).unwrap();
    let answer = timeout(LIMIT, response).await.unwrap().unwrap();
    let (got, trailers) = body(answer.into_body()).await;
    assert_eq!(got, b"answer");
    assert_eq!(trailers.unwrap()["grpc-status-details-bin"], details);
}

#[tokio::test]
async fn resets_pass_by_the_reason_that_was_given() {
    let mut pair = Pair::new().await;
    let response = pair.ask("http://localhost/any", Vec::new());
    let (_asked, mut respond) = pair.asked().await;
    respond.send_reset(Reason::ENHANCE_YOUR_CALM);
    let error = timeout(LIMIT, response).await.unwrap().unwrap_err();
    assert_eq!(error.reason(), Some(Reason::ENHANCE_YOUR_CALM));
    // And a client that gives up is gone for the engine.
    let response = pair.ask("http://localhost/any", Vec::new());
    let (_asked, mut respond) = pair.asked().await;
    drop(response);
    let reset = std::future::poll_fn(|cx| respond.poll_reset(cx));
    let reset = timeout(LIMIT, reset).await.unwrap().unwrap();
    assert_eq!(reset, Reason::CANCEL);
}

#[tokio::test]
async fn what_is_not_understood_goes_on_as_it_came_and_is_told() {
    let mut pair = Pair::new().await;
    // Compressed: nobody here can tell what it says.
    let odd = vec![1, 0, 0, 0, 1, 9];
    let response = pair.ask(SOLVE, odd.clone());
    let (warned, respond) = pair.asked().await;
    assert!(warned.uri().path().ends_with("/Warn"));
    let (said, _) = body(warned.into_body()).await;
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(said.contains("this build is not intercepted"), "{said}");
    succeed(respond, b"");
    let (asked, respond) = pair.asked().await;
    assert!(asked.uri().path().ends_with("/Solve"));
    assert_eq!(body(asked.into_body()).await.0, odd);
    succeed(respond, b"whatever");
    let answer = timeout(LIMIT, response).await.unwrap().unwrap();
    let (got, trailers) = body(answer.into_body()).await;
    assert_eq!(got, llb::frame(b"whatever"));
    assert_eq!(trailers.unwrap()["grpc-status"], "0");
}

#[tokio::test]
async fn an_engine_that_ends_is_gone_for_the_client() {
    let mut pair = Pair::new().await;
    let response = pair.ask("http://localhost/any", Vec::new());
    let asked = pair.asked().await;
    pair.engine.close();
    drop(asked);
    pair.rig.stop_engine();
    assert!(timeout(LIMIT, response).await.unwrap().is_err());
}
