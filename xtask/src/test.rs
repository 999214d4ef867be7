//! `cargo xtask test`: all tests of the workspace, those on real engines included.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::console::say;
use crate::engine::{Version, can_make_engines};
use crate::setup::Setup;
use crate::shell::{Shell, command_line};
use crate::workspace::Workspace;

/// The test that has engines of its own: `cargo xtask deaths --daemon`.
pub(crate) const OF_DAEMONS: &str = "a_daemon_that_is_killed_in_the_middle";
/// CI has 40 minutes for everything.
const TEST_LIMIT: Duration = Duration::from_secs(35 * 60);

/// Which engines the tests run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Choice {
    /// A private engine 20.10.
    #[value(name = "20")]
    V20,
    /// A private engine 26.1.
    #[value(name = "26")]
    V26,
    /// Both private engines, one after the other.
    Both,
    /// The engine that `DOCKER_HOST` or the Docker context names.
    Current,
}

/// Flags of `cargo xtask test`.
#[derive(Debug, clap::Args)]
pub(crate) struct Flags {
    /// Engines to test on [default: both where they can be made, else current].
    #[arg(long, value_enum)]
    engine: Option<Choice>,
    /// Leave the engines running that were started for the tests.
    #[arg(long)]
    keep_engine: bool,
    /// Handed to the tests: a filter, or `--nocapture` and the like.
    #[arg(last = true)]
    args: Vec<String>,
}

/// Prepares engines, runs the tests, stops what it started.
pub(crate) fn run(
    shell: &Shell,
    workspace: &Workspace,
    host: Option<&str>,
    flags: &Flags,
) -> Result<()> {
    let setup = prepare(shell, workspace, host, flags.engine)?;
    let tested = cargo_test(
        shell,
        workspace,
        &setup,
        &["--workspace", "--"],
        &flags.args,
    )
    .and_then(|()| on_engines_alone(shell, workspace, &setup, &flags.args));
    tested.and(setup.stop_unless_kept(workspace, flags.keep_engine))
}

/// The engines of that choice, or of the one that suits the machine.
pub(crate) fn prepare(
    shell: &Shell,
    workspace: &Workspace,
    host: Option<&str>,
    choice: Option<Choice>,
) -> Result<Setup> {
    match choice.unwrap_or_else(|| default_choice(shell)) {
        Choice::V20 => Setup::private(shell, workspace, &[Version::V20]),
        Choice::V26 => Setup::private(shell, workspace, &[Version::V26]),
        Choice::Both => Setup::private(shell, workspace, &Version::ALL),
        Choice::Current => Setup::current(shell, workspace, host),
    }
}

/// The tests that kill their engine, or make a swarm of it: one at a time, after all others, and never on an engine that is
/// not ours.
fn on_engines_alone(
    shell: &Shell,
    workspace: &Workspace,
    setup: &Setup,
    args: &[String],
) -> Result<()> {
    if setup.engines.iter().any(|engine| engine.private.is_none()) {
        say(
            "the tests that kill their engine, or make a swarm of it, are left out: it is not a private one",
        );
        return Ok(());
    }
    // The whole workspace, as before, so that nothing is built with other features a second time.
    let alone = [
        "--workspace",
        "--test",
        "it",
        "--",
        "--ignored",
        "--test-threads=1",
        "--skip",
        OF_DAEMONS,
    ];
    cargo_test(shell, workspace, setup, &alone, args)
}

fn cargo_test(
    shell: &Shell,
    workspace: &Workspace,
    setup: &Setup,
    selection: &[&str],
    args: &[String],
) -> Result<()> {
    let mut tests = command(workspace, setup);
    run_tests(shell, setup, tests.args(selection).args(args), TEST_LIMIT)
}

/// `cargo test` with all that tells the tests about engines and tools, and with nothing that leads them elsewhere.
pub(crate) fn command(workspace: &Workspace, setup: &Setup) -> Command {
    let mut tests = workspace.cargo();
    tests.arg("test");
    for (name, value) in variables(setup) {
        tests.env(name, value);
    }
    // Tests choose their engine themselves; what the user has set must not lead them elsewhere.
    for name in [
        "DOCKER_HOST",
        "DOCKER_CONTEXT",
        "DOCKLINE_HOST",
        "DOCKLINE_CONTEXT",
        "DOCKLINE_INSTANCE",
    ] {
        tests.env_remove(name);
    }
    tests
}

/// Says what is run, and on what, and runs it.
pub(crate) fn run_tests(
    shell: &Shell,
    setup: &Setup,
    tests: &mut Command,
    limit: Duration,
) -> Result<()> {
    let names: Vec<&str> = setup
        .engines
        .iter()
        .map(|engine| engine.name.as_str())
        .collect();
    say(format_args!(
        "running `{}` on engine {}",
        command_line(tests),
        names.join(" and ")
    ));
    shell.run(tests, limit).context("the tests did not pass")
}

/// What tells the tests about engines and tools.
pub(crate) fn variables(setup: &Setup) -> Vec<(&'static str, String)> {
    let engines: Vec<String> = setup
        .engines
        .iter()
        .map(|engine| format!("{}={}", engine.name, engine.endpoint))
        .collect();
    let mut variables = vec![
        ("DOCKLINE_TEST_ENGINES", engines.join(",")),
        (
            "DOCKLINE_TEST_DOCKER",
            setup.tools.docker.display().to_string(),
        ),
    ];
    if let Some(compose1) = &setup.tools.compose1 {
        variables.push(("DOCKLINE_TEST_COMPOSE1", compose1.display().to_string()));
    }
    if let Some(python) = &setup.tools.python {
        variables.push(("DOCKLINE_TEST_PYTHON", python.display().to_string()));
    }
    if let Some(config) = &setup.tools.config {
        variables.push(("DOCKER_CONFIG", config.display().to_string()));
    }
    variables
}

fn default_choice(shell: &Shell) -> Choice {
    match can_make_engines(shell) {
        Ok(()) => Choice::Both,
        Err(reason) => {
            say(format_args!(
                "testing on the current engine alone: {reason:#}"
            ));
            Choice::Current
        }
    }
}
