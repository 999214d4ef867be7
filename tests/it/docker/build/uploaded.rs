//! BuildKit by `POST /build?version=2` with the context in it, as bollard, dockerode and clients written by hand ask for it: made by hand,
//! on the wire.

use std::time::Duration;

use base64::prelude::{BASE64_STANDARD as BASE64, Engine as _};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::{Site, image, paths, traces};
use crate::support::{Lab, on_each_engine};

/// For a build, of a few steps, on a busy machine.
const LIMIT: Duration = Duration::from_secs(120);

const ENABLING: &str = "*** Enabling dockline interception ***";

#[test]
fn builds_of_an_uploaded_context_are_intercepted() {
    on_each_engine(async |lab| {
        let site = Site::new(&lab).await;
        steps_are_intercepted_and_images_do_not_know(&lab, &site).await;
        what_buildkit_alone_knows(&lab, &site).await;
        what_a_base_image_sets_stays(&lab, &site).await;
        errors_are_those_of_the_user(&lab, &site).await;
        a_session_is_the_clients_own(&lab, &site).await;
        site.running.stop().await;
    });
}

/// What a build said: the lines of its trace as text, and all others.
#[derive(Debug)]
struct Told {
    trace: String,
    rest: String,
}

/// An archive of such files.
pub(super) fn archive(files: &[(&str, &str)]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, text) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        let added = archive.append_data(&mut header, name, text.as_bytes());
        added.unwrap();
    }
    archive.into_inner().unwrap()
}

async fn connected(lab: &Lab) -> UnixStream {
    let path = lab.engine.host.strip_prefix("unix://").unwrap();
    UnixStream::connect(path).await.unwrap()
}

/// Sends the context, and reads what the engine says to it.
async fn build(lab: &Lab, query: &[(&str, &str)], files: &[(&str, &str)]) -> Told {
    let query = serde_urlencoded::to_string([&[("version", "2")], query].concat()).unwrap();
    let body = archive(files);
    let head = format!(
        "POST /v1.40/build?{query} HTTP/1.1\r\nHost: docker\r\nContent-Type: application/x-tar\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let mut stream = connected(lab).await;
    let mut answer = Vec::new();
    let exchange = async {
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(&body).await?;
        stream.read_to_end(&mut answer).await
    };
    timeout(LIMIT, exchange).await.unwrap().unwrap();
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head} {body}");
    told(&without_chunks(body))
}

fn without_chunks(mut body: &str) -> String {
    let mut whole = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap();
        whole.push_str(&rest[..size]);
        body = &rest[size + 2..];
    }
    whole
}

fn told(lines: &str) -> Told {
    let (mut trace, mut rest) = (String::new(), String::new());
    for line in lines.lines() {
        let said: Value = serde_json::from_str(line).unwrap();
        if said["id"] == "moby.buildkit.trace" {
            let message = BASE64.decode(said["aux"].as_str().unwrap()).unwrap();
            trace.push_str(&String::from_utf8_lossy(&message));
        } else {
            rest.push_str(line);
            rest.push('\n');
        }
    }
    Told { trace, rest }
}

/// The words of its error; empty if it has none.
fn error(told: &Told) -> String {
    let lines = told.rest.lines();
    let mut said = lines.map(|line| serde_json::from_str::<Value>(line).unwrap());
    let error = said.find_map(|said| said["error"].as_str().map(str::to_owned));
    error.unwrap_or_default()
}

async fn built(lab: &Lab, query: &[(&str, &str)], dockerfile: &str) -> Told {
    let labels = format!("{{\"test\":\"{}\"}}", lab.name);
    let query = [query, &[("labels", &labels)]].concat();
    let files = [("Dockerfile", dockerfile), ("own", "own\n")];
    let told = build(lab, &query, &files).await;
    assert!(told.rest.contains("moby.image.id"), "{told:?}");
    told
}

