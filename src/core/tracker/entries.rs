//! Every container of the engine in a few words, and which of them are of interest.
//!
//! A container is relevant if it is watched, is the tunnel, lends its network namespace to a watched one, or is
//! on a network of such a container. Kept incrementally: a change costs in proportion to the networks touched.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use crate::core::id::{ContainerId, NetworkId};
use crate::core::label::Part;

#[derive(Debug)]
struct Entry {
    part: Part,
    networks: BTreeSet<NetworkId>,
    /// The container whose network namespace it shares.
    lender: Option<ContainerId>,
    /// Time of the newest event seen of it.
    last_event: u64,
    /// A signal that came when its inspect was not in yet, and when.
    signal: Option<(u8, Instant)>,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Entries {
    known: BTreeMap<ContainerId, Entry>,
    members: BTreeMap<NetworkId, BTreeSet<ContainerId>>,
    /// For each network the containers that make it interesting.
    interest: BTreeMap<NetworkId, BTreeSet<ContainerId>>,
    /// For each lender the watched containers in its namespace.
    lends: BTreeMap<ContainerId, BTreeSet<ContainerId>>,
    /// Whose relevance may have turned.
    touched: BTreeSet<ContainerId>,
}

impl Entries {
    pub(super) fn contains(&self, id: &ContainerId) -> bool {
        self.known.contains_key(id)
    }

    /// All ids but these.
    pub(super) fn ids_except(&self, keep: &BTreeSet<ContainerId>) -> Vec<ContainerId> {
        self.known
            .keys()
            .filter(|id| !keep.contains(*id))
            .cloned()
            .collect()
    }

    /// Adds a container, or corrects what it is.
    pub(super) fn put(&mut self, id: &ContainerId, part: Part) {
        let entry = self.known.entry(id.clone()).or_insert_with(|| Entry {
            part,
            networks: BTreeSet::new(),
            lender: None,
            last_event: 0,
            signal: None,
        });
        entry.part = part;
        self.touched.insert(id.clone());
    }

    /// Notes an event's time; false if something newer was already seen of that container.
    pub(super) fn in_order(&mut self, id: &ContainerId, time: u64) -> bool {
        let Some(entry) = self.known.get_mut(id) else {
            return true;
        };
        let in_order = time >= entry.last_event;
        entry.last_event = entry.last_event.max(time);
        in_order
    }

    /// Remembers a signal, or forgets it.
    pub(super) fn set_signal(&mut self, id: &ContainerId, signal: Option<(u8, Instant)>) {
        if let Some(entry) = self.known.get_mut(id) {
            entry.signal = signal;
        }
    }

    /// The signal that is remembered.
    pub(super) fn signal(&self, id: &ContainerId) -> Option<(u8, Instant)> {
        self.known.get(id)?.signal
    }

    /// Whether the container is known to be on no network.
    pub(super) fn is_nowhere(&self, id: &ContainerId) -> bool {
        self.known
            .get(id)
            .is_none_or(|entry| entry.networks.is_empty())
    }

    pub(super) fn attach(&mut self, id: &ContainerId, network: NetworkId) {
        let Some(entry) = self.known.get(id) else {
            return;
        };
        let mut networks = entry.networks.clone();
        networks.insert(network);
        self.set_networks(id, &networks);
    }

    pub(super) fn detach(&mut self, id: &ContainerId, network: &NetworkId) {
        let Some(entry) = self.known.get(id) else {
            return;
        };
        let mut networks = entry.networks.clone();
        networks.remove(network);
        self.set_networks(id, &networks);
    }

    /// Says on which networks a container is.
    pub(super) fn set_networks(&mut self, id: &ContainerId, networks: &BTreeSet<NetworkId>) {
        let Some(entry) = self.known.get_mut(id) else {
            return;
        };
        let old = std::mem::replace(&mut entry.networks, networks.clone());
        for left in old.difference(networks) {
            remove_from(&mut self.members, left, id);
        }
        for joined in networks.difference(&old) {
            self.members
                .entry(joined.clone())
                .or_default()
                .insert(id.clone());
        }
        self.touched.insert(id.clone());
        self.update_interest(id, &old);
    }

