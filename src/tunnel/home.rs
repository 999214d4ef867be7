//! The home network: the tunnel's own, with static addresses, so that what reaches it once reaches it always.
//!
//! The engine allows static addresses only in ranges given by the user. So it is first let pick a free range
//! under a passing name, and the network is then made anew with just that range.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv6Net};

use super::{Asked, Error};
use crate::core::id::{Instance, NetworkId};
use crate::core::inventory::Network;
use crate::core::label::{INSTANCE, ROLE, ROLE_HOME};
use crate::docker::client::{HomeAddresses, NetworkSpec};
use crate::docker::{self, Client};

/// Somebody may take the range between the two steps; more often than this it is no accident.
const ATTEMPTS: usize = 5;
/// Label of a network that only finds out a free range.
const ROLE_PROBE: &str = "probe";
/// What is said where the engine gave the home network no IPv6 range.
const NO_IPV6: &str = "the engine gives no IPv6: the tunnel cannot be reached over it";
/// The tunnel's place in the home network's IPv6 range.
const IPV6_HOST: u128 = 0xfe;
/// How many tunnels may be there at a time: one, and former ones that still have callers.
const PLACES: u8 = 8;

/// The home network, with the addresses that the first tunnel has there.
#[derive(Debug)]
pub(super) struct Home {
    pub(super) id: NetworkId,
    pub(super) addresses: HomeAddresses,
    /// The address that the engine's machine has there: the first, as no other was asked for.
    pub(super) gateway: IpAddr,
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
        // The tunnel is made with the name, so one of another name would never be its home.
        let role = network.labels.get(ROLE).map(String::as_str);
        let is_home = role == Some(ROLE_HOME) && network.name == instance.home_name();
        let ranges = || network.subnets.iter().map(|s| s.net);
        match describe(&network.id, ranges()).filter(|_| is_home && found.is_none()) {
            Some(home) => found = Some(home),
            None => {
                if let Err(error) = client.remove_network(network.id.as_str()).await {
                    tracing::warn!(network = %network.name, %error, "stale home network not removed");
                }
            }
        }
    }
    Ok(found)
}

async fn labelled(client: &Client, instance: &Instance) -> Result<Vec<Network>, Error> {
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
            .remove_network(network.id.as_str())
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
        match try_create(client, instance, ipv6).await {
            Ok(Some(home)) => return Ok(home),
            Ok(None) => {}
            Err(docker::Error::Refused { message, .. }) if message.contains("already exists") => {
                return Err(Error::NameTaken(instance.home_name()));
            }
            Err(error @ docker::Error::Refused { .. }) => {
                tracing::debug!(%error, "range refused; trying another");
                refused = Some(error);
            }
            Err(source) => {
                return Err(Error::Engine {
                    action: "make the home network",
                    source,
                });
            }
        }
    }
    Err(Error::NoRange {
        name: instance.home_name(),
        source: refused,
    })
}

/// Lets the engine pick an IPv4 range, and makes the network with it. Nothing if it picked none.
async fn try_create(
    client: &Client,
    instance: &Instance,
    ipv6: Option<Ipv6Net>,
) -> Result<Option<Home>, docker::Error> {
    let spec = |name, role: &str, ranges| NetworkSpec {
        name,
        labels: [(INSTANCE, instance.as_str()), (ROLE, role)]
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .into_iter()
            .collect(),
        ranges,
        // One without a way out is made and removed in half the time.
        internal: role == ROLE_PROBE,
    };
    let passing = format!("{}-probe", instance.home_name());
    let probe = client
        .create_network(&spec(passing, ROLE_PROBE, vec![]))
        .await?;
    let picked = client.inspect_network(&probe).await;
    client.remove_network(probe.as_str()).await?;
    let subnets = picked?.map(|n| n.subnets).unwrap_or_default();
    let ipv4 = subnets
        .iter()
        .map(|s| s.net)
        .filter(|net| matches!(net, IpNet::V4(_)));
    let ranges: Vec<_> = ipv4.chain(ipv6.map(IpNet::V6)).collect();
    let home = client
        .create_network(&spec(instance.home_name(), ROLE_HOME, ranges.clone()))
        .await?;
    Ok(describe(&home, ranges.into_iter()))
}

/// The tunnel's addresses follow from the ranges, so nothing need be remembered.
fn describe(id: &NetworkId, ranges: impl Iterator<Item = IpNet>) -> Option<Home> {
    let (mut ipv4, mut ipv6, mut gateway) = (None, None, None);
    for range in ranges {
        match range {
            IpNet::V4(net) => {
                ipv4 = ipv4.or(u32::from(net.broadcast()).checked_sub(1));
                gateway = gateway.or(net.hosts().next().map(IpAddr::V4));
            }
            IpNet::V6(net) => ipv6 = ipv6.or(Some(u128::from(net.network()) + IPV6_HOST)),
        }
    }
    let ipv4 = Ipv4Addr::from(ipv4?);
    let ipv6 = ipv6.map(Ipv6Addr::from);
    Some(Home {
        id: id.clone(),
        loss: ipv6.is_none().then(|| NO_IPV6.to_owned()),
        addresses: HomeAddresses { ipv4, ipv6 },
        gateway: gateway?,
    })
}

impl Home {
    /// The places of tunnels, from the highest addresses down: a successor stands beside the one that is there.
    pub(super) fn places(&self) -> impl Iterator<Item = HomeAddresses> {
        let HomeAddresses { ipv4, ipv6 } = self.addresses;
        (0..PLACES).map(move |place| HomeAddresses {
            ipv4: Ipv4Addr::from(u32::from(ipv4).saturating_sub(place.into())),
            ipv6: ipv6.map(|ipv6| Ipv6Addr::from(u128::from(ipv6).saturating_sub(place.into()))),
        })
    }

    /// The place of a tunnel that was made with these addresses.
    pub(super) fn place(&self, addresses: Option<&String>) -> Option<HomeAddresses> {
        self.places()
            .find(|place| addresses.is_some_and(|given| *given == listed(place)))
    }
}

/// All addresses, as the tunnel takes them from its environment.
pub(super) fn listed(HomeAddresses { ipv4, ipv6 }: &HomeAddresses) -> String {
    let all = std::iter::once(IpAddr::V4(*ipv4)).chain(ipv6.map(IpAddr::V6));
    all.map(|a| a.to_string()).collect::<Vec<_>>().join(",")
}

/// A random /64 of the unique local addresses (RFC 4193: fd, 40 random bits, subnet 0).
fn random_range() -> Result<Ipv6Net, Error> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes[1..6]).map_err(Error::Random)?;
    bytes[0] = 0xfd;
    Ok(Ipv6Net::new_assert(Ipv6Addr::from(bytes), 64))
}
