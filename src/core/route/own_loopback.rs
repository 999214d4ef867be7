//! Loopback as a container means it: the container itself, by an address where the tunnel is as well.

use std::net::SocketAddr;

use super::address::{can_be_joined, to_host};
use super::{Refusal, Route, Target, ThisHost};
use crate::core::id::ContainerId;
use crate::core::inventory::{Container, NetworkMode};
use crate::core::map::NetworkMap;
use crate::core::membership;
use crate::core::resolve::in_order;

/// Decides for a loopback address in the scope of a container.
///
/// Of its addresses on networks that the tunnel can join, in Docker's order, the first of the same family is taken, or
/// else the first.
///
/// In host mode it is the engine's machine, which may be this one.
pub(super) fn route(
    map: &NetworkMap,
    id: &ContainerId,
    asked: SocketAddr,
    here: ThisHost<'_>,
) -> Route {
    let Some(known) = map.containers().get(id) else {
        return Route::refused(Refusal::Forbidden, "the calling container is gone");
    };
    let who = &known.container.name;
    let Some(owner) = map.network_owner(id) else {
        let reason =
            format!("{who} uses the network of a container that is gone or was started again");
        return Route::refused(Refusal::Forbidden, reason);
    };
    let owner = &owner.container;
    if owner.network_mode == NetworkMode::Host && here.has_engine {
        let reason = format!("{who} is in host mode, and the engine's machine is this one");
        return to_host(asked, here.own, reason);
    }
    let networks = in_order(map, owner).into_iter();
    let near = networks.filter(|(endpoint, _)| can_be_joined(map, &endpoint.network));
    let addresses = near.flat_map(|(endpoint, view)| endpoint.addresses().map(move |a| (a, view)));
    let addresses: Vec<_> = addresses.collect();
    let of_family = addresses
        .iter()
        .find(|(address, _)| address.is_ipv4() == asked.is_ipv4());
    let Some((address, view)) = of_family.or(addresses.first()) else {
        return Route::refused(Refusal::Forbidden, no_way(map, who, owner));
    };
    let (network, port) = (view.network(), asked.port());
    Route::Tunnel {
        targets: vec![Target {
            address: SocketAddr::new(*address, port),
            network: network.id.clone(),
        }],
        reason: format!(
            "loopback, in the scope of {who}, is {who} itself: {address} on network {}",
            network.name
        ),
        if_refused: Some(format!(
            "in the scope of {who}, loopback is {who} itself, which is reached by its address: a service there that \
             listens on loopback only cannot be reached from outside; let it listen on 0.0.0.0"
        )),
    }
}

/// Why nobody gets to the loopback of `who`, who uses the endpoints of `owner`.
fn no_way(map: &NetworkMap, who: &str, owner: &Container) -> String {
    match owner.network_mode {
        NetworkMode::Host => format!(
            "{who} is in host mode: its loopback is that of the engine's machine, which is not known to be this one; \
             if it is, ask without a scope"
        ),
        NetworkMode::None => {
            format!("{who} is on no network (none): nobody but itself gets to its loopback")
        }
        NetworkMode::Endpoints | NetworkMode::Container(_) if !owner.state.is_up() => {
            format!("{who} does not run, or the container whose network it uses does not")
        }
        NetworkMode::Endpoints | NetworkMode::Container(_) => {
            let networks = in_order(map, owner).into_iter().map(|(_, view)| {
                let network = view.network();
                let why = membership::obstacle(network).unwrap_or("no watched container is on it");
                format!("{}: {why}", network.name)
            });
            let networks: Vec<_> = networks.collect();
            if networks.is_empty() {
                return format!("{who} is on no network: nobody but itself gets to its loopback");
            }
            format!(
                "the tunnel can be on no network of {who} ({})",
                networks.join("; ")
            )
        }
    }
}
