//! `cargo xtask page`: uses the page in a real browser, with real containers, and takes its pictures for `docs/`.
//!
//! Needs Node and npm; installs Debian's `chromium` unless `CHROMIUM` names another one. What is clicked and expected is in `xtask/page/`.

use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::console::say;
use crate::dockline::{Dockline, Profile};
use crate::engine::{Version, install};
use crate::setup::Setup;
use crate::shell::{MINUTES_10, Shell};
use crate::workspace::Workspace;

/// Drives the browser.
const PLAYWRIGHT: &str = "playwright-core@1";
/// Judges roles, names and contrast.
const AXE: &str = "axe-core@4";

/// Flags of `cargo xtask page`.
#[derive(Debug, clap::Args)]
pub(crate) struct Flags {
    /// Fail if 500 containers take longer than they should; for a quiet machine and a release build.
    #[arg(long)]
    clock: bool,
    /// Measure and try a release build.
    #[arg(long)]
    release: bool,
}

/// Builds dockline, brings what drives the browser, and starts the check.
pub(crate) fn run(
    shell: &Shell,
    workspace: &Workspace,
    host: Option<&str>,
    flags: &Flags,
) -> Result<()> {
    let profile = if flags.release {
        Profile::Release
    } else {
        Profile::Debug
    };
    if std::env::var_os("CHROMIUM").is_none() {
        install(shell, &["chromium"])?;
    }
    if flags.release {
        say("building dockline, which takes minutes where nothing is built yet");
    }
    Dockline::build(shell, workspace, profile)?;
    let folder = workspace.target().join("page");
    fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
    for file in ["check.mjs", "engine.mjs", "service.mjs"] {
        let from = workspace.root().join("xtask/page").join(file);
        // Beside its modules: there alone Node looks for them.
        fs::copy(&from, folder.join(file)).with_context(|| format!("copy {}", from.display()))?;
    }
    let mut install = Command::new("npm");
    install
        .args(["install", "--no-save", "--no-audit", "--no-fund"])
        .args([PLAYWRIGHT, AXE, "--prefix", "."])
        .current_dir(&folder);
    shell.run(&mut install, MINUTES_10)?;
    let setup = Setup::any(shell, workspace, host, &[Version::V26])?;
    let engine = setup.engines.first().context("no engine was prepared")?;
    let profile = if flags.release { "release" } else { "debug" };
    let docker = setup.tools.docker(engine);
    let mut check = Command::new("node");
    check
        .arg(folder.join("check.mjs"))
        .env(
            "DOCKLINE_PROGRAM",
            workspace.target().join(profile).join("dockline"),
        )
        .env("DOCKER_PROGRAM", docker.get_program())
        .env("PAGE_ENGINE", &engine.endpoint)
        .env("PAGE_DOCS", workspace.root().join("docs"))
        .env("PAGE_LOGS", &folder);
    if flags.clock {
        check.env("PAGE_STRICT_CLOCK", "1");
    }
    let checked = shell.run(&mut check, MINUTES_10);
    checked.and(setup.stop_started(workspace))
}
