//! How the tunnel is attached to a network: with which addresses, and whether under its name.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::core::inventory::{Network, Subnet};

/// How many addresses are looked at from the top of a range: more than any tunnel needs, and bounded.
const MAX_TRIED: usize = 256;

/// What to ask for when joining.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attachment {
    /// Whether the tunnel's alias can be given: the default bridge knows no names.
    pub named: bool,
    /// A static IPv4 address.
    pub ipv4: Option<Ipv4Addr>,
    /// A static IPv6 address.
    pub ipv6: Option<Ipv6Addr>,
}

impl Attachment {
    /// The addresses asked for.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> + use<> {
        let v4 = self.ipv4.map(IpAddr::V4);
        v4.into_iter().chain(self.ipv6.map(IpAddr::V6))
    }
}

/// The ways to join a network, the best first and the one that always works last.
///
/// Only ranges given by the user allow static addresses, and only there can a container come and find its own
/// taken; the highest free address is the one least likely to be wanted. `taken` are the addresses in use or reserved
/// by a container's configuration. Which range was given by the user, the engine does not say: where it refuses,
/// the caller goes on to the next.
pub fn attachments(network: &Network, taken: &BTreeSet<IpAddr>) -> Vec<Attachment> {
    let named = !network.default_bridge;
    let plain = Attachment {
        named,
        ipv4: None,
        ipv6: None,
    };
    if network.driver != "bridge" || network.default_bridge {
        return vec![plain];
    }
    let (ipv4, ipv6) = (highest_ipv4(network, taken), highest_ipv6(network, taken));
    let both = Attachment { named, ipv4, ipv6 };
    let mut ways = vec![both];
    if ipv4.is_some() && ipv6.is_some() {
        ways.push(Attachment {
            named,
            ipv4: None,
            ipv6,
        });
        ways.push(Attachment {
            named,
            ipv4,
            ipv6: None,
        });
    }
    if ipv4.is_some() || ipv6.is_some() {
        ways.push(plain);
    }
    ways
}

fn highest_ipv4(network: &Network, taken: &BTreeSet<IpAddr>) -> Option<Ipv4Addr> {
    let range = |subnet: &Subnet| match subnet.net {
        IpNet::V4(net) => Some(ipv4_from_the_top(net)),
        IpNet::V6(_) => None,
    };
    let mut candidates = network.subnets.iter().find_map(range)?;
    candidates.find(|address| is_free(network, taken, IpAddr::V4(*address)))
}

fn highest_ipv6(network: &Network, taken: &BTreeSet<IpAddr>) -> Option<Ipv6Addr> {
    let range = |subnet: &Subnet| match subnet.net {
        IpNet::V6(net) => Some(ipv6_from_the_top(net)),
        IpNet::V4(_) => None,
    };
    let mut candidates = network.subnets.iter().find_map(range)?;
    candidates.find(|address| is_free(network, taken, IpAddr::V6(*address)))
}

fn is_free(network: &Network, taken: &BTreeSet<IpAddr>, address: IpAddr) -> bool {
    let set_aside = |s: &Subnet| s.gateway == Some(address) || s.reserved.contains(&address);
    !taken.contains(&address) && !network.subnets.iter().any(set_aside)
}

/// The host addresses of a range from the highest down, without its broadcast and network addresses. Where the
/// gateway was not given, the engine takes the first: that one is left out too.
fn ipv4_from_the_top(range: Ipv4Net) -> impl Iterator<Item = Ipv4Addr> {
    let first = u32::from(range.network()).saturating_add(2);
    let last = u32::from(range.broadcast()).saturating_sub(1);
    (first..=last).rev().take(MAX_TRIED).map(Ipv4Addr::from)
}

/// As for IPv4; the last address is left out, as engines do.
fn ipv6_from_the_top(range: Ipv6Net) -> impl Iterator<Item = Ipv6Addr> {
    let first = u128::from(range.network()).saturating_add(2);
    let last = u128::from(range.broadcast()).saturating_sub(1);
    (first..=last).rev().take(MAX_TRIED).map(Ipv6Addr::from)
}
