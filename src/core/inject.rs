//! What is added to a container so that it is intercepted, and to which containers.

pub mod environment;
mod own_proxy;
mod reach;
#[cfg(test)]
mod tests;
mod undo;

use std::collections::BTreeSet;
use std::net::SocketAddr;

pub use own_proxy::OwnProxy;
pub use reach::{Reach, lacks_default_bridge, reach};
pub use undo::Undo;

use super::id::Instance;
use super::label::{self, Labels};

/// The port of the tunnel's entry, in every network.
pub const ENTRY_PORT: u16 = 8790;

/// Where the injected files are, in a container.
pub const FOLDER: &str = "/.dockline";

/// What is known of a container before it is created, and of one that somebody else created.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// Its name, if it was given one.
    pub name: Option<&'a str>,
    /// Its image's reference.
    pub image: &'a str,
    /// Its labels.
    pub labels: &'a Labels,
    /// Its platform, if one was asked for (`linux/arm64`).
    pub platform: Option<&'a str>,
}

/// Why a container is left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exempt {
    /// `dockline.enable=false`.
    Disabled,
    /// dockline made it.
    Dockline,
    /// Another instance injected it.
    OtherInstance,
    /// It builds images, for all kinds of clients.
    Builder,
    /// Testcontainers' own, which speaks to the engine only.
    Ryuk,
    /// Not a Linux container.
    Windows,
}

/// Whether a container is to be intercepted; if not, why.
pub fn injectable(candidate: &Candidate<'_>, instance: &Instance) -> Result<(), Exempt> {
    let labels = candidate.labels;
    let name = candidate.name.unwrap_or_default().trim_start_matches('/');
    let image = repository(candidate.image);
    let builder = image == "moby/buildkit" || image.ends_with("/moby/buildkit");
    let exempt = if labels.contains_key(label::ROLE) {
        Exempt::Dockline
    } else if is_false(labels.get(label::ENABLE)) {
        Exempt::Disabled
    } else if labels
        .get(label::INSTANCE)
        .is_some_and(|other| other != instance.as_str())
    {
        Exempt::OtherInstance
    } else if builder || is_builder(name) {
        Exempt::Builder
    } else if image.ends_with("testcontainers/ryuk") || labels.contains_key(RYUK) {
        Exempt::Ryuk
    } else if candidate.platform.is_some_and(|p| p.starts_with("windows")) {
        Exempt::Windows
    } else {
        return Ok(());
    };
    Err(exempt)
}

/// Whether a container is called as buildx calls those of its driver `docker-container`.
pub fn is_builder(name: &str) -> bool {
    name.starts_with("buildx_buildkit_")
}

/// On Testcontainers' reaper.
const RYUK: &str = "org.testcontainers.ryuk";

fn is_false(value: Option<&String>) -> bool {
    value.is_some_and(|value| value.eq_ignore_ascii_case("false"))
}

/// An image's reference without registry port trouble: what is before the tag or digest.
fn repository(reference: &str) -> &str {
    let name = reference.split('@').next().unwrap_or_default();
    match name.rsplit_once(':') {
        // A colon before a slash belongs to the registry's port.
        Some((repository, tag)) if !tag.contains('/') => repository,
        _ => name,
    }
}

/// How a container that is to be created will be attached (`HostConfig.NetworkMode`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attached {
    /// To a network where the tunnel has its name.
    Named,
    /// To the default bridge, which has no names.
    DefaultBridge,
    /// To the engine's machine.
    Host,
    /// Like another container, given by name or id.
    Like(String),
}

impl Attached {
    /// Reads the mode as the engine does.
    pub fn of(mode: &str) -> Self {
        match mode {
            "" | "default" | "bridge" => Self::DefaultBridge,
            "host" => Self::Host,
            // `none` may be connected to a network later.
            _ => match mode.strip_prefix("container:") {
                Some(other) => Self::Like(other.to_owned()),
                None => Self::Named,
            },
        }
    }
}

/// The tunnel's entry, as one container reaches it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// By the tunnel's name.
    Name(Instance),
    /// By an address of the tunnel.
    Address(SocketAddr),
}

impl Entry {
    /// The host, without a port.
    pub fn host(&self) -> String {
        match self {
            Self::Name(instance) => instance.tunnel_name(),
            Self::Address(address) => address.ip().to_string(),
        }
    }

    /// As a proxy's URL.
    pub fn url(&self) -> String {
        match self {
            Self::Name(instance) => format!("http://{}:{ENTRY_PORT}", instance.tunnel_name()),
            Self::Address(address) => format!("http://{address}"),
        }
    }
}

/// The authority whose certificate is injected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    /// SHA-256 of its certificates, in hexadecimal digits.
    pub sha256: String,
    /// The volume that has them, with all else that is trusted.
    pub volume: String,
    /// Files that the container's variables name, of which the volume has all certificates.
    pub included: BTreeSet<String>,
}

/// What every injected container gets.
#[derive(Clone, Debug)]
pub struct Injection {
    /// Whose it is.
    pub instance: Instance,
    /// How it reaches the entry.
    pub entry: Entry,
    /// What it is to trust, besides what it trusts.
    pub authority: Option<Authority>,
    /// Hosts that its user wants not to be intercepted, separated by commas.
    pub no_proxy: String,
    /// Whether requests to its own loopback are intercepted as well.
    pub intercept_loopback: bool,
}
