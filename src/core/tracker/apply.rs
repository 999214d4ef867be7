//! What events and listings do to the picture.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use super::{Depth, Event, EventKind, Fetch, Pending, Tracker, event};
use crate::core::id::{ContainerId, NetworkId};
use crate::core::inventory::{Endpoint, Listing, Network, RunState};
use crate::core::label::Part;

impl Tracker {
    /// Something happened.
    pub fn observe(&mut self, event: Event, now: Instant) {
        let Event { time, kind } = event;
        self.heard = true;
        self.stalled = false;
        self.note_touched(&kind);
        self.look_at_services(&kind);
        match kind {
            EventKind::Created { id, labels } => {
                let part = self.selector.part(&labels);
                self.entries.put(&id, part);
                self.look_if_relevant(&id);
                if self.selector.depends_on(&event::OVERWRITTEN) {
                    self.queue.request(Fetch::Container(id));
                }
            }
            EventKind::Started { id } => self.started(&id, time),
            EventKind::Killed { id, signal } => self.killed(&id, signal, now),
            EventKind::Died { id } => {
                if self.entries.in_order(&id, time) {
                    self.take_down(&id);
                } else {
                    self.look_if_relevant(&id);
                }
            }
            EventKind::Destroyed { id } => self.remove(&id),
            EventKind::Changed { id } => {
                self.entries.in_order(&id, time);
                self.look_if_relevant(&id);
            }
            EventKind::Connected { container, network } => {
                self.connected(&container, &network, time);
            }
            EventKind::Disconnected { container, network } => {
                if self.entries.in_order(&container, time) {
                    self.disconnected(&container, &network);
                } else {
                    self.look_if_relevant(&container);
                }
            }
            EventKind::NetworkCreated { id } => self.queue.request(Fetch::Network(id)),
            EventKind::NetworkDestroyed { id } => {
                self.queue.forget(&Fetch::Network(id.clone()));
                self.queue.forget(&Fetch::Services(id.clone()));
                self.inventory.remove_network(&id);
            }
            EventKind::SwarmChanged => {}
        }
    }

    /// What a listing that is on its way says of these counts for nothing.
    fn note_touched(&mut self, kind: &EventKind) {
        let Some(pending) = &mut self.listing else {
            return;
        };
        match kind {
            EventKind::NetworkCreated { id } | EventKind::NetworkDestroyed { id } => {
                pending.networks.insert(id.clone());
            }
            EventKind::Created { id, .. }
            | EventKind::Started { id }
            | EventKind::Killed { id, .. }
            | EventKind::Died { id }
            | EventKind::Destroyed { id }
            | EventKind::Changed { id }
            | EventKind::Connected { container: id, .. }
            | EventKind::Disconnected { container: id, .. } => {
                pending.containers.insert(id.clone());
            }
            EventKind::SwarmChanged => {}
        }
    }

    fn started(&mut self, id: &ContainerId, time: u64) {
        self.entries.in_order(id, time);
        self.set_stopping(id, false);
        // One on its way may show it as it was before, also if it is thought to run already: an answer that was out
        // of date when it came, but better than none, may have shown an earlier run.
        self.queue.spoil(&Fetch::Container(id.clone()));
        let known = self.inventory.containers().get(id);
        let running = known.is_some_and(|k| k.container.state.is_up());
        // The inspect that the connect asked for ended with the start: it has shown everything. If no connect was
        // seen, the start was under way when watching began, and where it is now only an inspect can tell.
        if !running && (self.entries.is_relevant(id) || self.entries.is_nowhere(id)) {
            self.queue.request(Fetch::Container(id.clone()));
        }
    }

    fn connected(&mut self, id: &ContainerId, network: &NetworkId, time: u64) {
        self.entries.in_order(id, time);
        self.set_stopping(id, false);
        if !self.inventory.networks().contains_key(network) {
            self.queue.request(Fetch::Network(network.clone()));
        }
        // One on its way may not show this network, whether it is of interest yet or not.
        self.queue.spoil(&Fetch::Container(id.clone()));
        if !self.entries.contains(id) {
            // What it is, its inspect will tell.
            self.entries.put(id, Part::Other);
            self.queue.request(Fetch::Container(id.clone()));
        }
        self.entries.attach(id, network.clone());
        self.add_to_tunnel(id, network);
        self.follow_interest(false);
        self.look_if_relevant(id);
    }

