//! What is not handed on although there is an interceptor: it goes where the caller wants, in its scope.

use std::net::IpAddr;

use super::Shares;
use crate::core::caller::is_build;
use crate::core::host_pattern::HostPattern;
use crate::core::id::ContainerId;
use crate::core::label::{self, Labels};
use crate::core::map::NetworkMap;
use crate::core::resolve::Scope;
use crate::core::route::Destination;

/// What the interceptor is to get of what it could.
#[derive(Clone, Debug, Default)]
pub struct Interception {
    /// The SHA-256 of the authority in use for whom. Where nobody said which one it is, everybody is taken to trust it.
    pub ca: Shares<Option<String>>,
    /// Hosts that it never hears of.
    pub pass_through: Vec<HostPattern>,
}

/// Why something is not handed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exception {
    /// Somebody said so.
    Host,
    /// TLS of a container that does not trust the authority in use: it would only fail.
    Distrust(ContainerId),
    /// TLS of somebody of whom nothing is known, nor what they trust.
    Unknown,
}

/// Why a caller's wish is not handed on, if it is not. `plain_http`: it is known to be without TLS.
pub fn exception(
    map: &NetworkMap,
    scope: &Scope,
    destination: &Destination,
    plain_http: bool,
    interception: &Interception,
) -> Option<Exception> {
    let id = match scope {
        Scope::Container(id) => Some(id),
        Scope::Network(_) | Scope::Merged => None,
    };
    let labels = id.and_then(|id| map.containers().get(id));
    let labels = labels.map(|known| &*known.container.labels);
    let own = labels.and_then(|labels| labels.get(label::NO_PROXY));
    let own = own.is_some_and(|l| HostPattern::list(l).any(|host| host.matches(destination)));
    let mut everybodys = interception.pass_through.iter();
    if own || everybodys.any(|host| host.matches(destination)) {
        return Some(Exception::Host);
    }
    let ca = interception.ca.of_scope(map, scope).as_deref()?;
    // A build ends with the connection that it was asked for on: its steps trust what is in use.
    let trusts = labels.is_some_and(|labels| trusts(labels, ca)) || is_build(map, scope);
    if plain_http || trusts {
        return None;
    }
    Some(id.map_or(Exception::Unknown, |id| Exception::Distrust(id.clone())))
}

/// Whether whoever calls from `scope` is the container with that address: an interceptor that is handed what it sends itself
/// would go on for ever.
pub fn is_at(map: &NetworkMap, scope: &Scope, address: IpAddr) -> bool {
    let Scope::Container(id) = scope else {
        return false;
    };
    let owner = map.network_owner(id).map(|known| &known.container);
    let mut endpoints = owner.into_iter().flat_map(|owner| &owner.endpoints);
    endpoints.any(|endpoint| endpoint.addresses().any(|own| own == address))
}

/// Whether a container with these labels trusts the authority with that hash.
pub fn trusts(labels: &Labels, ca: &str) -> bool {
    labels.get(label::CA).is_some_and(|known| known == ca)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::route::Host;
    use crate::core::sample::{id, map, network_id};

    const MAP: &str = "
        net shop 10.1.0.0/24
        net bridge default 172.17.0.0/16
        run new watched shop=10.1.0.2 label=dockline.ca=abc
        run old watched shop=10.1.0.3 label=dockline.ca=other
        run none watched shop=10.1.0.4
        run shy watched shop=10.1.0.5 label=dockline.ca=abc label=dockline.no-proxy=corp.test,10.9.0.0/16
    ";

    #[test]
    fn who_has_an_address() {
        let map = map(&format!("{MAP}\nrun side watched mode=container:new"));
        for (scope, address, expected) in [
            (Scope::Container(id("new")), "10.1.0.2", true),
            (Scope::Container(id("side")), "10.1.0.2", true),
            (Scope::Container(id("old")), "10.1.0.2", false),
            (Scope::Container(id("new")), "127.0.0.1", false),
            (Scope::Network(network_id("shop")), "10.1.0.2", false),
            (Scope::Merged, "10.1.0.2", false),
        ] {
            let found = is_at(&map, &scope, address.parse().unwrap());
            assert_eq!(found, expected, "{address} of {scope:?}");
        }
    }

    #[test]
    fn what_is_not_handed_on() {
        let map = map(MAP);
        let known = Interception {
            ca: Some("abc".to_owned()).into(),
            pass_through: HostPattern::list("pinned.test,10.1.0.9:5432").collect(),
        };
        let unknown = Interception {
            ca: Shares::default(),
            ..known.clone()
        };
        let distrust = |name: &str| Some(Exception::Distrust(id(name)));
        let nobody = Scope::Network(network_id("shop"));
        let of = |name: &str| Scope::Container(id(name));
        for (interception, scope, to, tls, plain) in [
            (&known, of("new"), "x.test:443", None, None),
            (&known, of("old"), "x.test:443", distrust("old"), None),
            (&known, of("none"), "x.test:443", distrust("none"), None),
            (
                &known,
                nobody.clone(),
                "x.test:443",
                Some(Exception::Unknown),
                None,
            ),
            (
                &known,
                Scope::Network(network_id("bridge")),
                "x.test:443",
                None,
                None,
            ),
            // Nobody knows what they would have to trust.
            (&unknown, of("none"), "x.test:443", None, None),
            (&unknown, nobody, "x.test:443", None, None),
            // Hosts that somebody named, whatever is said there.
            (
                &known,
                of("new"),
                "www.pinned.test:443",
                Some(Exception::Host),
                Some(Exception::Host),
            ),
            (
                &unknown,
                of("old"),
                "10.1.0.9:5432",
                Some(Exception::Host),
                Some(Exception::Host),
            ),
            (&known, of("new"), "10.1.0.9:80", None, None),
            (
                &known,
                of("shy"),
                "git.corp.test:443",
                Some(Exception::Host),
                Some(Exception::Host),
            ),
            (
                &known,
                of("shy"),
                "10.9.1.1:80",
                Some(Exception::Host),
                Some(Exception::Host),
            ),
            (&known, of("new"), "git.corp.test:443", None, None),
        ] {
            let (host, port) = to.rsplit_once(':').unwrap();
            let destination = Destination {
                host: Host::from(host),
                port: port.parse().unwrap(),
            };
            for (plain_http, expected) in [(false, tls), (true, plain)] {
                let found = exception(&map, &scope, &destination, plain_http, interception);
                assert_eq!(found, expected, "{to} of {scope:?}, plain: {plain_http}");
            }
        }
    }
}
