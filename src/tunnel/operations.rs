//! Joins and leaves under way: what a plan asks for is started once, and not again before the map could show it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use super::driver::Driver;
use super::join;
use crate::core::id::{ContainerId, NetworkId};
use crate::core::map::NetworkMap;
use crate::core::membership::{self, Leases, Plan};
use crate::core::tunnel_state::TunnelState;
use crate::docker;

/// How long an operation that worked may stay unseen in the map before it is tried again.
const UNSEEN: Duration = Duration::from_secs(5);
/// First and longest pause after an operation that failed.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What is to be done, or was, about a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    Join,
    Leave,
    /// It is looked whether the tunnel is there, and it joins if it is not.
    Confirm,
}

/// How an operation ended.
struct Done {
    network: NetworkId,
    operation: Operation,
    outcome: Result<(), docker::Error>,
}

/// At most one operation a network; each is not repeated until the map had time to show it.
#[derive(Default)]
pub(super) struct Operations {
    running: JoinSet<Done>,
    /// `None` while it runs, then until when the same is not tried again.
    recent: BTreeMap<NetworkId, (Operation, Option<Instant>)>,
    failures: BTreeMap<NetworkId, Failure>,
    /// Where the engine says that the tunnel is, and may be wrong.
    doubted: BTreeSet<NetworkId>,
    /// Where the engine went away in the middle of a join or leave.
    half_done: BTreeSet<NetworkId>,
}

