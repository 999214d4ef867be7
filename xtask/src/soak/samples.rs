//! What dockline and its tunnel cost, minute by minute, and whether that grows.

use std::fs;
use std::time::Duration;

use super::tally::Tally;
use crate::console::say;

/// What a process takes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cost {
    pub(super) memory_kib: u64,
    pub(super) threads: u64,
    pub(super) files: u64,
}

impl Cost {
    /// From `/proc`; nothing where there is none, or for a process of another machine.
    pub(super) fn of(pid: u32) -> Option<Self> {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let number = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key))?;
            line.split_whitespace().next()?.parse().ok()
        };
        let files = fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count();
        Some(Self {
            memory_kib: number("VmRSS:")?,
            threads: number("Threads:")?,
            files: u64::try_from(files).ok()?,
        })
    }
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    pub(super) dockline: Cost,
    pub(super) tunnel: Cost,
}

/// The head of the table.
pub(super) fn print_head() {
    say(format_args!(
        "{:>7} │ {:>8} {:>7} {:>5} │ {:>8} {:>5} │ {:>8} {:>7} {:>8} {:>8}",
        "time s",
        "RSS KiB",
        "threads",
        "files",
        "tunnel",
        "files",
        "changes",
        "refused",
        "requests",
        "queries"
    ));
}

impl Sample {
    pub(super) fn print(&self, elapsed: Duration, tally: &Tally) {
        let Self { dockline, tunnel } = self;
        say(format_args!(
            "{:>7} │ {:>8} {:>7} {:>5} │ {:>8} {:>5} │ {:>8} {:>7} {:>8} {:>8}",
            elapsed.as_secs(),
            dockline.memory_kib,
            dockline.threads,
            dockline.files,
            tunnel.memory_kib,
            tunnel.files,
            tally.changes.get(),
            tally.refused.get(),
            tally.requests.get(),
            tally.queries.get()
        ));
    }
}

/// A figure that must not grow: its name, how to read it, and what it may vary by, in percent and absolutely.
type Figure = (&'static str, fn(&Sample) -> u64, u64, u64);

const FIGURES: [Figure; 5] = [
    (
        "dockline's memory (KiB)",
        |s| s.dockline.memory_kib,
        20,
        4_096,
    ),
    ("dockline's threads", |s| s.dockline.threads, 0, 8),
    ("dockline's files", |s| s.dockline.files, 10, 32),
    (
        "the tunnel's memory (KiB)",
        |s| s.tunnel.memory_kib,
        20,
        2_048,
    ),
    ("the tunnel's files", |s| s.tunnel.files, 10, 32),
];

/// What grew: the median of the last third held against that of the first.
pub(super) fn growth(samples: &[Sample]) -> Vec<String> {
    let third = samples.len() / 3;
    let mut grown = Vec::new();
    for (name, read, percent, absolute) in FIGURES {
        let first = median(samples.iter().take(third).map(read));
        let last = median(samples.iter().rev().take(third).map(read));
        let most = first + first * percent / 100 + absolute;
        say(format_args!(
            "{name}: {first} in the first third, {last} in the last, at most {most}"
        ));
        if last > most {
            grown.push(format!("{name} grew from {first} to {last}"));
        }
    }
    grown
}

fn median(values: impl Iterator<Item = u64>) -> u64 {
    let mut sorted: Vec<u64> = values.collect();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steady_figures_are_flat_and_a_leak_is_not() {
        let sample = |files| Sample {
            dockline: Cost {
                memory_kib: 10_000,
                threads: 4,
                files,
            },
            tunnel: Cost::default(),
        };
        let steady: Vec<_> = (0..30).map(|n| sample(20 + n % 7)).collect();
        assert!(growth(&steady).is_empty());
        let leaking: Vec<_> = (0..30).map(|n| sample(20 + 4 * n)).collect();
        let found = growth(&leaking);
        assert!(
            found.len() == 1 && found[0].starts_with("dockline's files grew"),
            "{found:?}"
        );
    }
}
