//! What was measured: a JSON line for each value at once, and at the end a table of figures beside their targets.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde_json::json;

use crate::measure::median;

/// The values of one suite: by server and metric, one a round.
#[derive(Debug)]
pub(crate) struct Samples {
    suite: &'static str,
    lines: File,
    values: BTreeMap<(String, String), BTreeMap<u32, f64>>,
}

impl Samples {
    /// Begins a suite, whose lines replace those of the last run.
    pub(crate) fn new(folder: &Path, suite: &'static str) -> Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
        let path = folder.join(format!("{suite}.jsonl"));
        let lines = File::create(&path).with_context(|| format!("write {}", path.display()))?;
        Ok(Self {
            suite,
            lines,
            values: BTreeMap::new(),
        })
    }

    /// Notes a value.
    pub(crate) fn add(&mut self, round: u32, server: &str, metric: &str, value: f64) -> Result<()> {
        let line = json!({"suite": self.suite, "round": round, "server": server, "metric": metric, "value": value});
        writeln!(self.lines, "{line}").context("write a result")?;
        progress(&format!(
            "  {:<7} round {round}  {server:<22} {metric:<28} {}",
            self.suite,
            short(value)
        ));
        let key = (server.to_owned(), metric.to_owned());
        self.values.entry(key).or_default().insert(round, value);
        Ok(())
    }

    /// The median over all rounds, if there was any.
    pub(crate) fn median(&self, server: &str, metric: &str) -> Option<f64> {
        let rounds = self.of(server, metric)?;
        Some(median(&rounds.values().copied().collect::<Vec<_>>()))
    }

    /// The median of the ratios within each round: the machine's moods cancel out.
    pub(crate) fn ratio(&self, server: &str, base: &str, metric: &str) -> Option<f64> {
        let (ours, theirs) = (self.of(server, metric)?, self.of(base, metric)?);
        let ratio = |(round, value): (&u32, &f64)| {
            let base = theirs.get(round).filter(|base| **base > 0.0)?;
            Some(value / base)
        };
        let ratios: Vec<f64> = ours.iter().filter_map(ratio).collect();
        (!ratios.is_empty()).then(|| median(&ratios))
    }

    fn of(&self, server: &str, metric: &str) -> Option<&BTreeMap<u32, f64>> {
        self.values.get(&(server.to_owned(), metric.to_owned()))
    }

    /// Values of others in a few words: `dnsmasq 8.5, unbound 6.4`.
    pub(crate) fn beside(&self, servers: &[&str], metric: &str) -> String {
        let known = servers
            .iter()
            .filter_map(|server| Some((server, self.median(server, metric)?)));
        let words = known.map(|(server, value)| format!("{server} {}", short(value)));
        words.collect::<Vec<_>>().join(", ")
    }

    /// Ratios of others in a few words.
    pub(crate) fn ratios_beside(&self, servers: &[&str], base: &str, metric: &str) -> String {
        let known = servers
            .iter()
            .filter_map(|server| Some((server, self.ratio(server, base, metric)?)));
        let words = known.map(|(server, value)| format!("{server} {}×", short(value)));
        words.collect::<Vec<_>>().join(", ")
    }
}

/// What a figure has to be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target {
    AtMost(f64),
    AtLeast(f64),
    /// Only told.
    None,
}

/// A line of the table.
#[derive(Debug)]
pub(crate) struct Figure {
    pub(crate) what: String,
    /// dockline's value, with its unit.
    pub(crate) ours: String,
    /// What others have in the same run.
    pub(crate) beside: String,
    /// What is compared with the target: the value itself, or a ratio.
    pub(crate) judged: Option<f64>,
    pub(crate) unit: &'static str,
    pub(crate) target: Target,
}

/// All figures of a run.
#[derive(Debug, Default)]
pub(crate) struct Report {
    figures: Vec<(&'static str, Figure)>,
}

impl Report {
    /// Adds a figure.
    pub(crate) fn add(&mut self, suite: &'static str, figure: Figure) {
        self.figures.push((suite, figure));
    }

    /// Writes the table to stdout.
    pub(crate) fn print(&self) -> Result<()> {
        io::stdout()
            .write_all(self.table().as_bytes())
            .context("write the table")
    }

    /// The table, in Markdown.
    pub(crate) fn table(&self) -> String {
        let mut text = String::from(
            "| suite | figure | dockline | beside it | judged | target | |\n|---|---|---|---|---|---|---|\n",
        );
        for (suite, figure) in &self.figures {
            let Figure {
                what,
                ours,
                beside,
                judged,
                unit,
                target,
            } = figure;
            let judged = judged.map_or_else(|| "–".to_owned(), |v| format!("{}{unit}", short(v)));
            let wanted = match target {
                Target::AtMost(most) => format!("≤ {}{unit}", short(*most)),
                Target::AtLeast(least) => format!("≥ {}{unit}", short(*least)),
                Target::None => String::new(),
            };
            let verdict = verdict(figure);
            // Writing to a string does not fail.
            let _ = writeln!(
                text,
                "| {suite} | {what} | {ours} | {beside} | {judged} | {wanted} | {verdict} |"
            );
        }
        text
    }

    /// Writes the table beside the JSON lines and returns where.
    pub(crate) fn write(&self, folder: &Path) -> Result<PathBuf> {
        let path = folder.join("table.md");
        fs::write(&path, self.table()).with_context(|| format!("write {}", path.display()))?;
        Ok(path)
    }
}

fn verdict(figure: &Figure) -> &'static str {
    match (figure.target, figure.judged) {
        (Target::None, _) => "",
        (_, None) => "not measured",
        (Target::AtMost(most), Some(value)) if value <= most => "met",
        (Target::AtLeast(least), Some(value)) if value >= least => "met",
        _ => "missed",
    }
}

/// Three significant digits or so, for people.
pub(crate) fn short(value: f64) -> String {
    let digits = match value.abs() {
        v if v >= 100.0 || v == 0.0 => 0,
        v if v >= 10.0 => 1,
        v if v >= 0.1 => 2,
        _ => 3,
    };
    format!("{value:.digits$}")
}

/// A value with its unit, or a dash.
pub(crate) fn with_unit(value: Option<f64>, unit: &str) -> String {
    value.map_or_else(|| "–".to_owned(), |v| format!("{} {unit}", short(v)))
}

/// Tells people on stderr how far it is.
pub(crate) fn progress(line: &str) {
    drop(writeln!(io::stderr(), "{line}"));
}
