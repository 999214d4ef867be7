//! Who calls at the entry, told by the two addresses of its connection.

use std::net::{IpAddr, SocketAddr};

use super::id::ContainerId;
use super::inject::is_builder;
use super::inventory::{Known, NetworkMode};
use super::label;
use super::map::{NetworkMap, NetworkView, Owner};
use super::resolve::Scope;

/// Somebody who called at the entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// From where.
    pub address: SocketAddr,
    /// What it sees and may reach.
    pub scope: Scope,
}

/// The scope of somebody who called the tunnel at its address `local`.
///
/// Ranges of networks may overlap: which network it is, the tunnel's own address there tells; who it is, the caller's
/// address on that network. Whoever is not known there gets that network's view and nothing more. Nothing if the tunnel is
/// not known to have that address, or if the caller's is none of that network's: then it called an address of a network
/// that it is not on.
pub fn scope_of(map: &NetworkMap, caller: IpAddr, local: IpAddr) -> Option<Scope> {
    let view = called_on(map, local)?;
    if !view.network().contains(caller) {
        return None;
    }
    let known = view.owner(caller).and_then(Owner::container).cloned();
    let known = known.or_else(|| only_in_host_mode(map, view, caller));
    Some(match known {
        Some(id) => Scope::Container(id),
        None => Scope::Network(view.network().id.clone()),
    })
}

/// Whether there is nothing more to be learnt of who calls there: it is a container, or one of several in host mode. The
/// engine's machine may be one in host mode that has just been started.
pub fn is_known(map: &NetworkMap, caller: IpAddr, local: IpAddr) -> bool {
    match scope_of(map, caller, local) {
        Some(Scope::Container(_)) => true,
        Some(Scope::Network(_) | Scope::Merged) => {
            let by_machine = called_on(map, local).is_some_and(|view| is_machine(view, caller));
            by_machine && in_host_mode(map).next().is_some()
        }
        None => false,
    }
}

/// Whether somebody with that scope is a step of a build: BuildKit runs them on the default bridge, or as the engine's
/// machine, and makes no containers of them; nobody else is told the tunnel's address there. The classic builder's have
/// the label of their image, and none that says whose they are. Steps of a builder in a container call as that container.
pub fn is_build(map: &NetworkMap, scope: &Scope) -> bool {
    match scope {
        Scope::Network(id) => {
            let view = map.networks().get(id);
            view.is_some_and(|view| view.network().default_bridge)
        }
        Scope::Container(id) => map.containers().get(id).is_some_and(|known| {
            let labels = &known.container.labels;
            let classic =
                labels.contains_key(label::BUILD) && !labels.contains_key(label::INSTANCE);
            classic || is_builder(&known.container.name)
        }),
        Scope::Merged => false,
    }
}

/// Whether that is the address of the tunnel that builds are told.
pub fn is_for_builds(map: &NetworkMap, local: IpAddr) -> bool {
    called_on(map, local).is_some_and(|view| view.network().default_bridge)
}

fn is_machine(view: &NetworkView, address: IpAddr) -> bool {
    let mut subnets = view.network().subnets.iter();
    // Whoever chose a range without a gateway has the first address for one, and the engine does not list it.
    subnets.any(|subnet| subnet.gateway.or_else(|| subnet.net.hosts().next()) == Some(address))
}

/// The network on which the tunnel has that address.
fn called_on(map: &NetworkMap, local: IpAddr) -> Option<&NetworkView> {
    let endpoints = &map.tunnel()?.container.endpoints;
    let endpoint = endpoints
        .iter()
        .find(|e| e.addresses().any(|a| a == local))?;
    map.networks().get(&endpoint.network).map(AsRef::as_ref)
}

/// The watched container in host mode, if there is just one: the engine's machine calls from its own address on a network.
fn only_in_host_mode(map: &NetworkMap, view: &NetworkView, caller: IpAddr) -> Option<ContainerId> {
    if !is_machine(view, caller) {
        return None;
    }
    let mut on_host = in_host_mode(map);
    let only = on_host.next()?;
    on_host.next().is_none().then(|| only.container.id.clone())
}

