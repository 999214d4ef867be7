//! One join or leave of the tunnel, and what to make of the engine's answer.

use std::collections::BTreeSet;

use crate::core::id::{ContainerId, NetworkId};
use crate::core::inventory::Network;
use crate::core::membership::{Attachment, attachments};
use crate::docker::{Client, Error};

/// Somebody may take the same address at the same time; more often than this it is something else.
const ATTEMPTS: usize = 3;

/// Joins the tunnel to a network, at addresses that nobody is likely to ask for.
///
/// Its name there is its container's. Where the network leads out, it gets an alias beside that, by which its entry knows so
/// without dockline (`tunnel-image/src/plain.rs`).
pub(super) async fn join(
    client: &Client,
    tunnel: &ContainerId,
    name: &str,
    network: &Network,
) -> Result<(), Error> {
    let open = (!network.internal).then(|| format!("open.{name}"));
    let aliases: Vec<_> = open.into_iter().collect();
    let aliases = |way: &Attachment| if way.named { &aliases[..] } else { &[] };
    let id = &network.id;
    let mut taken = BTreeSet::new();
    if attachments(network, &taken).len() > 1 {
        taken.extend(client.taken_addresses(id).await?);
    }
    for _ in 0..ATTEMPTS {
        let mut last = Ok(());
        for way in attachments(network, &taken) {
            last = client.connect(id, tunnel, aliases(&way), &way).await;
            match &last {
                Err(error) if error.is_already_connected() => return Ok(()),
                Err(error) if error.is_address_taken() => {
                    taken.extend(way.addresses());
                    break;
                }
                Err(error) if error.is_address_not_allowed() => {}
                Ok(()) | Err(_) => return last,
            }
        }
        if !last.as_ref().is_err_and(Error::is_address_taken) {
            return last;
        }
    }
    let plain = attachments(network, &taken).pop().unwrap_or_default();
    client.connect(id, tunnel, aliases(&plain), &plain).await
}

/// Joins the tunnel to a network where its container says that it is, and the network does not.
pub(super) async fn confirm(
    client: &Client,
    tunnel: &ContainerId,
    name: &str,
    network: &Network,
) -> Result<(), Error> {
    match client.has_member(&network.id, tunnel).await {
        Ok(true) => Ok(()),
        Ok(false) => {
            tracing::info!(
                network = network.id.short(),
                "the engine lists the tunnel on a network where it is not; it joins"
            );
            join(client, tunnel, name, network).await
        }
        // Nobody is on a network that has gone.
        Err(error) if error.is_not_found() => Ok(()),
        Err(error) => Err(error),
    }
}

/// Joins the tunnel to a network where it may be, or be half.
pub(super) async fn again(
    client: &Client,
    tunnel: &ContainerId,
    name: &str,
    network: &Network,
) -> Result<(), Error> {
    leave(client, tunnel, &network.id).await?;
    match join(client, tunnel, name, network).await {
        Err(error) if error.is_not_found() => Ok(()),
        other => other,
    }
}

/// Takes the tunnel off a network; to be off already is fine.
pub(super) async fn leave(
    client: &Client,
    tunnel: &ContainerId,
    network: &NetworkId,
) -> Result<(), Error> {
    match client.disconnect(network, tunnel).await {
        Err(error) if error.is_not_connected() => Ok(()),
        other => other,
    }
}
