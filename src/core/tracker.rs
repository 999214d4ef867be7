//! What was seen of the engine, and what to look at next.
//!
//! List, then watch, level-triggered: an event says *look again*. Three kinds of event are taken at their word,
//! because they arrive in order and only take away (`disconnect`, `die`, `destroy`); if one is older than
//! something already seen of that container, it too only says *look again*. A listing repairs whatever was
//! missed. The caller runs the fetches from [`Tracker::next_fetch`] and reports every outcome; what it may
//! build from [`Tracker::inventory`] is complete once [`Tracker::is_synced`].
//!
//! Time comes in as values, so that every race can be played in a test.

mod apply;
mod entries;
mod event;
mod queue;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use event::{Event, EventKind};
pub use queue::Fetch;

use self::entries::Entries;
use self::queue::{Queue, Worth};
use super::id::{ContainerId, NetworkId};
use super::inventory::{Changes, Container, Inventory, Known, Listing, Network, RunState};
use super::label::Selector;

/// Added to a container's stop timeout before a stop signal counts as survived: the engine's own teardown takes
/// up to about half a second on a busy machine, measured.
const STOP_MARGIN: Duration = Duration::from_secs(3);
/// SIGKILL stops any container, whatever its stop signal.
const SIGKILL: u8 = 9;
/// Events kept while a listing is under way. The engine's own ring holds 256 and a subscriber's queue 1,024;
/// beyond this a further listing is cheaper than the backlog.
const MAX_BUFFERED: usize = 4096;

/// How closely a listing is followed up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Depth {
    /// Everything of interest is inspected again: after a gap.
    Full,
    /// Only what the listing shows to differ: the periodic check.
    Differences,
}

/// See the module.
#[derive(Debug)]
pub struct Tracker {
    selector: Selector,
    entries: Entries,
    inventory: Inventory,
    queue: Queue,
    buffered: Vec<Event>,
    /// Set while a listing is awaited.
    listing: Option<Depth>,
    listed: bool,
    stops: BTreeSet<(Instant, ContainerId)>,
}

impl Tracker {
    /// An empty picture.
    pub fn new(selector: Selector) -> Self {
        Self {
            selector,
            entries: Entries::default(),
            inventory: Inventory::default(),
            queue: Queue::default(),
            buffered: Vec::new(),
            listing: None,
            listed: false,
            stops: BTreeSet::new(),
        }
    }

    /// All that is known. Still served while the engine is away.
    pub fn inventory(&self) -> &Inventory {
        &self.inventory
    }

    /// What changed in the inventory since the last call.
    pub fn take_changes(&mut self) -> Changes {
        self.inventory.take_changes()
    }

    /// Whether the picture is complete: listed since the last gap, and everything listed looked at once.
    pub fn is_synced(&self) -> bool {
        self.listed && self.listing != Some(Depth::Full) && !self.queue.is_awaiting()
    }

    /// The event stream is subscribed to (again): whatever happened before was missed.
    pub fn subscribed(&mut self) {
        self.queue.clear();
        self.buffered.clear();
        self.listed = false;
        self.list(Depth::Full);
    }

    /// Asks for a listing that is compared with what is known.
    pub fn check(&mut self) {
        if self.listed && self.listing.is_none() {
            self.list(Depth::Differences);
        }
    }

    fn list(&mut self, depth: Depth) {
        self.listing = Some(depth);
        self.queue.request(Fetch::Listing);
    }

    /// The next thing to ask the engine for.
    pub fn next_fetch(&mut self) -> Option<Fetch> {
        self.queue.next()
    }

    /// When [`Self::tick`] has something to do.
    pub fn next_tick(&self) -> Option<Instant> {
        let stop = self.stops.first().map(|(at, _)| *at);
        self.queue.next_retry().into_iter().chain(stop).min()
    }

    /// Lets time pass.
    pub fn tick(&mut self, now: Instant) {
        self.queue.retry_due(now);
        while self.stops.first().is_some_and(|(at, _)| *at <= now) {
            let Some((_, id)) = self.stops.pop_first() else {
                return;
            };
            if self.set_stopping(&id, false) {
                self.queue.request(Fetch::Container(id));
            }
        }
    }

