//! How soon everything is there, and how large it is.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::Run;
use crate::dockline::{Dockline, INSTANCE};
use crate::engine::docker::Docker;
use crate::measure::{float, millis};
use crate::report::{Figure, Report, Samples, Target, progress, with_unit};

const SUITE: &str = "start";
const OURS: &str = "dockline";
const NETWORK: &str = "bench-net";
const LATE: &str = "bench-late";
const TARGET: &str = "bench-target";

/// Starts and stops dockline once a round.
pub(crate) fn measure(run: &Run, report: &mut Report) -> Result<()> {
    let Some(engine) = &run.engine else {
        progress("  no engine was given: starts are left out");
        return Ok(());
    };
    let docker = Docker::new(engine, &run.image)?;
    docker.network(NETWORK)?;
    docker.container(TARGET, NETWORK, true)?;
    let log = run.out.join("start-serve.log");
    let mut samples = Samples::new(&run.out, SUITE)?;
    // The first brings the image.
    for round in 0..=run.rounds {
        let mut dockline = Dockline::spawn(&run.dockline, engine, &log)?;
        let ready = dockline.await_ready()?;
        let joined = dockline.await_joined(NETWORK)?;
        sleep(Duration::from_millis(300));
        docker.network(LATE)?;
        docker.attach(LATE, TARGET, true)?;
        let wanted = Instant::now();
        let late = dockline.await_joined(LATE)?;
        if round == 0 {
            samples.add(1, OURS, "image MB", image_megabytes(&docker)?)?;
        } else {
            samples.add(round, OURS, "ready ms", millis(ready - dockline.started))?;
            samples.add(round, OURS, "first join ms", millis(joined - ready))?;
            samples.add(round, OURS, "later join ms", millis(late - wanted))?;
        }
        docker.attach(LATE, TARGET, false)?;
        dockline.stop();
        docker.call("DELETE", &format!("/networks/{LATE}"), None)?;
    }
    figures(&samples, report);
    Ok(())
}

fn figures(samples: &Samples, report: &mut Report) {
    for (what, metric, unit, target) in [
        ("tunnel image", "image MB", " MB", Target::AtMost(2.5)),
        (
            "`serve` ready, from its start",
            "ready ms",
            " ms",
            Target::AtMost(150.0),
        ),
        (
            "new tunnel joined, from ready",
            "first join ms",
            " ms",
            Target::AtMost(350.0),
        ),
        (
            "running tunnel joined, from the reply to the container's connect",
            "later join ms",
            " ms",
            Target::AtMost(350.0),
        ),
    ] {
        let ours = samples.median(OURS, metric);
        let figure = Figure {
            what: what.to_owned(),
            ours: with_unit(ours, unit.trim()),
            beside: String::new(),
            judged: ours,
            unit,
            target,
        };
        report.add(SUITE, figure);
    }
}

/// The size of the image that the running tunnel was made from.
fn image_megabytes(docker: &Docker) -> Result<f64> {
    let tunnel = docker.inspect(&format!("dockline-tunnel-{INSTANCE}"))?;
    let image = tunnel["Image"]
        .as_str()
        .context("the tunnel has no image")?;
    let image: Value = docker.call("GET", &format!("/images/{image}/json"), None)?;
    let bytes = image["Size"].as_u64().context("the image has no size")?;
    Ok(float(bytes) / 1e6)
}
