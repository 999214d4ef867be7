//! What is to be fetched from the engine: each thing at most once at a time, requests folded together.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use crate::core::id::{ContainerId, NetworkId};

/// How long a failed fetch waits before it is tried again. Long enough not to hammer an engine in trouble,
/// short enough that a person does not notice.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Something to ask the engine for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Fetch {
    /// All containers and networks.
    Listing,
    /// One container's inspect.
    Container(ContainerId),
    /// One network's inspect.
    Network(NetworkId),
    /// One container's `/etc/hosts`.
    Hosts(ContainerId),
    /// Whether one container's `/etc/resolv.conf` leads to Docker's resolver.
    Resolver(ContainerId),
    /// What the swarm says of one of its networks, and the network itself.
    Services(NetworkId),
}

/// Where a fetch stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Queued,
    /// Asked for; the answer will be as new as anything we know.
    InFlight,
    /// Asked for before something happened that the answer may not show.
    Stale,
    /// Asked for, and not wanted any more.
    Void,
}

/// What an answer is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Worth {
    /// As new as anything we know.
    Fresh,
    /// Something happened since; it is asked for again.
    Stale,
    /// Its subject is gone, or of no interest.
    None,
}

/// The fetches that are due.
#[derive(Debug, Default)]
pub(super) struct Queue {
    stages: BTreeMap<Fetch, Stage>,
    /// Answered from the engine's memory.
    quick: VecDeque<Fetch>,
    /// May wait for a start or a stop under way.
    slow: VecDeque<Fetch>,
    /// Has time until there is nothing else: older engines take 60 ms for a file.
    late: VecDeque<Fetch>,
    late_held: bool,
    retries: BTreeSet<(Instant, Fetch)>,
    /// Fetches whose first outcome is awaited before the picture counts as complete.
    awaited: BTreeSet<Fetch>,
}

impl Queue {
    /// Asks for `fetch`; what is already in flight is fetched once more afterwards.
    pub(super) fn request(&mut self, fetch: Fetch) {
        match self.stages.get_mut(&fetch) {
            Some(Stage::Queued) => {}
            Some(stage) => *stage = Stage::Stale,
            None => {
                self.stages.insert(fetch.clone(), Stage::Queued);
                self.lane(&fetch).push_back(fetch);
            }
        }
    }

    /// Asks for `fetch` unless it is due anyway; with `awaited`, the picture is not complete until it has been
    /// answered or has failed once.
    pub(super) fn request_first(&mut self, fetch: Fetch, awaited: bool) {
        if awaited {
            self.awaited.insert(fetch.clone());
        }
        // An answer to what was forgotten on its way counts for nothing.
        if matches!(self.stages.get(&fetch), None | Some(Stage::Void)) {
            self.request(fetch);
        }
    }

    /// Notes that the answer to a fetch in flight may be out of date. Nothing is asked for otherwise.
    pub(super) fn spoil(&mut self, fetch: &Fetch) {
        if let Some(stage @ Stage::InFlight) = self.stages.get_mut(fetch) {
            *stage = Stage::Stale;
        }
    }

    /// The next fetch to send; what is about a container only `if_slow_may`.
    pub(super) fn next(&mut self, if_slow_may: bool) -> Option<Fetch> {
        let quick = self.quick.pop_front();
        let fetch = match quick {
            None if if_slow_may => self.slow.pop_front().or_else(|| self.next_late()),
            quick => quick,
        }?;
        self.stages.insert(fetch.clone(), Stage::InFlight);
        Some(fetch)
    }

    fn next_late(&mut self) -> Option<Fetch> {
        (!self.late_held).then(|| self.late.pop_front()).flatten()
    }

    /// Whether there is something that may come late.
    pub(super) fn has_late(&self) -> bool {
        !self.late.is_empty()
    }

    /// Keeps back what may come late, or lets it go.
    pub(super) fn hold_late(&mut self, hold: bool) {
        self.late_held = hold;
    }

    fn lane(&mut self, fetch: &Fetch) -> &mut VecDeque<Fetch> {
        match fetch {
            Fetch::Listing | Fetch::Network(_) => &mut self.quick,
            // A swarm without a leader takes its time.
            Fetch::Container(_) | Fetch::Services(_) => &mut self.slow,
            Fetch::Hosts(_) | Fetch::Resolver(_) => &mut self.late,
        }
    }

    /// Takes note of an answer.
    pub(super) fn answered(&mut self, fetch: &Fetch) -> Worth {
        self.awaited.remove(fetch);
        match self.stages.remove(fetch) {
            Some(Stage::Stale) => {
                self.request(fetch.clone());
                Worth::Stale
            }
            Some(Stage::Void) => Worth::None,
            Some(Stage::InFlight | Stage::Queued) | None => Worth::Fresh,
        }
    }

    /// Takes note of a failure: the fetch is tried again later.
    pub(super) fn failed(&mut self, fetch: Fetch, now: Instant) {
        self.awaited.remove(&fetch);
        self.stages.remove(&fetch);
        self.request_at(now + RETRY_AFTER, fetch);
    }

    /// Asks for `fetch` at that time, and at no other that was set before.
    pub(super) fn request_at(&mut self, at: Instant, fetch: Fetch) {
        self.retries.retain(|(_, other)| *other != fetch);
        self.retries.insert((at, fetch));
    }

    /// Forgets a fetch whose subject is gone; an answer on its way counts for nothing.
    pub(super) fn forget(&mut self, fetch: &Fetch) {
        self.awaited.remove(fetch);
        self.retries.retain(|(_, retry)| retry != fetch);
        match self.stages.get_mut(fetch) {
            Some(Stage::Queued) => {
                self.stages.remove(fetch);
                self.lane(fetch).retain(|f| f != fetch);
            }
            Some(stage) => *stage = Stage::Void,
            None => {}
        }
    }

    /// Forgets everything: the connection that it was asked on is gone.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Waits for nothing any more: what is late comes later.
    pub(super) fn stop_awaiting(&mut self) {
        self.awaited.clear();
    }

    /// Whether a first outcome is still awaited.
    pub(super) fn is_awaiting(&self) -> bool {
        !self.awaited.is_empty()
    }

    /// When [`Self::retry_due`] has something to do.
    pub(super) fn next_retry(&self) -> Option<Instant> {
        self.retries.first().map(|(at, _)| *at)
    }

    /// Queues the retries whose time has come.
    pub(super) fn retry_due(&mut self, now: Instant) {
        while self.next_retry().is_some_and(|at| at <= now) {
            let Some((_, fetch)) = self.retries.pop_first() else {
                return;
            };
            self.request(fetch);
        }
    }
}
