//! `cargo xtask deaths`: dockline, its tunnel and its engine die at every step of `attach` and `detach`; with `--daemon` the
//! engine's own program does, in the middle of all that dockline asks it for. `cargo xtask test` has one case of many.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::engine::{Apart, Version};
use crate::images::ensure_fixture;
use crate::setup::Setup;
use crate::shell::{Shell, command_line};
use crate::test::{self, Choice};
use crate::tools::Tools;
use crate::workspace::Workspace;

/// 180 cases, of some seconds each.
const LIMIT: Duration = Duration::from_secs(60 * 60);

/// Flags of `cargo xtask deaths`.
#[derive(Debug, clap::Args)]
pub(crate) struct Flags {
    /// Engines to die on [default: both where they can be made, else current].
    #[arg(long, value_enum)]
    engine: Option<Choice>,
    /// Kills the engine's own program, of an engine apart from all others, with live-restore and without.
    #[arg(long)]
    daemon: bool,
}

/// Prepares engines, tries all cases, stops what it started.
pub(crate) fn run(
    shell: &Shell,
    workspace: &Workspace,
    host: Option<&str>,
    flags: &Flags,
) -> Result<()> {
    if flags.daemon {
        return of_daemons(shell, workspace, flags.engine);
    }
    let setup = test::prepare(shell, workspace, host, flags.engine)?;
    let mut tests = every(workspace, &setup);
    tests.args(["--nocapture", "a_death_at_any_step"]);
    let tried = test::run_tests(shell, &setup, &mut tests, LIMIT);
    tried.and(setup.stop_started(workspace))
}

/// The tests with all their cases, up to the flags of their own.
fn every(workspace: &Workspace, setup: &Setup) -> Command {
    let mut tests = test::command(workspace, setup);
    tests
        .env("DOCKLINE_TEST_EVERY_DEATH", "1")
        .args(["--workspace", "--test", "it", "--"]);
    tests
}

fn of_daemons(shell: &Shell, workspace: &Workspace, choice: Option<Choice>) -> Result<()> {
    let versions = match choice {
        Some(Choice::V20) => &[Version::V20][..],
        Some(Choice::V26) => &[Version::V26],
        Some(Choice::Both | Choice::Current) | None => &Version::ALL,
    };
    let tools = Tools::unpacked(shell, workspace)?;
    for version in versions {
        for live_restore in [false, true] {
            let apart = Apart::start(shell, workspace, *version, live_restore)?;
            let setup = Setup {
                tools: tools.clone(),
                engines: vec![apart.engine()],
            };
            let tried = of_daemon(shell, workspace, &setup, &apart);
            tried.and(apart.remove(&Shell::for_cleanup()))?;
        }
    }
    Ok(())
}

fn of_daemon(shell: &Shell, workspace: &Workspace, setup: &Setup, apart: &Apart) -> Result<()> {
    ensure_fixture(shell, workspace, &setup.tools, &setup.engines[0])?;
    let mut tests = every(workspace, setup);
    tests.args(["--ignored", "--nocapture", test::OF_DAEMONS]);
    crate::console::say(format_args!(
        "running `{}` beside engine {} apart",
        command_line(&tests),
        setup.engines[0].name
    ));
    let done = shell.run(&mut apart.inside(&tests), LIMIT);
    done.context("the tests did not pass")
}
