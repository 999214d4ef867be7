//! What was seen of the engine, and what to look at next.
//!
//! List, then watch, level-triggered: an event says *look again*. Three kinds of event are taken at their word,
//! because they arrive in order and only take away (`disconnect`, `die`, `destroy`); if one is older than
//! something already seen of that container, it too only says *look again*. A listing repairs whatever was
//! missed. It may lag behind the events: of what it shows, nothing that something happened to since it was asked
//! for counts, and what it shows to differ is inspected before it is believed. The caller runs the fetches from [`Tracker::next_fetch`] and reports every outcome; what it may
//! build from [`Tracker::inventory`] is complete once [`Tracker::is_synced`].
//!
//! Time comes in as values, so that every race can be played in a test.

mod apply;
mod entries;
mod event;
mod files;
mod queue;
mod services;
mod stopping;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use event::{Event, EventKind};
pub use queue::Fetch;

use self::entries::Entries;
use self::queue::{Queue, Worth};
use self::services::Pauses;
use self::stopping::stops;
use super::id::{ContainerId, NetworkId};
use super::inventory::{Changes, Container, Inventory, Known, Listing, Network};
use super::label::{self, Selector};

/// How long the first picture waits for inspects. One that blocks on a slow start comes later.
const FIRST_LOOK: Duration = Duration::from_secs(2);

/// How closely a listing is followed up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Depth {
    /// Everything of interest is inspected again: after a gap.
    Full,
    /// Only what the listing shows to differ: the periodic check.
    Differences,
}

/// A listing that was asked for.
#[derive(Debug)]
struct Pending {
    depth: Depth,
    /// Whether nothing was heard for a whole interval before it.
    silent: bool,
    /// What something happened to since.
    containers: BTreeSet<ContainerId>,
    networks: BTreeSet<NetworkId>,
}

/// See the module.
#[derive(Debug)]
pub struct Tracker {
    selector: Selector,
    entries: Entries,
    inventory: Inventory,
    queue: Queue,
    listing: Option<Pending>,
    listed: bool,
    /// Until when the first picture waits for inspects.
    first_look: Option<Instant>,
    /// Whether an event was heard since the last check.
    heard: bool,
    /// Whether a check found what a silent event stream should have told.
    stalled: bool,
    stops: BTreeSet<(Instant, ContainerId)>,
    /// How long to leave each network of a swarm alone.
    pauses: Pauses,
}

