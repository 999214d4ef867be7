//! One engine, asked and told. Every call has a deadline; nothing is retried here.
//!
//! Here is what the watcher reads; what is done on the tunnel's behalf is in a file a thing.

mod commits;
mod containers;
mod ends;
mod files;
mod images;
mod labelled;
mod networks;
mod probe;
mod services;
mod starting;
mod volumes;
mod whole;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bollard::Docker;
use bollard::query_parameters::{EventsOptions, ListContainersOptions, ListNetworksOptions};
use futures_util::{Stream, StreamExt};

pub use containers::{HomeAddresses, TunnelFacts, TunnelSpec};
pub use ends::{EndSpec, Said, Spoken};
pub use labelled::Labelled;
pub use networks::NetworkSpec;
pub use starting::{Image, Startable, WantedNetwork};
pub use whole::Change;

use super::{Endpoint, Error, convert};
use crate::core::engine_state::EngineInfo;
use crate::core::id::{ContainerId, NetworkId};
use crate::core::inventory::{Container, Listing, Network};
use crate::core::tracker::Event;
use crate::counts::Counts;

/// bollard's own deadline for an answer to begin. Longer than any of ours, which say what took too long.
pub(super) const TRANSPORT_DEADLINE: Duration = Duration::from_secs(120);
/// For what the engine answers from memory: milliseconds when it is well.
const QUICK: Duration = Duration::from_secs(10);
/// For a container's inspect, which waits for a start or a restart under way.
const INSPECT: Duration = Duration::from_secs(30);

/// For what changes the engine's state: start, stop, connect. Seconds on a very busy machine.
const SLOW: Duration = Duration::from_secs(60);

/// The actions that the event stream is filtered for, by the engine: health checks alone make three more each.
const ACTIONS: [&str; 14] = [
    "create",
    "start",
    "kill",
    "die",
    "destroy",
    "rename",
    "update",
    "pause",
    "unpause",
    "restart",
    "connect",
    "disconnect",
    "stop",
    "remove",
];
/// What they happen to.
const TYPES: [&str; 2] = ["container", "network"];
/// What else, where a swarm is managed. Other engines may not know the words.
const SWARM_TYPES: [&str; 2] = ["service", "node"];

/// A connection to an engine. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Client {
    endpoint: Endpoint,
    shown: String,
    /// Made at the first call for which the engine is there: bollard refuses a socket that does not exist yet.
    docker: Arc<OnceLock<Docker>>,
}

impl Client {
    /// Prepares a client. Nothing is opened or sent before the first call.
    pub fn new(endpoint: Endpoint) -> Self {
        Self {
            shown: endpoint.to_string(),
            endpoint,
            docker: Arc::default(),
        }
    }

    fn docker(&self) -> Result<&Docker, Error> {
        if let Some(docker) = self.docker.get() {
            return Ok(docker);
        }
        let made = open(&self.endpoint).map_err(|e| Error::from_bollard(e, &self.shown))?;
        Ok(self.docker.get_or_init(|| made))
    }

    /// Agrees on an API version, and asks the engine who it is.
    pub async fn negotiate(&self) -> Result<EngineInfo, Error> {
        self.within(QUICK, self.docker()?.clone().negotiate_version())
            .await?;
        let info = self.within(QUICK, self.docker()?.info()).await?;
        Ok(EngineInfo {
            version: info.server_version.unwrap_or_default(),
            api_version: self.docker()?.client_version().to_string(),
            arch: convert::architecture(&info.architecture.unwrap_or_default()).to_owned(),
            os: info.os_type.unwrap_or_default(),
            manages_swarm: info.swarm.and_then(|s| s.control_available) == Some(true),
            clock: info
                .system_time
                .as_deref()
                .and_then(convert::nanoseconds)
                .unwrap_or_default(),
        })
    }

    /// Whether the engine asks a proxy for what it fetches over HTTP.
    pub async fn goes_by_proxy(&self) -> Result<bool, Error> {
        let info = self.within(QUICK, self.docker()?.info()).await?;
        Ok(info.http_proxy.is_some_and(|proxy| !proxy.is_empty()))
    }

    /// Where the engine is.
    pub fn endpoint(&self) -> &str {
        &self.shown
    }

    /// Whether to ask it costs next to nothing: it is asked on this machine.
    pub fn is_near(&self) -> bool {
        self.endpoint.is_near()
    }

    /// Succeeds if the engine answers (`GET /_ping`).
    pub async fn ping(&self) -> Result<(), Error> {
        self.within(QUICK, self.docker()?.ping()).await.map(drop)
    }

    /// All containers and all networks.
    pub async fn list(&self) -> Result<Listing, Error> {
        let all = ListContainersOptions {
            all: true,
            ..Default::default()
        };
        let containers = self.within(QUICK, self.docker()?.list_containers(Some(all)));
        let networks = self.within(
            QUICK,
            self.docker()?.list_networks(None::<ListNetworksOptions>),
        );
        let (containers, networks) = tokio::try_join!(containers, networks)?;
        Ok(Listing {
            containers: containers.into_iter().filter_map(convert::listed).collect(),
            networks: networks
                .into_iter()
                .filter_map(convert::listed_network)
                .collect(),
        })
    }

