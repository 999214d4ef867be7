//! Facts, as the engine told them: containers, networks and the endpoints between them.
//!
//! Nothing here is derived. Sources: `GET /containers/json`, `GET /containers/{id}/json`, `GET /networks`,
//! `GET /networks/{id}` of the Docker Engine API; for a swarm's networks, [`Services`] names more.

mod collection;
mod dns_settings;
mod services;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use ipnet::IpNet;

pub use collection::{Changes, Inventory};
pub use dns_settings::DnsSettings;
pub use services::{ServiceEndpoint, Services, Task};

use super::hosts_file::HostsFile;
use super::id::{ContainerId, NetworkId};
use super::label::{Labels, Part};

/// A container's run state, as far as names and routes care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunState {
    /// Created and never started, exited, or dead: no addresses, no names.
    Stopped,
    /// Frozen by `docker pause`: it keeps addresses and names, and answers nobody.
    Paused,
    /// Running.
    Running,
}

impl RunState {
    /// Whether the container has its addresses and names.
    pub fn is_up(self) -> bool {
        self != Self::Stopped
    }
}

/// How a container is attached to networks (`HostConfig.NetworkMode`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NetworkMode {
    /// By endpoints of its own; which ones is in [`Container::endpoints`].
    Endpoints,
    /// In the host's network namespace.
    Host,
    /// Loopback alone.
    None,
    /// In the network namespace of another container, given by its id.
    Container(ContainerId),
}

impl NetworkMode {
    /// The container whose network namespace is used.
    pub fn lender(&self) -> Option<&ContainerId> {
        match self {
            Self::Container(lender) => Some(lender),
            Self::Endpoints | Self::Host | Self::None => None,
        }
    }
}

/// A link of one endpoint: `target` is seen as `alias` on that network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// A name of the container that is meant.
    pub target: String,
    /// What the linking container calls it. Case-sensitive, unlike names.
    pub alias: String,
}

/// A container's attachment to one network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The network.
    pub network: NetworkId,
    /// Changes with every connect: tells a new attachment from an old one.
    pub endpoint_id: String,
    /// IPv4 address, where there is one.
    pub ipv4: Option<Ipv4Addr>,
    /// Global IPv6 address, where there is one.
    pub ipv6: Option<Ipv6Addr>,
    /// Whether the endpoint has an IPv4 gateway.
    pub gateway4: bool,
    /// Whether it has an IPv6 gateway.
    pub gateway6: bool,
    /// `GwPriority` (engine 28 and later).
    pub gw_priority: Option<i64>,
    /// `DNSNames` (engine 25 and later).
    pub dns_names: Option<Vec<Arc<str>>>,
    /// `Aliases`, with the short id and the hostname, of an engine before 25. Later ones' are among the names.
    pub aliases: Vec<String>,
    /// `Links`.
    pub links: Vec<Link>,
}

impl Endpoint {
    /// An attachment of which nothing is known but that it is there.
    pub fn bare(network: NetworkId) -> Self {
        Self {
            network,
            endpoint_id: String::new(),
            ipv4: None,
            ipv6: None,
            gateway4: false,
            gateway6: false,
            gw_priority: None,
            dns_names: None,
            aliases: Vec::new(),
            links: Vec::new(),
        }
    }

    /// Both addresses, IPv4 first.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> + use<> {
        let v4 = self.ipv4.map(IpAddr::V4);
        v4.into_iter().chain(self.ipv6.map(IpAddr::V6))
    }
}

