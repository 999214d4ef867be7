//! Whom to ask for names of the world, and by which way.

use std::net::SocketAddr;

use super::address::has_way_out;
use super::{Route, Target, ThisHost, route_address};
use crate::core::map::NetworkMap;
use crate::core::resolve::Scope;

/// Where DNS servers listen.
const PORT: u16 = 53;
/// How many are asked: Docker's limit, and the C library's.
const MAX_SERVERS: usize = 3;

/// Whom to ask.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Resolvers {
    /// Those of the machine that dockline runs on.
    #[default]
    System,
    /// A container's own, in their order. With none of them left, it has nobody to ask.
    Own(Vec<Server>),
}

/// The way to a DNS server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Server {
    /// Through the tunnel, to the first of these that answers.
    Tunnel(Vec<Target>),
    /// Straight from here.
    Direct(SocketAddr),
}

/// Whom to ask for names of the world that are seen from `scope`.
///
/// Those that a container was given (`--dns`), as far as it can reach them; loopback is the container itself. One without
/// any, and without a way out, has nobody to ask.
pub fn resolvers(map: &NetworkMap, scope: &Scope, here: ThisHost<'_>) -> Resolvers {
    let Scope::Container(id) = scope else {
        return Resolvers::System;
    };
    let owner = map.network_owner(id).map(|known| &known.container);
    let Some(owner) = owner else {
        return Resolvers::Own(Vec::new());
    };
    let servers = &owner.dns.servers;
    if servers.is_empty() && (here.internal_egress || has_way_out(map, owner)) {
        return Resolvers::System;
    }
    let way = |address| match route_address(map, scope, address, here) {
        Route::Tunnel { targets, .. } => Some(Server::Tunnel(targets)),
        Route::Host { address, .. } => Some(Server::Direct(address)),
        Route::Direct { .. } => Some(Server::Direct(address)),
        Route::Refused { .. } => None,
    };
    let servers = servers.iter().take(MAX_SERVERS);
    let addresses = servers.map(|ip| SocketAddr::new(*ip, PORT));
    Resolvers::Own(addresses.filter_map(way).collect())
}