    /// A fetch did not work; it is tried again later.
    pub fn failed(&mut self, fetch: Fetch, now: Instant) {
        self.queue.failed(fetch, now);
    }

    /// The engine's answer to [`Fetch::Listing`].
    pub fn listed(&mut self, listing: Listing, now: Instant) {
        if self.queue.answered(&Fetch::Listing) != Worth::Fresh {
            return;
        }
        let depth = self.listing.take().unwrap_or(Depth::Full);
        self.apply_listing(listing, depth);
        self.listed = true;
        for event in std::mem::take(&mut self.buffered) {
            self.apply(event, now);
        }
    }

    /// The engine's answer to [`Fetch::Container`]; `None` if there is no such container.
    pub fn inspected(&mut self, id: &ContainerId, found: Option<Container>) {
        let worth = self.queue.answered(&Fetch::Container(id.clone()));
        let Some(container) = found else {
            return self.remove(id);
        };
        let known = self.inventory.containers().contains_key(id);
        match worth {
            Worth::Fresh => self.store(container),
            // Better than none, but no better than what events said since.
            Worth::Stale if !known => self.store(container),
            Worth::Stale | Worth::None => {}
        }
    }

    /// The engine's answer to [`Fetch::Network`]; `None` if there is no such network.
    pub fn network_inspected(&mut self, id: &NetworkId, found: Option<Network>) {
        let worth = self.queue.answered(&Fetch::Network(id.clone()));
        match found {
            Some(network) if worth != Worth::None => self.inventory.put_network(network),
            Some(_) | None => self.inventory.remove_network(id),
        }
    }

    /// Something happened.
    pub fn observe(&mut self, event: Event, now: Instant) {
        if self.listed && self.listing.is_none() {
            return self.apply(event, now);
        }
        if self.buffered.len() >= MAX_BUFFERED {
            self.buffered.clear();
            self.list(Depth::Full);
        }
        self.buffered.push(event);
    }

    fn change(&mut self, id: &ContainerId, change: impl FnOnce(&mut Container)) {
        let Some(mut known) = self.inventory.containers().get(id).cloned() else {
            return;
        };
        change(Arc::make_mut(&mut known.container));
        self.inventory.put_container(known);
    }

    /// Sets the mark; true if it was different.
    fn set_stopping(&mut self, id: &ContainerId, stopping: bool) -> bool {
        if !stopping {
            self.stops.retain(|(_, other)| other != id);
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

    fn look_if_relevant(&mut self, id: &ContainerId) {
        if self.entries.is_relevant(id) {
            self.queue.request(Fetch::Container(id.clone()));
        }
    }

    fn store(&mut self, container: Container) {
        let id = container.id.clone();
        let part = self.selector.part(&container.labels);
        let running = container.state == RunState::Running;
        self.entries.put(&id, part);
        let networks = container.endpoints.iter().map(|e| e.network.clone());
        self.entries.set_networks(&id, &networks.collect());
        self.entries
            .set_lender(&id, container.network_mode.lender().filter(|_| running));
        if self.entries.is_relevant(&id) {
            let known = self.inventory.containers().get(&id);
            let stopping = running && known.is_some_and(|k| k.stopping);
            let container = Arc::new(container);
            self.inventory.put_container(Known {
                container,
                part,
                stopping,
            });
        }
        self.follow_interest(false);
    }

    /// Brings fetches and inventory in line with what has become, or ceased to be, of interest.
    fn follow_interest(&mut self, awaited: bool) {
        let awaited = awaited || self.queue.is_awaiting();
        for (id, relevant) in self.entries.take_turned() {
            let known = self.inventory.containers().contains_key(&id);
            let fetch = Fetch::Container(id);
            match (relevant, known) {
                (true, false) => self.queue.request_first(fetch, awaited),
                (false, true) => {
                    if let Fetch::Container(id) = &fetch {
                        self.inventory.remove_container(id);
                    }
                    self.queue.forget(&fetch);
                }
                (true, true) | (false, false) => {}
            }
        }
    }
}
