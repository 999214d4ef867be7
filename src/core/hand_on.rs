//! Under which authority a caller's request is handed on to the interceptor.
//!
//! The interceptor asks the gateway for what it was asked for, from nobody's point of view as a rule. Where that would lead
//! elsewhere than the caller's own view does, it is told the address instead; what is said of the host inside the request,
//! and in TLS, stays.

mod exceptions;
mod shares;

use std::net::SocketAddr;

pub use exceptions::{Exception, Interception, exception, is_at, trusts};
pub use shares::Shares;

use super::map::NetworkMap;
use super::resolve::Scope;
use super::route::{Destination, Host, Refusal, Route, ThisHost, route};

/// What is to be done with a caller's wish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HandOn {
    /// It is handed on for this destination: the one that was asked for, or the address that is meant by it.
    To(Destination),
    /// It is a name that for the caller is a public one, and something else without a scope: it is to be looked up first.
    Public,
    /// The caller could not get there either.
    Refused {
        /// What kind of refusal.
        refusal: Refusal,
        /// For people.
        reason: String,
    },
}

/// Decides for a destination as somebody in `scope` named it.
pub fn hand_on(
    map: &NetworkMap,
    scope: &Scope,
    destination: &Destination,
    here: ThisHost<'_>,
) -> HandOn {
    let seen = route(map, scope, destination, here);
    let plainly = || route(map, &Scope::Merged, destination, here);
    let same = HandOn::To(destination.clone());
    match seen {
        Route::Refused { refusal, reason } => HandOn::Refused { refusal, reason },
        Route::Direct { .. } => match plainly() {
            Route::Direct { .. } => same,
            Route::Tunnel { .. } | Route::Host { .. } | Route::Refused { .. } => HandOn::Public,
        },
        Route::Host { address, .. } => match plainly() {
            Route::Host { address: other, .. } if other == address => same,
            Route::Tunnel { .. }
            | Route::Host { .. }
            | Route::Direct { .. }
            | Route::Refused { .. } => to(address),
        },
        Route::Tunnel { targets, .. } => match (plainly(), targets.first()) {
            (
                Route::Tunnel {
                    targets: others, ..
                },
                _,
            ) if others.len() == targets.len() && others.iter().all(|o| targets.contains(o)) => {
                same
            }
            (_, Some(first)) => to(first.address),
            (_, None) => same,
        },
    }
}

fn to(address: SocketAddr) -> HandOn {
    HandOn::To(Destination {
        host: Host::Address(address.ip()),
        port: address.port(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::route::OwnAddresses;
    use crate::core::sample::{id, map, network_id};

    const MAP: &str = "
        net bridge default 172.17.0.0/16
        net shop v6 10.1.0.0/24 fd00:1::/64
        net blog 10.2.0.0/24
        net cell 10.3.0.0/24 internal
        run tunnel tunnel shop= blog= cell=
        run web watched shop=10.1.0.2,fd00:1::2 file=10.1.0.9,api.example.com file=172.17.0.1,host.docker.internal
        run api watched shop=10.1.0.3 alias=shop:db
        run db watched blog=10.2.0.3 alias=blog:www.example.com
        run cell watched cell=10.3.0.2
        run onhost watched mode=host
    ";

    fn check(from: &str, destination: &str, expected: &str) {
        let (host, port) = destination.rsplit_once(':').unwrap();
        let destination = Destination {
            host: Host::from(host),
            port: port.parse().unwrap(),
        };
        let scope = match from.strip_prefix('@') {
            Some(network) => Scope::Network(network_id(network)),
            None => Scope::Container(id(from)),
        };
        let own = OwnAddresses::new();
        let here = ThisHost {
            own: &own,
            has_engine: true,
            internal_egress: false,
        };
        let found = match hand_on(&map(MAP), &scope, &destination, here) {
            HandOn::To(to) => to.to_string(),
            HandOn::Public => "public".to_owned(),
            HandOn::Refused { refusal, .. } => format!("{refusal:?}"),
        };
        assert_eq!(found, expected, "{destination} from {from}");
    }

    #[test]
    fn what_means_the_same_to_all_keeps_its_name() {
        check("web", "api:80", "api:80");
        check("web", "10.1.0.3:80", "10.1.0.3:80");
        check("web", "example.com:443", "example.com:443");
        check("web", "192.0.2.1:443", "192.0.2.1:443");
        check("onhost", "localhost:3000", "localhost:3000");
        check("@shop", "api.shop:80", "api.shop:80");
    }

    #[test]
    fn what_means_something_else_becomes_an_address() {
        // On both networks somebody is called so.
        check("web", "db:80", "10.1.0.3:80");
        check("db", "db:80", "10.2.0.3:80");
        check("@blog", "db:80", "10.2.0.3:80");
        check("web", "localhost:3000", "10.1.0.2:3000");
        check("web", "[::1]:3000", "[fd00:1::2]:3000");
        // A line of the hosts file.
        check("web", "api.example.com:80", "10.1.0.9:80");
        check("web", "host.docker.internal:80", "172.17.0.1:80");
    }

    #[test]
    fn what_is_public_to_the_caller_alone_is_looked_up() {
        check("web", "www.example.com:80", "public");
        check("db", "www.example.com:80", "www.example.com:80");
    }

    #[test]
    fn nobody_is_handed_on_where_it_could_not_go() {
        check("web", "10.2.0.3:80", "Forbidden");
        check("web", "db.blog:80", "public");
        check("web", "nobody:80", "NotFound");
        check("cell", "example.com:443", "Forbidden");
        check("cell", "10.1.0.2:80", "Forbidden");
        check("@cell", "192.0.2.1:80", "Forbidden");
        check("@shop", "localhost:80", "NotFound");
        check("@shop", "127.0.0.1:80", "Forbidden");
        check("@shop", "10.2.0.3:80", "Forbidden");
        check("@shop", "172.17.0.1:80", "Forbidden");
    }
}
