//! `cargo xtask soak`: churns on a real engine while dockline serves, and looks whether it stays right, small and quick.
//!
//! Two [`mod@churn`]ers and a compose [`project`] change the engine at random, [`load`] asks gateway and DNS all the while,
//! [`samples`] says what that costs. Then [`crowd`]s go up and
//! down in an intercepted shell. In the end the map must be that of a [`witness`] that has just started, nothing may have
//! grown, and after SIGTERM nothing may be left.

mod chance;
mod churn;
mod crowd;
mod load;
mod project;
mod samples;
mod stage;
mod tally;
mod witness;

use std::net::SocketAddr;
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use self::chance::Chance;
use self::churn::Churner;
use self::samples::{Sample, growth, print_head};
use self::stage::Stage;
use self::tally::Tally;
use crate::console::say;
use crate::dockline::Dockline;
use crate::engine::Version;
use crate::setup::Setup;
use crate::shell::{MINUTES_2, Shell};
use crate::workspace::Workspace;

/// The dockline instance of the soak, so that it never touches another one.
const INSTANCE: &str = "soak";
/// The one that starts at the end, and sees all with fresh eyes.
const WITNESS: &str = "soak-witness";
/// On everything that the soak makes in the engine.
const LABEL: &str = "dockline-soak";
/// The container that stays, and what it says.
const STEADY: &str = "soak-steady";
const STEADY_PAGE: &str = "hello from soak-steady";
/// A cold build for release takes minutes on a small machine.
const BUILD_LIMIT: Duration = Duration::from_secs(20 * 60);
/// The longest time between two rows of the table; a short soak has ten all the same.
const ROW: Duration = Duration::from_secs(60);
const FEWEST_ROWS: u32 = 10;
/// One of so many requests may go to a container that is taken off its network before it answers.
const FEW: u64 = 500;
/// What may be open for a while when nothing happens any more: connections to the engine that are kept.
const FILES_AT_REST: u64 = 32;

/// Flags of `cargo xtask soak`.
#[derive(Debug, clap::Args)]
pub(crate) struct Flags {
    /// How long to churn; 0 leaves it out.
    #[arg(long, default_value_t = 20)]
    minutes: u32,
    /// Repeats the churn of an earlier run, as far as threads allow [default: another one each time].
    #[arg(long)]
    seed: Option<u64>,
    /// How often projects of 1, 4 and 30 services go up and down in an intercepted shell, after the churn.
    #[arg(long, default_value_t = 20)]
    compose: u32,
    /// Which of these projects.
    #[arg(long, value_delimiter = ',', default_values_t = crowd::SERVICES)]
    services: Vec<usize>,
    /// The private engine to churn on.
    #[arg(long, value_enum, default_value_t = Version::V26)]
    engine: Version,
}

/// Builds, prepares an engine, soaks, and leaves nothing.
pub(crate) fn run(shell: &Shell, workspace: &Workspace, flags: &Flags) -> Result<()> {
    build(shell, workspace)?;
    let setup = Setup::private(shell, workspace, &[flags.engine])?;
    let soaked = on_engine(shell, workspace, &setup, flags);
    let stopped = setup.stop_started(workspace);
    soaked.and(stopped)
}

fn build(shell: &Shell, workspace: &Workspace) -> Result<()> {
    let build = ["build", "--release", "--quiet", "--package", "dockline"];
    shell.run(workspace.cargo().args(build), BUILD_LIMIT)
}

fn on_engine(shell: &Shell, workspace: &Workspace, setup: &Setup, flags: &Flags) -> Result<()> {
    let engine = setup.engines.last().context("no engine was prepared")?;
    let stage = |shell| Stage {
        shell,
        workspace,
        setup,
        engine,
    };
    let unhurried = Shell::for_cleanup();
    stage(&unhurried).clean_up()?;
    let soaked = soak(&stage(shell), flags);
    let cleaned = stage(&unhurried).clean_up();
    soaked.and(cleaned)
}

/// One service from start to end, with all that happens meanwhile.
fn soak(stage: &Stage<'_>, flags: &Flags) -> Result<()> {
    let dockline = stage.dockline(INSTANCE)?;
    stage.start_steady()?;
    let mut service = dockline.serve(&["--interceptor", "none"])?;
    let looked = look(stage, &dockline, &mut service, flags);
    let stopped = dockline.stop(&Shell::for_cleanup(), service);
    let mut problems = looked?;
    stopped?;
    let left = stage.dockline_things()?.into_iter();
    problems.extend(left.map(|id| format!("{id} is left after SIGTERM")));
    ensure!(
        problems.is_empty(),
        "the soak found:\n    {}",
        problems.join("\n    ")
    );
    say("nothing was wrong, nothing grew, and nothing is left");
    Ok(())
}

