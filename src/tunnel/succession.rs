//! One tunnel comes beside another, takes its name, and the former one ends when its last caller has left.
//!
//! What containers know survives it: the name moves from container to container at once, without touching a connection; and a former
//! tunnel stays for as long as there is a container that knows one of its addresses. Its connections are its own: it ends
//! by itself when it has none any more.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use super::adopt::adopt;
use super::container::{HOME, Plan, Started, Tunnel, inspect};
use super::driver::Driver;
use super::operations::Operations;
use super::{Asked, Error, join};
use crate::core::adoption::Fate;
use crate::core::id::{ContainerId, Instance, NetworkId};
use crate::core::inventory::RunState;
use crate::core::label::{INSTANCE, ROLE, ROLE_TUNNEL};
use crate::core::map::NetworkMap;
use crate::core::membership::{self, dependants, given_up_by};
use crate::docker::client::{HomeAddresses, TunnelFacts};
use crate::docker::{self, Client};

/// Before something that the engine refused is tried again.
const AGAIN: Duration = Duration::from_secs(2);

/// The tunnels that are there when one is wanted.
pub(super) struct Standing {
    /// The one to use, if it need not be made.
    pub(super) started: Option<Started>,
    /// Those in whose place it comes, or has come.
    pub(super) former: Vec<ContainerId>,
    /// The places at home that are not free.
    pub(super) taken: Vec<HomeAddresses>,
}

/// Looks at all tunnels of the instance, and adopts one if it can.
pub(super) async fn look(plan: Plan<'_>) -> Result<Standing, Error> {
    let (name, next) = (
        plan.instance.tunnel_name(),
        plan.instance.next_tunnel_name(),
    );
    let mut standing = Standing {
        started: None,
        former: Vec::new(),
        taken: Vec::new(),
    };
    if let Some(facts) = named(plan.client, &name).await? {
        match adopt(plan, &facts).await? {
            (Fate::Succeeded, _) => standing.keep(plan, &facts.id, facts.environment.get(HOME)),
            (_, started) => standing.started = started,
        }
    }
    // One that was made, and did not come to take the name.
    if standing.started.is_none()
        && let Some(facts) = named(plan.client, &next).await?
    {
        let (fate, started) = adopt(plan, &facts).await?;
        if fate == Fate::Succeeded {
            // Another is to be made by that name.
            put_aside(plan.client, plan.instance, &facts).await?;
        }
        standing.started = started;
    }
    let own = format!("{INSTANCE}={}", plan.instance);
    let role = format!("{ROLE}={ROLE_TUNNEL}");
    let all = plan.client.labelled_containers(&[&own, &role]).await;
    for other in all.asked("list tunnels")? {
        let is_used = standing.started.as_ref();
        let is_used = is_used.is_some_and(|s| s.id.as_str() == other.id);
        let id = ContainerId::from(&other.id);
        if is_used || standing.former.contains(&id) {
            continue;
        }
        if let Some(facts) = inspect(plan.client, &other.id).await? {
            standing.keep(plan, &facts.id, facts.environment.get(HOME));
        }
    }
    Ok(standing)
}

/// The tunnel of that name.
async fn named(client: &Client, name: &str) -> Result<Option<TunnelFacts>, Error> {
    let facts = inspect(client, name).await?;
    let is_tunnel =
        |facts: &TunnelFacts| facts.labels.get(ROLE).map(String::as_str) == Some(ROLE_TUNNEL);
    if facts.as_ref().is_some_and(|facts| !is_tunnel(facts)) {
        return Err(Error::NameTaken(name.to_owned()));
    }
    Ok(facts)
}

/// Gives a tunnel the name of those in whose place another comes.
async fn put_aside(client: &Client, instance: &Instance, facts: &TunnelFacts) -> Result<(), Error> {
    let aside = instance.former_tunnel_name(&ContainerId::from(&facts.id));
    let renamed = client.rename(&facts.id, &aside).await;
    renamed.asked("rename the former tunnel")
}

impl Standing {
    fn keep(&mut self, plan: Plan<'_>, id: &str, addresses: Option<&String>) {
        self.former.push(ContainerId::from(id));
        self.taken.extend(plan.home.place(addresses));
    }
}

