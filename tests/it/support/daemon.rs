//! An engine's own program, which can be killed and started again.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::Signal;
use tokio::net::UnixStream;

use super::{Lab, eventually, signal};

/// A daemon that runs, and how it was started.
pub(crate) struct Daemon {
    pid: u32,
    argv: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
}

impl Daemon {
    /// The one that listens on the engine's socket.
    pub(crate) async fn of(lab: &Lab) -> Self {
        let socket = lab.engine.host.strip_prefix("unix://");
        let stream = UnixStream::connect(socket.unwrap()).await.unwrap();
        let pid = stream.peer_cred().unwrap().pid().unwrap();
        let pid = u32::try_from(pid).unwrap();
        let environment = words(pid, "environ").into_iter().filter_map(|pair| {
            let text = pair.into_string().ok()?;
            let (name, value) = text.split_once('=')?;
            Some((name.into(), value.into()))
        });
        Self {
            pid,
            argv: words(pid, "cmdline"),
            environment: environment.collect(),
        }
    }

    /// As the kernel does when memory runs out. Its own containerd ends with it; the shims of containers live on.
    pub(crate) async fn kill(&self) {
        signal(self.pid, Signal::KILL);
        let exec_root = Path::new(self.flag("--exec-root="));
        let pid_files = [
            PathBuf::from(self.flag("--pidfile=")),
            exec_root.join("containerd/containerd.pid"),
        ];
        for file in pid_files.iter().filter(|file| file.exists()) {
            let pid = fs::read_to_string(file).unwrap();
            let pid = pid.trim().parse().unwrap();
            eventually("the killed program's end", async || {
                words(pid, "cmdline").is_empty().then_some(())
            })
            .await;
            // A first process that never waits for orphans keeps what is left of it listed for ever, and the next
            // daemon would take that for a program that runs.
            fs::remove_file(file).unwrap();
        }
    }

    /// Whether its containers outlive it.
    pub(crate) fn live_restore(&self) -> bool {
        self.argv.iter().any(|word| word == "--live-restore")
    }

    fn flag(&self, name: &str) -> &str {
        let mut flags = self.argv.iter().filter_map(|word| word.to_str());
        flags.find_map(|flag| flag.strip_prefix(name)).unwrap()
    }

    /// In a session of its own: it outlives the tests, as its predecessor would have.
    pub(crate) fn start(&self) -> Child {
        let data = PathBuf::from(self.flag("--data-root="));
        let log = fs::File::options()
            .append(true)
            .open(data.with_file_name("dockerd.log"));
        let log = log.unwrap();
        Command::new("setsid")
            .args(&self.argv)
            .env_clear()
            .envs(self.environment.iter().cloned())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap()
    }
}

/// A file of `/proc/PID` whose words end with a zero byte each; empty once the process has ended.
fn words(pid: u32, file: &str) -> Vec<OsString> {
    let bytes = fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
    let words = bytes
        .split(|byte| *byte == 0)
        .filter(|word| !word.is_empty());
    words
        .map(|word| OsString::from_vec(word.to_vec()))
        .collect()
}
