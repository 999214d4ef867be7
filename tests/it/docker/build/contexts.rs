//! Where BuildKit takes a context and a Dockerfile from.

use std::fs;
use std::io::Write as _;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::{Site, said};
use crate::support::{Lab, docker_cli, eventually, on_each_engine, succeed};

#[test]
fn wherever_a_context_comes_from_its_build_is_intercepted() {
    on_each_engine(async |lab| {
        let site = Site::new(&lab).await;
        by_standard_input(&lab, &site);
        from_a_server(&lab, &site).await;
        from_a_repository(&lab, &site).await;
        site.running.stop().await;
    });
}

/// A Dockerfile that asks for the page, and needs a file of its context.
fn dockerfile(site: &Site) -> String {
    format!(
        "FROM dockline-fixture:latest\nCOPY own /own\nRUN wget -q -O- {} && cat /own\n",
        site.page
    )
}

fn archive(site: &Site) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, text) in [("Dockerfile", dockerfile(site)), ("own", "own".to_owned())] {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        archive
            .append_data(&mut header, name, text.as_bytes())
            .unwrap();
    }
    archive.into_inner().unwrap()
}

fn build(lab: &Lab, shell: &Lab, options: &[&str], input: &[u8]) -> Output {
    let label = format!("test={}", lab.name);
    let mut command = shell.command(&docker_cli());
    command.args([
        "build",
        "--no-cache",
        "--progress",
        "plain",
        "--label",
        &label,
    ]);
    command.args(options);
    command.stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input).unwrap();
    drop(stdin);
    child.wait_with_output().unwrap()
}

fn is_intercepted(lab: &Lab, site: &Site, options: &[&str], input: &[u8]) {
    let output = build(lab, &site.shell, options, input);
    assert!(output.status.success(), "{options:?}: {}", said(&output));
    assert_eq!(site.requests(), 1, "{options:?}: {}", said(&output));
}

fn by_standard_input(lab: &Lab, site: &Site) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("own"), "own").unwrap();
    // What keeps the Dockerfile from the context is of no importance to a graph.
    fs::write(folder.path().join(".dockerignore"), "Dockerfile\n").unwrap();
    let path = folder.path().to_str().unwrap();
    is_intercepted(lab, site, &["-f", "-", path], dockerfile(site).as_bytes());
    is_intercepted(lab, site, &["-"], &archive(site));
}

/// The engine fetches it itself, from this machine, which is its own.
async fn from_a_server(lab: &Lab, site: &Site) {
    let archive = archive(site);
    let server = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
    let server = server.unwrap();
    let url = format!("http://{}/own.tar", server.local_addr().unwrap());
    let mut serving = JoinSet::new();
    serving.spawn(async move {
        while let Ok((stream, _)) = server.accept().await {
            // Who leaves early asks again.
            let _ = serve(stream, &archive).await;
        }
    });
    tokio::task::block_in_place(|| is_intercepted(lab, site, &[&url], b""));
}

async fn serve(mut stream: TcpStream, archive: &[u8]) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let length = archive.len();
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/x-tar\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(answer.as_bytes()).await?;
    if head.starts_with(b"GET ") {
        stream.write_all(archive).await?;
    }
    stream.shutdown().await
}

/// A server of git repositories.
struct Repositories(Child);

impl Drop for Repositories {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn from_a_repository(lab: &Lab, site: &Site) {
    let git = |folder: &Path, arguments: &[&str]| {
        let mut command = Command::new("git");
        command.args(["-c", "user.name=own", "-c", "user.email=own@example.test"]);
        succeed(command.args(arguments).current_dir(folder));
    };
    if Command::new("git")
        .arg("daemon")
        .arg("-h")
        .output()
        .is_err()
    {
        return println!("skipped: there is no git");
    }
    let folder = tempfile::tempdir().unwrap();
    let repository = folder.path().join("own.git");
    fs::create_dir(&repository).unwrap();
    fs::write(repository.join("Dockerfile"), dockerfile(site)).unwrap();
    fs::write(repository.join("own"), "own").unwrap();
    git(&repository, &["init", "-q", "-b", "master"]);
    git(&repository, &["add", "."]);
    git(&repository, &["commit", "-q", "-m", "own"]);
    // Free a moment ago: it cannot be told to take any.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr();
    let port = port.unwrap().port();
    let mut daemon = Command::new("git");
    daemon.args(["daemon", "--export-all", "--listen=127.0.0.1"]);
    daemon.arg(format!("--port={port}"));
    daemon.arg(format!("--base-path={}", folder.path().display()));
    let _daemon = Repositories(daemon.stderr(Stdio::null()).spawn().unwrap());
    eventually("the repository's server", async || {
        TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.ok()
    })
    .await;
    let url = format!("git://127.0.0.1:{port}/own.git");
    is_intercepted(lab, site, &[&url], b"");
}
