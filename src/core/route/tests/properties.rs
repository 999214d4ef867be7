//! Names, addresses and routes on maps of any shape, asked for from anywhere.
//!
//! Nothing panics, nothing is answered that the asker could not reach, and [`map`] itself sees to it that the order in
//! which facts arrive does not show.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::*;
use crate::core::inventory::{Endpoint, NetworkMode, RunState};
use crate::core::resolve::{RecordType, Status, reverse};
use crate::core::sample::network_id;

/// Words that containers, aliases, links, hosts entries and questions have in common, so that they meet.
const NAMES: [&str; 22] = [
    "db",
    "web",
    "c0",
    "c1",
    "c2.n1",
    "db.n0",
    "a.b",
    "n0",
    "localhost",
    "x.localhost",
    "Db",
    "ünï",
    ".",
    "a..b",
    "db.",
    "host.docker.internal",
    "example.com",
    "10.1.0.2",
    "db.c1.scope.dockline",
    "db.n0.C2.Scope.Dockline",
    "scope.dockline",
    "c1.n2.dockline",
];
const SUBNETS: [&str; 8] = [
    "10.1.0.0/24",
    "10.1.0.0/16",
    "10.2.0.0/24",
    "fd00:1::/64",
    "127.0.0.0/8",
    "0.0.0.0/0",
    "192.0.2.0/31",
    "::/0",
];
const ADDRESSES: [&str; 9] = [
    "10.1.0.2",
    "10.1.0.3",
    "10.1.0.2,fd00:1::2",
    "fd00:1::3",
    "10.2.0.2",
    "127.0.0.1",
    "0.0.0.0",
    "::1",
    "",
];
const KINDS: [&str; 6] = ["", "v6", "internal", "no-icc", "default", "driver=macvlan"];
const NETWORKS: usize = 3;
const CONTAINERS: usize = 4;

fn network(number: usize) -> impl Strategy<Value = String> {
    (select(&KINDS[..]), subsequence(&SUBNETS[..], 0..3))
        .prop_map(move |(kind, subnets)| format!("net n{number} {kind} {}", subnets.join(" ")))
}

fn endpoint(network: usize) -> impl Strategy<Value = String> {
    let link = (select(&NAMES[..]), select(&NAMES[..]));
    let parts = (
        select(&ADDRESSES[..]),
        prop::option::of(select(&NAMES[..])),
        prop::option::of(link),
    );
    parts.prop_map(move |(address, alias, link)| {
        let alias = alias.map(|alias| format!("alias=n{network}:{alias}"));
        let link = link.map(|(target, alias)| format!("link=n{network}:{target}:{alias}"));
        let more = [alias, link]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(" ");
        format!("n{network}={address} {more}")
    })
}

fn container(number: usize) -> impl Strategy<Value = String> {
    let on = prop::collection::btree_set(0..NETWORKS, 0..=NETWORKS)
        .prop_flat_map(|networks| networks.into_iter().map(endpoint).collect::<Vec<_>>());
    let own = prop_oneof![
        4 => on.prop_map(|endpoints| endpoints.join(" ")),
        1 => Just("mode=host".to_owned()),
        1 => (0..CONTAINERS).prop_map(|lender| format!("mode=container:c{lender}")),
    ];
    let flags = subsequence(&["watched", "stopping", "old"][..], 0..=3);
    let state = select(&["run", "run", "run", "stop"][..]);
    let extra = prop::option::of(select(
        &[
            "extra=db:10.9.9.9",
            "extra=web:host-gateway",
            "extra=c1:::1",
            "extra=x",
        ][..],
    ));
    let host = prop::option::of(select(&NAMES[..]).prop_map(|name| format!("host={name}")));
    (state, flags, own, extra, host).prop_map(move |(state, flags, own, extra, host)| {
        // What does not run has no endpoints: the engine's word for it.
        let own = if state == "run" { own } else { String::new() };
        let (flags, extra, host) = (
            flags.join(" "),
            extra.unwrap_or_default(),
            host.unwrap_or_default(),
        );
        format!("{state} c{number} {flags} {host} {extra} {own}")
    })
}

fn world() -> impl Strategy<Value = String> {
    let networks: Vec<_> = (0..NETWORKS).map(network).collect();
    let containers: Vec<_> = (0..CONTAINERS).map(container).collect();
    (networks, containers)
        .prop_map(|(networks, containers)| [networks, containers].concat().join("\n"))
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![4 => select(&NAMES[..]).prop_map(str::to_owned), 1 => "[a-zA-Z0-9._:\\[\\]-]{0,20}|\\PC{0,20}"]
}

