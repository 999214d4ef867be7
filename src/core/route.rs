//! Where a connection goes: through the tunnel, to this host, straight out, or nowhere.
//!
//! The final address is what is judged, whatever name led to it: it is held against the ranges of all networks
//! of the engine, so that a public name cannot lead into a network, and one network's traffic not into another.

mod address;
mod back;
mod named;
mod own_loopback;
mod resolvers;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, SocketAddr};

pub use address::route_address;
pub use back::leads_back;
pub use named::{route_found, route_name};
pub use resolvers::{Resolvers, Server, resolvers};

use super::id::NetworkId;
use super::map::NetworkMap;
use super::resolve::{self, ADDRESSES, Lookup, Scope};

/// A host as a client names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Host {
    /// An address.
    Address(IpAddr),
    /// A name.
    Name(String),
}

impl From<&str> for Host {
    /// Takes `[::1]` and `::1` alike; whatever is no address is a name.
    fn from(text: &str) -> Self {
        let bare = text
            .strip_prefix('[')
            .and_then(|t| t.strip_suffix(']'))
            .unwrap_or(text);
        bare.parse().map_or_else(
            |_| Self::Name(text.trim_end_matches('.').to_owned()),
            Self::Address,
        )
    }
}

/// Where a client wants to go.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Destination {
    /// To which machine.
    pub host: Host,
    /// To which port.
    pub port: u16,
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Address(address) => SocketAddr::new(*address, self.port).fmt(f),
            Host::Name(name) => write!(f, "{name}:{}", self.port),
        }
    }
}

/// Why a destination is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is one of dockline's own ports.
    Loop,
    /// Nothing has that name.
    NotFound,
    /// Nothing is known of the engine yet.
    NotYet,
    /// Whoever asks could not reach it without dockline either.
    Forbidden,
}

/// An address behind the tunnel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The address.
    pub address: SocketAddr,
    /// The network that it is on, which the tunnel must have joined.
    pub network: NetworkId,
}

/// The decision for a destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// Through the tunnel, to the first of these that answers.
    Tunnel {
        /// Never empty.
        targets: Vec<Target>,
        /// For people.
        reason: String,
        /// What to tell people if nobody listens there.
        if_refused: Option<String>,
    },
    /// To a port of the machine that dockline runs on.
    Host {
        /// The address.
        address: SocketAddr,
        /// For people.
        reason: String,
    },
    /// Straight out. A name is still to be [looked up](resolve::lookup), and its addresses then put to
    /// [`route_found`].
    Direct {
        /// For people.
        reason: String,
    },
    /// Nowhere.
    Refused {
        /// What kind of refusal.
        refusal: Refusal,
        /// For people.
        reason: String,
    },
}

impl Route {
    fn refused(refusal: Refusal, reason: impl Into<String>) -> Self {
        Self::Refused {
            refusal,
            reason: reason.into(),
        }
    }

    /// The decision in one of the words promised to users.
    pub fn via(&self) -> &'static str {
        match self {
            Self::Tunnel { .. } => "tunnel",
            Self::Host { .. } => "host",
            Self::Direct { .. } => "direct",
            Self::Refused { .. } => "refused",
        }
    }

    /// Why, in words.
    pub fn reason(&self) -> &str {
        match self {
            Self::Tunnel { reason, .. }
            | Self::Host { reason, .. }
            | Self::Direct { reason }
            | Self::Refused { reason, .. } => reason,
        }
    }
}

/// Addresses on which this dockline itself listens: connections there would come back.
pub type OwnAddresses = BTreeSet<SocketAddr>;

/// What decisions depend on beside the map.
#[derive(Clone, Copy, Debug)]
pub struct ThisHost<'a> {
    /// Where this dockline listens.
    pub own: &'a OwnAddresses,
    /// Whether the engine's machine is known to be this one.
    pub has_engine: bool,
    /// Whether containers on internal networks alone may get out all the same (`--internal-egress`).
    pub internal_egress: bool,
}

/// The scope and the destination in it that are meant, if the name [says](resolve::narrow) from where it is seen.
pub fn narrow(
    map: &NetworkMap,
    scope: &Scope,
    destination: &Destination,
) -> Option<(Scope, Destination)> {
    let Host::Name(name) = &destination.host else {
        return None;
    };
    let (scope, name) = resolve::narrow(map, scope, name)?;
    let destination = Destination {
        host: Host::from(name),
        port: destination.port,
    };
    Some((scope, destination))
}

/// Decides for a destination as a client named it.
///
/// Whoever goes [out](Route::Direct) must first have [narrowed](narrow) scope and destination.
pub fn route(
    map: &NetworkMap,
    scope: &Scope,
    destination: &Destination,
    here: ThisHost<'_>,
) -> Route {
    if let Some((scope, destination)) = narrow(map, scope, destination) {
        return route(map, &scope, &destination, here);
    }
    let port = destination.port;
    let name = match &destination.host {
        Host::Address(address) => {
            return route_address(map, scope, SocketAddr::new(*address, port), here);
        }
        Host::Name(name) => name,
    };
    // Names are looked for in domains in few scopes, and this is asked for every connection.
    if !resolve::searches(map, scope) {
        return route_name(map, scope, name, port, here);
    }
    let Lookup { world, known } = resolve::lookup(map, scope, name, ADDRESSES);
    if world.is_empty() {
        return route_name(
            map,
            scope,
            &known.unwrap_or_else(|| name.clone()),
            port,
            here,
        );
    }
    let reason = format!("{name} may be {}, in the world", world.join(" or "));
    named::worlds(map, scope, name, reason, here)
}
