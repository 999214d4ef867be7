//! `cargo xtask conform`: compares names with Docker's own resolver for longer than the tests do, or in another town.

use std::time::Duration;

use anyhow::Result;

use crate::setup::Setup;
use crate::shell::Shell;
use crate::test::{Choice, command, prepare, run_tests};
use crate::workspace::Workspace;

/// The one test of `tests/it` that compares.
const TEST: &str = "docker::conform::names_mean_what_they_mean_to_docker";
/// For a build and for the town; then for each round, which takes seconds on a machine that is not busy.
const START_LIMIT: Duration = Duration::from_secs(30 * 60);
const ROUND_LIMIT: Duration = Duration::from_secs(3 * 60);

/// Flags of `cargo xtask conform`.
#[derive(Debug, clap::Args)]
pub(crate) struct Flags {
    /// Determines the town, and what happens in it.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How often the town changes; everything is asked after each.
    #[arg(long, default_value_t = 20)]
    rounds: u32,
    /// Engines to ask [default: both where they can be made, else current].
    #[arg(long, value_enum)]
    engine: Option<Choice>,
    /// Leave the engines running that were started for it.
    #[arg(long)]
    keep_engine: bool,
}

/// Prepares engines, compares, stops what it started. The test itself says how much was asked and what differed.
pub(crate) fn run(
    shell: &Shell,
    workspace: &Workspace,
    host: Option<&str>,
    flags: &Flags,
) -> Result<()> {
    let setup = prepare(shell, workspace, host, flags.engine)?;
    let compared = compare(shell, workspace, &setup, flags);
    compared.and(setup.stop_unless_kept(workspace, flags.keep_engine))
}

fn compare(shell: &Shell, workspace: &Workspace, setup: &Setup, flags: &Flags) -> Result<()> {
    let mut tests = command(workspace, setup);
    tests
        .args(["--test", "it", "--", "--nocapture", "--exact", TEST])
        .env("DOCKLINE_CONFORM_SEED", flags.seed.to_string())
        .env("DOCKLINE_CONFORM_ROUNDS", flags.rounds.to_string());
    run_tests(
        shell,
        setup,
        &mut tests,
        START_LIMIT + ROUND_LIMIT * flags.rounds,
    )
}