/// A container, as inspected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// Its id.
    pub id: ContainerId,
    /// Its name, without the leading slash.
    pub name: String,
    /// `Config.Hostname`.
    pub hostname: String,
    /// `Config.Domainname`.
    pub domainname: String,
    /// Its labels; in an [`Inventory`], those that are [remembered](super::label::remembered).
    pub labels: Arc<Labels>,
    /// Whether it runs.
    pub state: RunState,
    /// When it was last started (`State.StartedAt`), in nanoseconds since 1970; 0 if never.
    pub started: u64,
    /// How it is attached.
    pub network_mode: NetworkMode,
    /// Its endpoints; none while it is stopped.
    pub endpoints: Vec<Endpoint>,
    /// `HostConfig.ExtraHosts`, as given: `name:address`.
    pub extra_hosts: Vec<String>,
    /// What it was told about DNS.
    pub dns: DnsSettings,
    /// `Config.StopSignal`, normalised to a number where it is a known name; SIGTERM by default.
    pub stop_signal: u8,
    /// `Config.StopTimeout` in seconds, 10 by default; nothing if the engine waits for ever.
    pub stop_timeout: Option<u32>,
}

impl Container {
    /// The endpoint on `network`, if there is one.
    pub fn endpoint(&self, network: &NetworkId) -> Option<&Endpoint> {
        self.endpoints.iter().find(|e| e.network == *network)
    }
}

/// One address range of a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subnet {
    /// The range.
    pub net: IpNet,
    /// The gateway's address. A range given by the user without one has none here (engines up to 27).
    pub gateway: Option<IpAddr>,
    /// Addresses set aside by the user (`AuxiliaryAddresses`).
    pub reserved: BTreeSet<IpAddr>,
}

/// A network, as listed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts of the engine"
)]
pub struct Network {
    /// Its id.
    pub id: NetworkId,
    /// Its name; not unique.
    pub name: String,
    /// The driver: `bridge`, `macvlan`, `overlay`, `host`, `null` …
    pub driver: String,
    /// Whether it has no way out (`--internal`).
    pub internal: bool,
    /// Whether IPv6 is on.
    pub ipv6: bool,
    /// Whether its members may talk to one another (`com.docker.network.bridge.enable_icc`).
    pub icc: bool,
    /// Whether it is the engine's own default bridge, which has no names.
    pub default_bridge: bool,
    /// Whether it is the swarm's, and not this engine's alone (scope `swarm`).
    pub swarm: bool,
    /// Whether, being the swarm's, it takes containers that are no tasks.
    pub attachable: bool,
    /// Whether it is the swarm's own, behind published ports, which has no names.
    pub ingress: bool,
    /// Its ranges.
    pub subnets: Vec<Subnet>,
    /// Its labels.
    pub labels: Labels,
}

impl Network {
    /// Whether `address` belongs to one of the network's ranges.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.subnets.iter().any(|s| s.net.contains(&address))
    }

    /// Whether the swarm has [`Services`] to tell of it.
    pub fn has_services(&self) -> bool {
        self.swarm && !self.ingress && self.driver == "overlay"
    }
}

/// What a listing says of one container: enough to know whether to look closer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its id.
    pub id: ContainerId,
    /// Its name, without the leading slash.
    pub name: String,
    /// Its labels.
    pub labels: Labels,
    /// Whether it runs.
    pub state: RunState,
    /// The networks that it is on, with the endpoint's id.
    pub endpoints: BTreeMap<NetworkId, String>,
}

/// One full listing of an engine.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// All containers, stopped ones too.
    pub containers: Vec<Listed>,
    /// All networks.
    pub networks: Vec<Network>,
}

/// A container of the inventory, with what the tracker knows beyond its inspect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// The facts.
    pub container: Arc<Container>,
    /// What it is to this instance.
    pub part: Part,
    /// Whether its stop signal has been sent: it is about to be gone.
    pub stopping: bool,
    /// Its `/etc/hosts`, where that was read.
    pub hosts: Option<Arc<HostsFile>>,
    /// Whether its `/etc/resolv.conf` leads to Docker's resolver, where that was read: of one that is on the default
    /// bridge alone it cannot be told from its networks.
    pub asks_docker: Option<bool>,
}

impl Known {
    /// Whether it runs and has not been told to stop.
    pub fn stays(&self) -> bool {
        self.container.state.is_up() && !self.stopping
    }
}
