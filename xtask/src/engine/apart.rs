//! An engine that may be killed at any time: with data, programs and a network namespace of its own, beside all others.
//!
//! Its networks exist in that namespace alone, so whoever is to reach its containers must be run [`Apart::inside`] it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};

use super::{
    Engine, PackageSet, RUN_DIR, Version, can_make_engines, daemon, install_prerequisites,
    leftovers, lock, unpack,
};
use crate::console::say;
use crate::shell::{MINUTES_2, Shell};
use crate::workspace::Workspace;

/// See the module.
#[derive(Debug)]
pub(crate) struct Apart {
    version: Version,
    /// Whether its containers outlive it.
    live_restore: bool,
    home: PathBuf,
}

impl Apart {
    /// Starts one that has nothing in it.
    pub(crate) fn start(
        shell: &Shell,
        workspace: &Workspace,
        version: Version,
        live_restore: bool,
    ) -> Result<Self> {
        can_make_engines(shell)?;
        install_prerequisites(shell)?;
        let apart = Self {
            version,
            live_restore,
            home: workspace.engines().join(format!("apart-{version}")),
        };
        let programs = {
            let _lock = lock(shell)?;
            unpack(shell, workspace, PackageSet::engine(version))?
        };
        apart.remove(shell)?;
        if let Err(error) = apart.run(shell, &programs) {
            apart.remove(&Shell::for_cleanup())?;
            return Err(error);
        }
        Ok(apart)
    }

    /// As fixtures and tests see it.
    pub(crate) fn engine(&self) -> Engine {
        Engine {
            name: self.version.name().to_owned(),
            endpoint: format!("unix://{}", self.socket().display()),
            private: None,
            started_here: true,
        }
    }

    /// The same command in the engine's network namespace. (`ip netns exec` would change what it sees of `/sys` as well, and have
    /// mounts of its own.)
    pub(crate) fn inside(&self, command: &Command) -> Command {
        let mut inside = Command::new("nsenter");
        inside.arg(format!("--net=/run/netns/{}", self.namespace()));
        inside.arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => inside.env(name, value),
                None => inside.env_remove(name),
            };
        }
        if let Some(folder) = command.get_current_dir() {
            inside.current_dir(folder);
        }
        inside
    }

    /// Ends it, whoever started it last, and removes all that it had.
    pub(crate) fn remove(&self, shell: &Shell) -> Result<()> {
        leftovers::remove(shell, &self.run_dir(), Some(self.data()))?;
        if self.home.exists() {
            let removed = fs::remove_dir_all(&self.home);
            removed.with_context(|| format!("remove {}", self.home.display()))?;
        }
        if Path::new("/run/netns").join(self.namespace()).exists() {
            self.ip(shell, &["netns", "del", &self.namespace()])?;
        }
        Ok(())
    }

    fn run(&self, shell: &Shell, programs: &Path) -> Result<()> {
        for folder in [self.run_dir(), self.home.clone()] {
            fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
        }
        self.ip(shell, &["netns", "add", &self.namespace()])?;
        let up = ["-n", &self.namespace(), "link", "set", "lo", "up"];
        self.ip(shell, &up)?;
        let log = self.home.join("dockerd.log");
        let log_file = File::create(&log).with_context(|| format!("write {}", log.display()))?;
        let mut dockerd = Command::new("setsid");
        dockerd
            .arg(programs.join("usr/sbin/dockerd"))
            .args(self.flags())
            .env(
                "PATH",
                daemon::path(shell, self.version, &self.home, programs)?,
            );
        say(format_args!(
            "engine {} apart{}: starting, log in {}",
            self.version,
            if self.live_restore {
                ", with live-restore"
            } else {
                ""
            },
            log.display()
        ));
        let mut daemon = self
            .inside(&dockerd)
            .stdin(Stdio::null())
            .stdout(log_file.try_clone()?)
            .stderr(log_file)
            .spawn()
            .context("start dockerd")?;
        shell.wait_until("the engine's first answer", daemon::START_LIMIT, || {
            daemon::check_alive(&mut daemon, &log)?;
            Ok(daemon::answers_at(&self.socket()).then_some(()))
        })
    }

    fn flags(&self) -> Vec<String> {
        let run = self.run_dir();
        let mut flags = vec![
            format!("--host=unix://{}", self.socket().display()),
            format!("--data-root={}", self.data().display()),
            format!("--exec-root={}", run.join("exec").display()),
            format!("--pidfile={}", run.join("docker.pid").display()),
            format!("--containerd-namespace={}", self.namespace()),
            format!(
                "--containerd-plugins-namespace={}-plugins",
                self.namespace()
            ),
        ];
        flags.extend(self.live_restore.then(|| "--live-restore".to_owned()));
        flags
    }

    fn ip(&self, shell: &Shell, words: &[&str]) -> Result<()> {
        let done = shell.output(Command::new("ip").args(words), MINUTES_2);
        done.map(drop)
            .with_context(|| format!("prepare the network of engine {} apart", self.version))
    }

    fn namespace(&self) -> String {
        format!("dockline-apart-{}", self.version)
    }

    fn run_dir(&self) -> PathBuf {
        Path::new(RUN_DIR).join(format!("apart-{}", self.version))
    }

    fn socket(&self) -> PathBuf {
        self.run_dir().join("docker.sock")
    }

    fn data(&self) -> PathBuf {
        self.home.join("data")
    }
}
