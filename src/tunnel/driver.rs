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
use super::{Error, image, join};
use crate::core::engine_state::EngineState;
use crate::core::id::{ContainerId, Instance, NetworkId};
use crate::core::label;
use crate::core::map::NetworkMap;
use crate::core::membership;
use crate::core::tunnel_state::{Stage, TunnelState};
use crate::docker::Client;

/// How long a tunnel that is up may stay unseen in the map before it counts as gone.
const UNSEEN: Duration = Duration::from_secs(5);
/// First and longest pause between attempts to bring the tunnel up.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// For the last round of leaving and removing.
const FAREWELL: Duration = Duration::from_secs(20);
/// Seconds that the tunnel may take to stop by itself, as its program does.
const STOP_GRACE: i32 = 4;

/// What is to be known to run a tunnel.
#[derive(Clone, Debug)]
pub struct Driver {
    /// The engine.
    pub client: Client,
    /// Whose tunnel it is.
    pub instance: Instance,
    /// An image to use instead of the built-in one.
    pub image: Option<String>,
    /// From the watcher: what kind of machine the engine is on.
    pub engine: watch::Receiver<EngineState>,
    /// From the watcher.
    pub map: watch::Receiver<Arc<NetworkMap>>,
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
        let mut tunnel = None;
        tokio::select! {
            // First, because the map's channel closes at the same time.
            biased;
            () = stop.cancelled() => {}
            () = self.drive(&state, &mut tunnel) => {}
        }
        let farewell = tokio::time::timeout(FAREWELL, self.farewell(tunnel)).await;
        if farewell.is_err() {
            tracing::warn!(
                "engine too slow to say goodbye to; `dockline clean` removes what stays"
            );
        }
        state.send_replace(TunnelState::default());
        farewell.ok().flatten()
    }

    async fn drive(&mut self, state: &watch::Sender<TunnelState>, current: &mut Option<Tunnel>) {
        let mut pause = FIRST_PAUSE;
        loop {
            state.send_modify(|s| s.stage = Stage::Starting);
            match self.bring_up().await {
                Ok(tunnel) => {
                    pause = FIRST_PAUSE;
                    state.send_replace(running(&tunnel));
                    tracing::info!(address = %tunnel.socks.address, "tunnel up");
                    let tunnel = current.insert(tunnel);
                    self.keep(tunnel).await;
                    tracing::warn!("tunnel is gone; making a new one");
                }
                Err(error) => {
                    let problem = format!("{:#}", anyhow::Error::new(error));
                    tracing::warn!(%problem, "tunnel not up; trying again");
                    state.send_modify(|s| {
                        s.stage = Stage::Failed;
                        s.problem = Some(problem);
                        s.socks = None;
                    });
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    async fn bring_up(&mut self) -> Result<Tunnel, Error> {
        // The service ends before this channel does.
        let known = self.engine.wait_for(|e| e.connected).await;
        let info = known.ok().and_then(|e| e.info.clone()).unwrap_or_default();
        let image = image::ensure(&self.client, &info.arch, self.image.as_deref()).await?;
        container::ensure(&self.client, &self.instance, &image).await
    }

    /// Joins and leaves until the tunnel is gone.
    async fn keep(&mut self, tunnel: &Tunnel) {
        let mut operations = Operations::default();
        let mut seen = false;
        let unseen = Instant::now() + UNSEEN;
        loop {
            let map = Arc::clone(&self.map.borrow_and_update());
            let there = map.tunnel().is_some_and(|t| t.container.id == tunnel.id);
            if !there && (seen || Instant::now() >= unseen) {
                return;
            }
            seen |= there;
            if there {
                let plan = membership::plan(&map, &tunnel.home);
                operations.start(&plan, self, &map, &tunnel.id);
            }
            let wake = operations
                .next_wake()
                .into_iter()
                .chain((!seen).then_some(unseen))
                .min();
            tokio::select! {
                changed = self.map.changed() => if changed.is_err() { return },
                () = operations.next_done() => {}
                () = sleep_until(wake) => {}
            }
        }
    }

    /// Leaves every network that no injected container needs; removes tunnel and home if none ever will.
    async fn farewell(&self, tunnel: Option<Tunnel>) -> Option<Leftover> {
        let tunnel = tunnel?;
        let map = Arc::clone(&self.map.borrow());
        let injected =
            |k: &&crate::core::inventory::Known| k.container.labels.contains_key(label::UNDO);
        let count = map.watched_containers().filter(injected).count();
        if count == 0 {
            self.remove(&tunnel).await;
            return None;
        }
        let needed = |id: &NetworkId| {
            let users = map.watched_containers().filter(injected);
            *id == tunnel.home
                || users
                    .into_iter()
                    .any(|k| k.container.endpoint(id).is_some())
        };
        for network in map.joined().filter(|id| !needed(id)) {
            if let Err(error) = join::leave(&self.client, &tunnel.id, network).await {
                tracing::warn!(network = network.short(), %error, "network not left");
            }
        }
        Some(Leftover {
            tunnel: tunnel.id,
            injected: count,
        })
    }

    async fn remove(&self, tunnel: &Tunnel) {
        let gone = async {
            self.client.stop(&tunnel.id, STOP_GRACE).await?;
            self.client.remove(tunnel.id.as_str()).await?;
            self.client.remove_network(tunnel.home.as_str()).await
        };
        if let Err(error) = gone.await {
            tracing::warn!(%error, "tunnel not removed; `dockline clean` does it");
        }
    }
}

fn running(tunnel: &Tunnel) -> TunnelState {
    TunnelState {
        stage: Stage::Running,
        container: Some(tunnel.id.clone()),
        image: Some(tunnel.image.clone()),
        socks: Some(tunnel.socks.clone()),
        problem: tunnel.loss.clone(),
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
