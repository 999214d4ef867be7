//! All facts together, with the indexes that keep a change's cost in proportion to what it touches.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Known, Network, Services};
use crate::core::id::{ContainerId, NetworkId};
use crate::core::shared_map::SharedMap;

/// All facts that matter to this instance.
///
/// Containers are here if they are watched, share a network with a watched one, lend it their network
/// namespace, or are the instance's tunnel. Networks are here always, because routes are checked against the
/// ranges of all of them.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    containers: SharedMap<ContainerId, Known>,
    networks: BTreeMap<NetworkId, Arc<Network>>,
    /// Of those networks of a swarm that a watched container is on.
    services: BTreeMap<NetworkId, Arc<Services>>,
    members: BTreeMap<NetworkId, BTreeSet<ContainerId>>,
    /// For each lender of a network namespace the running containers in it.
    borrowers: BTreeMap<ContainerId, BTreeSet<ContainerId>>,
    changes: Changes,
}

/// What differs from the last time that somebody asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Containers that came, went or changed.
    pub containers: BTreeSet<ContainerId>,
    /// Networks that did, or one of whose members did; with the members in question.
    pub networks: BTreeMap<NetworkId, BTreeSet<ContainerId>>,
}

impl Changes {
    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.containers.is_empty() && self.networks.is_empty()
    }

    /// Notes that a member of a network is to be looked at.
    fn touch(&mut self, network: &NetworkId, member: &ContainerId) {
        let members = self.networks.entry(network.clone()).or_default();
        members.insert(member.clone());
    }
}

impl Inventory {
    /// All containers, by id.
    pub fn containers(&self) -> &SharedMap<ContainerId, Known> {
        &self.containers
    }

    /// All networks, by id.
    pub fn networks(&self) -> &BTreeMap<NetworkId, Arc<Network>> {
        &self.networks
    }

    /// The containers with an endpoint on `network`, in the order of their ids.
    pub fn members(&self, network: &NetworkId) -> impl Iterator<Item = &Known> {
        let ids = self.members.get(network).into_iter().flatten();
        ids.filter_map(|id| self.containers.get(id))
    }

    /// A container, if it has an endpoint on `network`.
    pub fn member(&self, network: &NetworkId, id: &ContainerId) -> Option<&Known> {
        let known = self.containers.get(id);
        known.filter(|k| k.container.endpoint(network).is_some())
    }

    /// The running containers that use the network namespace of `lender`.
    pub fn borrowers(&self, lender: &ContainerId) -> impl Iterator<Item = &Known> {
        let ids = self.borrowers.get(lender).into_iter().flatten();
        ids.filter_map(|id| self.containers.get(id))
    }

    /// Adds or replaces a container.
    pub fn put_container(&mut self, known: Known) {
        let id = known.container.id.clone();
        if self.containers.get(&id) == Some(&known) {
            return;
        }
        self.remove_container(&id);
        for endpoint in &known.container.endpoints {
            let network = &endpoint.network;
            self.members
                .entry(network.clone())
                .or_default()
                .insert(id.clone());
            self.changes.touch(network, &id);
        }
        let lender = known.container.network_mode.lender();
        if let Some(lender) = lender.filter(|_| known.container.state.is_up()) {
            self.borrowers
                .entry(lender.clone())
                .or_default()
                .insert(id.clone());
            let lender = lender.clone();
            self.touch_networks_of(&lender);
        }
        self.changes.containers.insert(id.clone());
        self.containers.insert_mut(id, known);
    }

    /// Takes a container out, if it is there.
    pub fn remove_container(&mut self, id: &ContainerId) {
        let Some(old) = self.containers.get(id).cloned() else {
            return;
        };
        self.containers.remove_mut(id);
        for endpoint in &old.container.endpoints {
            self.changes.touch(&endpoint.network, id);
            let Some(members) = self.members.get_mut(&endpoint.network) else {
                continue;
            };
            members.remove(id);
            if members.is_empty() {
                self.members.remove(&endpoint.network);
            }
        }
        if let Some(lender) = old.container.network_mode.lender() {
            if let Some(borrowers) = self.borrowers.get_mut(lender) {
                borrowers.remove(id);
            }
            self.touch_networks_of(lender);
        }
        self.changes.containers.insert(id.clone());
    }

    /// Marks the networks of a lender: whether they are watched depends on its borrowers.
    fn touch_networks_of(&mut self, lender: &ContainerId) {
        let Some(known) = self.containers.get(lender) else {
            return;
        };
        for endpoint in &known.container.endpoints {
            self.changes.touch(&endpoint.network, lender);
        }
    }

    /// Adds or replaces a network.
    pub fn put_network(&mut self, network: Network) {
        let id = network.id.clone();
        if self.networks.get(&id).is_some_and(|old| **old == network) {
            return;
        }
        self.changes.networks.entry(id.clone()).or_default();
        self.networks.insert(id, Arc::new(network));
    }

    /// Takes a network out, if it is there.
    pub fn remove_network(&mut self, id: &NetworkId) {
        self.remove_services(id);
        if self.networks.remove(id).is_some() {
            self.changes.networks.entry(id.clone()).or_default();
        }
    }

    /// What the swarm says of a network, where it was asked.
    pub fn services(&self, network: &NetworkId) -> Option<&Arc<Services>> {
        self.services.get(network)
    }

    /// The networks of which the swarm was asked.
    pub fn with_services(&self) -> impl Iterator<Item = &NetworkId> {
        self.services.keys()
    }

    /// Adds or replaces what the swarm says of a network; true if it is news.
    pub fn put_services(&mut self, network: &NetworkId, services: Services) -> bool {
        if self.services(network).is_some_and(|old| **old == services) {
            return false;
        }
        self.changes.networks.entry(network.clone()).or_default();
        self.services.insert(network.clone(), Arc::new(services));
        true
    }

    /// Forgets what the swarm says of a network.
    pub fn remove_services(&mut self, network: &NetworkId) {
        if self.services.remove(network).is_some() {
            self.changes.networks.entry(network.clone()).or_default();
        }
    }

    /// What changed since the last call.
    pub fn take_changes(&mut self) -> Changes {
        std::mem::take(&mut self.changes)
    }
}