/// What went wrong with a network, again and again.
struct Failure {
    operation: Operation,
    reason: String,
    pause: Duration,
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
        self.forget_seen(map, tunnel);
        // First: what is not there cannot be left either.
        self.confirm(driver, map, tunnel);
        for network in &plan.leave {
            if self.may_start(network, Operation::Leave) {
                let (client, tunnel, network) =
                    (driver.client.clone(), tunnel.clone(), network.clone());
                self.running.spawn(async move {
                    let outcome = join::leave(&client, &tunnel, &network).await;
                    Done {
                        network,
                        operation: Operation::Leave,
                        outcome,
                    }
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
                    Done {
                        network,
                        operation: Operation::Join,
                        outcome,
                    }
                });
            }
        }
    }

    /// Has it confirmed that the tunnel is where the engine lists it.
    ///
    /// An engine that is killed while the tunnel leaves a network, or joins it, and whose containers live on, may list the
    /// tunnel there for good without an endpoint, and refuses that it leaves. Once it has joined it can. Or both list it,
    /// and it reaches nobody there: where the engine went away half-way it leaves and joins again, which cuts nobody off.
    pub(super) fn doubt<'a>(&mut self, joined: impl Iterator<Item = &'a NetworkId>) {
        self.doubted.extend(joined.cloned());
        self.half_done
            .retain(|network| self.doubted.contains(network));
    }

    fn confirm(&mut self, driver: &Driver, map: &NetworkMap, tunnel: &ContainerId) {
        let joined: BTreeSet<_> = map.joined_by(tunnel).collect();
        for network in std::mem::take(&mut self.doubted) {
            let view = map.networks().get(&network).cloned();
            let Some(view) = view.filter(|_| joined.contains(&network)) else {
                continue;
            };
            // What was just done is to be seen first.
            if self.recent.contains_key(&network) {
                self.doubted.insert(network);
                continue;
            }
            self.recent
                .insert(network.clone(), (Operation::Confirm, None));
            let (client, tunnel) = (driver.client.clone(), tunnel.clone());
            let alias = driver.instance.tunnel_name();
            let half_done = self.half_done.contains(&network);
            self.running.spawn(async move {
                let outcome = if half_done {
                    join::again(&client, &tunnel, &alias, view.network()).await
                } else {
                    join::confirm(&client, &tunnel, &alias, view.network()).await
                };
                Done {
                    network,
                    operation: Operation::Confirm,
                    outcome,
                }
            });
        }
    }

    /// Waits for an operation to end; for ever, if none is under way.
    pub(super) async fn next_done(&mut self) {
        let Done {
            network,
            operation,
            outcome,
        } = match self.running.join_next().await {
            Some(Ok(done)) => done,
            // A panic is a defect: it ends the driver, and with it the service, rather than one network's news.
            Some(Err(error)) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => return std::future::pending().await,
            },
            None => return std::future::pending().await,
        };
        let pause = match outcome {
            Ok(()) if operation == Operation::Confirm => {
                self.failures.remove(&network);
                self.half_done.remove(&network);
                // Whatever is wanted there may start at once.
                self.recent.remove(&network);
                return;
            }
            Ok(()) => {
                self.failures.remove(&network);
                tracing::info!(network = network.short(), "{}", operation.past());
                UNSEEN
            }
            Err(error) => {
                if operation == Operation::Confirm {
                    self.doubted.insert(network.clone());
                } else if matches!(error, docker::Error::Unreachable { .. }) {
                    self.half_done.insert(network.clone());
                }
                self.failed(&network, operation, error.to_string())
            }
        };
        self.recent
            .insert(network, (operation, Some(Instant::now() + pause)));
    }

    /// Notes a failure, and says how long to wait. Says so once, not at every attempt.
    fn failed(&mut self, network: &NetworkId, operation: Operation, reason: String) -> Duration {
        let before = self
            .failures
            .get(network)
            .filter(|f| f.operation == operation);
        let pause = before.map_or(FIRST_PAUSE, |f| {
            (f.pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE)
        });
        if before.is_none_or(|f| f.reason != reason) {
            tracing::warn!(network = network.short(), error = %reason, "not {}; trying again", operation.past());
        }
        self.failures.insert(
            network.clone(),
            Failure {
                operation,
                reason,
                pause,
            },
        );
        pause
    }

    /// Lets what failed be tried again at once: whoever refused it, or was away, has come back.
    pub(super) fn forgive(&mut self) {
        for failure in self.failures.values_mut() {
            failure.pause = Duration::ZERO;
        }
        let failed = |network: &NetworkId| self.failures.contains_key(network);
        self.recent
            .retain(|network, (_, until)| until.is_none() || !failed(network));
    }

    /// Puts the joins that fail, and are still wanted, into the state; true if they differ from what it says.
    pub(super) fn report(&mut self, map: &NetworkMap, state: &mut TunnelState) -> bool {
        let wanted = membership::wanted(map, &Leases::default());
        self.failures
            .retain(|network, f| f.operation == Operation::Leave || wanted.contains(network));
        let joins = self
            .failures
            .iter()
            .filter(|(_, f)| f.operation == Operation::Join);
        let refused = joins
            .map(|(network, f)| (network.clone(), f.reason.clone()))
            .collect();
        let news = state.refused != refused;
        state.refused = refused;
        news
    }

    #[cfg(test)]
    pub(super) fn is_busy(&self) -> bool {
        !self.running.is_empty()
    }

    /// When something that was put off may be tried again.
    pub(super) fn next_wake(&self) -> Option<Instant> {
        self.recent.values().filter_map(|(_, until)| *until).min()
    }

    /// What the map shows, or has had time to show, is no longer recent.
    fn forget_seen(&mut self, map: &NetworkMap, tunnel: &ContainerId) {
        let now = Instant::now();
        let joined: BTreeSet<_> = map.joined_by(tunnel).collect();
        self.recent.retain(|network, (operation, until)| {
            let shown = match operation {
                Operation::Join => joined.contains(network),
                Operation::Leave => !joined.contains(network),
                Operation::Confirm => false,
            };
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

impl Operation {
    fn past(self) -> &'static str {
        match self {
            Self::Join => "network joined",
            Self::Leave => "network left",
            Self::Confirm => "network confirmed",
        }
    }
}
