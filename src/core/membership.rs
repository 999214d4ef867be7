//! Which networks the tunnel is on: wanted and joined in, a plan out.
//!
//! Wanted is a network with a running watched container, as long as somebody is on it who has not been told to
//! stop. It is left at the stop signal of the last one, because by the time that one is gone `compose down` is
//! already looking whether the network is empty (measured: from then on the race cannot be won). Whoever was told by way of
//! the API proxy has until its end: there, whoever looks at the network or removes it finds the tunnel gone.

mod attachment;
mod leases;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::net::SocketAddr;

pub use attachment::{Attachment, attachments};
pub use leases::{Lease, Leases};

use super::id::{ContainerId, NetworkId};
use super::inventory::{Container, Known, Network};
use super::label;
use super::map::NetworkMap;

/// What to do about the tunnel's networks. Leaving comes first: somebody may be waiting to remove the network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Networks to leave.
    pub leave: Vec<NetworkId>,
    /// Networks to join.
    pub join: Vec<NetworkId>,
}

impl Plan {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.leave.is_empty() && self.join.is_empty()
    }
}

/// Why the tunnel cannot be on a network, although a watched container is.
pub(crate) fn obstacle(network: &Network) -> Option<&'static str> {
    match network.driver.as_str() {
        "host" | "null" => Some("it is not a network of its own"),
        _ if network.swarm && !network.attachable => {
            Some("it takes the swarm's tasks alone (it was made without --attachable)")
        }
        "bridge" if !network.icc => {
            Some("its members may not talk to one another (enable_icc=false)")
        }
        _ => None,
    }
}

/// The networks that the tunnel should be on for the sake of who is there.
pub fn wanted(map: &NetworkMap, leases: &Leases) -> BTreeSet<NetworkId> {
    let views = map.watched_networks();
    let inhabited =
        views.filter(|v| v.is_inhabited() || v.members().any(|id| leases.stays_for(id)));
    let reachable = inhabited.filter(|v| obstacle(v.network()).is_none());
    reachable.map(|v| v.network().id.clone()).collect()
}

/// What must be done so that the tunnel is on the wanted networks, its home, and no other.
pub fn plan(map: &NetworkMap, home: &NetworkId, leases: &Leases) -> Plan {
    let mut wanted = wanted(map, leases);
    let asked_for = leases.joins().filter(|id| is_open(map, id));
    wanted.extend(asked_for.cloned());
    wanted.retain(|id| !leases.lets_go(id));
    let joined: BTreeSet<_> = map.joined().cloned().collect();
    let given_up = joined
        .difference(&wanted)
        .filter(|id| !stays(map, home, id));
    Plan {
        leave: given_up.cloned().collect(),
        join: wanted.difference(&joined).cloned().collect(),
    }
}

/// The networks that a former tunnel leaves: as the one in its place, it is in nobody's way.
pub fn given_up_by(
    map: &NetworkMap,
    former: &ContainerId,
    home: &NetworkId,
    leases: &Leases,
) -> Vec<NetworkId> {
    let wanted = wanted(map, leases);
    let joined = map.joined_by(former);
    let given_up =
        joined.filter(|id| !stays(map, home, id) && (!wanted.contains(*id) || leases.lets_go(id)));
    given_up.cloned().collect()
}

/// The containers that know a former tunnel by an address and would have no way out without it, running or not.
pub fn dependants<'a>(
    map: &'a NetworkMap,
    former: &'a ContainerId,
) -> impl Iterator<Item = &'a Known> {
    let addresses = map.containers().get(former).into_iter();
    let addresses: BTreeSet<_> = addresses
        .flat_map(|k| &k.container.endpoints)
        .flat_map(super::inventory::Endpoint::addresses)
        .collect();
    let known = move |k: &&Known| {
        let entry = k.container.labels.get(label::ENTRY);
        entry.is_some_and(|e| {
            e.parse()
                .is_ok_and(|a: SocketAddr| addresses.contains(&a.ip()))
        })
    };
    map.watched_containers().filter(known)
}

/// Whether a member of a network is one of this instance's tunnels, by the key under which the engine lists it. One on its way
/// out has no container there any more, for some moments, and is listed by its endpoint alone.
pub fn is_tunnel(map: &NetworkMap, member: &str) -> bool {
    let mut tunnels = map.tunnels();
    match member.strip_prefix("ep-") {
        None => tunnels.any(|t| t.container.id.as_str() == member),
        Some(endpoint) => {
            let mut endpoints = tunnels.flat_map(|t| &t.container.endpoints);
            endpoints.any(|e| !endpoint.is_empty() && e.endpoint_id == endpoint)
        }
    }
}

/// Whether the tunnel could be on that network.
pub fn is_open(map: &NetworkMap, id: &NetworkId) -> bool {
    let view = map.networks().get(id);
    view.is_some_and(|view| obstacle(view.network()).is_none())
}

/// The default bridge is never left: it cannot be removed, so nobody waits for that, and what was told the tunnel's
/// address there would lose it.
fn stays(map: &NetworkMap, home: &NetworkId, id: &NetworkId) -> bool {
    id == home
        || map
            .networks()
            .get(id)
            .is_some_and(|view| view.network().default_bridge)
}

/// The networks that a tunnel leaves when the service ends and it stays: those without a running container for which
/// `depends` holds, in its own network namespace or in another's.
pub fn farewell(
    map: &NetworkMap,
    tunnel: &Container,
    home: &NetworkId,
    depends: impl Fn(&Known) -> bool,
) -> Vec<NetworkId> {
    let users = || map.watched_containers().filter(|k| depends(k));
    let used = |id: &NetworkId| {
        let mut owners = users().filter_map(|k| map.network_owner(&k.container.id));
        owners.any(|k| k.container.endpoint(id).is_some())
    };
    let joined = tunnel.endpoints.iter().map(|e| &e.network);
    let joined = joined.filter(|id| !stays(map, home, id) && !used(id));
    joined.cloned().collect()
}

/// Whether the tunnel runs, as that container, at home; with the id of its endpoint there, which changes when it is
/// started anew.
pub fn at_home<'a>(map: &'a NetworkMap, tunnel: &ContainerId, home: &NetworkId) -> Option<&'a str> {
    let known = map.tunnel().filter(|k| k.container.id == *tunnel)?;
    Some(&known.container.endpoint(home)?.endpoint_id)
}

/// Watched networks that the tunnel keeps off, with the reason, for people.
pub fn obstacles(map: &NetworkMap) -> Vec<(&Network, &'static str)> {
    let views = map
        .watched_networks()
        .filter(|view| view.members().next().is_some());
    views
        .filter_map(|view| Some((view.network(), obstacle(view.network())?)))
        .collect()
}
