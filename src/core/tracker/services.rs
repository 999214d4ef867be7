//! What a swarm says of its networks: asked while a watched container is on one, and of no other.
//!
//! No event tells that a task was put into service or out of it, and what happens on other nodes is told by none either.
//! So the swarm is asked again and again: soon after something happened, and ever more rarely while nothing does.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::queue::Worth;
use super::{EventKind, Fetch, Tracker};
use crate::core::id::NetworkId;
use crate::core::inventory::{Network, Services};

/// After an answer that is news, and after an event: tasks lose their names two seconds before they are told to stop.
const SHORTEST: Duration = Duration::from_millis(500);
/// How late at most it is seen what happens on another node. The answer takes the engine milliseconds.
const LONGEST: Duration = Duration::from_secs(4);

/// How long the swarm is left alone about each network.
pub(super) type Pauses = BTreeMap<NetworkId, Duration>;

impl Tracker {
    /// The engine's answer to [`Fetch::Services`]; `None` if there is no such network.
    pub fn services_listed(
        &mut self,
        id: &NetworkId,
        found: Option<(Network, Services)>,
        now: Instant,
    ) {
        let fetch = Fetch::Services(id.clone());
        let worth = self.queue.answered(&fetch);
        if worth == Worth::None || !self.entries.is_interesting(id) {
            return;
        }
        // That it is gone, an event or a listing will tell.
        let Some((network, services)) = found else {
            return self.forget_services(id);
        };
        self.inventory.put_network(network);
        let news = self.inventory.put_services(id, services);
        let pause = self.pauses.entry(id.clone()).or_insert(SHORTEST);
        *pause = if news {
            SHORTEST
        } else {
            (*pause * 2).min(LONGEST)
        };
        self.queue.request_at(now + *pause, fetch);
    }

    /// Everything that was asked before is to be asked again.
    pub(super) fn look_at_all_services(&mut self) {
        for network in self.inventory.with_services() {
            let fetch = Fetch::Services(network.clone());
            self.queue.request_first(fetch, true);
        }
    }

    /// Something happened: where it may have changed what the swarm says, it is asked.
    pub(super) fn look_at_services(&mut self, kind: &EventKind) {
        let touched: Vec<_> = match kind {
            EventKind::Connected { network, .. } | EventKind::Disconnected { network, .. } => {
                vec![network.clone()]
            }
            EventKind::Started { id } | EventKind::Killed { id, .. } | EventKind::Died { id } => {
                self.entries.networks(id).cloned().collect()
            }
            EventKind::SwarmChanged => self.inventory.with_services().cloned().collect(),
            EventKind::Created { .. }
            | EventKind::Destroyed { .. }
            | EventKind::Changed { .. }
            | EventKind::NetworkCreated { .. }
            | EventKind::NetworkDestroyed { .. } => Vec::new(),
        };
        for network in touched {
            if self.inventory.services(&network).is_some() {
                self.pauses.insert(network.clone(), SHORTEST / 2);
                self.queue.request(Fetch::Services(network));
            }
        }
    }

    /// Whether a watched container is on a network may have turned.
    pub(super) fn follow_services(&mut self, awaited: bool) {
        let of_swarm = self.inventory.networks().values();
        let of_swarm = of_swarm.filter(|n| n.has_services());
        let wanted: Vec<_> = of_swarm
            .filter(|n| self.entries.is_interesting(&n.id))
            .map(|n| n.id.clone())
            .collect();
        let asked = self.inventory.with_services();
        let given_up: Vec<_> = asked.filter(|id| !wanted.contains(id)).cloned().collect();
        for id in given_up {
            self.forget_services(&id);
        }
        for id in wanted {
            if self.inventory.services(&id).is_none() {
                self.queue.request_first(Fetch::Services(id), awaited);
            }
        }
    }

    fn forget_services(&mut self, id: &NetworkId) {
        self.queue.forget(&Fetch::Services(id.clone()));
        self.inventory.remove_services(id);
        self.pauses.remove(id);
    }
}
