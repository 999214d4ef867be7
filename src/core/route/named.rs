//! Decisions for names: for all the addresses that a name has.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::address::{outwards, to_host};
use super::{Refusal, Resolvers, Route, Target, ThisHost, resolvers, route_address};
use crate::core::map::NetworkMap;
use crate::core::resolve::{self, Answer, HOST_NAMES, RecordType, Scope, Source, Status};

/// Decides for a name that is not looked for in any domain.
pub fn route_name(
    map: &NetworkMap,
    scope: &Scope,
    name: &str,
    port: u16,
    here: ThisHost<'_>,
) -> Route {
    let v4 = resolve::resolve(map, scope, name, RecordType::A);
    let v6 = resolve::resolve(map, scope, name, RecordType::Aaaa);
    let addresses: Vec<_> = v4.addresses.iter().chain(&v6.addresses).copied().collect();
    if addresses.is_empty() {
        return unresolved(map, scope, name, &v4, here);
    }
    if *scope == Scope::Merged
        && HOST_NAMES.contains(&name.to_lowercase().as_str())
        && is_loopback(&addresses)
    {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        return to_host(address, here.own, format!("{name} is this host"));
    }
    let routes = addresses
        .iter()
        .map(|a| route_address(map, scope, SocketAddr::new(*a, port), here));
    let sources = v4.sources.iter().chain(&v6.sources);
    merge(name, whose_name(sources), routes.collect())
}

/// Whose name that is, if it is one on a network.
fn whose_name<'a>(mut sources: impl Iterator<Item = &'a Source> + Clone) -> Option<&'static str> {
    let is_name = |s: &Source| matches!(s, Source::Name(_) | Source::Link);
    let is_service = |s: &Source| matches!(s, Source::Name(kind) if kind.is_of_service());
    let whose = if sources.clone().any(is_service) {
        "service"
    } else {
        "container"
    };
    sources.all(is_name).then_some(whose)
}

/// Decides for the addresses of a name of the world: those that lead straight out, and the way, which is another one if
/// there are none.
///
/// An address that may be reached counts more than one that may not.
pub fn route_found(
    map: &NetworkMap,
    scope: &Scope,
    name: &str,
    addresses: &[SocketAddr],
    here: ThisHost<'_>,
) -> (Vec<SocketAddr>, Route) {
    let judge = |address: &SocketAddr| (*address, route_address(map, scope, *address, here));
    let (out, inside): (Vec<_>, Vec<_>) = addresses
        .iter()
        .map(judge)
        .partition(|(_, route)| matches!(route, Route::Direct { .. }));
    let (refused, reached): (Vec<_>, Vec<_>) = inside
        .into_iter()
        .map(|(_, route)| route)
        .partition(|route| matches!(route, Route::Refused { .. }));
    let Some((_, route)) = out.first() else {
        let routes = reached.into_iter().chain(refused).collect();
        return (Vec::new(), merge(name, None, routes));
    };
    let route = route.clone();
    (out.into_iter().map(|(address, _)| address).collect(), route)
}

fn is_loopback(addresses: &[IpAddr]) -> bool {
    addresses.iter().all(IpAddr::is_loopback)
}

/// Decides for a name that may be one of the world's. Who has no way out may have servers of its own to ask, which know
/// names that lead somewhere else.
pub(super) fn worlds(
    map: &NetworkMap,
    scope: &Scope,
    name: &str,
    reason: String,
    here: ThisHost<'_>,
) -> Route {
    match resolvers(map, scope, here) {
        Resolvers::Own(servers) if !servers.is_empty() => Route::Direct { reason },
        Resolvers::Own(_) | Resolvers::System => outwards(map, scope, &name, reason, here),
    }
}

fn unresolved(
    map: &NetworkMap,
    scope: &Scope,
    name: &str,
    answer: &Answer,
    here: ThisHost<'_>,
) -> Route {
    match answer.status {
        Status::Forward => {
            let reason = format!("{name} is not a name of this engine");
            worlds(map, scope, name, reason, here)
        }
        Status::NoData | Status::Found => Route::refused(
            Refusal::NotFound,
            format!("{name} is known but has no address"),
        ),
        Status::NotFound if map.generation() == 0 => Route::refused(
            Refusal::NotYet,
            format!("the engine has not said yet what runs there, so {name:?} is not known"),
        ),
        Status::NotFound if name.contains('.') => Route::refused(
            Refusal::NotFound,
            format!(
                "nothing is called {name:?}; of the names under \"dockline\", which never leave this machine, \
                 NAME.CONTAINER.scope.dockline is NAME as a running container sees it"
            ),
        ),
        Status::NotFound => Route::refused(
            Refusal::NotFound,
            format!(
                "no watched network has the name {name:?}, and a name without a dot never leaves this machine"
            ),
        ),
    }
}

/// Several addresses of one name: all that go through the tunnel, or else the first decision.
fn merge(name: &str, whose: Option<&str>, routes: Vec<Route>) -> Route {
    let mut tunnel: Option<Route> = None;
    let mut first = None;
    for route in routes {
        match (route, &mut tunnel) {
            (Route::Tunnel { targets: more, .. }, Some(Route::Tunnel { targets, .. })) => {
                add_new(targets, more);
            }
            (route @ Route::Tunnel { .. }, _) => tunnel = Some(route),
            (other, _) => {
                first.get_or_insert(other);
            }
        }
    }
    if let Some(Route::Tunnel { reason, .. }) = &mut tunnel {
        *reason = match whose {
            Some(whose) => format!("{name} is a {whose}'s name"),
            None => format!("{name}: {reason}"),
        };
    }
    tunnel.or(first).unwrap_or_else(|| {
        let reason = format!("{name} has no address");
        Route::refused(Refusal::NotFound, reason)
    })
}

fn add_new(targets: &mut Vec<Target>, more: Vec<Target>) {
    for target in more {
        if !targets.contains(&target) {
            targets.push(target);
        }
    }
}
