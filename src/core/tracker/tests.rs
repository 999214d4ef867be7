//! Every race is played by hand: the tests decide when an answer arrives, and what it saw.

mod again;
mod engine;
mod files;
mod interleavings;
mod races;
mod services;

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use self::engine::Engine;
use super::*;
use crate::core::hosts_file::HostsFile;
use crate::core::inventory::{DnsSettings, Endpoint, Listed, NetworkMode, RunState, Services};
use crate::core::label::{INSTANCE, Labels, ROLE, ROLE_TUNNEL};

pub(super) fn tracker() -> Tracker {
    Tracker::new(Selector::new("default".parse().unwrap()))
}

pub(super) fn connected(container: &str, network: &str) -> EventKind {
    EventKind::Connected {
        container: container.into(),
        network: network.into(),
    }
}

pub(super) fn disconnected(container: &str, network: &str) -> EventKind {
    EventKind::Disconnected {
        container: container.into(),
        network: network.into(),
    }
}

fn observe(tracker: &mut Tracker, time: u64, kind: EventKind) {
    tracker.observe(Event { time, kind }, Instant::now());
}

/// State, networks and hosts file.
type Seen = (RunState, BTreeSet<NetworkId>, Option<Arc<HostsFile>>);

/// What the tracker knows, in a form that compares well.
pub(super) fn picture(tracker: &Tracker) -> BTreeMap<ContainerId, Seen> {
    let known = tracker.inventory().containers().iter();
    known
        .map(|(id, k)| {
            let networks = k
                .container
                .endpoints
                .iter()
                .map(|e| e.network.clone())
                .collect();
            (id.clone(), (k.container.state, networks, k.hosts.clone()))
        })
        .collect()
}

fn ids(tracker: &Tracker) -> Vec<&str> {
    tracker
        .inventory()
        .containers()
        .keys()
        .map(ContainerId::as_str)
        .collect()
}

/// web (watched) and db share net; far is elsewhere.
fn shop() -> Engine {
    let mut engine = Engine::default();
    for network in ["net", "other"] {
        engine.network(network);
    }
    engine.watched("web", &["net"]);
    engine.container("db", &[], &["net"]);
    engine.container("far", &[], &["other"]);
    engine
}

#[test]
fn a_start_lists_once_and_inspects_what_matters() {
    let mut tracker = tracker();
    tracker.subscribed();
    assert!(!tracker.is_synced());
    let fetched = shop().answer_all(&mut tracker);
    assert!(tracker.is_synced());
    assert_eq!(
        fetched,
        [
            Fetch::Listing,
            Fetch::Container("db".into()),
            Fetch::Container("web".into())
        ]
    );
    assert_eq!(ids(&tracker), ["db", "web"]);
    assert_eq!(tracker.inventory().networks().len(), 2);
}

#[test]
fn a_connect_costs_one_call_and_a_disconnect_none() {
    let mut engine = shop();
    let mut tracker = engine.fresh();
    engine.connect("far", "net");
    observe(&mut tracker, 1, connected("far", "net"));
    assert_eq!(
        engine.answer_all(&mut tracker),
        [Fetch::Container("far".into())]
    );
    assert_eq!(ids(&tracker), ["db", "far", "web"]);
    engine.disconnect("far", "net");
    observe(&mut tracker, 2, disconnected("far", "net"));
    observe(&mut tracker, 3, disconnected("far", "net"));
    assert_eq!(engine.answer_all(&mut tracker), []);
    assert_eq!(ids(&tracker), ["db", "web"]);
}

#[test]
fn what_happens_elsewhere_costs_nothing() {
    let mut engine = shop();
    let mut tracker = engine.fresh();
    engine.network("third");
    engine.connect("far", "third");
    tracker
        .inventory
        .put_network(engine.networks[&NetworkId::from("third")].clone());
    observe(&mut tracker, 1, connected("far", "third"));
    observe(&mut tracker, 2, EventKind::Changed { id: "far".into() });
    assert_eq!(engine.answer_all(&mut tracker), []);
}

