//! What goes from shell to shell: they do not know one another.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use crate::api_proxy::{self, Authorities};
use crate::config::Config;
use crate::control::report::shape::RefusedConnection;
use crate::control::report::traffic::{Open, Traffic, unix_seconds};
use crate::control::report::{Beyond, Callers, Forward};
use crate::control::{Addresses, Sources};
use crate::core::engine_state::EngineState;
use crate::core::hand_on::Shares;
use crate::core::id::Instance;
use crate::core::link_state::LinkState;
use crate::core::map::NetworkMap;
use crate::core::membership::Leases;
use crate::core::resolve::ADDRESSES;
use crate::core::route::{OwnAddresses, Resolvers};
use crate::core::trust::Ca;
use crate::core::tunnel_state::TunnelState;
use crate::counts::Counts;
use crate::dns::{self, Forwarder};
use crate::docker::Client;
use crate::fetch::Fetch;
use crate::gateway;
use crate::interceptor::AskRoots;
use crate::link::{Arrival, Link};
use crate::trust::{self, Trust};

/// Callers of the entry that the gateway has yet to look at. It does so at once, unless it is full.
const ARRIVALS: usize = 64;

type Watched<T> = (watch::Sender<T>, watch::Receiver<T>);

/// Both ends of each.
pub(super) struct Wires {
    /// From the watcher to everybody.
    pub(super) map: Watched<Arc<NetworkMap>>,
    pub(super) engine: Watched<EngineState>,
    /// From the tunnel's driver to gateway, link and control.
    pub(super) tunnel: Watched<TunnelState>,
    /// From the API proxy to the tunnel's driver.
    pub(super) leases: Watched<Leases>,
    /// From the link to control.
    pub(super) link: Watched<LinkState>,
    /// From control to the link.
    pub(super) intercepting: Watched<bool>,
    /// From the API proxy to the link: how many builds are under way.
    pub(super) builds: Watched<usize>,
    /// From the link to the gateway: callers that it has yet to look at.
    pub(super) arrivals: (mpsc::Sender<Arrival>, mpsc::Receiver<Arrival>),
    /// From everybody to control.
    pub(super) counts: Arc<Counts>,
}

impl Wires {
    pub(super) fn new() -> Self {
        Self {
            map: watch::channel(Arc::default()),
            engine: watch::channel(EngineState::default()),
            tunnel: watch::channel(TunnelState::default()),
            leases: watch::channel(Leases::default()),
            link: watch::channel(LinkState::default()),
            intercepting: watch::channel(true),
            builds: watch::channel(0),
            arrivals: mpsc::channel(ARRIVALS),
            counts: Arc::default(),
        }
    }

    pub(super) fn gateway(&self) -> gateway::View {
        gateway::View {
            map: self.map.1.clone(),
            tunnel: self.tunnel.1.clone(),
            counts: Arc::clone(&self.counts),
        }
    }

    pub(super) fn dns(&self, own: OwnAddresses, internal_egress: bool) -> dns::View {
        dns::View {
            map: self.map.1.clone(),
            tunnel: self.tunnel.1.clone(),
            own,
            counts: Arc::clone(&self.counts),
            internal_egress,
        }
    }

    /// The link, with whoever serves the engines among its callers, who trusts all of `cas`.
    pub(super) fn link(
        &self,
        owner: String,
        internal_egress: bool,
        own: OwnAddresses,
        cas: &Shares<Option<Ca>>,
    ) -> (Link, Fetch) {
        // From the link to it: callers that may be an engine.
        let (fetching_tx, fetching_rx) = mpsc::channel(ARRIVALS);
        let fetch = Fetch {
            arrivals: fetching_rx,
            onward: self.arrivals.0.clone(),
            map: self.map.1.clone(),
            tunnel: self.tunnel.1.clone(),
            own,
            internal_egress,
            cas: cas.iter().flatten().cloned().collect(),
        };
        let link = Link {
            owner,
            tunnel: self.tunnel.1.clone(),
            map: self.map.1.clone(),
            intercepting: self.intercepting.1.clone(),
            builds: self.builds.1.clone(),
            internal_egress,
            arrivals: self.arrivals.0.clone(),
            fetching: fetching_tx,
        };
        (link, fetch)
    }