impl Tracker {
    /// An empty picture.
    pub fn new(selector: Selector) -> Self {
        Self {
            selector,
            entries: Entries::default(),
            inventory: Inventory::default(),
            queue: Queue::default(),
            listing: None,
            listed: false,
            first_look: None,
            heard: false,
            stalled: false,
            stops: BTreeSet::new(),
            pauses: Pauses::default(),
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
        self.listed && !self.queue.is_awaiting()
    }

    /// The event stream is subscribed to (again): whatever happened before was missed.
    pub fn subscribed(&mut self) {
        self.queue.clear();
        self.listed = false;
        self.stalled = false;
        self.list(Depth::Full);
        self.look_at_all_services();
    }

    /// Whether the event stream has gone silent: something happened that it did not tell.
    pub fn is_stalled(&self) -> bool {
        self.stalled
    }

    /// Asks for a listing that is compared with what is known.
    pub fn check(&mut self) {
        if self.listed && self.listing.is_none() {
            self.list(Depth::Differences);
        }
    }

    fn list(&mut self, depth: Depth) {
        let heard = std::mem::take(&mut self.heard);
        self.listing = Some(Pending {
            depth,
            silent: !heard && depth == Depth::Differences,
            containers: BTreeSet::new(),
            networks: BTreeSet::new(),
        });
        self.queue.request(Fetch::Listing);
    }

    /// The next thing to ask the engine for. A container's inspect may take as long as its start, so the caller
    /// says how many more of them it has room for.
    pub fn next_fetch(&mut self, inspects: bool) -> Option<Fetch> {
        self.queue.next(inspects)
    }

    /// When [`Self::tick`] has something to do.
    pub fn next_tick(&self) -> Option<Instant> {
        let stop = self.stops.first().map(|(at, _)| *at);
        let first_look = self.first_look.filter(|_| self.queue.is_awaiting());
        let others = self.queue.next_retry().into_iter().chain(first_look);
        others.chain(stop).min()
    }

    /// Lets time pass.
    pub fn tick(&mut self, now: Instant) {
        self.queue.retry_due(now);
        if self.first_look.is_some_and(|at| at <= now) {
            self.first_look = None;
            self.queue.stop_awaiting();
        }
        self.count_survivors(now);
    }

    /// A fetch did not work; it is tried again later. False if nothing can be known without it.
    pub fn failed(&mut self, fetch: Fetch, now: Instant) -> bool {
        if let Fetch::Hosts(_) | Fetch::Resolver(_) = fetch {
            // Nothing depends on it; the next event is the next occasion.
            self.queue.answered(&fetch);
            return true;
        }
        if fetch != Fetch::Listing {
            self.queue.failed(fetch, now);
            return true;
        }
        self.queue.answered(&fetch);
        let pending = self.listing.take();
        pending.is_some_and(|p| p.depth == Depth::Differences)
    }

    /// The engine's answer to [`Fetch::Listing`].
    pub fn listed(&mut self, listing: Listing, now: Instant) {
        self.queue.answered(&Fetch::Listing);
        let Some(pending) = self.listing.take() else {
            return;
        };
        if pending.depth == Depth::Full {
            self.listed = true;
            self.first_look = Some(now + FIRST_LOOK);
        }
        self.apply_listing(listing, &pending);
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
        self.follow_services(false);
    }

    fn change(&mut self, id: &ContainerId, change: impl FnOnce(&mut Container)) {
        self.amend(id, |known| {
            change(Arc::make_mut(&mut known.container));
            // It has addresses in it that may be another's now.
            known.hosts = None;
            known.asks_docker = None;
        });
    }

    fn look_if_relevant(&mut self, id: &ContainerId) {
        if self.entries.is_relevant(id) {
            self.queue.request(Fetch::Container(id.clone()));
        }
    }

    fn store(&mut self, mut container: Container) {
        let id = container.id.clone();
        let part = self.selector.part(&container.labels);
        container.labels = Arc::new(label::remembered(&container.labels));
        let running = container.state.is_up();
        self.entries.put(&id, part);
        let networks = container.endpoints.iter().map(|e| e.network.clone());
        self.entries.set_networks(&id, &networks.collect());
        self.entries
            .set_lender(&id, container.network_mode.lender().filter(|_| running));
        if self.entries.is_relevant(&id) {
            let known = self.inventory.containers().get(&id).cloned();
            let told = self
                .entries
                .signal(&id)
                .filter(|(signal, _)| stops(&container, *signal));
            let stopping =
                running && (told.is_some() || known.as_ref().is_some_and(|k| k.stopping));
            if let Some((_, at)) = told.filter(|_| stopping) {
                self.expect_stop(&container, at);
            }
            let container = Arc::new(container);
            self.inventory.put_container(Known {
                container: Arc::clone(&container),
                part,
                stopping,
                hosts: known.as_ref().and_then(|k| k.hosts.clone()),
                asks_docker: known.as_ref().and_then(|k| k.asks_docker),
            });
            let old = known.as_ref().map(|k| k.container.as_ref());
            self.follow_links(old, Some(&container));
        }
        self.follow_interest(false);
        self.follow_files(&id);
        self.look_at_files(&id);
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
                (true, true) => {
                    if let Fetch::Container(id) = &fetch {
                        self.follow_files(id);
                    }
                }
                (false, false) => {}
            }
        }
        self.follow_services(awaited);
    }
}