    /// Says whose network namespace a container uses.
    pub(super) fn set_lender(&mut self, id: &ContainerId, lender: Option<&ContainerId>) {
        let Some(entry) = self.known.get_mut(id) else {
            return;
        };
        if entry.lender.as_ref() == lender {
            return;
        }
        let watched = entry.part == Part::Watched;
        if let Some(old) = std::mem::replace(&mut entry.lender, lender.cloned()) {
            self.end_loan(&old, id);
        }
        if let Some(lender) = lender.filter(|_| watched) {
            self.lends
                .entry(lender.clone())
                .or_default()
                .insert(id.clone());
            self.touched.insert(lender.clone());
            self.refresh(lender);
        }
    }

    fn end_loan(&mut self, lender: &ContainerId, borrower: &ContainerId) {
        if let Some(borrowers) = self.lends.get_mut(lender) {
            borrowers.remove(borrower);
            if borrowers.is_empty() {
                self.lends.remove(lender);
            }
        }
        self.touched.insert(lender.clone());
        self.refresh(lender);
    }

    pub(super) fn remove(&mut self, id: &ContainerId) {
        self.set_networks(id, &BTreeSet::new());
        if let Some(Entry {
            lender: Some(lender),
            ..
        }) = self.known.remove(id)
        {
            self.end_loan(&lender, id);
        }
        self.touched.remove(id);
    }

    /// The networks that a container is on.
    pub(super) fn networks(&self, id: &ContainerId) -> impl Iterator<Item = &NetworkId> {
        let entry = self.known.get(id);
        entry.into_iter().flat_map(|entry| &entry.networks)
    }

    /// Whether somebody is on the network because of whom it matters.
    pub(super) fn is_interesting(&self, network: &NetworkId) -> bool {
        self.interest.contains_key(network)
    }

    /// Whether a watched container that runs was started in its network namespace.
    pub(super) fn lends(&self, id: &ContainerId) -> bool {
        self.lends.contains_key(id)
    }

    /// Whether its networks matter because it is on them.
    pub(super) fn makes_interesting(&self, id: &ContainerId) -> bool {
        self.lends(id) || self.known.get(id).is_some_and(|e| e.part == Part::Watched)
    }

    fn refresh(&mut self, id: &ContainerId) {
        let networks = self
            .known
            .get(id)
            .map(|e| e.networks.clone())
            .unwrap_or_default();
        self.update_interest(id, &networks);
    }

    /// Recounts the interest that `id` brings to its networks, `old` being those it was on before.
    fn update_interest(&mut self, id: &ContainerId, old: &BTreeSet<NetworkId>) {
        let counts = self.makes_interesting(id);
        let now = self
            .known
            .get(id)
            .map(|e| e.networks.clone())
            .unwrap_or_default();
        for network in old.union(&now) {
            let before = self.interest.contains_key(network);
            if counts && now.contains(network) {
                self.interest
                    .entry(network.clone())
                    .or_default()
                    .insert(id.clone());
            } else {
                remove_from(&mut self.interest, network, id);
            }
            if before != self.interest.contains_key(network) {
                let members = self.members.get(network).into_iter().flatten();
                self.touched.extend(members.cloned());
            }
        }
    }

    /// Whether the container's facts are wanted.
    pub(super) fn is_relevant(&self, id: &ContainerId) -> bool {
        let Some(entry) = self.known.get(id) else {
            return false;
        };
        match entry.part {
            Part::Watched | Part::OwnTunnel => true,
            Part::Dockline => false,
            Part::Other => {
                self.lends(id) || entry.networks.iter().any(|n| self.interest.contains_key(n))
            }
        }
    }

    /// The containers whose relevance may have turned, each with what it is now.
    pub(super) fn take_turned(&mut self) -> Vec<(ContainerId, bool)> {
        let touched = std::mem::take(&mut self.touched);
        touched
            .into_iter()
            .filter(|id| self.known.contains_key(id))
            .map(|id| {
                let relevant = self.is_relevant(&id);
                (id, relevant)
            })
            .collect()
    }
}

fn remove_from(
    index: &mut BTreeMap<NetworkId, BTreeSet<ContainerId>>,
    network: &NetworkId,
    id: &ContainerId,
) {
    let Some(ids) = index.get_mut(network) else {
        return;
    };
    ids.remove(id);
    if ids.is_empty() {
        index.remove(network);
    }
}
