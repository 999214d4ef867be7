//! One network of the map: its members' names and addresses, as Docker's resolver has them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use super::record::{Owner, Record};
use super::said::{Pointed, Said};
use super::{said, services};
use crate::core::id::{ContainerId, NetworkId};
use crate::core::inventory::{Container, Inventory, Known, Network, Services};
use crate::core::label::Part;
use crate::core::shared_map::{SharedIndex, SharedMap};

/// What a view takes from one of its members.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Member {
    container: Arc<Container>,
    /// Whether it makes the network watched.
    watching: bool,
    /// Whether it runs and has not been told to stop.
    stays: bool,
}

impl Member {
    /// Nothing for the tunnel, which is everywhere and of whom nobody speaks.
    fn new(inventory: &Inventory, network: &NetworkId, known: &Known) -> Option<Self> {
        (known.part != Part::OwnTunnel).then(|| Self {
            container: Arc::clone(&known.container),
            watching: known.part == Part::Watched || is_lent_to_watched(inventory, known),
            stays: known.stays() && !is_withdrawn(inventory, network, known),
        })
    }
}

/// A network with everything that is said on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkView {
    network: Arc<Network>,
    /// What the swarm says of it.
    services: Option<Arc<Services>>,
    lower_case_name: String,
    members: SharedMap<ContainerId, Member>,
    /// How many of them make it watched.
    watching: usize,
    /// How many of them have not been told to stop.
    staying: usize,
    /// By lower-case name; every container that has it.
    names: SharedIndex<Arc<str>, Record>,
    /// By lower-case link alias: the targets that members gave it, and which member did.
    links: SharedIndex<String, (String, ContainerId)>,
    /// By address: whose it is, and the name that Docker gives in PTR. Of several, which is an engine's state between
    /// two events, the last counts.
    addresses: SharedIndex<IpAddr, Pointed>,
}

impl NetworkView {
    /// Builds the view of one network; nothing if there is no such network.
    pub(super) fn build(inventory: &Inventory, id: &NetworkId) -> Option<Arc<Self>> {
        let network = Arc::clone(inventory.networks().get(id)?);
        let mut view = Self {
            lower_case_name: network.name.to_lowercase(),
            services: inventory.services(id).cloned(),
            network,
            members: SharedMap::default(),
            watching: 0,
            staying: 0,
            names: SharedIndex::default(),
            links: SharedIndex::default(),
            addresses: SharedIndex::default(),
        };
        for member in inventory.members(id) {
            if let Some(member) = Member::new(inventory, id, member) {
                view.add(member);
            }
        }
        if let Some(services) = view.services.clone() {
            view.learn(services::said(&services, &view.endpoints()));
        }
        Some(Arc::new(view))
    }

    /// The view after something happened to these containers; the same one if it says the same.
    pub(super) fn next(
        self: &Arc<Self>,
        inventory: &Inventory,
        touched: &BTreeSet<ContainerId>,
    ) -> Option<Arc<Self>> {
        let id = &self.network.id;
        if inventory.networks().get(id)? != &self.network {
            return Self::build(inventory, id);
        }
        // What services mean depends on who is there, and who has names there on what the swarm says.
        if self.services.is_some() || inventory.services(id).is_some() {
            let built = Self::build(inventory, id)?;
            return Some(if built == *self {
                Arc::clone(self)
            } else {
                built
            });
        }
        let mut next = Arc::clone(self);
        for container in touched {
            let known = inventory.member(id, container);
            let new = known.and_then(|k| Member::new(inventory, id, k));
            let old = self.members.get(container);
            if old == new.as_ref() {
                continue;
            }
            let next = Arc::make_mut(&mut next);
            if let Some(old) = old {
                next.remove(old);
            }
            if let Some(new) = new {
                next.add(new);
            }
        }
        Some(next)
    }

    fn add(&mut self, member: Member) {
        self.learn(self.said_by(&member.container));
        self.watching += usize::from(member.watching);
        self.staying += usize::from(member.stays);
        self.members.insert_mut(member.container.id.clone(), member);
    }

    fn said_by(&self, container: &Container) -> Said {
        said::by(&self.network, self.services.as_deref(), container)
    }

    fn learn(&mut self, said: Said) {
        for (name, record) in said.names {
            self.names.insert(name, record);
        }
        for (alias, target) in said.links {
            self.links.insert(alias, target);
        }
        for (address, owner) in said.addresses {
            self.addresses.insert(address, owner);
        }
    }

    /// The members by the ids of their endpoints.
    fn endpoints(&self) -> BTreeMap<&str, &ContainerId> {
        let members = self.members.values().filter_map(|member| {
            let endpoint = member.container.endpoint(&self.network.id)?;
            Some((endpoint.endpoint_id.as_str(), &member.container.id))
        });
        members.collect()
    }

    fn remove(&mut self, member: &Member) {
        let said = self.said_by(&member.container);
        for (name, record) in &said.names {
            self.names.remove(name, record);
        }
        for (alias, target) in &said.links {
            self.links.remove(alias, target);
        }
        for (address, owner) in &said.addresses {
            self.addresses.remove(address, owner);
        }
        self.watching -= usize::from(member.watching);
        self.staying -= usize::from(member.stays);
        self.members.remove_mut(&member.container.id);
    }

    /// The network itself.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Its name in lower case, as questions have it.
    pub fn lower_case_name(&self) -> &str {
        &self.lower_case_name
    }

    /// Whether a running watched container is on it.
    pub fn is_watched(&self) -> bool {
        self.watching > 0
    }

    /// Whether somebody is on it who has not been told to stop; the tunnel does not count.
    pub fn is_inhabited(&self) -> bool {
        self.staying > 0
    }

    /// The containers on it, the tunnel left out.
    pub fn members(&self) -> impl Iterator<Item = &ContainerId> {
        self.members.keys()
    }

    /// Who has that name, which is to be in lower case.
    pub fn records(&self, name: &str) -> &[Record] {
        self.names.get(name)
    }

    /// All names, in lower case and in order.
    pub fn names(&self) -> impl Iterator<Item = (&str, &[Record])> {
        let names = self.names.iter();
        names.map(|(name, records)| (&**name, records))
    }

    /// What any member means by that link alias, both in lower case.
    pub fn link_targets(&self, alias: &str) -> impl Iterator<Item = &str> {
        let mut last = None;
        let targets = self
            .links
            .get(alias)
            .iter()
            .map(|(target, _)| target.as_str());
        targets.filter(move |target| last.replace(*target) != Some(*target))
    }

    /// Who has that address.
    pub fn owner(&self, address: IpAddr) -> Option<&Owner> {
        self.addresses.get(&address).last().map(|(owner, _)| owner)
    }

    /// The name that Docker's resolver gives for that address, without the network's.
    pub fn reverse(&self, address: IpAddr) -> Option<&str> {
        self.addresses.get(&address).last()?.1.as_deref()
    }
}

/// Whether it is a task that is to run no more, of which it will be told in two seconds.
fn is_withdrawn(inventory: &Inventory, network: &NetworkId, known: &Known) -> bool {
    let Some(services) = inventory.services(network) else {
        return false;
    };
    let endpoint = known.container.endpoint(network);
    let endpoint = endpoint.and_then(|e| services.endpoint(&e.endpoint_id));
    endpoint.is_some_and(|endpoint| !services.is_in_service(endpoint))
}

/// Whether a watched container lives in this one's network namespace.
fn is_lent_to_watched(inventory: &Inventory, lender: &Known) -> bool {
    inventory
        .borrowers(&lender.container.id)
        .any(|k| k.part == Part::Watched)
}
