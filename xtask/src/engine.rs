//! Docker engines to run against: private ones that are made here, or one that already answers.
//!
//! A private engine is unpacked, not installed ([`packages`]), has its own data, bridge, address pools and socket
//! ([`daemon`]), and can stand beside another one and beside the machine's own. The machine has one of each version,
//! whichever checkout started it.

mod apart;
mod apt;
mod daemon;
mod host;
mod leftovers;
mod packages;

use std::fmt;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

pub(crate) use self::apart::Apart;
pub(crate) use self::apt::{install, install_prerequisites, is_installed};
pub(crate) use self::host::can_make_engines;
pub(crate) use self::packages::{PackageSet, unpack};
use crate::console::say;
use crate::shell::{MINUTES_2, MINUTES_10, Shell};
use crate::tools::Tools;
use crate::workspace::Workspace;

/// Sockets, pid files and exec roots: short, since the path of a unix socket has at most 108 bytes.
const RUN_DIR: &str = "/run/dockline-engines";

/// The engines that can be made here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Version {
    /// Engine 20.10 (API 1.41), from Debian 12.
    #[value(name = "20")]
    V20,
    /// Engine 26.1 (API 1.45), from Debian 13.
    #[value(name = "26")]
    V26,
}

impl Version {
    /// Every engine that can be made here, oldest first.
    pub(crate) const ALL: [Self; 2] = [Self::V20, Self::V26];

    /// The name that goes into paths, and into the list that tests get.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::V20 => "20",
            Self::V26 => "26",
        }
    }

    /// The folder of its sockets, pid file and exec root.
    fn run_dir(self) -> PathBuf {
        Path::new(RUN_DIR).join(self.name())
    }

    fn socket(self) -> PathBuf {
        self.run_dir().join("docker.sock")
    }

    /// Downloads, programs, data and log.
    fn home(self, workspace: &Workspace) -> PathBuf {
        workspace.engines().join(self.name())
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An engine that answers.
#[derive(Clone, Debug)]
pub(crate) struct Engine {
    /// `20`, `26`, or `current`.
    pub(crate) name: String,
    /// As `DOCKER_HOST` takes it.
    pub(crate) endpoint: String,
    /// Which private engine it is; `None` for one that is not ours.
    pub(crate) private: Option<Version>,
    /// Whether this run started it, and so has to stop it.
    pub(crate) started_here: bool,
}

impl Engine {
    fn private(version: Version, started_here: bool) -> Self {
        Self {
            name: version.name().to_owned(),
            endpoint: format!("unix://{}", version.socket().display()),
            private: Some(version),
            started_here,
        }
    }
}

/// Makes sure that a private engine runs.
pub(crate) fn up(shell: &Shell, workspace: &Workspace, version: Version) -> Result<Engine> {
    can_make_engines(shell)?;
    let _lock = lock(shell)?;
    if daemon::answers(version) {
        // A checkout that started an engine and was removed since took the engine's data with it, all but mount points.
        if daemon::data(version).is_some_and(|data| data.join("image").exists()) {
            say(format_args!("engine {version}: already running"));
            return Ok(Engine::private(version, false));
        }
        say(format_args!(
            "engine {version}: runs without its data, starting anew"
        ));
        daemon::stop(shell, version)?;
    }
    install_prerequisites(shell)?;
    let programs = unpack(shell, workspace, PackageSet::engine(version))?;
    remove_leftovers(shell, version)?;
    if let Err(error) = daemon::start(shell, workspace, version, &programs) {
        let shell = Shell::for_cleanup();
        daemon::stop(&shell, version)?;
        remove_leftovers(&shell, version)?;
        return Err(error);
    }
    Ok(Engine::private(version, true))
}

/// Stops a private engine, with all that runs in it, and removes what it left outside its own folders.
pub(crate) fn down(shell: &Shell, workspace: &Workspace, version: Version) -> Result<()> {
    can_make_engines(shell)?;
    let _lock = lock(shell)?;
    if let Some(engine) = running(version)
        && let Err(error) = empty(shell, workspace, &engine)
    {
        say(format_args!(
            "engine {version}: not emptied before the stop: {error:#}"
        ));
    }
    let was_running = daemon::stop(shell, version)?;
    remove_leftovers(shell, version)?;
    say(format_args!(
        "engine {version}: {}",
        if was_running {
            "stopped"
        } else {
            "was not running"
        }
    ));
    Ok(())
}

fn remove_leftovers(shell: &Shell, version: Version) -> Result<()> {
    leftovers::remove(shell, &version.run_dir(), daemon::data(version))?;
    daemon::remove_bridge(shell, version)
}

/// Removes containers and networks, whose bridges and routes the engine would leave on the host.
fn empty(shell: &Shell, workspace: &Workspace, engine: &Engine) -> Result<()> {
    let tools = Tools::unpacked(shell, workspace)?;
    let listed = shell.output(
        tools.docker(engine).args(["ps", "--all", "--quiet"]),
        MINUTES_2,
    )?;
    if !listed.trim().is_empty() {
        let containers = listed.split_whitespace();
        shell.output(
            tools
                .docker(engine)
                .args(["rm", "--force", "--volumes"])
                .args(containers),
            MINUTES_2,
        )?;
    }
    shell.output(
        tools.docker(engine).args(["network", "prune", "--force"]),
        MINUTES_2,
    )?;
    Ok(())
}

/// The private engine, if it runs.
pub(crate) fn running(version: Version) -> Option<Engine> {
    daemon::answers(version).then(|| Engine::private(version, false))
}

/// Keeps two runs of xtask from starting or stopping the same engine at once, until the file is dropped.
fn lock(shell: &Shell) -> Result<File> {
    fs::create_dir_all(RUN_DIR).with_context(|| format!("make {RUN_DIR}"))?;
    let path = Path::new(RUN_DIR).join("lock");
    let file = File::create(&path).with_context(|| format!("open {}", path.display()))?;
    shell.wait_until(
        "another xtask that works on the engines",
        MINUTES_10,
        || match file.try_lock() {
            Ok(()) => Ok(Some(())),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("lock {}", path.display()))
            }
        },
    )?;
    Ok(file)
}
