//! One network of the map: its members' names and addresses, as Docker's resolver has them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use crate::core::id::{ContainerId, NetworkId};
use crate::core::inventory::{Container, Endpoint, Inventory, Known, Network};
use crate::core::label::Part;

/// Why a container has a name. The words are promised to users (`source` of `resolve`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NameKind {
    /// The container's name.
    Container,
    /// An alias on that network.
    Alias,
    /// The twelve-digit id.
    Id,
    /// The hostname.
    Hostname,
}

impl NameKind {
    /// The word for users.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Container => "container",
            Self::Alias => "alias",
            Self::Id => "id",
            Self::Hostname => "hostname",
        }
    }
}

/// One container behind a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The container.
    pub container: ContainerId,
    /// Why it has the name.
    pub kind: NameKind,
    /// Its IPv4 address on this network.
    pub ipv4: Option<Ipv4Addr>,
    /// Its IPv6 address on this network.
    pub ipv6: Option<Ipv6Addr>,
}

/// A network with everything that is said on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkView {
    network: Arc<Network>,
    watched: bool,
    /// Whether somebody is on it who has not been told to stop.
    inhabited: bool,
    members: Vec<ContainerId>,
    /// By lower-case name; every container that has it.
    names: BTreeMap<String, Vec<Record>>,
    /// By lower-case link alias: the targets that members gave it.
    links: BTreeMap<String, BTreeSet<String>>,
    /// By address: whose it is, and the name that Docker gives in PTR.
    addresses: BTreeMap<IpAddr, (ContainerId, Option<String>)>,
}

impl NetworkView {
    /// Builds the view of one network; nothing if there is no such network.
    pub(super) fn build(inventory: &Inventory, id: &NetworkId) -> Option<Arc<Self>> {
        let network = Arc::clone(inventory.networks().get(id)?);
        let mut view = Self {
            network,
            watched: false,
            inhabited: false,
            members: Vec::new(),
            names: BTreeMap::new(),
            links: BTreeMap::new(),
            addresses: BTreeMap::new(),
        };
        for known in inventory.members(id).filter(|k| k.part != Part::OwnTunnel) {
            view.watched |= known.part == Part::Watched || is_lent_to_watched(inventory, known);
            view.inhabited |= known.stays();
            view.add(&known.container);
        }
        Some(Arc::new(view))
    }

    fn add(&mut self, container: &Container) {
        let Some(endpoint) = container.endpoint(&self.network.id) else {
            return;
        };
        self.members.push(container.id.clone());
        // Docker has names for addresses alone: the endpoint of a container in host mode has neither.
        let nameless = self.network.default_bridge || endpoint.addresses().next().is_none();
        let names = if nameless {
            Vec::new()
        } else {
            dns_names(container, endpoint)
        };
        let first = names.first().map(|(name, _)| (*name).to_owned());
        for address in endpoint.addresses() {
            self.addresses
                .insert(address, (container.id.clone(), first.clone()));
        }
        for (name, kind) in names {
            let records = self.names.entry(name.to_lowercase()).or_default();
            if records.iter().all(|r| r.container != container.id) {
                let container = container.id.clone();
                records.push(Record {
                    container,
                    kind,
                    ipv4: endpoint.ipv4,
                    ipv6: endpoint.ipv6,
                });
            }
        }
        for link in &endpoint.links {
            self.links
                .entry(link.alias.to_lowercase())
                .or_default()
                .insert(link.target.to_lowercase());
        }
    }

    /// The network itself.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Whether a running watched container is on it.
    pub fn is_watched(&self) -> bool {
        self.watched
    }

    /// Whether somebody is on it who has not been told to stop; the tunnel does not count.
    pub fn is_inhabited(&self) -> bool {
        self.inhabited
    }

    /// The containers on it, the tunnel left out.
    pub fn members(&self) -> &[ContainerId] {
        &self.members
    }

    /// Who has that name, which is to be in lower case.
    pub fn records(&self, name: &str) -> &[Record] {
        self.names.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    /// All names, in lower case and in order.
    pub fn names(&self) -> impl Iterator<Item = (&str, &[Record])> {
        self.names
            .iter()
            .map(|(name, records)| (name.as_str(), records.as_slice()))
    }

    /// What any member means by that link alias, both in lower case.
    pub fn link_targets(&self, alias: &str) -> impl Iterator<Item = &str> {
        self.links
            .get(alias)
            .into_iter()
            .flatten()
            .map(String::as_str)
    }

    /// Who has that address.
    pub fn owner(&self, address: IpAddr) -> Option<&ContainerId> {
        self.addresses.get(&address).map(|(owner, _)| owner)
    }

    /// The name that Docker's resolver gives for that address, without the network's.
    pub fn reverse(&self, address: IpAddr) -> Option<&str> {
        self.addresses.get(&address)?.1.as_deref()
    }
}

/// Whether a watched container lives in this one's network namespace.
fn is_lent_to_watched(inventory: &Inventory, lender: &Known) -> bool {
    inventory
        .borrowers(&lender.container.id)
        .any(|k| k.part == Part::Watched)
}

/// The endpoint's names in Docker's order, each with its reason, without repetitions.
///
/// Engine 25 and later say it (`DNSNames`); before, it is the container's name and `Aliases`, which already hold
/// short id and hostname.
pub(crate) fn dns_names<'a>(
    container: &'a Container,
    endpoint: &'a Endpoint,
) -> Vec<(&'a str, NameKind)> {
    let kind = |name: &str| {
        if name == container.name {
            NameKind::Container
        } else if name == container.id.short() {
            NameKind::Id
        } else if endpoint.aliases.iter().any(|a| a == name) && name != container.hostname {
            NameKind::Alias
        } else {
            NameKind::Hostname
        }
    };
    let said: Vec<&str> = match &endpoint.dns_names {
        Some(names) => names.iter().map(String::as_str).collect(),
        None => std::iter::once(&container.name)
            .chain(&endpoint.aliases)
            .map(String::as_str)
            .collect(),
    };
    let mut names: Vec<(&str, NameKind)> = Vec::with_capacity(said.len());
    for name in said.into_iter().filter(|name| can_be_asked(name)) {
        if names.iter().all(|(known, _)| *known != name) {
            names.push((name, kind(name)));
        }
    }
    names
}

/// Engines take any alias, but see names in questions as DNS writes them down: with these characters escaped, so
/// that such an alias never matches.
fn can_be_asked(name: &str) -> bool {
    let plain = |c: u8| c.is_ascii_graphic() && !b"'@;()\"\\".contains(&c);
    name.bytes().all(plain) && !name.ends_with('.')
}
