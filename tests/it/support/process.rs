//! The program under test as a process of its own: its memory, threads and files are nobody else's.

use std::fs;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use dockline::control::client;
use dockline::control::report::shape::Status;
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

use super::eventually;

const NO_ENGINE: &str = "unix:///nonexistent/docker.sock";

/// What a process takes, from `/proc`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cost {
    /// Resident, in KiB.
    pub(crate) memory: u64,
    pub(crate) threads: usize,
    pub(crate) files: usize,
}

impl Cost {
    /// Nothing for a process of another machine.
    pub(crate) fn of(pid: u32) -> Option<Self> {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"))?;
        let entries = |folder: &str| Some(fs::read_dir(folder).ok()?.count());
        Some(Self {
            memory: line.split_whitespace().next()?.parse().ok()?,
            threads: entries(&format!("/proc/{pid}/task"))?,
            files: entries(&format!("/proc/{pid}/fd"))?,
        })
    }
}

/// Sends a signal. Not by the program of that name, which a bare machine does not have.
pub(crate) fn signal(pid: u32, signal: Signal) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    kill_process(pid.unwrap(), signal).unwrap();
}

/// `dockline serve`, killed at the end of a test that failed.
#[derive(Debug)]
pub(crate) struct Serve {
    child: Child,
    pub(crate) dns: SocketAddr,
    pub(crate) gateway: SocketAddr,
    pub(crate) http: SocketAddr,
    pub(crate) control: PathBuf,
    /// What it took before anybody used it.
    pub(crate) fresh: Cost,
    folder: tempfile::TempDir,
}

impl Serve {
    /// Without an engine: what listens must serve all the same.
    pub(crate) async fn without_engine() -> Self {
        Self::start("alone", NO_ENGINE).await
    }

    /// Without an engine, and with the built-in interceptor; where that listens as well.
    pub(crate) async fn intercepting() -> (Self, SocketAddr) {
        let dockline = Command::new(env!("CARGO_BIN_EXE_dockline"));
        let serve = Self::start_with(dockline, "alone", NO_ENGINE, &[]).await;
        let interceptor = serve.status().await.interceptor.unwrap();
        (serve, interceptor.address.parse().unwrap())
    }

    /// The same with an archive. No file may have more than that many KiB: for what comes after, it is as if the disk were
    /// full.
    pub(crate) async fn archiving(har: &Path, most: u32) -> (Self, SocketAddr) {
        let mut dockline = Command::new("sh");
        let limited = format!("trap '' XFSZ; ulimit -f {}; exec \"$0\" \"$@\"", most * 2);
        dockline.args(["-c", &limited, env!("CARGO_BIN_EXE_dockline")]);
        let har = ["--har", har.to_str().unwrap()];
        let serve = Self::start_with(dockline, "alone", NO_ENGINE, &har).await;
        let interceptor = serve.status().await.interceptor.unwrap();
        (serve, interceptor.address.parse().unwrap())
    }

    /// With the engine at `host`.
    pub(crate) async fn start(instance: &str, host: &str) -> Self {
        let dockline = Command::new(env!("CARGO_BIN_EXE_dockline"));
        Self::start_with(dockline, instance, host, &["--interceptor", "none"]).await
    }

    async fn start_with(
        mut command: Command,
        instance: &str,
        host: &str,
        interception: &[&str],
    ) -> Self {
        raise_file_limit();
        let folder = tempfile::tempdir().unwrap();
        let anywhere = "127.0.0.1:0";
        command
            .args(["serve", "--instance", instance, "--host", host])
            .args(["--dns", anywhere, "--gateway", anywhere, "--http", anywhere])
            .args(["--dns-forward", "none"])
            .args(interception)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("DOCKLINE_DATA_DIR", folder.path().join("data"))
            .env("DOCKLINE_RUNTIME_DIR", folder.path().join("run"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let child = command.spawn().unwrap();
        let control = folder.path().join("run/control.sock");
        let status = eventually("serving", async || {
            client::get::<Status>(&control, "/v1/status", &[])
                .await
                .ok()
        })
        .await;
        let dns = status.dns.parse().unwrap();
        eventually("answering", async || answers(dns).then_some(())).await;
        let api = folder.path().join("run/docker.sock");
        eventually("the API proxy", async || pinged(&api).await.ok()).await;
        Self {
            fresh: Cost::of(child.id()).unwrap(),
            child,
            dns,
            gateway: status.gateway.parse().unwrap(),
            http: status.http.parse().unwrap(),
            control,
            folder,
        }
    }

    pub(crate) async fn status(&self) -> Status {
        client::get(&self.control, "/v1/status", &[]).await.unwrap()
    }

    /// What it takes now.
    pub(crate) fn cost(&self) -> Cost {
        Cost::of(self.child.id()).unwrap()
    }

    /// Waits until it has no more files open, and hardly more threads, than before anybody used it.
    pub(crate) async fn recovers(&self) {
        let Cost { threads, files, .. } = self.fresh;
        eventually(
            &format!("back to {threads} threads, {files} files"),
            async || {
                let now = self.cost();
                let recovered = now.files <= files && now.threads <= threads + 2;
                recovered.then_some(()).ok_or_else(|| {
                    let open = open_files(self.child.id());
                    format!("it has {} threads, and open: {open:?}", now.threads)
                })
            },
        )
        .await;
    }

    /// Ends it as a user would; fails unless it ends in peace, and in time.
    pub(crate) async fn terminate(mut self, patience: Duration) -> ExitStatus {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        let ended = tokio::time::timeout(patience, async {
            loop {
                if let Some(status) = self.child.try_wait().unwrap() {
                    return status;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
        let status = ended.await.expect("still runs after SIGTERM");
        assert!(status.success(), "{status}");
        assert!(self.folder.path().exists(), "the folder is the test's");
        status
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What each file is that a process has open.
fn open_files(pid: u32) -> Vec<PathBuf> {
    let Ok(files) = fs::read_dir(format!("/proc/{pid}/fd")) else {
        return Vec::new();
    };
    let mut open: Vec<_> = files
        .filter_map(|file| fs::read_link(file.ok()?.path()).ok())
        .collect();
    open.sort();
    open
}

/// Has the API proxy answer, which has a thread of its own as well: whatever it says.
async fn pinged(api: &Path) -> io::Result<()> {
    let mut stream = UnixStream::connect(api).await?;
    let ping = b"GET /_ping HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n";
    stream.write_all(ping).await?;
    stream.read_u8().await.map(drop)
}

/// Whether DNS answers, which has a thread of its own and is the last to be there.
fn answers(dns: SocketAddr) -> bool {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(1)))
        .unwrap();
    // A question without a question, which is an error worth an answer.
    let header = [[0, 1], [1, 0], [0; 2], [0; 2], [0; 2], [0; 2]].concat();
    socket.send_to(&header, dns).unwrap();
    socket.recv(&mut [0; 512]).is_ok()
}

/// As many files as the system allows, for this process and those that it starts; answers how many.
pub(crate) fn raise_file_limit() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    setrlimit(Resource::Nofile, raised).unwrap();
    limit.maximum.unwrap_or(u64::MAX)
}
