//! Answers for which others may have to be asked.

use std::net::SocketAddr;

use axum::http::StatusCode;

use super::{Failure, problem};
use crate::control::report::{Beyond, Sources};
use crate::core::map::NetworkMap;
use crate::core::resolve::{self, ADDRESSES, Answer, Lookup, RecordType, Scope, Status};
use crate::core::route::{
    self, Destination, Host, OwnAddresses, Refusal, Resolvers, Route, ThisHost,
};

/// What decisions depend on, as of now.
struct Here {
    own: OwnAddresses,
    has_engine: bool,
    internal_egress: bool,
}

impl Here {
    fn of(sources: &Sources) -> Self {
        Self {
            own: sources.addresses.own(),
            has_engine: sources.tunnel.borrow().engine_is_here,
            internal_egress: sources.internal_egress,
        }
    }

    fn host(&self) -> ThisHost<'_> {
        ThisHost {
            own: &self.own,
            has_engine: self.has_engine,
            internal_egress: self.internal_egress,
        }
    }
}

/// The names of an address.
pub(super) async fn names(
    sources: &Sources,
    map: &NetworkMap,
    scope: &Scope,
    address: &str,
) -> Result<Answer, Failure> {
    let not_address = |_| {
        let error = format!("{address:?} is not an address");
        problem(StatusCode::BAD_REQUEST, error, "PTR takes an address")
    };
    let address = address.parse().map_err(not_address)?;
    let answer = resolve::reverse(map, scope, address);
    Ok(match answer.status {
        Status::Forward => {
            let resolvers = route::resolvers(map, scope, Here::of(sources).host());
            (sources.forward)(Beyond::Address(address), resolvers).await
        }
        Status::Found | Status::NoData | Status::NotFound => answer,
    })
}

/// The addresses of a name, and the name that is meant by it: another one if it is known in a search domain.
pub(super) async fn addresses(
    sources: &Sources,
    map: &NetworkMap,
    scope: &Scope,
    given: &str,
    types: &'static [RecordType],
) -> (Answer, String) {
    let narrowed = resolve::narrow(map, scope, given);
    let (scope, name) = match &narrowed {
        Some((scope, name)) => (scope, *name),
        None => (scope, given),
    };
    let Lookup { world, known } = resolve::lookup(map, scope, name, types);
    if !world.is_empty() {
        let resolvers = route::resolvers(map, scope, Here::of(sources).host());
        let found = (sources.forward)(Beyond::Names(world, types), resolvers).await;
        if known.is_none() || found.status != Status::NotFound {
            return (found, given.to_owned());
        }
    }
    let meant = known.as_deref().unwrap_or(name);
    let answers = types
        .iter()
        .map(|wanted| resolve::resolve(map, scope, meant, *wanted));
    let answer = answers.reduce(|mut all, answer| {
        all.merge(answer);
        all
    });
    let explained = match known {
        Some(known) if narrowed.is_none() => known,
        _ => given.to_owned(),
    };
    (answer.unwrap_or_else(Answer::not_found), explained)
}

/// Where a connection goes. Only a container's own servers are asked for that: what the system's say leads out, but for
/// names that somebody meant to mislead with.
pub(super) async fn decision(
    sources: &Sources,
    map: &NetworkMap,
    scope: &Scope,
    destination: &Destination,
) -> Route {
    let here = Here::of(sources);
    let narrowed = route::narrow(map, scope, destination);
    let (scope, destination) = match &narrowed {
        Some((scope, destination)) => (scope, destination),
        None => (scope, destination),
    };
    let route = route::route(map, scope, destination, here.host());
    let (Route::Direct { .. }, Host::Name(name)) = (&route, &destination.host) else {
        return route;
    };
    let resolvers = route::resolvers(map, scope, here.host());
    if resolvers == Resolvers::System {
        return route;
    }
    let Lookup { world, known } = resolve::lookup(map, scope, name, ADDRESSES);
    let found = (sources.forward)(Beyond::Names(world, ADDRESSES), resolvers).await;
    let with_port = |ip: &_| SocketAddr::new(*ip, destination.port);
    let addresses: Vec<_> = found.addresses.iter().map(with_port).collect();
    if !addresses.is_empty() {
        return route::route_found(map, scope, name, &addresses, here.host()).1;
    }
    match known {
        Some(known) => route::route_name(map, scope, &known, destination.port, here.host()),
        None => Route::Refused {
            refusal: Refusal::NotFound,
            reason: format!("the container's own DNS servers (--dns) have no address of {name}"),
        },
    }
}
