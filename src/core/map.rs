//! The map: who is on which network, under which names.
//!
//! Built from the [`Inventory`] alone. [`NetworkMap::next`] looks at what changed and shares all else with its
//! predecessor, so that it costs in proportion to the change; the result equals [`NetworkMap::build`] from the whole
//! inventory.

mod made_up;
mod record;
mod said;
mod services;
#[cfg(test)]
mod tests;
mod view;

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

pub use record::{NameKind, Owner, Record};
pub use view::NetworkView;

use super::id::{ContainerId, NetworkId, is_beside};
use super::inventory::{Changes, Inventory, Known, RunState};
use super::label::Part;
use super::shared_map::SharedMap;

/// A snapshot of everything that names and routes are decided from. Cheap to share, never changed.
#[derive(Clone, Debug, Default)]
pub struct NetworkMap {
    generation: u64,
    containers: SharedMap<ContainerId, Known>,
    networks: SharedMap<NetworkId, Arc<NetworkView>>,
    /// The watched networks by name and id: every question is put to them in this order.
    watched: Vec<Arc<NetworkView>>,
    /// This instance's running tunnels: one, unless a former one still has callers.
    tunnels: BTreeSet<ContainerId>,
}

impl PartialEq for NetworkMap {
    /// Compares what the map says; the generation only counts.
    fn eq(&self, other: &Self) -> bool {
        self.containers == other.containers
            && self.networks == other.networks
            && self.watched == other.watched
            && self.tunnels == other.tunnels
    }
}

impl NetworkMap {
    /// Builds the whole map.
    pub fn build(inventory: &Inventory) -> Self {
        let view = |id: &NetworkId| Some((id.clone(), NetworkView::build(inventory, id)?));
        let networks = inventory.networks().keys().filter_map(view).collect();
        let containers = inventory.containers().values();
        let tunnels = containers.filter(|k| is_running_tunnel(k));
        Self {
            generation: 1,
            containers: inventory.containers().clone(),
            watched: watched_by_name(&networks),
            tunnels: tunnels.map(|k| k.container.id.clone()).collect(),
            networks,
        }
    }

    /// The map after `changes`, or nothing if it says the same. `inventory` is the one that this map was made from.
    pub fn next(&self, inventory: &Inventory, changes: &Changes) -> Option<Self> {
        let mut next = Self {
            generation: self.generation + 1,
            containers: inventory.containers().clone(),
            ..self.clone()
        };
        let mut differs = false;
        for id in &changes.containers {
            let new = inventory.containers().get(id);
            differs |= self.containers.get(id) != new;
            if new.is_some_and(is_running_tunnel) {
                next.tunnels.insert(id.clone());
            } else {
                next.tunnels.remove(id);
            }
        }
        let mut views_differ = false;
        for (id, members) in &changes.networks {
            let old = self.networks.get(id);
            let new = match old {
                Some(old) => old.next(inventory, members),
                None => NetworkView::build(inventory, id),
            };
            match (old, new) {
                (None, None) => continue,
                (Some(old), Some(new)) if Arc::ptr_eq(old, &new) => continue,
                (_, Some(new)) => next.networks.insert_mut(id.clone(), new),
                (Some(_), None) => drop(next.networks.remove_mut(id)),
            }
            views_differ = true;
        }
        if views_differ {
            next.watched = watched_by_name(&next.networks);
        }
        (differs || views_differ).then_some(next)
    }

    /// Counts the published maps.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// All containers of the map, by id; the instance's own tunnel among them.
    pub fn containers(&self) -> &SharedMap<ContainerId, Known> {
        &self.containers
    }

    /// All networks of the engine, by id. Only [watched](NetworkView::is_watched) ones have names.
    pub fn networks(&self) -> &SharedMap<NetworkId, Arc<NetworkView>> {
        &self.networks
    }

    /// Those networks that a running watched container is on.
    pub fn watched_networks(&self) -> impl Iterator<Item = &NetworkView> {
        self.networks
            .values()
            .map(Arc::as_ref)
            .filter(|n| n.is_watched())
    }

