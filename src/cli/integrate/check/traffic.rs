//! What the gateway knows of one request of ours.

use std::path::Path;
use std::time::Duration;

use crate::check::Told;
use crate::control::client;
use crate::control::report::shape::Connections;
use crate::core::check::Hop;

/// What the gateway knows of a destination, as far as it is asked.
pub(super) async fn told(socket: &Path, caller: &[String], destination: &str) -> Told {
    let asked = client::get(socket, "/v1/connections", &[]).await;
    let Connections { open, refused } = asked.unwrap_or_default();
    let by_caller = |client: &str| {
        let ip = client.rsplit_once(':').map_or(client, |(ip, _)| ip);
        caller.iter().any(|own| own == ip)
    };
    // The caller's own may be handed on as an address.
    let port = destination.rsplit_once(':').map_or("", |(_, port)| port);
    let is_it = |to: &str, client: &str| {
        to == destination || by_caller(client) && to.ends_with(&format!(":{port}"))
    };
    let open = open
        .into_iter()
        .filter(|hop| is_it(&hop.destination, &hop.client));
    let hops = open.map(|hop| Hop {
        by_caller: by_caller(&hop.client),
        from: hop.from,
        via: hop.via,
        since: Duration::try_from_secs_f64(hop.since).unwrap_or_default(),
    });
    let refused = refused
        .into_iter()
        .filter(|r| is_it(&r.destination, &r.client));
    (
        hops.collect(),
        refused.map(|r| (by_caller(&r.client), r.reason)).collect(),
    )
}
