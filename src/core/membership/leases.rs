//! What calls under way ask of the tunnel, beyond what the map says.

use std::collections::BTreeMap;

use crate::core::id::NetworkId;

/// Networks that the tunnel is to be on before a container is started there, and those that it is to let go because
/// somebody is about to remove them. Each counts those who ask for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leases(BTreeMap<NetworkId, [usize; 2]>);

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
        self.0.entry(network.clone()).or_default()[lease as usize] += 1;
    }

    /// Takes back what was added.
    pub fn end(&mut self, network: &NetworkId, lease: Lease) {
        if let Some(counts) = self.0.get_mut(network) {
            let count = &mut counts[lease as usize];
            *count = count.saturating_sub(1);
            if *counts == [0, 0] {
                self.0.remove(network);
            }
        }
    }

    /// The networks to be on.
    pub(super) fn joins(&self) -> impl Iterator<Item = &NetworkId> {
        let asked = |counts: &[usize; 2]| counts[Lease::Join as usize] > 0;
        self.0.iter().filter(move |(_, c)| asked(c)).map(|(n, _)| n)
    }

    /// Whether it is to be off that network.
    pub(super) fn lets_go(&self, network: &NetworkId) -> bool {
        let counts = self.0.get(network);
        counts.is_some_and(|counts| counts[Lease::LetGo as usize] > 0)
    }
}
