//! How patient the watcher is.

use std::time::Duration;

use crate::core::back_off::Pauses;

/// Times between the watcher's looks at the engine. The defaults are for everybody; tests are in a hurry.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// How often a listing is compared with the map, for events that the engine dropped without a word: 30 s.
    pub check_every: Duration,
    /// How long after a check that found something an event may still come, before the stream counts as dead: 2 s.
    pub silence: Duration,
    /// How long files of a container that has changed are not read, for it may change again: 1 s.
    pub settle: Duration,
    /// How often the engine is asked whether it is there: 5 s.
    pub ping_every: Duration,
    /// Between attempts to reach it.
    pub pauses: Pauses,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            check_every: Duration::from_secs(30),
            silence: Duration::from_secs(2),
            settle: Duration::from_secs(1),
            ping_every: Duration::from_secs(5),
            pauses: Pauses::default(),
        }
    }
}
