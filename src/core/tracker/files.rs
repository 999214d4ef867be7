//! What follows from a change and is told by no event: the lines of hosts files, and the words of old links.
//!
//! A container's `/etc/hosts` cannot be computed from its inspect. The lines of its own hostname vanish with the first
//! network that it leaves, a link on the default bridge may outlive its target, `host-gateway` is the daemon's to set,
//! and users write to the file. So it is read whenever something happened to the container. It comes after everything
//! else, and may be held back, so that many changes cost one reading: until then, resolving goes by what the inspect
//! says.

use std::sync::Arc;

use super::queue::Worth;
use super::{Fetch, Tracker};
use crate::core::hosts_file::HostsFile;
use crate::core::id::{ContainerId, NetworkId};
use crate::core::inventory::{Container, Endpoint, Known, NetworkMode};

impl Tracker {
    /// The engine's answer to [`Fetch::Hosts`]; `None` if there is no such file, or none that can be read.
    pub fn hosts_read(&mut self, id: &ContainerId, found: Option<HostsFile>) {
        let fetch = Fetch::Hosts(id.clone());
        if self.queue.answered(&fetch) == Worth::Fresh && self.matters(&fetch) {
            self.amend(id, |known| known.hosts = found.map(Arc::new));
        }
    }

    /// The engine's answer to [`Fetch::Resolver`]; `None` if there is no such file, or none that can be read.
    pub fn resolver_read(&mut self, id: &ContainerId, found: Option<bool>) {
        let fetch = Fetch::Resolver(id.clone());
        if self.queue.answered(&fetch) == Worth::Fresh && self.matters(&fetch) {
            self.amend(id, |known| known.asks_docker = found);
        }
    }

    /// Whether there are files to be read.
    pub fn has_files(&self) -> bool {
        self.queue.has_late()
    }

    /// Keeps files from being read, or lets them.
    pub fn hold_files(&mut self, hold: bool) {
        self.queue.hold_late(hold);
    }

    /// Whether the view of anybody watched depends on this file.
    fn matters(&self, file: &Fetch) -> bool {
        match file {
            Fetch::Hosts(id) => self.reads_hosts(id),
            Fetch::Resolver(id) => self.reads_resolver(id),
            Fetch::Listing | Fetch::Container(_) | Fetch::Network(_) | Fetch::Services(_) => false,
        }
    }

    /// Who was lent the file still has it when its owner has stopped.
    fn reads_hosts(&self, id: &ContainerId) -> bool {
        let known = self.inventory.containers().get(id);
        let container = known.map(|k| &k.container);
        let owns = container.filter(|c| c.network_mode.lender().is_none());
        let is_read = |owner: &Container| owner.state.is_up() && self.entries.makes_interesting(id);
        owns.is_some_and(|owner| is_read(owner) || self.entries.lends(id))
    }

    /// Who was on another network keeps Docker's resolver, on none and on the default bridge. What there is to find on that are
    /// names that renames gave, which the engine must tell (25 and later).
    fn reads_resolver(&self, id: &ContainerId) -> bool {
        let known = self.inventory.containers().get(id);
        let mut endpoints = known.into_iter().flat_map(|k| &k.container.endpoints);
        let networks = self.inventory.networks();
        let on_bridge = |e: &Endpoint| networks.get(&e.network).is_some_and(|n| n.default_bridge);
        let tells_names = |e: &Endpoint| e.dns_names.is_some();
        let may_have_kept_it = known.map(|k| &k.container).is_some_and(|c| {
            c.state.is_up() && c.network_mode == NetworkMode::Endpoints && c.endpoints.len() <= 1
        });
        may_have_kept_it
            && self.reads_hosts(id)
            && endpoints.all(|e| on_bridge(e) && tells_names(e))
    }

    fn is_read(&self, file: &Fetch) -> bool {
        let known = |id| self.inventory.containers().get(id);
        match file {
            Fetch::Hosts(id) => known(id).is_some_and(|k| k.hosts.is_some()),
            Fetch::Resolver(id) => known(id).is_some_and(|k| k.asks_docker.is_some()),
            Fetch::Listing | Fetch::Container(_) | Fetch::Network(_) | Fetch::Services(_) => false,
        }
    }

    /// Changes what is known of a container besides its inspect.
    pub(super) fn amend(&mut self, id: &ContainerId, change: impl FnOnce(&mut Known)) {
        if let Some(mut known) = self.inventory.containers().get(id).cloned() {
            change(&mut known);
            self.inventory.put_container(known);
        }
    }

    /// Something happened to the container: its files may be others.
    pub(super) fn look_at_files(&mut self, id: &ContainerId) {
        for file in files(id) {
            if self.matters(&file) {
                self.queue.request(file);
            }
        }
    }

    /// Whether its files matter may have turned.
    pub(super) fn follow_files(&mut self, id: &ContainerId) {
        for file in files(id) {
            match (self.matters(&file), self.is_read(&file)) {
                (true, false) => self.queue.request_first(file, false),
                (false, true) => {
                    self.queue.forget(&file);
                    self.amend(id, |known| {
                        if let Fetch::Resolver(_) = file {
                            known.asks_docker = None;
                        } else {
                            known.hosts = None;
                        }
                    });
                }
                (true, true) | (false, false) => {}
            }
        }
    }

    /// Nobody has the files any more, or they are written anew.
    pub(super) fn forget_files(&mut self, id: &ContainerId) {
        for file in files(id) {
            self.queue.forget(&file);
        }
    }

    /// A container was replaced by another picture of itself, or went: whoever is linked to it on the default bridge has
    /// that in an inspect and in a file of its own.
    pub(super) fn follow_links(&mut self, old: Option<&Container>, new: Option<&Container>) {
        let mut networks = self.inventory.networks().values();
        let Some(bridge) = networks.find(|n| n.default_bridge).map(|n| n.id.clone()) else {
            return;
        };
        let place = |container: &Container| {
            let endpoint = container.endpoint(&bridge);
            let endpoint = endpoint.map(|e| e.endpoint_id.clone());
            (container.name.clone(), endpoint)
        };
        let (before, now) = (old.map(place), new.map(place));
        if before == now {
            return;
        }
        let names: Vec<_> = before.iter().chain(&now).map(|(name, _)| name).collect();
        for linked in self.linked_to(&names, &bridge) {
            self.queue.request(Fetch::Container(linked));
        }
    }

    /// Who has a link to one of these names on that network.
    fn linked_to(&self, names: &[&String], network: &NetworkId) -> Vec<ContainerId> {
        let members = self.inventory.members(network).map(|k| &k.container);
        let linked = members.filter(|container| {
            let endpoint = container.endpoint(network).into_iter();
            let mut links = endpoint.flat_map(|e| &e.links);
            links.any(|link| names.contains(&&link.target))
        });
        linked.map(|container| container.id.clone()).collect()
    }
}

/// The files of a container that may be read.
fn files(id: &ContainerId) -> [Fetch; 2] {
    [Fetch::Hosts(id.clone()), Fetch::Resolver(id.clone())]
}
