//! `POST /build`: what its query asks for, and the query of an intercepted build.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::{Map, Value};

use super::{Builder, PROXIES};
use crate::core::id::Instance;
use crate::core::inject::Attached;

/// The Dockerfile where none is named.
const DOCKERFILE: &str = "Dockerfile";

/// For a context that comes by a call of its own.
const UPLOAD: &str = "upload-request";

/// What a build call asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BuildCall {
    /// Where in the context the Dockerfile is.
    pub dockerfile: String,
    /// The stage that is asked for.
    pub target: Option<String>,
    /// Whether nothing but the image's id is to be told.
    pub quiet: bool,
    /// Whether images are to be fetched again, or fetched for a platform: one that is only here would not be found.
    pub fetches: bool,
    /// What its build arguments say of proxies.
    pub own_proxies: BTreeMap<String, String>,
    /// Who builds.
    pub builder: Builder,
    /// The frontend that its build arguments name, rather than the Dockerfile.
    pub syntax: Option<String>,
    network: String,
    platform: String,
    remote: String,
    /// Under which other calls know it.
    id: String,
}

/// Why the steps of a build are not intercepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Exempt {
    /// There is no network in them.
    #[error("its steps have no network")]
    NoNetwork,
    /// It has a network of the user's own.
    #[error(
        "its steps are on the network {0}, where builds are not intercepted; without --network they are"
    )]
    Network(String),
    /// Its context does not come this way.
    #[error(
        "the engine fetches its context itself; `curl … | docker build -` sends it by way of dockline"
    )]
    Remote,
    /// Its context comes by a session or by another call, as clients before Docker 23 have BuildKit take it.
    #[error(
        "its client sends BuildKit the context as nobody does since Docker 23; a newer client or DOCKER_BUILDKIT=0 helps"
    )]
    OldBuildKit,
    /// Not for Linux.
    #[error("it is for Windows")]
    Windows,
}

impl BuildCall {
    /// Reads the query of a build call; nothing if it is malformed.
    pub fn read(target: &str) -> Option<Self> {
        let query = target.split_once('?').map_or("", |(_, query)| query);
        let pairs: Vec<(String, String)> = serde_urlencoded::from_str(query).ok()?;
        let mut call = Self::default();
        let is_true = |value: &str| !matches!(value, "" | "0" | "no" | "false" | "none");
        for (name, value) in pairs {
            match name.as_str() {
                "dockerfile" => call.dockerfile = value,
                "target" => call.target = Some(value),
                "q" => call.quiet = is_true(&value.to_lowercase()),
                "pull" => call.fetches |= is_true(&value.to_lowercase()),
                "platform" => {
                    call.fetches |= !value.is_empty();
                    call.platform = value;
                }
                "networkmode" => call.network = value,
                "remote" => call.remote = value,
                "version" if value == "2" => call.builder = Builder::BuildKit,
                "version" => call.builder = Builder::Classic,
                "buildid" => call.id = value,
                "buildargs" => {
                    let arguments = arguments(&value)?;
                    call.own_proxies = proxies(&arguments);
                    let syntax = arguments.get("BUILDKIT_SYNTAX");
                    call.syntax = syntax.and_then(Value::as_str).map(str::to_owned);
                }
                _ => {}
            }
        }
        if call.dockerfile.is_empty() {
            DOCKERFILE.clone_into(&mut call.dockerfile);
        }
        Some(call)
    }

    /// Whether its steps are where the tunnel is on the default bridge, and so can be intercepted. That holds for the
    /// engine's machine as well: it calls from its own address there, as BuildKit's steps do.
    pub fn is_exempt(&self) -> Result<(), Exempt> {
        let is_apart = matches!(&*self.remote, "client-session" | UPLOAD);
        if self.builder == Builder::BuildKit && (is_apart || self.id.starts_with(UPLOAD)) {
            return Err(Exempt::OldBuildKit);
        }
        if !self.remote.is_empty() {
            return Err(Exempt::Remote);
        }
        if self.platform.starts_with("windows") {
            return Err(Exempt::Windows);
        }
        match Attached::of(&self.network) {
            Attached::DefaultBridge | Attached::Host => Ok(()),
            Attached::Named | Attached::Like(_) if self.network == "none" => Err(Exempt::NoNetwork),
            Attached::Named | Attached::Like(_) => Err(Exempt::Network(self.network.clone())),
        }
    }
}

/// The target of an intercepted build: what it says of proxies by arguments is said in the Dockerfile, and the tunnel has a
/// name there, so that the cache does not depend on its address.
pub fn intercepted(target: &str, instance: &Instance, address: IpAddr) -> Option<String> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut pairs: Vec<(String, String)> = serde_urlencoded::from_str(query).ok()?;
    for (_, value) in pairs.iter_mut().filter(|(name, _)| name == "buildargs") {
        let mut arguments = arguments(value)?;
        let before = arguments.len();
        arguments.retain(|name, _| !PROXIES.contains(&name.as_str()));
        if arguments.len() < before {
            *value = Value::Object(arguments).to_string();
        }
    }
    let host = format!("{}:{address}", instance.tunnel_name());
    pairs.push(("extrahosts".to_owned(), host));
    let query = serde_urlencoded::to_string(pairs).ok()?;
    Some(format!("{path}?{query}"))
}

fn arguments(value: &str) -> Option<Map<String, Value>> {
    if value.is_empty() {
        return Some(Map::new());
    }
    serde_json::from_str::<Option<_>>(value)
        .ok()
        .map(Option::unwrap_or_default)
}

fn proxies(arguments: &Map<String, Value>) -> BTreeMap<String, String> {
    let known = PROXIES.iter().filter_map(|name| {
        let value = arguments.get(*name)?.as_str()?;
        Some(((*name).to_owned(), value.to_owned()))
    });
    known.collect()
}
