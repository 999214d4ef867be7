//! Before a network is removed, the tunnel lets it go.

use std::sync::Arc;
use std::time::Duration;

use tracing::warn;

use super::{Forward, Refusal, Rule};
use crate::api_proxy::Shared;
use crate::api_proxy::leases::Held;
use crate::core::id::NetworkId;
use crate::core::map::NetworkMap;
use crate::core::membership::{self, Lease};

/// For the tunnel to be off a network: milliseconds on a quiet machine. After that the engine says what is in the way.
const LEAVE: Duration = Duration::from_secs(2);

/// Lets the tunnel leave the network that is to be removed; it stays away until the engine has answered.
pub(super) async fn remove(shared: Arc<Shared>, reference: String) -> Result<Forward, Refusal> {
    let network = named(&shared.map(), &reference);
    let mut forward = Forward::by(Rule::AsItCame);
    if let Some(network) = network {
        forward.held = Some(let_go(&shared, network).await);
    }
    Ok(forward)
}

/// Makes the tunnel leave a network, and waits until it has.
pub(super) async fn let_go(shared: &Shared, network: NetworkId) -> Held {
    let held = Held::new(&shared.leases, [network.clone()], Lease::LetGo);
    let left = shared.until(LEAVE, |map| {
        !map.joined_by_any().any(|joined| *joined == network)
    });
    if !left.await {
        warn!(
            network = network.short(),
            "the tunnel is still on a network that is to be removed"
        );
    }
    held
}

/// The tunnel leaves empty networks by itself; this waits until it has.
pub(super) async fn prune(shared: Arc<Shared>) -> Result<Forward, Refusal> {
    let home = shared.instance.home_name();
    let settled = shared.until(LEAVE, |map| {
        let wanted = membership::wanted(map, &shared.leases.borrow());
        map.joined_by_any().all(|id| {
            let view = map.networks().get(id);
            let stays = view
                .is_none_or(|view| view.network().default_bridge || view.network().name == home);
            stays || wanted.contains(id)
        })
    });
    if !settled.await {
        warn!("the tunnel is still on a network without a running container");
    }
    Ok(Forward::as_it_came())
}

/// The network that a reference means, as the engine reads it: an id, a name, or the beginning of one id.
pub(super) fn named(map: &NetworkMap, reference: &str) -> Option<NetworkId> {
    let all = || map.networks().values().map(|view| view.network());
    let exact = all()
        .find(|n| n.id.as_str() == reference)
        .or_else(|| all().find(|n| n.name == reference));
    let found = exact.or_else(|| {
        let mut beginning = all().filter(|n| n.id.as_str().starts_with(reference));
        beginning.next().filter(|_| beginning.next().is_none())
    });
    Some(found?.id.clone())
}
