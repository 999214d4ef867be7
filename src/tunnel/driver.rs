//! Keeps the tunnel up, and on the networks where it is wanted.
//!
//! Level-triggered: at every change of the map the plan is made anew and what is not under way is started. What an
//! operation did is learnt from the map, like everything else.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::container::{self, Tunnel};
use super::operations::Operations;
use super::returns::Returns;
use super::stages::{describe, failed, running};
use super::succession::Formers;
use super::{Asked, Error, guest, home, image, join};
use crate::core::engine_state::EngineState;
use crate::core::id::{ContainerId, Instance, NetworkId};
use crate::core::inventory::Known;
use crate::core::label;
use crate::core::map::NetworkMap;
use crate::core::membership::{self, Leases};
use crate::core::tunnel_state::{Stage, TunnelState};
use crate::docker::Client;

/// How long a tunnel that is up may stay unseen in the map before it counts as gone.
const UNSEEN: Duration = Duration::from_secs(5);
/// First and longest pause between attempts to bring the tunnel up. A busy engine may take seconds to remove a home that
/// somebody took away, and so long shows it and refuses it: nobody should wait much longer for the next attempt.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// For the last round of leaving and removing.
const FAREWELL: Duration = Duration::from_secs(20);

/// What is to be known to run a tunnel.
#[derive(Clone, Debug)]
pub struct Driver {
    /// The engine.
    pub client: Client,
    /// Whose tunnel it is.
    pub instance: Instance,
    /// Who we are, as the link says it to the tunnel.
    pub owner: String,
    /// An image to use instead of the built-in one.
    pub image: Option<String>,
    /// From the watcher: what kind of machine the engine is on.
    pub engine: watch::Receiver<EngineState>,
    /// From the watcher.
    pub map: watch::Receiver<Arc<NetworkMap>>,
    /// From the API proxy.
    pub leases: watch::Receiver<Leases>,
}

/// What stays in the engine when the service ends, because containers depend on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    /// The tunnel's container.
    pub tunnel: ContainerId,
    /// How many containers, running or stopped, were injected with it.
    pub injected: usize,
}

impl Driver {
    /// Runs until told to stop, then leaves what can be left. Reports to `state`.
    pub async fn run(
        mut self,
        state: watch::Sender<TunnelState>,
        stop: CancellationToken,
    ) -> Option<Leftover> {
        // A bring-up under way comes to its end first: what it asked the engine for is made all the same, and is to go.
        tokio::select! {
            () = self.drive(&state, &stop) => {}
            () = past(&stop, FAREWELL) => {}
        }
        let leftover = self.leave(Instant::now() + FAREWELL).await;
        state.send_replace(TunnelState::default());
        leftover.unwrap_or_else(|problem| {
            tracing::warn!(error = %problem, "tunnel not removed; `dockline clean` does it");
            None
        })
    }

    /// Takes leave, again and again until `deadline` while the engine answers but refuses: what it refuses now (a
    /// network whose last endpoint is on its way out) it may grant at once.
    async fn leave(&self, deadline: Instant) -> Result<Option<Leftover>, String> {
        loop {
            let problem = match tokio::time::timeout_at(deadline, self.farewell()).await {
                Ok(Ok(leftover)) => return Ok(leftover),
                Ok(Err(error)) if !error.is_refusal() => return Err(describe(error)),
                Ok(Err(error)) => describe(error),
                Err(_) => return Err("the engine takes too long".to_owned()),
            };
            if Instant::now() + FIRST_PAUSE >= deadline {
                return Err(problem);
            }
            tracing::debug!(error = %problem, "tunnel not removed; trying again");
            tokio::time::sleep(FIRST_PAUSE).await;
        }
    }

    async fn drive(&mut self, state: &watch::Sender<TunnelState>, stop: &CancellationToken) {
        let mut pause = FIRST_PAUSE;
        // Not before the map is complete: it says whether the tunnel is there.
        while until(stop, self.engine.wait_for(|e| e.synced))
            .await
            .is_some()
        {
            state.send_modify(|s| {
                // A failure stays in sight while it is being mended.
                s.stage = if s.stage == Stage::Failed {
                    Stage::Failed
                } else {
                    Stage::Starting
                };
            });
            match self.bring_up().await {
                Ok(tunnel) => {
                    pause = FIRST_PAUSE;
                    state.send_replace(running(&tunnel));
                    tracing::info!(address = %tunnel.socks.address, "tunnel up");
                    if until(stop, self.keep(&tunnel, state)).await.is_some() {
                        state.send_replace(TunnelState::default());
                        tracing::warn!("tunnel has gone; bringing it up again");
                    }
                }
                Err(error) => {
                    failed(state, error);
                    let mut returns = Returns::of(&self.engine);
                    let rested = tokio::time::timeout(pause, returns.next());
                    pause = match until(stop, rested).await {
                        Some(Ok(())) => FIRST_PAUSE,
                        _ => (pause * 2).min(LONGEST_PAUSE),
                    };
                }
            }
        }
    }

