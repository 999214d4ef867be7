use proptest::prelude::*;

use super::*;
use crate::core::fixture::{inventory, map};

/// What a plan does, as `-left +joined`.
fn check(text: &str, expected: &str) {
    let Plan { leave, join } = plan(&map(text), &NetworkId::from("home"));
    let left = leave.iter().map(|id| format!("-{id}"));
    let joined = join.iter().map(|id| format!("+{id}"));
    let found: Vec<_> = left.chain(joined).collect();
    assert_eq!(found.join(" "), expected, "{text}");
}

const NETWORKS: &str = "
    network home 10.9.0.0/24
    network a 10.1.0.0/24
    network b 10.2.0.0/24 internal
    network bridge 172.17.0.0/16
    network quiet 10.3.0.0/24 no-icc
    network mv 10.4.0.0/24 driver=macvlan
";

#[test]
fn plans() {
    for (containers, expected) in [
        // Where a watched container runs, the tunnel goes; where only others do, it does not.
        (
            "container w watched a=10.1.0.2\ncontainer x b=10.2.0.2",
            "+a",
        ),
        ("container w watched b=10.2.0.2", "+b"),
        ("container w watched bridge=172.17.0.2", "+bridge"),
        ("container w watched mv=10.4.0.2", "+mv"),
        ("container w watched quiet=10.3.0.2", ""),
        ("container w watched stopped", ""),
        // A container in another's network namespace is where that one is.
        ("container x a=10.1.0.2\ncontainer w watched in=x", "+a"),
        // It stays while somebody stays, and goes when the last one has been told to.
        (
            "container t tunnel home=10.9.0.2 a=10.1.0.9\ncontainer w watched a=10.1.0.2",
            "",
        ),
        (
            "container t tunnel home=10.9.0.2 a=10.1.0.9\ncontainer w watched stopping a=10.1.0.2",
            "-a",
        ),
        (
            "container t tunnel home=10.9.0.2 a=10.1.0.9\ncontainer w watched stopping a=10.1.0.2\ncontainer x a=10.1.0.3",
            "",
        ),
        (
            "container t tunnel home=10.9.0.2 a=10.1.0.9\ncontainer x a=10.1.0.3",
            "-a",
        ),
        ("container t tunnel home=10.9.0.2 a=10.1.0.9", "-a"),
        ("container w watched stopping a=10.1.0.2", ""),
        // The default bridge is never left, nor is home.
        ("container t tunnel home=10.9.0.2 bridge=172.17.0.9", ""),
    ] {
        check(&format!("{NETWORKS}\n{containers}"), expected);
    }
}

#[test]
fn a_network_that_cannot_be_joined_is_named_with_the_reason() {
    let map = map(&format!("{NETWORKS}\ncontainer w watched quiet=10.3.0.2"));
    let found = obstacles(&map);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].0.name, "quiet");
    assert!(found[0].1.contains("enable_icc=false"));
}

#[test]
fn the_address_asked_for_is_the_highest_free_one() {
    for (network, taken, expected) in [
        ("10.1.0.0/24", &[][..], Some("10.1.0.254")),
        (
            "10.1.0.0/24",
            &["10.1.0.254", "10.1.0.253"],
            Some("10.1.0.252"),
        ),
        ("10.1.0.0/24 gateway=10.1.0.254", &[], Some("10.1.0.253")),
        ("10.1.0.0/24 reserved=10.1.0.254", &[], Some("10.1.0.253")),
        ("10.1.0.0/16", &[], Some("10.1.255.254")),
        // The first is the gateway's, given or not.
        ("10.1.0.0/30", &[], Some("10.1.0.2")),
        ("10.1.0.0/30", &["10.1.0.2"], None),
        ("fd00:1::/64 10.1.0.0/24", &[], Some("10.1.0.254")),
        ("fd00:1::/64", &[], None),
        ("10.1.0.0/24 driver=macvlan", &[], None),
        ("10.1.0.0/31", &[], None),
        ("10.1.0.0/32", &[], None),
        ("255.255.255.0/24", &[], Some("255.255.255.254")),
    ] {
        let inventory = inventory(&format!("network n {network}"));
        let network = &inventory.networks()[&NetworkId::from("n")];
        let taken = taken.iter().map(|a| a.parse().unwrap()).collect();
        let found = static_address(network, &taken).map(|a| a.to_string());
        assert_eq!(found.as_deref(), expected, "{network:?}");
    }
}

proptest! {
    #[test]
    fn a_plan_applied_gives_what_was_wanted(
        watched in prop::collection::vec((0..4_usize, any::<bool>(), any::<bool>()), 0..8),
        joined in prop::collection::btree_set(0..4_usize, 0..4),
    ) {
        let mut text = "network home 10.9.0.0/24\n".to_owned();
        (0..4).for_each(|n| text += &format!("network n{n} 10.{n}.0.0/24\n"));
        for (i, (n, is_watched, stopping)) in watched.iter().enumerate() {
            let watched = if *is_watched { "watched" } else { "" };
            let stopping = if *stopping { "stopping" } else { "" };
            text += &format!("container c{i} {watched} {stopping} n{n}=10.{n}.0.{}\n", i + 2);
        }
        let on: String = joined.iter().map(|n| format!(" n{n}=10.{n}.0.250")).collect();
        let before = map(&format!("{text}container t tunnel home=10.9.0.2{on}"));
        let home = NetworkId::from("home");
        let plan = plan(&before, &home);
        let mut now: BTreeSet<_> = before.joined().cloned().collect();
        plan.leave.iter().for_each(|id| assert!(now.remove(id)));
        plan.join.iter().for_each(|id| assert!(now.insert(id.clone())));
        let mut expected = wanted(&before);
        expected.insert(home);
        prop_assert_eq!(now, expected);
    }
}
