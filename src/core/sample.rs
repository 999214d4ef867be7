//! Inventories for tests, written as text: one line a network or container, in any order.
//!
//! ```text
//! net   NAME [word…] SUBNET…      the gateway is each subnet's first address, unless `gateway=ADDRESS` follows
//! run   NAME [word…]              a running container; `stop NAME …` one that is not
//! task  NAME NET=ADDRESS [word…]  an endpoint that a swarm tells of, be it of a container here (`run`) or not;
//!                                 `told NAME …` one of which a worker is told
//! ```
//! Words of a network: `default`, `internal`, `v6`, `no-icc`, `driver=NAME`, `reserved=ADDRESS`; `swarm`, which is an
//! attachable overlay, `closed` (it is not attachable), `ingress`.
//! Words of a container: `watched`, `tunnel`, `stopping`, `old` (an engine before 25: no `DNSNames`), `renamed` (which
//! gives names on the default bridge, `bridge`), `id=HEX`, `host=NAME`, `label=KEY=VALUE`,
//! `domain=NAME`, `started=TIME`, `mode=host|none|container:NAME`, `extra=NAME:ADDRESS`, `dns=ADDRESS`,
//! `search=DOMAIN`, `ndots=NUMBER`, `NET=[ADDRESS[,ADDRESS]]` (an
//! endpoint, with a gateway for each), then `alias=NET:NAME`, `link=NET:TARGET:ALIAS`,
//! `priority=NET:NUMBER` (an engine from 28 on); `file=ADDRESS,NAME…` is a line of the hosts file that was read;
//! `asks-docker` says that its `/etc/resolv.conf` was read as well.

mod swarm;
mod twins;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use super::hosts_file::HostsFile;
use super::id::{ContainerId, NetworkId};
use super::inventory::{
    Container, DnsSettings, Endpoint, Inventory, Known, Link, Network, NetworkMode, RunState,
    Services, Subnet,
};
use super::label::{Labels, Part};
use super::map::NetworkMap;
pub(crate) use twins::twins;

/// The map of an inventory; it is the same whatever order the lines come in.
pub(crate) fn map(text: &str) -> NetworkMap {
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let map = NetworkMap::build(&inventory(lines.iter().copied()));
    let backwards = NetworkMap::build(&inventory(lines.iter().rev().copied()));
    assert_eq!(map, backwards, "the order of arrival shows");
    map
}

/// What a swarm says by one line.
pub(crate) fn services(line: &str) -> (NetworkId, Services) {
    let inventory = inventory(std::iter::once(line));
    let network = inventory.with_services().next().unwrap();
    let services = inventory.services(network).unwrap();
    (network.clone(), (**services).clone())
}

/// The id of the container called `name`, unless its line gives another.
pub(crate) fn id(name: &str) -> ContainerId {
    format!("{name:_<64}").into()
}

/// The id that begins so.
fn id_of(digits: &str) -> ContainerId {
    format!("{digits:0<64}").into()
}

/// The id of the network called `name`.
pub(crate) fn network_id(name: &str) -> NetworkId {
    format!("id-of-{name}").into()
}

fn inventory<'a>(lines: impl Iterator<Item = &'a str>) -> Inventory {
    let mut inventory = Inventory::default();
    for line in lines {
        let mut words = line.split_whitespace();
        match (words.next().unwrap(), words.next().unwrap()) {
            ("net", name) => inventory.put_network(network(name, words)),
            ("run", name) => inventory.put_container(container(name, RunState::Running, words)),
            ("stop", name) => inventory.put_container(container(name, RunState::Stopped, words)),
            ("task", name) => swarm::by_manager(&mut inventory, name, words),
            ("told", name) => drop(swarm::add(&mut inventory, name, words)),
            _ => panic!("{line}"),
        }
    }
    inventory
}

/// As plain as a network can be.
pub(in crate::core) fn bridge(id: NetworkId, name: &str) -> Network {
    Network {
        id,
        name: name.to_owned(),
        driver: "bridge".to_owned(),
        internal: false,
        ipv6: false,
        icc: true,
        default_bridge: false,
        swarm: false,
        attachable: false,
        ingress: false,
        subnets: Vec::new(),
        labels: Labels::default(),
    }
}

fn network<'a>(name: &str, words: impl Iterator<Item = &'a str>) -> Network {
    let mut network = bridge(network_id(name), name);
    for word in words {
        match word.split_once('=').unwrap_or((word, "")) {
            ("default", _) => network.default_bridge = true,
            ("internal", _) => network.internal = true,
            ("v6", _) => network.ipv6 = true,
            ("no-icc", _) => network.icc = false,
            ("swarm", _) => {
                (network.swarm, network.attachable) = (true, true);
                "overlay".clone_into(&mut network.driver);
            }
            ("closed", _) => network.attachable = false,
            ("ingress", _) => network.ingress = true,
            ("driver", driver) => driver.clone_into(&mut network.driver),
            ("gateway", address) => {
                network.subnets.last_mut().unwrap().gateway = Some(address.parse().unwrap());
            }
            ("reserved", address) => {
                let last = network.subnets.last_mut().unwrap();
                last.reserved.insert(address.parse().unwrap());
            }
            (subnet, _) => {
                let net: ipnet::IpNet = subnet.parse().unwrap();
                let gateway = net.hosts().next();
                let reserved = BTreeSet::default();
                network.subnets.push(Subnet {
                    net,
                    gateway,
                    reserved,
                });
            }
        }
    }
    network
}

