//! HTTP/2 with a BuildKit in a container: framed on its way to the client, bare on its way there.

use bytes::Bytes;
use h2::{client, server};
use http::{HeaderMap, HeaderValue, Request, Response};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::Rig;
use super::rig::{LIMIT, Peer};
use super::streams::started;
use crate::api_proxy::build::stdcopy::{Client, Program};
use crate::core::llb;

const MAP: &str = "net bridge default 172.17.0.0/16\nrun t tunnel bridge=172.17.0.9";
const EXEC: &str = "{\"ID\":\"x\",\"ContainerID\":\"abc\",\"ProcessConfig\":{\"tty\":false}}";
const CONTAINER: &str = "{\"Id\":\"abc\",\"Name\":\"/buildx_buildkit_own0\",\"HostConfig\":{\"NetworkMode\":\"bridge\"}}";

/// Answers one call of dockline's own, and hangs up.
async fn tells(rig: &Rig, about: &str, what: &str) {
    let Peer(mut stream) = rig.engine().await;
    let answered = async {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap();
        assert!(head.contains(about), "{head}");
        let length = what.len();
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{what}"
        );
        stream.write_all(answer.as_bytes()).await.unwrap();
    };
    timeout(LIMIT, answered).await.unwrap();
}

/// A client and a builder that have found one another.
async fn connected(
    rig: &Rig,
    tasks: &mut JoinSet<()>,
) -> (
    client::SendRequest<Bytes>,
    server::Connection<Client<UnixStream>, Bytes>,
) {
    let (Peer(near), Peer(far)) = started(rig).await;
    let greeting = client::handshake(Program::new(near));
    let (client, connection) = timeout(LIMIT, greeting).await.unwrap().unwrap();
    tasks.spawn(async move {
        let _ = connection.await;
    });
    tells(rig, "/exec/x/json", EXEC).await;
    tells(rig, "/containers/abc/json", CONTAINER).await;
    let greeting = server::handshake(Client::new(far));
    let builder = timeout(LIMIT, greeting).await.unwrap().unwrap();
    (client, builder)
}

#[tokio::test]
async fn calls_to_a_builder_are_looked_at() {
    let rig = Rig::of(MAP);
    let mut tasks = JoinSet::new();
    let (mut client, mut builder) = connected(&rig, &mut tasks).await;
    let uri = "http://localhost/moby.buildkit.v1.frontend.LLBBridge/Solve";
    let request = Request::post(uri).body(()).unwrap();
    let (response, mut to) = client.send_request(request, false).unwrap();
    // Compressed: nobody here can tell what it says, and so it is told.
    to.send_data(Bytes::from_static(&[1, 0, 0, 0, 1, 9]), true)
        .unwrap();
    let accepted = timeout(LIMIT, builder.accept()).await.unwrap();
    let (warned, mut respond) = accepted.unwrap().unwrap();
    assert!(warned.uri().path().ends_with("/Warn"));
    let mut to = respond.send_response(Response::new(()), false).unwrap();
    to.send_data(llb::frame(b"").into(), false).unwrap();
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    to.send_trailers(trailers).unwrap();
    let accepted = timeout(LIMIT, builder.accept()).await.unwrap();
    let (asked, mut respond) = accepted.unwrap().unwrap();
    assert_eq!(
        asked.uri().path(),
        "/moby.buildkit.v1.frontend.LLBBridge/Solve"
    );
    let mut to = respond.send_response(Response::new(()), false).unwrap();
    to.send_data("said".into(), true).unwrap();
    tasks.spawn(async move { while builder.accept().await.is_some() {} });
    let mut body = timeout(LIMIT, response).await.unwrap().unwrap().into_body();
    let said = timeout(LIMIT, body.data()).await.unwrap().unwrap().unwrap();
    assert_eq!(said, "said");
}
