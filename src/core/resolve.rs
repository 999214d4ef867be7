//! Names to addresses and back, for whoever asks.
//!
//! In the scope of a container the answer is Docker's own: its `/etc/hosts` first (`hosts.rs`), then the embedded
//! resolver's rules (`scoped.rs`). Without a scope it is the merged view (`merged.rs`): every address of every
//! network that a watched container is on. What is in neither is for somebody else to answer
//! ([`Status::Forward`]) or does not exist ([`Status::NotFound`]): a name of one label never leaves the machine.
//!
//! [`explain()`] goes the same way to the end, and tells what else it came by.

mod ambiguous;
mod explain;
mod hosts;
mod merged;
mod order;
mod places;
mod reverse;
mod scoped;
mod search;
#[cfg(test)]
mod tests;
mod zone;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub use ambiguous::{Ambiguous, ambiguous};
pub use explain::{Candidate, Explanation, explain};
pub(crate) use order::in_order;
pub use reverse::{is_local_range, reverse};
pub(crate) use search::searches;
pub use search::{Lookup, lookup};
pub use zone::narrow;

use places::{Settle, Visitor};

use super::id::{ContainerId, NetworkId};
use super::map::{NameKind, NetworkMap};

/// Names by which containers know the machine that they run on.
pub const HOST_NAMES: [&str; 3] = [
    "host.docker.internal",
    "gateway.docker.internal",
    "host.containers.internal",
];

/// From where a name is seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Scope {
    /// From nowhere in particular.
    #[default]
    Merged,
    /// From inside a container.
    Container(ContainerId),
    /// From a network, by somebody there who is not known.
    Network(NetworkId),
}

/// What is asked for by whoever wants to connect.
pub const ADDRESSES: &[RecordType] = &[RecordType::A, RecordType::Aaaa];

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordType {
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
    /// Anything else that can be asked of a name.
    Other,
}

impl RecordType {
    fn accepts(self, address: IpAddr) -> bool {
        match self {
            Self::A => address.is_ipv4(),
            Self::Aaaa => address.is_ipv6(),
            Self::Other => false,
        }
    }
}

/// How a question was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// There are records.
    Found,
    /// The name exists and has no record of that type.
    NoData,
    /// There is no such name, and nobody else is to be asked.
    NotFound,
    /// Not a name of this engine: the world's resolvers may know.
    Forward,
}

/// Why an answer holds what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// A name that the engine gave or took for a container.
    Name(NameKind),
    /// A link's alias.
    Link,
    /// A line of `/etc/hosts`.
    Hosts,
    /// The machine that dockline runs on.
    Host,
    /// A public name, answered by the world's resolvers.
    Forwarded,
}

impl Source {
    /// The word for users.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Name(kind) => kind.as_str(),
            Self::Link => "link",
            Self::Hosts => "hosts",
            Self::Host => "host",
            Self::Forwarded => "forwarded",
        }
    }
}

/// The answer to a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// How it was decided.
    pub status: Status,
    /// Addresses, in a stable order and without repetitions.
    pub addresses: Vec<IpAddr>,
    /// Names (of an address).
    pub names: Vec<String>,
    /// The reasons, in order and without repetitions.
    pub sources: Vec<Source>,
    /// The networks that the addresses are on.
    pub networks: Vec<NetworkId>,
}

impl Answer {
    /// An answer without records.
    pub fn empty(status: Status) -> Self {
        Self {
            status,
            addresses: Vec::new(),
            names: Vec::new(),
            sources: Vec::new(),
            networks: Vec::new(),
        }
    }

    /// That there is no such name.
    pub fn not_found() -> Self {
        Self::empty(Status::NotFound)
    }

    /// Adds what another type's answer to the same name says.
    pub fn merge(&mut self, other: Self) {
        let found = [self.status, other.status].contains(&Status::Found);
        self.status = if found { Status::Found } else { self.status };
        self.addresses.extend(other.addresses);
        for source in other.sources {
            if !self.sources.contains(&source) {
                self.sources.push(source);
            }
        }
        for network in other.networks {
            if !self.networks.contains(&network) {
                self.networks.push(network);
            }
        }
    }

    fn add(&mut self, address: IpAddr, source: Source) {
        if !self.addresses.contains(&address) {
            self.addresses.push(address);
        }
        if !self.sources.contains(&source) {
            self.sources.push(source);
        }
    }

    /// The verdict on a name that is not one of the engine's.
    fn unknown(name: &str) -> Self {
        let public = name.contains('.') && !zone::contains(name);
        Self::empty(if public {
            Status::Forward
        } else {
            Status::NotFound
        })
    }

    fn settle(mut self) -> Self {
        let found = !self.addresses.is_empty() || !self.names.is_empty();
        self.status = if found { Status::Found } else { Status::NoData };
        self
    }
}

/// Resolves `name`, which may end in a dot, as seen from `scope`; search domains are for [`lookup`].
///
/// In the merged view, that of a container may be [asked for](narrow) in the name itself. What is then to be forwarded
/// is the name in there.
pub fn resolve(map: &NetworkMap, scope: &Scope, name: &str, wanted: RecordType) -> Answer {
    visit(map, scope, name, wanted, &mut Settle(wanted))
}

fn visit(
    map: &NetworkMap,
    scope: &Scope,
    name: &str,
    wanted: RecordType,
    visitor: &mut impl Visitor,
) -> Answer {
    let name = name.strip_suffix('.').unwrap_or(name);
    let narrowed = narrow(map, scope, name);
    let (scope, name) = match &narrowed {
        Some((scope, name)) => (scope, *name),
        None => (scope, name),
    };
    walk(map, scope, name, wanted, visitor)
        .unwrap_or_else(|| search::unknown(map, scope, name, wanted))
}

fn walk(
    map: &NetworkMap,
    scope: &Scope,
    name: &str,
    wanted: RecordType,
    visitor: &mut impl Visitor,
) -> Option<Answer> {
    match scope {
        Scope::Merged => merged::walk(map, name, wanted, visitor),
        Scope::Container(id) => scoped::walk(map, id, name, wanted, visitor),
        Scope::Network(id) => scoped::walk_network(map, id, name, visitor),
    }
}

/// What is known here of a name without a dot at its end.
fn known(map: &NetworkMap, scope: &Scope, name: &str, wanted: RecordType) -> Option<Answer> {
    walk(map, scope, name, wanted, &mut Settle(wanted))
}

/// The readings of a dotted name as `NAME.NETWORK`, the shortest network name first (Docker splits from the right).
fn readings(name: &str) -> impl Iterator<Item = (&str, &str)> {
    name.rmatch_indices('.')
        .map(|(at, _)| (&name[..at], &name[at + 1..]))
}

/// The loopback addresses, of whichever machine is meant.
fn loopback(wanted: RecordType, source: Source) -> Answer {
    let mut answer = Answer::empty(Status::NoData);
    for address in [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()] {
        if wanted.accepts(address) {
            answer.add(address, source);
        }
    }
    answer.settle()
}
