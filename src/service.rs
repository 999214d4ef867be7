//! The wiring: binds everything, starts everything, watches everything, and stops it in order.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::api_proxy::{self, ApiProxy};
use crate::config::Config;
use crate::control::report::{Beyond, Forward};
use crate::control::{Addresses, Control, Sources};
use crate::core::engine_state::EngineState;
use crate::core::link_state::LinkState;
use crate::core::map::NetworkMap;
use crate::core::membership::Leases;
use crate::core::resolve::ADDRESSES;
use crate::core::route::Resolvers;
use crate::core::tracker::Tracker;
use crate::core::tunnel_state::TunnelState;
use crate::dns::{self, Dns, Forwarder};
use crate::docker::watcher::Watcher;
use crate::docker::{Client, dial};
use crate::gateway::{self, Gateway};
use crate::link::Link;
use crate::runtime_dir::{self, Lock};
use crate::tunnel::{Driver, Leftover};

/// Callers of the entry that the gateway has yet to look at. It does so at once, unless it is full.
const ARRIVALS: usize = 64;

/// Everything bound, nothing running yet: what fails here fails before anything was done to the engine.
#[derive(Debug)]
pub struct Service {
    config: Config,
    client: Client,
    addresses: Addresses,
    dns: Dns,
    gateway: Gateway,
    control: Control,
    api: ApiProxy,
    _lock: Lock,
}

impl Service {
    /// Takes the instance's lock and binds every address.
    pub async fn bind(config: Config) -> anyhow::Result<Self> {
        let dir = config.runtime_dir.clone();
        let lock = runtime_dir::claim(&dir, &config.selector.instance)?;
        if let Some(other) = dial::instance_behind(&config.endpoint).await {
            anyhow::bail!(
                "{} is the API proxy of dockline instance {other}, not an engine; name the engine with --host, or unset DOCKER_HOST",
                config.endpoint
            );
        }
        let client = Client::new(config.endpoint.clone());
        let dns = Dns::bind(config.dns).with_context(|| taken("--dns", config.dns))?;
        let gateway = Gateway::bind(config.gateway)
            .await
            .with_context(|| taken("--gateway", config.gateway))?;
        let socket = runtime_dir::control_socket(&dir);
        let control = Control::bind(config.http, &socket)
            .await
            .with_context(|| control_taken(config.http, &socket))?;
        let api_socket = config.api_socket.clone();
        let api_socket = api_socket.unwrap_or_else(|| api_proxy::socket(&dir));
        let api = ApiProxy::bind(api_socket.clone(), config.api_tcp)
            .await
            .with_context(|| api_taken(&config, &api_socket))?;
        let addresses = Addresses {
            dns: dns.local_addr(),
            gateway: gateway.local_addr(),
            http: control.http_addr()?,
            control: socket,
            api: api_socket,
            api_tcp: api.tcp_addr()?,
        };
        let mut own = addresses.own();
        if let Some(interceptor) = &config.interceptor {
            let checked = interceptor.refuse_loops(&own);
            checked.context("use --interceptor")?;
            own.extend(interceptor.socket_addr());
        }
        config.upstream.refuse_loops(&own)?;
        Ok(Self {
            config,
            client,
            addresses,
            dns,
            gateway,
            control,
            api,
            _lock: lock,
        })
    }

