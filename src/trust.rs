//! The files by which containers trust the interceptor: read out of images, and put into volumes, once an image.
//!
//! Nothing is run in any container for it: the engine reads and writes the files of containers that are never started. A
//! volume's name is its content's, so that images that trust the same share one.

mod roots;

use std::sync::Arc;
use std::time::Duration;

use dashmap::{DashMap, DashSet};
use tokio::sync::{OnceCell, watch};
use tokio::time::timeout;
use tracing::{debug, warn};

pub use roots::roots;

use crate::core::id::Instance;
use crate::core::inject::Authority;
use crate::core::label::{INSTANCE, Labels, ROLE, ROLE_DATA};
use crate::core::trust::{Ca, Files, Found, Origin, files};
use crate::core::tunnel_state::TunnelState;
use crate::docker::{Client, Error};

/// Characters of a hash in a volume's name.
const SHORT: usize = 12;

/// For the tunnel's image to be there: it is made as soon as the service is connected.
const IMAGE: Duration = Duration::from_secs(10);

/// How many images are remembered: after more of them all are read again.
const REMEMBERED: usize = 1_024;

type Ready = Arc<OnceCell<Authority>>;

/// See the module. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Trust(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    instance: Instance,
    ca: Option<Ca>,
    client: Client,
    /// From the tunnel's driver: whose image containers are made of that only lend a volume.
    tunnel: watch::Receiver<TunnelState>,
    ready: DashMap<Origin, Ready>,
    /// Volumes that this service has filled: one that a crash left half-way is filled again.
    filled: DashSet<String>,
}

impl Trust {
    /// Keeps the files for containers that are to trust `ca`.
    pub fn new(
        instance: Instance,
        ca: Option<Ca>,
        client: Client,
        tunnel: watch::Receiver<TunnelState>,
    ) -> Self {
        Self(Arc::new(Inner {
            instance,
            ca,
            client,
            tunnel,
            ready: DashMap::new(),
            filled: DashSet::new(),
        }))
    }

    /// Sees to it that the engine has the files for containers of `origin`, and says where. Nothing if nobody is to be
    /// trusted.
    pub async fn authority(&self, origin: Origin) -> Result<Option<Authority>, Error> {
        let this = &self.0;
        let Some(ca) = &this.ca else {
            return Ok(None);
        };
        let ready = this.ready(&origin);
        // Containers that are created at once wait for the first of them.
        let authority = ready.get_or_try_init(|| this.prepare(ca, &origin)).await?;
        if this.client.has_volume(&authority.volume).await? {
            return Ok(Some(authority.clone()));
        }
        debug!(volume = authority.volume, "somebody removed the volume");
        this.filled.remove(&authority.volume);
        this.ready.remove(&origin);
        this.prepare(ca, &origin).await.map(Some)
    }
}

impl Inner {
    fn ready(&self, origin: &Origin) -> Ready {
        if self.ready.len() >= REMEMBERED {
            self.ready.clear();
        }
        Arc::clone(&self.ready.entry(origin.clone()).or_default())
    }

    async fn prepare(&self, ca: &Ca, origin: &Origin) -> Result<Authority, Error> {
        let found = self.read(origin).await?;
        let files = files(ca, &origin.wanted, &found);
        let missing = origin.wanted.named.len() - files.included.len();
        if missing > 0 {
            let image = &origin.image;
            warn!(
                image,
                missing,
                "variables name certificates that the image does not have: they stay, and what heeds them does not trust the CA"
            );
        }
        let sha256 = files.sha256();
        let short = sha256.get(..SHORT).unwrap_or(&sha256);
        let volume = format!("dockline-{}-{short}", self.instance);
        let filled = self.filled.contains(&volume) && self.client.has_volume(&volume).await?;
        if !filled {
            self.fill(&volume, &files).await?;
            self.filled.insert(volume.clone());
        }
        Ok(Authority {
            sha256: ca.sha256().to_owned(),
            volume,
            included: files.included,
        })
    }

    async fn read(&self, origin: &Origin) -> Result<Found, Error> {
        let (image, platform) = (&origin.image, origin.platform.as_deref());
        let labels = self.labels();
        let alternatives = origin.wanted.alternatives();
        self.client
            .read_image(
                image,
                platform,
                &labels,
                alternatives,
                &origin.wanted.folders,
            )
            .await
    }

    async fn fill(&self, volume: &str, files: &Files) -> Result<(), Error> {
        let image = self.tunnel_image().await;
        let archive = files.archive("");
        self.client
            .fill_volume(volume, &self.labels(), &image, archive)
            .await
    }

    fn labels(&self) -> Labels {
        Labels::from_iter([
            (ROLE.to_owned(), ROLE_DATA.to_owned()),
            (INSTANCE.to_owned(), self.instance.to_string()),
        ])
    }

    async fn tunnel_image(&self) -> String {
        let mut tunnel = self.tunnel.clone();
        let known = timeout(IMAGE, tunnel.wait_for(|state| state.image.is_some())).await;
        let image = known.ok().and_then(|state| state.ok()?.image.clone());
        image.unwrap_or_default()
    }
}
