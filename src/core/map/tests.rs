//! Every way of changing an inventory, and whether the next map says what a fresh one would.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::core::sample;

/// Networks that come and go.
const NETWORKS: [&str; 5] = [
    "net n1 172.20.0.0/16",
    "net n1 172.20.0.0/16 internal",
    "net n2 172.21.0.0/16 v6 fd00::/64",
    "net bridge 172.17.0.0/16 default",
    "net ov swarm 10.0.1.0/24",
];

/// What a swarm says of its network.
const SERVICES: [&str; 4] = [
    "task web.1.t1 ov=10.0.1.3 vip=10.0.1.2 alias=front",
    "task web.1.t1 ov=10.0.1.3 leaving",
    "task d ov=10.0.1.4",
    "told web.1.t1 ov=10.0.1.3 vip=10.0.1.2",
];

/// Forms of three containers. Some lend their networks, some borrow them; some say the same as another, or the same
/// twice: names, links, and, as between two events, an address.
const CONTAINERS: [&str; 17] = [
    "run a watched n1=172.20.0.2 alias=n1:db",
    "run a n1=172.20.0.2 n2=172.21.0.2,fd00::2 link=n1:b:lk",
    "run a tunnel n1=172.20.0.9",
    "stop a",
    "run b n1=172.20.0.3 bridge=172.17.0.3",
    "run b watched mode=container:a",
    "stop b watched mode=container:a",
    "run c watched mode=container:b",
    "run c mode=container:a",
    "run c watched n2=172.21.0.4 alias=n2:db",
    "run b watched n1=172.20.0.2 alias=n1:db alias=n1:DB alias=n1:a",
    "run c n1=172.20.0.2 alias=n1:db link=n1:b:lk link=n1:a:LK link=n1:B:lk",
    "run c tunnel n1=172.20.0.3 n2=172.21.0.2",
    "stop c tunnel",
    "run web.1.t1 label=com.docker.swarm.task.id=t1 ov=10.0.1.3",
    "run web.1.t1 watched ov=10.0.1.3 n1=172.20.0.7",
    "run d watched ov=10.0.1.4",
];

#[derive(Clone, Debug)]
enum Change {
    Network(&'static str),
    Container(&'static str),
    Stopping(&'static str),
    NoNetwork(&'static str),
    NoContainer(&'static str),
    Services(&'static str),
    NoServices,
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        2 => select(&NETWORKS[..]).prop_map(Change::Network),
        4 => select(&CONTAINERS[..]).prop_map(Change::Container),
        1 => select(&CONTAINERS[..]).prop_map(Change::Stopping),
        1 => select(&NETWORKS[..]).prop_map(Change::NoNetwork),
        1 => select(&CONTAINERS[..]).prop_map(Change::NoContainer),
        2 => select(&SERVICES[..]).prop_map(Change::Services),
        1 => Just(Change::NoServices),
    ]
}

fn apply(inventory: &mut Inventory, change: &Change) {
    let line = match change {
        Change::Services(line) => {
            let (network, services) = sample::services(line);
            inventory.put_services(&network, services);
            return;
        }
        Change::NoServices => return inventory.remove_services(&sample::network_id("ov")),
        Change::Network(line)
        | Change::Container(line)
        | Change::Stopping(line)
        | Change::NoNetwork(line)
        | Change::NoContainer(line) => line,
    };
    let map = sample::map(line);
    let network = map.networks().values().next().map(|view| view.network());
    let known = map.containers().values().next();
    match (change, network, known) {
        (Change::Network(_), Some(network), _) => inventory.put_network(network.clone()),
        (Change::NoNetwork(_), Some(network), _) => inventory.remove_network(&network.id),
        (Change::Container(_), _, Some(known)) => inventory.put_container(known.clone()),
        (Change::Stopping(_), _, Some(known)) => inventory.put_container(Known {
            stopping: true,
            ..known.clone()
        }),
        (Change::NoContainer(_), _, Some(known)) => {
            inventory.remove_container(&known.container.id);
        }
        _ => unreachable!("{line}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn the_next_map_equals_a_fresh_one(batches in vec(vec(change(), 1..4), 1..12)) {
        let mut inventory = Inventory::default();
        let mut map = NetworkMap::default();
        for batch in &batches {
            for change in batch {
                apply(&mut inventory, change);
            }
            let changes = inventory.take_changes();
            let fresh = NetworkMap::build(&inventory);
            let Some(next) = map.next(&inventory, &changes) else {
                prop_assert_eq!(&map, &fresh, "a change was missed");
                continue;
            };
            prop_assert_ne!(&next, &map, "published without need");
            prop_assert_eq!(&next, &fresh);
            prop_assert!(shares_all_but(&changes, &map, &next));
            map = next;
        }
    }
}

/// Networks that nothing happened to are the very same objects.
fn shares_all_but(changes: &Changes, map: &NetworkMap, next: &NetworkMap) -> bool {
    let mut kept = map
        .networks()
        .iter()
        .filter(|(id, _)| !changes.networks.contains_key(*id));
    kept.all(|(id, view)| {
        next.networks()
            .get(id)
            .is_some_and(|same| Arc::ptr_eq(view, same))
    })
}

#[test]
fn a_map_is_published_only_if_it_says_something_new() {
    let mut inventory = Inventory::default();
    apply(&mut inventory, &Change::Network(NETWORKS[0]));
    let changes = inventory.take_changes();
    let first = NetworkMap::default().next(&inventory, &changes).unwrap();
    assert_eq!(first.generation(), 1);
    assert_eq!(first.next(&inventory, &changes), None);
    apply(&mut inventory, &Change::Network(NETWORKS[1]));
    let changes = inventory.take_changes();
    let second = first.next(&inventory, &changes).unwrap();
    assert_eq!(second.generation(), 2);
}

#[test]
fn containers_are_found_by_what_people_call_them() {
    let map = sample::map(
        "net n1 172.20.0.0/16
        run web id=aabb1 n1=172.20.0.2
        run aabb id=aabb2 n1=172.20.0.3
        run me tunnel id=cccc n1=172.20.255.254",
    );
    let find = |reference: &str| {
        map.find_container(reference)
            .map(|k| k.container.name.as_str())
    };
    for (reference, found) in [
        ("web", Some("web")),
        ("172.20.0.2", Some("web")),
        ("172.20.0.9", None),
        ("aabb1", Some("web")),
        // A name before a prefix, which would not be unique here anyway.
        ("aabb", Some("aabb")),
        ("aab", None),
        ("cccc0", None),
        ("172.20.255.254", None),
        ("", None),
    ] {
        assert_eq!(find(reference), found, "{reference}");
    }
}
