//! How a container that is to be created will reach the tunnel's entry.

use std::net::SocketAddr;

use super::{Attached, ENTRY_PORT, Entry};
use crate::core::id::{Instance, NetworkId};
use crate::core::inventory::Network;
use crate::core::map::NetworkMap;
use crate::core::membership;

/// What the map says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// It is known.
    Known(Entry),
    /// The tunnel has to join this network first.
    Join(NetworkId),
    /// Nothing is known of the engine, or the tunnel is not up.
    NotYet,
    /// The tunnel will never be there.
    Never(&'static str),
}

/// How the containers of `instance` that are attached like that reach the entry.
pub fn reach(map: &NetworkMap, instance: &Instance, attached: &Attached) -> Reach {
    match attached {
        Attached::Named | Attached::Like(_) => Reach::Known(Entry::Name(instance.clone())),
        Attached::Host => {
            let home = instance.home_name();
            let home = network(map, |network| network.name == home);
            let entry = home.and_then(|home| address_on(map, &home.id));
            entry.map_or(Reach::NotYet, Reach::Known)
        }
        // The container has no network, and what it may be connected to later knows the name.
        Attached::DefaultBridge if lacks_default_bridge(map) => {
            Reach::Known(Entry::Name(instance.clone()))
        }
        Attached::DefaultBridge => {
            let bridge = network(map, |network| network.default_bridge);
            bridge.map_or(Reach::NotYet, |bridge| on_bridge(map, bridge))
        }
    }
}

/// Whether the engine was told to have no default bridge (`--bridge=none`); nobody has to wait for it.
pub fn lacks_default_bridge(map: &NetworkMap) -> bool {
    map.generation() > 0 && network(map, |network| network.default_bridge).is_none()
}

fn on_bridge(map: &NetworkMap, bridge: &Network) -> Reach {
    if let Some(obstacle) = membership::obstacle(bridge) {
        return Reach::Never(obstacle);
    }
    let entry = address_on(map, &bridge.id);
    entry.map_or_else(|| Reach::Join(bridge.id.clone()), Reach::Known)
}

fn network(map: &NetworkMap, is_meant: impl Fn(&Network) -> bool) -> Option<&Network> {
    let mut networks = map.networks().values().map(|view| view.network());
    networks.find(|network| is_meant(network))
}

fn address_on(map: &NetworkMap, network: &NetworkId) -> Option<Entry> {
    let endpoint = map.tunnel()?.container.endpoint(network)?;
    let address = endpoint.addresses().next()?;
    Some(Entry::Address(SocketAddr::new(address, ENTRY_PORT)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::sample::{map, network_id};

    fn check(map: &NetworkMap, mode: &str, expected: &Reach) {
        let instance = "default".parse().unwrap();
        let found = reach(map, &instance, &Attached::of(mode));
        assert_eq!(&found, expected, "{mode}");
    }

    fn name() -> Reach {
        Reach::Known(Entry::Name("default".parse().unwrap()))
    }

    fn address(address: &str) -> Reach {
        Reach::Known(Entry::Address(address.parse().unwrap()))
    }

    const BRIDGE: &str = "net bridge default 172.17.0.0/16";
    const HOME: &str = "net 0-dockline-default 172.18.0.0/16";

    #[test]
    fn networks_with_names_have_the_tunnels() {
        for mode in ["shop", "none", "container:web"] {
            check(&NetworkMap::default(), mode, &name());
        }
    }

    #[test]
    fn the_default_bridge_has_an_address_once_the_tunnel_is_there() {
        check(&NetworkMap::default(), "bridge", &Reach::NotYet);
        let alone = map(BRIDGE);
        check(&alone, "default", &Reach::Join(network_id("bridge")));
        let joined = map(&format!("{BRIDGE}\nrun t tunnel bridge=172.17.0.9"));
        check(&joined, "", &address("172.17.0.9:8790"));
    }

    #[test]
    fn nobody_waits_for_a_default_bridge_that_is_not_there_or_not_open() {
        let without = map("net shop 10.1.0.0/24");
        check(&without, "default", &name());
        assert!(lacks_default_bridge(&without));
        assert!(!lacks_default_bridge(&map(BRIDGE)));
        assert!(
            !lacks_default_bridge(&NetworkMap::default()),
            "nobody knows"
        );
        let closed = map("net bridge default no-icc 172.17.0.0/16");
        assert!(matches!(
            reach(
                &closed,
                &"default".parse().unwrap(),
                &Attached::DefaultBridge
            ),
            Reach::Never(_)
        ));
    }

    #[test]
    fn the_engines_machine_has_an_address_at_home() {
        check(&map(HOME), "host", &Reach::NotYet);
        let up = map(&format!(
            "{HOME}\nrun t tunnel 0-dockline-default=172.18.0.254"
        ));
        check(&up, "host", &address("172.18.0.254:8790"));
    }
}