fn scope() -> impl Strategy<Value = Scope> {
    prop_oneof![
        Just(Scope::Merged),
        (0..=CONTAINERS).prop_map(|number| Scope::Container(id(&format!("c{number}")))),
        (0..=NETWORKS).prop_map(|number| Scope::Network(network_id(&format!("n{number}")))),
    ]
}

/// Every address that a scope may see at all: of members of its networks, and of its hosts entries.
fn in_sight(map: &NetworkMap, scope: &Scope) -> BTreeSet<IpAddr> {
    let mut seen = BTreeSet::from([Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
    let networks: BTreeSet<&NetworkId> = match scope {
        Scope::Merged => map
            .watched_networks()
            .map(|view| &view.network().id)
            .collect(),
        Scope::Network(id) => [id].into(),
        Scope::Container(id) => {
            let Some(owner) = map.network_owner(id).map(|known| &known.container) else {
                return seen;
            };
            let hosts = owner
                .extra_hosts
                .iter()
                .filter_map(|line| line.split_once(':'));
            seen.extend(hosts.filter_map(|(_, address)| address.parse::<IpAddr>().ok()));
            // `host-gateway` is the default bridge's.
            let bridges = map
                .networks()
                .values()
                .filter(|view| view.network().default_bridge);
            seen.extend(
                bridges
                    .flat_map(|view| &view.network().subnets)
                    .filter_map(|subnet| subnet.gateway),
            );
            owner
                .endpoints
                .iter()
                .map(|endpoint| &endpoint.network)
                .collect()
        }
    };
    let running = map
        .containers()
        .values()
        .filter(|known| known.container.state == RunState::Running);
    let endpoints = running.flat_map(|known| &known.container.endpoints);
    seen.extend(
        endpoints
            .filter(|e| networks.contains(&e.network))
            .flat_map(Endpoint::addresses),
    );
    seen
}

proptest! {
    #[test]
    fn what_is_answered_is_in_sight(world in world(), scope in scope(), names in prop::collection::vec(name(), 6)) {
        let map = map(&world);
        for name in names {
            let narrowed = resolve::narrow(&map, &scope, &name).map(|(scope, _)| scope);
            let in_sight = in_sight(&map, &narrowed.unwrap_or_else(|| scope.clone()));
            for wanted in [RecordType::A, RecordType::Aaaa, RecordType::Other] {
                let answer = resolve::resolve(&map, &scope, &name, wanted);
                prop_assert_eq!(answer.status == Status::Found, !answer.addresses.is_empty());
                for address in &answer.addresses {
                    prop_assert!(in_sight.contains(address), "{:?} from {:?}: {}", name, scope, address);
                    prop_assert_eq!(address.is_ipv4(), wanted == RecordType::A);
                }
            }
        }
    }

    #[test]
    fn an_explanation_has_the_answer_and_says_so(world in world(), scope in scope(), names in prop::collection::vec(name(), 6)) {
        let map = map(&world);
        for name in names {
            let types = [RecordType::A, RecordType::Aaaa];
            for wanted in types {
                let answer = resolve::resolve(&map, &scope, &name, wanted);
                let explanation = resolve::explain(&map, &scope, &name, &[wanted]);
                let winners = explanation.candidates.iter().filter(|c| c.won);
                let mut addresses: Vec<IpAddr> = Vec::new();
                let mut networks = BTreeSet::new();
                for winner in winners {
                    let new = winner.addresses.iter().filter(|a| !addresses.contains(a));
                    let new: Vec<_> = new.copied().collect();
                    addresses.extend(new);
                    networks.extend(winner.network.clone());
                }
                prop_assert_eq!(&addresses, &answer.addresses, "{} from {:?}", name, scope);
                prop_assert_eq!(networks, answer.networks.iter().cloned().collect::<BTreeSet<_>>());
                if matches!(explanation.scope, Scope::Container(_)) {
                    // Docker never mixes networks.
                    prop_assert!(explanation.candidates.iter().filter(|c| c.won).count() <= 1);
                    prop_assert!(!explanation.ambiguous);
                }
            }
            let both = resolve::explain(&map, &scope, &name, &types);
            for candidate in &both.candidates {
                prop_assert!(!candidate.won || !candidate.addresses.is_empty());
            }
        }
    }

    #[test]
    fn a_name_is_ambiguous_if_the_list_has_it(world in world()) {
        let map = map(&world);
        let listed: BTreeSet<_> = resolve::ambiguous(&map).into_iter().map(|a| a.name).collect();
        let names = map.watched_networks().flat_map(|view| view.names().map(|(name, _)| name));
        for name in names.filter(|name| !name.contains('.') && *name != "localhost") {
            let types = [RecordType::A, RecordType::Aaaa];
            let explanation = resolve::explain(&map, &Scope::Merged, name, &types);
            prop_assert_eq!(explanation.ambiguous, listed.contains(name), "{}", name);
        }
    }

    #[test]
    fn nothing_of_our_own_zone_is_asked_of_the_world(world in world(), scope in scope(), name in name(), end in select(&["dockline", "Scope.DockLine.", "nobody.scope.dockline"][..])) {
        let map = map(&world);
        let name = format!("{name}.{end}");
        let narrowed = resolve::narrow(&map, &scope, &name);
        let answer = resolve::resolve(&map, &scope, &name, RecordType::A);
        prop_assert!(narrowed.is_some() || answer.status != Status::Forward, "{}", name);
    }

    #[test]
    fn an_address_with_a_name_is_in_sight(world in world(), scope in scope(), address: IpAddr) {
        let map = map(&world);
        let in_sight = in_sight(&map, &scope);
        let known = map.containers().values().flat_map(|known| &known.container.endpoints);
        for address in known.flat_map(Endpoint::addresses).chain([address]) {
            let answer = reverse(&map, &scope, address);
            prop_assert_eq!(answer.status == Status::Found, !answer.names.is_empty());
            prop_assert!(answer.names.is_empty() || in_sight.contains(&address), "{}", address);
        }
    }

    #[test]
    fn a_tunnel_leads_into_watched_networks_of_the_scope_alone(
        world in world(),
        scope in scope(),
        host in prop_oneof![name(), any::<IpAddr>().prop_map(|a| a.to_string()), select(&ADDRESSES[..]).prop_map(str::to_owned)],
        port: u16,
        has_engine: bool,
    ) {
        let map = map(&world);
        let own = OwnAddresses::from(["127.0.0.1:1090".parse().unwrap()]);
        let destination = Destination { host: Host::from(host.as_str()), port };
        let here = ThisHost { own: &own, has_engine, internal_egress: false };
        match route(&map, &scope, &destination, here) {
            Route::Tunnel { targets, .. } => {
                prop_assert!(!targets.is_empty());
                for target in targets {
                    let view = &map.networks()[&target.network];
                    prop_assert!(view.is_watched(), "{target:?} from {scope:?}");
                    prop_assert_eq!(target.address.port(), port);
                    let may = match &scope {
                        Scope::Merged => true,
                        Scope::Network(id) => target.network == *id,
                        Scope::Container(id) => {
                            let owner = &map.network_owner(id).unwrap().container;
                            // The engine's machine has an address on every bridge.
                            let by_machine = owner.network_mode == NetworkMode::Host
                                && view.network().driver == "bridge";
                            owner.endpoint(&target.network).is_some() || by_machine
                        }
                    };
                    prop_assert!(may, "{target:?} from {scope:?}");
                }
            }
            Route::Host { address, .. } => {
                let in_host_mode = |id| map.network_owner(id).unwrap().container.network_mode == NetworkMode::Host;
                let may = match &scope {
                    Scope::Merged => true,
                    Scope::Network(_) => false,
                    Scope::Container(id) => has_engine && in_host_mode(id),
                };
                prop_assert!(may && address.ip().is_loopback());
                prop_assert!(address.port() != 1090);
            }
            Route::Direct { .. } | Route::Refused { .. } => {}
        }
    }

    #[test]
    fn any_text_is_a_host(text in "[0-9a-fA-F:.\\[\\]%]{0,24}|\\PC{0,24}", port: u16) {
        let host = Host::from(text.as_str());
        let shown = Destination { host: host.clone(), port }.to_string();
        if let Host::Address(address) = host {
            prop_assert_eq!(shown.parse(), Ok(SocketAddr::new(address, port)));
            prop_assert_eq!(Host::from(address.to_string().as_str()), Host::Address(address));
        }
    }
}
