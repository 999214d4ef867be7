//! `dockline serve` as it is measured: an instance of its own, with its own folder and free ports.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result};
use serde_json::Value;
use tempfile::TempDir;

use crate::engine::http;
use crate::process::{Server, free_port};

/// The instance of all measurements, and so the label of watched containers.
pub(crate) const INSTANCE: &str = "bench";

/// A running `dockline serve`.
#[derive(Debug)]
pub(crate) struct Dockline {
    // Dropped first: it cleans up in the engine.
    server: Server,
    pub(crate) dns: SocketAddr,
    pub(crate) gateway: SocketAddr,
    /// When the process was started.
    pub(crate) started: Instant,
    control: PathBuf,
    folder: TempDir,
}

impl Dockline {
    /// Starts it and waits until its map is complete.
    pub(crate) fn serve(program: &Path, engine: &Path, log: &Path) -> Result<Self> {
        let mut dockline = Self::spawn(program, engine, log)?;
        dockline.await_ready()?;
        Ok(dockline)
    }

    /// As [`Self::serve`], with more flags.
    pub(crate) fn serve_with(
        program: &Path,
        engine: &Path,
        log: &Path,
        flags: &[&str],
    ) -> Result<Self> {
        let mut dockline = Self::spawn_with(program, engine, log, flags)?;
        dockline.await_ready()?;
        Ok(dockline)
    }

    /// With the built-in interceptor, trusting origins by the authorities in `trusted`. There need be no engine.
    pub(crate) fn intercepting(
        program: &Path,
        engine: &Path,
        log: &Path,
        trusted: &Path,
    ) -> Result<Self> {
        let mut command = Command::new(program);
        command.env("SSL_CERT_FILE", trusted);
        let flags = ["--interceptor", "builtin"];
        let mut dockline = Self::start(command, engine, log, &flags)?;
        dockline.until("to listen", |status| !status["interceptor"].is_null())?;
        Ok(dockline)
    }

    /// Where the built-in interceptor listens.
    pub(crate) fn interceptor(&self) -> Result<SocketAddr> {
        let (_, status) = http::once(&self.control, "GET", "/v1/status", None)?;
        let address = status["interceptor"]["address"].as_str();
        address
            .and_then(|text| text.parse().ok())
            .context("there is no built-in interceptor")
    }

    /// Whom its clients are to trust, in PEM.
    pub(crate) fn authority(&self) -> Result<String> {
        let path = self.folder.path().join("ca.pem");
        std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))
    }

    /// Starts it.
    pub(crate) fn spawn(program: &Path, engine: &Path, log: &Path) -> Result<Self> {
        Self::spawn_with(program, engine, log, &[])
    }

    /// As [`Self::spawn`], with more flags.
    pub(crate) fn spawn_with(
        program: &Path,
        engine: &Path,
        log: &Path,
        flags: &[&str],
    ) -> Result<Self> {
        Self::start(Command::new(program), engine, log, flags)
    }

    fn start(mut command: Command, engine: &Path, log: &Path, flags: &[&str]) -> Result<Self> {
        let folder = tempfile::tempdir().context("make a folder for dockline")?;
        let (dns, gateway, http) = (free_port()?, free_port()?, free_port()?);
        command
            .args(["serve", "--instance", INSTANCE, "--dns-forward", "none"])
            .args(["--dns", &dns.to_string(), "--gateway", &gateway.to_string()])
            .args(["--http", &http.to_string()])
            .args(flags)
            .arg("--host")
            .arg(format!("unix://{}", engine.display()))
            .env("DOCKLINE_RUNTIME_DIR", folder.path())
            // The authority of the built-in interceptor, where that is asked for.
            .env("DOCKLINE_DATA_DIR", folder.path())
            // Unless a flag says otherwise.
            .env("DOCKLINE_INTERCEPTOR", "none")
            .env_remove("DOCKLINE_CONTEXT");
        for proxy in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
            command.env_remove(proxy).env_remove(proxy.to_lowercase());
        }
        let started = Instant::now();
        let server = Server::start(&mut command, Some(log))?;
        let control = folder.path().join("control.sock");
        Ok(Self {
            server,
            dns,
            gateway,
            started,
            control,
            folder,
        })
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.server.pid()
    }

    /// Waits until `probe` likes the status; answers when that was.
    fn until(&mut self, what: &str, probe: impl Fn(&Value) -> bool) -> Result<Instant> {
        let control = self.control.clone();
        self.server.wait_for(what, || {
            http::once(&control, "GET", "/v1/status", None).is_ok_and(|(_, status)| probe(&status))
        })?;
        Ok(Instant::now())
    }

    /// Waits until the tunnel is on a network; answers when that was.
    pub(crate) fn await_joined(&mut self, network: &str) -> Result<Instant> {
        self.until("the tunnel to join", |status| {
            let networks = status["tunnel"]["networks"].as_array();
            networks.is_some_and(|all| all.iter().any(|joined| joined["name"] == network))
        })
    }

    /// The socket of its API proxy.
    pub(crate) fn api(&self) -> PathBuf {
        self.control.with_file_name("docker.sock")
    }

    /// Waits until a socket of its own is there, whatever the engine does.
    pub(crate) fn await_socket(&mut self, socket: &Path) -> Result<()> {
        self.server.wait_for("a socket", || socket.exists())
    }

    /// Waits until the engine is there, or is away.
    pub(crate) fn await_engine(&mut self, there: bool) -> Result<Instant> {
        self.until("the engine", |status| {
            status["engine"]["connected"] == there
        })
    }

    /// Waits until a watched container is known to run; answers when that was.
    pub(crate) fn await_container(&mut self, name: &str) -> Result<Instant> {
        self.until("a container to be known", |status| {
            let known = status["containers"].as_array();
            status["engine"]["connected"] == true
                && known.is_some_and(|all| all.iter().any(|c| c["name"] == name))
        })
    }

    /// Waits until the tunnel is on a network no more.
    pub(crate) fn await_left(&mut self, network: &str) -> Result<Instant> {
        self.until("the tunnel to leave", |status| {
            let networks = status["tunnel"]["networks"].as_array();
            networks.is_some_and(|all| all.iter().all(|joined| joined["name"] != network))
        })
    }

    /// Where its sockets are.
    pub(crate) fn runtime_dir(&self) -> &Path {
        self.folder.path()
    }

    /// Waits until the tunnel runs.
    pub(crate) fn await_tunnel(&mut self) -> Result<Instant> {
        self.until("the tunnel", |status| {
            status["tunnel"]["state"] == "running"
        })
    }

    /// Waits until callers of the entry come here.
    pub(crate) fn await_link(&mut self) -> Result<Instant> {
        self.until("the link", |status| {
            status["tunnel"]["link"]["state"] == "up" && status["interceptor"]["reachable"] != false
        })
    }

    /// Waits until the map is complete; answers when that was.
    pub(crate) fn await_ready(&mut self) -> Result<Instant> {
        let control = self.control.clone();
        self.server.wait_for("the map", || is_ready(&control))?;
        Ok(Instant::now())
    }

    /// Ends it at once: what it has in the engine stays.
    pub(crate) fn kill(self) {
        self.server.kill();
    }

    /// Stops it, with all that it has in the engine.
    pub(crate) fn stop(self) {
        self.server.stop();
    }
}

fn is_ready(control: &Path) -> bool {
    http::once(control, "GET", "/readyz", None).is_ok_and(|(status, _)| status == 200)
}
