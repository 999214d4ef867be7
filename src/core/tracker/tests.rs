//! Every race is played by hand: the tests decide when an answer arrives, and what it saw.

mod files;
mod interleavings;
mod races;
mod services;

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use super::*;
use crate::core::hosts_file::HostsFile;
use crate::core::inventory::{DnsSettings, Endpoint, Listed, NetworkMode, RunState, Services};
use crate::core::label::{INSTANCE, Labels, ROLE, ROLE_TUNNEL};

/// An engine as it really is, to be listed and inspected.
#[derive(Clone, Default)]
pub(super) struct Engine {
    pub(super) containers: BTreeMap<ContainerId, Container>,
    pub(super) networks: BTreeMap<NetworkId, Network>,
    pub(super) services: BTreeMap<NetworkId, Services>,
    connects: u64,
}

impl Engine {
    pub(super) fn network(&mut self, id: &str) {
        let network = Network {
            id: id.into(),
            name: id.to_owned(),
            driver: "bridge".to_owned(),
            internal: false,
            ipv6: false,
            icc: true,
            default_bridge: false,
            swarm: false,
            attachable: false,
            ingress: false,
            subnets: Vec::new(),
            labels: Labels::new(),
        };
        self.networks.insert(network.id.clone(), network);
    }

    pub(super) fn container(&mut self, id: &str, labels: &[(&str, &str)], networks: &[&str]) {
        let labels = labels
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect::<Labels>();
        let container = Container {
            id: id.into(),
            name: id.to_owned(),
            hostname: id.to_owned(),
            domainname: String::new(),
            labels: Arc::new(labels),
            state: RunState::Running,
            started: 0,
            network_mode: NetworkMode::Endpoints,
            endpoints: Vec::new(),
            extra_hosts: Vec::new(),
            dns: DnsSettings::default(),
            stop_signal: 15,
            stop_timeout: Some(10),
        };
        self.containers.insert(id.into(), container);
        for network in networks {
            self.connect(id, network);
        }
    }

    pub(super) fn watched(&mut self, id: &str, networks: &[&str]) {
        self.container(id, &[(INSTANCE, "default")], networks);
    }

    pub(super) fn connect(&mut self, id: &str, network: &str) {
        self.connects += 1;
        let endpoint = Endpoint {
            network: network.into(),
            endpoint_id: self.connects.to_string(),
            ipv4: Some(Ipv4Addr::from(u32::try_from(self.connects).unwrap())),
            ipv6: None,
            gateway4: true,
            gateway6: false,
            gw_priority: None,
            dns_names: None,
            aliases: Vec::new(),
            links: Vec::new(),
        };
        let container = self.containers.get_mut(&ContainerId::from(id)).unwrap();
        container.endpoints.push(endpoint);
        container
            .endpoints
            .sort_by(|a, b| a.network.cmp(&b.network));
    }

    pub(super) fn disconnect(&mut self, id: &str, network: &str) {
        let container = self.containers.get_mut(&ContainerId::from(id)).unwrap();
        container
            .endpoints
            .retain(|e| e.network != NetworkId::from(network));
    }

    pub(super) fn stop(&mut self, id: &str) {
        let container = self.containers.get_mut(&ContainerId::from(id)).unwrap();
        container.state = RunState::Stopped;
        container.endpoints.clear();
    }

    fn listing(&self) -> Listing {
        let listed = |c: &Container| Listed {
            id: c.id.clone(),
            name: c.name.clone(),
            labels: (*c.labels).clone(),
            state: c.state,
            endpoints: c
                .endpoints
                .iter()
                .map(|e| (e.network.clone(), e.endpoint_id.clone()))
                .collect(),
        };
        Listing {
            containers: self.containers.values().map(listed).collect(),
            networks: self.networks.values().cloned().collect(),
        }
    }

    /// Answers one fetch from what is so now.
    pub(super) fn answer(&self, tracker: &mut Tracker, fetch: &Fetch) {
        match fetch {
            Fetch::Listing => tracker.listed(self.listing(), Instant::now()),
            Fetch::Container(id) => tracker.inspected(id, self.containers.get(id).cloned()),
            Fetch::Network(id) => tracker.network_inspected(id, self.networks.get(id).cloned()),
            Fetch::Hosts(id) => tracker.hosts_read(id, self.hosts(id)),
            Fetch::Resolver(id) => tracker.resolver_read(id, Some(true)),
            Fetch::Services(id) => self.answer_services(tracker, id, Instant::now()),
        }
    }

