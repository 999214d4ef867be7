//! Tunnels that have a successor.

use super::shape::FormerTunnel;
use crate::core::id::is_beside;
use crate::core::map::NetworkMap;
use crate::core::membership::dependants;

/// Those that still run, and for whose sake.
pub(super) fn former(map: &NetworkMap) -> Vec<FormerTunnel> {
    let former = map.tunnels().filter(|k| is_beside(&k.container.name));
    let report = former.map(|known| {
        let id = &known.container.id;
        let containers = dependants(map, id).map(|k| k.container.name.clone());
        FormerTunnel {
            id: id.to_string(),
            name: known.container.name.clone(),
            containers: containers.collect(),
        }
    });
    report.collect()
}
