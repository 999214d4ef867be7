//! What is asked of the tunnel while calls are under way.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::Shared;
use crate::core::id::{ContainerId, NetworkId};
use crate::core::map::NetworkMap;
use crate::core::membership::{Lease, Leases};

/// For a container that was started to be seen in the map; one that has ended by then needs nothing any more.
const SEEN: Duration = Duration::from_secs(1);

/// A lease, until it is dropped.
#[derive(Debug)]
pub(super) struct Held {
    leases: watch::Sender<Leases>,
    networks: Vec<NetworkId>,
    lease: Lease,
    /// The container that is being started.
    container: Option<ContainerId>,
}

impl Held {
    pub(super) fn new(
        leases: &watch::Sender<Leases>,
        networks: impl IntoIterator<Item = NetworkId>,
        lease: Lease,
    ) -> Self {
        let networks: Vec<_> = networks.into_iter().collect();
        if !networks.is_empty() {
            leases.send_modify(|all| {
                for network in &networks {
                    all.add(network, lease);
                }
            });
        }
        Self {
            leases: leases.clone(),
            networks,
            lease,
            container: None,
        }
    }

    /// The same, for the sake of a container that is being started.
    pub(super) fn for_container(mut self, container: Option<ContainerId>) -> Self {
        self.container = container;
        self
    }

    /// Ends it once the call has been answered: after a start, as soon as the map says as much as the lease.
    pub(super) fn end(self, shared: &Arc<Shared>) {
        let Some(container) = self.container.clone() else {
            return;
        };
        let state = Arc::clone(shared);
        shared.tasks.spawn(async move {
            let is_up = |map: &NetworkMap| {
                let known = map.containers().get(&container);
                known.is_some_and(|known| known.container.state.is_up())
            };
            state.until(SEEN, is_up).await;
            drop(self);
        });
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if !self.networks.is_empty() {
            self.leases.send_modify(|all| {
                for network in &self.networks {
                    all.end(network, self.lease);
                }
            });
        }
    }
}