    /// The same, by name and id.
    pub fn watched_by_name(&self) -> &[Arc<NetworkView>] {
        &self.watched
    }

    /// The watched containers.
    pub fn watched_containers(&self) -> impl Iterator<Item = &Known> {
        self.containers.values().filter(|k| k.part == Part::Watched)
    }

    /// This instance's running tunnel; a paused one answers nobody.
    pub fn tunnel(&self) -> Option<&Known> {
        self.tunnels().find(|k| !is_beside(&k.container.name))
    }

    /// All of this instance's running tunnels: a former one may still have callers, and a next one has none yet.
    pub fn tunnels(&self) -> impl Iterator<Item = &Known> {
        let ids = self.tunnels.iter();
        ids.filter_map(|id| self.containers.get(id))
    }

    /// The networks of which the tunnel has an endpoint.
    pub fn joined(&self) -> impl Iterator<Item = &NetworkId> {
        self.tunnel().into_iter().flat_map(networks_of)
    }

    /// The networks of which any of this instance's running tunnels has an endpoint.
    pub fn joined_by_any(&self) -> impl Iterator<Item = &NetworkId> {
        self.tunnels().flat_map(networks_of)
    }

    /// The networks of which that container has an endpoint.
    pub fn joined_by(&self, id: &ContainerId) -> impl Iterator<Item = &NetworkId> + use<'_> {
        self.containers.get(id).into_iter().flat_map(networks_of)
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

    /// The container whose files on names (`/etc/hosts`) `id` has: its own, or those of the one whose network namespace
    /// it was started in.
    pub fn files_owner(&self, id: &ContainerId) -> Option<&Known> {
        let known = self.containers.get(id)?;
        match known.container.network_mode.lender() {
            Some(lender) => self.containers.get(lender),
            None => Some(known),
        }
    }

    /// The container whose endpoints `id` uses: itself, or the one whose network namespace it shares.
    ///
    /// A lender that is started again has a new namespace. Who was in the old one stays there, with loopback alone.
    pub fn network_owner(&self, id: &ContainerId) -> Option<&Known> {
        let known = self.containers.get(id)?;
        let owner = self.files_owner(id)?;
        let left_behind = owner.container.started > known.container.started;
        (!left_behind).then_some(owner)
    }

    /// The running container that `reference` means: a full id, a unique prefix of one, a name, or an address.
    pub fn find_container(&self, reference: &str) -> Option<&Known> {
        if let Ok(address) = reference.parse::<IpAddr>() {
            return self.container_at(address);
        }
        let listed = || {
            let containers = self.containers.values();
            containers.filter(|k| k.part != Part::OwnTunnel)
        };
        if let Some(named) = listed().find(|k| k.container.name == reference) {
            return Some(named);
        }
        let mut listed = listed();
        let found = listed.find(|k| is_id_prefix(reference, &k.container.id))?;
        let unique = !listed.any(|k| is_id_prefix(reference, &k.container.id));
        unique.then_some(found)
    }

    /// The container that has `address`.
    pub fn container_at(&self, address: IpAddr) -> Option<&Known> {
        let owner = self.network_of(address)?.owner(address)?;
        self.containers.get(owner.container()?)
    }
}

fn networks_of(known: &Known) -> impl Iterator<Item = &NetworkId> {
    known.container.endpoints.iter().map(|e| &e.network)
}

fn is_running_tunnel(known: &Known) -> bool {
    known.part == Part::OwnTunnel && known.container.state == RunState::Running
}

fn watched_by_name(networks: &SharedMap<NetworkId, Arc<NetworkView>>) -> Vec<Arc<NetworkView>> {
    let watched = networks.values().filter(|view| view.is_watched());
    let mut watched: Vec<_> = watched.cloned().collect();
    watched.sort_by(|a, b| {
        let (a, b) = (a.network(), b.network());
        (&a.name, &a.id).cmp(&(&b.name, &b.id))
    });
    watched
}

/// Docker itself takes any prefix of an id; shorter than four digits it is more likely a name that is not there.
fn is_id_prefix(reference: &str, id: &ContainerId) -> bool {
    reference.len() >= 4 && id.as_str().starts_with(reference)
}
