//! Where the engine is: flags, environment, docker contexts, well-known sockets, in the Docker CLI's order.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

pub use super::context::Contexts;

use super::context;

/// Certificates for an engine behind TLS, as the Docker CLI keeps them in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The authority that signed the engine's certificate.
    pub ca: PathBuf,
    /// Our certificate.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

impl TlsFiles {
    /// The file names that the Docker CLI uses in `folder`.
    pub fn in_folder(folder: &Path) -> Self {
        Self {
            ca: folder.join("ca.pem"),
            cert: folder.join("cert.pem"),
            key: folder.join("key.pem"),
        }
    }
}

/// How to reach an engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// A unix socket.
    Unix(PathBuf),
    /// A Windows named pipe, in the CLI's notation.
    Pipe(String),
    /// `HOST:PORT`, in the clear.
    Tcp(String),
    /// `HOST:PORT`, with certificates of both sides.
    Tls(String, TlsFiles),
}

impl Endpoint {
    /// Whether it is a socket of this machine, be the engine behind it or not.
    pub fn is_near(&self) -> bool {
        match self {
            Self::Unix(_) | Self::Pipe(_) => true,
            Self::Tcp(address) | Self::Tls(address, _) => {
                let host = address
                    .rsplit_once(':')
                    .map_or(&**address, |(host, _)| host);
                let host = host.trim_matches(['[', ']']);
                host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
            }
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Pipe(pipe) => write!(f, "npipe://{pipe}"),
            Self::Tcp(address) | Self::Tls(address, _) => write!(f, "tcp://{address}"),
        }
    }
}

/// Why no endpoint could be made out.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// A kind of endpoint that is not built yet.
    #[error(
        "{0}: engines over ssh are not supported yet; forward its socket instead \
         (ssh -L /tmp/docker.sock:/var/run/docker.sock HOST) and use --host unix:///tmp/docker.sock"
    )]
    Ssh(String),
    /// Not a form that Docker knows.
    #[error("{0:?} is not an engine's address; use unix:///PATH or tcp://HOST:PORT")]
    Malformed(String),
    /// A named context that is not there.
    #[error("there is no docker context {0:?}; see `docker context ls`")]
    NoContext(String),
    /// There is no folder for contexts.
    #[error("there is no home folder; set DOCKER_CONFIG")]
    NoConfig,
    /// A context whose file cannot be used.
    #[error("use docker context {name:?} from {}: {reason}", path.display())]
    BadContext {
        /// Its name.
        name: String,
        /// Its file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// The parts of the environment that say where the engine is. Read once, in `cli`.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// Environment variables.
    pub variables: BTreeMap<String, String>,
}

