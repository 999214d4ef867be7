//! One join or leave of the tunnel, and what to make of the engine's answer.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::core::id::{ContainerId, NetworkId};
use crate::core::inventory::Network;
use crate::core::membership;
use crate::docker::{Client, Error};

/// Somebody may take the same address at the same time; more often than this it is something else.
const ATTEMPTS: usize = 3;

/// Joins the tunnel to a network, at an address that nobody is likely to ask for.
pub(super) async fn join(
    client: &Client,
    tunnel: &ContainerId,
    alias: &str,
    network: &Network,
) -> Result<(), Error> {
    let id = &network.id;
    let mut taken = BTreeSet::<IpAddr>::new();
    let mut look = membership::static_address(network, &taken).is_some();
    for _ in 0..ATTEMPTS {
        if look {
            taken.extend(client.taken_addresses(id).await?);
            look = false;
        }
        let address = membership::static_address(network, &taken);
        match client.connect(id, tunnel, alias, address).await {
            Err(error) if already_there(&error) => return Ok(()),
            Err(error) if address.is_some() && is_address_taken(&error) => {
                taken.extend(address.map(IpAddr::V4));
            }
            // The engine's own range: there no container can ask for an address.
            Err(error) if address.is_some() && is_address_refused(&error) => break,
            other => return other,
        }
    }
    client.connect(id, tunnel, alias, None).await
}

/// Takes the tunnel off a network; to be off already is fine, in all the ways in which engines say so.
pub(super) async fn leave(
    client: &Client,
    tunnel: &ContainerId,
    network: &NetworkId,
) -> Result<(), Error> {
    match client.disconnect(network, tunnel).await {
        Err(error) if error.is_not_found() || says(&error, "is not connected") => Ok(()),
        other => other,
    }
}

fn already_there(error: &Error) -> bool {
    says(error, "already exists in network") || says(error, "already attached")
}

fn is_address_taken(error: &Error) -> bool {
    says(error, "already in use")
}

fn is_address_refused(error: &Error) -> bool {
    says(error, "user configured subnets") || says(error, "user specified IP address")
}

/// The engine has no codes for these; its words have been the same since 1.10.
fn says(error: &Error, words: &str) -> bool {
    matches!(error, Error::Refused { message, .. } if message.contains(words))
}