    /// Where it listens.
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// Runs until `stop`, or until a part of it ends that should not.
    pub async fn run(self, stop: CancellationToken) -> anyhow::Result<Option<Leftover>> {
        let Self {
            config,
            client,
            addresses,
            dns,
            gateway,
            control,
            api,
            _lock,
        } = self;
        // From the watcher to everybody.
        let (map_tx, map_rx) = watch::channel(Arc::new(NetworkMap::default()));
        let (engine_tx, engine_rx) = watch::channel(EngineState::default());
        // From the tunnel's driver to gateway, link and control.
        let (tunnel_tx, tunnel_rx) = watch::channel(TunnelState::default());
        // From the API proxy to the tunnel's driver.
        let (leases_tx, leases_rx) = watch::channel(Leases::default());
        // From the link to control, and from control to the link.
        let (link_tx, link_rx) = watch::channel(LinkState::default());
        let (intercepting_tx, intercepting_rx) = watch::channel(true);
        // From the link to the gateway: callers that it has yet to look at.
        let (arrivals_tx, arrivals) = mpsc::channel(ARRIVALS);
        let owner = owner(&config.runtime_dir);

        let view = gateway::View {
            map: map_rx.clone(),
            tunnel: tunnel_rx.clone(),
        };
        let forwarder = Forwarder::new(
            config.dns_forward,
            addresses.dns,
            through_tunnel(view.clone()),
        );
        let sources = Sources {
            instance: config.selector.instance.clone(),
            endpoint: client.endpoint().to_owned(),
            addresses: addresses.clone(),
            map: map_rx.clone(),
            engine: engine_rx.clone(),
            tunnel: tunnel_rx.clone(),
            link: link_rx,
            intercepting: intercepting_tx,
            internal_egress: config.internal_egress,
            interceptor: config
                .interceptor
                .as_ref()
                .map(|interceptor| (interceptor.address().to_string(), interceptor.reachable())),
            forward: forward(forwarder.clone()),
        };
        let link = Link {
            owner: owner.clone(),
            tunnel: tunnel_rx.clone(),
            map: map_rx.clone(),
            intercepting: intercepting_rx,
            internal_egress: config.internal_egress,
            arrivals: arrivals_tx,
        };
        let api_view = api_proxy::View {
            map: map_rx.clone(),
            tunnel: tunnel_rx.clone(),
            leases: leases_tx,
            client: client.clone(),
        };
        let api_config = api_proxy::Config {
            instance: config.selector.instance.clone(),
            endpoint: config.endpoint,
            ca: config.ca,
            foreign_allowed: config.foreign_allowed,
            intercept_loopback: config.intercept_loopback,
        };
        let dns_view = dns::View {
            map: map_rx.clone(),
            tunnel: tunnel_rx,
            own: addresses.own(),
            internal_egress: config.internal_egress,
        };
        let gateway_config = gateway::Config {
            password: config.gateway_password,
            upstream: config.upstream,
            own: addresses.own(),
            ask_servers: ask_servers(forwarder.clone()),
            interceptor: config.interceptor,
            internal_egress: config.internal_egress,
            ..gateway::Config::default()
        };
        let watcher = Watcher::new(
            client.clone(),
            Tracker::new(config.selector.clone()),
            config.pace,
            map_tx,
            engine_tx,
        );
        let driver = Driver {
            client,
            instance: config.selector.instance,
            owner,
            image: config.tunnel_image,
            engine: engine_rx,
            map: map_rx,
            leases: leases_rx,
        };

        // What others use ends first; then what keeps it working.
        let retire = CancellationToken::new();
        let mut parts = Parts::new();
        let token = stop.clone();
        parts.spawn(async move {
            let ended = dns.run(dns_view, forwarder, token).await;
            (Part::Dns, ended.map(|()| None).map_err(Into::into))
        });
        let token = stop.clone();
        parts.spawn(async move {
            gateway.run(view, gateway_config, arrivals, token).await;
            (Part::Gateway, Ok(None))
        });
        let token = stop.clone();
        parts.spawn(async move {
            link.run(link_tx, token).await;
            (Part::Link, Ok(None))
        });
        let token = stop.clone();
        parts.spawn(async move {
            let ended = control.run(sources, token).await;
            (Part::Control, ended.map(|()| None).map_err(Into::into))
        });
        let token = stop.clone();
        parts.spawn(async move {
            api.run(api_view, api_config, token).await;
            (Part::ApiProxy, Ok(None))
        });
        let token = retire.clone();
        parts.spawn(async move {
            watcher.run(token).await;
            (Part::Watcher, Ok(None))
        });
        let token = retire.clone();
        parts.spawn(async move { (Part::Tunnel, Ok(driver.run(tunnel_tx, token).await)) });
        supervise(parts, stop, retire).await
    }
}

/// What runs, for as long as the service does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Dns,
    Gateway,
    Link,
    Control,
    ApiProxy,
    Watcher,
    Tunnel,
}

impl Part {
    /// Whether it is there for others, and so ends before what it relies on.
    fn is_front(self) -> bool {
        matches!(
            self,
            Self::Dns | Self::Gateway | Self::Link | Self::Control | Self::ApiProxy
        )
    }
}

type Parts = JoinSet<(Part, anyhow::Result<Option<Leftover>>)>;

/// Waits for the end. A part that ends before it was told to stops the others, and makes the outcome an error.
async fn supervise(
    mut parts: Parts,
    stop: CancellationToken,
    retire: CancellationToken,
) -> anyhow::Result<Option<Leftover>> {
    let mut fronts = 4;
    let mut outcome = Ok(());
    let mut leftover = None;
    while let Some(ended) = parts.join_next().await {
        let early = !stop.is_cancelled();
        stop.cancel();
        let failure = match ended {
            Ok((part, result)) => {
                fronts = usize::saturating_sub(fronts, usize::from(part.is_front()));
                match result {
                    Err(error) => Some(error.context(format!("{part:?} ended"))),
                    Ok(_) if early => Some(anyhow::anyhow!("{part:?} ended by itself")),
                    Ok(stays) => {
                        leftover = leftover.or(stays);
                        None
                    }
                }
            }
            // Which one it was, is not known: none is waited for any more.
            Err(panic) => {
                fronts = 0;
                Some(panic.into())
            }
        };
        if fronts == 0 {
            retire.cancel();
        }
        // The first failure is the cause; what follows from it is not news.
        if let (Ok(()), Some(failure)) = (&outcome, failure) {
            outcome = Err(failure);
        }
    }
    outcome.map(|()| leftover)
}

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

/// From the gateway to the DNS servers of containers.
fn ask_servers(forwarder: Forwarder) -> gateway::AskServers {
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
fn through_tunnel(view: gateway::View) -> dns::Dial {
    Arc::new(move |targets| {
        let view = view.clone();
        Box::pin(async move { view.connect(&targets).await })
    })
}

/// Who this is, for people who look for the owner of a tunnel.
fn owner(runtime_dir: &Path) -> String {
    let host = rustix::system::uname();
    format!(
        "process {} on {}, in {}",
        std::process::id(),
        host.nodename().to_string_lossy(),
        runtime_dir.display()
    )
}

fn taken(flag: &str, address: SocketAddr) -> String {
    format!("listen on {address}; choose another address with {flag}, or port 0 for any")
}

fn api_taken(config: &Config, socket: &Path) -> String {
    let port = config
        .api_tcp
        .map(|address| format!("{}; ", taken("--api-tcp", address)));
    format!(
        "{}make {} usable, or choose another path with --api-socket",
        port.unwrap_or_default(),
        socket.display()
    )
}

fn control_taken(http: SocketAddr, socket: &Path) -> String {
    format!(
        "{}, or make {} usable",
        taken("--http", http),
        socket.display()
    )
}
