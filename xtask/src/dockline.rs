//! A `dockline serve` that was built here: started with free ports, asked where it listens, and stopped as a user would.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::console::say;
use crate::shell::{MINUTES_2, Shell, tail, typed};
use crate::workspace::Workspace;

/// How long dockline has to start its tunnel and learn of all containers.
const READY_SECONDS: &str = "60";
/// A cold build takes minutes on a small machine.
const BUILD_LIMIT: Duration = Duration::from_secs(20 * 60);
/// How long it has to stop after it was asked to.
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// How cargo built it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Profile {
    Debug,
    Release,
}

/// A port for an interceptor, free a moment ago: it has to be named to dockline before it can be told the gateway.
pub(crate) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// The program, and how to call it for one instance on one engine.
#[derive(Debug)]
pub(crate) struct Dockline {
    program: PathBuf,
    instance: &'static str,
    endpoint: String,
    log: PathBuf,
    /// Its certificate authority is not the user's.
    data: PathBuf,
}

impl Dockline {
    /// The program that cargo has built.
    pub(crate) fn built(
        workspace: &Workspace,
        profile: Profile,
        instance: &'static str,
        endpoint: &str,
    ) -> Result<Self> {
        let folder = workspace.target().join(instance);
        fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
        let profile = match profile {
            Profile::Debug => "debug",
            Profile::Release => "release",
        };
        let program = workspace
            .target()
            .join(profile)
            .join(format!("dockline{}", std::env::consts::EXE_SUFFIX));
        Ok(Self {
            program,
            instance,
            endpoint: endpoint.to_owned(),
            log: folder.join("serve.log"),
            data: folder.join("data"),
        })
    }

    /// The variables that spare the reader two flags in every line.
    pub(crate) fn variables(&self) -> [(&'static str, &str); 2] {
        [
            ("DOCKLINE_INSTANCE", self.instance),
            ("DOCKLINE_HOST", &self.endpoint),
        ]
    }

    /// Has cargo build the program.
    pub(crate) fn build(shell: &Shell, workspace: &Workspace, profile: Profile) -> Result<()> {
        let mut build = workspace.cargo();
        build.args(["build", "--quiet", "--package", "dockline"]);
        if matches!(profile, Profile::Release) {
            build.arg("--release");
        }
        shell.run(&mut build, BUILD_LIMIT)
    }

    /// A dockline command.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(args)
            .envs(self.variables())
            .env("DOCKLINE_DATA_DIR", &self.data)
            .env_remove("DOCKLINE_CONTEXT");
        command
    }

    /// Starts the service in the background, with more flags; it has to be stopped.
    pub(crate) fn serve(&self, flags: &[&str]) -> Result<Child> {
        let log =
            File::create(&self.log).with_context(|| format!("write {}", self.log.display()))?;
        let mut command =
            self.command(&["serve", "--dns", "127.0.0.1:0", "--gateway", "127.0.0.1:0"]);
        command.args(["--http", "127.0.0.1:0"]).args(flags);
        say(format_args!("  $ {} &", typed(&command)));
        // Ctrl-C is for xtask, which then stops the service itself.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        command.spawn().context("start `dockline serve`")
    }

    /// Waits until the service is ready, and returns its status.
    pub(crate) fn wait_ready(&self, shell: &Shell, service: &mut Child) -> Result<Value> {
        let mut status = self.command(&["status", "--wait", READY_SECONDS, "--json"]);
        let answer = shell.output(&mut status, MINUTES_2).map_err(|error| {
            error.context(format!(
                "`dockline serve` did not get ready{}",
                self.last_words()
            ))
        })?;
        if let Some(status) = service.try_wait()? {
            bail!("`dockline serve` ended with {status}, although something answers for it");
        }
        serde_json::from_str(&answer)
            .context("`dockline status --json` wrote something that is no JSON")
    }

    /// Waits until what containers send reaches the interceptor.
    pub(crate) fn wait_linked(&self, shell: &Shell) -> Result<()> {
        shell.wait_until("link and interceptor", MINUTES_2, || {
            let text = shell.output(&mut self.command(&["status", "--json"]), MINUTES_2)?;
            let status: Value = serde_json::from_str(&text)?;
            let there = status["interceptor"]["reachable"] == true
                && status["tunnel"]["link"]["state"] == "up";
            Ok(there.then_some(()))
        })
    }

    /// Asks the service to stop, and fails if it had to be killed or ended badly.
    pub(crate) fn stop(&self, shell: &Shell, mut service: Child) -> Result<()> {
        if service.try_wait()?.is_none() {
            shell.signal(service.id(), "TERM")?;
        }
        let ended = shell.wait(service, "dockline serve", STOP_LIMIT)?;
        if !ended.success() {
            bail!("`dockline serve` ended with {ended}{}", self.last_words());
        }
        Ok(())
    }

    /// What the service has written so far.
    pub(crate) fn log(&self) -> Result<String> {
        fs::read_to_string(&self.log).with_context(|| format!("read {}", self.log.display()))
    }

    /// The end of the service's log, as the end of a sentence.
    fn last_words(&self) -> String {
        match fs::read_to_string(&self.log) {
            Ok(log) if !log.is_empty() => format!("; it last wrote{}\n", tail(&log)),
            _ => String::new(),
        }
    }
}
