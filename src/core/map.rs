//! The map: who is on which network, under which names.
//!
//! Built from the [`Inventory`] alone. [`NetworkMap::next`] builds only the networks that changed and shares the
//! others with its predecessor; the result equals [`NetworkMap::build`] from the whole inventory.

#[cfg(test)]
mod tests;
mod view;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

pub use view::{NameKind, NetworkView, Record};

use super::id::{ContainerId, NetworkId};
use super::inventory::{Changes, Inventory, Known, RunState};
use super::label::Part;

/// A snapshot of everything that names and routes are decided from. Cheap to share, never changed.
#[derive(Clone, Debug, Default)]
pub struct NetworkMap {
    generation: u64,
    containers: BTreeMap<ContainerId, Known>,
    networks: BTreeMap<NetworkId, Arc<NetworkView>>,
}

impl PartialEq for NetworkMap {
    /// Compares what the map says; the generation only counts.
    fn eq(&self, other: &Self) -> bool {
        self.containers == other.containers && self.networks == other.networks
    }
}

impl NetworkMap {
    /// Builds the whole map.
    pub fn build(inventory: &Inventory) -> Self {
        let view = |id: &NetworkId| Some((id.clone(), NetworkView::build(inventory, id)?));
        Self {
            generation: 1,
            containers: inventory.containers().clone(),
            networks: inventory.networks().keys().filter_map(view).collect(),
        }
    }

    /// The map after `changes`, or nothing if it says the same.
    pub fn next(&self, inventory: &Inventory, changes: &Changes) -> Option<Self> {
        let mut next = self.clone();
        let mut differs = false;
        for id in &changes.containers {
            let new = inventory.containers().get(id);
            differs |= self.containers.get(id) != new;
            match new {
                Some(known) => next.containers.insert(id.clone(), known.clone()),
                None => next.containers.remove(id),
            };
        }
        for id in &changes.networks {
            let new = NetworkView::build(inventory, id);
            differs |= self.networks.get(id) != new.as_ref();
            match new {
                Some(view) => next.networks.insert(id.clone(), view),
                None => next.networks.remove(id),
            };
        }
        next.generation += 1;
        differs.then_some(next)
    }

    /// Counts the published maps.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// All containers of the map, by id; the instance's own tunnel among them.
    pub fn containers(&self) -> &BTreeMap<ContainerId, Known> {
        &self.containers
    }

    /// All networks of the engine, by id. Only [watched](NetworkView::is_watched) ones have names.
    pub fn networks(&self) -> &BTreeMap<NetworkId, Arc<NetworkView>> {
        &self.networks
    }

    /// Those networks that a running watched container is on.
    pub fn watched_networks(&self) -> impl Iterator<Item = &NetworkView> {
        self.networks
            .values()
            .map(Arc::as_ref)
            .filter(|n| n.is_watched())
    }

    /// The watched containers.
    pub fn watched_containers(&self) -> impl Iterator<Item = &Known> {
        self.containers.values().filter(|k| k.part == Part::Watched)
    }

    /// This instance's running tunnel; a paused one answers nobody.
    pub fn tunnel(&self) -> Option<&Known> {
        let running =
            |k: &&Known| k.part == Part::OwnTunnel && k.container.state == RunState::Running;
        self.containers.values().find(running)
    }

    /// The networks of which the tunnel has an endpoint.
    pub fn joined(&self) -> impl Iterator<Item = &NetworkId> {
        let endpoints = self.tunnel().map(|t| t.container.endpoints.as_slice());
        endpoints.unwrap_or_default().iter().map(|e| &e.network)
    }

    /// The network that `address` is on. Where ranges overlap: the one on which a container has it, else a watched one.
    ///
    /// The ranges of macvlan and ipvlan networks are those of the LAN, where most addresses are no container's: unless
    /// such a network is watched, only its containers' addresses are on it.
    pub fn network_of(&self, address: IpAddr) -> Option<&NetworkView> {
        let views = self.networks.values().map(Arc::as_ref);
        let on = views
            .filter(|view| view.network().contains(address))
            .filter(|view| {
                let is_lan = matches!(view.network().driver.as_str(), "macvlan" | "ipvlan");
                !is_lan || view.is_watched() || view.owner(address).is_some()
            });
        on.max_by_key(|view| {
            (
                view.owner(address).is_some(),
                view.is_watched(),
                Reverse(&view.network().id),
            )
        })
    }

    /// The container whose endpoints `id` uses: itself, or the one whose network namespace it shares.
    pub fn network_owner(&self, id: &ContainerId) -> Option<&Known> {
        let known = self.containers.get(id)?;
        match known.container.network_mode.lender() {
            Some(lender) => self.containers.get(lender),
            None => Some(known),
        }
    }

    /// The running container that `reference` means: a full id, a unique prefix of one, a name, or an address.
    pub fn find_container(&self, reference: &str) -> Option<&Known> {
        if let Ok(address) = reference.parse::<IpAddr>() {
            return self.container_at(address);
        }
        let mut listed = self
            .containers
            .values()
            .filter(|k| k.part != Part::OwnTunnel);
        if let Some(named) = listed.clone().find(|k| k.container.name == reference) {
            return Some(named);
        }
        let found = listed.find(|k| is_id_prefix(reference, &k.container.id))?;
        let unique = !listed.any(|k| is_id_prefix(reference, &k.container.id));
        unique.then_some(found)
    }

    /// The container that has `address`.
    pub fn container_at(&self, address: IpAddr) -> Option<&Known> {
        let owner = self.network_of(address)?.owner(address)?;
        self.containers.get(owner)
    }
}

/// Docker itself takes any prefix of an id; shorter than four digits it is more likely a name that is not there.
fn is_id_prefix(reference: &str, id: &ContainerId) -> bool {
    reference.len() >= 4 && id.as_str().starts_with(reference)
}
