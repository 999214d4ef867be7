//! Joins and leaves under way: what a plan asks for is started once, and not again before the map could show it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use super::driver::Driver;
use super::join;
use crate::core::id::{ContainerId, NetworkId};
use crate::core::map::NetworkMap;
use crate::core::membership::Plan;
use crate::docker;

/// How long an operation that worked may stay unseen in the map before it is tried again.
const UNSEEN: Duration = Duration::from_secs(5);
/// Pause after an operation that failed.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// What is to be done, or was, about a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    Join,
    Leave,
}

/// How an operation ended.
struct Done {
    network: NetworkId,
    operation: Operation,
    worked: bool,
}

/// At most one operation a network; each is not repeated until the map had time to show it.
#[derive(Default)]
pub(super) struct Operations {
    running: JoinSet<Done>,
    /// `None` while it runs, then until when the same is not tried again.
    recent: BTreeMap<NetworkId, (Operation, Option<Instant>)>,
}

impl Operations {
    /// Starts what the plan asks for and is not under way.
    pub(super) fn start(
        &mut self,
        plan: &Plan,
        driver: &Driver,
        map: &NetworkMap,
        tunnel: &ContainerId,
    ) {
        self.forget_seen(map);
        for network in &plan.leave {
            if self.may_start(network, Operation::Leave) {
                let (client, tunnel, network) =
                    (driver.client.clone(), tunnel.clone(), network.clone());
                self.running.spawn(async move {
                    let outcome = join::leave(&client, &tunnel, &network).await;
                    Done::new(network, Operation::Leave, outcome)
                });
            }
        }
        for network in &plan.join {
            let Some(view) = map.networks().get(network).cloned() else {
                continue;
            };
            if self.may_start(network, Operation::Join) {
                let (client, tunnel, network) =
                    (driver.client.clone(), tunnel.clone(), network.clone());
                let alias = driver.instance.tunnel_name();
                self.running.spawn(async move {
                    let outcome = join::join(&client, &tunnel, &alias, view.network()).await;
                    Done::new(network, Operation::Join, outcome)
                });
            }
        }
    }

    /// Waits for an operation to end; for ever, if none is under way.
    pub(super) async fn next_done(&mut self) {
        let Some(Ok(done)) = self.running.join_next().await else {
            return std::future::pending().await;
        };
        let pause = if done.worked { UNSEEN } else { AFTER_FAILURE };
        let until = Some(Instant::now() + pause);
        self.recent.insert(done.network, (done.operation, until));
    }

    /// When something that was put off may be tried again.
    pub(super) fn next_wake(&self) -> Option<Instant> {
        self.recent.values().filter_map(|(_, until)| *until).min()
    }

    /// What the map shows, or has had time to show, is no longer recent.
    fn forget_seen(&mut self, map: &NetworkMap) {
        let now = Instant::now();
        let joined: BTreeSet<_> = map.joined().collect();
        self.recent.retain(|network, (operation, until)| {
            let shown = joined.contains(network) == (*operation == Operation::Join);
            until.is_none_or(|until| until > now && !shown)
        });
    }

    /// The opposite of what was just done may start at once; the same again only after a while.
    fn may_start(&mut self, network: &NetworkId, operation: Operation) -> bool {
        let free = match self.recent.get(network) {
            None => true,
            Some((_, None)) => false,
            Some((recent, Some(_))) => *recent != operation,
        };
        if free {
            self.recent.insert(network.clone(), (operation, None));
        }
        free
    }
}

impl Done {
    fn new(network: NetworkId, operation: Operation, outcome: Result<(), docker::Error>) -> Self {
        let worked = outcome.is_ok();
        match outcome {
            Ok(()) => tracing::info!(
                network = network.short(),
                ?operation,
                "tunnel's networks changed"
            ),
            Err(error) => {
                tracing::warn!(network = network.short(), ?operation, %error, "tunnel's networks not changed");
            }
        }
        Self {
            network,
            operation,
            worked,
        }
    }
}
