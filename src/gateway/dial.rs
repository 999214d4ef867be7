//! Opens connections: asks `core::route` for the way and goes it.
//!
//! Nothing is decided here but the order of attempts. A public name is judged twice: as a name, and again by every
//! address that it resolves to.

mod direct;
mod socks_client;
mod tunnel;
mod upstream;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tracing::debug;

pub(super) use direct::Resolver;
pub use upstream::{Upstream, UpstreamError};

use super::connections::{Connections, Entry};
use super::deadlines::Deadlines;
use super::error::{Error, Kind};
use super::{View, socket};
use crate::core::map::NetworkMap;
use crate::core::resolve::Scope;
use crate::core::route::{
    Destination, Host, OwnAddresses, Route, Target, ThisHost, narrow, route, route_address,
};
use crate::relay::End;

/// A wish for a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Call {
    /// Who asks.
    pub(super) client: SocketAddr,
    /// From whose point of view.
    pub(super) scope: Scope,
    /// Where to.
    pub(super) destination: Destination,
    /// Whether it is known to be for HTTP without TLS: upstream proxies are chosen by that.
    pub(super) plain_http: bool,
}

impl Call {
    /// The call that is meant, if the name says from where it is seen.
    fn narrowed(mut self, map: &NetworkMap) -> Self {
        if let Some((scope, destination)) = narrow(map, &self.scope, &self.destination) {
            self.scope = scope;
            self.destination = destination;
        }
        self
    }
}

/// An open connection.
#[derive(Debug)]
pub(super) struct Dialled {
    pub(super) end: End,
    pub(super) way: Way,
    /// Keeps the connection in the table.
    pub(super) entry: Entry,
}

/// The way that a connection went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Tunnel(Target),
    Host(SocketAddr),
    Direct(SocketAddr),
    /// Out, by a proxy of the user's.
    Upstream,
}

impl Way {
    /// The word for users.
    fn via(&self) -> &'static str {
        match self {
            Self::Tunnel(_) => "tunnel",
            Self::Host(_) => "host",
            Self::Direct(_) | Self::Upstream => "direct",
        }
    }

    fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tunnel(target) => Some(target.address),
            Self::Host(address) | Self::Direct(address) => Some(*address),
            Self::Upstream => None,
        }
    }
}

/// Opens connections for all clients.
#[derive(Debug)]
pub(super) struct Dialler {
    pub(super) view: View,
    pub(super) own: OwnAddresses,
    pub(super) upstream: Upstream,
    pub(super) resolver: Resolver,
    pub(super) deadlines: Deadlines,
    pub(super) connections: Connections,
}

type Opened = (TcpStream, Bytes, Way);

impl Dialler {
    /// The map as it is now.
    pub(super) fn map(&self) -> Arc<NetworkMap> {
        Arc::clone(&self.view.map.borrow())
    }

    /// Opens a connection to where `call` wants to go.
    pub(super) async fn dial(&self, call: Call) -> Result<Dialled, Error> {
        let map = self.map();
        let seen = call.clone().narrowed(&map);
        let route = self.route(&map, &seen);
        let opened = self.follow(&map, &seen, route).await.and_then(tuned);
        let (stream, early, way) = opened.inspect_err(|error| {
            debug!(destination = %call.destination, kind = ?error.kind, reason = error.reason, "no connection");
        })?;
        let entry = self
            .connections
            .enter(call.client, call.destination, way.via());
        let end = End { stream, early };
        Ok(Dialled { end, way, entry })
    }

    /// Whether an open connection, made for `call`, still goes where it should by the map as it is now.
    pub(super) fn permits(&self, call: &Call, way: &Way) -> bool {
        let map = self.map();
        let call = &call.clone().narrowed(&map);
        let judged = match (self.route(&map, call), way.address()) {
            (Route::Direct { .. }, Some(address)) => {
                route_address(&map, &call.scope, address, self.here())
            }
            (route, _) => route,
        };
        match (judged, way) {
            (Route::Tunnel { targets, .. }, Way::Tunnel(target)) => targets.contains(target),
            (Route::Host { address, .. }, Way::Host(used)) => address == *used,
            (Route::Direct { .. }, Way::Direct(_) | Way::Upstream) => true,
            _ => false,
        }
    }

