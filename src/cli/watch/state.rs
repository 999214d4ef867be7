//! What is known, and what the keys did to it. Time comes from outside.

use std::collections::BTreeMap;
use std::time::Duration;

use ratatui::layout::Rect;

use super::{rows, view};
use crate::control::report::shape::{Status, Talk, Traffic};

/// What the service says.
#[derive(Debug)]
pub(super) enum News {
    /// Everything but traffic.
    Status(Box<Status>),
    /// What has passed so far.
    Traffic(Traffic),
    /// Nothing, and why.
    Away(String),
}

/// A part of the screen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Pane {
    #[default]
    Containers,
    Traffic,
    Warnings,
}

impl Pane {
    pub(super) const ALL: [Self; 3] = [Self::Containers, Self::Traffic, Self::Warnings];

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Containers => "Containers",
            Self::Traffic => "Traffic",
            Self::Warnings => "Warnings",
        }
    }
}

/// What people do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Next,
    Previous,
    Up,
    Down,
    PageUp,
    PageDown,
    First,
    Last,
    /// The chosen part gets the whole screen, or gives it back.
    Alone,
    Quit,
}

/// Everything on the screen.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) status: Option<Status>,
    /// Why nothing is heard of the service.
    pub(super) away: Option<String>,
    pub(super) traffic: Traffic,
    pub(super) rates: Rates,
    /// The chosen part.
    pub(super) pane: Pane,
    pub(super) alone: bool,
    area: Rect,
    /// The first row of each part that is shown.
    first: [usize; 3],
}

impl State {
    pub(super) fn hear(&mut self, news: News, now: Duration) {
        match news {
            News::Status(status) => {
                self.status = Some(*status);
                self.away = None;
            }
            News::Traffic(mut traffic) => {
                self.rates.hear(&traffic, now);
                // The service tells the latest first: rows that change places every second cannot be read.
                traffic.talks.sort_by(|a, b| {
                    b.requests
                        .cmp(&a.requests)
                        .then_with(|| pair(a).cmp(&pair(b)))
                });
                self.traffic = traffic;
                self.away = None;
            }
            News::Away(why) => {
                // Another service counts from nothing.
                self.rates = Rates::default();
                self.away = Some(why);
            }
        }
    }

    /// The screen has this size.
    pub(super) fn fit(&mut self, area: Rect) {
        self.area = area;
        for pane in Pane::ALL {
            self.scroll(pane, |first, _| first);
        }
    }

    /// The first row that is shown.
    pub(super) fn first(&self, pane: Pane) -> usize {
        self.first[pane as usize]
    }

    pub(super) fn press(&mut self, key: Key) {
        let pane = self.pane;
        let place = pane as usize;
        let others = Pane::ALL.len();
        match key {
            Key::Next => self.pane = Pane::ALL[(place + 1) % others],
            Key::Previous => self.pane = Pane::ALL[(place + others - 1) % others],
            Key::Up => self.scroll(pane, |first, _| first.saturating_sub(1)),
            Key::Down => self.scroll(pane, |first, _| first + 1),
            Key::PageUp => self.scroll(pane, usize::saturating_sub),
            Key::PageDown => self.scroll(pane, |first, room| first + room),
            Key::First => self.scroll(pane, |_, _| 0),
            Key::Last => self.scroll(pane, |_, _| usize::MAX),
            Key::Alone => self.alone = !self.alone,
            Key::Quit => {}
        }
    }

    /// Never beyond the last page.
    fn scroll(&mut self, pane: Pane, to: impl Fn(usize, usize) -> usize) {
        let room = view::room(self.area, self, pane);
        let last = rows::count(self, pane).saturating_sub(room);
        let first = &mut self.first[pane as usize];
        *first = to(*first, room).min(last);
    }
}

/// Who calls whom, by which way.
type Pair = (String, String, String);

/// Requests per second.
#[derive(Debug, Default)]
pub(super) struct Rates {
    heard: Option<Duration>,
    requests: u64,
    of: BTreeMap<Pair, u64>,
    now: f64,
    now_of: BTreeMap<Pair, f64>,
}

/// The service looks at traffic once a second, and says nothing while there is none.
const LOOK: Duration = Duration::from_secs(1);
/// What was said last is old after so long: nothing has passed since.
const OLD: Duration = Duration::from_millis(2_500);

impl Rates {
    fn hear(&mut self, traffic: &Traffic, at: Duration) {
        let of: BTreeMap<_, _> = traffic
            .talks
            .iter()
            .map(|t| (pair(t), t.requests))
            .collect();
        if let Some(before) = self.heard {
            // After silence, all of it has come since the last look.
            let since = at.saturating_sub(before);
            let since = if since > OLD { LOOK } else { since };
            let seconds = since.as_secs_f64().max(0.1);
            self.now = rate(traffic.requests, self.requests, seconds);
            let news = |(pair, requests): (&Pair, &u64)| {
                let before = self.of.get(pair).copied().unwrap_or_default();
                (pair.clone(), rate(*requests, before, seconds))
            };
            self.now_of = of.iter().map(news).collect();
        }
        (self.heard, self.requests, self.of) = (Some(at), traffic.requests, of);
    }

    fn is_old(&self, now: Duration) -> bool {
        self.heard
            .is_none_or(|heard| now.saturating_sub(heard) > OLD)
    }

    /// Of all that the interceptor got.
    pub(super) fn all(&self, now: Duration) -> f64 {
        if self.is_old(now) { 0.0 } else { self.now }
    }

    /// Of one pair.
    pub(super) fn of(&self, talk: &Talk, now: Duration) -> f64 {
        if self.is_old(now) {
            return 0.0;
        }
        self.now_of.get(&pair(talk)).copied().unwrap_or_default()
    }
}

fn pair(talk: &Talk) -> Pair {
    (talk.from.clone(), talk.to.clone(), talk.via.clone())
}

#[expect(
    clippy::cast_precision_loss,
    reason = "of far fewer than 2^52 requests"
)]
fn rate(now: u64, before: u64, seconds: f64) -> f64 {
    now.saturating_sub(before) as f64 / seconds
}
