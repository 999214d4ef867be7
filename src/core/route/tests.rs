mod properties;
mod reasons;
mod resolvers;

use super::*;
use crate::core::sample::{id, map, network_id};

const MAP: &str = "
    net bridge default 172.17.0.0/16
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
    run onhost watched mode=host host=
    run left watched started=1 mode=container:again
    run again watched started=2 shop=10.1.0.20
    net host driver=host
    run six watched six=fd00:6::2 a4=10.6.0.2
    net six v6 fd00:6::/64
    net a4 10.6.0.0/24
    net zeta 10.7.0.0/24
    net alpha 10.8.0.0/24
    run multi watched zeta=10.7.0.2 inner=10.2.0.9 alpha=10.8.0.2 extra=host.docker.internal:host-gateway extra=self:127.0.0.1
    run shut watched inner=10.2.0.7 extra=host.docker.internal:host-gateway
";

/// What is decided for `HOST:PORT`, seen from a container or from nowhere, as `via address…` or the refusal.
fn check(from: &str, destination: &str, expected: &str) {
    check_with(false, from, destination, expected);
}

fn check_with(has_engine: bool, from: &str, destination: &str, expected: &str) {
    check_all(has_engine, false, from, destination, expected);
}

fn check_all(
    has_engine: bool,
    internal_egress: bool,
    from: &str,
    destination: &str,
    expected: &str,
) {
    let (host, port) = destination.rsplit_once(':').unwrap();
    let destination = Destination {
        host: Host::from(host),
        port: port.parse().unwrap(),
    };
    let scope = match from {
        "" => Scope::Merged,
        name => match name.strip_prefix('@') {
            Some(network) => Scope::Network(network_id(network)),
            None => Scope::Container(id(name)),
        },
    };
    let own = ["127.0.0.1:1090", "127.0.0.1:5390"]
        .map(|a| a.parse().unwrap())
        .into();
    let here = ThisHost {
        own: &own,
        has_engine,
        internal_egress,
    };
    let found = match route(&map(MAP), &scope, &destination, here) {
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
        // But the engine's machine is everybody's.
        ("10.3.0.1:80", "tunnel 10.3.0.1:80@a4"),
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
        // Loopback is its own: Docker's order of networks, and the family that was asked for.
        ("db", "127.0.0.1:80", "tunnel 10.1.0.3:80@shop"),
        ("db", "127.1.2.3:81", "tunnel 10.1.0.3:81@shop"),
        ("db", "0.0.0.0:80", "tunnel 10.1.0.3:80@shop"),
        ("db", "[::1]:80", "tunnel 10.1.0.3:80@shop"),
        ("db", "localhost:80", "tunnel 10.1.0.3:80@shop"),
        ("web", "127.0.0.1:80", "tunnel 10.1.0.2:80@shop"),
        ("web", "[::1]:80", "tunnel [fd00:1::2]:80@shop"),
        (
            "web",
            "localhost:80",
            "tunnel 10.1.0.2:80@shop [fd00:1::2]:80@shop",
        ),
        ("six", "127.0.0.1:80", "tunnel 10.6.0.2:80@a4"),
        ("six", "[::1]:80", "tunnel [fd00:6::2]:80@six"),
        ("multi", "127.0.0.1:80", "tunnel 10.8.0.2:80@alpha"),
        ("multi", "self:80", "tunnel 10.8.0.2:80@alpha"),
        // Dockline's own ports are no container's.
        ("multi", "127.0.0.1:1090", "tunnel 10.8.0.2:1090@alpha"),
        ("mute", "127.0.0.1:80", "Forbidden"),
        ("alone", "127.0.0.1:80", "Forbidden"),
        ("alone", "localhost:80", "Forbidden"),
        ("onhost", "127.0.0.1:80", "Forbidden"),
        ("nobody", "127.0.0.1:80", "Forbidden"),
        // The engine's machine, by what the hosts file says.
        (
            "multi",
            "host.docker.internal:3000",
            "tunnel 172.17.0.1:3000@alpha",
        ),
        ("multi", "172.17.0.1:3000", "tunnel 172.17.0.1:3000@alpha"),
        ("multi", "172.17.0.2:3000", "Forbidden"),
        ("shut", "host.docker.internal:3000", "Forbidden"),
        ("web", "host.docker.internal:3000", "direct"),
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
fn loopback_in_host_mode_is_this_host_if_the_engine_is_here() {
    for (from, destination, expected) in [
        ("onhost", "127.0.0.1:80", "host 127.0.0.1:80"),
        ("onhost", "[::1]:80", "host [::1]:80"),
        ("onhost", "localhost:80", "host 127.0.0.1:80"),
        ("onhost", "0.0.0.0:80", "host 127.0.0.1:80"),
        ("onhost", "127.0.0.1:1090", "Loop"),
        ("alone", "127.0.0.1:80", "Forbidden"),
        ("db", "127.0.0.1:80", "tunnel 10.1.0.3:80@shop"),
        ("onhost", "10.1.0.3:80", "tunnel 10.1.0.3:80@shop"),
    ] {
        check_with(true, from, destination, expected);
    }
}

#[test]
fn a_name_may_say_from_where_it_is_seen() {
    for (destination, expected) in [
        ("db.web.scope.dockline:80", "tunnel 10.1.0.3:80@shop"),
        ("Vault.WEB.scope.dockline.:80", "tunnel 10.2.0.3:80@inner"),
        ("vault.db.scope.dockline:80", "NotFound"),
        ("localhost.db.scope.dockline:80", "tunnel 10.1.0.3:80@shop"),
        ("127.0.0.1.db.scope.dockline:80", "tunnel 10.1.0.3:80@shop"),
        ("10.1.0.3.vault.scope.dockline:80", "Forbidden"),
        ("example.com.web.scope.dockline:80", "direct"),
        ("example.com.vault.scope.dockline:80", "Forbidden"),
        ("db.nobody.scope.dockline:80", "NotFound"),
        ("web.scope.dockline:80", "NotFound"),
        ("db.dockline:80", "NotFound"),
    ] {
        check("", destination, expected);
    }
    // In a container's scope it is a name like any other, and nobody's.
    check("web", "db.web.scope.dockline:80", "NotFound");
}

#[test]
fn from_a_network_by_nobody_who_is_known() {
    for (from, destination, expected) in [
        (
            "@shop",
            "web:80",
            "tunnel 10.1.0.2:80@shop [fd00:1::2]:80@shop",
        ),
        ("@shop", "db.shop:80", "tunnel 10.1.0.3:80@shop"),
        ("@shop", "10.1.0.3:80", "tunnel 10.1.0.3:80@shop"),
        ("@shop", "vault:80", "NotFound"),
        ("@shop", "vault.inner:80", "direct"),
        ("@shop", "10.2.0.3:80", "Forbidden"),
        ("@shop", "172.17.0.1:80", "Forbidden"),
        ("@shop", "127.0.0.1:80", "Forbidden"),
        ("@shop", "localhost:80", "NotFound"),
        ("@shop", "192.0.2.1:80", "direct"),
        ("@shop", "example.com:80", "direct"),
        ("@inner", "vault:80", "tunnel 10.2.0.3:80@inner"),
        ("@inner", "192.0.2.1:80", "Forbidden"),
        ("@inner", "example.com:80", "Forbidden"),
        ("@bridge", "192.0.2.1:80", "direct"),
        ("@gone", "192.0.2.1:80", "Forbidden"),
    ] {
        check(from, destination, expected);
    }
}

#[test]
fn internal_networks_may_be_let_out() {
    for (from, destination, expected) in [
        ("vault", "192.0.2.1:80", "direct"),
        ("vault", "example.com:443", "direct"),
        ("@inner", "192.0.2.1:80", "direct"),
        ("vault", "10.1.0.3:80", "Forbidden"),
        ("alone", "192.0.2.1:80", "Forbidden"),
    ] {
        check_all(false, true, from, destination, expected);
    }
}

#[test]
fn the_tunnel_is_nobodys_destination() {
    let map = map(&format!("{MAP}\nrun tunnel tunnel shop=10.1.0.254"));
    let own = OwnAddresses::new();
    let here = ThisHost {
        own: &own,
        has_engine: false,
        internal_egress: false,
    };
    for scope in [Scope::Merged, Scope::Container(id("web"))] {
        let address = "10.1.0.254:8790".parse().unwrap();
        let Route::Refused { refusal, .. } = route_address(&map, &scope, address, here) else {
            panic!("from {scope:?}");
        };
        assert_eq!(refusal, Refusal::Loop);
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
