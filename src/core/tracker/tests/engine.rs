//! An engine to be tracked, which tells only what it is asked for.

use super::*;
use crate::core::sample::bridge;

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
        let network = bridge(id.into(), id);
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
            endpoint_id: self.connects.to_string(),
            ipv4: Some(Ipv4Addr::from(u32::try_from(self.connects).unwrap())),
            gateway4: true,
            ..Endpoint::bare(network.into())
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

    pub(super) fn listing(&self) -> Listing {
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
