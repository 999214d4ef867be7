//! The verdict on a final address.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};

use super::{OwnAddresses, Refusal, Route, Target, ThisHost, own_loopback};
use crate::core::id::{ContainerId, NetworkId};
use crate::core::inventory::{Container, NetworkMode};
use crate::core::map::{NetworkMap, NetworkView};
use crate::core::membership;
use crate::core::resolve::{Scope, in_order};

/// Decides for an address.
pub fn route_address(
    map: &NetworkMap,
    scope: &Scope,
    address: SocketAddr,
    here: ThisHost<'_>,
) -> Route {
    let own = here.own;
    let ip = address.ip().to_canonical();
    let address = SocketAddr::new(ip, address.port());
    if ip.is_loopback() || ip.is_unspecified() {
        return match scope {
            Scope::Merged => to_host(address, own, "a loopback address is this host".to_owned()),
            Scope::Container(id) => own_loopback::route(map, id, address, here),
        };
    }
    if own.contains(&address) {
        return loops(address);
    }
    match (map.network_of(ip), scope) {
        (Some(view), Scope::Merged) => into_network(view, address),
        (Some(view), Scope::Container(id)) => into_network_from(map, view, id, address),
        (None, scope) => outwards(
            map,
            scope,
            &ip,
            format!("{ip} is on no network of this engine"),
        ),
    }
}

fn loops(address: SocketAddr) -> Route {
    Route::refused(Refusal::Loop, format!("{address} is dockline itself"))
}

pub(super) fn to_host(address: SocketAddr, own: &OwnAddresses, reason: String) -> Route {
    // Whichever loopback address is written, a listener on one of them, or on all, answers.
    let port = address.port();
    if own
        .iter()
        .any(|a| a.port() == port && (a.ip().is_loopback() || a.ip().is_unspecified()))
    {
        return loops(address);
    }
    let address = if address.ip().is_unspecified() {
        SocketAddr::from((Ipv4Addr::LOCALHOST, port))
    } else {
        address
    };
    Route::Host { address, reason }
}

fn into_network(view: &NetworkView, address: SocketAddr) -> Route {
    let network = view.network();
    if !view.is_watched() {
        let reason = format!(
            "{} is on network {}, which no watched container is on",
            address.ip(),
            network.name
        );
        return Route::refused(Refusal::Forbidden, reason);
    }
    if let Some(obstacle) = membership::obstacle(network) {
        let reason = format!(
            "the tunnel cannot be on network {}: {obstacle}",
            network.name
        );
        return Route::refused(Refusal::Forbidden, reason);
    }
    let target = Target {
        address,
        network: network.id.clone(),
    };
    let reason = format!("{} is on network {}", address.ip(), network.name);
    Route::Tunnel {
        targets: vec![target],
        reason,
        if_refused: None,
    }
}

fn into_network_from(
    map: &NetworkMap,
    view: &NetworkView,
    id: &ContainerId,
    address: SocketAddr,
) -> Route {
    let network = view.network();
    let owner = map.network_owner(id).map(|k| &k.container);
    if owner.is_some_and(|c| c.endpoint(&network.id).is_some()) {
        return into_network(view, address);
    }
    if let Some(route) = owner.and_then(|c| to_machine(map, view, c, address)) {
        return route;
    }
    let who = owner.map_or(id.short(), |c| c.name.as_str());
    let reason = format!(
        "{} is on network {}, which {who} is not on",
        address.ip(),
        network.name
    );
    Route::refused(Refusal::Forbidden, reason)
}

/// The gateway's address of any bridge network is the engine's machine itself, where everybody with a way out gets to:
/// `host-gateway` in hosts files is such an address.
fn to_machine(
    map: &NetworkMap,
    view: &NetworkView,
    container: &Container,
    address: SocketAddr,
) -> Option<Route> {
    let mut subnets = view.network().subnets.iter();
    let is_gateway = subnets.any(|subnet| subnet.gateway == Some(address.ip()));
    if !is_gateway || view.network().driver != "bridge" {
        return None;
    }
    let by = in_order(map, container)
        .into_iter()
        .map(|(_, view)| view.network())
        .find(|network| !network.internal && can_be_joined(map, &network.id))?;
    Some(Route::Tunnel {
        targets: vec![Target {
            address,
            network: by.id.clone(),
        }],
        reason: format!(
            "{} is the engine's machine, reached from network {}",
            address.ip(),
            by.name
        ),
        if_refused: None,
    })
}

/// Whether the tunnel is on that network, or soon will be.
pub(super) fn can_be_joined(map: &NetworkMap, id: &NetworkId) -> bool {
    let view = map.networks().get(id);
    view.is_some_and(|v| v.is_watched() && membership::obstacle(v.network()).is_none())
}

/// Beyond all networks, for whoever has a way out. A name is held to this before anybody is asked for it: an upstream
/// proxy would resolve it and go there.
pub(super) fn outwards(
    map: &NetworkMap,
    scope: &Scope,
    what: &dyn fmt::Display,
    reason: String,
) -> Route {
    let Scope::Container(id) = scope else {
        return Route::Direct { reason };
    };
    let owner = map.network_owner(id).map(|k| &k.container);
    if owner.is_none_or(|container| !has_way_out(map, container)) {
        let reason = format!(
            "{what} is outside, and the calling container is on internal networks only, or on none"
        );
        return Route::refused(Refusal::Forbidden, reason);
    }
    Route::Direct { reason }
}

/// Whether it is on a network that is not internal.
pub(super) fn has_way_out(map: &NetworkMap, container: &Container) -> bool {
    let internal = |id: &NetworkId| map.networks().get(id).is_some_and(|v| v.network().internal);
    container.network_mode == NetworkMode::Host
        || container.endpoints.iter().any(|e| !internal(&e.network))
}