    /// The tunnel's own inspect waits while it is being joined to other networks. That it has joined this one must
    /// be known at once: it may have to leave.
    fn add_to_tunnel(&mut self, id: &ContainerId, network: &NetworkId) {
        let known = self.inventory.containers().get(id);
        let tunnel = known.filter(|k| k.part == Part::OwnTunnel);
        if tunnel.is_some_and(|k| k.container.endpoint(network).is_none()) {
            self.change(id, |tunnel| {
                tunnel.endpoints.push(Endpoint::bare(network.clone()));
            });
        }
    }

    fn disconnected(&mut self, id: &ContainerId, network: &NetworkId) {
        self.entries.detach(id, network);
        self.queue.spoil(&Fetch::Container(id.clone()));
        self.change(id, |container| {
            container.endpoints.retain(|e| e.network != *network);
        });
        self.follow_interest(false);
        self.look_at_files(id);
    }

    /// The container runs no more.
    fn take_down(&mut self, id: &ContainerId) {
        self.entries.set_networks(id, &BTreeSet::new());
        self.entries.set_lender(id, None);
        self.queue.spoil(&Fetch::Container(id.clone()));
        self.forget_files(id);
        self.set_stopping(id, false);
        self.change(id, |container| {
            container.state = RunState::Stopped;
            container.endpoints.clear();
        });
        self.follow_interest(false);
        // Lost its lines, and is still there for whoever it was lent to.
        self.follow_files(id);
    }

    pub(super) fn remove(&mut self, id: &ContainerId) {
        self.entries.remove(id);
        self.queue.forget(&Fetch::Container(id.clone()));
        self.forget_files(id);
        self.stops.retain(|(_, stopping)| stopping != id);
        let old = self.inventory.containers().get(id);
        let old = old.map(|known| Arc::clone(&known.container));
        self.inventory.remove_container(id);
        self.follow_links(old.as_deref(), None);
        self.follow_interest(false);
    }

    pub(super) fn apply_listing(&mut self, listing: Listing, pending: &Pending) {
        self.apply_networks(listing.networks, &pending.networks);
        let touched = |id: &ContainerId| pending.containers.contains(id);
        let listed: BTreeSet<_> = listing.containers.iter().map(|c| c.id.clone()).collect();
        for gone in self.entries.ids_except(&listed) {
            if !touched(&gone) {
                self.remove(&gone);
            }
        }
        for entry in listing
            .containers
            .iter()
            .filter(|entry| !touched(&entry.id))
        {
            let part = self.selector.part(&entry.labels);
            self.entries.put(&entry.id, part);
            // Added, never taken away: a listing shows a container that is starting without its networks. Whoever is
            // said to be somewhere is inspected, which corrects it.
            for network in entry.endpoints.keys() {
                self.entries.attach(&entry.id, network.clone());
            }
        }
        let full = pending.depth == Depth::Full;
        self.follow_interest(full);
        // Of these the events told something, and perhaps not that they exist.
        for entry in &listing.containers {
            if touched(&entry.id) && !self.entries.contains(&entry.id) {
                self.queue
                    .request_first(Fetch::Container(entry.id.clone()), full);
            }
        }
        let mut differences = false;
        for entry in &listing.containers {
            let known = self.inventory.containers().get(&entry.id);
            let differs = known.is_none_or(|k| event::differs(&k.container, entry));
            let look = full || differs && !touched(&entry.id);
            if look && self.entries.is_relevant(&entry.id) {
                differences |= differs;
                self.queue
                    .request_first(Fetch::Container(entry.id.clone()), full);
            }
        }
        self.stalled |= differences && pending.silent && !self.heard;
    }

    fn apply_networks(&mut self, networks: Vec<Network>, touched: &BTreeSet<NetworkId>) {
        let listed: BTreeSet<_> = networks.iter().map(|n| n.id.clone()).collect();
        let known: Vec<_> = self.inventory.networks().keys().cloned().collect();
        for gone in known
            .iter()
            .filter(|id| !listed.contains(*id) && !touched.contains(*id))
        {
            self.inventory.remove_network(gone);
        }
        for network in networks {
            if !touched.contains(&network.id) {
                self.inventory.put_network(network);
            }
        }
    }
}
