//! An engine with all that fixtures need: it runs, it has the fixture image, and there are tools to drive it.

use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::console::say;
use crate::engine::{self, Engine, Version, can_make_engines};
use crate::images::ensure_fixture;
use crate::shell::{MINUTES_2, Shell};
use crate::tools::Tools;
use crate::workspace::Workspace;

/// Where a Docker engine listens unless told otherwise.
const DEFAULT_ENDPOINT: &str = "unix:///var/run/docker.sock";

/// Engines that are ready, and what drives them.
#[derive(Debug)]
pub(crate) struct Setup {
    /// The same for all engines.
    pub(crate) tools: Tools,
    /// At least one.
    pub(crate) engines: Vec<Engine>,
}

impl Setup {
    /// Prepares private engines; those that it started are stopped again if one fails.
    pub(crate) fn private(
        shell: &Shell,
        workspace: &Workspace,
        versions: &[Version],
    ) -> Result<Self> {
        can_make_engines(shell)?;
        let mut setup = Self {
            tools: Tools::unpacked(shell, workspace)?,
            engines: Vec::new(),
        };
        for version in versions {
            let prepared = engine::up(shell, workspace, *version).and_then(|engine| {
                setup.engines.push(engine.clone());
                ensure_fixture(shell, workspace, &setup.tools, &engine)
            });
            if let Err(error) = prepared {
                setup.stop_started(workspace)?;
                return Err(error.context(format!("prepare engine {version}")));
            }
        }
        Ok(setup)
    }

    /// Prepares the engine that the user has: `host`, or what the Docker CLI would use.
    pub(crate) fn current(
        shell: &Shell,
        workspace: &Workspace,
        host: Option<&str>,
    ) -> Result<Self> {
        let Some(engine) = current_engine(shell, host) else {
            bail!("no engine answers: start one, or let DOCKER_HOST name one");
        };
        let tools = Tools::installed(shell).or_else(|missing| {
            // Where it is allowed, bring what is missing.
            can_make_engines(shell).map_err(|_| missing)?;
            Tools::unpacked(shell, workspace)
        })?;
        let ask = ["version", "--format", "{{.Server.Version}}"];
        let version = shell
            .output(tools.docker(&engine).args(ask), MINUTES_2)
            .context("ask the engine its version")?;
        say(format_args!(
            "engine current: {} at {}",
            version.trim(),
            engine.endpoint
        ));
        ensure_fixture(shell, workspace, &tools, &engine)?;
        Ok(Self {
            tools,
            engines: vec![engine],
        })
    }

    /// The user's engine if there is one, else private ones.
    pub(crate) fn any(
        shell: &Shell,
        workspace: &Workspace,
        host: Option<&str>,
        versions: &[Version],
    ) -> Result<Self> {
        if host.is_some() || current_engine(shell, None).is_some() {
            return Self::current(shell, workspace, host);
        }
        say("no engine answers here, so private ones are prepared");
        Self::private(shell, workspace, versions)
    }

    /// As [`Self::stop_started`], unless somebody wants to go on with them.
    pub(crate) fn stop_unless_kept(&self, workspace: &Workspace, kept: bool) -> Result<()> {
        if kept {
            return Ok(());
        }
        self.stop_started(workspace)
    }

    /// Stops the engines that this run started. It goes on after Ctrl-C.
    pub(crate) fn stop_started(&self, workspace: &Workspace) -> Result<()> {
        let shell = Shell::for_cleanup();
        let mut stopped = Ok(());
        for engine in self.engines.iter().filter(|engine| engine.started_here) {
            if let Some(version) = engine.private {
                stopped = stopped.and(engine::down(&shell, workspace, version));
            }
        }
        stopped
    }
}

fn current_engine(shell: &Shell, host: Option<&str>) -> Option<Engine> {
    let ask = [
        "context",
        "inspect",
        "--format",
        "{{.Endpoints.docker.Host}}",
    ];
    let endpoint = host
        .map(str::to_owned)
        .or_else(|| {
            Some(
                shell
                    .try_output(Command::new("docker").args(ask), MINUTES_2)?
                    .trim()
                    .to_owned(),
            )
        })
        .unwrap_or_else(|| DEFAULT_ENDPOINT.to_owned());
    let engine = Engine {
        name: "current".to_owned(),
        endpoint,
        private: None,
        started_here: false,
    };
    // A host that was named is taken at its word, so that what it answers is reported.
    (host.is_some() || answers(shell, &engine)).then_some(engine)
}

fn answers(shell: &Shell, engine: &Engine) -> bool {
    if let Some(path) = engine.endpoint.strip_prefix("unix://")
        && !std::path::Path::new(path).exists()
    {
        return false;
    }
    let mut version = Command::new("docker");
    version.args([
        "--host",
        &engine.endpoint,
        "version",
        "--format",
        "{{.Server.Version}}",
    ]);
    shell.try_output(&mut version, MINUTES_2).is_some()
}