async fn steps_are_intercepted_and_images_do_not_know(lab: &Lab, site: &Site) {
    let page = &site.page;
    let dockerfile = format!(
        "FROM dockline-fixture:latest AS one\nARG http_proxy\nENV HTTP_PROXY=http://nobody:1\n\
         RUN wget -q -O /page {page} && cat /.dockline/ca.pem && test \"$PIP_CERT\" = /.dockline/ca-bundle.pem\n\
         USER 1234\nRUN cat /.dockline/ca-bundle.pem > /dev/null\n\
         FROM scratch\nCOPY --from=one /page /\n"
    );
    let (through, direct) = (lab.own("uploaded"), lab.own("uploaded-direct"));
    let own = "{\"http_proxy\":\"http://nobody:1\"}";
    let query = [
        ("t", through.as_str()),
        ("nocache", "1"),
        ("buildargs", own),
    ];
    let told = built(&site.shell, &query, &dockerfile).await;
    assert_eq!(site.requests(), 1, "{told:?}");
    assert!(told.trace.contains("ZG9ja2xpbmU="), "{told:?}");
    assert!(told.trace.contains("RUN wget -q"), "{told:?}");
    assert!(told.trace.contains(ENABLING), "{told:?}");
    assert!(!told.trace.contains("--mount"), "{told:?}");
    let plain = dockerfile.replace(
        "cat /.dockline/ca.pem && test \"$PIP_CERT\" = /.dockline/ca-bundle.pem",
        "true",
    );
    let plain = plain.replace("RUN cat /.dockline/ca-bundle.pem > /dev/null", "RUN true");
    built(
        lab,
        &[("t", &direct)],
        &plain
            .replace("ARG http_proxy\n", "")
            .replace("ENV HTTP_PROXY=http://nobody:1\n", ""),
    )
    .await;
    assert_eq!(site.requests(), 0);
    // Its last stage has no steps: the image knows nothing.
    let history = |name| image(lab, name).split_once('\n').unwrap().1.to_owned();
    assert_eq!(history(&through), history(&direct));
    assert_eq!(paths(lab, &through), paths(lab, &direct));
    // What is cached asks for nothing, also in a shell of another service's life.
    let again = built(&site.shell, &[], &dockerfile).await;
    assert_eq!(site.requests(), 0, "{again:?}");
    // The same steps as the image's own: its history names variables, and nothing else of it is ours.
    let kept = lab.own("uploaded-kept");
    let dockerfile = format!("FROM dockline-fixture:latest\nRUN wget -q -O- {page}\nENV OWN=1\n");
    built(&site.shell, &[("t", &kept), ("nocache", "1")], &dockerfile).await;
    assert_eq!(site.requests(), 1);
    let format =
        "{{json .Config.Env}} {{len .RootFS.Layers}} {{index .Config.Labels \"dockline.build\"}}";
    let is = lab.docker(&["image", "inspect", "-f", format, &kept]);
    let path = lab.docker(&[
        "image",
        "inspect",
        "-f",
        "{{json .Config.Env}} {{len .RootFS.Layers}}",
        "dockline-fixture:latest",
    ]);
    let (_, layers) = path.rsplit_once(' ').unwrap();
    let layers: usize = layers.parse().unwrap();
    assert!(
        is.contains("\"OWN=1\"") && !is.contains("proxy") && !is.contains("dockline"),
        "{is}"
    );
    assert!(
        is.trim_end().ends_with(&format!(" {}", layers + 1)),
        "{is}, {path}"
    );
    let known = traces(lab, &kept);
    let is_history =
        |line: &String| line.starts_with("ARG HTTP_PROXY=") || line.starts_with("RUN |");
    assert!(known.iter().all(is_history), "{known:?}");
}

async fn what_buildkit_alone_knows(lab: &Lab, site: &Site) {
    let page = &site.page;
    // What it has learnt since engine 20.
    let newer = match lab.engine.name.as_str() {
        "20" => format!("RUN wget -q -O- {page}\n"),
        _ => format!(
            "RUN <<END\nwget -q -O- {page}\nEND\nCOPY --link <<one /one\nRUN nothing\none\n"
        ),
    };
    let dockerfile = format!(
        "# check=skip=all\nFROM dockline-fixture:latest AS one\n\
         RUN --mount=type=cache,target=/cache --mount=type=bind,target=/context \\\n  # Within.\n  cat /context/own && wget -q -O- {page}\n\
         RUN --network=none test ! -e /.dockline\n\
         FROM one\n{newer}COPY --from=0 /bin /copied\n"
    );
    let dockerfile = match lab.engine.name.as_str() {
        // There it is a flag of `# syntax=` with a tag of its own.
        "20" => dockerfile.replace("RUN --network=none test ! -e /.dockline\n", ""),
        _ => dockerfile,
    };
    let told = built(&site.shell, &[("nocache", "1")], &dockerfile).await;
    assert_eq!(site.requests(), 2, "{told:?}");
    // Other frontends might make anything of it.
    let dockerfile = format!(
        "# syntax=dockline-fixture:latest\nFROM dockline-fixture:latest\nRUN wget -q -O- {page}\n"
    );
    let told = build(&site.shell, &[], &[("Dockerfile", &dockerfile)]).await;
    assert!(
        told.rest.contains("`# syntax=` is not Docker's own"),
        "{told:?}"
    );
}

