//! The tunnel seen from outside: its image, its container and home, and the networks it is on.
//!
//! [`driver`] holds the loop: the map in, joins and leaves out. What the tunnel does inside its container is the
//! program in `tunnel-image/`; how connections are sent through it is the gateway's business, and what comes out of its
//! entry is the link's.

mod adopt;
mod container;
pub mod driver;
mod guest;
mod home;
mod image;
mod join;
mod operations;
mod probe;
mod returns;
mod stages;
mod succession;

pub use driver::{Driver, Leftover};

use crate::docker;

/// Port of the SOCKS server inside the tunnel.
const SOCKS_PORT: u16 = 1080;

/// Why the tunnel is not up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The engine did not do its part.
    #[error("{action}")]
    Engine {
        /// What was asked of it.
        action: &'static str,
        /// Its answer.
        source: docker::Error,
    },
    /// No binary for the engine's machine is built in.
    #[error(
        "this dockline has no tunnel for {0} engines; give one with --tunnel-image REF \
         (tunnel-image/Dockerfile builds it)"
    )]
    NoBinary(String),
    /// The image that was asked for is not there.
    #[error("the engine has no image {0}; load or pull it, or leave --tunnel-image out")]
    NoImage(String),
    /// Something else has the tunnel's name.
    #[error(
        "something named {0} exists in the engine and is not dockline's; rename it, or use another --instance"
    )]
    NameTaken(String),
    /// No free range was found for the home network.
    #[error(
        "the engine gave no usable address range for {name}; remove unused networks (docker network prune)"
    )]
    NoRange {
        /// The home network's name.
        name: String,
        /// The engine's last refusal.
        source: Option<docker::Error>,
    },
    /// It runs, and neither way in works.
    #[error(
        "the tunnel runs, but does not answer at {home} nor at its published port: \
         a firewall between this host and the engine, or an engine on another machine"
    )]
    Silent {
        /// Its home address.
        home: std::net::SocketAddr,
        /// What the last attempt said.
        source: std::io::Error,
    },
    /// It runs, and does not answer on the network that this container joined.
    #[error(
        "the tunnel runs, but does not answer at {home}, on the network that dockline's own container is on for it; \
         see `docker logs` of the tunnel"
    )]
    SilentAtHome {
        /// Its home address.
        home: std::net::SocketAddr,
        /// What the last attempt said.
        source: std::io::Error,
    },
    /// So many former tunnels still have callers that there is no place for another.
    #[error(
        "too many tunnels of former versions still have callers; `dockline status` names them, and \
         `dockline clean` removes them"
    )]
    Crowded,
    /// Another dockline of the same instance owns it.
    #[error(
        "another dockline of this instance owns the tunnel ({0}); stop that one, or use another --instance"
    )]
    Owned(String),
    /// No randomness for the secret.
    #[error("get random bytes from the system")]
    Random(#[source] getrandom::Error),
}

impl Error {
    /// Whether the engine answered, and said no.
    fn is_refusal(&self) -> bool {
        matches!(self, Self::Engine { source, .. } if source.status().is_some())
    }
}

/// Says what was asked, beside what the engine answered.
trait Asked<T> {
    fn asked(self, action: &'static str) -> Result<T, Error>;
}

impl<T> Asked<T> for Result<T, docker::Error> {
    fn asked(self, action: &'static str) -> Result<T, Error> {
        self.map_err(|source| Error::Engine { action, source })
    }
}
