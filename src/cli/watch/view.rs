//! What is known, as a screen: nothing else goes in, and nothing is kept.

use std::time::Duration;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line as Text, Span};
use ratatui::widgets::{Block, Paragraph, Row, Table, Wrap};

use super::rows::{self, Line, Mood};
use super::state::{Pane, State};
use crate::control::report::shape::Status;

/// Lines at the top.
const HEAD: u16 = 2;
/// The frame of a part.
const FRAME: u16 = 2;
/// The same, and its header.
const AROUND: u16 = FRAME + 1;
/// With fewer columns than these, only what matters most is shown.
const NARROW: u16 = 64;
const KEYS: &str =
    " Tab other part  \u{2191}\u{2193} PgUp PgDn scroll  Enter this part alone  q quit";

/// Where the parts are; nowhere while another has the screen.
fn places(area: Rect, state: &State) -> (Rect, [Rect; 3], Rect) {
    let rows = Layout::vertical([
        Constraint::Length(HEAD),
        Constraint::Min(0),
        Constraint::Length(1),
    ]);
    let [head, body, foot] = rows.areas(area);
    if state.alone {
        let mut places = [Rect::ZERO; 3];
        places[state.pane as usize] = body;
        return (head, places, foot);
    }
    let heights = heights(body.height, state).map(Constraint::Length);
    (head, Layout::vertical(heights).areas(body), foot)
}

/// Each part gets what it has, as far as there is room: a frame alone if that is nothing, and the containers the rest.
fn heights(all: u16, state: &State) -> [u16; 3] {
    let wanted = |pane| match u16::try_from(rows::count(state, pane)) {
        Ok(0) => FRAME,
        Ok(count) => count.saturating_add(AROUND),
        Err(_) => u16::MAX,
    };
    let warnings = wanted(Pane::Warnings);
    let warnings = warnings.min((all * 2 / 9).max(AROUND + 2)).min(all / 3);
    let rest = all - warnings;
    let spare = rest.saturating_sub(wanted(Pane::Containers));
    let traffic = wanted(Pane::Traffic).min(spare.max(rest * 3 / 7));
    [rest - traffic, traffic, warnings]
}

/// How many rows of a part there is room for.
pub(super) fn room(area: Rect, state: &State, pane: Pane) -> usize {
    let (_, places, _) = places(area, state);
    usize::from(places[pane as usize].height.saturating_sub(AROUND))
}

/// Without colour, every word that a colour stands for is still there.
pub(super) fn draw(frame: &mut Frame<'_>, state: &State, now: Duration, coloured: bool) {
    let (head, places, foot) = places(frame.area(), state);
    let lines = headlines(state, now, coloured);
    // One that has the place to itself goes on in the second line.
    let lone = lines.len() == 1;
    let mut lines = Paragraph::new(lines);
    if lone {
        lines = lines.wrap(Wrap { trim: false });
    }
    frame.render_widget(lines, head);
    for pane in Pane::ALL {
        let place = places[pane as usize];
        if !place.is_empty() {
            part(frame, state, (pane, place), now, coloured);
        }
    }
    let quiet = style(Mood::Quiet, coloured);
    frame.render_widget(Paragraph::new(KEYS).style(quiet), foot);
}

fn style(mood: Mood, coloured: bool) -> Style {
    let plain = Style::new();
    let colour = |colour| if coloured { plain.fg(colour) } else { plain };
    match mood {
        Mood::Plain => plain,
        Mood::Heading => plain.add_modifier(Modifier::BOLD),
        Mood::Quiet => plain.add_modifier(Modifier::DIM),
        Mood::Warning => colour(Color::Yellow),
        Mood::Bad => colour(Color::Red).add_modifier(Modifier::BOLD),
    }
}

/// How it is, in two lines.
fn headlines(state: &State, now: Duration, coloured: bool) -> Vec<Text<'static>> {
    let said = |word: String, mood| Span::styled(word, style(mood, coloured));
    let Some(status) = &state.status else {
        let why = state.away.as_deref().unwrap_or("asking the service");
        return vec![Text::from(vec![
            said(" dockline  ".to_owned(), Mood::Heading),
            said(why.to_owned(), Mood::Warning),
        ])];
    };
    let mut first = vec![said(
        format!(" dockline \u{b7} {}  ", status.instance),
        Mood::Heading,
    )];
    let mut second = vec![said(
        format!(" {:.1} requests/s  ", state.rates.all(now)),
        Mood::Heading,
    )];
    if let Some(why) = &state.away {
        first.push(said(format!("away: {why}"), Mood::Bad));
        second.push(said("what it said last:".to_owned(), Mood::Quiet));
        return vec![Text::from(first), Text::from(second)];
    }
    first.extend(engine(status).map(|(word, mood)| said(word, mood)));
    second.extend(way(status).map(|(word, mood)| said(word, mood)));
    vec![Text::from(first), Text::from(second)]
}

fn engine(status: &Status) -> [(String, Mood); 2] {
    let ready = if status.ready {
        ("ready".to_owned(), Mood::Plain)
    } else {
        ("not ready".to_owned(), Mood::Warning)
    };
    let engine = &status.engine;
    let version = engine.version.as_deref().unwrap_or_default();
    let whole = match &engine.problem {
        Some(problem) => (format!("  engine away: {problem}"), Mood::Bad),
        None => (
            format!("  engine {version} {}", engine.endpoint),
            Mood::Plain,
        ),
    };
    [ready, whole]
}

