use proptest::prelude::*;

use super::*;
use crate::core::sample::{id, map, network_id};

/// What a plan does, as `-left +joined`.
fn check(text: &str, expected: &str) {
    let name = |id: &NetworkId| id.as_str().trim_start_matches("id-of-").to_owned();
    let Plan { leave, join } = plan(&map(text), &network_id("home"), &Leases::default());
    let left = leave.iter().map(|id| format!("-{}", name(id)));
    let joined = join.iter().map(|id| format!("+{}", name(id)));
    let found: Vec<_> = left.chain(joined).collect();
    assert_eq!(found.join(" "), expected, "{text}");
}

const NETWORKS: &str = "
    net home 10.9.0.0/24
    net a 10.1.0.0/24
    net b 10.2.0.0/24 internal
    net bridge 172.17.0.0/16 default
    net quiet 10.3.0.0/24 no-icc
    net mv 10.4.0.0/24 driver=macvlan
    net ov swarm 10.5.0.0/24
    net tasks swarm closed 10.6.0.0/24
";

#[test]
fn plans() {
    for (containers, expected) in [
        // Where a watched container runs, the tunnel goes; where only others do, it does not.
        ("run w watched a=10.1.0.2\nrun x b=10.2.0.2", "+a"),
        ("run w watched b=10.2.0.2", "+b"),
        ("run w watched bridge=172.17.0.2", "+bridge"),
        ("run w watched mv=10.4.0.2", "+mv"),
        // Of a swarm's networks only attachable ones take it.
        ("run w watched ov=10.5.0.2", "+ov"),
        ("run w watched tasks=10.6.0.2", ""),
        // Tasks are on their way out before they are told.
        (
            "run t tunnel home=10.9.0.2 ov=10.5.0.9\nrun w.1.t1 watched label=com.docker.swarm.task.id=t1 ov=10.5.0.2\n\
             task w.1.t1 ov=10.5.0.2 leaving",
            "-ov",
        ),
        ("run w watched quiet=10.3.0.2", ""),
        ("stop w watched", ""),
        // A container in another's network namespace is where that one is.
        ("run x a=10.1.0.2\nrun w watched mode=container:x", "+a"),
        // It stays while somebody stays, and goes when the last one has been told to.
        (
            "run t tunnel home=10.9.0.2 a=10.1.0.9\nrun w watched a=10.1.0.2",
            "",
        ),
        (
            "run t tunnel home=10.9.0.2 a=10.1.0.9\nrun w watched stopping a=10.1.0.2",
            "-a",
        ),
        (
            "run t tunnel home=10.9.0.2 a=10.1.0.9\nrun w watched stopping a=10.1.0.2\nrun x a=10.1.0.3",
            "",
        ),
        (
            "run t tunnel home=10.9.0.2 a=10.1.0.9\nrun x a=10.1.0.3",
            "-a",
        ),
        ("run t tunnel home=10.9.0.2 a=10.1.0.9", "-a"),
        ("run w watched stopping a=10.1.0.2", ""),
        // The default bridge is never left, nor is home.
        ("run t tunnel home=10.9.0.2 bridge=172.17.0.9", ""),
    ] {
        check(&format!("{NETWORKS}\n{containers}"), expected);
    }
}

#[test]
fn whoever_is_stopped_by_way_of_us_is_seen_off() {
    let containers = |b: &str| {
        map(&format!(
            "{NETWORKS}\nrun t tunnel home=10.9.0.2 a=10.1.0.9 b=10.2.0.9\nrun w watched stopping a=10.1.0.2\n{b}"
        ))
    };
    let told = containers("run x watched stopping b=10.2.0.2");
    let mut leases = Leases::default();
    let left = |map: &NetworkMap, leases: &Leases| plan(map, &network_id("home"), leases).leave;
    let [a, b] = ["a", "b"].map(network_id);
    let both = [a.clone(), b.clone()];
    assert_eq!(left(&told, &leases), both);
    let x = id("x");
    leases.stay_for(&x);
    leases.stay_for(&x);
    assert_eq!(left(&told, &leases), *std::slice::from_ref(&a));
    leases.stay_no_more(&x);
    assert_eq!(left(&told, &leases), *std::slice::from_ref(&a));
    // Whoever removes the network comes first, and whoever has gone needs nothing.
    leases.add(&b, Lease::LetGo);
    assert_eq!(left(&told, &leases), both);
    leases.end(&b, Lease::LetGo);
    let gone = containers("stop x watched");
    assert_eq!(left(&gone, &leases), both);
    // Nobody is joined for an end.
    let elsewhere = map(&format!(
        "{NETWORKS}\nrun t tunnel home=10.9.0.2\nrun x stopping b=10.2.0.2"
    ));
    assert!(plan(&elsewhere, &network_id("home"), &leases).is_empty());
    leases.stay_no_more(&x);
    assert_eq!(left(&told, &leases), both);
    assert_eq!(leases, Leases::default());
}