#[test]
fn a_network_becomes_interesting_with_all_its_members() {
    let mut engine = shop();
    let mut tracker = engine.fresh();
    engine.connect("web", "other");
    observe(&mut tracker, 1, connected("web", "other"));
    let fetched = engine.answer_all(&mut tracker);
    assert_eq!(
        fetched,
        [
            Fetch::Container("far".into()),
            Fetch::Container("web".into())
        ]
    );
    assert_eq!(ids(&tracker), ["db", "far", "web"]);
    engine.disconnect("web", "other");
    observe(&mut tracker, 2, disconnected("web", "other"));
    assert_eq!(ids(&tracker), ["db", "web"]);
}

#[test]
fn a_start_seen_by_the_inspect_of_its_connect_costs_nothing_more() {
    let mut engine = shop();
    let mut tracker = engine.fresh();
    engine.watched("new", &["net"]);
    let labels = Labels::from_iter([(INSTANCE.to_owned(), "default".to_owned())]);
    observe(
        &mut tracker,
        1,
        EventKind::Created {
            id: "new".into(),
            labels,
        },
    );
    engine.answer_all(&mut tracker);
    observe(&mut tracker, 2, connected("new", "net"));
    assert_eq!(engine.answer_all(&mut tracker).len(), 1);
    observe(&mut tracker, 3, EventKind::Started { id: "new".into() });
    assert_eq!(engine.answer_all(&mut tracker), []);
}

#[test]
fn a_stop_signal_marks_and_survival_unmarks() {
    let engine = shop();
    let mut tracker = engine.fresh();
    let stopping =
        |t: &Tracker, id: &str| t.inventory().containers()[&ContainerId::from(id)].stopping;
    observe(
        &mut tracker,
        1,
        EventKind::Killed {
            id: "web".into(),
            signal: 1,
        },
    );
    assert!(!stopping(&tracker, "web"), "SIGHUP stops nobody");
    observe(
        &mut tracker,
        2,
        EventKind::Killed {
            id: "web".into(),
            signal: 15,
        },
    );
    assert!(stopping(&tracker, "web"));
    let at = tracker.next_tick().unwrap();
    tracker.tick(at);
    assert!(!stopping(&tracker, "web"));
    assert_eq!(
        engine.answer_all(&mut tracker),
        [Fetch::Container("web".into())]
    );
    observe(
        &mut tracker,
        3,
        EventKind::Killed {
            id: "db".into(),
            signal: 9,
        },
    );
    assert!(stopping(&tracker, "db"));
    observe(&mut tracker, 4, connected("db", "net"));
    assert!(
        !stopping(&tracker, "db"),
        "whoever joins a network is not about to go"
    );
}

#[test]
fn a_dead_container_keeps_no_address() {
    let mut engine = shop();
    let mut tracker = engine.fresh();
    engine.stop("web");
    observe(&mut tracker, 1, EventKind::Died { id: "web".into() });
    assert_eq!(engine.answer_all(&mut tracker), []);
    assert_eq!(picture(&tracker), picture(&engine.fresh()));
    assert_eq!(
        ids(&tracker),
        ["web"],
        "a watched container is known while it exists"
    );
    engine.containers.clear();
    observe(&mut tracker, 2, EventKind::Destroyed { id: "web".into() });
    assert_eq!(ids(&tracker), Vec::<&str>::new());
}

#[test]
fn a_lender_of_its_network_namespace_is_followed() {
    let mut engine = shop();
    engine.watched("side", &[]);
    let side = engine
        .containers
        .get_mut(&ContainerId::from("side"))
        .unwrap();
    side.network_mode = NetworkMode::Container("far".into());
    let tracker = engine.fresh();
    assert_eq!(ids(&tracker), ["db", "far", "side", "web"]);
}

#[test]
fn the_tunnel_is_known_and_makes_nothing_interesting() {
    let mut engine = shop();
    engine.container(
        "tun",
        &[(INSTANCE, "default"), (ROLE, ROLE_TUNNEL)],
        &["net", "other"],
    );
    engine.container("alien", &[(INSTANCE, "x"), (ROLE, ROLE_TUNNEL)], &["net"]);
    assert_eq!(ids(&engine.fresh()), ["db", "tun", "web"]);
}
