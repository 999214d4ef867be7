//! What containers trust: how much longer it takes to create them, and what they get.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::Run;
use crate::dockline::Dockline;
use crate::engine::docker::Docker;
use crate::engine::http::Http;
use crate::measure::{len, median, millis};
use crate::report::{Figure, Report, Samples, Target, progress, with_unit};

const SUITE: &str = "trust";
const OURS: &str = "dockline";
const DIRECT: &str = "direct";
/// What injection costs the engine itself.
const MOUNT: &str = "direct, with the volume";
/// Containers a round, of which the middle counts.
const LATER: usize = 25;
/// In which images are made.
const SOURCE: &str = "bench-source";
const REPOSITORY: &str = "dockline-bench-trust";

/// Creates containers, of a new image each round.
pub(crate) fn measure(run: &Run, report: &mut Report) -> Result<()> {
    let Some(engine) = &run.engine else {
        progress("  no engine was given: what containers trust is left out");
        return Ok(());
    };
    let docker = Docker::new(engine, &run.image)?;
    docker.container(SOURCE, "bridge", false)?;
    let log = run.out.join("trust-serve.log");
    let flags = ["--interceptor", "builtin"];
    let mut dockline = Dockline::serve_with(&run.dockline, engine, &log, &flags)?;
    dockline.await_tunnel()?;
    let mut samples = Samples::new(&run.out, SUITE)?;
    let images = (1..=run.rounds).try_for_each(|round| {
        let image = format!("{REPOSITORY}:{round}");
        let made = one_round(&docker, &dockline, round, &mut samples);
        docker.call("DELETE", &format!("/images/{image}?force=1"), None)?;
        made
    });
    dockline.stop();
    images?;
    figures(&samples, report);
    Ok(())
}

fn one_round(
    docker: &Docker,
    dockline: &Dockline,
    round: u32,
    samples: &mut Samples,
) -> Result<()> {
    let path = format!(
        "/commit?container={SOURCE}&repo={REPOSITORY}&tag={round}&pause=0&changes=LABEL%20round%3D{round}"
    );
    docker.call("POST", &path, Some(&json!({})))?;
    let image = format!("{REPOSITORY}:{round}");
    let plain = json!({"Image": image, "Cmd": ["never"], "Labels": {"dockline-bench": ""}});
    // Connections are made before.
    let mut ways = [dockline.api().as_path(), docker.socket()].map(Http::connect);
    let [Ok(through), Ok(direct)] = &mut ways else {
        anyhow::bail!("no connection to engine or API proxy");
    };
    let (first, id) = create(through, &plain)?;
    samples.add(round, OURS, "first ms", first)?;
    let injected = docker.inspect(&id)?;
    samples.add(round, OURS, "files KB", kilobytes(docker.socket(), &id)?)?;
    docker.remove(&id)?;
    let mut mounted = plain.clone();
    mounted["HostConfig"] = json!({"Mounts": injected["HostConfig"]["Mounts"]});
    let mut times = [const { Vec::new() }; 3];
    for _ in 0..LATER {
        let calls = [(&mut *through, &plain)];
        for (way, body) in calls {
            let (time, id) = create(way, body)?;
            times[0].push(time);
            docker.remove(&id)?;
        }
        for (times, body) in times[1..].iter_mut().zip([&plain, &mounted]) {
            let (time, id) = create(direct, body)?;
            times.push(time);
            docker.remove(&id)?;
        }
    }
    for (name, times) in [OURS, DIRECT, MOUNT].into_iter().zip(&times) {
        samples.add(round, name, "later ms", median(times))?;
    }
    let longer = median(&times[0]) - median(&times[1]);
    samples.add(round, OURS, "longer ms", longer)
}

/// Milliseconds for a container, and its id.
fn create(engine: &mut Http, body: &Value) -> Result<(f64, String)> {
    let begun = Instant::now();
    let (status, answer) = engine.ask("POST", "/containers/create", Some(body))?;
    let time = millis(begun.elapsed());
    let id = answer["Id"].as_str();
    let id = id.with_context(|| format!("the engine answered {status}: {answer}"))?;
    Ok((time, id.to_owned()))
}

/// What is in a container's folder.
fn kilobytes(engine: &Path, container: &str) -> Result<f64> {
    let mut bytes = Http::connect(engine)?;
    let path = format!("/containers/{container}/archive?path=/.dockline");
    Ok(len(bytes.download(&path)?.len()) / 1e3)
}

fn figures(samples: &Samples, report: &mut Report) {
    for (what, metric, unit, target) in [
        (
            "first container of an image",
            "first ms",
            " ms",
            Target::AtMost(400.0),
        ),
        (
            "later containers, longer than direct",
            "longer ms",
            " ms",
            Target::AtMost(5.0),
        ),
        (
            "injected files, as an archive",
            "files KB",
            " KB",
            Target::AtMost(1_000.0),
        ),
    ] {
        let ours = samples.median(OURS, metric);
        let beside = match metric {
            "longer ms" => samples.beside(&[OURS, DIRECT, MOUNT], "later ms"),
            _ => String::new(),
        };
        let figure = Figure {
            what: what.to_owned(),
            ours: with_unit(ours, unit.trim()),
            beside,
            judged: ours,
            unit,
            target,
        };
        report.add(SUITE, figure);
    }
}
