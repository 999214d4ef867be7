//! What a swarm's services are called on a network, and what has a name there on other nodes.
//!
//! A service's name, and its aliases, lead to its virtual address as long as it has an endpoint, be it one on its way
//! out; of a service without such an address (`dnsrr`) to those of its tasks. `tasks.NAME` leads to these always.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use super::record::{NameKind, Owner, Record};
use super::said::{Said, can_be_asked};
use crate::core::id::ContainerId;
use crate::core::inventory::{ServiceEndpoint, Services};

/// What tunnels are called, of whom nobody speaks.
const TUNNELS: &str = "dockline-tunnel-";

/// All that is said by nobody's own inspect. `members` are those who have one, by the ids of their endpoints.
pub(super) fn said(services: &Services, members: &BTreeMap<&str, &ContainerId>) -> Said {
    let mut said = Said::default();
    for endpoint in &services.endpoints {
        let member = members.get(endpoint.id.as_str());
        let owner = if let Some(id) = member {
            Owner::Container((*id).clone())
        } else {
            let whose = endpoint.service.as_ref().unwrap_or(&endpoint.name);
            Owner::Swarm(Arc::from(whose.as_str()))
        };
        let named = services.is_in_service(endpoint);
        if let Some(service) = &endpoint.service {
            let meant = Meant {
                services,
                endpoint,
                service,
            };
            meant.say_virtual(&mut said);
            if named {
                meant.say_tasks(&owner, &mut said);
            }
        }
        if member.is_none() && named && !endpoint.name.starts_with(TUNNELS) {
            say_own(services, endpoint, &owner, &mut said);
        }
    }
    said
}

/// An endpoint of a service.
struct Meant<'a> {
    services: &'a Services,
    endpoint: &'a ServiceEndpoint,
    service: &'a str,
}

impl Meant<'_> {
    fn names(&self) -> impl Iterator<Item = (&str, NameKind)> {
        let task = self.services.task(self.endpoint).into_iter();
        let aliases = task.flat_map(|task| &task.aliases);
        let aliases = aliases.map(|alias| (alias.as_str(), NameKind::ServiceAlias));
        let names = std::iter::once((self.service, NameKind::Service)).chain(aliases);
        names.filter(|(name, _)| can_be_asked(name))
    }

    fn say_virtual(&self, said: &mut Said) {
        let Some(address) = self.endpoint.vip else {
            return;
        };
        let owner = Owner::Swarm(Arc::from(self.service));
        for (name, kind) in self.names() {
            said.names
                .push((name.to_lowercase().into(), record(&owner, kind, address)));
        }
        // Nothing points back from it.
        said.addresses.push((IpAddr::V4(address), (owner, None)));
    }

    fn say_tasks(&self, owner: &Owner, said: &mut Said) {
        let address = self.endpoint.address;
        for (name, kind) in self.names() {
            let lower: Arc<str> = name.to_lowercase().into();
            let tasks = format!("tasks.{lower}").into();
            said.names
                .push((tasks, record(owner, NameKind::Tasks, address)));
            if self.endpoint.vip.is_none() {
                said.names.push((lower, record(owner, kind, address)));
            }
        }
    }
}

/// The names of a container on another node, as far as the swarm tells them.
fn say_own(services: &Services, endpoint: &ServiceEndpoint, owner: &Owner, said: &mut Said) {
    let mut names = vec![(endpoint.name.as_str(), NameKind::Container)];
    if let Some(task) = services.task(endpoint) {
        let hostname = task.hostname.as_deref();
        // What is written in braces depends on the node.
        let hostname = hostname.filter(|name| !name.contains("{{"));
        names.extend(task.container.as_ref().map(|id| (id.short(), NameKind::Id)));
        names.extend(hostname.map(|name| (name, NameKind::Hostname)));
    }
    let pointer = can_be_asked(&endpoint.name).then(|| Arc::from(endpoint.name.as_str()));
    let address = IpAddr::V4(endpoint.address);
    said.addresses.push((address, (owner.clone(), pointer)));
    for (name, kind) in names.into_iter().filter(|(name, _)| can_be_asked(name)) {
        let record = record(owner, kind, endpoint.address);
        said.names.push((name.to_lowercase().into(), record));
    }
}

fn record(owner: &Owner, kind: NameKind, address: Ipv4Addr) -> Record {
    Record {
        owner: owner.clone(),
        kind,
        ipv4: Some(address),
        ipv6: None,
    }
}
