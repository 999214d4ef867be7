//! What one container says on a network: names, links and addresses.
//!
//! On a network of a swarm a task has its names only as long as the swarm says so.

use std::net::IpAddr;
use std::sync::Arc;

use super::made_up::is_made_up;
use super::record::{NameKind, Owner, Record};
use crate::core::id::ContainerId;
use crate::core::inventory::{Container, Endpoint, Network, Services};
use crate::core::label;

/// Whose an address is, and the name that Docker gives in PTR.
pub(super) type Pointed = (Owner, Option<Arc<str>>);

/// See the module. The same container on the same network always says the same, so that it can be taken back.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// By lower-case name.
    pub(super) names: Vec<(Arc<str>, Record)>,
    /// By alias: the target, both in lower case, and who says so.
    pub(super) links: Vec<(String, (String, ContainerId))>,
    /// By address: whose it is, and the name that Docker gives in PTR.
    pub(super) addresses: Vec<(IpAddr, Pointed)>,
}

impl Said {
    /// Adds a name, unless there is one that differs in case alone: of such the first counts.
    fn name(&mut self, name: &Arc<str>, record: Record) {
        // Names are many, and most of them are kept once.
        let lower = if name.bytes().any(|b| b.is_ascii_uppercase()) {
            name.to_lowercase().into()
        } else {
            Arc::clone(name)
        };
        if self.names.iter().all(|(known, _)| *known != lower) {
            self.names.push((lower, record));
        }
    }
}

pub(super) fn by(network: &Network, services: Option<&Services>, container: &Container) -> Said {
    let mut said = Said::default();
    let Some(endpoint) = container.endpoint(&network.id) else {
        return said;
    };
    let owner = Owner::Container(container.id.clone());
    let names = if is_nameless(network, services, container, endpoint) {
        Vec::new()
    } else {
        docker_names(container, endpoint)
    };
    // Docker's first; it gives none if that cannot be written down.
    let pointer = names.first().filter(|name| can_be_asked(name)).cloned();
    for address in endpoint.addresses() {
        said.addresses
            .push((address, (owner.clone(), pointer.clone())));
    }
    for name in names.iter().filter(|name| can_be_asked(name)) {
        let record = Record {
            owner: owner.clone(),
            kind: kind(name, container),
            ipv4: endpoint.ipv4,
            ipv6: endpoint.ipv6,
        };
        said.name(name, record);
    }
    let links = endpoint.links.iter().map(|link| {
        let target = link.target.to_lowercase();
        (link.alias.to_lowercase(), (target, container.id.clone()))
    });
    said.links.extend(links);
    said
}

/// Whether Docker's resolver knows nothing of the endpoint.
fn is_nameless(
    network: &Network,
    services: Option<&Services>,
    container: &Container,
    endpoint: &Endpoint,
) -> bool {
    // Docker has names for addresses alone: the endpoint of a container in host mode has neither.
    if endpoint.addresses().next().is_none() {
        return true;
    }
    // Behind published ports there are none. On the default bridge it has them for containers that were renamed, from engine 25 on.
    if network.ingress || network.default_bridge && endpoint.dns_names.is_none() {
        return true;
    }
    // A task has none before it is healthy, and none once it is to go.
    let is_task = container.labels.contains_key(label::SWARM_TASK);
    services.filter(|_| is_task).is_some_and(|services| {
        let named = services.endpoint(&endpoint.endpoint_id);
        named.is_none_or(|endpoint| !services.is_in_service(endpoint))
    })
}

/// All that Docker takes for the endpoint's names, in its order.
///
/// Engine 25 and later say it (`DNSNames`); before, it is the container's name, unless the engine made it up, and
/// `Aliases`, which already hold short id and hostname.
fn docker_names(container: &Container, endpoint: &Endpoint) -> Vec<Arc<str>> {
    if let Some(names) = &endpoint.dns_names {
        return names.clone();
    }
    let own = Some(&container.name).filter(|name| !is_made_up(name));
    let names = own.into_iter().chain(&endpoint.aliases);
    names.map(|name| Arc::from(name.as_str())).collect()
}

/// Why the container has that name.
fn kind(name: &str, container: &Container) -> NameKind {
    if name == container.name {
        NameKind::Container
    } else if name == container.id.short() {
        NameKind::Id
    } else if name == container.hostname {
        NameKind::Hostname
    } else {
        NameKind::Alias
    }
}

/// Engines take any alias, but see names in questions as DNS writes them down: with these characters escaped, so
/// that such an alias never matches.
pub(super) fn can_be_asked(name: &str) -> bool {
    let plain = |c: u8| c.is_ascii_graphic() && !b"'@;()\"\\".contains(&c);
    name.bytes().all(plain) && !name.ends_with('.')
}
