//! From what happens in the engine to what dockline knows and does, and what it asks the engine for that.

pub(crate) mod floor;
mod made_up;
mod real;

use anyhow::Result;

use crate::Run;
use crate::report::{Figure, Report, Samples, Target, progress, with_unit};

const SUITE: &str = "events";
const OURS: &str = "dockline";
const FLOOR: &str = "floor";
/// How often a name is asked for while it is waited for.
const GAP: std::time::Duration = std::time::Duration::from_micros(100);
/// For everything that follows from an event to have happened, so that calls can be counted.
const SETTLE: std::time::Duration = std::time::Duration::from_millis(150);

/// Measures on a real engine, then with many more containers on a fake one.
pub(crate) fn measure(run: &Run, report: &mut Report) -> Result<()> {
    let mut samples = Samples::new(&run.out, SUITE)?;
    if run.engine.is_some() {
        real::measure(run, &mut samples)?;
    } else {
        progress("  no engine was given: events are measured on a fake one alone");
    }
    made_up::measure(run, &mut samples)?;
    figures(&samples, report);
    Ok(())
}

fn figures(samples: &Samples, report: &mut Report) {
    let mut value = |what: String, metric: &str, unit: &'static str, most: f64| {
        let ours = samples.median(OURS, metric);
        let figure = Figure {
            what,
            ours: with_unit(ours, unit.trim()),
            beside: String::new(),
            judged: ours,
            unit,
            target: Target::AtMost(most),
        };
        report.add(SUITE, figure);
    };
    for count in real::COUNTS.into_iter().chain([made_up::COUNT]) {
        let what = format!("connect reply → name resolves, {count} containers");
        value(what, &format!("connect ms, {count}"), " ms", 1.0);
        let what = format!("engine calls a connect, {count} containers");
        value(what, &format!("calls a connect, {count}"), "", 1.0);
        let what = format!("engine calls a disconnect, {count} containers");
        value(what, &format!("calls a disconnect, {count}"), "", 0.0);
    }
    let what = "resident memory, 60 containers".to_owned();
    value(what, "resident MiB, 60", " MiB", 15.0);
    let what = "kill event → leave request sent".to_owned();
    value(what, "kill to leave ms", " ms", 5.0);
    let metric = "map up ms";
    let figure = Figure {
        what: "start → map of 60 up, to the floor".to_owned(),
        ours: with_unit(samples.median(OURS, metric), "ms"),
        beside: samples.beside(&[FLOOR], metric),
        judged: samples.ratio(OURS, FLOOR, metric),
        unit: "×",
        target: Target::AtMost(2.5),
    };
    report.add(SUITE, figure);
}
