//! The rows of each part.

use std::collections::BTreeMap;
use std::time::Duration;

use super::state::{Pane, State};
use crate::cli::output;
use crate::control::report::shape::{ContainerReport, EndpointReport, Status, Warned};

/// How a row is to be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mood {
    Plain,
    /// It is above others.
    Heading,
    /// Nothing happens there.
    Quiet,
    /// Somebody should look.
    Warning,
    /// It is broken.
    Bad,
}

/// A row, cell by cell.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) cells: Vec<String>,
    pub(super) mood: Mood,
}

impl Line {
    fn new(mood: Mood, cells: &[&str]) -> Self {
        Self {
            cells: cells.iter().map(|&cell| cell.to_owned()).collect(),
            mood,
        }
    }
}

/// How many there are.
pub(super) fn count(state: &State, pane: Pane) -> usize {
    match (pane, &state.status) {
        (Pane::Traffic, _) => state.traffic.talks.len(),
        (_, None) => 0,
        (Pane::Warnings, Some(status)) => status.warnings.len(),
        (Pane::Containers, Some(status)) => {
            let groups = groups(status);
            groups.len() + groups.values().map(Vec::len).sum::<usize>()
        }
    }
}

/// Those from `first` on, at most so many.
pub(super) fn of(state: &State, pane: Pane, now: Duration, first: usize, most: usize) -> Vec<Line> {
    let Some(status) = &state.status else {
        return Vec::new();
    };
    match pane {
        Pane::Containers => containers(status, first, most),
        Pane::Traffic => {
            let talks = state.traffic.talks.iter().skip(first).take(most);
            talks.map(|talk| self::talk(state, talk, now)).collect()
        }
        Pane::Warnings => {
            let warnings = status.warnings.iter().skip(first).take(most);
            warnings.map(warning).collect()
        }
    }
}

type Member<'s> = (&'s ContainerReport, Option<&'s EndpointReport>);

/// By project, then by network; those of no project first.
fn groups(status: &Status) -> BTreeMap<(&str, &str), Vec<Member<'_>>> {
    let mut groups = BTreeMap::<_, Vec<_>>::new();
    for container in &status.containers {
        let project = container.project.as_deref().unwrap_or_default();
        let mut add = |network, end| {
            let group = groups.entry((project, network)).or_default();
            group.push((container, end));
        };
        if container.networks.is_empty() {
            add("", None);
        }
        for end in &container.networks {
            add(end.name.as_str(), Some(end));
        }
    }
    groups
}

fn containers(status: &Status, first: usize, most: usize) -> Vec<Line> {
    let lines = groups(status).into_iter().flat_map(|(group, members)| {
        let heading = move || heading(group);
        let members = members.into_iter().map(Some);
        std::iter::once(None)
            .chain(members)
            .map(move |member| (heading, member))
    });
    let lines = lines.skip(first).take(most);
    lines
        .map(|(heading, member)| match member {
            None => Line::new(Mood::Heading, &[&heading()]),
            Some(member) => self::member(status, member),
        })
        .collect()
}

fn heading((project, network): (&str, &str)) -> String {
    let project = if project.is_empty() {
        "no project"
    } else {
        project
    };
    let network = if network.is_empty() {
        "no network"
    } else {
        network
    };
    format!("{project} · {network}")
}

fn member(status: &Status, (container, end): Member<'_>) -> Line {
    let trusted = status.ca_sha256.is_none() || container.ca_current;
    let (word, mood) = match () {
        () if !container.running => ("stopped", Mood::Quiet),
        () if !container.injected => ("watched", Mood::Plain),
        () if !trusted => ("no trust", Mood::Warning),
        () => ("intercepted", Mood::Plain),
    };
    let addresses = end.map(|end| {
        let addresses = end.addresses.iter().map(ToString::to_string);
        addresses.collect::<Vec<_>>().join(" ")
    });
    // Those first that are not said by the first column.
    let names = end.map(|end| {
        let mut names: Vec<_> = end.names.iter().map(String::as_str).collect();
        names.sort_by_key(|name| (container.id.starts_with(name), *name == container.name));
        names.join(" ")
    });
    let name = format!("  {}", container.name);
    let cells = [
        name.as_str(),
        word,
        addresses.as_deref().unwrap_or_default(),
        names.as_deref().unwrap_or_default(),
    ];
    Line::new(mood, &cells)
}

fn talk(state: &State, talk: &crate::control::report::shape::Talk, now: Duration) -> Line {
    let rate = state.rates.of(talk, now);
    let to = talk.to_name.as_ref().filter(|name| **name != talk.to);
    let to = to.map_or_else(|| talk.to.clone(), |name| format!("{} ({name})", talk.to));
    let cells = [
        talk.from.as_str(),
        &to,
        &talk.via,
        &format!("{rate:.1}"),
        &talk.requests.to_string(),
        &talk.open.to_string(),
        &bytes(talk.sent.saturating_add(talk.received)),
    ];
    let mood = if talk.open == 0 && rate == 0.0 {
        Mood::Quiet
    } else {
        Mood::Plain
    };
    Line::new(mood, &cells)
}

/// With a unit, in at most six characters.
#[expect(clippy::cast_precision_loss, reason = "one digit of it is shown")]
fn bytes(number: u64) -> String {
    let mut left = number as f64;
    for unit in ["B", "kB", "MB", "GB"] {
        if left < 1000.0 {
            let digits = usize::from(unit != "B" && left < 10.0);
            return format!("{left:.digits$} {unit}");
        }
        left /= 1000.0;
    }
    format!("{left:.1} TB")
}

fn warning(warned: &Warned) -> Line {
    let times = if warned.times > 1 {
        format!("\u{d7}{} ", warned.times)
    } else {
        String::new()
    };
    let mood = if warned.level == "error" {
        Mood::Bad
    } else {
        Mood::Warning
    };
    // One line each: what others said may have more.
    let text = warned.text.replace(|c: char| c.is_control(), " ");
    let text = format!("{times}{text}");
    Line::new(mood, &[&output::time(warned.at), &warned.level, &text])
}

#[cfg(test)]
mod tests {
    use super::bytes;

    #[test]
    fn bytes_are_told_in_six_characters() {
        let cases = [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.0 kB"),
            (123_456, "123 kB"),
            (5_600_000, "5.6 MB"),
            (7_000_000_000_000, "7.0 TB"),
        ];
        for (number, expected) in cases {
            assert_eq!(bytes(number), expected);
        }
    }
}
