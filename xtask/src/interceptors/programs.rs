//! The interceptors: how each is installed, told of dockline, and started.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::{har, text};
use crate::clients::{brought, image};
use crate::console::say;
use crate::dockline::free_port;
use crate::engine::Engine;
use crate::shell::{MINUTES_2, MINUTES_10, Shell};
use crate::tools::Tools;
use crate::workspace::Workspace;

/// For an interceptor to have written what it saw: it does so before it answers, or a moment later.
pub(super) const WRITTEN: Duration = Duration::from_secs(10);

/// dockline's for mitmproxy.
const ADDON: &str = "integrations/mitmproxy/dockline_mitmproxy.py";

/// One way of intercepting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Program {
    BuiltIn,
    MitmproxyUpstream,
    MitmproxyAddon,
    Mockttp,
}

/// All that a program is started with.
#[derive(Debug)]
pub(super) struct Ready {
    port: u16,
    programs: PathBuf,
    settings: PathBuf,
    root: PathBuf,
    folder: PathBuf,
}

/// A program that runs.
#[derive(Debug)]
pub(super) struct Running {
    child: Option<Child>,
    log: Option<PathBuf>,
}

impl Running {
    /// Where it writes what it sees; nothing if dockline does.
    pub(super) fn log(&self) -> Option<&Path> {
        self.log.as_deref()
    }

    pub(super) fn end(self) -> Result<()> {
        if let Some(mut child) = self.child {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }
}

impl Program {
    pub(super) const ALL: [Self; 4] = [
        Self::BuiltIn,
        Self::MitmproxyUpstream,
        Self::MitmproxyAddon,
        Self::Mockttp,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::BuiltIn => "built in",
            Self::MitmproxyUpstream => "mitmproxy, upstream mode",
            Self::MitmproxyAddon => "mitmproxy with the add-on, its defaults",
            Self::Mockttp => "mockttp, the example",
        }
    }

    /// As `dockline integrate` calls it.
    pub(super) fn recipe(self) -> &'static str {
        match self {
            Self::BuiltIn => "generic",
            Self::MitmproxyUpstream | Self::MitmproxyAddon => "mitmproxy",
            Self::Mockttp => "mockttp",
        }
    }

    pub(super) fn knows_callers(self) -> bool {
        self != Self::MitmproxyUpstream
    }

    /// Installs it; answers what `dockline serve` has to be told.
    pub(super) fn prepare(
        self,
        shell: &Shell,
        workspace: &Workspace,
        folder: &Path,
    ) -> Result<(Vec<String>, Ready)> {
        let port = free_port()?;
        let mut ready = Ready {
            port,
            programs: PathBuf::new(),
            settings: PathBuf::new(),
            root: workspace.root().to_owned(),
            folder: folder.to_owned(),
        };
        let ca = match self {
            Self::BuiltIn => {
                let archive = har::file(folder).display().to_string();
                return Ok((vec!["--har".to_owned(), archive], ready));
            }
            Self::MitmproxyUpstream | Self::MitmproxyAddon => {
                let clients = image::folder(workspace)?;
                (ready.programs, ready.settings) = brought::mitmproxy(shell, &clients)?;
                ready.settings.join("mitmproxy-ca-cert.pem")
            }
            Self::Mockttp => {
                ready.programs = mockttp(shell, workspace, folder)?;
                ready.programs.join("ca.pem")
            }
        };
        let mut flags = vec![
            "--interceptor".to_owned(),
            format!("127.0.0.1:{port}"),
            "--ca".to_owned(),
            ca.display().to_string(),
        ];
        if self == Self::Mockttp {
            flags.extend(["--tell-who".to_owned(), "mockttp".to_owned()]);
        }
        Ok((flags, ready))
    }

    /// Sees whether the add-on goes on while dockline hangs, and while it is away.
    pub(super) fn goes_on(self, shell: &Shell, ready: &Ready) -> Result<()> {
        if self != Self::MitmproxyAddon {
            return Ok(());
        }
        let mut away = Command::new(ready.programs.join("python"));
        away.arg("-B")
            .arg(ready.root.join("xtask/interceptors/away.py"))
            .arg(ready.programs.join("mitmdump"))
            .arg(ready.root.join(ADDON));
        say(shell.output(&mut away, MINUTES_2)?.trim_end());
        Ok(())
    }

    /// Starts it, now that dockline says where its gateway is.
    pub(super) fn start(self, ready: &Ready, status: &Value) -> Result<Running> {
        let (gateway, http) = (text(status, "gateway")?, text(status, "http")?);
        let mut command = match self {
            Self::BuiltIn => {
                return Ok(Running {
                    child: None,
                    log: None,
                });
            }
            Self::MitmproxyUpstream => {
                let mut command = mitmdump(ready);
                command.args(["--mode", &format!("upstream:http://{gateway}")]);
                command
            }
            Self::MitmproxyAddon => {
                let mut command = mitmdump(ready);
                command.arg("-s").arg(ready.root.join(ADDON));
                command.args(["--set", &format!("dockline_api=http://{http}")]);
                command
            }
            Self::Mockttp => {
                let mut command = Command::new("node");
                command
                    .current_dir(&ready.programs)
                    .arg("start.mjs")
                    .env("PORT", ready.port.to_string())
                    .env("DOCKLINE", format!("http://{http}"))
                    .env("ORIGIN_CA", root_file(&ready.folder));
                command
            }
        };
        let path = ready.folder.join("seen.log");
        let log = File::create(&path).context("write the interceptor's log")?;
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("start {}", self.name()))?;
        Ok(Running {
            child: Some(child),
            log: Some(path),
        })
    }
}

