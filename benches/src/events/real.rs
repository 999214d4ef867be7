//! A real engine with 1, 20 and 60 containers on a network.

use std::path::Path;
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::{FLOOR, GAP, OURS, SETTLE};
use crate::Run;
use crate::dns::wire::Asker;
use crate::dockline::Dockline;
use crate::engine::count::Relay;
use crate::engine::docker::Docker;
use crate::engine::http::Http;
use crate::measure::{len, millis, resident_kib};
use crate::process::{Server, free_port};
use crate::report::Samples;

/// Containers on the network.
pub(super) const COUNTS: [usize; 3] = [1, 20, 60];
const NETWORK: &str = "bench-net";
const GUEST: &str = "bench-guest";
/// A network of which one container is the only member.
const LONELY: &str = "bench-lonely";
const CONNECTS: u32 = 12;
const KILLS: u32 = 8;
const STARTS: u32 = 7;

pub(super) fn measure(run: &Run, samples: &mut Samples) -> Result<()> {
    let engine = run.engine.as_deref().context("there is no engine")?;
    let docker = Docker::new(engine, &run.image)?;
    let log = run.out.join("events-serve.log");
    for count in COUNTS {
        docker.network(NETWORK)?;
        let names = docker.containers(count, NETWORK)?;
        if count == COUNTS[COUNTS.len() - 1] {
            for round in 1..=STARTS {
                samples.add(round, FLOOR, "map up ms", floor_up(&docker, &names)?)?;
                samples.add(
                    round,
                    OURS,
                    "map up ms",
                    map_up(run, &docker, &names, &log)?,
                )?;
            }
        }
        let folder = tempfile::tempdir()?;
        let socket = folder.path().join("count.sock");
        let relay = Relay::start(&socket, engine)?;
        let mut dockline = Dockline::serve(&run.dockline, &socket, &log)?;
        dockline.await_joined(NETWORK)?;
        connects(count, &docker, &relay, &dockline, samples)?;
        let resident = resident_kib(dockline.pid())? / 1024.0;
        samples.add(1, OURS, &format!("resident MiB, {count}"), resident)?;
        if count == 1 {
            kills(&docker, &relay, &mut dockline, samples)?;
        }
        dockline.stop();
        docker.clear()?;
    }
    Ok(())
}

fn connects(
    count: usize,
    docker: &Docker,
    relay: &Relay,
    dockline: &Dockline,
    samples: &mut Samples,
) -> Result<()> {
    let mut asker = Asker::new(dockline.dns)?;
    docker.container(GUEST, "bridge", false)?;
    // Other networks and containers of the engine, which may be busy, do not count.
    let guest = docker.inspect(GUEST)?["Id"]
        .as_str()
        .unwrap_or(GUEST)
        .to_owned();
    let network = docker.network_id(NETWORK)?;
    let ours = |line: &str| line.contains(&guest) || line.contains(&network);
    let calls = || len(relay.seen().iter().filter(|seen| ours(&seen.line)).count());
    for round in 1..=CONNECTS {
        sleep(SETTLE);
        relay.forget();
        docker.attach(NETWORK, GUEST, true)?;
        let replied = Instant::now();
        let known = asker.until(GUEST, true, GAP)?;
        samples.add(
            round,
            OURS,
            &format!("connect ms, {count}"),
            millis(known - replied),
        )?;
        sleep(SETTLE);
        samples.add(round, OURS, &format!("calls a connect, {count}"), calls())?;
        relay.forget();
        docker.attach(NETWORK, GUEST, false)?;
        asker.until(GUEST, false, GAP)?;
        sleep(SETTLE);
        let metric = format!("calls a disconnect, {count}");
        samples.add(round, OURS, &metric, calls())?;
    }
    docker.remove(GUEST)
}

/// Kills the last member of a network again and again.
fn kills(
    docker: &Docker,
    relay: &Relay,
    dockline: &mut Dockline,
    samples: &mut Samples,
) -> Result<()> {
    let kills = kill_events(docker.socket())?;
    docker.network(LONELY)?;
    let leave = format!("POST /networks/{}/disconnect", docker.network_id(LONELY)?);
    for round in 1..=KILLS {
        docker.container(GUEST, LONELY, true)?;
        dockline.await_joined(LONELY)?;
        sleep(SETTLE);
        relay.forget();
        docker.call("POST", &format!("/containers/{GUEST}/kill"), None)?;
        let killed = kills
            .recv_timeout(Duration::from_secs(5))
            .context("no kill event")?;
        sleep(Duration::from_secs(1));
        let is_leave = |line: &str| unversioned(line) == leave;
        let left = relay.seen().into_iter().find(|seen| is_leave(&seen.line));
        let left = left.context("the tunnel did not leave")?.at;
        // The leave may be seen before this program has read the event.
        let after = left.saturating_duration_since(killed);
        samples.add(round, OURS, "kill to leave ms", millis(after))?;
        docker.remove(GUEST)?;
    }
    Ok(())
}

/// When the engine's kill events arrive.
fn kill_events(engine: &Path) -> Result<Receiver<Instant>> {
    let mut events = Http::connect(engine)?;
    events.stream("/events?filters=%7B%22event%22%3A%5B%22kill%22%5D%7D")?;
    // From the reading thread to the measurement.
    let (killed_tx, killed_rx) = mpsc::channel();
    thread::spawn(move || {
        while let Ok(Some(event)) = events.line() {
            let name: &Value = &event["Actor"]["Attributes"]["name"];
            if name == GUEST && killed_tx.send(Instant::now()).is_err() {
                return;
            }
        }
    });
    Ok(killed_rx)
}

fn unversioned(line: &str) -> String {
    let words = line.split('/').enumerate();
    let words = words.filter(|(at, word)| *at != 1 || !word.starts_with("v1."));
    words.map(|(_, word)| word).collect::<Vec<_>>().join("/")
}

fn map_up(run: &Run, docker: &Docker, names: &[String], log: &Path) -> Result<f64> {
    let dockline = Dockline::spawn(&run.dockline, docker.socket(), log)?;
    let started = dockline.started;
    let known = all_known(Asker::new(dockline.dns)?, names)?;
    // Its tunnel shall be there before it is taken away.
    sleep(Duration::from_secs(1));
    dockline.stop();
    Ok(millis(known - started))
}

fn floor_up(docker: &Docker, names: &[String]) -> Result<f64> {
    let address = free_port()?;
    let started = Instant::now();
    let engine = docker.socket().display().to_string();
    let floor = Server::ourselves(&["floor", &address.to_string(), &engine, NETWORK])?;
    let known = all_known(Asker::new(address)?, names)?;
    drop(floor);
    Ok(millis(known - started))
}

fn all_known(mut asker: Asker, names: &[String]) -> Result<Instant> {
    for name in names {
        asker.until(name, true, GAP)?;
    }
    Ok(Instant::now())
}
