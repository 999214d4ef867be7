//! What events and listings do to the picture.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::{Depth, Event, EventKind, Fetch, SIGKILL, STOP_MARGIN, Tracker, event};
use crate::core::id::{ContainerId, NetworkId};
use crate::core::inventory::{Listing, Network, RunState};

impl Tracker {
    pub(super) fn apply(&mut self, event: Event, now: Instant) {
        let Event { time, kind } = event;
        match kind {
            EventKind::Created { id, labels } => {
                let part = self.selector.part(&labels);
                self.entries.put(&id, part);
                self.look_if_relevant(&id);
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
            EventKind::Connected { container, network } => self.connected(container, network, time),
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
                self.inventory.remove_network(&id);
            }
        }
    }

    fn started(&mut self, id: &ContainerId, time: u64) {
        self.entries.in_order(id, time);
        self.set_stopping(id, false);
        let running = self
            .inventory
            .containers()
            .get(id)
            .is_some_and(|k| k.container.state == RunState::Running);
        // The inspect that the connect asked for ended with the start: it has shown everything.
        if !running {
            self.look_if_relevant(id);
        }
    }

    fn killed(&mut self, id: &ContainerId, signal: u8, now: Instant) {
        let Some(known) = self.inventory.containers().get(id) else {
            return;
        };
        let container = &known.container;
        if container.state != RunState::Running {
            return;
        }
        if signal == SIGKILL || signal == container.stop_signal {
            let grace = Duration::from_secs(u64::from(container.stop_timeout)) + STOP_MARGIN;
            self.set_stopping(id, true);
            self.stops.insert((now + grace, id.clone()));
        }
    }

    fn connected(&mut self, id: ContainerId, network: NetworkId, time: u64) {
        self.entries.in_order(&id, time);
        self.set_stopping(&id, false);
        if !self.inventory.networks().contains_key(&network) {
            self.queue.request(Fetch::Network(network.clone()));
        }
        if !self.entries.contains(&id) {
            self.queue.request(Fetch::Container(id));
            return;
        }
        self.entries.attach(&id, network);
        self.follow_interest(false);
        self.look_if_relevant(&id);
    }

    fn disconnected(&mut self, id: &ContainerId, network: &NetworkId) {
        self.entries.detach(id, network);
        self.queue.spoil(&Fetch::Container(id.clone()));
        self.change(id, |container| {
            container.endpoints.retain(|e| e.network != *network);
        });
        self.follow_interest(false);
    }

    /// The container runs no more.
    fn take_down(&mut self, id: &ContainerId) {
        self.entries.set_networks(id, &BTreeSet::new());
        self.entries.set_lender(id, None);
        self.queue.spoil(&Fetch::Container(id.clone()));
        self.set_stopping(id, false);
        self.change(id, |container| {
            container.state = RunState::Stopped;
            container.endpoints.clear();
        });
        self.follow_interest(false);
    }

    pub(super) fn remove(&mut self, id: &ContainerId) {
        self.entries.remove(id);
        self.queue.forget(&Fetch::Container(id.clone()));
        self.stops.retain(|(_, stopping)| stopping != id);
        self.inventory.remove_container(id);
        self.follow_interest(false);
    }

    pub(super) fn apply_listing(&mut self, listing: Listing, depth: Depth) {
        self.apply_networks(listing.networks);
        let listed: BTreeSet<_> = listing.containers.iter().map(|c| c.id.clone()).collect();
        for gone in self.entries.ids_except(&listed) {
            self.remove(&gone);
        }
        for entry in &listing.containers {
            let part = self.selector.part(&entry.labels);
            self.entries.put(&entry.id, part);
            self.entries
                .set_networks(&entry.id, &entry.endpoints.keys().cloned().collect());
        }
        self.follow_interest(true);
        for entry in &listing.containers {
            let known = self.inventory.containers().get(&entry.id);
            let differs = known.is_none_or(|k| event::differs(&k.container, entry));
            let look = depth == Depth::Full || differs;
            if look && self.entries.is_relevant(&entry.id) {
                self.queue
                    .request_first(Fetch::Container(entry.id.clone()), true);
            }
        }
    }

    fn apply_networks(&mut self, networks: Vec<Network>) {
        let listed: BTreeSet<_> = networks.iter().map(|n| n.id.clone()).collect();
        let known: Vec<_> = self.inventory.networks().keys().cloned().collect();
        for gone in known.iter().filter(|id| !listed.contains(*id)) {
            self.inventory.remove_network(gone);
        }
        for network in networks {
            self.inventory.put_network(network);
        }
    }
}
