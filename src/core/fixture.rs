//! For tests: inventories from a few words.
//!
//! ```text
//! network shop 10.1.0.0/24 fd00:1::/64 internal
//! container web watched shop=10.1.0.2,fd00:1::2
//! container db stopping shop=10.1.0.3
//! ```

use std::sync::Arc;

use super::id::{ContainerId, NetworkId};
use super::inventory::{
    Container, Endpoint, Inventory, Known, Network, NetworkMode, RunState, Subnet,
};
use super::label::{Labels, Part};
use super::map::NetworkMap;

/// The map of an inventory given in words.
pub(crate) fn map(text: &str) -> NetworkMap {
    NetworkMap::build(&inventory(text))
}

/// An inventory given in words.
pub(crate) fn inventory(text: &str) -> Inventory {
    let mut inventory = Inventory::default();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        match (words.next(), words.next()) {
            (Some("network"), Some(name)) => inventory.put_network(network(name, words)),
            (Some("container"), Some(name)) => inventory.put_container(container(name, words)),
            (None, _) => {}
            other => panic!("{other:?} in {line:?}"),
        }
    }
    inventory
}

fn network<'a>(name: &str, words: impl Iterator<Item = &'a str>) -> Network {
    let mut network = Network {
        id: NetworkId::from(name),
        name: name.to_owned(),
        driver: "bridge".to_owned(),
        internal: false,
        ipv6: false,
        icc: true,
        default_bridge: name == "bridge",
        subnets: Vec::new(),
        labels: Labels::new(),
    };
    for word in words {
        match word.split_once('=').unwrap_or((word, "")) {
            ("internal", _) => network.internal = true,
            ("no-icc", _) => network.icc = false,
            ("driver", driver) => driver.clone_into(&mut network.driver),
            ("gateway", address) => {
                let last = network.subnets.last_mut().unwrap();
                last.gateway = Some(address.parse().unwrap());
            }
            ("reserved", address) => {
                let last = network.subnets.last_mut().unwrap();
                last.reserved.insert(address.parse().unwrap());
            }
            (range, _) => {
                let net: ipnet::IpNet = range.parse().unwrap();
                network.ipv6 |= net.addr().is_ipv6();
                let subnet = Subnet {
                    net,
                    gateway: None,
                    reserved: [].into(),
                };
                network.subnets.push(subnet);
            }
        }
    }
    network
}

fn container<'a>(name: &str, words: impl Iterator<Item = &'a str>) -> Known {
    let mut container = Container {
        id: ContainerId::from(name),
        name: name.to_owned(),
        hostname: name.to_owned(),
        labels: Arc::default(),
        state: RunState::Running,
        network_mode: NetworkMode::Endpoints,
        endpoints: Vec::new(),
        extra_hosts: Vec::new(),
        stop_signal: 15,
        stop_timeout: 10,
    };
    let (mut part, mut stopping) = (Part::Other, false);
    for word in words {
        match word.split_once('=').unwrap_or((word, "")) {
            ("watched", _) => part = Part::Watched,
            ("tunnel", _) => part = Part::OwnTunnel,
            ("stopping", _) => stopping = true,
            ("stopped", _) => container.state = RunState::Stopped,
            ("in", lender) => container.network_mode = NetworkMode::Container(lender.into()),
            (network, addresses) => container.endpoints.push(endpoint(network, addresses)),
        }
    }
    Known {
        container: Arc::new(container),
        part,
        stopping,
    }
}

fn endpoint(network: &str, addresses: &str) -> Endpoint {
    let addresses = || addresses.split(',').filter(|a| !a.is_empty());
    Endpoint {
        network: network.into(),
        endpoint_id: format!("{network}-endpoint"),
        ipv4: addresses().find_map(|a| a.parse().ok()),
        ipv6: addresses().find_map(|a| a.parse().ok()),
        gateway4: true,
        gateway6: false,
        dns_names: None,
        aliases: Vec::new(),
        links: Vec::new(),
    }
}
