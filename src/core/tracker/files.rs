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
use crate::core::inventory::{Container, Known};

impl Tracker {
    /// The engine's answer to [`Fetch::Hosts`]; `None` if there is no such file, or none that can be read.
    pub fn hosts_read(&mut self, id: &ContainerId, found: Option<HostsFile>) {
        let worth = self.queue.answered(&Fetch::Hosts(id.clone()));
        if worth == Worth::Fresh && self.reads_hosts(id) {
            self.put_hosts(id, found.map(Arc::new));
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

    /// Whether the view of anybody watched begins with this container's hosts file.
    fn reads_hosts(&self, id: &ContainerId) -> bool {
        let known = self.inventory.containers().get(id);
        let has_files = known.is_some_and(|k| {
            k.container.state.is_up() && k.container.network_mode.lender().is_none()
        });
        has_files && self.entries.makes_interesting(id)
    }

    fn put_hosts(&mut self, id: &ContainerId, hosts: Option<Arc<HostsFile>>) {
        if let Some(known) = self.inventory.containers().get(id) {
            let known = Known {
                hosts,
                ..known.clone()
            };
            self.inventory.put_container(known);
        }
    }

    /// Something happened to the container: its file may be another.
    pub(super) fn look_at_hosts(&mut self, id: &ContainerId) {
        if self.reads_hosts(id) {
            self.queue.request(Fetch::Hosts(id.clone()));
        }
    }

    /// Whether the file matters may have turned.
    pub(super) fn follow_hosts(&mut self, id: &ContainerId) {
        let read = self
            .inventory
            .containers()
            .get(id)
            .is_some_and(|k| k.hosts.is_some());
        match (self.reads_hosts(id), read) {
            (true, false) => self.queue.request_first(Fetch::Hosts(id.clone()), false),
            (false, true) => {
                self.queue.forget(&Fetch::Hosts(id.clone()));
                self.put_hosts(id, None);
            }
            (true, true) | (false, false) => {}
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
