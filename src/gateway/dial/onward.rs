//! What becomes of a caller's wish before the interceptor hears of it: `core::hand_on` decides, and names that are to be looked
//! up are looked up here.

use super::{Call, Dialler};
use crate::core::hand_on::{HandOn, hand_on};
use crate::core::route::{Destination, Host, Route, route_address};
use crate::gateway::error::{Error, Kind};

impl Dialler {
    /// The destination for which `call` is handed on.
    pub(in crate::gateway) async fn hand_on(&self, call: &Call) -> Result<Destination, Error> {
        let decided = hand_on(&self.map(), &call.scope, &call.destination, self.here());
        match (decided, &call.destination.host) {
            (HandOn::Refused { refusal, reason }, _) => Err(Error::new(refusal.into(), reason)),
            (HandOn::Public, Host::Name(name)) => Box::pin(self.public(call, name)).await,
            (HandOn::To(destination), Host::Name(name)) => {
                self.outside.note(name);
                Ok(destination)
            }
            (HandOn::To(destination), Host::Address(_)) => Ok(destination),
            (HandOn::Public, Host::Address(_)) => Ok(call.destination.clone()),
        }
    }

    /// The first address of a public name at which the caller gets out.
    async fn public(&self, call: &Call, name: &str) -> Result<Destination, Error> {
        let port = call.destination.port;
        let patience = self.deadlines.resolve;
        let found = self.resolver.look_up(name, port, patience).await?;
        let map = self.map();
        let leads_out = |address: &&std::net::SocketAddr| {
            let judged = route_address(&map, &call.scope, **address, self.here());
            matches!(judged, Route::Direct { .. })
        };
        let address = found.iter().find(leads_out).ok_or_else(|| {
            let reason = format!("{name} leads into this machine, and not to where the caller is");
            Error::new(Kind::Forbidden, reason)
        })?;
        Ok(Destination {
            host: Host::Address(address.ip()),
            port,
        })
    }
}
