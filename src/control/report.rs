//! Snapshots into the JSON that is promised to users.

mod answers;
mod former;
mod interceptors;
pub mod shape;
mod talks;
#[cfg(test)]
mod tests;
pub mod traffic;
mod words;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::watch;

pub(super) use self::answers::{resolution, route};
pub use self::interceptors::InterceptorSource;
use self::shape::{
    AmbiguousName, ContainerReport, EndpointReport, Engine, KeptOff, Link, MapReport, Status,
    Tunnel, TunnelNetwork, Warned,
};
pub(super) use self::traffic::connections;
use crate::core::engine_state::EngineState;
use crate::core::hand_on::{Shares, trusts};
use crate::core::id::Instance;
use crate::core::inventory::{Container, Known};
use crate::core::label;
use crate::core::link_state::LinkState;
use crate::core::map::NetworkMap;
use crate::core::membership;
use crate::core::resolve::{self, Answer, RecordType, Scope};
use crate::core::route::{OwnAddresses, Resolvers};
use crate::core::tunnel_state::{ENTRY_PORT, Stage, TunnelState};
use crate::local;
use crate::warnings::{Warning, Warnings};

/// Where the service listens.
#[derive(Clone, Debug)]
pub struct Addresses {
    /// The DNS server.
    pub dns: SocketAddr,
    /// The gateway.
    pub gateway: SocketAddr,
    /// The control API over TCP.
    pub http: SocketAddr,
    /// The control socket.
    pub control: PathBuf,
    /// The API proxy's socket.
    pub api: PathBuf,
    /// The API proxy over TCP, if it is there.
    pub api_tcp: Option<SocketAddr>,
    /// The built-in interceptor, if it is there.
    pub interceptor: Option<SocketAddr>,
}

impl Addresses {
    /// Those that a connection must not be sent to: it would come back.
    pub fn own(&self) -> OwnAddresses {
        let always = [self.dns, self.gateway, self.http];
        let others = self.api_tcp.into_iter().chain(self.interceptor);
        always.into_iter().chain(others).collect()
    }
}

/// A question that is the world's to answer.
#[derive(Clone, Debug)]
pub enum Beyond {
    /// The addresses of the first of these names that is there.
    Names(Vec<String>, &'static [RecordType]),
    /// An address's names.
    Address(IpAddr),
}

/// Asks the world, by these servers.
pub type Forward =
    Arc<dyn Fn(Beyond, Resolvers) -> Pin<Box<dyn Future<Output = Answer> + Send>> + Send + Sync>;

/// Whose connection the interceptor has from an address.
pub type Callers =
    Arc<dyn Fn(SocketAddr) -> Pin<Box<dyn Future<Output = Option<Scope>> + Send>> + Send + Sync>;

/// All that reports are made from.
#[derive(Clone)]
pub struct Sources {
    /// Whose service this is.
    pub instance: Instance,
    /// The engine's address, in the Docker CLI's notation.
    pub endpoint: String,
    /// Where the service listens.
    pub addresses: Addresses,
    /// From the watcher.
    pub map: watch::Receiver<Arc<NetworkMap>>,
    /// From the watcher.
    pub engine: watch::Receiver<EngineState>,
    /// From the tunnel's driver.
    pub tunnel: watch::Receiver<TunnelState>,
    /// From the link.
    pub link: watch::Receiver<LinkState>,
    /// To the link: whether callers of the entry are to come here.
    pub intercepting: watch::Sender<bool>,
    /// Whether containers on internal networks may get out.
    pub internal_egress: bool,
    /// Who intercepts.
    pub interceptors: Shares<Option<InterceptorSource>>,
    /// The files with the authorities that containers are to trust.
    pub ca_files: Shares<Option<PathBuf>>,
    /// The SHA-256 of those authorities, where they are known.
    pub cas: Shares<Option<String>>,
    /// Whether the gateway wants a password.
    pub protected: bool,
    /// From the gateway: whose connection the interceptor has from that address.
    pub callers: Callers,
    /// From the gateway: its connections.
    pub traffic: traffic::Traffic,
    /// To the DNS forwarder.
    pub forward: Forward,
    /// From all shells.
    pub counts: Arc<crate::counts::Counts>,
    /// From the gateway: who talks to whom.
    pub talks: crate::traffic::Traffic,
    /// From the log: what was warned of lately.
    pub warnings: Arc<Warnings>,
}

impl Sources {
    /// Whether the map is complete and being kept.
    pub fn is_ready(&self) -> bool {
        let engine = self.engine.borrow();
        engine.connected && engine.synced
    }

