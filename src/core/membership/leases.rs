//! What calls under way ask of the tunnel, beyond what the map says.

use std::collections::BTreeMap;

use crate::core::id::{ContainerId, NetworkId};

/// Networks that the tunnel is to be on before a container is started there, and those that it is to let go because
/// somebody is about to remove them; containers whose last requests it is to carry. Each counts those who ask for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leases {
    networks: BTreeMap<NetworkId, [usize; 2]>,
    stopping: BTreeMap<ContainerId, usize>,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lease {
    /// To be on the network.
    Join,
    /// To be off it. It outweighs the other.
    LetGo,
}

impl Leases {
    /// Adds somebody who asks.
    pub fn add(&mut self, network: &NetworkId, lease: Lease) {
        self.networks.entry(network.clone()).or_default()[lease as usize] += 1;
    }

    /// Takes back what was added.
    pub fn end(&mut self, network: &NetworkId, lease: Lease) {
        if let Some(counts) = self.networks.get_mut(network) {
            let count = &mut counts[lease as usize];
            *count = count.saturating_sub(1);
            if *counts == [0, 0] {
                self.networks.remove(network);
            }
        }
    }

    /// Adds somebody who stops a container, of which the tunnel is to see the end.
    pub fn stay_for(&mut self, container: &ContainerId) {
        *self.stopping.entry(container.clone()).or_default() += 1;
    }

    /// Takes back what was added.
    pub fn stay_no_more(&mut self, container: &ContainerId) {
        if let Some(count) = self.stopping.get_mut(container) {
            *count -= 1;
            if *count == 0 {
                self.stopping.remove(container);
            }
        }
    }

    /// Whether the tunnel is to stay on the networks of that container although it has been told to stop.
    pub(super) fn stays_for(&self, container: &ContainerId) -> bool {
        self.stopping.contains_key(container)
    }

    /// The networks to be on.
    pub(super) fn joins(&self) -> impl Iterator<Item = &NetworkId> {
        let asked = |counts: &[usize; 2]| counts[Lease::Join as usize] > 0;
        let networks = self.networks.iter();
        networks.filter(move |(_, c)| asked(c)).map(|(n, _)| n)
    }

    /// Whether it is to be off that network.
    pub(super) fn lets_go(&self, network: &NetworkId) -> bool {
        let counts = self.networks.get(network);
        counts.is_some_and(|counts| counts[Lease::LetGo as usize] > 0)
    }
}
