//! Medians, percentiles, and what `/proc` knows about a process.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result};

/// Clock ticks a second in `/proc/PID/stat`: the same on every Linux machine.
const TICKS: f64 = 100.0;

/// A count as a number to calculate with; exact up to 2^53.
#[expect(
    clippy::cast_precision_loss,
    reason = "counts and nanoseconds of one run are far below 2^53"
)]
pub(crate) fn float(count: u64) -> f64 {
    count as f64
}

/// The same for lengths.
pub(crate) fn len(count: usize) -> f64 {
    float(u64::try_from(count).unwrap_or(u64::MAX))
}

/// The middle value, or the lower of the two in the middle; 0 of nothing.
pub(crate) fn median(values: &[f64]) -> f64 {
    percentile(values, 50)
}

/// The value below which `percent` of all are.
pub(crate) fn percentile(values: &[f64], percent: usize) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().saturating_sub(1);
    sorted.get(last * percent / 100).copied().unwrap_or(0.0)
}

/// A duration in microseconds.
pub(crate) fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

/// A duration in milliseconds.
pub(crate) fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// CPU seconds that a process has used, ended threads included.
pub(crate) fn cpu_seconds(pid: u32) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).context("read /proc/PID/stat")?;
    // The program's name, in parentheses, may hold anything.
    let (_, fields) = stat.rsplit_once(')').context("an odd /proc/PID/stat")?;
    let mut ticks = fields.split_whitespace().skip(11).take(2);
    let mut next = || ticks.next().and_then(|t| t.parse::<f64>().ok());
    let (user, system) = (next().unwrap_or_default(), next().unwrap_or_default());
    Ok((user + system) / TICKS)
}

/// Resident memory in KiB.
pub(crate) fn resident_kib(pid: u32) -> Result<f64> {
    field(pid, "status", "VmRSS:")
}

/// The most resident memory so far, in KiB.
pub(crate) fn peak_kib(pid: u32) -> Result<f64> {
    field(pid, "status", "VmHWM:")
}

/// Proportional resident memory in KiB.
pub(crate) fn proportional_kib(pid: u32) -> Result<f64> {
    field(pid, "smaps_rollup", "Pss:")
}

/// Threads.
pub(crate) fn threads(pid: u32) -> Result<f64> {
    field(pid, "status", "Threads:")
}

fn field(pid: u32, file: &str, name: &str) -> Result<f64> {
    let path = format!("/proc/{pid}/{file}");
    let text = fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let value = line.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
    value.with_context(|| format!("{path} has no {name}"))
}