    /// One container, if it exists.
    pub async fn inspect_container(&self, id: &ContainerId) -> Result<Option<Container>, Error> {
        let call = self.docker()?.inspect_container(id.as_str(), None);
        let found = found(self.within(INSPECT, call).await)?;
        Ok(found.and_then(convert::container))
    }

    /// One network, if it exists.
    pub async fn inspect_network(&self, id: &NetworkId) -> Result<Option<Network>, Error> {
        let call = self.docker()?.inspect_network(id.as_str(), None);
        let found = found(self.within(QUICK, call).await)?;
        Ok(found.and_then(convert::inspected_network))
    }

    /// The events since that `engine` was asked, then live ones, until it ends the stream. Each is counted.
    pub fn events(
        &self,
        engine: &EngineInfo,
        counts: &Arc<Counts>,
    ) -> Result<impl Stream<Item = Result<Event, Error>> + Send + use<>, Error> {
        let words = |words: &[&str]| words.iter().map(|w| (*w).to_owned()).collect();
        let mut types: Vec<_> = words(&TYPES);
        if engine.manages_swarm {
            types.extend(words(&SWARM_TYPES));
        }
        let filters = BTreeMap::from([
            ("type".to_owned(), types),
            ("event".to_owned(), words(&ACTIONS)),
        ]);
        let clock = engine.clock;
        let since = format!("{}.{:09}", clock / 1_000_000_000, clock % 1_000_000_000);
        let options = EventsOptions {
            since: Some(since),
            until: None,
            filters: Some(filters.into_iter().collect()),
        };
        let (endpoint, counts) = (self.shown.clone(), Arc::clone(counts));
        let stream = self
            .docker()?
            .events(Some(options))
            .filter_map(move |message| {
                let event = match message {
                    Ok(message) => {
                        let kind = message.typ.as_ref().map(AsRef::as_ref);
                        let action = message.action.as_deref();
                        counts
                            .events
                            .came(kind.unwrap_or_default(), action.unwrap_or_default());
                        convert::event(message).map(Ok)
                    }
                    Err(error) => Some(Err(Error::from_bollard(error, &endpoint))),
                };
                std::future::ready(event)
            });
        Ok(stream)
    }

    async fn within<T>(
        &self,
        deadline: Duration,
        call: impl Future<Output = Result<T, bollard::errors::Error>>,
    ) -> Result<T, Error> {
        match tokio::time::timeout(deadline, call).await {
            Ok(answer) => answer.map_err(|e| Error::from_bollard(e, &self.shown)),
            Err(_) => Err(Error::Timeout(deadline)),
        }
    }
}

fn open(endpoint: &Endpoint) -> Result<Docker, bollard::errors::Error> {
    let seconds = TRANSPORT_DEADLINE.as_secs();
    let version = bollard::API_DEFAULT_VERSION;
    match endpoint {
        Endpoint::Unix(path) => unix_client(path, seconds),
        Endpoint::Tcp(address) => Docker::connect_with_http(address, seconds, version),
        Endpoint::Tls(address, files) => Docker::connect_with_ssl(
            address,
            &files.key,
            &files.cert,
            &files.ca,
            seconds,
            version,
        ),
        Endpoint::Pipe(pipe) => pipe_client(pipe, seconds),
    }
}

#[cfg(unix)]
fn unix_client(path: &Path, seconds: u64) -> Result<Docker, bollard::errors::Error> {
    Docker::connect_with_unix(
        &path.to_string_lossy(),
        seconds,
        bollard::API_DEFAULT_VERSION,
    )
}

#[cfg(not(unix))]
fn unix_client(_path: &Path, _seconds: u64) -> Result<Docker, bollard::errors::Error> {
    let unsupported = std::io::Error::new(
        std::io::ErrorKind::Unsupported,
        "engines on Windows listen on named pipes",
    );
    Err(bollard::errors::Error::IOError { err: unsupported })
}

#[cfg(windows)]
fn pipe_client(pipe: &str, seconds: u64) -> Result<Docker, bollard::errors::Error> {
    Docker::connect_with_named_pipe(pipe, seconds, bollard::API_DEFAULT_VERSION)
}

#[cfg(not(windows))]
fn pipe_client(_pipe: &str, _seconds: u64) -> Result<Docker, bollard::errors::Error> {
    let unsupported = std::io::Error::new(
        std::io::ErrorKind::Unsupported,
        "named pipes exist on Windows only",
    );
    Err(bollard::errors::Error::IOError { err: unsupported })
}

/// A 404 as nothing.
fn found<T>(answer: Result<T, Error>) -> Result<Option<T>, Error> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}
