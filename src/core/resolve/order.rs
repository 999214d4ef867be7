//! The order in which Docker takes a container's networks: a swarm's first, then those with a way out, then
//! dual-stack ones, then by name. And in what else engines differ.

use std::cmp::Reverse;

use super::places::Rule;
use crate::core::inventory::{Container, Endpoint};
use crate::core::map::{NetworkMap, NetworkView};

/// Where engines differ.
pub(super) struct Rules {
    /// What an endpoint's gateways are worth. More comes first.
    gateways: fn(&Endpoint) -> u8,
    /// Which networks of those that are asked make the answer.
    pub(super) pass: Rule,
}

/// Up to 27.
const OLD: Rules = Rules {
    gateways: |endpoint| u8::from(endpoint.gateway4) + 2 * u8::from(endpoint.gateway6),
    pass: Rule::FirstAddress,
};
/// From 28 on; read in its source, not measured.
const NEW: Rules = Rules {
    gateways: |endpoint| u8::from(endpoint.gateway4) + u8::from(endpoint.gateway6),
    pass: Rule::FirstKnown,
};

impl Rules {
    /// Those of the engine that told of these endpoints: new ones tell the priority of a gateway.
    pub(super) fn of(endpoints: &[Endpoint]) -> &'static Self {
        if endpoints.iter().any(|e| e.gw_priority.is_some()) {
            &NEW
        } else {
            &OLD
        }
    }
}

/// A container's networks in Docker's order, with its endpoints there.
pub(crate) fn in_order<'a>(
    map: &'a NetworkMap,
    container: &'a Container,
) -> Vec<(&'a Endpoint, &'a NetworkView)> {
    let rules = Rules::of(&container.endpoints);
    let view = |e: &'a Endpoint| Some((e, map.networks().get(&e.network)?.as_ref()));
    let mut networks: Vec<_> = container.endpoints.iter().filter_map(view).collect();
    networks.sort_by_key(|(endpoint, view)| {
        (
            // Whatever else is said of them.
            !view.network().swarm,
            Reverse(endpoint.gw_priority),
            view.network().internal,
            Reverse((rules.gateways)(endpoint)),
            &view.network().name,
        )
    });
    networks
}
