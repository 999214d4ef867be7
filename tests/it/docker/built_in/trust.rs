//! Whose authorities count: those of the container that calls, which are read out of it.

use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use dockline::config::{BuiltIn, Interception};
use dockline::interceptor::{Authority, Lines};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::support::namespace::in_network_of;
use crate::support::tls::Root;
use crate::support::{IMAGE, Lab, PATIENCE, Running, on_each_engine};

const PORT: u16 = 8443;
const ENTRY: u16 = 8790;
const ANSWER: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// Answers every request of a client that trusts it.
async fn serve(listener: TcpListener, tls: TlsAcceptor) {
    listener.set_nonblocking(true).unwrap();
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    let mut serving = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let tls = tls.clone();
        serving.spawn(async move {
            let mut stream = tls.accept(stream).await.ok()?;
            stream.read(&mut [0; 1024]).await.ok().filter(|n| *n > 0)?;
            stream.write_all(ANSWER.as_bytes()).await.ok()
        });
    }
}

fn pid(lab: &Lab, name: &str) -> u32 {
    let pid = lab.docker(&["inspect", "-f", "{{.State.Pid}}", &lab.own(name)]);
    pid.parse().unwrap()
}

/// What the container is told by the origin, as a program in there that trusts dockline.
async fn ask(lab: &Lab, name: &str, entry: IpAddr, ca: &[u8]) -> String {
    let entry = SocketAddr::new(entry, ENTRY);
    let limit = Duration::from_secs(5);
    let stream = in_network_of(pid(lab, name), || TcpStream::connect_timeout(&entry, limit));
    let stream = stream.unwrap().unwrap();
    stream.set_nonblocking(true).unwrap();
    let mut stream = tokio::net::TcpStream::from_std(stream).unwrap();
    let asked = async {
        let connect = format!("CONNECT origin:{PORT} HTTP/1.1\r\nHost: origin\r\n\r\n");
        stream.write_all(connect.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap();
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_slice(ca).unwrap())
            .unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let origin = ServerName::try_from("origin").unwrap();
        let connector = TlsConnector::from(Arc::new(config));
        let mut tls = connector.connect(origin, stream).await.unwrap();
        let request = "GET / HTTP/1.1\r\nHost: origin\r\nConnection: close\r\n\r\n";
        tls.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        tls.read_to_string(&mut answer).await.unwrap();
        answer
    };
    timeout(PATIENCE, asked).await.unwrap()
}

/// Starts a container with a file in it that its image does not have.
fn start_with(shell: &Lab, net: &str, name: &str, image: &str, file: &Path, to: &str) {
    let (own, label) = (shell.own(name), format!("test={}", shell.name));
    let variable = format!("SSL_CERT_FILE={to}");
    let create = [
        "create",
        "--name",
        &own,
        "--label",
        &label,
        "--network",
        net,
        "-e",
        &variable,
        image,
        "sleep",
        "1000",
    ];
    shell.docker(&create);
    shell.docker(&["cp", file.to_str().unwrap(), &format!("{own}:{to}")]);
    shell.docker(&["start", &own]);
}

#[test]
fn an_origin_is_verified_by_whom_the_calling_container_trusts() {
    on_each_engine(async |lab| {
        let folder = tempfile::tempdir().unwrap();
        let (root, data) = (Root::new("private"), folder.path().join("data"));
        let root_file = folder.path().join("root.pem");
        std::fs::write(&root_file, root.pem()).unwrap();
        let running = Running::start(&lab, |config| {
            config.interception = Interception::BuiltIn(BuiltIn {
                address: SocketAddr::from(([127, 0, 0, 1], 0)),
                authority: data.clone(),
                lines: Lines::None,
                har: None,
            });
        })
        .await;
        running.ready().await;
        let shell = running.shell(&lab);
        let net = shell.network("net", &[]);
        let on = ["--network", net.as_str(), "--network-alias", "origin"];
        shell.start("origin", &on, &["sleep", "1000"]);
        // An image with the root in its bundle.
        let (image, made) = (lab.own("image"), lab.own("made"));
        lab.docker(&["create", "--name", &made, IMAGE, "never"]);
        let bundle = folder.path().join("ssl");
        std::fs::create_dir(&bundle).unwrap();
        std::fs::copy(&root_file, bundle.join("cert.pem")).unwrap();
        lab.docker(&["cp", bundle.to_str().unwrap(), &format!("{made}:/etc/")]);
        let label = format!("LABEL test={}", lab.name);
        lab.docker(&["commit", "--change", &label, &made, &image]);
        lab.docker(&["rm", &made]);
        let sleep = |name: &str, image: &str| {
            let (own, label) = (lab.own(name), format!("test={}", lab.name));
            let run = [
                "run",
                "-d",
                "--name",
                &own,
                "--label",
                &label,
                "--network",
                &net,
            ];
            shell.docker(&[&run[..], &[image, "sleep", "1000"]].concat());
        };
        sleep("knows", &image);
        sleep("stranger", IMAGE);
        start_with(&shell, &net, "told", IMAGE, &root_file, "/own.pem");
        running.joined(&[&net]).await;
        let Some(listener) = in_network_of(pid(&lab, "origin"), || {
            TcpListener::bind(("0.0.0.0", PORT)).unwrap()
        }) else {
            println!("skipped: networks of containers cannot be entered from here");
            return;
        };
        let mut origin = JoinSet::new();
        origin.spawn(serve(listener, root.server("origin")));
        let tunnel = running.status().await.tunnel.networks;
        let entry = tunnel.iter().find(|n| n.name == net).unwrap();
        let entry = entry.address.unwrap();
        let ca = Authority::open(&data).unwrap().pem();
        for name in ["knows", "told"] {
            let answer = ask(&lab, name, entry, &ca).await;
            assert!(answer.starts_with("HTTP/1.1 200 "), "{name}: {answer}");
        }
        let answer = ask(&lab, "stranger", entry, &ca).await;
        assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
        let stranger = lab.own("stranger");
        for words in [
            "its issuer is not known",
            &format!("because {stranger} has none of its own"),
            "SSL_CERT_FILE",
        ] {
            assert!(answer.contains(words), "{words} is not in {answer}");
        }
        running.stop().await;
    });
}
