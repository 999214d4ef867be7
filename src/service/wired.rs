//! The parts with their wires, to be run together.

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::interception::{self, Running};
use super::leftovers::Leftovers;
use super::supervise::{Part, Parts};
use crate::api_proxy::{self, ApiProxy};
use crate::control::{Control, Sources};
use crate::core::link_state::LinkState;
use crate::core::tunnel_state::TunnelState;
use crate::dns::{self, Dns, Forwarder};
use crate::docker::watcher::Watcher;
use crate::doorway::Wish;
use crate::fetch::Fetch;
use crate::gateway::{self, Gateway};
use crate::link::{Arrival, Link};
use crate::runtime_dir::Lock;
use crate::tunnel::{Driver, Leftover};

/// Each part with what it needs.
pub(super) struct Wired {
    pub(super) dns: (Dns, dns::View, Forwarder),
    pub(super) gateway: (
        Gateway,
        gateway::View,
        gateway::Config,
        mpsc::Receiver<Arrival>,
        mpsc::Receiver<Wish>,
    ),
    pub(super) intercepting: Option<Running>,
    pub(super) fetch: Fetch,
    pub(super) link: (Link, watch::Sender<LinkState>),
    pub(super) control: (Control, Sources),
    pub(super) api: (ApiProxy, api_proxy::View, api_proxy::Config),
    pub(super) leftovers: Leftovers,
    pub(super) watcher: Watcher,
    pub(super) tunnel: (Driver, watch::Sender<TunnelState>),
    /// Held to the end.
    pub(super) lock: Lock,
}

impl Wired {
    /// Runs all parts until `stop`, or until one ends that should not.
    pub(super) async fn run(self, stop: CancellationToken) -> anyhow::Result<Option<Leftover>> {
        let Self {
            dns: (dns, names, forwarder),
            gateway: (gateway, view, config, arrivals, wishes),
            intercepting,
            fetch,
            link: (link, link_tx),
            control: (control, sources),
            api: (api, api_view, api_config),
            leftovers,
            watcher,
            tunnel: (driver, tunnel_tx),
            lock: _held,
        } = self;
        let mut parts = Parts::new(stop);
        parts.add(Part::Dns, |token| async move {
            Ok(dns.run(names, forwarder, token).await.map(|()| None)?)
        });
        parts.add(Part::Gateway, |token| async move {
            gateway.run(view, config, arrivals, wishes, token).await;
            Ok(None)
        });
        parts.add(Part::Interceptor, |token| async move {
            interception::run(intercepting, token).await?;
            Ok(None)
        });
        parts.add(Part::Fetch, |token| async move {
            fetch.run(token).await;
            Ok(None)
        });
        parts.add(Part::Link, |token| async move {
            link.run(link_tx, token).await;
            Ok(None)
        });
        parts.add(Part::Control, |token| async move {
            Ok(control.run(sources, token).await.map(|()| None)?)
        });
        parts.add(Part::ApiProxy, |token| async move {
            let ended = api.run(api_view, api_config, token).await;
            Ok(ended.map(|()| None)?)
        });
        parts.add(Part::Leftovers, |token| async move {
            leftovers.settle(token).await;
            Ok(None)
        });
        parts.add(Part::Watcher, |token| async move {
            watcher.run(token).await;
            Ok(None)
        });
        parts.add(Part::Tunnel, |token| async move {
            Ok(driver.run(tunnel_tx, token).await)
        });
        parts.supervise().await
    }
}
