//! The home network: the tunnel's own, with static addresses, so that what reaches it once reaches it always.
//!
//! The engine allows static addresses only in ranges given by the user. So it is first let pick a free range
//! under a passing name, and the network is then made anew with just that range.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv6Net};

use super::{Asked, Error};
use crate::core::id::{Instance, NetworkId};
use crate::core::inventory::Network;
use crate::core::label::{INSTANCE, Labels, ROLE, ROLE_HOME};
use crate::docker::client::{HomeAddresses, Labelled};
use crate::docker::{self, Client};

/// Somebody may take the range between the two steps; more often than this it is no accident.
const ATTEMPTS: usize = 5;
/// Label of a network that only finds out a free range.
const ROLE_PROBE: &str = "probe";
/// What is said where the engine gave the home network no IPv6 range.
const NO_IPV6: &str = "the engine gives no IPv6: the tunnel cannot be reached over it";
/// The tunnel's place in the home network's IPv6 range.
const IPV6_HOST: u128 = 0xfe;

/// The home network, with the addresses that the tunnel has there.
#[derive(Debug)]
pub(super) struct Home {
    pub(super) id: NetworkId,
    pub(super) addresses: HomeAddresses,
    /// What could not be had, for status.
    pub(super) loss: Option<String>,
}

/// Finds the home network, or makes it.
pub(super) async fn ensure(client: &Client, instance: &Instance) -> Result<Home, Error> {
    match existing(client, instance).await? {
        Some(home) => Ok(home),
        None => create(client, instance).await,
    }
}

/// The network that is there already. Twins, of which a crash may leave one, are removed if nobody is on them.
async fn existing(client: &Client, instance: &Instance) -> Result<Option<Home>, Error> {
    let mut found: Option<Home> = None;
    for network in labelled(client, instance).await? {
        let id = NetworkId::from(&network.id);
        // The tunnel is made with the name, so one of another name would never be its home.
        let role = network.labels.get(ROLE).map(String::as_str);
        let is_home = role == Some(ROLE_HOME) && network.name == instance.home_name();
        let facts = client
            .inspect_network(&id)
            .await
            .asked("inspect the home network")?;
        let home = facts
            .filter(|_| is_home && found.is_none())
            .and_then(|n| describe(&n));
        if home.is_some() {
            found = home;
        } else if let Err(error) = client.remove_network(&network.id).await {
            tracing::warn!(network = %network.name, %error, "stale home network not removed");
        }
    }
    Ok(found)
}

async fn labelled(client: &Client, instance: &Instance) -> Result<Vec<Labelled>, Error> {
    let own = format!("{INSTANCE}={instance}");
    client
        .labelled_networks(&[&own, ROLE])
        .await
        .asked("list networks")
}

/// Removes the home network, and those that a creation that was cut short left.
pub(super) async fn remove(client: &Client, instance: &Instance) -> Result<(), Error> {
    for network in labelled(client, instance).await? {
        client
            .remove_network(&network.id)
            .await
            .asked("remove the home network")?;
    }
    Ok(())
}

async fn create(client: &Client, instance: &Instance) -> Result<Home, Error> {
    let mut refused = None;
    for attempt in 1..=ATTEMPTS {
        // IPv6 is given up only when every other range was refused as well.
        let ipv6 = (attempt < ATTEMPTS).then(random_range).transpose()?;
        let network = match try_create(client, instance, ipv6).await {
            Ok(network) => network,
            Err(docker::Error::Refused { message, .. }) if message.contains("already exists") => {
                return Err(Error::NameTaken(instance.home_name()));
            }
            Err(error @ docker::Error::Refused { .. }) => {
                tracing::debug!(%error, "range refused; trying another");
                refused = Some(error);
                continue;
            }
            Err(source) => {
                return Err(Error::Engine {
                    action: "make the home network",
                    source,
                });
            }
        };
        if let Some(home) = network.and_then(|network| describe(&network)) {
            return Ok(home);
        }
    }
    Err(Error::NoRange {
        name: instance.home_name(),
        source: refused,
    })
}

/// Lets the engine pick an IPv4 range, and makes the network with it.
async fn try_create(
    client: &Client,
    instance: &Instance,
    ipv6: Option<Ipv6Net>,
) -> Result<Option<Network>, docker::Error> {
    let labels = |role: &str| -> Labels {
        let labels = [(INSTANCE, instance.as_str()), (ROLE, role)];
        labels.map(|(k, v)| (k.to_owned(), v.to_owned())).into()
    };
    let passing = format!("{}-probe", instance.home_name());
    let probe = client
        .create_home(&passing, &[], false, &labels(ROLE_PROBE))
        .await?;
    let picked = client.inspect_network(&probe).await;
    client.remove_network(probe.as_str()).await?;
    let subnets = picked?.map(|n| n.subnets).unwrap_or_default();
    let ipv4 = subnets
        .iter()
        .map(|s| s.net)
        .filter(|net| matches!(net, IpNet::V4(_)));
    let ranges: Vec<_> = ipv4.chain(ipv6.map(IpNet::V6)).collect();
    let name = instance.home_name();
    let home = client
        .create_home(&name, &ranges, ipv6.is_some(), &labels(ROLE_HOME))
        .await?;
    client.inspect_network(&home).await
}

/// The tunnel's addresses follow from the ranges, so nothing need be remembered.
fn describe(network: &Network) -> Option<Home> {
    let ranges = || network.subnets.iter().map(|s| s.net);
    let ipv4 = ranges().find_map(|range| match range {
        IpNet::V4(net) => Some(Ipv4Addr::from(u32::from(net.broadcast()).checked_sub(1)?)),
        IpNet::V6(_) => None,
    })?;
    let ipv6 = ranges().find_map(|range| match range {
        IpNet::V6(net) => Some(Ipv6Addr::from(u128::from(net.network()) + IPV6_HOST)),
        IpNet::V4(_) => None,
    });
    Some(Home {
        id: network.id.clone(),
        loss: ipv6.is_none().then(|| NO_IPV6.to_owned()),
        addresses: HomeAddresses { ipv4, ipv6 },
    })
}

impl Home {
    /// All addresses, as the tunnel takes them from its environment.
    pub(super) fn listed(&self) -> String {
        let HomeAddresses { ipv4, ipv6 } = &self.addresses;
        let all = std::iter::once(IpAddr::V4(*ipv4)).chain(ipv6.map(IpAddr::V6));
        all.map(|a| a.to_string()).collect::<Vec<_>>().join(",")
    }
}

/// A random /64 of the unique local addresses (RFC 4193: fd, 40 random bits, subnet 0).
fn random_range() -> Result<Ipv6Net, Error> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes[1..6]).map_err(Error::Random)?;
    bytes[0] = 0xfd;
    Ok(Ipv6Net::new_assert(Ipv6Addr::from(bytes), 64))
}
