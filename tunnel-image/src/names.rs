//! Asks the container's own name servers. The C library's resolver is out of reach: linked statically, it cannot be called.
//!
//! Docker's server knows the names of every network that the tunnel is joined to. Nothing is cached: Docker's TTL of ten
//! minutes is longer than many containers live.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    LookupIpStrategy, ResolveHosts, ResolverConfig, ServerOrderingStrategy,
};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{Name, RData};
use hickory_resolver::system_conf::parse_resolv_conf;

/// The name servers that a `resolv.conf` names, at any time.
#[derive(Debug)]
pub(crate) struct Names {
    path: PathBuf,
    /// Of the name servers; tests have their own.
    port: u16,
    current: Mutex<Option<Current>>,
}

/// What the file said when it was read last.
#[derive(Clone, Debug)]
struct Current {
    modified: SystemTime,
    resolver: TokioResolver,
}

impl Names {
    /// Uses the name servers in `path`, at their usual port.
    pub(crate) fn from_file(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            port: 53,
            current: Mutex::new(None),
        }
    }

    /// The addresses of `name`, IPv4 ones first; not empty. A short name is looked for in the domains that the file names.
    pub(crate) async fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, NetError> {
        self.look_up(spelled_as_given(name)?).await
    }

    /// The addresses of `name` as it stands, IPv4 ones first; not empty.
    pub(crate) async fn exactly(&self, name: &str) -> Result<Vec<IpAddr>, NetError> {
        let mut name = spelled_as_given(name)?;
        name.set_fqdn(true);
        self.look_up(name).await
    }

    /// The names of an address; none if the servers know none.
    pub(crate) async fn reverse(&self, address: IpAddr) -> Result<Vec<String>, NetError> {
        let found = match self.resolver()?.reverse_lookup(address).await {
            Err(NetError::Dns(_)) => return Ok(Vec::new()),
            other => other?,
        };
        let names = found
            .answers()
            .iter()
            .filter_map(|record| match &record.data {
                RData::PTR(name) => Some(name.to_utf8()),
                _ => None,
            });
        Ok(names.collect())
    }

    async fn look_up(&self, name: Name) -> Result<Vec<IpAddr>, NetError> {
        let found = self.resolver()?.lookup_ip(name).await?;
        let addresses: Vec<IpAddr> = found.iter().collect();
        if addresses.is_empty() {
            return Err(NetError::Message("no address"));
        }
        Ok(addresses)
    }

    /// Engines rewrite the file when the container joins or leaves a network: a change is followed at once.
    fn resolver(&self) -> Result<TokioResolver, NetError> {
        let modified = std::fs::metadata(&self.path)?.modified()?;
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = current.as_ref().filter(|known| known.modified == modified) {
            return Ok(known.resolver.clone());
        }
        let resolver = self.read()?;
        *current = Some(Current {
            modified,
            resolver: resolver.clone(),
        });
        Ok(resolver)
    }

    fn read(&self) -> Result<TokioResolver, NetError> {
        let (config, mut options) = parse_resolv_conf(std::fs::read(&self.path)?)?;
        options.cache_size = 0;
        // It names the tunnel itself, and would answer for its addresses.
        options.use_hosts_file = ResolveHosts::Never;
        options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
        // One after the other, as the C library asks them.
        options.server_ordering_strategy = ServerOrderingStrategy::UserProvidedOrder;
        options.num_concurrent_reqs = 1;
        let config = self.with_port(&config);
        let mut builder =
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        *builder.options_mut() = options;
        builder.build()
    }

    fn with_port(&self, config: &ResolverConfig) -> ResolverConfig {
        let mut servers = config.name_servers().to_vec();
        for connection in servers
            .iter_mut()
            .flat_map(|server| &mut server.connections)
        {
            connection.port = self.port;
        }
        ResolverConfig::from_parts(config.domain().cloned(), config.search().to_vec(), servers)
    }
}

/// Keeps upper case, which counts in the network's part of Docker's names, and underscores, which IDNA refuses.
fn spelled_as_given(name: &str) -> Result<Name, NetError> {
    let parsed = if name.is_ascii() {
        Name::from_ascii(name)
    } else {
        Name::from_utf8(name)
    };
    Ok(parsed?)
}

#[cfg(test)]
mod tests;
