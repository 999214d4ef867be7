//! How what is about to run will reach the tunnel's entry.

use std::time::Duration;

use super::Shared;
use super::leases::Held;
use crate::core::inject::{Attached, Entry, Reach, reach};
use crate::core::map::NetworkMap;
use crate::core::membership::Lease;

/// For the tunnel to be up, and on the default bridge: a service that has just been started makes it first.
const ADDRESS: Duration = Duration::from_secs(10);

/// Why it will not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Obstacle {
    #[error("the tunnel has no address that it could reach")]
    NoAddress,
    #[error("the tunnel cannot be on its network: {0}")]
    Network(&'static str),
}

/// Finds out, and has the tunnel join the default bridge if it takes that.
pub(super) async fn of(shared: &Shared, attached: Attached) -> Result<Entry, Obstacle> {
    let attached = match attached {
        // Whoever lends has no lender itself: the engine refuses that.
        Attached::Like(other) => match shared.client.startable(&other).await {
            Ok(Some(lender)) => Attached::of(&lender.mode),
            // The engine will say what is wrong with it.
            Ok(None) | Err(_) => Attached::Named,
        },
        attached => attached,
    };
    let reach = |map: &NetworkMap| reach(map, &shared.instance, &attached);
    // A service that has just been started may not have seen anything yet.
    let is_seen = |map: &NetworkMap| reach(map) != Reach::NotYet;
    shared.until(ADDRESS, is_seen).await;
    let bridge = match reach(&shared.map()) {
        Reach::Join(bridge) => Some(bridge),
        Reach::Known(_) | Reach::NotYet | Reach::Never(_) => None,
    };
    if bridge.is_some() {
        let _held = Held::new(&shared.leases, bridge, Lease::Join);
        let is_joined = |map: &NetworkMap| !matches!(reach(map), Reach::Join(_));
        shared.until(ADDRESS, is_joined).await;
    }
    match reach(&shared.map()) {
        Reach::Known(entry) => Ok(entry),
        Reach::Join(_) | Reach::NotYet => Err(Obstacle::NoAddress),
        Reach::Never(obstacle) => Err(Obstacle::Network(obstacle)),
    }
}