    /// Without an interceptor and what belongs to it, and without what the gateway knows.
    pub(super) fn sources(
        &self,
        config: &Config,
        client: &Client,
        addresses: &Addresses,
        forwarder: &Forwarder,
    ) -> Sources {
        Sources {
            instance: config.selector.instance.clone(),
            endpoint: client.endpoint().to_owned(),
            map: self.map.1.clone(),
            engine: self.engine.1.clone(),
            tunnel: self.tunnel.1.clone(),
            link: self.link.1.clone(),
            intercepting: self.intercepting.0.clone(),
            internal_egress: config.internal_egress,
            interceptors: Shares::default(),
            ca_files: Shares::default(),
            cas: Shares::default(),
            protected: config.gateway_password.is_some(),
            callers: whose(gateway::Callers::default()),
            traffic: traffic(gateway::Connections::default()),
            forward: forward(forwarder.clone()),
            addresses: addresses.clone(),
            counts: Arc::clone(&self.counts),
            talks: crate::traffic::Traffic::default(),
            warnings: Arc::clone(&config.warnings),
        }
    }

    pub(super) fn api(
        &self,
        instance: &Instance,
        cas: &Shares<Option<Ca>>,
        client: Client,
    ) -> api_proxy::View {
        let tunnel = &self.tunnel.1;
        let trust =
            cas.map(|ca| Trust::new(instance.clone(), ca.clone(), client.clone(), tunnel.clone()));
        api_proxy::View {
            map: self.map.1.clone(),
            tunnel: self.tunnel.1.clone(),
            leases: self.leases.0.clone(),
            client,
            authorities: authorities(trust),
            // Builds belong to no project, and so to the rest.
            ca: cas.rest.clone(),
            builds: self.builds.0.clone(),
            counts: Arc::clone(&self.counts),
        }
    }
}

/// From the API proxy to whoever keeps what containers trust.
fn authorities(trust: Shares<Trust>) -> Authorities {
    Authorities::new(move |origin, labels| {
        let trust = trust.of(labels).clone();
        Box::pin(async move { trust.authority(origin).await })
    })
}

/// From the built-in interceptor to whoever reads whom containers trust.
pub(super) fn ask_roots(client: Client) -> AskRoots {
    AskRoots::new(move |container| {
        let client = client.clone();
        Box::pin(async move {
            let read = trust::roots(&client, &container).await;
            let read = read.map_err(|error| format!("{:#}", anyhow::Error::new(error)))?;
            read.ok_or_else(|| "it is gone".to_owned())
        })
    })
}

/// From control to the forwarder.
fn forward(forwarder: Forwarder) -> Forward {
    Arc::new(move |question, resolvers| {
        let forwarder = forwarder.clone();
        Box::pin(async move {
            match question {
                Beyond::Names(names, types) => forwarder.resolve(&names, types, &resolvers).await,
                Beyond::Address(address) => forwarder.reverse(address, &resolvers).await,
            }
        })
    })
}

/// From control to the gateway: whose connection an interceptor sees.
pub(super) fn whose(callers: gateway::Callers) -> Callers {
    Arc::new(move |address| {
        let callers = callers.clone();
        Box::pin(async move { callers.settled(address).await })
    })
}

/// From control to the gateway: its connections.
pub(super) fn traffic(connections: gateway::Connections) -> Traffic {
    Arc::new(move || {
        let open = connections.list().into_iter().map(|(_, open)| Open {
            client: open.client,
            scope: open.scope,
            destination: open.destination.to_string(),
            via: open.via,
            since: open.since,
        });
        let missed = connections.missed().into_iter();
        let missed = missed.map(|missed| RefusedConnection {
            client: missed.client.to_string(),
            destination: missed.destination.to_string(),
            status: missed.status,
            reason: missed.reason,
            at: unix_seconds(missed.at),
        });
        (open.collect(), missed.collect())
    })
}

/// From the gateway to the DNS servers of containers.
pub(super) fn ask_servers(forwarder: Forwarder) -> gateway::AskServers {
    gateway::AskServers::new(move |names, servers| {
        let forwarder = forwarder.clone();
        Box::pin(async move {
            let resolvers = Resolvers::Own(servers);
            forwarder
                .resolve(&names, ADDRESSES, &resolvers)
                .await
                .addresses
        })
    })
}

/// From the forwarder into networks.
pub(super) fn through_tunnel(view: gateway::View) -> dns::Dial {
    Arc::new(move |targets| {
        let view = view.clone();
        Box::pin(async move { view.connect(&targets).await })
    })
}
