//! Clients whose frontend runs in the engine with nobody in between, as bollard's and those of buildx before 0.8: made by
//! hand, on the wire.

use bytes::Bytes;
use http::{HeaderMap, Request};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::Site;
use crate::support::{Lab, PATIENCE};

pub(super) async fn a_frontend_in_the_engine_is_asked_in_the_clients_place(lab: &Lab, site: &Site) {
    let page = &site.page;
    let name = |which: &str| lab.own(which);
    let works = format!("FROM dockline-fixture:latest\nRUN wget -q -O- {page}\n");
    let (status, said) = solve(&site.shell, &name("good"), &works).await;
    assert_eq!((status.as_str(), site.requests()), ("0", 1), "{said}");
    for (which, broken) in [
        (
            "fails",
            "FROM dockline-fixture:latest\nRUN sh -c 'exit 7'\n",
        ),
        ("wrong", "FROM dockline-fixture:latest\nRUM true\n"),
    ] {
        let through = solve(&site.shell, &name(&format!("{which}-through")), broken).await;
        let direct = solve(lab, &name(&format!("{which}-direct")), broken).await;
        assert_ne!(through.0, "0");
        assert_eq!(through.0, direct.0);
        // Engine 20 says once more that what it was returned is an error.
        let said = through.1.strip_prefix("rpc error: code = Unknown desc = ");
        let said = said.filter(|_| lab.engine.name == "20");
        assert_eq!(said.unwrap_or(&through.1), direct.1);
    }
}

/// Builds a Dockerfile by `Control/Solve`; how that ended.
async fn solve(lab: &Lab, build: &str, dockerfile: &str) -> (String, String) {
    let path = lab.engine.host.strip_prefix("unix://").unwrap();
    let mut stream = UnixStream::connect(path).await.unwrap();
    let upgrade = b"POST /grpc HTTP/1.1\r\nHost: engine\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 0\r\n\r\n";
    stream.write_all(upgrade).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(timeout(PATIENCE, stream.read_u8()).await.unwrap().unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 101"), "{head:?}");
    let greeting = h2::client::handshake(stream).await;
    let (client, connection) = greeting.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(async move {
        let _ = connection.await;
    });
    let request = Request::post("http://localhost/moby.buildkit.v1.Control/Solve")
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(())
        .unwrap();
    let mut client = client.ready().await.unwrap();
    let (response, mut body) = client.send_request(request, false).unwrap();
    let message = dockline::core::llb::frame(&asked(build, dockerfile));
    body.send_data(message.into(), true).unwrap();
    let ended = timeout(PATIENCE, async {
        let (head, mut body) = response.await.unwrap().into_parts();
        while let Some(data) = body.data().await {
            drop::<Bytes>(data.unwrap());
        }
        body.trailers().await.unwrap().unwrap_or(head.headers)
    });
    let ended = ended.await.unwrap();
    let text = |name| text(&ended, name);
    (text("grpc-status"), text("grpc-message"))
}

fn text(headers: &HeaderMap, name: &str) -> String {
    let value = headers.get(name).map(|value| value.to_str().unwrap());
    value.unwrap_or_default().to_owned()
}

/// `moby.buildkit.v1.SolveRequest`, with the Dockerfile as a graph that makes it.
fn asked(build: &str, dockerfile: &str) -> Vec<u8> {
    let made = [
        field(1, b"/Dockerfile"),
        [0x10, 0xa4, 0x03].to_vec(),
        field(3, dockerfile.as_bytes()),
    ];
    let none = [&[0xff; 9][..], &[1]].concat();
    let action = [
        [&[0x08][..], &none, &[0x10], &none, &[0x18, 0]].concat(),
        field(5, &made.concat()),
    ];
    let file = field(4, &field(2, &action.concat()));
    let end = field(1, &field(1, digest(&file).as_bytes()));
    let mut graph = [field(1, &file), field(1, &end)].concat();
    for operation in [&file, &end] {
        let said = [field(1, digest(operation).as_bytes()), field(2, b"")];
        graph.extend(field(2, &said.concat()));
    }
    let input = |name: &str| field(10, &[field(1, name.as_bytes()), field(2, &graph)].concat());
    [
        field(1, build.as_bytes()),
        field(6, b"dockerfile.v0"),
        field(7, &[field(1, b"no-cache"), field(2, b"")].concat()),
        input("dockerfile"),
        input("context"),
    ]
    .concat()
}

fn digest(operation: &[u8]) -> String {
    let digits = Sha256::digest(operation);
    let digits: Vec<_> = digits.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{}", digits.concat())
}

/// A field of bytes, of a number below sixteen.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut field = vec![number << 3 | 2];
    let mut length = bytes.len();
    while length >= 0x80 {
        field.push(length.to_le_bytes()[0] | 0x80);
        length >>= 7;
    }
    field.push(length.to_le_bytes()[0]);
    field.extend_from_slice(bytes);
    field
}
