//! Out by the proxy that the caller's container had of its own, where it would have used that: the entry has taken its
//! place in the container's variables.

use tracing::debug;

use super::upstream::{Proxy, Upstream};
use super::{Call, Dialler, Opened, Way};
use crate::core::inject::OwnProxy;
use crate::core::map::NetworkMap;
use crate::core::route::{Route, ThisHost, leads_back, route};
use crate::gateway::error::{Error, Kind};

/// A container's own proxy, and the way to it.
pub(super) struct WayOut {
    proxy: Proxy,
    /// To the proxy, as the container would call it.
    call: Call,
    route: Route,
}

impl Dialler {
    /// By which proxy of its own the caller would have gone where `call` goes; nothing if by none, or by one that is
    /// of no use here.
    pub(super) fn own_way_out(&self, map: &NetworkMap, call: &Call) -> Option<WayOut> {
        let own = Upstream::of_container(&OwnProxy::of(map, &call.scope)?);
        let proxy = own.proxy_for(&call.destination, call.plain_http)?;
        let destination = proxy.address().filter(|_| proxy.is_supported());
        let Some(destination) = destination else {
            debug!(
                "a container's own proxy is of a kind that is not supported; it goes out without"
            );
            return None;
        };
        let call = Call {
            destination,
            plain_http: false,
            ..call.clone()
        };
        let call = call.narrowed(map);
        let here = ThisHost {
            own: &self.no_proxies,
            ..self.here()
        };
        let route = route(map, &call.scope, &call.destination, here);
        if leads_back(map, &route, here) {
            debug!("a container's own proxy is the interceptor, or dockline; it goes out without");
            return None;
        }
        Some(WayOut { proxy, call, route })
    }

    /// Goes that way to where `call` goes.
    pub(super) async fn go_own_way_out(
        &self,
        map: &NetworkMap,
        call: &Call,
        way: WayOut,
    ) -> Result<Opened, Error> {
        let address = &way.call.destination;
        let reached = match way.route {
            Route::Direct { .. } => self.go_out_by(map, &way.call, None).await,
            route => self.stay_in(route).await,
        };
        let (stream, _, _) = reached.map_err(|error| {
            let reason = format!("the container's own proxy {address} cannot be reached: {error}");
            Error::new(Kind::Broken, reason)
        })?;
        let deadlines = &self.deadlines;
        let asked = way.proxy.ask(stream, address, &call.destination, deadlines);
        let (stream, early) = asked.await?;
        Ok((stream, early, Way::Upstream))
    }
}