    /// Everything, as of now.
    pub fn status(&self) -> Status {
        let map = Arc::clone(&self.map.borrow());
        let engine = self.engine.borrow().clone();
        let info = engine.info.clone();
        Status {
            instance: self.instance.to_string(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ready: self.is_ready(),
            api_socket: Some(local::url(&self.addresses.api)),
            dns: self.addresses.dns.to_string(),
            gateway: self.addresses.gateway.to_string(),
            http: self.addresses.http.to_string(),
            control: local::url(&self.addresses.control),
            interceptor: self.interceptors.rest.as_ref().map(interceptors::report),
            interceptors: interceptors::named(self),
            gateway_protected: self.protected,
            ca: interceptors::shown(self.ca_files.rest.as_deref()),
            ca_sha256: self.cas.rest.clone(),
            intercepting: *self.intercepting.borrow(),
            tunnel: self.tunnel(&map),
            containers: by_name(
                map.watched_containers().map(|k| self.container(&map, k)),
                |c| &c.name,
            ),
            ambiguous: ambiguous(&map),
            warnings: self.warnings.list().into_iter().map(warned).collect(),
            map: MapReport {
                generation: map.generation(),
                resyncs: engine.resyncs,
                names: map.watched_networks().map(|n| n.names().count()).sum(),
            },
            engine: Engine {
                endpoint: self.endpoint.clone(),
                version: info.as_ref().map(|i| i.version.clone()),
                api_version: info.map(|i| i.api_version),
                connected: engine.connected,
                problem: engine.problem,
            },
        }
    }

    fn container(&self, map: &NetworkMap, known: &Known) -> ContainerReport {
        let container = &known.container;
        // Who shares another's network namespace is where that one is.
        let owner = map
            .network_owner(&container.id)
            .map_or(container, |k| &k.container);
        let (share, ca) = self.cas.named_by(&container.labels);
        ContainerReport {
            id: container.id.to_string(),
            name: container.name.clone(),
            running: container.state.is_up(),
            injected: container.labels.contains_key(label::UNDO),
            project: container.labels.get(label::COMPOSE_PROJECT).cloned(),
            ca_current: ca
                .as_deref()
                .is_some_and(|ca| trusts(&container.labels, ca)),
            interceptor: share.map(str::to_owned),
            networks: endpoints(map, owner),
        }
    }

    /// As containers write it.
    fn entry(&self) -> String {
        format!("http://{}:{ENTRY_PORT}", self.instance.tunnel_name())
    }

    fn link(&self) -> Link {
        let link = self.link.borrow();
        Link {
            state: link.as_str().to_owned(),
            owner: link.other_owner().map(str::to_owned),
        }
    }

    fn tunnel(&self, map: &NetworkMap) -> Tunnel {
        let state = self.tunnel.borrow().clone();
        let endpoints = map
            .tunnel()
            .map(|t| t.container.endpoints.as_slice())
            .unwrap_or_default();
        let network = |e: &crate::core::inventory::Endpoint| {
            let view = map.networks().get(&e.network)?;
            Some(TunnelNetwork {
                id: e.network.to_string(),
                name: view.network().name.clone(),
                address: e.addresses().next(),
            })
        };
        let obstacles = membership::obstacles(map).into_iter();
        let obstacles = obstacles.map(|(network, why)| (network.name.clone(), why.to_owned()));
        let refused = state.refused.iter().map(|(id, why)| {
            let view = map.networks().get(id);
            let name = view.map_or_else(|| id.short().to_owned(), |v| v.network().name.clone());
            (name, why.clone())
        });
        let kept_off = obstacles
            .chain(refused)
            .map(|(name, reason)| KeptOff { name, reason });
        let kept_off = kept_off.collect();
        Tunnel {
            state: state.stage.as_str().to_owned(),
            id: state.container.map(|id| id.to_string()),
            name: self.instance.tunnel_name(),
            image: state.image,
            address: state
                .socks
                .filter(|_| state.stage == Stage::Running)
                .map(|s| s.address.to_string()),
            entry: (state.stage == Stage::Running).then(|| self.entry()),
            link: self.link(),
            home: Some(self.instance.home_name()),
            networks: by_name(endpoints.iter().filter_map(network), |n| &n.name),
            problem: state.problem,
            kept_off,
            former: former::former(map),
        }
    }
}

fn warned(warning: Warning) -> Warned {
    Warned {
        at: traffic::unix_seconds(warning.at),
        level: warning.level.to_string().to_lowercase(),
        text: warning.text,
        times: warning.times,
    }
}

/// The names of which the merged view has more than one meaning.
fn ambiguous(map: &NetworkMap) -> Vec<AmbiguousName> {
    let report = |found: resolve::Ambiguous| AmbiguousName {
        name: found.name,
        networks: found
            .networks
            .iter()
            .map(|id| words::network(map, id))
            .collect(),
    };
    resolve::ambiguous(map).into_iter().map(report).collect()
}

fn endpoints(map: &NetworkMap, owner: &Container) -> Vec<EndpointReport> {
    let report = |e: &crate::core::inventory::Endpoint| {
        let view = map.networks().get(&e.network)?;
        let names = view
            .names()
            .filter(|(_, records)| records.iter().any(|r| r.is_of(&owner.id)));
        Some(EndpointReport {
            id: e.network.to_string(),
            name: view.network().name.clone(),
            addresses: e.addresses().collect(),
            names: names.map(|(name, _)| name.to_owned()).collect(),
        })
    };
    by_name(owner.endpoints.iter().filter_map(report), |n| &n.name)
}

/// In an order that a reader can find things in.
fn by_name<T>(items: impl Iterator<Item = T>, name: impl Fn(&T) -> &String) -> Vec<T> {
    let mut items: Vec<_> = items.collect();
    items.sort_by(|a, b| name(a).cmp(name(b)));
    items
}
