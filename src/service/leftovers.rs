//! What `attach` or `detach` left half-way when it died, settled as soon as the engine is there.

use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::core::engine_state::EngineState;
use crate::core::id::Instance;
use crate::docker::Client;
use crate::recreate::{Error, Recreation};
use crate::runtime_dir;

/// Until the command that is at it may be through, or the engine willing.
const AGAIN: Duration = Duration::from_secs(1);
/// For what is being settled when the service stops.
const GRACE: Duration = Duration::from_secs(20);

/// See the module.
#[derive(Debug)]
pub(super) struct Leftovers {
    pub(super) client: Client,
    pub(super) instance: Instance,
    /// Where its lock is.
    pub(super) folder: PathBuf,
    /// From the watcher: whether the engine is there.
    pub(super) engine: watch::Receiver<EngineState>,
}

impl Leftovers {
    /// Settles them whenever the engine comes, until `stop`. One that is being settled is settled to the end, unless the
    /// engine takes too long for that: the next service or command goes on with it.
    pub(super) async fn settle(self, stop: CancellationToken) {
        let too_long = async {
            stop.cancelled().await;
            tokio::time::sleep(GRACE).await;
        };
        tokio::select! {
            () = self.keep_settled(&stop) => {}
            () = too_long => warn!("containers left half-way are not settled: the engine takes too long"),
        }
    }

    async fn keep_settled(mut self, stop: &CancellationToken) {
        while self.engine_is(true, stop).await {
            while !self.try_settle().await {
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(AGAIN) => {}
                }
                if !self.engine.borrow().synced {
                    break;
                }
            }
            if !self.engine_is(false, stop).await {
                return;
            }
        }
    }

    /// Waits until the engine is there, or is not; false at the end.
    async fn engine_is(&mut self, there: bool, stop: &CancellationToken) -> bool {
        let watcher = async {
            let seen = self.engine.wait_for(|engine| engine.synced == there);
            seen.await.is_ok()
        };
        let seen = stop.run_until_cancelled(watcher).await;
        if seen == Some(false) {
            // Without a watcher everything is about to end.
            stop.cancelled().await;
        }
        seen == Some(true)
    }

    async fn try_settle(&self) -> bool {
        // A command that is at it settles before it begins, and what it began may need another round.
        let Ok(_alone) = runtime_dir::claim_recreation(&self.folder, &self.instance) else {
            return false;
        };
        let recreation = Recreation {
            engine: &self.client,
            starter: &self.client,
            instance: &self.instance,
            progress: &|name, what| debug!(name, what),
        };
        match recreation.settle_all().await {
            Ok(settled) => {
                for name in settled {
                    info!(name, "a container that was left half-way is settled");
                }
                true
            }
            Err(Error::Engine(action, error)) => {
                warn!(action, %error, "containers left half-way are not settled; trying again");
                false
            }
            Err(error) => {
                warn!(%error, "containers left half-way are not settled");
                true
            }
        }
    }
}
