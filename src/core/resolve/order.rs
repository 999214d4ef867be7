//! The order in which Docker takes a container's networks: by the priority of gateways where the engine has it, those
//! with a way out first, then dual-stack ones, then by name.

use std::cmp::Reverse;

use crate::core::inventory::{Container, Endpoint};
use crate::core::map::{NetworkMap, NetworkView};

/// A container's networks in Docker's order, with its endpoints there.
pub(crate) fn in_order<'a>(
    map: &'a NetworkMap,
    container: &'a Container,
) -> Vec<(&'a Endpoint, &'a NetworkView)> {
    let view = |e: &'a Endpoint| Some((e, map.networks().get(&e.network)?.as_ref()));
    let mut networks: Vec<_> = container.endpoints.iter().filter_map(view).collect();
    // What an endpoint's gateways are worth. More comes first.
    let gateways: fn(&Endpoint) -> u8 = if is_new(container) {
        |endpoint| u8::from(endpoint.gateway4) + u8::from(endpoint.gateway6)
    } else {
        |endpoint| u8::from(endpoint.gateway4) + 2 * u8::from(endpoint.gateway6)
    };
    networks.sort_by_key(|(endpoint, view)| {
        (
            Reverse(endpoint.gw_priority),
            view.network().internal,
            Reverse(gateways(endpoint)),
            &view.network().name,
        )
    });
    networks
}

/// Whether the engine is of version 28 or later, whose rules were read in its source and not measured.
pub(super) fn is_new(container: &Container) -> bool {
    // That is how new engines show.
    let mut endpoints = container.endpoints.iter();
    endpoints.any(|endpoint| endpoint.gw_priority.is_some())
}
