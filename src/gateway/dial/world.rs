//! Connections to where no network of the engine is: names are looked up as `core::resolve` says, and their addresses
//! judged.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;

use tracing::debug;

use super::upstream::Proxy;
use super::{Call, Dialler, Opened, Way};
use crate::core::map::NetworkMap;
use crate::core::resolve::{self, ADDRESSES, Lookup, Scope};
use crate::core::route::{
    Destination, Host, Resolvers, Route, Server, resolvers, route_found, route_name,
};
use crate::gateway::error::{Error, Kind};

type Asked = Pin<Box<dyn Future<Output = Vec<IpAddr>> + Send>>;

/// Asks a container's own DNS servers for the addresses of the first of several names that is there.
#[derive(Clone)]
pub struct AskServers(Arc<dyn Fn(Vec<String>, Vec<Server>) -> Asked + Send + Sync>);

impl AskServers {
    /// Asks by `ask`, which keeps a deadline.
    pub fn new(ask: impl Fn(Vec<String>, Vec<Server>) -> Asked + Send + Sync + 'static) -> Self {
        Self(Arc::new(ask))
    }
}

impl Default for AskServers {
    /// Finds nothing.
    fn default() -> Self {
        Self::new(|_, _| Box::pin(std::future::ready(Vec::new())))
    }
}

impl fmt::Debug for AskServers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AskServers(…)")
    }
}

impl Dialler {
    /// Goes where no network of the engine is, as far as the name tells.
    pub(super) async fn go_out(&self, map: &NetworkMap, call: &Call) -> Result<Opened, Error> {
        if is_address_in_disguise(&call.destination.host) {
            return self.go_out_by(map, call, None).await;
        }
        if let Some(way) = self.own_way_out(map, call) {
            return self.go_own_way_out(map, call, way).await;
        }
        let upstream = self.upstream.proxy_for(&call.destination, call.plain_http);
        self.go_out_by(map, call, upstream).await
    }

    /// The same, by that proxy, if there is one.
    pub(super) async fn go_out_by(
        &self,
        map: &NetworkMap,
        call: &Call,
        proxy: Option<Proxy>,
    ) -> Result<Opened, Error> {
        let Destination { host, port } = &call.destination;
        let name = match host {
            Host::Address(address) => {
                let address = SocketAddr::new(*address, *port);
                return self.leave(proxy.as_ref(), &[address]).await;
            }
            Host::Name(name) => name,
        };
        let lookup = resolve::lookup(map, &call.scope, name, ADDRESSES);
        let resolvers = match resolvers(map, &call.scope, self.here()) {
            // The system's takes it for an address, and asks nobody.
            _ if is_address_in_disguise(host) => Resolvers::System,
            resolvers => resolvers,
        };
        let (found, proxy) = match (resolvers, proxy) {
            (Resolvers::System, Some(proxy)) => {
                return self.hand_over(&proxy, &lookup, &call.destination).await;
            }
            (Resolvers::System, None) => (self.ask_system(&lookup.world, *port).await, None),
            (Resolvers::Own(servers), proxy) => {
                (self.ask_own(&lookup.world, servers, *port).await, proxy)
            }
        };
        let known = lookup.known.as_deref();
        let addresses = match (found, known) {
            (Ok(addresses), _) => addresses,
            (Err(error), Some(known)) if error.kind == Kind::NotFound => {
                let route = route_name(map, &call.scope, known, *port, self.here());
                return self.stay_in(route).await;
            }
            (Err(error), _) => return Err(error),
        };
        let (out, route) = route_found(map, &call.scope, name, &addresses, self.here());
        if let Route::Direct { .. } = route {
            return self.leave(proxy.as_ref(), &out).await;
        }
        if call.scope == Scope::Merged && self.outside.holds(name) {
            let reason = format!(
                "{name} leads into this machine, and a container asked for it as a public name"
            );
            return Err(Error::new(Kind::Forbidden, reason));
        }
        debug!(
            name,
            via = route.via(),
            "a public name leads to this machine"
        );
        self.stay_in(route).await
    }

    /// Goes out to the first of `addresses` that answers.
    async fn leave(
        &self,
        proxy: Option<&Proxy>,
        addresses: &[SocketAddr],
    ) -> Result<Opened, Error> {
        let (Some(proxy), Some(address)) = (proxy, addresses.first()) else {
            return self.connect(addresses, Way::Direct).await;
        };
        let destination = Destination {
            host: Host::Address(address.ip()),
            port: address.port(),
        };
        self.by_proxy(proxy, &destination).await
    }

    /// Leaves a name to the user's proxy: behind one, names often resolve nowhere else. Of several that may be meant,
    /// it is the one that was given, if it may.
    async fn hand_over(
        &self,
        proxy: &Proxy,
        lookup: &Lookup,
        given: &Destination,
    ) -> Result<Opened, Error> {
        let names = lookup.world.iter().map(|name| Destination {
            host: Host::Name(name.clone()),
            port: given.port,
        });
        let names: Vec<_> = names.collect();
        let first = names.first().filter(|_| !names.contains(given));
        self.by_proxy(proxy, first.unwrap_or(given)).await
    }

    async fn by_proxy(&self, proxy: &Proxy, destination: &Destination) -> Result<Opened, Error> {
        let opened = proxy.connect(destination, &self.resolver, &self.deadlines);
        let (stream, early) = opened.await?;
        Ok((stream, early, Way::Upstream))
    }

    /// The addresses of the first of `names` that is there, by the system's resolver.
    async fn ask_system(&self, names: &[String], port: u16) -> Result<Vec<SocketAddr>, Error> {
        let mut failure = None;
        for name in names {
            let patience = self.deadlines.resolve;
            match self.resolver.look_up(name, port, patience).await {
                Err(error) if error.kind == Kind::NotFound => failure = Some(error),
                outcome => return outcome,
            }
        }
        Err(failure.unwrap_or_else(|| Error::new(Kind::NotFound, "there is no name to look up")))
    }

    /// The same, by a container's own servers.
    async fn ask_own(
        &self,
        names: &[String],
        servers: Vec<Server>,
        port: u16,
    ) -> Result<Vec<SocketAddr>, Error> {
        let addresses = (self.ask_servers.0)(names.to_vec(), servers).await;
        if addresses.is_empty() {
            let names = names.join(" or ");
            let reason =
                format!("the container's own DNS servers (--dns) have no address of {names}");
            return Err(Error::new(Kind::NotFound, reason));
        }
        let addresses = addresses.into_iter();
        Ok(addresses.map(|ip| SocketAddr::new(ip, port)).collect())
    }
}

/// Whether this is an address in one of the old spellings (`127.1`, `0x7f.0.0.1`) that resolvers take for one. No public
/// name ends like that, and a proxy on this machine would be led by it to places that only we can judge.
fn is_address_in_disguise(host: &Host) -> bool {
    let Host::Name(name) = host else {
        return false;
    };
    let last = name.rsplit('.').next().unwrap_or_default();
    last.starts_with(|c: char| c.is_ascii_digit())
}
