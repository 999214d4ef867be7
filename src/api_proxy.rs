//! The Docker API as intercepted clients see it: the engine's own, but that what they create is intercepted.
//!
//! ```text
//! client ─► head ─► calls::decide ─┬─ refuse                       (an answer of ours)
//!                    core::rewrite │
//!                                  └─ pass, changed or not ─► exchange ─► engine
//!                                                                │
//!                                     request and answer at once, byte for byte, each way at its own pace
//! ```
//!
//! On connections that builds are asked for on, `build` looks at each call instead; contexts of the classic builder go
//! through `classic`.
//!
//! What is not dockline's business passes as the very bytes, and what becomes a stream stays one. A client has a
//! connection to the engine of its own, so that the engine sees what it would see without us: requests in their order,
//! half-closed and vanished clients.

mod build;
mod calls;
mod classic;
mod conversation;
mod entry;
mod exchange;
mod head;
mod leases;
mod listen;
mod of_authority;
mod reply;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub use listen::{ApiProxy, Error};
use of_authority::OfAuthority;

use crate::core::host_pattern::HostPattern;
use crate::core::id::Instance;
use crate::core::inject::Authority;
use crate::core::label::Labels;
use crate::core::llb::StepFiles;
use crate::core::map::NetworkMap;
use crate::core::membership::Leases;
use crate::core::trust::{self, Ca, Origin};
use crate::core::tunnel_state::TunnelState;
use crate::counts::Counts;
use crate::docker::{self, Client, Endpoint};
use crate::tasks::Tasks;

/// Where engines listen on machines of their own.
const ENGINE_SOCKET: &str = "/var/run/docker.sock";

/// For the tunnel, or its image, to be there: they are made as soon as the service is connected.
const TUNNEL: Duration = Duration::from_secs(10);

/// What the API proxy reads, and where it says what it needs.
#[derive(Clone, Debug)]
pub struct View {
    /// From the watcher.
    pub map: watch::Receiver<Arc<NetworkMap>>,
    /// From the tunnel's driver.
    pub tunnel: watch::Receiver<TunnelState>,
    /// To the tunnel's driver.
    pub leases: watch::Sender<Leases>,
    /// For questions of its own to the engine.
    pub client: Client,
    /// To whoever keeps what containers trust.
    pub authorities: Authorities,
    /// What the steps of builds are to trust.
    pub ca: Option<Ca>,
    /// To the link: how many builds are under way.
    pub builds: watch::Sender<usize>,
    /// Where calls are counted.
    pub counts: Arc<Counts>,
}

type Prepare = dyn Fn(Origin, &Labels) -> Prepared + Send + Sync;
type Prepared = Pin<Box<dyn Future<Output = Result<Option<Authority>, docker::Error>> + Send>>;

/// Sees to it that the engine has the files for containers of an image with these labels, and says where. Nothing if there is nobody to trust.
#[derive(Clone)]
pub struct Authorities(Arc<Prepare>);

impl Authorities {
    /// Lets `prepare` do it.
    pub fn new(prepare: impl Fn(Origin, &Labels) -> Prepared + Send + Sync + 'static) -> Self {
        Self(Arc::new(prepare))
    }

    async fn prepare(
        &self,
        origin: Origin,
        labels: &Labels,
    ) -> Result<Option<Authority>, docker::Error> {
        (self.0)(origin, labels).await
    }
}

impl fmt::Debug for Authorities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authorities")
    }
}

/// How it behaves.
#[derive(Clone, Debug)]
pub struct Config {
    /// Whose containers it makes.
    pub instance: Instance,
    /// The engine.
    pub endpoint: Endpoint,
    /// Whether containers that were created elsewhere may be started.
    pub foreign_allowed: bool,
    /// Whether requests of containers to themselves are intercepted.
    pub intercept_loopback: bool,
    /// Whether the steps of builds are intercepted.
    pub intercept_builds: bool,
    /// Hosts that the interceptor never hears of.
    pub pass_through: Vec<HostPattern>,
}

/// What all its connections share.
#[derive(Debug)]
struct Shared {
    instance: Instance,
    endpoint: Endpoint,
    client: Client,
    map: watch::Receiver<Arc<NetworkMap>>,
    tunnel: watch::Receiver<TunnelState>,
    leases: watch::Sender<Leases>,
    authorities: Authorities,
    counts: Arc<Counts>,
    foreign_allowed: bool,
    intercept_loopback: bool,
    intercept_builds: bool,
    pass_through: Vec<HostPattern>,
    /// What BuildKit's steps trust by.
    step_files: OfAuthority<StepFiles>,
    /// What the classic builder's steps trust by.
    build_files: OfAuthority<trust::Files>,
    builds: watch::Sender<usize>,
    /// Its own socket.
    socket: PathBuf,
    /// Where everything else runs: what takes longer than passing bytes, and whose connections outlive the API proxy.
    others: Handle,
    tasks: Tasks,
    /// No more requests.
    stop: CancellationToken,
}

impl Shared {
    /// Has a task done among all else that the service does. Nothing if there is no patience for it any more.
    async fn elsewhere<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        self.tasks.done_on(&self.others, task).await
    }

    fn map(&self) -> Arc<NetworkMap> {
        Arc::clone(&self.map.borrow())
    }

    /// Waits until something holds for the map, for so long at most; whether it does.
    async fn until(&self, deadline: Duration, mut holds: impl FnMut(&NetworkMap) -> bool) -> bool {
        let mut map = self.map.clone();
        let waited = tokio::time::timeout(deadline, map.wait_for(|map| holds(map)));
        let held = waited.await;
        held.is_ok_and(|held| held.is_ok())
    }

    /// The engine's socket as its machine has it, for containers to mount. Whether that is this machine, the tunnel
    /// finds out.
    async fn engine_socket(&self) -> &str {
        let Endpoint::Unix(path) = &self.endpoint else {
            return ENGINE_SOCKET;
        };
        let mut tunnel = self.tunnel.clone();
        let known = tunnel.wait_for(|state| state.socks.is_some());
        let known = tokio::time::timeout(TUNNEL, known).await;
        let here = known.is_ok_and(|state| state.is_ok_and(|state| state.engine_is_here));
        path.to_str().filter(|_| here).unwrap_or(ENGINE_SOCKET)
    }
}

/// Where clients find the API proxy of the instance whose folder that is.
pub fn socket(runtime_dir: &Path) -> PathBuf {
    runtime_dir.join("docker.sock")
}
