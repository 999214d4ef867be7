mod properties;

use super::*;
use crate::core::sample::{id, map};

const MAP: &str = "
    net shop v6 10.1.0.0/24 fd00:1::/64
    net inner 10.2.0.0/24 internal
    net other 10.3.0.0/24
    run web watched shop=10.1.0.2,fd00:1::2 inner=10.2.0.2
    run db shop=10.1.0.3
    run vault watched inner=10.2.0.3
    run side watched mode=container:vault
    net quiet 10.4.0.0/24 no-icc
    net lan 192.168.1.0/24 driver=macvlan
    run far other=10.3.0.2
    run both other=10.3.0.9 shop=10.1.0.9
    run mute watched quiet=10.4.0.2
    run cast lan=192.168.1.7
    run alone watched mode=none
";

/// What is decided for `HOST:PORT`, seen from a container or from nowhere, as `via address…` or the refusal.
fn check(from: &str, destination: &str, expected: &str) {
    let (host, port) = destination.rsplit_once(':').unwrap();
    let destination = Destination {
        host: Host::from(host),
        port: port.parse().unwrap(),
    };
    let scope = match from {
        "" => Scope::Merged,
        container => Scope::Container(id(container)),
    };
    let own = ["127.0.0.1:1090", "127.0.0.1:5390"]
        .map(|a| a.parse().unwrap())
        .into();
    let found = match route(&map(MAP), &scope, &destination, &own) {
        Route::Tunnel { targets, .. } => {
            let targets = targets.iter().map(|t| {
                format!(
                    "{}@{}",
                    t.address,
                    t.network.as_str().trim_start_matches("id-of-")
                )
            });
            format!("tunnel {}", targets.collect::<Vec<_>>().join(" "))
        }
        Route::Host { address, .. } => format!("host {address}"),
        Route::Direct { .. } => "direct".to_owned(),
        Route::Refused { refusal, .. } => format!("{refusal:?}"),
    };
    assert_eq!(found, expected, "{destination} from {from:?}");
}

#[test]
fn from_nowhere_in_particular() {
    for (destination, expected) in [
        (
            "web:80",
            "tunnel 10.2.0.2:80@inner 10.1.0.2:80@shop [fd00:1::2]:80@shop",
        ),
        (
            "WEB.shop.:80",
            "tunnel 10.1.0.2:80@shop [fd00:1::2]:80@shop",
        ),
        ("db:5432", "tunnel 10.1.0.3:5432@shop"),
        ("10.1.0.3:1", "tunnel 10.1.0.3:1@shop"),
        ("10.1.0.77:1", "tunnel 10.1.0.77:1@shop"),
        ("[fd00:1::2]:1", "tunnel [fd00:1::2]:1@shop"),
        ("[::ffff:10.1.0.3]:1", "tunnel 10.1.0.3:1@shop"),
        ("vault:80", "tunnel 10.2.0.3:80@inner"),
        // Nobody watched is there, and its names are nobody's business.
        ("10.3.0.2:80", "Forbidden"),
        ("far:80", "NotFound"),
        ("mute:80", "Forbidden"),
        // The range of a macvlan network is the LAN's.
        ("192.168.1.1:80", "direct"),
        ("192.168.1.7:80", "Forbidden"),
        ("nothing:80", "NotFound"),
        ("example.com:443", "direct"),
        ("192.0.2.1:443", "direct"),
        ("host.docker.internal:3000", "host 127.0.0.1:3000"),
        ("localhost:3000", "host 127.0.0.1:3000"),
        ("127.0.0.9:3000", "host 127.0.0.9:3000"),
        ("0.0.0.0:3000", "host 127.0.0.1:3000"),
        ("127.0.0.1:1090", "Loop"),
        ("localhost:5390", "Loop"),
        ("[::1]:1090", "Loop"),
        ("0.0.0.0:1090", "Loop"),
        ("host.docker.internal:1090", "Loop"),
    ] {
        check("", destination, expected);
    }
}

#[test]
fn from_a_container() {
    for (from, destination, expected) in [
        ("web", "db:80", "tunnel 10.1.0.3:80@shop"),
        ("web", "vault:80", "tunnel 10.2.0.3:80@inner"),
        ("db", "vault:80", "NotFound"),
        ("db", "10.2.0.3:80", "Forbidden"),
        ("vault", "10.1.0.3:80", "Forbidden"),
        ("vault", "web:80", "tunnel 10.2.0.2:80@inner"),
        // All its networks are internal: nothing outside them.
        ("vault", "192.0.2.1:80", "Forbidden"),
        ("vault", "example.com:443", "Forbidden"),
        ("web", "192.0.2.1:80", "direct"),
        ("alone", "192.0.2.1:80", "Forbidden"),
        ("nobody", "192.0.2.1:80", "Forbidden"),
        ("web", "example.com:443", "direct"),
        // Loopback is its own.
        ("db", "127.0.0.1:80", "tunnel 10.1.0.3:80@shop"),
        // Where the tunnel is, not where it never will be.
        ("both", "127.0.0.1:80", "tunnel 10.1.0.9:80@shop"),
        ("far", "127.0.0.1:80", "Forbidden"),
        ("side", "localhost:80", "tunnel 10.2.0.3:80@inner"),
        ("side", "web:80", "tunnel 10.2.0.2:80@inner"),
        ("side", "10.1.0.3:80", "Forbidden"),
    ] {
        check(from, destination, expected);
    }
}

#[test]
fn hosts_as_clients_write_them() {
    for (text, host) in [
        ("::1", Host::Address("::1".parse().unwrap())),
        ("[::1]", Host::Address("::1".parse().unwrap())),
        ("10.0.0.1", Host::Address("10.0.0.1".parse().unwrap())),
        ("api.", Host::Name("api".to_owned())),
        (
            "10.0.0.1.example",
            Host::Name("10.0.0.1.example".to_owned()),
        ),
    ] {
        assert_eq!(Host::from(text), host, "{text}");
    }
}
