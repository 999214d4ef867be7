//! Before a container is started, the tunnel joins its networks.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tracing::{debug, warn};

use super::network::{let_go, named};
use super::{Forward, Refusal, Rule};
use crate::api_proxy::Shared;
use crate::api_proxy::leases::Held;
use crate::core::id::NetworkId;
use crate::core::inject::{Attached, Candidate, injectable, lacks_default_bridge};
use crate::core::label;
use crate::core::map::NetworkMap;
use crate::core::membership::{self, Lease};
use crate::docker::client::{Startable, WantedNetwork};

/// For the tunnel to be on all networks of a container; then the container is started anyway.
const JOIN: Duration = Duration::from_secs(2);

pub(super) async fn decide(shared: Arc<Shared>, reference: String) -> Result<Forward, Refusal> {
    let container = match shared.client.startable(&reference).await {
        Ok(Some(container)) => container,
        // The engine says so itself.
        Ok(None) => return Ok(Forward::as_it_came()),
        Err(error) => {
            warn!(%error, container = reference, "a start passes unseen");
            return Ok(Forward::as_it_came());
        }
    };
    let candidate = Candidate {
        name: Some(&container.name),
        image: &container.image,
        labels: &container.labels,
        platform: container.platform.as_deref(),
    };
    if let Err(exempt) = injectable(&candidate, &shared.instance) {
        debug!(
            container = container.name,
            ?exempt,
            "a container is left alone"
        );
        return Ok(Forward::as_it_came());
    }
    let own = container.labels.contains_key(label::UNDO);
    if !own && !shared.foreign_allowed {
        return Err(foreign(&container));
    }
    let networks = match Attached::of(&container.mode) {
        Attached::Host => Vec::new(),
        Attached::Like(other) => lent(&shared, &other).await,
        Attached::DefaultBridge if lacks_default_bridge(&shared.map()) => {
            let is_there = |n: &WantedNetwork| Attached::of(&n.name) != Attached::DefaultBridge;
            container.networks.into_iter().filter(is_there).collect()
        }
        Attached::Named | Attached::DefaultBridge => container.networks,
    };
    Ok(Forward {
        held: Some(join(&shared, &networks).await.for_container(container.id)),
        ..Forward::by(Rule::AsItCame)
    })
}

fn foreign(container: &Startable) -> Refusal {
    let name = &container.name;
    let remedy = match container.labels.get(label::COMPOSE_PROJECT) {
        Some(_) => "`docker compose up` makes it anew, intercepted".to_owned(),
        None => format!("remove it and run it again, or `dockline attach {name}` once it runs"),
    };
    let reason = format!(
        "dockline: container {name} was created outside of this intercepted shell, so it would run unintercepted; \
         {remedy}. To start it as it is: `dockline env --unset`, or `dockline serve --foreign allow`"
    );
    Refusal {
        status: 400,
        reason,
    }
}

/// The networks of the container whose namespace is used.
async fn lent(shared: &Shared, other: &str) -> Vec<WantedNetwork> {
    match shared.client.startable(other).await {
        Ok(found) => found.map(|lender| lender.networks).unwrap_or_default(),
        Err(error) => {
            warn!(%error, container = other, "the networks of a container are not known");
            Vec::new()
        }
    }
}

/// Has the tunnel join the networks, and waits for it. It gives way where a container asks for its address.
async fn join(shared: &Shared, networks: &[WantedNetwork]) -> Held {
    let known = |map: &NetworkMap| networks.iter().all(|n| id_of(map, n).is_some());
    // A network that was made a moment ago may not have been seen.
    shared.until(JOIN, known).await;
    let map = shared.map();
    for network in networks {
        if let Some(id) = id_of(&map, network)
            && asks_for_ours(&map, &id, &network.addresses)
        {
            drop(let_go(shared, id).await);
        }
    }
    let ids: Vec<NetworkId> = networks.iter().filter_map(|n| id_of(&map, n)).collect();
    let ids: Vec<_> = ids
        .into_iter()
        .filter(|id| membership::is_open(&map, id))
        .collect();
    let held = Held::new(&shared.leases, ids.clone(), Lease::Join);
    let joined = shared.until(JOIN, |map| {
        ids.iter().all(|id| map.joined().any(|j| j == id))
    });
    if !joined.await {
        warn!(
            "the tunnel is not yet on all networks of a container that starts; see `dockline status`"
        );
    }
    held
}

fn id_of(map: &NetworkMap, network: &WantedNetwork) -> Option<NetworkId> {
    let by_id = network.id.as_deref().and_then(|id| named(map, id));
    by_id.or_else(|| named(map, &network.name))
}

fn asks_for_ours(map: &NetworkMap, network: &NetworkId, addresses: &[IpAddr]) -> bool {
    let tunnels = map.tunnels();
    let mut endpoints = tunnels.filter_map(|t| t.container.endpoint(network));
    endpoints.any(|endpoint| endpoint.addresses().any(|ours| addresses.contains(&ours)))
}
