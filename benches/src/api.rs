//! The API proxy: direct, through dockline, and through haproxy as people put it before an engine's socket.

mod client;
mod load;
pub(crate) mod stand_in;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;

use crate::Run;
use crate::dockline::Dockline;
use crate::engine::docker::Docker;
use crate::process::{Server, is_installed, program};
use crate::report::{Figure, Report, Samples, Target, progress, with_unit};

const SUITE: &str = "api";
const OURS: &str = "dockline";
const DIRECT: &str = "direct";
const HAPROXY: &str = "haproxy";
const PEERS: [&str; 2] = [DIRECT, HAPROXY];
/// In whose process streams are measured.
const TARGET: &str = "bench-target";
/// Bytes that are uploaded.
const UPLOAD: u64 = 500_000_000;
const TIME: Duration = Duration::from_secs(1);
/// Services of the project that goes up.
const SERVICES: usize = 30;

/// Measures each way, one after the other in each round.
pub(crate) fn measure(run: &Run, report: &mut Report) -> Result<()> {
    let Some(engine) = &run.engine else {
        progress("  no engine was given: the API proxy is left out");
        return Ok(());
    };
    let docker = Docker::new(engine, &run.image)?;
    docker.container(TARGET, "bridge", false)?;
    let mut samples = Samples::new(&run.out, SUITE)?;
    let mut dockline = Dockline::serve(&run.dockline, engine, &run.out.join("api-serve.log"))?;
    // What waits for the tunnel is measured when it is there.
    dockline.await_tunnel()?;
    let folder = tempfile::tempdir()?;
    let peer = haproxy(folder.path(), engine)?;
    let ways = [
        Some((DIRECT, engine.clone())),
        Some((OURS, dockline.api())),
        peer.as_ref().map(|(_, socket)| (HAPROXY, socket.clone())),
    ];
    for round in 1..=run.rounds {
        for (name, socket) in ways.iter().flatten() {
            let mut add = |metric: &str, value| samples.add(round, name, metric, value);
            add("ping p50 µs", load::ping(socket, 3_000)?)?;
            add("pings/s of 8", load::pings(socket, 8, TIME)?)?;
            if *name != HAPROXY {
                add("exec MB/s", load::exec(socket, TARGET)?)?;
                if let Some(docker) = &run.docker {
                    add("run ms", client::run(docker, socket, &run.image)?)?;
                    add(
                        "up of 30 ms",
                        client::up(docker, socket, &run.image, SERVICES)?,
                    )?;
                }
            }
        }
    }
    dockline.stop();
    drop(peer);
    uploads(run, &mut samples)?;
    figures(&samples, report);
    Ok(())
}

/// Into an engine that throws everything away: a real one would be what is measured.
fn uploads(run: &Run, samples: &mut Samples) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let engine = folder.path().join("engine.sock");
    let mut stand_in = Server::ourselves(&["stand-in", &engine.display().to_string()])?;
    stand_in.wait_for("a listener", || engine.exists())?;
    let dockline = Dockline::spawn(&run.dockline, &engine, &run.out.join("api-upload.log"))?;
    let ours = dockline.api();
    let mut dockline = dockline;
    dockline.await_socket(&ours)?;
    let peer = haproxy(folder.path(), &engine)?;
    for round in 1..=run.rounds {
        let others = peer.as_ref().map(|(_, socket)| (HAPROXY, socket));
        let ways = [Some((DIRECT, &engine)), Some((OURS, &ours)), others];
        for (name, socket) in ways.into_iter().flatten() {
            samples.add(round, name, "upload MB/s", load::upload(socket, UPLOAD)?)?;
        }
    }
    dockline.stop();
    Ok(())
}

/// As it stands before an engine's socket for many people.
fn haproxy(folder: &Path, engine: &Path) -> Result<Option<(Server, PathBuf)>> {
    if !is_installed("haproxy") {
        progress("  haproxy is not installed and left out");
        return Ok(None);
    }
    let socket = folder.join("haproxy.sock");
    let text = format!(
        "global\n maxconn 1000\n nbthread 1\ndefaults\n mode http\n timeout connect 5s\n timeout client 10m\n timeout server 10m\n\
         frontend f\n bind unix@{}\n default_backend b\nbackend b\n server s unix@{}\n",
        socket.display(),
        engine.display()
    );
    let path = folder.join("haproxy.cfg");
    std::fs::write(&path, text)?;
    let mut server = Server::start(program("haproxy").arg("-db").arg("-f").arg(path), None)?;
    server.wait_for("a listener", || socket.exists())?;
    Ok(Some((server, socket)))
}

fn figures(samples: &Samples, report: &mut Report) {
    for (metric, unit, target) in [
        ("ping p50 µs", "µs", Target::AtMost(2.0)),
        ("pings/s of 8", "/s", Target::AtLeast(0.45)),
        ("upload MB/s", "MB/s", Target::AtLeast(0.43)),
        ("exec MB/s", "MB/s", Target::AtLeast(0.75)),
        ("up of 30 ms", "ms", Target::AtMost(1.1)),
    ] {
        let figure = Figure {
            what: format!("{metric} through the API proxy, to direct"),
            ours: with_unit(samples.median(OURS, metric), unit),
            beside: samples.beside(&PEERS, metric),
            judged: samples.ratio(OURS, DIRECT, metric),
            unit: "×",
            target,
        };
        report.add(SUITE, figure);
    }
    let (ours, direct) = (
        samples.median(OURS, "run ms"),
        samples.median(DIRECT, "run ms"),
    );
    let figure = Figure {
        what: "`docker run`, longer than direct".to_owned(),
        ours: with_unit(ours, "ms"),
        beside: samples.beside(&[DIRECT], "run ms"),
        judged: ours.zip(direct).map(|(ours, direct)| ours - direct),
        unit: " ms",
        target: Target::AtMost(60.0),
    };
    report.add(SUITE, figure);
}