/// All that happens while the service runs; answers what was wrong.
fn look(
    stage: &Stage<'_>,
    dockline: &Dockline,
    service: &mut Child,
    flags: &Flags,
) -> Result<Vec<String>> {
    let status = dockline.wait_ready(stage.shell, service)?;
    let ports = (address(&status, "gateway")?, address(&status, "dns")?);
    let page = || load::fetch(ports.0, STEADY).is_ok_and(|page| page.contains(STEADY_PAGE));
    stage
        .shell
        .wait_until("the first page", MINUTES_2, || Ok(page().then_some(())))?;
    let before = stage.sample(service.id())?;

    let tally = Tally::default();
    let samples = match flags.minutes {
        0 => Vec::new(),
        minutes => churn(stage, service, ports, (minutes, flags.seed), &tally)?,
    };
    let api = status["api_socket"].as_str();
    let api = api.context("`dockline status --json` names no api_socket")?;
    let crowd = crowd::come_and_go(stage, dockline, api, flags)?;
    let after = stage.sample(service.id())?;
    after.print(Duration::from_secs(60) * flags.minutes, &tally);

    let (count, mut problems) = tally.failures();
    problems.extend(crowd);
    if count > 0 {
        problems.push(format!("{count} failures in all"));
    }
    let (unanswered, answered) = (tally.unanswered.get(), tally.requests.get());
    if unanswered * FEW > answered {
        problems.push(format!("{unanswered} requests were not answered"));
    }
    if flags.minutes > 0 {
        problems.extend(growth(&samples));
    }
    let (had, has) = (before.dockline.files, after.dockline.files);
    if has > had + FILES_AT_REST {
        problems.push(format!(
            "at rest dockline has {has} files open, and had {had}"
        ));
    }
    problems.extend(witness::compare(stage, dockline)?);
    Ok(problems)
}

/// Lets everybody loose, and looks at what that costs until the time is over.
fn churn(
    stage: &Stage<'_>,
    service: &mut Child,
    (gateway, dns): (SocketAddr, SocketAddr),
    (minutes, seed): (u32, Option<u64>),
    tally: &Tally,
) -> Result<Vec<Sample>> {
    let seed = seed.unwrap_or_else(seed_of_now);
    say(format_args!(
        "soaking on engine {} for {} minutes, --seed {seed}",
        stage.engine.name, minutes
    ));
    thread::scope(|scope| {
        for number in 0..churn::CHURNERS {
            let tools = (stage.shell, &stage.setup.tools, stage.engine);
            let churner = Churner::new(tools, tally, seed, number);
            scope.spawn(|| churner.run());
        }
        scope.spawn(|| project::come_and_go(stage, gateway, tally));
        scope.spawn(|| load::fetch_steady(gateway, tally));
        for number in 10..12 {
            let chance = Chance::new(seed, number);
            scope.spawn(move || load::fetch_passing(gateway, chance, tally));
        }
        scope.spawn(|| load::query(dns, Chance::new(seed, 12), tally));
        let samples = record(stage, service, minutes, tally);
        tally.stop();
        samples
    })
}

/// A sample now and then, until the time is over.
fn record(
    stage: &Stage<'_>,
    service: &mut Child,
    minutes: u32,
    tally: &Tally,
) -> Result<Vec<Sample>> {
    let length = Duration::from_secs(60) * minutes;
    let row = ROW.min(length / FEWEST_ROWS);
    let start = Instant::now();
    let mut samples = Vec::new();
    print_head();
    while start.elapsed() < length {
        let due = Instant::now() + row;
        let passed = || Ok((Instant::now() >= due).then_some(()));
        stage
            .shell
            .wait_until("the next sample", MINUTES_2, passed)?;
        if let Some(status) = service.try_wait()? {
            bail!("`dockline serve` ended with {status}");
        }
        let taken = stage.sample(service.id())?;
        taken.print(start.elapsed(), tally);
        samples.push(taken);
    }
    Ok(samples)
}

fn address(status: &Value, key: &str) -> Result<SocketAddr> {
    let text = status[key].as_str().unwrap_or_default();
    text.parse()
        .with_context(|| format!("`dockline status --json` names no {key}"))
}

/// Another one each time.
fn seed_of_now() -> u64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::from(now.subsec_nanos()) ^ now.as_secs()
}
