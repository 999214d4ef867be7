//! Opens connections: asks `core::route` for the way and goes it.
//!
//! Nothing is decided here but the order of attempts. A public name is judged twice: as a name, and again by every
//! address that it resolves to.

mod direct;
mod onward;
mod outside;
mod own_proxy;
mod socks_client;
mod tunnel;
mod upstream;
mod world;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tracing::debug;

pub(super) use direct::Resolver;
pub(super) use outside::Outside;
pub(super) use tunnel::connect as into_networks;
pub(super) use upstream::leads_back;
pub use upstream::{Upstream, UpstreamError};
pub use world::AskServers;

use super::View;
use super::connections::{Connections, Entry};
use super::deadlines::Deadlines;
use super::error::{Error, Kind};
use crate::core::map::NetworkMap;
use crate::core::resolve::Scope;
use crate::core::route::{
    Destination, OwnAddresses, Route, Target, ThisHost, narrow, route, route_address,
};
use crate::metered::{Meter, Metered};
use crate::proxy::socket;
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
    /// The same, and where the interceptor is: nobody's proxy may be there.
    pub(super) no_proxies: OwnAddresses,
    pub(super) upstream: Upstream,
    pub(super) resolver: Resolver,
    pub(super) ask_servers: AskServers,
    pub(super) deadlines: Deadlines,
    pub(super) connections: Connections,
    /// Whether containers on internal networks may get out.
    pub(super) internal_egress: bool,
    pub(super) outside: Outside,
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
        // Boxed, because whoever waits for this would take as much memory for as long as the connection lasts.
        let opened = Box::pin(self.follow(&map, &seen, route)).await;
        let opened = opened.and_then(tuned);
        let (stream, early, way) = opened.inspect_err(|error| {
            debug!(destination = %call.destination, kind = ?error.kind, reason = error.reason, "no connection");
            self.connections.miss(&call, error.kind.status().as_u16(), &error.reason);
        })?;
        let entry = self.connections.enter(&call, way.via());
        let counts = &self.view.counts;
        let meter = Meter {
            talk: Arc::clone(entry.talk()),
            tunnel: matches!(way, Way::Tunnel(_)).then(|| Arc::clone(counts)),
        };
        let stream = Metered::new(stream, meter);
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
            internal_egress: self.internal_egress,
        }
    }

    async fn follow(&self, map: &NetworkMap, call: &Call, route: Route) -> Result<Opened, Error> {
        match route {
            Route::Direct { .. } => self.go_out(map, call).await,
            route => self.stay_in(route).await,
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
