//! The programs that drive an engine: the Docker CLI, compose 1 and 2, Testcontainers.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::engine::{Engine, PackageSet, install_prerequisites, unpack};
use crate::python;
use crate::shell::{MINUTES_2, Shell};
use crate::workspace::Workspace;

/// Where the programs are, and the configuration that they use.
#[derive(Clone, Debug)]
pub(crate) struct Tools {
    /// The Docker CLI.
    pub(crate) docker: PathBuf,
    /// Compose 1.29, which is a program of its own.
    pub(crate) compose1: Option<PathBuf>,
    /// A Python that has Testcontainers.
    pub(crate) python: Option<PathBuf>,
    /// Whether the CLI has compose 2.
    compose2: bool,
    /// What `DOCKER_CONFIG` has to name; `None` for the user's own.
    pub(crate) config: Option<PathBuf>,
}

impl Tools {
    /// The unpacked CLI with plugins in a configuration of its own, and compose 1 of the machine.
    pub(crate) fn unpacked(shell: &Shell, workspace: &Workspace) -> Result<Self> {
        install_prerequisites(shell)?;
        let root = unpack(shell, workspace, PackageSet::CLIENT)?;
        let config = workspace.engines().join("docker-config");
        let plugins = config.join("cli-plugins");
        fs::create_dir_all(&plugins).with_context(|| format!("make {}", plugins.display()))?;
        for plugin in ["docker-compose", "docker-buildx"] {
            let program = root.join("usr/libexec/docker/cli-plugins").join(plugin);
            shell.output(
                Command::new("ln")
                    .arg("-sfn")
                    .arg(program)
                    .arg(plugins.join(plugin)),
                MINUTES_2,
            )?;
        }
        let docker = root.join("usr/bin/docker");
        Ok(Self {
            docker,
            compose1: compose1(shell),
            python: Some(python::ensure(shell, workspace)?),
            compose2: true,
            config: Some(config),
        })
    }

    /// What the user has on `PATH`.
    pub(crate) fn installed(shell: &Shell) -> Result<Self> {
        let docker = PathBuf::from("docker");
        shell
            .output(Command::new(&docker).arg("--version"), MINUTES_2)
            .context("there is no Docker CLI on PATH")?;
        let compose1 = compose1(shell);
        let compose2 = shell
            .try_output(
                Command::new(&docker).args(["compose", "version"]),
                MINUTES_2,
            )
            .is_some();
        ensure!(
            compose2 || compose1.is_some(),
            "the Docker CLI on PATH has no compose plugin"
        );
        Ok(Self {
            docker,
            compose1,
            python: None,
            compose2,
            config: None,
        })
    }

    /// A Docker CLI command on an engine.
    pub(crate) fn docker(&self, engine: &Engine) -> Command {
        let mut command = Command::new(&self.docker);
        self.configure(&mut command, engine);
        command
    }

    /// A compose command on an engine: compose 2 where there is a choice.
    pub(crate) fn compose(&self, engine: &Engine) -> Command {
        let mut command = match &self.compose1 {
            Some(program) if !self.compose2 => Command::new(program),
            _ => Command::new(&self.docker),
        };
        if self.compose2 {
            command.arg("compose");
        }
        self.configure(&mut command, engine);
        command
    }

    /// Lets a program that starts the Docker CLI or compose find the same engine and configuration.
    pub(crate) fn configure(&self, command: &mut Command, engine: &Engine) {
        command
            .env("DOCKER_HOST", &engine.endpoint)
            .env_remove("DOCKER_CONTEXT");
        if let Some(config) = &self.config {
            command.env("DOCKER_CONFIG", config);
        }
    }
}

fn compose1(shell: &Shell) -> Option<PathBuf> {
    let program = Path::new("/usr/bin/docker-compose");
    let version = shell.try_output(
        Command::new(program).args(["version", "--short"]),
        MINUTES_2,
    )?;
    version.starts_with("1.").then(|| program.to_path_buf())
}
