//! Whether a way ends at dockline itself.

use std::net::{IpAddr, SocketAddr};

use super::{Refusal, Route, ThisHost};
use crate::core::map::NetworkMap;

/// Whether a decided route leads to one of `here.own`; also where it goes by an address of the engine's machine, which is
/// how containers reach what listens there.
pub fn leads_back(map: &NetworkMap, route: &Route, here: ThisHost<'_>) -> bool {
    let listens = |address: SocketAddr| {
        let mut own = here.own.iter();
        own.any(|own| {
            own.port() == address.port() && (own.ip().is_loopback() || own.ip().is_unspecified())
        })
    };
    match route {
        Route::Tunnel { targets, .. } => {
            let mut addresses = targets.iter().map(|target| target.address);
            here.has_engine && addresses.any(|a| is_machine(map, a.ip()) && listens(a))
        }
        Route::Refused { refusal, .. } => *refusal == Refusal::Loop,
        Route::Host { .. } | Route::Direct { .. } => false,
    }
}

fn is_machine(map: &NetworkMap, address: IpAddr) -> bool {
    let bridges = map.networks().values().map(|view| view.network());
    let mut subnets = bridges
        .filter(|network| network.driver == "bridge")
        .flat_map(|network| &network.subnets);
    subnets.any(|subnet| subnet.gateway == Some(address))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::resolve::Scope;
    use crate::core::route::{Destination, Host, route};
    use crate::core::sample::{id, map};

    const MAP: &str = "
        net bridge default 172.17.0.0/16
        net shop 10.1.0.0/24
        run web watched shop=10.1.0.2 file=172.17.0.1,host.docker.internal
        run onhost watched mode=host
        run t tunnel shop=10.1.0.9
    ";

    fn check(from: &str, host: &str, port: u16, has_engine: bool, expected: bool) {
        let map = map(MAP);
        let own = ["127.0.0.1:8080", "[::1]:1090"].map(|own| own.parse().unwrap());
        let own = own.into();
        let here = ThisHost {
            own: &own,
            has_engine,
            internal_egress: false,
        };
        let destination = Destination {
            host: Host::from(host),
            port,
        };
        let found = route(&map, &Scope::Container(id(from)), &destination, here);
        assert_eq!(
            leads_back(&map, &found, here),
            expected,
            "{host}:{port} from {from}: {found:?}"
        );
    }

    #[test]
    fn whoever_listens_on_loopback_listens_at_the_machines_addresses() {
        check("web", "host.docker.internal", 8080, true, true);
        check("web", "172.17.0.1", 1090, true, true);
        check("web", "10.1.0.1", 8080, true, true);
        check("onhost", "127.0.0.1", 8080, true, true);
        check("web", "10.1.0.9", 8790, true, true);
    }

    #[test]
    fn others_are_others() {
        check("web", "host.docker.internal", 3128, true, false);
        // A machine of its own has services of its own.
        check("web", "172.17.0.1", 8080, false, false);
        check("web", "10.1.0.3", 8080, true, false);
        check("web", "127.0.0.1", 8080, true, false);
        check("web", "192.0.2.1", 8080, true, false);
    }
}
