//! What names cost: an answer, a change, and a container that is only there.

mod town;

use std::hint::black_box;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result};
use dockline::core::map::NetworkMap;
use dockline::core::resolve::{RecordType, resolve};

use self::town::{Town, change};
use crate::Run;
use crate::dns::wire::Asker;
use crate::dockline::{Dockline, INSTANCE};
use crate::engine::fake::{self, Fake};
use crate::measure::{len, median, micros, resident_kib};
use crate::report::{Figure, Report, Samples, Target, with_unit};

const SUITE: &str = "names";
const OURS: &str = "dockline";
/// Containers, each on two of the [networks](town::NETWORKS).
const COUNT: usize = 1_000;
/// Answers and changes a round.
const ANSWERS: usize = 100_000;
const CHANGES: usize = 2_000;
/// How often a name is asked for while it is waited for.
const GAP: std::time::Duration = std::time::Duration::from_millis(1);
/// For hosts files to have been asked for, and for what was needed once to be free again.
const SETTLE: std::time::Duration = std::time::Duration::from_secs(5);

const RESOLVE: &str = "resolve µs";
const CHANGE: &str = "change µs";
const CORE: &str = "core KiB a container";
const SERVE: &str = "serve KiB a container";

/// Measures the core by itself, and the whole service for its memory.
pub(crate) fn measure(run: &Run, report: &mut Report) -> Result<()> {
    let mut samples = Samples::new(&run.out, SUITE)?;
    for round in 1..=run.rounds {
        let mut town = Town::new(COUNT);
        samples.add(round, OURS, RESOLVE, resolving(&town))?;
        samples.add(round, OURS, CHANGE, changing(&mut town))?;
        let core = (held_by(COUNT)? - held_by(1)?) / len(COUNT - 1);
        samples.add(round, OURS, CORE, core)?;
    }
    let serve = (served(run, COUNT)? - served(run, 1)?) / len(COUNT - 1);
    samples.add(1, OURS, SERVE, serve)?;
    figures(&samples, report);
    Ok(())
}

/// The median time of an answer in the scope of a container.
fn resolving(town: &Town) -> f64 {
    let map = NetworkMap::build(&town.inventory);
    let questions = town.questions(ANSWERS);
    let times = questions.iter().map(|(scope, name)| {
        let asked = Instant::now();
        black_box(resolve(
            &map,
            black_box(scope),
            black_box(name),
            RecordType::A,
        ));
        micros(asked.elapsed())
    });
    median(&times.collect::<Vec<_>>())
}

/// The median time from a container's new facts to the next map, the old one being dropped.
fn changing(town: &mut Town) -> f64 {
    let mut map = Arc::new(NetworkMap::build(&town.inventory));
    town.inventory.take_changes();
    let facts: Vec<_> = (0..CHANGES).map(|n| change(n, COUNT)).collect();
    let times = facts.into_iter().map(|known| {
        let began = Instant::now();
        town.inventory.put_container(known);
        let changes = town.inventory.take_changes();
        if let Some(next) = map.next(&town.inventory, &changes) {
            map = Arc::new(next);
        }
        micros(began.elapsed())
    });
    median(&times.collect::<Vec<_>>())
}

/// The resident memory, in KiB, of a process that has nothing but a map of so many containers.
fn held_by(count: usize) -> Result<f64> {
    let ourselves = std::env::current_exe().context("find this program")?;
    let mut holder = Command::new(ourselves);
    let output = holder.args(["hold", &count.to_string()]).output();
    let output = output.context("start a process that holds a map")?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().parse().context("read its memory")
}

/// See [`held_by`].
pub(crate) fn hold(count: usize) -> Result<f64> {
    let town = Town::new(count);
    let map = NetworkMap::build(&town.inventory);
    let held = resident_kib(std::process::id());
    drop((town, map));
    held
}

/// The resident memory, in KiB, of the service with so many containers.
fn served(run: &Run, count: usize) -> Result<f64> {
    let folder = tempfile::tempdir()?;
    let socket = folder.path().join("fake.sock");
    let _engine = Fake::start(&socket, count, INSTANCE)?;
    let dockline = Dockline::serve(&run.dockline, &socket, &run.out.join("names-serve.log"))?;
    Asker::new(dockline.dns)?.until(&fake::name(count), true, GAP)?;
    std::thread::sleep(SETTLE);
    let resident = resident_kib(dockline.pid())?;
    dockline.stop();
    Ok(resident)
}

fn figures(samples: &Samples, report: &mut Report) {
    for (what, metric, unit, most) in [
        ("an answer in a scope, 1000 containers", RESOLVE, " µs", 2.0),
        (
            "a container's change, 1000 containers on 50 networks",
            CHANGE,
            " µs",
            100.0,
        ),
        ("memory a container, the core alone", CORE, " KiB", 4.0),
        ("memory a container, all of `serve`", SERVE, " KiB", 4.0),
    ] {
        let ours = samples.median(OURS, metric);
        let figure = Figure {
            what: what.to_owned(),
            ours: with_unit(ours, unit.trim()),
            beside: String::new(),
            judged: ours,
            unit,
            target: Target::AtMost(most),
        };
        report.add(SUITE, figure);
    }
}
