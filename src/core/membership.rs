//! Which networks the tunnel is on: wanted and joined in, a plan out.
//!
//! Wanted is a network with a running watched container, as long as somebody is on it who has not been told to
//! stop. It is left at the stop signal of the last one, because by the time that one is gone `compose down` is
//! already looking whether the network is empty (measured: from then on the race cannot be won).

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use ipnet::{IpNet, Ipv4Net};

use super::id::NetworkId;
use super::inventory::Network;
use super::map::NetworkMap;

/// How many addresses are looked at from the top of a range: more than any tunnel needs, and bounded.
const MAX_TRIED: usize = 256;

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
fn obstacle(network: &Network) -> Option<&'static str> {
    match network.driver.as_str() {
        "host" | "null" => Some("it is not a network of its own"),
        "bridge" if !network.icc => {
            Some("its members may not talk to one another (enable_icc=false)")
        }
        _ => None,
    }
}

/// The networks that the tunnel should be on.
pub fn wanted(map: &NetworkMap) -> BTreeSet<NetworkId> {
    let views = map.watched_networks();
    let reachable = views.filter(|v| v.is_inhabited() && obstacle(v.network()).is_none());
    reachable.map(|v| v.network().id.clone()).collect()
}

/// What must be done so that the tunnel is on the wanted networks, its home, and no other.
///
/// The default bridge is never left: it cannot be removed, so nobody waits for that, and what was told the
/// tunnel's address there would lose it.
pub fn plan(map: &NetworkMap, home: &NetworkId) -> Plan {
    let wanted = wanted(map);
    let joined: BTreeSet<_> = map.joined().cloned().collect();
    let stays = |id: &NetworkId| {
        id == home
            || map
                .networks()
                .get(id)
                .is_some_and(|view| view.network().default_bridge)
    };
    Plan {
        leave: joined
            .difference(&wanted)
            .filter(|id| !stays(id))
            .cloned()
            .collect(),
        join: wanted.difference(&joined).cloned().collect(),
    }
}

/// Watched networks that the tunnel keeps off, with the reason, for people.
pub fn obstacles(map: &NetworkMap) -> Vec<(&Network, &'static str)> {
    let views = map
        .watched_networks()
        .filter(|view| !view.members().is_empty());
    views
        .filter_map(|view| Some((view.network(), obstacle(view.network())?)))
        .collect()
}

/// The address to ask for on a network, or nothing where the engine's own choice is best.
///
/// Only ranges given by the user allow static addresses, and only there can a container come and find its own
/// taken; the highest free address is the one least likely to be wanted. `taken` are the addresses in use or
/// reserved by a container's configuration. Whether a range was given by the user, the engine does not say: where
/// it refuses, the caller connects without an address.
pub fn static_address(network: &Network, taken: &BTreeSet<IpAddr>) -> Option<Ipv4Addr> {
    if network.driver != "bridge" || network.default_bridge {
        return None;
    }
    let (subnet, range) = network.subnets.iter().find_map(|subnet| match subnet.net {
        IpNet::V4(net) => Some((subnet, net)),
        IpNet::V6(_) => None,
    })?;
    let free = |address: &Ipv4Addr| {
        let ip = IpAddr::V4(*address);
        subnet.gateway != Some(ip) && !subnet.reserved.contains(&ip) && !taken.contains(&ip)
    };
    from_the_top(range).find(free)
}

/// The host addresses of a range from the highest down, without its broadcast and network addresses. Where the
/// gateway was not given, the engine takes the first: that one is left out too.
fn from_the_top(range: Ipv4Net) -> impl Iterator<Item = Ipv4Addr> {
    let first = u32::from(range.network()).saturating_add(2);
    let last = u32::from(range.broadcast()).saturating_sub(1);
    (first..=last).rev().take(MAX_TRIED).map(Ipv4Addr::from)
}