#[test]
fn a_network_that_cannot_be_joined_is_named_with_the_reason() {
    let map = map(&format!("{NETWORKS}\nrun w watched quiet=10.3.0.2"));
    let found = obstacles(&map);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].0.name, "quiet");
    assert!(found[0].1.contains("enable_icc=false"));
}

/// The ways to join a network, as addresses separated by commas.
fn ways(network: &str, taken: &[&str]) -> String {
    let map = map(&format!("net n {network}"));
    let network = map.networks()[&network_id("n")].network();
    let taken = taken.iter().map(|a| a.parse().unwrap()).collect();
    let shown = |way: &Attachment| {
        let addresses = way.addresses().map(|a| a.to_string()).collect::<Vec<_>>();
        if addresses.is_empty() {
            "any".to_owned()
        } else {
            addresses.join("+")
        }
    };
    attachments(network, &taken)
        .iter()
        .map(shown)
        .collect::<Vec<_>>()
        .join(", ")
}

#[test]
fn the_addresses_asked_for_are_the_highest_free_ones() {
    for (network, taken, expected) in [
        ("10.1.0.0/24", &[][..], "10.1.0.254, any"),
        (
            "10.1.0.0/24",
            &["10.1.0.254", "10.1.0.253"],
            "10.1.0.252, any",
        ),
        ("10.1.0.0/24 gateway=10.1.0.254", &[], "10.1.0.253, any"),
        ("10.1.0.0/24 reserved=10.1.0.254", &[], "10.1.0.253, any"),
        ("10.1.0.0/16", &[], "10.1.255.254, any"),
        // The first is the gateway's, given or not.
        ("10.1.0.0/30", &[], "10.1.0.2, any"),
        ("10.1.0.0/30", &["10.1.0.2"], "any"),
        ("10.1.0.0/31", &[], "any"),
        ("10.1.0.0/32", &[], "any"),
        ("255.255.255.0/24", &[], "255.255.255.254, any"),
        // Either range may be the user's, or both.
        (
            "fd00:1::/120 10.1.0.0/24",
            &["fd00:1::fe"],
            "10.1.0.254+fd00:1::fd, fd00:1::fd, 10.1.0.254, any",
        ),
        ("fd00:1::/126", &[], "fd00:1::2, any"),
        // Elsewhere the engine chooses.
        ("10.1.0.0/24 driver=macvlan", &[], "any"),
        ("172.17.0.0/16 default", &[], "any"),
    ] {
        assert_eq!(ways(network, taken), expected, "{network}");
    }
}

#[test]
fn the_default_bridge_knows_no_names() {
    for (network, named) in [("172.17.0.0/16 default", false), ("10.1.0.0/24", true)] {
        let map = map(&format!("net n {network}"));
        let ways = attachments(map.networks()[&network_id("n")].network(), &BTreeSet::new());
        assert!(ways.iter().all(|way| way.named == named), "{network}");
    }
}

/// A tunnel that has a successor, on all networks still.
const FORMER: &str = "
    run dockline-tunnel-x tunnel home=10.9.0.3 a=10.1.0.8 bridge=172.17.0.8
    run dockline-tunnel-x_0 tunnel home=10.9.0.2 a=10.1.0.9 b=10.2.0.9 bridge=172.17.0.9
    run w watched a=10.1.0.2
    run x b=10.2.0.2";

#[test]
fn a_former_tunnel_is_in_nobodys_way_and_joins_nothing() {
    let map = map(&format!("{NETWORKS}{FORMER}"));
    let (former, home) = (id("dockline-tunnel-x_0"), network_id("home"));
    let mut leases = Leases::default();
    assert_eq!(
        given_up_by(&map, &former, &home, &leases),
        [network_id("b")]
    );
    for network in ["a", "bridge"] {
        leases.add(&network_id(network), Lease::LetGo);
    }
    let left = given_up_by(&map, &former, &home, &leases);
    assert_eq!(left, [network_id("a"), network_id("b")]);
    // The one in its place goes by its own networks.
    assert_eq!(
        plan(&map, &home, &Leases::default()),
        Plan::default(),
        "it is where it is wanted"
    );
    let joined: Vec<_> = map.joined_by_any().collect();
    assert!(joined.contains(&&network_id("b")));
    assert!(!map.joined().any(|n| *n == network_id("b")));
}

