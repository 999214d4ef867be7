//! Containers that have been told to stop: they are about to be gone, unless they survive.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Fetch, Tracker};
use crate::core::id::ContainerId;
use crate::core::inventory::{Container, Known};

/// Added to a container's stop timeout before a stop signal counts as survived: the engine's own teardown takes
/// up to about half a second on a busy machine, measured.
const STOP_MARGIN: Duration = Duration::from_secs(3);
/// SIGKILL stops any container, whatever its stop signal.
const SIGKILL: u8 = 9;
impl Tracker {
    pub(super) fn killed(&mut self, id: &ContainerId, signal: u8, now: Instant) {
        let known = self.inventory.containers().get(id);
        let Some(known) = known.filter(|k| k.container.state.is_up()) else {
            // Its inspect is still under way; what it shows is judged by this.
            return self.entries.set_signal(id, Some((signal, now)));
        };
        let container = Arc::clone(&known.container);
        if stops(&container, signal) {
            self.set_stopping(id, true);
            self.expect_stop(&container, now);
        }
    }

    /// Sets the mark; true if it was different.
    pub(super) fn set_stopping(&mut self, id: &ContainerId, stopping: bool) -> bool {
        if !stopping {
            self.stops.retain(|(_, other)| other != id);
            self.entries.set_signal(id, None);
        }
        let Some(known) = self.inventory.containers().get(id) else {
            return false;
        };
        if known.stopping == stopping {
            return false;
        }
        let known = Known {
            stopping,
            ..known.clone()
        };
        self.inventory.put_container(known);
        true
    }

    /// Remembers when a container that was told to stop counts as having survived.
    pub(super) fn expect_stop(&mut self, container: &Container, told: Instant) {
        if let Some(timeout) = container.stop_timeout {
            let grace = Duration::from_secs(u64::from(timeout)) + STOP_MARGIN;
            self.stops.insert((told + grace, container.id.clone()));
        }
    }

    /// Whoever still runs when its time is over has survived.
    pub(super) fn count_survivors(&mut self, now: Instant) {
        while self.stops.first().is_some_and(|(at, _)| *at <= now) {
            let Some((_, id)) = self.stops.pop_first() else {
                return;
            };
            if self.set_stopping(&id, false) {
                self.queue.request(Fetch::Container(id));
            }
        }
    }
}

/// Whether the signal ends that container.
pub(super) fn stops(container: &Container, signal: u8) -> bool {
    signal == SIGKILL || signal == container.stop_signal
}