    async fn bring_up(&self) -> Result<Tunnel, Error> {
        let info = self.engine.borrow().info.clone().unwrap_or_default();
        // First, because without it there is no use for the rest.
        let image = image::ensure(&self.client, &info.arch, self.image.as_deref()).await?;
        let home = home::ensure(&self.client, &self.instance).await?;
        let guest = guest::join(&self.client, &home.id).await?;
        let tunnel = container::ensure(container::Plan {
            client: &self.client,
            instance: &self.instance,
            image: &image,
            home: &home,
            guest,
        })
        .await?;
        if let Some(other) = tunnel.owner.as_ref().filter(|o| **o != self.owner) {
            return Err(Error::Owned(other.clone()));
        }
        if tunnel.is_nameless {
            self.take_over(&tunnel).await?;
        }
        Ok(tunnel)
    }

    /// Joins and leaves until the tunnel is gone, or not the same any more: started anew it may answer elsewhere.
    async fn keep(&mut self, tunnel: &Tunnel, state: &watch::Sender<TunnelState>) {
        let mut operations = Operations::default();
        let mut formers = Formers::new(&tunnel.former);
        let mut returns = Returns::of(&self.engine);
        let mut incarnation: Option<String> = None;
        let unseen = Instant::now() + UNSEEN;
        let mut is_back = true;
        loop {
            let map = Arc::clone(&self.map.borrow_and_update());
            match (
                membership::at_home(&map, &tunnel.id, &tunnel.home),
                &incarnation,
            ) {
                (None, Some(_)) => return,
                (None, None) if Instant::now() >= unseen => return,
                (Some(endpoint), Some(known)) if !endpoint.is_empty() && endpoint != known => {
                    return;
                }
                (Some(endpoint), None) if !endpoint.is_empty() => {
                    incarnation = Some(endpoint.to_owned());
                }
                _ => {}
            }
            if incarnation.is_some() {
                let plan = {
                    let leases = self.leases.borrow_and_update();
                    membership::plan(&map, &tunnel.home, &leases)
                };
                if std::mem::take(&mut is_back) {
                    let joined = map.joined_by(&tunnel.id);
                    operations.doubt(joined.filter(|id| **id != tunnel.home));
                }
                operations.start(&plan, self, &map, &tunnel.id);
                state.send_if_modified(|s| operations.report(&map, s));
            }
            formers.step(self, &map, &tunnel.home);
            let unseen = incarnation.is_none().then_some(unseen);
            let wakes = [operations.next_wake(), formers.next_wake(), unseen];
            let wake = wakes.into_iter().flatten().min();
            tokio::select! {
                // Whoever wrote them may end before the tunnel does, and says nothing of the tunnel by that.
                Ok(()) = self.map.changed() => {}
                Ok(()) = self.leases.changed() => {}
                () = operations.next_done() => {}
                () = formers.next_done() => {}
                () = returns.next() => {
                    is_back = true;
                    operations.forgive();
                    formers.forgive();
                }
                () = sleep_until(wake) => {}
            }
        }
    }

    /// Leaves every network that no injected container needs; removes tunnel and home if none ever will. Asks the
    /// engine, not the map: what a bring-up left half-way is to go, too.
    async fn farewell(&self) -> Result<Option<Leftover>, Error> {
        let owner = container::owner(&self.client, &self.instance).await?;
        guest::leave(&self.client, &self.instance).await?;
        if owner.is_some_and(|owner| owner != self.owner) {
            return Ok(None);
        }
        let own = format!("{}={}", label::INSTANCE, self.instance);
        let injected = self.client.labelled_containers(&[&own, label::UNDO]).await;
        let injected = injected.asked("list containers")?.len();
        if injected == 0 {
            container::remove(&self.client, &self.instance).await?;
            return Ok(None);
        }
        let map = Arc::clone(&self.map.borrow());
        let Some(tunnel) = map.tunnel().map(|k| k.container.id.clone()) else {
            return Ok(None);
        };
        let home = map
            .networks()
            .values()
            .find(|v| v.network().name == self.instance.home_name());
        let home = home.map_or_else(|| NetworkId::from(""), |view| view.network().id.clone());
        let depends = |k: &Known| k.container.labels.contains_key(label::UNDO);
        for known in map.tunnels() {
            let container = &known.container;
            for network in membership::farewell(&map, container, &home, depends) {
                let left = join::leave(&self.client, &container.id, &network).await;
                left.asked("leave a network")?;
            }
        }
        Ok(Some(Leftover { tunnel, injected }))
    }
}

/// What `work` gives, or nothing if the end comes first.
async fn until<T>(stop: &CancellationToken, work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        () = stop.cancelled() => None,
        done = work => Some(done),
    }
}

/// Waits for the end, and then for so long again.
async fn past(stop: &CancellationToken, grace: Duration) {
    stop.cancelled().await;
    tokio::time::sleep(grace).await;
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