    /// Answers all fetches until none is due, and says which there were, but for files.
    pub(super) fn answer_all(&self, tracker: &mut Tracker) -> Vec<Fetch> {
        let mut fetched = Vec::new();
        while let Some(fetch) = tracker.next_fetch(true) {
            self.answer(tracker, &fetch);
            if !matches!(fetch, Fetch::Hosts(_) | Fetch::Resolver(_)) {
                fetched.push(fetch);
            }
        }
        fetched
    }

    /// The tracker of somebody who comes fresh and looks at everything.
    pub(super) fn fresh(&self) -> Tracker {
        let mut tracker = tracker();
        tracker.subscribed();
        self.answer_all(&mut tracker);
        tracker
    }
}

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
fn an_answer_older_than_an_event_is_asked_for_again() {
    let mut engine = shop();
    let mut tracker = engine.fresh();
    engine.connect("far", "net");
    observe(&mut tracker, 1, connected("far", "net"));
    let fetch = tracker.next_fetch(true).unwrap();
    let seen = engine.clone();
    engine.disconnect("far", "net");
    observe(&mut tracker, 2, disconnected("far", "net"));
    seen.answer(&mut tracker, &fetch);
    engine.answer_all(&mut tracker);
    assert_eq!(picture(&tracker), picture(&engine.fresh()));
}

#[test]
fn an_answer_that_comes_after_the_removal_brings_nobody_back() {
    let mut engine = shop();
    let mut tracker = engine.fresh();
    observe(&mut tracker, 1, EventKind::Changed { id: "web".into() });
    let fetch = tracker.next_fetch(true).unwrap();
    let seen = engine.clone();
    engine.containers.remove(&ContainerId::from("web"));
    observe(&mut tracker, 2, EventKind::Destroyed { id: "web".into() });
    seen.answer(&mut tracker, &fetch);
    assert_eq!(engine.answer_all(&mut tracker), []);
    assert_eq!(ids(&tracker), Vec::<&str>::new());
}

#[test]
fn a_late_disconnect_does_not_undo_a_newer_connect() {
    let engine = shop();
    let mut tracker = engine.fresh();
    observe(&mut tracker, 9, connected("db", "net"));
    engine.answer_all(&mut tracker);
    observe(&mut tracker, 5, disconnected("db", "net"));
    assert_eq!(
        engine.answer_all(&mut tracker),
        [Fetch::Container("db".into())]
    );
    assert_eq!(picture(&tracker), picture(&engine.fresh()));
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

#[test]
fn a_check_looks_only_at_what_differs() {
    let mut engine = shop();
    let mut tracker = engine.fresh();
    tracker.check();
    assert_eq!(engine.answer_all(&mut tracker), [Fetch::Listing]);
    // Missed: a reconnect, and a removal.
    engine.disconnect("db", "net");
    engine.connect("db", "net");
    engine.containers.remove(&ContainerId::from("far"));
    tracker.check();
    let fetched = engine.answer_all(&mut tracker);
    assert_eq!(fetched, [Fetch::Listing, Fetch::Container("db".into())]);
    assert_eq!(picture(&tracker), picture(&engine.fresh()));
}

#[test]
fn the_old_picture_stands_until_the_new_one_is_there() {
    let engine = shop();
    let mut tracker = engine.fresh();
    tracker.subscribed();
    assert!(!tracker.is_synced());
    assert_eq!(ids(&tracker), ["db", "web"]);
    engine.answer_all(&mut tracker);
    assert!(tracker.is_synced());
}

#[test]
fn a_failed_fetch_is_tried_again() {
    let mut engine = shop();
    let mut tracker = engine.fresh();
    engine.connect("far", "net");
    observe(&mut tracker, 1, connected("far", "net"));
    let fetch = tracker.next_fetch(true).unwrap();
    tracker.failed(fetch.clone(), Instant::now());
    assert_eq!(tracker.next_fetch(true), None);
    let at = tracker.next_tick().unwrap();
    tracker.tick(at);
    assert_eq!(tracker.next_fetch(true), Some(fetch));
}

#[test]
fn a_failure_does_not_hold_up_the_first_picture() {
    let engine = shop();
    let mut tracker = tracker();
    tracker.subscribed();
    while let Some(fetch) = tracker.next_fetch(true) {
        if fetch == Fetch::Listing {
            engine.answer(&mut tracker, &fetch);
        } else {
            tracker.failed(fetch, Instant::now());
        }
    }
    assert!(tracker.is_synced());
}
