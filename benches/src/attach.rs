//! What it takes to have a running container intercepted and to give it back, beside its own stop and start; and how soon dockline is right again
//! when its engine has been away.

use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::Run;
use crate::dockline::{Dockline, INSTANCE};
use crate::engine::docker::Docker;
use crate::engine::front::Front;
use crate::measure::millis;
use crate::report::{Figure, Report, Samples, Target, progress, with_unit};

const SUITE: &str = "attach";
const OURS: &str = "dockline";
const NETWORK: &str = "bench-net";
const TARGET: &str = "bench-target";
const LATE: &str = "bench-late";
/// How long the engine is away: longer than the longest pause between two attempts to reach it.
const AWAY: Duration = Duration::from_secs(6);

/// Attaches and detaches one container once a round, then has the engine go and come back.
pub(crate) fn measure(run: &Run, report: &mut Report) -> Result<()> {
    let Some(engine) = &run.engine else {
        progress("  no engine was given: attach is left out");
        return Ok(());
    };
    let docker = Docker::new(engine, &run.image)?;
    docker.network(NETWORK)?;
    let folder = tempfile::tempdir().context("make a folder for the relay")?;
    let front = Front::open_at(&folder.path().join("engine.sock"), engine)?;
    let mut samples = Samples::new(&run.out, SUITE)?;
    let attached = attach(run, &docker, &mut samples);
    let recovered = recover(run, &docker, &front, &mut samples);
    figures(&samples, report);
    attached.and(recovered)
}

fn attach(run: &Run, docker: &Docker, samples: &mut Samples) -> Result<()> {
    let log = run.out.join("attach-serve.log");
    let mut dockline = Dockline::serve(&run.dockline, docker.socket(), &log)?;
    dockline.await_tunnel()?;
    docker.container(TARGET, NETWORK, false)?;
    for round in 1..=run.rounds {
        let began = Instant::now();
        docker.call("POST", &format!("/containers/{TARGET}/stop"), None)?;
        docker.call("POST", &format!("/containers/{TARGET}/start"), None)?;
        let own = millis(began.elapsed());
        samples.add(round, OURS, "stop and start ms", own)?;
        for (command, metric) in [
            ("attach", "attach beyond ms"),
            ("detach", "detach beyond ms"),
        ] {
            let began = Instant::now();
            anew(run, docker, &dockline, command)?;
            samples.add(round, OURS, metric, millis(began.elapsed()) - own)?;
        }
    }
    dockline.stop();
    Ok(())
}

/// Runs a command that makes the container anew.
fn anew(run: &Run, docker: &Docker, dockline: &Dockline, command: &str) -> Result<()> {
    let ended = Command::new(&run.dockline)
        .args([command, TARGET, "--instance", INSTANCE, "--host"])
        .arg(format!("unix://{}", docker.socket().display()))
        .env("DOCKLINE_RUNTIME_DIR", dockline.runtime_dir())
        .output()
        .with_context(|| format!("start `dockline {command}`"))?;
    let said = String::from_utf8_lossy(&ended.stderr);
    ensure!(ended.status.success(), "`dockline {command}`: {said}");
    Ok(())
}

fn recover(run: &Run, docker: &Docker, front: &Front, samples: &mut Samples) -> Result<()> {
    let log = run.out.join("recover-serve.log");
    let mut dockline = Dockline::serve(&run.dockline, front.socket(), &log)?;
    dockline.await_tunnel()?;
    for round in 1..=run.rounds {
        front.cut()?;
        dockline.await_engine(false)?;
        docker.container(LATE, NETWORK, true)?;
        sleep(AWAY);
        let back = Instant::now();
        front.open()?;
        let known = dockline.await_container(LATE)?;
        samples.add(round, OURS, "map after outage ms", millis(known - back))?;
        let joined = dockline.await_joined(NETWORK)?;
        samples.add(round, OURS, "joined after outage ms", millis(joined - back))?;
        docker.remove(LATE)?;
        dockline.await_left(NETWORK)?;
    }
    dockline.stop();
    Ok(())
}

fn figures(samples: &Samples, report: &mut Report) {
    for (what, metric, target) in [
        (
            "stop and start of the small container, by the engine alone",
            "stop and start ms",
            Target::None,
        ),
        (
            "`attach` of it, beyond that",
            "attach beyond ms",
            Target::AtMost(1_500.0),
        ),
        (
            "`detach` of it, beyond that",
            "detach beyond ms",
            Target::AtMost(1_500.0),
        ),
        (
            "map right, from the engine's return after 6 s",
            "map after outage ms",
            Target::AtMost(1_000.0),
        ),
        (
            "tunnel joined where it is wanted, from then",
            "joined after outage ms",
            Target::AtMost(1_000.0),
        ),
    ] {
        let ours = samples.median(OURS, metric);
        let figure = Figure {
            what: what.to_owned(),
            ours: with_unit(ours, "ms"),
            beside: String::new(),
            judged: ours,
            unit: " ms",
            target,
        };
        report.add(SUITE, figure);
    }
}
