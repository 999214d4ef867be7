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
/// For a container that was sent a signal to end: Docker's own patience is ten seconds, and who is still there three seconds
/// after has survived, and is wanted as before.
const END: Duration = Duration::from_secs(15);

/// A lease, until it is dropped.
#[derive(Debug)]
pub(super) struct Held {
    leases: watch::Sender<Leases>,
    what: What,
}

#[derive(Debug)]
enum What {
    /// Something about networks, for the sake of a container that is being started, if there is one.
    Networks(Vec<NetworkId>, Lease, Option<ContainerId>),
    /// To stay for a container that is being stopped.
    Stopping(ContainerId),
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
            what: What::Networks(networks, lease, None),
        }
    }

    /// For a container that is being stopped.
    pub(super) fn stopping(leases: &watch::Sender<Leases>, container: ContainerId) -> Self {
        leases.send_modify(|all| all.stay_for(&container));
        Self {
            leases: leases.clone(),
            what: What::Stopping(container),
        }
    }

    /// The same, for the sake of a container that is being started.
    pub(super) fn for_container(mut self, started: Option<ContainerId>) -> Self {
        if let What::Networks(_, _, container) = &mut self.what {
            *container = started;
        }
        self
    }

    /// Ends it once the call has been answered: after a start, as soon as the map says as much as the lease; after a stop,
    /// as soon as the container is gone.
    pub(super) fn end(self, shared: &Arc<Shared>) {
        let (container, up, patience) = match &self.what {
            What::Networks(_, _, None) => return,
            What::Networks(_, _, Some(container)) => (container.clone(), true, SEEN),
            What::Stopping(container) => (container.clone(), false, END),
        };
        let state = Arc::clone(shared);
        shared.tasks.spawn(async move {
            let is_as_told = |map: &NetworkMap| {
                let known = map.containers().get(&container);
                known.is_some_and(|known| known.container.state.is_up()) == up
            };
            let told = state.until(patience, is_as_told);
            state.stop.run_until_cancelled(told).await;
            drop(self);
        });
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        match &self.what {
            What::Networks(networks, ..) if networks.is_empty() => {}
            What::Networks(networks, lease, _) => self.leases.send_modify(|all| {
                for network in networks {
                    all.end(network, *lease);
                }
            }),
            What::Stopping(container) => {
                self.leases.send_modify(|all| all.stay_no_more(container));
            }
        }
    }
}
