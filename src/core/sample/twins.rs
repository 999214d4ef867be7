//! Two networks of one name, as engines before 25 allow.

use std::sync::Arc;

use super::map;
use crate::core::id::NetworkId;
use crate::core::inventory::{Inventory, Known, Network};
use crate::core::map::NetworkMap;

/// The map of two networks called `a`, which no text can tell apart, with a container called `web` on each.
pub(crate) fn twins() -> NetworkMap {
    let mut inventory = Inventory::default();
    let one = map("net a 172.20.0.0/16\nrun web watched a=172.20.0.2");
    let network = one.networks().values().next().unwrap().network().clone();
    let twin = NetworkId::from("id-of-twin");
    inventory.put_network(network.clone());
    inventory.put_network(Network {
        id: twin.clone(),
        ..network
    });
    let known = one.containers().values().next().unwrap();
    inventory.put_container(known.clone());
    let mut second = (*known.container).clone();
    second.id = "second".into();
    second.endpoints[0].network = twin;
    second.endpoints[0].ipv4 = Some(std::net::Ipv4Addr::new(172, 20, 0, 3));
    let container = Arc::new(second);
    inventory.put_container(Known {
        container,
        ..known.clone()
    });
    NetworkMap::build(&inventory)
}