impl Driver {
    /// Lets a tunnel take the name by which containers know it, once it is wherever it may be called by that.
    ///
    /// Between the two renamings nobody has the name: for as long as the engine takes for one, once in an upgrade.
    pub(super) async fn take_over(&self, tunnel: &Tunnel) -> Result<(), Error> {
        let name = self.instance.tunnel_name();
        let map = Arc::clone(&self.map.borrow());
        let wanted = membership::wanted(&map, &self.leases.borrow());
        for network in wanted.iter().filter_map(|id| map.networks().get(id)) {
            let network = network.network();
            if let Err(error) = join::join(&self.client, &tunnel.id, &name, network).await {
                // It is tried again when the tunnel is up.
                tracing::warn!(network = %network.name, %error, "successor not joined yet");
            }
        }
        if let Some(former) = inspect(&self.client, &name).await? {
            put_aside(&self.client, &self.instance, &former).await?;
        }
        let renamed = self.client.rename(tunnel.id.as_str(), &name).await;
        renamed.asked("give the tunnel its name")?;
        tracing::info!("a tunnel of another version has a successor; it ends with its last caller");
        Ok(())
    }
}

/// The former tunnels of an instance, on their way out.
#[derive(Default)]
pub(super) struct Formers {
    all: Vec<Former>,
    /// What the engine is being asked for.
    running: JoinSet<()>,
}

struct Former {
    id: ContainerId,
    operations: Operations,
    /// Until when nothing is asked again, once it was.
    pause: Option<Instant>,
}

/// Removes one that has ended as it was told to. Any other that is down may have callers that know its address: it runs again.
async fn remove(client: &Client, id: &ContainerId) -> Result<(), docker::Error> {
    match client.inspect_tunnel(id.as_str()).await? {
        Some(facts) if facts.restarts => client.start(id).await,
        _ => {
            client.remove(id.as_str()).await?;
            tracing::info!(container = id.short(), "former tunnel removed");
            Ok(())
        }
    }
}

impl Former {
    /// Whether it is to be asked now to go. One that is needed is not looked at again before somebody leaves.
    fn is_due(&mut self, is_needed: bool, now: Instant) -> bool {
        if self.pause.is_some_and(|until| is_needed || until <= now) {
            self.pause = None;
        }
        let due = !is_needed && self.pause.is_none();
        if due {
            self.pause = Some(now + AGAIN);
        }
        due
    }
}

impl Formers {
    pub(super) fn new(ids: &[ContainerId]) -> Self {
        let former = |id: &ContainerId| Former {
            id: id.clone(),
            operations: Operations::default(),
            pause: None,
        };
        Self {
            all: ids.iter().map(former).collect(),
            running: JoinSet::new(),
        }
    }

    /// Has each leave where it is not wanted, end when nobody depends on it, and go when it has ended.
    pub(super) fn step(&mut self, driver: &Driver, map: &NetworkMap, home: &NetworkId) {
        let now = Instant::now();
        self.all.retain(|f| map.containers().get(&f.id).is_some());
        for former in &mut self.all {
            let Some(known) = map.containers().get(&former.id) else {
                continue;
            };
            // One that is down leaves nothing, and yet is to forget what it has left.
            let is_running = known.container.state == RunState::Running;
            let leave =
                is_running.then(|| given_up_by(map, &former.id, home, &driver.leases.borrow()));
            let plan = membership::Plan {
                leave: leave.unwrap_or_default(),
                ..Default::default()
            };
            former.operations.start(&plan, driver, map, &former.id);
            let is_needed = dependants(map, &former.id).next().is_some();
            if !former.is_due(is_needed, now) {
                continue;
            }
            let (client, id) = (driver.client.clone(), former.id.clone());
            let is_up = known.container.state.is_up();
            self.running.spawn(async move {
                let done = if is_up {
                    client.retire(&id).await
                } else {
                    remove(&client, &id).await
                };
                if let Err(error) = done {
                    tracing::warn!(container = id.short(), %error, "former tunnel not removed yet");
                }
            });
        }
    }

    /// Lets what failed be tried again at once.
    pub(super) fn forgive(&mut self) {
        for former in &mut self.all {
            former.pause = None;
            former.operations.forgive();
        }
    }

    /// Waits for something to end that was begun; for ever, if nothing was.
    pub(super) async fn next_done(&mut self) {
        let operations = self
            .all
            .iter_mut()
            .map(|f| Box::pin(f.operations.next_done()));
        let mut operations: Vec<_> = operations.collect();
        let left = async {
            if operations.is_empty() {
                return std::future::pending().await;
            }
            futures_util::future::select_all(operations.drain(..)).await;
        };
        let told = async {
            match self.running.join_next().await {
                Some(Ok(())) => {}
                Some(Err(error)) => match error.try_into_panic() {
                    Ok(panic) => std::panic::resume_unwind(panic),
                    Err(_) => std::future::pending().await,
                },
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = left => {}
            () = told => {}
        }
    }

    /// When something is to be looked at again.
    pub(super) fn next_wake(&self) -> Option<Instant> {
        let wakes = self
            .all
            .iter()
            .flat_map(|f| [f.pause, f.operations.next_wake()]);
        wakes.flatten().min()
    }
}

#[cfg(test)]
mod tests;
