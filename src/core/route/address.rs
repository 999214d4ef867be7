//! The verdict on a final address.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

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
            Scope::Network(_) => {
                let reason = format!("{ip} is the caller itself, and who calls is not known");
                Route::refused(Refusal::Forbidden, reason)
            }
        };
    }
    if own.contains(&address) {
        return loops(address);
    }
    if is_tunnel(map, ip) {
        return Route::refused(Refusal::Loop, format!("{ip} is dockline's own tunnel"));
    }
    match (map.network_of(ip), scope) {
        (Some(view), Scope::Merged) => to_machine_for_all(map, view, address)
            .unwrap_or_else(|| into_network(map, view, address)),
        (Some(view), Scope::Network(id)) if view.network().id == *id => {
            into_network(map, view, address)
        }
        (Some(view), Scope::Network(_)) => {
            let name = &view.network().name;
            let reason =
                format!("{ip} is on network {name}, which the caller is not known to be on");
            Route::refused(Refusal::Forbidden, reason)
        }
        (Some(view), Scope::Container(id)) => into_network_from(map, view, id, address),
        (None, scope) => outwards(
            map,
            scope,
            &ip,
            format!("{ip} is on no network of this engine"),
            here,
        ),
    }
}

fn is_tunnel(map: &NetworkMap, address: IpAddr) -> bool {
    let mut endpoints = map.tunnels().flat_map(|known| &known.container.endpoints);
    endpoints.any(|endpoint| endpoint.addresses().any(|own| own == address))
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

/// On the default bridge the tunnel is for as long as it is anywhere: steps of builds are there, which nobody watches.
fn is_for_all(map: &NetworkMap, view: &NetworkView) -> bool {
    let network = view.network();
    network.default_bridge && map.joined().any(|id| *id == network.id)
}

fn into_network(map: &NetworkMap, view: &NetworkView, address: SocketAddr) -> Route {
    let network = view.network();
    if !view.is_watched() && !is_for_all(map, view) {
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
    // The engine's machine has an address on every bridge.
    let by_machine =
        |c: &Container| c.network_mode == NetworkMode::Host && network.driver == "bridge";
    if owner.is_some_and(|c| c.endpoint(&network.id).is_some() || by_machine(c)) {
        return into_network(map, view, address);
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
    let networks = in_order(map, container).into_iter();
    by_any_of(map, networks.map(|(_, view)| view), view, address)
}

/// The same without a scope, where nobody watched is on that network: what a container was allowed to reach comes back from
/// interceptors as an address.
fn to_machine_for_all(map: &NetworkMap, view: &NetworkView, address: SocketAddr) -> Option<Route> {
    let all = map.watched_by_name().iter().map(Arc::as_ref);
    by_any_of(map, all, view, address).filter(|_| !view.is_watched())
}

fn by_any_of<'a>(
    map: &NetworkMap,
    mut networks: impl Iterator<Item = &'a NetworkView>,
    view: &NetworkView,
    address: SocketAddr,
) -> Option<Route> {
    let mut subnets = view.network().subnets.iter();
    let is_gateway = subnets.any(|subnet| subnet.gateway == Some(address.ip()));
    if !is_gateway || view.network().driver != "bridge" {
        return None;
    }
    let leads_out =
        |by: &&NetworkView| !by.network().internal && can_be_joined(map, &by.network().id);
    let by = networks.find(leads_out)?.network();
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
    here: ThisHost<'_>,
) -> Route {
    let shut_in = match scope {
        Scope::Merged => false,
        Scope::Container(id) => {
            let owner = map.network_owner(id).map(|k| &k.container);
            owner.is_none_or(|c| is_shut_in(map, c, here.internal_egress))
        }
        Scope::Network(id) => {
            let view = map.networks().get(id);
            view.is_none_or(|v| v.network().internal && !here.internal_egress)
        }
    };
    if shut_in {
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

fn is_shut_in(map: &NetworkMap, container: &Container, internal_egress: bool) -> bool {
    let let_out = internal_egress && !container.endpoints.is_empty();
    !let_out && !has_way_out(map, container)
}