async fn what_a_base_image_sets_stays(lab: &Lab, site: &Site) {
    let base = lab.own("uploaded-base");
    let dockerfile = "FROM dockline-fixture:latest\nENV PYTHONPATH=/own NODE_OPTIONS=--own NO_PROXY=own.test APT_CONFIG=/own.conf\n\
        ONBUILD RUN test -z \"$http_proxy\"\n";
    built(lab, &[("t", &base)], dockerfile).await;
    let dockerfile = format!(
        "FROM {base} AS one\nRUN env | sort > /env\nFROM one\nRUN cat /env && test \"$CURL_CA_BUNDLE\" = /.dockline/ca-bundle.pem\n"
    );
    let told = built(&site.shell, &[("nocache", "1")], &dockerfile).await;
    for pair in [
        "PYTHONPATH=/.dockline/python:/own\n",
        "NODE_OPTIONS=--own --require /.dockline/",
        "NO_PROXY=own.test,localhost,127.0.0.1,::1\n",
        "APT_CONFIG=/own.conf\n",
        "CURL_CA_BUNDLE=/.dockline/ca-bundle.pem\n",
    ] {
        assert!(told.trace.contains(pair), "{pair} {told:?}");
    }
}

async fn errors_are_those_of_the_user(lab: &Lab, site: &Site) {
    for dockerfile in [
        "FROM dockline-fixture:latest\nRUN sh -c 'exit 7'\n",
        "FROM dockline-fixture:latest\nRUN true\n\nCOPY --nothing a b\n",
        "FROM dockline-fixture:latest\nRUN true\nCOPY nothing /\n",
        "FROM dockline-fixture:latest\nRUM true\n",
    ] {
        let files = [("Dockerfile", dockerfile)];
        let through = error(&build(&site.shell, &[], &files).await);
        let direct = error(&build(lab, &[], &files).await);
        assert_ne!(direct, "", "{dockerfile}");
        // The engine makes up names of its own for what it has unpacked.
        let stable = |error: &str| match error.find("cache key") {
            Some(at) => error[..at].to_owned(),
            None => error.to_owned(),
        };
        assert_eq!(stable(&through), stable(&direct), "{dockerfile}");
    }
    // Warnings are of the user's own lines and text.
    let dockerfile = "FROM dockline-fixture:latest\nRUN true \\\n\n  true\n";
    let told = built(&site.shell, &[], dockerfile).await;
    if told.trace.contains("Empty continuation line") {
        assert!(
            told.trace
                .contains("FROM dockline-fixture:latest\nRUN true"),
            "{told:?}"
        );
    }
}

/// Clients that have a session for their secrets and credentials.
async fn a_session_is_the_clients_own(lab: &Lab, site: &Site) {
    let session = lab.own("session");
    let mut stream = connected(&site.shell).await;
    let upgrade = format!(
        "POST /session HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 0\r\n\
         X-Docker-Expose-Session-Uuid: {session}\r\nX-Docker-Expose-Session-Grpc-Method: /grpc.health.v1.Health/Check\r\n\r\n"
    );
    stream.write_all(upgrade.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(timeout(LIMIT, stream.read_u8()).await.unwrap().unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 101"), "{head:?}");
    let mut tasks = JoinSet::new();
    tasks.spawn(is_healthy(stream));
    let dockerfile = format!(
        "FROM dockline-fixture:latest\nRUN wget -q -O- {}\n",
        site.page
    );
    let query = [("session", session.as_str()), ("nocache", "1")];
    let told = built(&site.shell, &query, &dockerfile).await;
    assert_eq!(site.requests(), 1, "{told:?}");
}

/// A client's end of a session, which says to all that it is asked that it is well.
async fn is_healthy(stream: UnixStream) {
    let mut engine = h2::server::handshake(stream).await.unwrap();
    while let Some(Ok((_, mut respond))) = engine.accept().await {
        let head = Response::builder().header("content-type", "application/grpc");
        let sent = respond.send_response(head.body(()).unwrap(), false);
        let Ok(mut body) = sent else { continue };
        let well = Bytes::from_static(&[0, 0, 0, 0, 2, 8, 1]);
        let ok = HeaderMap::from_iter([(
            "grpc-status".parse().unwrap(),
            HeaderValue::from_static("0"),
        )]);
        // Who has gone by then is not told.
        let _ = body
            .send_data(well, false)
            .and_then(|()| body.send_trailers(ok));
    }
}
