//! Why somebody is refused, in words.

use super::*;

/// The reason, and the advice for a refused connection.
fn reasons(from: &str, destination: &str) -> String {
    let (host, port) = destination.rsplit_once(':').unwrap();
    let destination = Destination {
        host: Host::from(host),
        port: port.parse().unwrap(),
    };
    let scope = Scope::Container(id(from));
    let here = ThisHost {
        own: &OwnAddresses::new(),
        has_engine: false,
        internal_egress: false,
    };
    let route = route(&map(MAP), &scope, &destination, here);
    let advice = match &route {
        Route::Tunnel { if_refused, .. } => if_refused.clone(),
        Route::Host { .. } | Route::Direct { .. } | Route::Refused { .. } => None,
    };
    format!("{} | {}", route.reason(), advice.unwrap_or_default())
}

#[test]
fn reasons_say_whose_loopback_it_is_and_why_it_cannot_be_had() {
    for (from, destination, words) in [
        (
            "db",
            "127.0.0.1:80",
            "is db itself: 10.1.0.3 on network shop | in the scope of db, loopback is db itself",
        ),
        ("db", "localhost:80", "listens on loopback only"),
        ("multi", "self:80", "self: loopback, in the scope of multi"),
        ("side", "localhost:80", "is side itself: 10.2.0.3"),
        ("onhost", "127.0.0.1:80", "engine's machine"),
        ("alone", "[::1]:80", "on no network (none)"),
        ("mute", "127.0.0.1:80", "quiet: its members may not talk"),
        ("far", "127.0.0.1:80", "other: no watched container"),
        ("nobody", "127.0.0.1:80", "gone"),
        ("left", "127.0.0.1:80", "was started again"),
        (
            "multi",
            "host.docker.internal:80",
            "host.docker.internal: 172.17.0.1 is the engine's machine, reached from network alpha | ",
        ),
        ("web", "db:80", "db is a container's name | "),
    ] {
        let found = reasons(from, destination);
        assert!(found.contains(words), "{from} {destination}: {found}");
    }
}
