//! Base images that are fetched anew (`--pull`), from a registry of this test's: it has one image, and no more of a registry than its
//! being fetched takes.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::{Site, paths, said, traces};
use crate::support::{IMAGE, Lab, docker_cli, on_each_engine};

const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const CONFIG: &str = "application/vnd.docker.container.image.v1+json";
const LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";

/// What a TLS client begins with.
const TLS: u8 = 0x16;

#[test]
fn builds_with_images_that_are_fetched_anew_are_intercepted() {
    on_each_engine(async |lab| {
        let site = Site::new(&lab).await;
        let registry = Registry::start(&lab).await;
        tokio::task::block_in_place(|| {
            for buildkit in ["1", "0"] {
                is_intercepted(&lab, &site, &registry, buildkit);
            }
            lab.docker(&["image", "rm", &registry.image]);
        });
        site.running.stop().await;
    });
}

fn is_intercepted(lab: &Lab, site: &Site, registry: &Registry, buildkit: &str) {
    let folder = tempfile::tempdir().unwrap();
    let dockerfile = format!(
        "FROM {}\nRUN wget -q -O- {} && test -s \"$PIP_CERT\"\nCOPY own /own\n",
        registry.image, site.page
    );
    fs::write(folder.path().join("Dockerfile"), dockerfile).unwrap();
    fs::write(folder.path().join("own"), "own").unwrap();
    let name = lab.own(&format!("pulled-{buildkit}"));
    let label = format!("test={}", lab.name);
    // It is here by the second time, and asked for all the same.
    for _ in 0..2 {
        let before = registry.asked.load(Ordering::Relaxed);
        let mut command = site.shell.command(&docker_cli());
        command.env("DOCKER_BUILDKIT", buildkit).args([
            "build",
            "--pull",
            "--no-cache",
            "--label",
            &label,
            "-t",
            &name,
        ]);
        let output = command.arg(folder.path()).output().unwrap();
        let told = said(&output);
        assert!(output.status.success(), "{told}");
        assert_eq!(site.requests(), 1, "{told}");
        assert!(registry.asked.load(Ordering::Relaxed) > before, "{told}");
    }
    if buildkit == "1" {
        assert_eq!(traces(lab, &name), Vec::<String>::new());
    } else {
        // The folder by which its steps trusted, and not the one of the context that it came in.
        let paths = paths(lab, &name);
        assert!(paths.iter().any(|path| path.starts_with(".dockline/")));
        assert!(!paths.iter().any(|path| path.contains(".dockline-build")));
    }
}

struct Registry {
    /// What it has.
    image: String,
    /// How often that was asked for.
    asked: Arc<AtomicUsize>,
    _serving: JoinSet<()>,
}

impl Registry {
    async fn start(lab: &Lab) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let files = Arc::new(files(lab));
        let asked = Arc::<AtomicUsize>::default();
        let counter = Arc::clone(&asked);
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut clients = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let (files, counter) = (Arc::clone(&files), Arc::clone(&counter));
                clients.spawn(async move {
                    // Who leaves early asks again.
                    let _ = serve(client, &files, &counter).await;
                });
            }
        });
        Self {
            image: format!("{address}/{}:latest", lab.name),
            asked,
            _serving: serving,
        }
    }
}

/// By the end of their paths: type and content.
type Files = BTreeMap<String, (&'static str, Vec<u8>)>;

fn digest(bytes: &[u8]) -> String {
    let digits: Vec<_> = Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("sha256:{}", digits.concat())
}

/// The fixture's image, as a registry has it.
fn files(lab: &Lab) -> Files {
    let saved = lab.try_docker(&["save", IMAGE]).stdout;
    let mut saved: BTreeMap<String, Vec<u8>> = tar::Archive::new(&saved[..])
        .entries()
        .unwrap()
        .map(|entry| {
            let mut entry = entry.unwrap();
            let path = entry.path().unwrap().display().to_string();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            (path, content)
        })
        .collect();
    let index: Value = serde_json::from_slice(&saved["manifest.json"]).unwrap();
    let mut files = Files::new();
    let mut add = |kind, path: &Value| {
        let content = saved.remove(path.as_str().unwrap()).unwrap();
        let (digest, size) = (digest(&content), content.len());
        files.insert(format!("blobs/{digest}"), (kind, content));
        json!({ "mediaType": kind, "digest": digest, "size": size })
    };
    let config = add(CONFIG, &index[0]["Config"]);
    let layers: Vec<_> = index[0]["Layers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|path| add(LAYER, path))
        .collect();
    let manifest =
        json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers });
    let manifest = manifest.to_string().into_bytes();
    for reference in ["latest".to_owned(), digest(&manifest)] {
        files.insert(
            format!("manifests/{reference}"),
            (MANIFEST, manifest.clone()),
        );
    }
    files
}

async fn serve(mut client: TcpStream, files: &Files, asked: &AtomicUsize) -> std::io::Result<()> {
    let mut head = vec![client.read_u8().await?];
    if head[0] == TLS {
        // Who tries that first is to know that there is none.
        let _ = client.read(&mut [0; 4096]).await?;
        let answer = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        client.write_all(answer).await?;
        return client.shutdown().await;
    }
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let mut words = head.split(' ');
    let (method, path) = (
        words.next().unwrap_or_default(),
        words.next().unwrap_or_default(),
    );
    if path.ends_with("/manifests/latest") {
        asked.fetch_add(1, Ordering::Relaxed);
    }
    let found = files
        .iter()
        .find(|(end, _)| path.ends_with(&format!("/{end}")));
    let (status, kind, content) = match found {
        _ if path == "/v2/" => ("200 OK", "application/json", &b"{}"[..]),
        Some((_, (kind, content))) => ("200 OK", *kind, &content[..]),
        None => ("404 Not Found", "application/json", &b"{}"[..]),
    };
    let answer = format!(
        "HTTP/1.1 {status}\r\nDocker-Distribution-Api-Version: registry/2.0\r\nDocker-Content-Digest: {}\r\n\
         Content-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        digest(content),
        content.len()
    );
    client.write_all(answer.as_bytes()).await?;
    if method == "GET" {
        client.write_all(content).await?;
    }
    client.shutdown().await
}
