//! What a name leads to: whose it is, why, and where that is.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use crate::core::id::ContainerId;

/// Why something has a name. The words are promised to users (`source` of `resolve`).
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
    /// A swarm service's name.
    Service,
    /// A swarm service's alias on that network.
    ServiceAlias,
    /// `tasks.` before either.
    Tasks,
}

impl NameKind {
    /// The word for users.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Container => "container",
            Self::Alias => "alias",
            Self::Id => "id",
            Self::Hostname => "hostname",
            Self::Service => "service",
            Self::ServiceAlias => "service-alias",
            Self::Tasks => "tasks",
        }
    }

    /// Whether it is a service that has the name, and not one container.
    pub fn is_of_service(self) -> bool {
        match self {
            Self::Service | Self::ServiceAlias | Self::Tasks => true,
            Self::Container | Self::Alias | Self::Id | Self::Hostname => false,
        }
    }
}

/// Whose an address is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    /// A container of the map.
    Container(ContainerId),
    /// Something of the swarm's that is none, by the name of its service, or by its own: a service's virtual address,
    /// or a container on another node.
    Swarm(Arc<str>),
}

impl Owner {
    /// The container of the map.
    pub fn container(&self) -> Option<&ContainerId> {
        match self {
            Self::Container(id) => Some(id),
            Self::Swarm(_) => None,
        }
    }
}

/// One address, or one of each family, behind a name. Ordered by the owner.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Record {
    /// Whose it is.
    pub owner: Owner,
    /// Why it has the name.
    pub kind: NameKind,
    /// The IPv4 address on this network.
    pub ipv4: Option<Ipv4Addr>,
    /// The IPv6 address on this network.
    pub ipv6: Option<Ipv6Addr>,
}

impl Record {
    /// Whether it is that container's.
    pub fn is_of(&self, container: &ContainerId) -> bool {
        self.owner.container() == Some(container)
    }
}
