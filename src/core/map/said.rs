//! What one container says on a network: names, links and addresses.

use std::net::IpAddr;

use super::made_up::is_made_up;
use super::view::{NameKind, Record};
use crate::core::id::ContainerId;
use crate::core::inventory::{Container, Endpoint, Network};

/// See the module. The same container on the same network always says the same, so that it can be taken back.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// By lower-case name.
    pub(super) names: Vec<(String, Record)>,
    /// By alias: the target, both in lower case, and who says so.
    pub(super) links: Vec<(String, (String, ContainerId))>,
    /// By address: whose it is, and the name that Docker gives in PTR.
    pub(super) addresses: Vec<(IpAddr, (ContainerId, Option<String>))>,
}

impl Said {
    pub(super) fn by(network: &Network, container: &Container) -> Self {
        let mut said = Self::default();
        let Some(endpoint) = container.endpoint(&network.id) else {
            return said;
        };
        // Docker has names for addresses alone: the endpoint of a container in host mode has neither.
        // On the default bridge it has them for containers that were renamed, from engine 25 on.
        let unnamed = network.default_bridge && endpoint.dns_names.is_none();
        let nameless = unnamed || endpoint.addresses().next().is_none();
        let names = if nameless {
            Vec::new()
        } else {
            docker_names(container, endpoint)
        };
        // Docker's first; it gives none if that cannot be written down.
        let pointer = names.first().filter(|name| can_be_asked(name));
        let pointer = pointer.map(|name| (*name).to_owned());
        for address in endpoint.addresses() {
            let owner = (container.id.clone(), pointer.clone());
            said.addresses.push((address, owner));
        }
        for name in names.into_iter().filter(|name| can_be_asked(name)) {
            let lower = name.to_lowercase();
            // Of names that differ in case alone the first counts.
            if said.names.iter().all(|(known, _)| *known != lower) {
                let record = Record {
                    container: container.id.clone(),
                    kind: kind(name, container, endpoint),
                    ipv4: endpoint.ipv4,
                    ipv6: endpoint.ipv6,
                };
                said.names.push((lower, record));
            }
        }
        let links = endpoint.links.iter().map(|link| {
            let target = link.target.to_lowercase();
            (link.alias.to_lowercase(), (target, container.id.clone()))
        });
        said.links.extend(links);
        said
    }
}

/// All that Docker takes for the endpoint's names, in its order.
///
/// Engine 25 and later say it (`DNSNames`); before, it is the container's name, unless the engine made it up, and
/// `Aliases`, which already hold short id and hostname.
fn docker_names<'a>(container: &'a Container, endpoint: &'a Endpoint) -> Vec<&'a str> {
    let own = Some(&container.name).filter(|name| !is_made_up(name));
    let names: Vec<&String> = match &endpoint.dns_names {
        Some(names) => names.iter().collect(),
        None => own.into_iter().chain(&endpoint.aliases).collect(),
    };
    names.into_iter().map(String::as_str).collect()
}

/// Why the container has that name.
fn kind(name: &str, container: &Container, endpoint: &Endpoint) -> NameKind {
    if name == container.name {
        NameKind::Container
    } else if name == container.id.short() {
        NameKind::Id
    } else if endpoint.aliases.iter().any(|a| a == name) && name != container.hostname {
        NameKind::Alias
    } else {
        NameKind::Hostname
    }
}

/// Engines take any alias, but see names in questions as DNS writes them down: with these characters escaped, so
/// that such an alias never matches.
fn can_be_asked(name: &str) -> bool {
    let plain = |c: u8| c.is_ascii_graphic() && !b"'@;()\"\\".contains(&c);
    name.bytes().all(plain) && !name.ends_with('.')
}