impl Surroundings {
    fn get(&self, name: &str) -> Option<&str> {
        self.variables
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    fn home(&self) -> Option<PathBuf> {
        self.get("HOME")
            .or_else(|| self.get("USERPROFILE"))
            .map(PathBuf::from)
    }

    /// The user's contexts.
    pub fn contexts(&self) -> Result<Contexts, EndpointError> {
        let config = self.docker_config().ok_or(EndpointError::NoConfig)?;
        Ok(Contexts::of(&config))
    }

    /// The Docker CLI's configuration folder.
    pub fn docker_config(&self) -> Option<PathBuf> {
        let named = self.get("DOCKER_CONFIG").map(PathBuf::from);
        named.or_else(|| Some(self.home()?.join(".docker")))
    }

    /// Certificates for `DOCKER_HOST`, where `DOCKER_TLS_VERIFY` or `DOCKER_CERT_PATH` asks for them. In an intercepted
    /// shell these are gone, for the sake of other clients, and `DOCKLINE_CERT_PATH` is there.
    fn tls(&self) -> Option<TlsFiles> {
        let folder = self
            .get("DOCKLINE_CERT_PATH")
            .or_else(|| self.get("DOCKER_CERT_PATH"));
        let folder = folder.map(PathBuf::from);
        match (folder, self.get("DOCKER_TLS_VERIFY")) {
            (Some(folder), _) => Some(TlsFiles::in_folder(&folder)),
            (None, Some(_)) => Some(TlsFiles::in_folder(&self.docker_config()?)),
            (None, None) => None,
        }
    }
}

/// Finds the engine: `--host`, `--context`, `DOCKLINE_HOST`, `DOCKLINE_CONTEXT`, `DOCKER_HOST`, `DOCKER_CONTEXT`, the current context,
/// then the first well-known socket that exists.
pub fn find(
    host: Option<&str>,
    context: Option<&str>,
    surroundings: &Surroundings,
) -> Result<Endpoint, EndpointError> {
    if let Some(host) = host {
        return parse(host, surroundings.tls());
    }
    let config = surroundings.docker_config();
    if let Some(context) = context {
        return from_context(context, config.as_deref(), surroundings);
    }
    if let Some(host) = surroundings.get("DOCKLINE_HOST") {
        return parse(host, surroundings.tls());
    }
    if let Some(context) = surroundings.get("DOCKLINE_CONTEXT") {
        return from_context(context, config.as_deref(), surroundings);
    }
    if let Some(host) = surroundings.get("DOCKER_HOST") {
        return parse(host, surroundings.tls());
    }
    let current = config.as_deref().and_then(context::current);
    let named = surroundings
        .get("DOCKER_CONTEXT")
        .map(str::to_owned)
        .or(current);
    match named {
        Some(name) => from_context(&name, config.as_deref(), surroundings),
        None => Ok(well_known(surroundings)),
    }
}

/// Where Docker Engine listens on unix systems.
const DOCKER_SOCKET: &str = "/var/run/docker.sock";

fn from_context(
    name: &str,
    config: Option<&Path>,
    surroundings: &Surroundings,
) -> Result<Endpoint, EndpointError> {
    if name == "default" {
        return Ok(well_known(surroundings));
    }
    let folder = config.ok_or_else(|| EndpointError::NoContext(name.to_owned()))?;
    let found = context::load(folder, name)?;
    parse(&found.host, found.tls)
}

/// Reads an address in the Docker CLI's notation.
pub fn parse(text: &str, tls: Option<TlsFiles>) -> Result<Endpoint, EndpointError> {
    let malformed = || EndpointError::Malformed(text.to_owned());
    let (scheme, rest) = text.split_once("://").ok_or_else(malformed)?;
    if rest.is_empty() {
        return Err(malformed());
    }
    match (scheme, tls) {
        ("unix", _) => Ok(Endpoint::Unix(PathBuf::from(rest))),
        ("npipe", _) => Ok(Endpoint::Pipe(rest.to_owned())),
        ("tcp" | "https", Some(files)) => Ok(Endpoint::Tls(with_port(rest, 2376), files)),
        ("tcp" | "http", _) => Ok(Endpoint::Tcp(with_port(rest, 2375))),
        ("ssh", _) => Err(EndpointError::Ssh(text.to_owned())),
        _ => Err(malformed()),
    }
}

/// Adds Docker's registered port where none is given.
fn with_port(address: &str, port: u16) -> String {
    let address = address.trim_end_matches('/');
    let host_end = address.rfind(']').unwrap_or(0);
    if address[host_end..].contains(':') {
        address.to_owned()
    } else {
        format!("{address}:{port}")
    }
}

/// The socket of an engine that listens without being named; Docker's own where none is there yet.
fn well_known(surroundings: &Surroundings) -> Endpoint {
    if cfg!(windows) {
        return Endpoint::Pipe("//./pipe/docker_engine".to_owned());
    }
    let candidates = well_known_paths(surroundings);
    let found = candidates.into_iter().find(|path| path.exists());
    Endpoint::Unix(found.unwrap_or_else(|| PathBuf::from(DOCKER_SOCKET)))
}

/// Engines that listen without being named, other than `endpoint`.
pub fn present(endpoint: &Endpoint, surroundings: &Surroundings) -> Vec<Endpoint> {
    let paths = well_known_paths(surroundings).into_iter();
    let there = paths.filter(|path| path.exists()).map(Endpoint::Unix);
    there.filter(|other| other != endpoint).collect()
}

fn well_known_paths(surroundings: &Surroundings) -> Vec<PathBuf> {
    let mut paths = vec![PathBuf::from(DOCKER_SOCKET)];
    let runtime = surroundings.get("XDG_RUNTIME_DIR").map(PathBuf::from);
    paths.extend(runtime.as_ref().map(|dir| dir.join("docker.sock")));
    if let Some(home) = surroundings.home() {
        let in_home = [
            ".docker/run/docker.sock",
            ".docker/desktop/docker.sock",
            ".orbstack/run/docker.sock",
            ".colima/default/docker.sock",
            ".rd/docker.sock",
            ".lima/docker/sock/docker.sock",
        ];
        paths.extend(in_home.iter().map(|path| home.join(path)));
    }
    paths.extend(runtime.map(|dir| dir.join("podman/podman.sock")));
    paths.push(PathBuf::from("/run/podman/podman.sock"));
    paths
}