fn mitmdump(ready: &Ready) -> Command {
    let mut command = Command::new(ready.programs.join("mitmdump"));
    let trusted = root_file(&ready.folder).display().to_string();
    command
        .env("PYTHONUNBUFFERED", "1")
        .args([
            "-q",
            "--listen-host",
            "127.0.0.1",
            "-p",
            &ready.port.to_string(),
        ])
        .args(["--set", &format!("confdir={}", ready.settings.display())])
        .args([
            "--set",
            &format!("ssl_verify_upstream_trusted_ca={trusted}"),
        ])
        .arg("-s")
        .arg(ready.root.join("xtask/interceptors/recorder.py"));
    command
}

/// Where everything of this command's is kept.
pub(super) fn folder(workspace: &Workspace) -> Result<PathBuf> {
    let folder = workspace.engines().join("interceptors");
    fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
    Ok(folder)
}

fn root_file(folder: &Path) -> PathBuf {
    folder.join("root.crt")
}

/// The authority that signs for the projects' services: the image's own.
pub(super) fn origins_authority(
    shell: &Shell,
    tools: &Tools,
    engine: &Engine,
    folder: &Path,
) -> Result<()> {
    let mut read = tools.docker(engine);
    read.args(["run", "--rm", "--network", "none", image::DEBIAN]);
    let pem = shell.output(read.args(["cat", "/pki/root.crt"]), MINUTES_2)?;
    fs::write(root_file(folder), pem).context("keep the origins' authority")
}

/// Copies a package to `home`, and has npm install what it needs there.
pub(super) fn npm_installed(
    shell: &Shell,
    source: &Path,
    home: &Path,
    files: &[&str],
) -> Result<()> {
    fs::create_dir_all(home).with_context(|| format!("make {}", home.display()))?;
    let package = fs::read_to_string(source.join("package.json")).context("read package.json")?;
    // Written last, so that half of an installation is never taken for the whole.
    let marker = home.join("installed");
    let installed = fs::read_to_string(&marker).is_ok_and(|found| found == package);
    for name in files {
        fs::copy(source.join(name), home.join(name)).with_context(|| format!("copy {name}"))?;
    }
    if !installed {
        say(format_args!("npm install for {}", source.display()));
        let mut npm = Command::new("npm");
        npm.current_dir(home)
            .args(["install", "--no-audit", "--no-fund", "--no-package-lock"]);
        shell.output(&mut npm, MINUTES_10)?;
        fs::write(&marker, package).context("note the installation")?;
    }
    Ok(())
}

/// The example with what it needs from npm, and an authority of its own.
fn mockttp(shell: &Shell, workspace: &Workspace, folder: &Path) -> Result<PathBuf> {
    let source = workspace.root().join("integrations/mockttp");
    let home = folder.join("mockttp");
    let files = ["package.json", "dockline.mjs", "start.mjs"];
    npm_installed(shell, &source, &home, &files)?;
    if !home.join("ca.pem").exists() {
        let mut make = Command::new("openssl");
        make.current_dir(&home)
            .args([
                "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "365",
            ])
            .args([
                "-keyout",
                "ca.key",
                "-out",
                "ca.pem",
                "-subj",
                "/CN=mockttp of xtask",
            ])
            .args(["-addext", "keyUsage=critical,keyCertSign,cRLSign"]);
        shell.output(&mut make, MINUTES_2)?;
    }
    Ok(home)
}