fn container<'a>(name: &str, state: RunState, words: impl Iterator<Item = &'a str>) -> Known {
    let mut part = Part::Other;
    let (mut old, mut renamed, mut stopping) = (false, false, false);
    let mut asks_docker = None;
    let mut file = String::new();
    let mut container = Container {
        id: id(name),
        name: name.to_owned(),
        hostname: String::new(),
        domainname: String::new(),
        labels: Arc::default(),
        state,
        started: 0,
        network_mode: NetworkMode::Endpoints,
        endpoints: Vec::new(),
        extra_hosts: Vec::new(),
        dns: DnsSettings::default(),
        stop_signal: 15,
        stop_timeout: Some(10),
    };
    for word in words {
        match word.split_once('=') {
            None if word == "watched" => part = Part::Watched,
            None if word == "tunnel" => part = Part::OwnTunnel,
            None if word == "old" => old = true,
            None if word == "renamed" => renamed = true,
            None if word == "stopping" => stopping = true,
            None if word == "asks-docker" => asks_docker = Some(true),
            Some(("file", line)) => {
                file = format!("{file}\n{}", line.replace(',', " "));
            }
            Some(("id", id)) => container.id = id_of(id),
            Some(("host", name)) => container.hostname = name.to_owned(),
            Some(("domain", name)) => container.domainname = name.to_owned(),
            Some(("started", time)) => container.started = time.parse().unwrap(),
            Some(("label", label)) => {
                let (key, value) = label.split_once('=').unwrap();
                let labels = Arc::make_mut(&mut container.labels);
                labels.insert(key.to_owned(), value.to_owned());
            }
            Some(("mode", mode)) => container.network_mode = mode_of(mode),
            Some(("extra", line)) => container.extra_hosts.push(line.to_owned()),
            Some(("dns", server)) => container.dns.servers.push(server.parse().unwrap()),
            Some(("search", domain)) => container.dns.search.push(domain.to_owned()),
            Some(("ndots", number)) => container.dns.ndots = Some(number.parse().unwrap()),
            Some(("alias", text)) => {
                let (network, alias) = text.split_once(':').unwrap();
                endpoint(&mut container, network)
                    .aliases
                    .push(alias.to_owned());
            }
            Some(("priority", text)) => {
                let (network, number) = text.split_once(':').unwrap();
                endpoint(&mut container, network).gw_priority = Some(number.parse().unwrap());
            }
            Some(("link", text)) => {
                let (network, link) = text.split_once(':').unwrap();
                let (target, alias) = link.split_once(':').unwrap();
                let (target, alias) = (target.to_owned(), alias.to_owned());
                endpoint(&mut container, network)
                    .links
                    .push(Link { target, alias });
            }
            Some((network, addresses)) => {
                let addresses = addresses.split(',').filter(|text| !text.is_empty());
                let attached = attached(name, network, addresses);
                container.endpoints.push(attached);
            }
            None => panic!("{word}"),
        }
    }
    name_endpoints(&mut container, old, renamed);
    let container = Arc::new(container);
    Known {
        container,
        part,
        stopping,
        hosts: (!file.is_empty()).then(|| Arc::new(HostsFile::parse(&file))),
        asks_docker,
    }
}

fn mode_of(text: &str) -> NetworkMode {
    match text.split_once(':') {
        Some((_, lender)) => NetworkMode::Container(id(lender)),
        None if text == "host" => NetworkMode::Host,
        None => NetworkMode::None,
    }
}

/// The id of an endpoint.
fn endpoint_id(container: &str, network: &str) -> String {
    format!("endpoint of {container} on {network}")
}

fn attached<'a>(
    container: &str,
    network: &str,
    addresses: impl Iterator<Item = &'a str>,
) -> Endpoint {
    let mut endpoint = Endpoint {
        endpoint_id: endpoint_id(container, network),
        ..Endpoint::bare(network_id(network))
    };
    for address in addresses {
        match address.parse().unwrap() {
            IpAddr::V4(address) => endpoint.ipv4 = Some(address),
            IpAddr::V6(address) => endpoint.ipv6 = Some(address),
        }
    }
    endpoint.gateway4 = endpoint.ipv4.is_some();
    endpoint.gateway6 = endpoint.ipv6.is_some();
    endpoint
}

fn endpoint<'a>(container: &'a mut Container, network: &str) -> &'a mut Endpoint {
    let id = network_id(network);
    container
        .endpoints
        .iter_mut()
        .find(|e| e.network == id)
        .unwrap()
}

/// As engines do: `DNSNames`, or before engine 25 short id and hostname among the aliases.
fn name_endpoints(container: &mut Container, old: bool, renamed: bool) {
    if container.hostname.is_empty() {
        container.hostname = container.id.short().to_owned();
    }
    let own = [container.id.short().to_owned(), container.hostname.clone()];
    let has_names = |e: &&mut Endpoint| renamed || e.network != network_id("bridge");
    for endpoint in container.endpoints.iter_mut().filter(has_names) {
        if old {
            endpoint.aliases.extend(own.clone());
        } else if endpoint.ipv4.is_some() {
            let aliases = std::mem::take(&mut endpoint.aliases);
            let names = std::iter::once(&container.name).chain(&aliases).chain(&own);
            let names = names.map(|name| Arc::from(name.as_str()));
            endpoint.dns_names = Some(names.collect());
        }
    }
}
