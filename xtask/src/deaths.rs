//! `cargo xtask deaths`: dockline, its tunnel and its engine die at every step of `attach` and `detach`. `cargo xtask test` has
//! one case of eleven.

use std::time::Duration;

use anyhow::Result;

use crate::setup::Setup;
use crate::shell::Shell;
use crate::test::{self, Choice};
use crate::workspace::Workspace;

/// 180 cases, of some seconds each.
const LIMIT: Duration = Duration::from_secs(60 * 60);

/// Prepares engines, tries all cases, stops what it started.
pub(crate) fn run(
    shell: &Shell,
    workspace: &Workspace,
    host: Option<&str>,
    engine: Option<Choice>,
) -> Result<()> {
    let setup = test::prepare(shell, workspace, host, engine)?;
    let tried = every(shell, workspace, &setup);
    tried.and(setup.stop_started(workspace))
}

fn every(shell: &Shell, workspace: &Workspace, setup: &Setup) -> Result<()> {
    let mut tests = test::command(workspace, setup);
    tests
        .env("DOCKLINE_TEST_EVERY_DEATH", "1")
        .args(["--workspace", "--test", "it", "--"])
        .args(["--nocapture", "a_death_at_any_step"]);
    test::run_tests(shell, setup, &mut tests, LIMIT)
}