fn in_host_mode(map: &NetworkMap) -> impl Iterator<Item = &Known> {
    map.watched_containers().filter(|known| {
        known.container.state.is_up() && known.container.network_mode == NetworkMode::Host
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::sample::{id, map, network_id};

    const MAP: &str = "
        net 0-home 172.18.0.0/16
        net shop v6 172.20.0.0/24 fd00:20::/64
        net blog 172.21.0.0/24
        net lan driver=macvlan 172.20.0.0/24
        run dockline-tunnel-default tunnel 0-home=172.18.0.254 shop=172.20.0.254,fd00:20::254 blog=172.21.0.254 lan=172.20.0.77
        run web watched shop=172.20.0.2,fd00:20::2
        run side watched mode=container:web
        run db shop=172.20.0.3 blog=172.21.0.3
        run far watched lan=172.20.0.2
        run stopped blog=
    ";

    fn check(map: &NetworkMap, caller: &str, local: &str, expected: &str) {
        let scope = scope_of(map, caller.parse().unwrap(), local.parse().unwrap());
        let expected = match expected.split_once(' ') {
            Some((_, network)) => Some(Scope::Network(network_id(network))),
            None if expected.is_empty() => None,
            None => Some(Scope::Container(id(expected))),
        };
        assert_eq!(scope, expected, "{caller} at {local}");
        let known = is_known(map, caller.parse().unwrap(), local.parse().unwrap());
        let one_of_several =
            expected.is_some() && caller.ends_with(".0.1") && in_host_mode(map).count() > 1;
        assert_eq!(
            known,
            one_of_several || matches!(scope, Some(Scope::Container(_)))
        );
    }

    #[test]
    fn callers() {
        let map = map(MAP);
        for (caller, local, expected) in [
            ("172.20.0.2", "172.20.0.254", "web"),
            ("fd00:20::2", "fd00:20::254", "web"),
            // The same address on another network is somebody else.
            ("172.20.0.2", "172.20.0.77", "far"),
            ("172.20.0.3", "172.20.0.254", "db"),
            ("172.21.0.3", "172.21.0.254", "db"),
            // Not known, but on that network; the engine's machine among them.
            ("172.20.0.99", "172.20.0.254", "on shop"),
            ("172.20.0.1", "172.20.0.254", "on shop"),
            ("172.18.0.1", "172.18.0.254", "on 0-home"),
            // Whoever calls an address of another network than its own.
            ("172.21.0.3", "172.20.0.254", ""),
            ("fd00:20::2", "172.21.0.254", ""),
            // Not an address of the tunnel's, or not any more.
            ("172.20.0.2", "172.20.0.253", ""),
            ("127.0.0.1", "127.0.0.1", ""),
        ] {
            check(&map, caller, local, expected);
        }
    }

    #[test]
    fn the_engines_machine_is_the_container_in_host_mode_if_there_is_one() {
        let one = format!("{MAP}\nrun onhost watched mode=host");
        check(&map(&one), "172.18.0.1", "172.18.0.254", "onhost");
        check(&map(&one), "172.18.0.9", "172.18.0.254", "on 0-home");
        let two = format!("{one}\nrun another watched mode=host");
        check(&map(&two), "172.18.0.1", "172.18.0.254", "on 0-home");
    }

    #[test]
    fn whom_nobody_knows_on_the_default_bridge_is_a_build() {
        let map = map(&format!(
            "{MAP}
            net bridge default 172.17.0.0/16
            run onbridge bridge=172.17.0.2
            run buildx_buildkit_own0 bridge=172.17.0.3"
        ));
        for (scope, expected) in [
            (Scope::Network(network_id("bridge")), true),
            (Scope::Network(network_id("shop")), false),
            (Scope::Container(id("onbridge")), false),
            (Scope::Container(id("buildx_buildkit_own0")), true),
            (Scope::Merged, false),
        ] {
            assert_eq!(is_build(&map, &scope), expected, "{scope:?}");
        }
    }

    #[test]
    fn builds_are_told_the_tunnels_address_on_the_default_bridge() {
        let map = map("
            net bridge default 172.17.0.0/16
            net shop 172.20.0.0/24
            run dockline-tunnel-default tunnel bridge=172.17.0.9 shop=172.20.0.9
            run onhost watched mode=host");
        for (local, expected) in [
            ("172.17.0.9", true),
            ("172.20.0.9", false),
            ("172.17.0.8", false),
        ] {
            assert_eq!(is_for_builds(&map, local.parse().unwrap()), expected);
        }
    }

    #[test]
    fn without_a_tunnel_nobody_called() {
        check(
            &map("net shop 172.20.0.0/24"),
            "172.20.0.2",
            "172.20.0.254",
            "",
        );
    }
}
