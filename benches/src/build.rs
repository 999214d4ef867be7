//! Builds by BuildKit and by the classic builder: direct, and through the API proxy, which edits graphs and contexts.

mod graph;

use std::fs::File;
use std::hint::black_box;
use std::io::Write as _;
use std::net::IpAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use dockline::core::llb::{StepFiles, StepInjection, rewrite};
use dockline::core::trust::Ca;

use crate::Run;
use crate::dockline::Dockline;
use crate::measure::{median, millis};
use crate::report::{Figure, Report, Samples, Target, progress, with_unit};

const SUITE: &str = "build";
const OURS: &str = "dockline";
const DIRECT: &str = "direct";
/// Builds, or graphs, of which the median is taken in a round.
const RUNS: usize = 7;
/// RUN steps of a graph: more than any Dockerfile may have layers.
const STEPS: usize = 500;
/// Bytes of a context, and of one for the classic builder.
const CONTEXT: usize = 300_000_000;
const CLASSIC_CONTEXT: usize = 500_000_000;
const MEGABYTE: usize = 1_000_000;

/// What the classic builder makes; it makes nothing without making an image.
const CLASSIC_IMAGE: &str = "dockline-bench:classic";

const GRAPH: &str = "graph of 500 steps ms";
const CACHED: &str = "cached build ms";
const LARGE: &str = "300 MB context ms";
const CLASSIC: &str = "500 MB context, classic builder ms";

/// Measures the core by itself, and builds each way.
pub(crate) fn measure(run: &Run, report: &mut Report) -> Result<()> {
    let mut samples = Samples::new(&run.out, SUITE)?;
    for round in 1..=run.rounds {
        samples.add(round, OURS, GRAPH, rewriting()?)?;
    }
    match (&run.engine, &run.docker) {
        (Some(engine), Some(docker)) => builds(run, engine, docker, &mut samples)?,
        _ => progress("  no engine or no Docker CLI was given: builds are left out"),
    }
    figures(&samples, report);
    Ok(())
}

/// The median time of a graph, in milliseconds.
fn rewriting() -> Result<f64> {
    let graph = graph::of(STEPS);
    let injection = StepInjection {
        instance: "default".parse().context("an instance")?,
        address: IpAddr::from([172, 17, 0, 2]),
        files: Some(Arc::new(StepFiles::new(&Ca::new("ca".into())))),
        intercept_loopback: false,
        fetching: None,
    };
    let mut times = Vec::new();
    for _ in 0..RUNS {
        let began = Instant::now();
        let edited = rewrite(black_box(&graph), &injection)?;
        times.push(millis(began.elapsed()));
        ensure!(edited.is_some(), "no step was found");
    }
    Ok(median(&times))
}

fn builds(run: &Run, engine: &Path, docker: &Path, samples: &mut Samples) -> Result<()> {
    let mut dockline = Dockline::serve(&run.dockline, engine, &run.out.join("build-serve.log"))?;
    dockline.await_tunnel()?;
    let ours = dockline.api();
    let small = tempfile::tempdir()?;
    let steps = format!(
        "FROM {}\nRUN true\nRUN echo two\nRUN echo three\n",
        run.image
    );
    std::fs::write(small.path().join("Dockerfile"), steps)?;
    let large = tempfile::tempdir()?;
    let reads = format!("FROM {}\nRUN --mount=type=bind,target=/c true\n", run.image);
    std::fs::write(large.path().join("Dockerfile"), reads)?;
    let classic = tempfile::tempdir()?;
    let step = format!("FROM {}\nRUN true\n", run.image);
    std::fs::write(classic.path().join("Dockerfile"), step)?;
    for way in [engine, &ours] {
        build(docker, way, small.path())?;
        classic_build(docker, way, classic.path())?;
    }
    fill(&classic.path().join("big"), CLASSIC_CONTEXT)?;
    for round in 1..=run.rounds {
        let mut ways = [(DIRECT, engine), (OURS, ours.as_path())];
        // Neither is always the one that builds on what the other left to be written.
        if round % 2 == 0 {
            ways.reverse();
        }
        for (name, way) in ways {
            let mut times = Vec::new();
            for _ in 0..RUNS {
                times.push(build(docker, way, small.path())?);
            }
            samples.add(round, name, CACHED, median(&times))?;
            fill(&large.path().join("big"), CONTEXT)?;
            settle()?;
            samples.add(round, name, LARGE, build(docker, way, large.path())?)?;
            settle()?;
            let classic = classic_build(docker, way, classic.path())?;
            samples.add(round, name, CLASSIC, classic)?;
        }
    }
    let mut remove = Command::new(docker);
    time(remove.args(["image", "rm", CLASSIC_IMAGE]), docker, engine)?;
    dockline.stop();
    Ok(())
}

/// A file that no earlier context had.
fn fill(path: &Path, bytes: usize) -> Result<()> {
    let mut noise = vec![0; MEGABYTE];
    let mut random = File::open("/dev/urandom").context("open /dev/urandom")?;
    std::io::Read::read_exact(&mut random, &mut noise)?;
    let mut file = File::create(path)?;
    for _ in 0..bytes / MEGABYTE {
        file.write_all(&noise)?;
    }
    Ok(())
}

/// Waits until the disk has all that was written: what takes time next is the build alone.
fn settle() -> Result<()> {
    let ended = Command::new("sync").status().context("run sync")?;
    ensure!(ended.success(), "sync ended with {ended}");
    Ok(())
}

/// The time of one `docker build`, in milliseconds.
fn build(docker: &Path, socket: &Path, context: &Path) -> Result<f64> {
    let mut build = Command::new(docker);
    build.args(["build", "--quiet", "--output", "type=cacheonly"]);
    time(build.arg(context), docker, socket)
}

/// The same without BuildKit. Its steps are cached: what takes time is the context, all of which the client sends.
fn classic_build(docker: &Path, socket: &Path, context: &Path) -> Result<f64> {
    let mut build = Command::new(docker);
    build.args(["build", "--quiet", "--tag", CLASSIC_IMAGE]);
    build.env("DOCKER_BUILDKIT", "0");
    time(build.arg(context), docker, socket)
}

fn time(build: &mut Command, docker: &Path, socket: &Path) -> Result<f64> {
    let began = Instant::now();
    let status = build
        .env("DOCKER_HOST", format!("unix://{}", socket.display()))
        .env_remove("DOCKER_CONTEXT")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .with_context(|| format!("run {}", docker.display()))?;
    ensure!(status.success(), "{} ended with {status}", docker.display());
    Ok(millis(began.elapsed()))
}

fn figures(samples: &Samples, report: &mut Report) {
    let graph = samples.median(OURS, GRAPH);
    report.add(
        SUITE,
        Figure {
            what: "graph of 500 RUN steps edited".to_owned(),
            ours: with_unit(graph, "ms"),
            beside: samples.beside(&[], GRAPH),
            judged: graph,
            unit: " ms",
            target: Target::AtMost(10.0),
        },
    );
    for (metric, target) in [(CACHED, 1.10), (LARGE, 1.05), (CLASSIC, 1.15)] {
        report.add(
            SUITE,
            Figure {
                what: format!("{metric} through the API proxy, to direct"),
                ours: with_unit(samples.median(OURS, metric), "ms"),
                beside: samples.beside(&[DIRECT], metric),
                judged: samples.ratio(OURS, DIRECT, metric),
                unit: "×",
                target: Target::AtMost(target),
            },
        );
    }
}
