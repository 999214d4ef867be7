//! Whose DNS servers are asked, and by which way.

use super::{resolvers, *};
use crate::core::sample::{id, map};

const SERVED: &str = "
    net bridge default 172.17.0.0/16
    net shop 10.1.0.0/24
    net other 10.3.0.0/24
    net inner 10.2.0.0/24 internal
    net quiet 10.4.0.0/24 no-icc
    run plain watched shop=10.1.0.2
    run near watched shop=10.1.0.3 dns=10.1.0.53
    run many watched shop=10.1.0.4 dns=10.3.0.53 dns=8.8.8.8 dns=10.1.0.53 dns=9.9.9.9
    run self watched shop=10.1.0.5 dns=127.0.0.1
    run host watched shop=10.1.0.6 dns=172.17.0.1
    run shut watched inner=10.2.0.2 dns=10.2.0.53
    run closed watched inner=10.2.0.4
    run far watched inner=10.2.0.5 dns=8.8.8.8
    run half watched inner=10.2.0.3 shop=10.1.0.7 dns=10.2.0.53
    run mute watched quiet=10.4.0.2 dns=10.4.0.53
    run side watched mode=container:near
    run alone watched mode=none dns=8.8.8.8
    run onhost watched mode=host host= dns=127.0.0.1 dns=8.8.8.8
    run loop watched shop=10.1.0.8 dns=192.0.2.1
    stop gone watched dns=8.8.8.8
    net host driver=host";

/// `system`, or the servers, those behind the tunnel with their network.
fn asked(from: &str, has_engine: bool) -> String {
    let map = map(SERVED);
    let scope = match from {
        "" => Scope::Merged,
        container => Scope::Container(id(container)),
    };
    let own = ["192.0.2.1:53".parse().unwrap()].into();
    let here = ThisHost {
        internal_egress: false,
        own: &own,
        has_engine,
    };
    let shown = |server: &Server| match server {
        Server::Direct(address) => address.to_string(),
        Server::Tunnel(targets) => {
            let targets = targets.iter();
            let shown = targets.map(|t| {
                let network = &map.networks().get(&t.network).unwrap().network().name;
                format!("{} on {network}", t.address)
            });
            shown.collect::<Vec<_>>().join("/")
        }
    };
    match resolvers(&map, &scope, here) {
        Resolvers::System => "system".to_owned(),
        Resolvers::Own(servers) => servers.iter().map(shown).collect::<Vec<_>>().join(", "),
    }
}

#[test]
fn a_containers_own_servers_are_asked_as_far_as_it_reaches_them() {
    for (from, expected) in [
        ("", "system"),
        ("plain", "system"),
        ("near", "10.1.0.53:53 on shop"),
        // The first is out of its reach; the fourth is one too many.
        ("many", "8.8.8.8:53, 10.1.0.53:53 on shop"),
        ("self", "10.1.0.5:53 on shop"),
        ("host", "172.17.0.1:53 on shop"),
        ("half", "10.2.0.53:53 on inner"),
        ("shut", "10.2.0.53:53 on inner"),
        ("side", "10.1.0.53:53 on shop"),
        ("onhost", "8.8.8.8:53"),
        // No way out, no way in, nobody there, and dockline itself.
        ("closed", ""),
        ("far", ""),
        ("mute", ""),
        ("alone", ""),
        ("gone", ""),
        ("nobody", ""),
        ("loop", ""),
    ] {
        assert_eq!(asked(from, false), expected, "{from:?}");
    }
    assert_eq!(asked("onhost", true), "127.0.0.1:53, 8.8.8.8:53");
}

#[test]
fn who_has_no_way_out_may_ask_its_own_servers() {
    let map = map(SERVED);
    let own = OwnAddresses::new();
    let here = ThisHost {
        internal_egress: false,
        own: &own,
        has_engine: false,
    };
    let via = |from: &str, host: &str| {
        let destination = Destination {
            host: Host::from(host),
            port: 80,
        };
        route(&map, &Scope::Container(id(from)), &destination, here).via()
    };
    for (from, name, address) in [
        ("plain", "direct", "direct"),
        ("shut", "direct", "refused"),
        ("closed", "refused", "refused"),
        ("far", "refused", "refused"),
    ] {
        assert_eq!(via(from, "www.example.com"), name, "{from}");
        assert_eq!(via(from, "192.0.2.80"), address, "{from}");
    }
}
