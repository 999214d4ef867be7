//! `cargo xtask bench`: builds what is measured, brings the peers it is measured beside, and starts `benches/`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::clients::{brought, image};
use crate::console::say;
use crate::engine::{Engine, Version, can_make_engines, install};
use crate::setup::Setup;
use crate::shell::{Shell, command_line};
use crate::tools::Tools;
use crate::workspace::Workspace;

/// A release build from nothing, on a small machine.
const BUILD_LIMIT: Duration = Duration::from_secs(20 * 60);
/// All suites take about ten minutes.
const BENCH_LIMIT: Duration = Duration::from_secs(40 * 60);
/// Debian's: package and program.
const PEERS: [&str; 4] = ["dnsmasq-base", "haproxy", "microsocks", "unbound"];

/// What to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Suite {
    /// The DNS server.
    Dns,
    /// The tunnel's program on loopback.
    Socks,
    /// The tunnel in its container, through the gateway.
    Tunnel,
    /// From containers to the interceptor, by entry and link.
    Entry,
    /// From the engine's events to names and joins.
    Events,
    /// The built-in interceptor.
    Interceptor,
    /// Answers, changes and memory of the core.
    Names,
    /// The API proxy.
    Api,
    /// Builds by BuildKit and by the classic builder.
    Build,
    /// Starts and sizes.
    Start,
    /// What containers trust.
    Trust,
    /// Containers made anew, and an engine that comes back.
    Attach,
    /// Everything.
    All,
}

impl Suite {
    fn name(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Socks => "socks",
            Self::Tunnel => "tunnel",
            Self::Entry => "entry",
            Self::Events => "events",
            Self::Interceptor => "interceptor",
            Self::Names => "names",
            Self::Api => "api",
            Self::Build => "build",
            Self::Start => "start",
            Self::Trust => "trust",
            Self::Attach => "attach",
            Self::All => "all",
        }
    }

    fn needs_engine(self) -> bool {
        !matches!(
            self,
            Self::Dns | Self::Interceptor | Self::Names | Self::Socks
        )
    }
}

/// Flags of `cargo xtask bench`.
#[derive(Debug, clap::Args)]
pub(crate) struct Flags {
    /// What to measure.
    #[arg(value_enum, default_value = "all")]
    suite: Suite,
    /// Rounds, over which medians are taken.
    #[arg(long, default_value_t = 5)]
    rounds: u32,
    /// Leave the engine running that was started for this.
    #[arg(long)]
    keep_engine: bool,
}

/// Prepares everything, measures, and stops what it started.
pub(crate) fn run(
    shell: &Shell,
    workspace: &Workspace,
    host: Option<&str>,
    flags: &Flags,
) -> Result<()> {
    let mut build = workspace.cargo();
    build.args([
        "build",
        "--release",
        "--package=dockline",
        "--package=dockline-bench",
    ]);
    say(format_args!("$ {}", command_line(&build)));
    shell.run(&mut build, BUILD_LIMIT)?;
    bring_peers(shell);
    let setup = if flags.suite.needs_engine() {
        Some(prepare_engine(shell, workspace, host)?)
    } else {
        None
    };
    let engine = setup.as_ref().and_then(|setup| setup.engines.first());
    let tools = setup.as_ref().map(|setup| &setup.tools);
    let measured = measure(shell, workspace, engine, tools, flags);
    let stopped = match setup {
        Some(setup) if !flags.keep_engine => setup.stop_started(workspace),
        _ => Ok(()),
    };
    measured.and(stopped)
}

/// The newest private engine, where it can be made: it is the one that targets were set for.
fn prepare_engine(shell: &Shell, workspace: &Workspace, host: Option<&str>) -> Result<Setup> {
    if host.is_none() && can_make_engines(shell).is_ok() {
        return Setup::private(shell, workspace, &[Version::V26]);
    }
    Setup::current(shell, workspace, host)
}

fn measure(
    shell: &Shell,
    workspace: &Workspace,
    engine: Option<&Engine>,
    tools: Option<&Tools>,
    flags: &Flags,
) -> Result<()> {
    let programs = workspace.target().join("release");
    let results = workspace.target().join("bench");
    let mut bench = Command::new(programs.join("dockline-bench"));
    bench
        .args([
            "run",
            flags.suite.name(),
            "--rounds",
            &flags.rounds.to_string(),
        ])
        .arg("--dockline")
        .arg(programs.join("dockline"))
        .arg("--tunnel")
        .arg(tunnel(workspace)?)
        .arg("--out")
        .arg(&results);
    if let Some(socket) = engine.and_then(|engine| engine.endpoint.strip_prefix("unix://")) {
        bench.arg("--engine").arg(socket);
    }
    if let Some(tools) = tools {
        bench.arg("--docker").arg(&tools.docker);
        if let Some(config) = &tools.config {
            bench.env("DOCKER_CONFIG", config);
        }
    }
    if matches!(flags.suite, Suite::Interceptor | Suite::All) {
        bring_mitmproxy(shell, workspace, &mut bench)?;
    }
    shell.run(&mut bench, BENCH_LIMIT)?;
    say(format_args!("values and table: {}", results.display()));
    Ok(())
}

/// By Python's package index, where that can be reached; else it is left out of the comparison.
fn bring_mitmproxy(shell: &Shell, workspace: &Workspace, bench: &mut Command) -> Result<()> {
    match brought::mitmproxy(shell, &image::folder(workspace)?) {
        Ok((programs, _)) => {
            let path = std::env::var_os("PATH").unwrap_or_default();
            let places = [programs].into_iter().chain(std::env::split_paths(&path));
            bench.env("PATH", std::env::join_paths(places)?);
        }
        Err(error) => say(format_args!("mitmproxy is left out: {error:#}")),
    }
    Ok(())
}

/// The program that dockline's build script has made for this machine.
fn tunnel(workspace: &Workspace) -> Result<PathBuf> {
    let folder = workspace.target().join("tunnel-image");
    let for_this_machine = |path: &Path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with(std::env::consts::ARCH)
    };
    let targets = fs::read_dir(&folder).with_context(|| format!("read {}", folder.display()))?;
    targets
        .flatten()
        .map(|target| target.path())
        .filter(|path| for_this_machine(path))
        .map(|path| path.join("tunnel/dockline-tunnel"))
        .find(|program| program.is_file())
        .with_context(|| format!("no tunnel for this machine in {}", folder.display()))
}

/// Installs the peers that are missing. What cannot be had is left out of the comparison.
fn bring_peers(shell: &Shell) {
    let outcome = can_make_engines(shell).and_then(|()| install(shell, &PEERS));
    if let Err(error) = outcome {
        say(format_args!(
            "not installed here, so only those peers are measured that are there: {error:#}"
        ));
    }
}
