//! The wiring: binds everything, starts everything, watches everything, and stops it in order.

mod arrivals;
mod interception;
mod leftovers;
mod supervise;
mod wired;
mod wires;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use tokio_util::sync::CancellationToken;

use crate::api_proxy::{self, ApiProxy};
use crate::config::Config;
use crate::control::{Addresses, Control, Sources};
use crate::core::hand_on::Interception;
use crate::core::tracker::Tracker;
use crate::dns::{Dns, Forwarder};
use crate::docker::watcher::Watcher;
use crate::docker::{Client, dial};
use crate::gateway::{self, Gateway};
use crate::runtime_dir::{self, Lock};
use crate::tunnel::{Driver, Leftover};
use interception::Bound;
use leftovers::Leftovers;
use wired::Wired;
use wires::{Wires, ask_roots, ask_servers, through_tunnel, traffic, whose};

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
    interception: Bound,
    lock: Lock,
}

impl Service {
    /// Takes the instance's lock and binds every address.
    pub async fn bind(config: Config) -> anyhow::Result<Self> {
        let dir = config.runtime_dir.clone();
        let lock = runtime_dir::claim(&dir, &config.selector.instance)?;
        let client = Client::new(config.endpoint.clone());
        let dns = Dns::bind(config.dns).with_context(|| taken("--dns", config.dns))?;
        let gateway = Gateway::bind(config.gateway, config.gateway_password.as_ref())
            .await
            .with_context(|| taken("--gateway", config.gateway))?;
        let socket = runtime_dir::control_socket(&dir);
        let control = Control::bind(config.http, &socket)
            .await
            .with_context(|| control_taken(config.http, &socket))?;
        let api_socket = config.api_socket.clone();
        let api_socket = api_socket.unwrap_or_else(|| api_proxy::socket(&dir));
        let api = ApiProxy::bind(api_socket.clone(), config.api_tcp)
            .with_context(|| api_taken(&config, &api_socket))?;
        let interception = Bound::bind(&config).await?;
        let addresses = Addresses {
            dns: dns.local_addr(),
            gateway: gateway.local_addr(),
            http: control.http_addr()?,
            control: socket,
            api: api_socket,
            api_tcp: api.tcp_addr()?,
            interceptor: interception.own_address(),
        };
        let mut own = addresses.own();
        interception.refuse_loops(&mut own)?;
        config.upstream.refuse_loops(&own)?;
        // The first word with the engine, after everything that could fail without it.
        if let Some(other) = dial::instance_behind(&config.endpoint).await {
            anyhow::bail!(
                "{} is the API proxy of dockline instance {other}, not an engine; name the engine with --host, or unset DOCKER_HOST",
                config.endpoint
            );
        }
        Ok(Self {
            config,
            client,
            addresses,
            dns,
            gateway,
            control,
            api,
            interception,
            lock,
        })
    }

    /// Where it listens.
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// Runs until `stop`, or until a part of it ends that should not.
    pub async fn run(self, stop: CancellationToken) -> anyhow::Result<Option<Leftover>> {
        self.wire().run(stop).await
    }

    /// Joins the parts to one another.
    fn wire(self) -> Wired {
        let Self {
            config,
            client,
            addresses,
            dns,
            gateway,
            control,
            api,
            interception,
            lock,
        } = self;
        let wires = Wires::new();
        let (cas, ca_files) = interception.cas();
        let ca_hashes = cas.map(|ca| ca.as_ref().map(|ca| ca.sha256().to_owned()));
        let owner = owner(&config.runtime_dir);
        let view = wires.gateway();
        let forwarder = Forwarder::new(
            config.dns_forward.clone(),
            addresses.dns,
            through_tunnel(view.clone()),
        );
        let dns_view = wires.dns(addresses.own(), config.internal_egress);
        let api_view = wires.api(&config.selector.instance, &cas, client.clone());
        let api_config = api_config(&config);
        let sources = Sources {
            interceptors: interception.report(),
            ca_files,
            cas: ca_hashes.clone(),
            callers: whose(gateway.callers()),
            traffic: traffic(gateway.connections()),
            talks: gateway.traffic(),
            ..wires.sources(&config, &client, &addresses, &forwarder)
        };
        let own = addresses.own();
        let (link, fetch) = wires.link(owner.clone(), config.internal_egress, own, &cas);
        let password = config.gateway_password;
        let exceptions = Interception {
            ca: ca_hashes,
            pass_through: config.pass_through.clone(),
        };
        let (share, intercepting) = interception.share(
            &wires.map.1,
            &wires.counts,
            wires.arrivals.1,
            ask_roots(client.clone()),
            password.clone(),
            exceptions.clone(),
        );
        let gateway_config = gateway::Config {
            password,
            upstream: config.upstream,
            own: addresses.own(),
            ask_servers: ask_servers(forwarder.clone()),
            interceptors: share.interceptors,
            interception: exceptions,
            internal_egress: config.internal_egress,
            introduction: config.introduction,
            ..gateway::Config::default()
        };
        let leftovers = Leftovers {
            client: client.clone(),
            instance: config.selector.instance.clone(),
            folder: config.runtime_dir.clone(),
            engine: wires.engine.1.clone(),
        };
        let tracker = Tracker::new(config.selector.clone());
        let (map_tx, engine_tx) = (wires.map.0, wires.engine.0);
        let watcher = Watcher::new(
            client.clone(),
            tracker,
            config.pace,
            map_tx,
            engine_tx,
            Arc::clone(&wires.counts),
        );
        let driver = Driver {
            client,
            instance: config.selector.instance,
            owner,
            image: config.tunnel_image,
            engine: wires.engine.1,
            map: wires.map.1,
            leases: wires.leases.1,
        };
        Wired {
            dns: (dns, dns_view, forwarder),
            gateway: (gateway, view, gateway_config, share.arrivals, share.wishes),
            intercepting,
            fetch,
            link: (link, wires.link.0),
            control: (control, sources),
            api: (api, api_view, api_config),
            leftovers,
            watcher,
            tunnel: (driver, wires.tunnel.0),
            lock,
        }
    }
}

fn api_config(config: &Config) -> api_proxy::Config {
    api_proxy::Config {
        instance: config.selector.instance.clone(),
        endpoint: config.endpoint.clone(),
        foreign_allowed: config.foreign_allowed,
        intercept_loopback: config.intercept_loopback,
        intercept_builds: config.intercept_builds,
        pass_through: config.pass_through.clone(),
    }
}

/// Who this is, for people who look for the owner of a tunnel.
fn owner(runtime_dir: &Path) -> String {
    format!(
        "process {} on {}, in {}",
        std::process::id(),
        machine(),
        runtime_dir.display()
    )
}

#[cfg(unix)]
fn machine() -> String {
    let known = rustix::system::uname();
    known.nodename().to_string_lossy().into_owned()
}

#[cfg(not(unix))]
fn machine() -> String {
    let name = std::env::var_os("COMPUTERNAME").unwrap_or_default();
    name.to_string_lossy().into_owned()
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