#[test]
fn tunnels_are_known_among_the_members_of_a_network_until_they_are_gone() {
    let map = map(&format!("{NETWORKS}{FORMER}"));
    let container = |name: &str| &map.containers()[&id(name)].container;
    for tunnel in ["dockline-tunnel-x", "dockline-tunnel-x_0"] {
        let tunnel = container(tunnel);
        assert!(is_tunnel(&map, tunnel.id.as_str()));
        for endpoint in &tunnel.endpoints {
            assert!(!endpoint.endpoint_id.is_empty());
            assert!(is_tunnel(&map, &format!("ep-{}", endpoint.endpoint_id)));
        }
    }
    let other = container("w");
    assert!(!is_tunnel(&map, other.id.as_str()));
    let endpoint = &other.endpoints[0].endpoint_id;
    assert!(!is_tunnel(&map, &format!("ep-{endpoint}")));
    assert!(!is_tunnel(&map, "ep-"));
}

#[test]
fn a_former_tunnel_stays_for_those_who_know_its_address() {
    let map = map(&format!(
        "{NETWORKS}{FORMER}
        run by-bridge watched label=dockline.entry=172.17.0.9:8790 bridge=172.17.0.4
        stop by-home watched label=dockline.entry=10.9.0.2:8790
        run new watched label=dockline.entry=172.17.0.8:8790 bridge=172.17.0.5
        run elsewhere watched label=dockline.entry=nonsense bridge=172.17.0.6"
    ));
    let names = |tunnel: &str| {
        let tunnel = id(tunnel);
        let mut names: Vec<_> = dependants(&map, &tunnel)
            .map(|k| k.container.name.clone())
            .collect();
        names.sort();
        names
    };
    assert_eq!(names("dockline-tunnel-x_0"), ["by-bridge", "by-home"]);
    assert_eq!(names("dockline-tunnel-x"), ["new"]);
}

#[test]
fn what_stays_behind_keeps_to_the_networks_of_those_who_need_it() {
    let map = map(&format!(
        "{NETWORKS}
        run t tunnel home=10.9.0.2 a=10.1.0.9 b=10.2.0.9 bridge=172.17.0.9
        run w watched a=10.1.0.2
        run x b=10.2.0.2
        run y watched mode=container:x
        stop z watched"
    ));
    let leaves = |who: &str| {
        let tunnel = &map.tunnel().unwrap().container;
        let left = farewell(&map, tunnel, &network_id("home"), |k| {
            who.contains(&k.container.name)
        });
        left.iter()
            .map(|id| id.as_str().trim_start_matches("id-of-").to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(leaves("w"), ["b"]);
    assert_eq!(leaves("y"), ["a"]);
    assert_eq!(leaves("z"), ["a", "b"]);
    assert_eq!(leaves("wy"), Vec::<String>::new());
}

proptest! {
    #[test]
    fn a_plan_applied_gives_what_was_wanted(
        watched in prop::collection::vec((0..4_usize, any::<bool>(), any::<bool>()), 0..8),
        joined in prop::collection::btree_set(0..4_usize, 0..4),
    ) {
        use std::fmt::Write as _;
        let mut text = "net home 10.9.0.0/24\n".to_owned();
        for n in 0..4 {
            writeln!(text, "net n{n} 10.{n}.0.0/24").unwrap();
        }
        for (i, (n, is_watched, stopping)) in watched.iter().enumerate() {
            let watched = if *is_watched { "watched" } else { "" };
            let stopping = if *stopping { "stopping" } else { "" };
            writeln!(text, "run c{i} {watched} {stopping} n{n}=10.{n}.0.{}", i + 2).unwrap();
        }
        let mut on = String::new();
        for n in &joined {
            write!(on, " n{n}=10.{n}.0.250").unwrap();
        }
        let before = map(&format!("{text}run t tunnel home=10.9.0.2{on}"));
        let home = network_id("home");
        let plan = plan(&before, &home, &Leases::default());
        let mut now: BTreeSet<_> = before.joined().cloned().collect();
        plan.leave.iter().for_each(|id| assert!(now.remove(id)));
        plan.join.iter().for_each(|id| assert!(now.insert(id.clone())));
        let mut expected = wanted(&before, &Leases::default());
        expected.insert(home);
        prop_assert_eq!(now, expected);
    }
}
