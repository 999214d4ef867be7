//! Addresses to names.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::{Answer, Scope, Source, Status, scoped};
use crate::core::map::{NameKind, NetworkMap, NetworkView};

/// Ranges that mean something else on every site, so that no public server knows them: RFC 6303, RFC 7793
/// (100.64.0.0/10).
const LOCAL: [IpNet; 16] = [
    v4([0, 0, 0, 0], 8),
    v4([10, 0, 0, 0], 8),
    v4([100, 64, 0, 0], 10),
    v4([127, 0, 0, 0], 8),
    v4([169, 254, 0, 0], 16),
    v4([172, 16, 0, 0], 12),
    v4([192, 0, 2, 0], 24),
    v4([192, 168, 0, 0], 16),
    v4([198, 51, 100, 0], 24),
    v4([203, 0, 113, 0], 24),
    v4([255, 255, 255, 255], 32),
    v6([0, 0], 128),
    IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128)),
    v6([0xfc00, 0], 7),
    v6([0xfe80, 0], 10),
    v6([0x2001, 0x0db8], 32),
];

const fn v4([a, b, c, d]: [u8; 4], prefix: u8) -> IpNet {
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix))
}

const fn v6([a, b]: [u16; 2], prefix: u8) -> IpNet {
    IpNet::V6(Ipv6Net::new_assert(
        Ipv6Addr::new(a, b, 0, 0, 0, 0, 0, 0),
        prefix,
    ))
}

/// Resolves an address to `name.network`, as Docker does: the container's name, never an alias.
///
/// Addresses without a name are for others to know in a container's scope, as Docker has it. In the merged view
/// those of [local ranges](is_local_range) are not: whoever is asked there may be any server in the world.
pub fn reverse(map: &NetworkMap, scope: &Scope, address: IpAddr) -> Answer {
    if address == Ipv4Addr::LOCALHOST || address == Ipv6Addr::LOCALHOST {
        return localhost(scope);
    }
    let found = match scope {
        Scope::Merged => map.watched_networks().find_map(|view| named(view, address)),
        Scope::Container(id) => scoped::networks(map, id).find_map(|view| named(view, address)),
        Scope::Network(id) => map.networks().get(id).and_then(|view| named(view, address)),
    };
    found.unwrap_or_else(|| {
        let local = *scope == Scope::Merged && is_local_range(map, address.into());
        Answer::empty(if local {
            Status::NotFound
        } else {
            Status::Forward
        })
    })
}

/// Whether all of `range` belongs to a network of the engine, or is private to every site.
pub fn is_local_range(map: &NetworkMap, range: IpNet) -> bool {
    let networks = map.networks().values();
    let mut subnets = networks.flat_map(|view| &view.network().subnets);
    subnets.any(|subnet| subnet.net.contains(&range))
        || LOCAL.iter().any(|local| local.contains(&range))
}

fn localhost(scope: &Scope) -> Answer {
    let mut answer = Answer::empty(Status::NoData);
    answer.names.push("localhost".to_owned());
    answer.sources.push(match scope {
        Scope::Merged => Source::Host,
        Scope::Container(_) | Scope::Network(_) => Source::Hosts,
    });
    answer.settle()
}

fn named(view: &NetworkView, address: IpAddr) -> Option<Answer> {
    let name = view.reverse(address)?;
    let mut answer = Answer::empty(Status::NoData);
    answer.names.push(format!("{name}.{}", view.network().name));
    answer.sources.push(Source::Name(NameKind::Container));
    answer.networks.push(view.network().id.clone());
    Some(answer.settle())
}
