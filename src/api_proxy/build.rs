//! BuildKit's calls, over the HTTP/2 that clients speak with the engine: RUN steps become intercepted ones.
//!
//! ```text
//! client ─► forward ─┬─ LLBBridge/Solve ─► solve ────┐
//!                    ├─ Control/Solve ───► control ──┤ core::llb, calls of our own
//!                    └─ all else ────────► stream    ▼
//!                                            └────────────────────────► engine
//! ```
//!
//! Streams pass as they are, trailers, resets and flow control included. Whatever is not as expected goes on as the client
//! sent it: a build that is not intercepted is better than none. dockline's log says so, and the build's own output if it
//! was under way by then.

mod builder;
mod calls;
mod control;
mod forward;
mod marks;
mod solve;
pub(super) mod stdcopy;
mod stream;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OnceCell, watch};
use tracing::debug;

use super::{Shared, entry};
use crate::core::inject::{Attached, Entry};
use crate::core::llb::{self, Fetching, Malformed, StepInjection};
use crate::docker;

pub(super) use builder::{Builder, builder, is_spoken};
pub(super) use forward::{PREFACE, carry};

use marks::Marks;

/// The largest message that is read whole. Engines take 16 MiB at most; a longer one passes as it is.
const LARGEST: usize = 16 * 1024 * 1024;

/// Why something of a build is not intercepted.
#[derive(Debug, thiserror::Error)]
enum Obstacle {
    #[error(transparent)]
    Malformed(#[from] Malformed),
    #[error(transparent)]
    Entry(#[from] entry::Obstacle),
    #[error("the engine has no default bridge, where the tunnel would be reached")]
    NoBridge,
    #[error("{0}")]
    Unexpected(&'static str),
    #[error("the engine refused the intercepted build graph: {0}")]
    Refused(String),
    #[error("the engine did not answer: {0}")]
    Broken(#[from] h2::Error),
    #[error("its container is not known: {0}")]
    Container(#[from] docker::Error),
}

/// What the calls of one connection have in common.
#[derive(Debug)]
struct Context {
    shared: Arc<Shared>,
    engine: h2::client::SendRequest<bytes::Bytes>,
    /// Where the entry is, for steps of a builder in a container.
    builder: Option<SocketAddr>,
    marks: Marks,
    /// Whether the engine asks a proxy for what it fetches, once that was asked.
    goes_by_proxy: OnceCell<bool>,
    /// As long as it is there, callers whom nobody knows are builds.
    building: Mutex<Option<Building>>,
}

impl Context {
    /// A graph that is intercepted; nothing if it asks for nothing. `contexts`: sources that stay as they are, if not all
    /// of them do.
    async fn edited(
        &self,
        graph: &[u8],
        contexts: Option<BTreeSet<String>>,
    ) -> Result<Option<Vec<u8>>, Obstacle> {
        let asking = llb::asking(graph)?;
        // What a builder in a container has for a proxy, nobody here knows.
        let is_engine = self.builder.is_none();
        let mut contexts = contexts.filter(|_| asking.sources && is_engine);
        if contexts.is_some() && self.engine_goes_by_proxy().await {
            tracing::warn!(
                "what a build adds by URL is not intercepted: the engine has a proxy, which it would ask for the tunnel"
            );
            contexts = None;
        }
        if !asking.steps && contexts.is_none() {
            return Ok(None);
        }
        Ok(llb::rewrite(graph, &self.injection(contexts).await?)?)
    }

    /// What steps get; the tunnel is where they reach it by then.
    async fn injection(
        &self,
        contexts: Option<BTreeSet<String>>,
    ) -> Result<StepInjection, Obstacle> {
        let shared = &self.shared;
        let entry = match self.builder {
            Some(entry) => entry,
            None => match entry::of(shared, Attached::DefaultBridge).await? {
                Entry::Address(entry) => entry,
                Entry::Name(_) => return Err(Obstacle::NoBridge),
            },
        };
        let mut building = self.building.lock().unwrap_or_else(PoisonError::into_inner);
        building.get_or_insert_with(|| Building::new(&shared.builds));
        Ok(StepInjection {
            instance: shared.instance.clone(),
            address: entry.ip(),
            files: shared.step_files.get(),
            intercept_loopback: shared.intercept_loopback,
            fetching: contexts.map(|except| Fetching {
                entry,
                except,
                pass_through: shared.pass_through.clone(),
            }),
        })
    }

    /// If that cannot be found out, it may.
    async fn engine_goes_by_proxy(&self) -> bool {
        let ask = async || {
            let asked = self.shared.client.goes_by_proxy().await;
            asked.unwrap_or_else(|error| {
                debug!(%error, "the engine does not say whether it has a proxy");
                true
            })
        };
        *self.goes_by_proxy.get_or_init(ask).await
    }
}

/// A build under way, for as long as it is held.
#[derive(Debug)]
pub(super) struct Building(watch::Sender<usize>);

impl Building {
    pub(super) fn new(builds: &watch::Sender<usize>) -> Self {
        builds.send_modify(|count| *count += 1);
        Self(builds.clone())
    }
}

impl Drop for Building {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count = count.saturating_sub(1));
    }
}
