//! What was warned of lately: the log's last warnings and errors, for people who look at the service and not at its log.
//!
//! Written by the log ([`Keeper`] is a layer of it), read by `control`.

use std::collections::VecDeque;
use std::fmt::{self, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// Different ones that are kept: more than anybody reads, and a few kilobytes.
const MOST: usize = 50;
/// Characters that are kept of one.
const LONGEST: usize = 400;

/// A warning or an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// When it was said last.
    pub at: SystemTime,
    /// How bad it is: `WARN` or `ERROR`.
    pub level: Level,
    /// What it says, with its fields.
    pub text: String,
    /// How often it was said.
    pub times: u64,
}

/// The last ones. One that is said again is counted, and is the latest again.
#[derive(Debug, Default)]
pub struct Warnings {
    /// Held for as long as it takes to copy a few strings.
    kept: Mutex<VecDeque<Warning>>,
    so_far: AtomicU64,
}

impl Warnings {
    /// Those that are kept, the latest first.
    pub fn list(&self) -> Vec<Warning> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().rev().cloned().collect()
    }

    /// How many there were, those that are no longer kept included.
    pub fn so_far(&self) -> u64 {
        self.so_far.load(Ordering::Relaxed)
    }

    fn keep(&self, level: Level, text: String, at: SystemTime) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let before = kept
            .iter()
            .position(|w| w.level == level && w.text == text)
            .and_then(|place| kept.remove(place));
        if kept.len() == MOST {
            kept.pop_front();
        }
        let times = before.map_or(0, |before| before.times) + 1;
        kept.push_back(Warning {
            at,
            level,
            text,
            times,
        });
        drop(kept);
        self.so_far.fetch_add(1, Ordering::Relaxed);
    }
}

/// Keeps what the log is told at these levels. Which targets those are is up to the filter that it is given.
#[derive(Clone, Debug)]
pub struct Keeper(pub Arc<Warnings>);

impl<S: Subscriber> Layer<S> for Keeper {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let level = *event.metadata().level();
        if level > Level::WARN {
            return;
        }
        let mut words = Words::default();
        event.record(&mut words);
        let text = words.message + &words.fields;
        let text = text.chars().take(LONGEST).collect();
        self.0.keep(level, text, SystemTime::now());
    }
}

/// The message, and ` name=value` of every field.
#[derive(Default)]
struct Words {
    message: String,
    fields: String,
}

impl Visit for Words {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a string cannot fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    #[test]
    fn the_last_are_kept_each_once_and_the_latest_first() {
        let warnings = Arc::new(Warnings::default());
        let log = tracing_subscriber::registry().with(Keeper(Arc::clone(&warnings)));
        tracing::subscriber::with_default(log, || {
            tracing::warn!(network = "shop", error = %"no range left", "not joined");
            tracing::error!("a part ended");
            tracing::warn!(network = "shop", error = %"no range left", "not joined");
            tracing::info!("nobody asks");
        });
        let said: Vec<_> = warnings
            .list()
            .into_iter()
            .map(|w| (w.level, w.text, w.times))
            .collect();
        let joined = "not joined network=shop error=no range left".to_owned();
        let expected = [
            (Level::WARN, joined, 2),
            (Level::ERROR, "a part ended".to_owned(), 1),
        ];
        assert_eq!(said, expected);
        assert_eq!(warnings.so_far(), 3);
    }

    #[test]
    fn neither_their_number_nor_their_length_is_without_end() {
        let warnings = Warnings::default();
        for number in 0..MOST + 7 {
            warnings.keep(Level::WARN, number.to_string(), SystemTime::UNIX_EPOCH);
        }
        let list = warnings.list();
        assert_eq!(list.len(), MOST);
        assert_eq!(list[0].text, (MOST + 6).to_string());
        assert_eq!(list[MOST - 1].text, "7");

        let kept = Arc::new(warnings);
        let log = tracing_subscriber::registry().with(Keeper(Arc::clone(&kept)));
        tracing::subscriber::with_default(log, || tracing::warn!("{}", "é".repeat(LONGEST * 2)));
        assert_eq!(kept.list()[0].text.chars().count(), LONGEST);
    }
}