/// The way of what containers send: tunnel, link, interceptor.
fn way(status: &Status) -> [(String, Mood); 3] {
    let tunnel = &status.tunnel;
    // Its own is none of anybody else's.
    let home = tunnel.home.as_deref();
    let joined = tunnel.networks.iter();
    let joined = joined.filter(|network| Some(network.name.as_str()) != home);
    let joined = joined.count();
    let of_tunnel = match (tunnel.state.as_str(), &tunnel.problem) {
        ("running", None) => (format!("tunnel on {joined} networks"), Mood::Plain),
        ("failed", Some(problem)) => (format!("tunnel failed: {problem}"), Mood::Bad),
        (state, _) => (format!("tunnel {state}"), Mood::Warning),
    };
    let link = match tunnel.link.state.as_str() {
        "up" => ("  link up".to_owned(), Mood::Plain),
        state => (format!("  link {state}"), Mood::Warning),
    };
    let interceptor = match &status.interceptor {
        _ if !status.intercepting => ("  interception paused".to_owned(), Mood::Warning),
        None => ("  no interceptor".to_owned(), Mood::Quiet),
        Some(it) if it.kind == "builtin" => ("  built-in interceptor".to_owned(), Mood::Plain),
        Some(it) if it.reachable => (format!("  interceptor {}", it.address), Mood::Plain),
        Some(it) => (
            format!("  interceptor {} does not answer", it.address),
            Mood::Bad,
        ),
    };
    [of_tunnel, link, interceptor]
}

/// A column: which cell of a row it shows, under which name, and how wide.
struct Column {
    cell: usize,
    name: &'static str,
    width: Constraint,
    is_number: bool,
}

/// Those for which there is room.
fn columns(state: &State, pane: Pane, width: u16) -> Vec<Column> {
    use Constraint::{Fill, Length};
    let ways = state.traffic.talks.iter().map(|talk| talk.via.len());
    let way = u16::try_from(ways.max().unwrap_or_default()).unwrap_or_default();
    let all: &[(&'static str, Constraint)] = match pane {
        Pane::Containers => &[
            ("CONTAINER", Fill(3)),
            ("STATE", Length(11)),
            ("ADDRESSES", Fill(2)),
            ("NAMES", Fill(3)),
        ],
        Pane::Traffic => &[
            ("FROM", Fill(2)),
            ("TO", Fill(3)),
            ("WAY", Length(way.clamp(4, 11))),
            ("REQ/S", Length(6)),
            ("REQS", Length(6)),
            ("OPEN", Length(4)),
            ("BYTES", Length(6)),
        ],
        Pane::Warnings => &[("TIME", Length(9)), ("LEVEL", Length(5)), ("TEXT", Fill(1))],
    };
    let narrow = width < NARROW;
    let columns = all.iter().enumerate().map(|(cell, &(name, width))| Column {
        cell,
        name,
        width,
        is_number: ["REQ/S", "REQS", "OPEN", "BYTES"].contains(&name),
    });
    let dispensable = ["ADDRESSES", "WAY", "REQS", "OPEN", "BYTES"];
    columns
        .filter(|column| !narrow || !dispensable.contains(&column.name))
        .collect()
}

fn part(
    frame: &mut Frame<'_>,
    state: &State,
    (pane, place): (Pane, Rect),
    now: Duration,
    coloured: bool,
) {
    let room = usize::from(place.height.saturating_sub(AROUND));
    let all = rows::count(state, pane);
    let first = state.first(pane);
    let lines = rows::of(state, pane, now, first, room);
    let last = first + lines.len();
    let chosen = state.pane == pane;
    let mark = if chosen { "\u{25b6}" } else { " " };
    let span = match all {
        0 => "none".to_owned(),
        all if all > lines.len() => format!("{}\u{2013}{last} of {all}", first + 1),
        all => all.to_string(),
    };
    let title = format!("{mark} {} {span} ", pane.title());
    let mood = if chosen { Mood::Heading } else { Mood::Quiet };
    let block = Block::bordered()
        .title(title)
        .border_style(style(mood, coloured));
    let columns = columns(state, pane, place.width);
    let heads = columns.iter().map(|column| cell(column, column.name));
    let heads = Row::new(heads).style(style(Mood::Quiet, coloured));
    // A heading goes over all columns.
    let headings = lines.iter().enumerate();
    let headings = headings.filter(|(_, line)| line.mood == Mood::Heading);
    let headings: Vec<_> = headings
        .map(|(row, line)| (row, line.cells.concat()))
        .collect();
    let inner = block.inner(place);
    let rows = lines.iter().map(|line| row(line, &columns, coloured));
    let table = Table::new(rows, columns.iter().map(|column| column.width))
        .header(heads)
        .block(block);
    frame.render_widget(table, place);
    for (row, text) in headings {
        let y = inner.y + 1 + u16::try_from(row).unwrap_or(u16::MAX - inner.y - 1);
        let whole = Rect {
            y,
            height: 1,
            ..inner
        }
        .intersection(inner);
        let text = Paragraph::new(text).style(style(Mood::Heading, coloured));
        frame.render_widget(text, whole);
    }
}

fn cell<'t>(column: &Column, text: &'t str) -> Text<'t> {
    let text = Text::from(text);
    if column.is_number {
        text.right_aligned()
    } else {
        text
    }
}

fn row<'l>(line: &'l Line, columns: &[Column], coloured: bool) -> Row<'l> {
    let cells = match line.mood {
        Mood::Heading => &[],
        Mood::Plain | Mood::Quiet | Mood::Warning | Mood::Bad => line.cells.as_slice(),
    };
    let shown = columns.iter().filter_map(|column| {
        let text = cells.get(column.cell)?;
        Some(cell(column, text))
    });
    Row::new(shown.collect::<Vec<_>>()).style(style(line.mood, coloured))
}
