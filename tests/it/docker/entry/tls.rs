//! HTTPS of real clients: intercepted by the built-in interceptor, or passed through to a server that the image alone trusts.
//!
//! The clients are this machine's, in a container's network namespace, with the container's own variables and files.

use std::path::Path;
use std::process::Command;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use super::inside::Inside;
use super::resident;
use crate::docker::built_in::Served;
use crate::support::tls::Root;
use crate::support::{IMAGE, Lab, eventually, on_each_engine, succeed};

/// Answers everybody who trusts it, until the test ends.
fn serve(inside: &Inside, acceptor: TlsAcceptor) -> JoinHandle<()> {
    let listener = inside.listen(443);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // Those who do not trust it leave early.
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let Ok(byte) = stream.read_u8().await else {
                    break;
                };
                head.push(byte);
            }
            let answer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello";
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    })
}

/// An image that trusts these roots and no others; it goes with the laboratory.
fn image(lab: &Lab, roots: [&Root; 2], folder: &Path) -> String {
    let (own, maker) = (lab.own("image"), lab.own("maker"));
    let certificates = folder.join("etc/ssl/certs");
    std::fs::create_dir_all(&certificates).unwrap();
    let bundle = roots.map(Root::pem).concat();
    std::fs::write(certificates.join("ca-certificates.crt"), bundle).unwrap();
    let label = format!("test={}", lab.name);
    lab.docker(&["create", "--name", &maker, "--label", &label, IMAGE]);
    let etc = folder.join("etc").display().to_string();
    lab.docker(&["cp", &etc, &format!("{maker}:/")]);
    let change = format!("LABEL {label}");
    lab.docker(&["commit", "--change", &change, &maker, &own]);
    own
}

/// Programs of this machine, as the container would run them.
struct Client<'a> {
    inside: Inside,
    variables: Vec<(String, String)>,
    folder: &'a Path,
}

impl<'a> Client<'a> {
    async fn of(lab: &Lab, folder: &'a Path) -> Option<Self> {
        let inside = Inside::of(lab, "client")?;
        let name = lab.own("client");
        lab.docker(&["cp", &format!("{name}:/.dockline"), &files(folder)]);
        // This machine knows no name of Docker's.
        let proxy = format!("dockline-tunnel-{}:8790", lab.name);
        let entry = inside.entry(lab).await.to_string();
        let template = "{{range .Config.Env}}{{println .}}{{end}}";
        let variables = lab.docker(&["inspect", "-f", template, &name]);
        let variables = variables.lines().filter_map(|line| line.split_once('='));
        let variables = variables.map(|(name, value)| {
            let value = value.replace("/.dockline", &files(folder));
            (name.to_owned(), value.replace(&proxy, &entry))
        });
        let variables = variables.filter(|(name, _)| name != "PATH").collect();
        Some(Self {
            inside,
            variables,
            folder,
        })
    }

    fn command(&self, program: &str) -> Command {
        let mut command = self.inside.command(program);
        let path = std::env::var_os("PATH").unwrap_or_default();
        command
            .env_clear()
            .env("PATH", path)
            .current_dir(self.folder);
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    fn curl(&self, arguments: &[&str]) -> Command {
        let mut curl = self.command("curl");
        curl.args(["-sS", "--max-time", "20"]).args(arguments);
        curl
    }

    fn python(&self, url: &str) -> Command {
        let mut python = self.command("python3");
        let script = "import sys, urllib.request as r; print(r.urlopen(sys.argv[1], timeout=20).read().decode())";
        python.args(["-c", script, url]);
        python
    }
}

fn files(folder: &Path) -> String {
    folder.join("files").display().to_string()
}

#[test]
fn clients_trust_the_interceptor_and_whom_their_image_trusts() {
    on_each_engine(async |lab| {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let (public, private) = (Root::new("public"), Root::new("private"));
        let image = image(&lab, [&public, &private], folder);
        let net = lab.network("net", &[]);
        let servers = ["open", "closed"].map(|name| resident(&lab, name, &net, &[]));
        let [Some(open), Some(closed)] = servers else {
            return;
        };
        let serving = [
            serve(&open, public.server("open")),
            serve(&closed, private.server("closed")),
        ];
        let known = folder.join("public.pem");
        std::fs::write(&known, public.pem()).unwrap();
        let served = Served::start_with(&lab, &["--pass-through", "closed"]);
        let shell = Lab::through(&lab, served.api(&lab).await);
        let (name, label) = (lab.own("client"), format!("test={}", lab.name));
        let run = ["run", "-d", "--name", &name, "--label", &label];
        let on = ["--network", &net, &image, "sleep", "1000"];
        shell.docker(&[&run[..], &on].concat());
        let Some(client) = Client::of(&lab, folder).await else {
            return;
        };
        for page in ["https://open/", "https://closed/"] {
            for mut client in [client.curl(&[page]), client.python(page)] {
                let page = tokio::task::spawn_blocking(move || succeed(&mut client));
                assert_eq!(page.await.unwrap(), "hello");
            }
        }
        // What the image trusts is in the bundle alone, and the interceptor's authority is needed.
        for (page, roots) in [
            ("https://closed/", "ca.pem"),
            ("https://open/", "../public.pem"),
        ] {
            let roots = format!("{}/{roots}", files(folder));
            let mut curl = client.curl(&["--cacert", &roots, page]);
            let refused = tokio::task::spawn_blocking(move || curl.output().unwrap());
            let code = refused.await.unwrap().status.code();
            assert_eq!(code, Some(60), "{page} with {roots}");
        }
        let lines = eventually("two lines", async || {
            let lines = served.lines();
            (lines.len() >= 2).then_some(lines)
        })
        .await;
        for line in &lines {
            assert!(line.contains("client GET https://open/ 200"), "{line}");
        }
        assert_eq!(lines.len(), 2, "{lines:?}");
        serving.iter().for_each(JoinHandle::abort);
        served.clean(&lab);
    });
}
