//! Connections that become streams of bytes.

use tokio::net::UnixStream;

use super::Rig;
use super::rig::Peer;

const ATTACH: &str = "POST /v1.45/containers/x/attach?stream=1 HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n";
const UPGRADED: &str = "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n";

#[tokio::test]
async fn an_upgraded_connection_is_a_stream_with_half_closes() {
    let rig = Rig::start();
    let mut client = rig.client().await;
    client.send(ATTACH).await;
    let mut engine = rig.engine().await;
    engine.reads(ATTACH).await;
    engine.send(&format!("{UPGRADED}first")).await;
    client.reads(&format!("{UPGRADED}first")).await;
    client.send("in\0put").await;
    engine.reads("in\0put").await;
    client.half_close().await;
    engine.ends().await;
    engine.send("output after the end of input").await;
    client.reads("output after the end of input").await;
    drop(engine);
    client.ends().await;
}

#[tokio::test]
async fn an_attach_without_an_upgrade_is_a_stream_as_well() {
    let rig = Rig::start();
    let mut client = rig.client().await;
    // Input right behind the request, before anybody has answered.
    client
        .send("POST /containers/x/attach HTTP/1.1\r\n\r\nearly")
        .await;
    let mut engine = rig.engine().await;
    engine
        .reads("POST /containers/x/attach HTTP/1.1\r\n\r\n")
        .await;
    let answer = "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n";
    engine.send(answer).await;
    client.reads(answer).await;
    engine.reads("early").await;
    engine.send("out").await;
    client.reads("out").await;
}

#[tokio::test]
async fn a_refused_attach_leaves_the_connection_usable() {
    let rig = Rig::start();
    let mut client = rig.client().await;
    client.send(ATTACH).await;
    let mut engine = rig.engine().await;
    engine.reads(ATTACH).await;
    let answer = "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno";
    engine.send(answer).await;
    client.reads(answer).await;
    client.send("GET /x HTTP/1.1\r\n\r\n").await;
    engine.reads("GET /x HTTP/1.1\r\n\r\n").await;
}

#[tokio::test]
async fn what_is_not_understood_is_between_client_and_engine() {
    for opening in ["PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", "\u{16}\u{3}\u{1}\r\n"] {
        let rig = Rig::start();
        let mut client = rig.client().await;
        client.send(opening).await;
        let mut engine = rig.engine().await;
        engine.reads(opening).await;
        engine.send("whatever").await;
        client.reads("whatever").await;
    }
}

#[tokio::test]
async fn a_megabyte_each_way_arrives_whole() {
    let rig = Rig::start();
    let mut client = rig.client().await;
    let body = "0123456789abcdef".repeat(65_536);
    let head = format!(
        "POST /images/load HTTP/1.1\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let request = format!("{head}{body}");
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut engine = tokio::join!(client.send(&request), async {
        let mut engine = rig.engine().await;
        engine.reads(&request).await;
        engine
    })
    .1;
    tokio::join!(engine.send(&answer), client.reads(&answer));
}

const EXEC: &str =
    "POST /v1.45/exec/x/start HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n";
const PREFACE: &str = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// As a server of HTTP/2 in a container begins.
const SETTINGS: &str = "\x01\0\0\0\0\0\0\x09\0\0\0\x04\0\0\0\0\0";

/// A program that has been started, and has yet to say something.
pub(super) async fn started(rig: &Rig) -> (Peer<UnixStream>, Peer<UnixStream>) {
    let mut client = rig.client().await;
    client.send(EXEC).await;
    let mut engine = rig.engine().await;
    engine.reads(EXEC).await;
    engine.send(UPGRADED).await;
    client.reads(UPGRADED).await;
    (client, engine)
}

#[tokio::test]
async fn a_program_is_a_stream_whoever_speaks_first() {
    let rig = Rig::start();
    for says in ["$ ", SETTINGS, "\x01\0\0\0\0\0\0\x02hi"] {
        let (mut client, mut engine) = started(&rig).await;
        engine.send(says).await;
        if says == SETTINGS {
            client.send("no client of HTTP/2").await;
        }
        client.reads(says).await;
    }
    for says in ["P", "PRI", "ls\n"] {
        let (mut client, mut engine) = started(&rig).await;
        client.send(says).await;
        engine.reads(says).await;
        engine.send("out").await;
        client.half_close().await;
        engine.ends().await;
        drop(engine);
        assert_eq!(client.rest().await, "out");
    }
}

/// Whatever else speaks HTTP/2 in a container is between the two.
#[tokio::test]
async fn a_program_that_is_no_builders_is_a_stream() {
    let rig = Rig::start();
    let (mut client, mut engine) = started(&rig).await;
    client.send(PREFACE).await;
    // dockline asks whose program it is.
    let mut asked = rig.engine().await;
    asked.reads("GET ").await;
    let said = "{\"message\":\"no\"}";
    let length = said.len();
    let answer = format!(
        "HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{said}"
    );
    asked.send(&answer).await;
    engine.reads(PREFACE).await;
    engine.send(SETTINGS).await;
    client.reads(SETTINGS).await;
}