    fn route(&self, map: &NetworkMap, call: &Call) -> Route {
        route(map, &call.scope, &call.destination, self.here())
    }

    fn here(&self) -> ThisHost<'_> {
        ThisHost {
            own: &self.own,
            has_engine: self.view.tunnel.borrow().engine_is_here,
        }
    }

    async fn follow(&self, map: &NetworkMap, call: &Call, route: Route) -> Result<Opened, Error> {
        match route {
            Route::Direct { .. } => self.go_out(map, call).await,
            route => self.stay_in(route).await,
        }
    }

    /// Goes where no network of the engine is.
    async fn go_out(&self, map: &NetworkMap, call: &Call) -> Result<Opened, Error> {
        let proxy = self.upstream.proxy_for(&call.destination, call.plain_http);
        if let Some(proxy) = proxy.filter(|_| !is_address_in_disguise(&call.destination.host)) {
            let opened = proxy
                .connect(&call.destination, &self.resolver, &self.deadlines)
                .await;
            let (stream, early) = opened?;
            return Ok((stream, early, Way::Upstream));
        }
        let name = match &call.destination.host {
            Host::Address(address) => {
                let address = SocketAddr::new(*address, call.destination.port);
                return self.connect(&[address], Way::Direct).await;
            }
            Host::Name(name) => name,
        };
        let addresses = self
            .resolver
            .look_up(name, call.destination.port, self.deadlines.resolve)
            .await?;
        let judge = |address: &SocketAddr| route_address(map, &call.scope, *address, self.here());
        let (out, mut elsewhere): (Vec<_>, Vec<_>) = addresses
            .iter()
            .map(|address| (*address, judge(address)))
            .partition(|(_, route)| matches!(route, Route::Direct { .. }));
        if !out.is_empty() {
            let out: Vec<_> = out.into_iter().map(|(address, _)| address).collect();
            return self.connect(&out, Way::Direct).await;
        }
        // Refusals last: an address that may be reached counts more than one that may not.
        elsewhere.sort_by_key(|(_, route)| matches!(route, Route::Refused { .. }));
        match elsewhere.into_iter().next() {
            Some((address, route)) => {
                debug!(name, %address, via = route.via(), "a public name leads to this machine");
                self.stay_in(route).await
            }
            None => Err(Error::new(Kind::NotFound, format!("{name} has no address"))),
        }
    }

    /// Goes into a network, to this host, or nowhere.
    async fn stay_in(&self, route: Route) -> Result<Opened, Error> {
        match route {
            Route::Tunnel {
                targets,
                if_refused,
                ..
            } => {
                let opened = tunnel::connect(&self.view, &targets, &self.deadlines).await;
                let (stream, target) = opened.map_err(|error| error.or_refused(if_refused))?;
                Ok((stream, Bytes::new(), Way::Tunnel(target)))
            }
            Route::Host { address, .. } => self.connect(&[address], Way::Host).await,
            Route::Refused { refusal, reason } => Err(Error::new(refusal.into(), reason)),
            Route::Direct { reason } => Err(Error::new(Kind::NotFound, reason)),
        }
    }

    async fn connect(
        &self,
        addresses: &[SocketAddr],
        way: fn(SocketAddr) -> Way,
    ) -> Result<Opened, Error> {
        let (stream, address) = direct::connect(addresses, &self.deadlines).await?;
        Ok((stream, Bytes::new(), way(address)))
    }
}

fn tuned(opened: Opened) -> Result<Opened, Error> {
    let tuned = socket::tune(&opened.0);
    tuned.map_err(|error| Error::new(Kind::Broken, format!("the connection broke: {error}")))?;
    Ok(opened)
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

/// Fails with [`Kind::TimedOut`] unless `attempt` is done within `patience`.
async fn within<T>(
    patience: Duration,
    what: impl FnOnce() -> String,
    attempt: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    match timeout(patience, attempt).await {
        Ok(outcome) => outcome,
        Err(_) => Err(Error::new(
            Kind::TimedOut,
            format!("{} took longer than {patience:?}", what()),
        )),
    }
}
