//! What is in a fake engine, in the words of the Docker Engine API.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use bytes::Bytes;
use serde_json::{Value, json};

use super::Picture;

/// 2026, in nanoseconds.
const EPOCH: u64 = 1_780_000_000_000_000_000;

/// Something that happened.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) time: u64,
    message: Value,
}

impl Event {
    /// As it stands in the stream.
    pub(crate) fn line(&self) -> Bytes {
        Bytes::from(format!("{}\n", self.message))
    }
}

#[derive(Debug)]
struct Endpoint {
    id: String,
    address: Ipv4Addr,
    aliases: Vec<String>,
}

#[derive(Debug)]
struct Container {
    name: String,
    running: bool,
    /// By the network's id.
    endpoints: BTreeMap<String, Endpoint>,
}

/// Containers and networks. All ids are made of a count, so that a test sees the same ones every time.
#[derive(Debug, Default)]
pub(crate) struct World {
    count: u64,
    clock: u64,
    containers: BTreeMap<String, Container>,
    /// Name and third byte of the addresses, by id.
    networks: BTreeMap<String, (String, u8)>,
    events: Vec<Event>,
}

impl World {
    /// Makes a network.
    pub(crate) fn network(&mut self, name: &str) -> String {
        let id = self.new_id();
        let range = u8::try_from(self.networks.len()).unwrap() + 1;
        self.networks.insert(id.clone(), (name.to_owned(), range));
        self.happened("network", "create", &id, &json!({ "name": name }));
        id
    }

    /// Removes a network that nobody is on.
    pub(crate) fn remove_network(&mut self, name: &str) {
        let id = self.network_id(name);
        self.networks.remove(&id);
        self.happened("network", "destroy", &id, &json!({ "name": name }));
    }

    /// Creates a container, connects and starts it, as `docker run` does. Its alias is its name before the first `-`.
    pub(crate) fn run(&mut self, name: &str, network: &str) {
        let id = self.new_id();
        self.run_with_id(&id, name, network);
    }

    /// As [`Self::run`], with an id that was used before.
    pub(crate) fn run_with_id(&mut self, id: &str, name: &str, network: &str) {
        let container = Container {
            name: name.to_owned(),
            running: false,
            endpoints: BTreeMap::new(),
        };
        self.containers.insert(id.to_owned(), container);
        self.happened("container", "create", id, &json!({ "name": name }));
        self.container(name).1.running = true;
        self.connect(name, network);
        self.happened("container", "start", id, &json!({ "name": name }));
    }

    /// Connects a running container to a network.
    pub(crate) fn connect(&mut self, name: &str, network: &str) {
        let endpoint = Endpoint {
            id: self.new_id(),
            address: self.free_address(network),
            aliases: vec![name.split('-').next().unwrap().to_owned()],
        };
        let network = self.network_id(network);
        let (id, container) = self.container(name);
        container.endpoints.insert(network.clone(), endpoint);
        self.happened("network", "connect", &network, &json!({ "container": id }));
    }

    /// Disconnects a container from a network: told twice, as Docker does.
    pub(crate) fn disconnect(&mut self, name: &str, network: &str) {
        let network = self.network_id(network);
        let (id, container) = self.container(name);
        container.endpoints.remove(&network);
        for _ in 0..2 {
            self.happened(
                "network",
                "disconnect",
                &network,
                &json!({ "container": id }),
            );
        }
    }

    /// Kills and removes a container, as `docker rm -f` does.
    pub(crate) fn remove(&mut self, name: &str) {
        let (id, container) = self.container(name);
        container.running = false;
        let left = std::mem::take(&mut container.endpoints);
        self.happened(
            "container",
            "kill",
            &id,
            &json!({ "name": name, "signal": "9" }),
        );
        for network in left.keys() {
            self.happened(
                "network",
                "disconnect",
                network,
                &json!({ "container": id }),
            );
        }
        self.happened("container", "die", &id, &json!({ "name": name }));
        self.containers.remove(&id);
        self.happened("container", "destroy", &id, &json!({ "name": name }));
    }

    /// Gives a container another name.
    pub(crate) fn rename(&mut self, name: &str, new: &str) {
        let (id, container) = self.container(name);
        new.clone_into(&mut container.name);
        let attributes = json!({ "name": new, "oldName": format!("/{name}") });
        self.happened("container", "rename", &id, &attributes);
    }

    /// A container's id.
    pub(crate) fn id(&mut self, name: &str) -> String {
        self.container(name).0
    }

    /// What happened since the last call.
    pub(super) fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// The engine's clock, for `GET /info`.
    pub(super) fn time(&self) -> String {
        let now = jiff::Timestamp::from_nanosecond(i128::from(EPOCH + self.clock));
        now.unwrap().to_string()
    }

    pub(super) fn picture(&self) -> Picture {
        let networks = |container: &Container| {
            let endpoints = container.endpoints.iter();
            endpoints
                .map(|(id, e)| (self.networks[id].0.clone(), vec![IpAddr::V4(e.address)]))
                .collect()
        };
        let containers = self.containers.values();
        containers.map(|c| (c.name.clone(), networks(c))).collect()
    }

    fn new_id(&mut self) -> String {
        self.count += 1;
        // The first twelve digits are the short id: those differ.
        format!("{:012x}{:052x}", self.count, 0)
    }

    fn happened(&mut self, kind: &str, action: &str, id: &str, attributes: &Value) {
        self.clock += 1_000_000;
        let time = EPOCH + self.clock;
        let message = json!({
            "Type": kind, "Action": action, "Actor": { "ID": id, "Attributes": attributes },
            "scope": "local", "time": time / 1_000_000_000, "timeNano": time,
        });
        self.events.push(Event { time, message });
    }

    fn network_id(&self, name: &str) -> String {
        let found = self.networks.iter().find(|(_, (other, _))| other == name);
        found
            .unwrap_or_else(|| panic!("no network {name}"))
            .0
            .clone()
    }

    fn container(&mut self, name: &str) -> (String, &mut Container) {
        let found = self.containers.iter_mut().find(|(_, c)| c.name == name);
        let (id, container) = found.unwrap_or_else(|| panic!("no container {name}"));
        (id.clone(), container)
    }

    /// The lowest free address, so that addresses are used again at once, as Docker does.
    fn free_address(&self, network: &str) -> Ipv4Addr {
        let id = self.network_id(network);
        let range = self.networks[&id].1;
        let endpoints = self
            .containers
            .values()
            .filter_map(|c| c.endpoints.get(&id));
        let taken: BTreeSet<_> = endpoints.map(|e| e.address).collect();
        let from = u32::from(Ipv4Addr::new(10, range, 0, 2));
        let mut addresses = (from..).map(Ipv4Addr::from);
        addresses.find(|address| !taken.contains(address)).unwrap()
    }

    pub(super) fn list_containers(&self) -> Value {
        let line = |(id, container): (&String, &Container)| {
            json!({
                "Id": id, "Names": [format!("/{}", container.name)], "Labels": {},
                "State": if container.running { "running" } else { "exited" },
                "NetworkSettings": { "Networks": self.endpoints(id, container, false) },
            })
        };
        self.containers.iter().map(line).collect()
    }

    pub(super) fn inspect_container(&self, id: &str) -> Option<Value> {
        let container = self.containers.get(id)?;
        Some(json!({
            "Id": id, "Name": format!("/{}", container.name),
            "State": { "Running": container.running },
            "Config": { "Hostname": &id[..12], "Labels": {} },
            "HostConfig": { "NetworkMode": "default" },
            "NetworkSettings": { "Networks": self.endpoints(id, container, true) },
        }))
    }

    /// A listing has no aliases and no names.
    fn endpoints(&self, id: &str, container: &Container, whole: bool) -> Value {
        let settings = |(network, endpoint): (&String, &Endpoint)| {
            let mut names = vec![container.name.clone()];
            names.extend(endpoint.aliases.clone());
            names.push(id[..12].to_owned());
            let value = json!({
                "NetworkID": network, "EndpointID": endpoint.id, "IPAddress": endpoint.address,
                "Aliases": whole.then_some(&endpoint.aliases), "DNSNames": whole.then_some(names),
            });
            (self.networks[network].0.clone(), value)
        };
        Value::Object(container.endpoints.iter().map(settings).collect())
    }

    pub(super) fn list_networks(&self) -> Value {
        self.networks
            .keys()
            .filter_map(|id| self.inspect_network(id))
            .collect()
    }

    pub(super) fn inspect_network(&self, id: &str) -> Option<Value> {
        let (name, range) = self.networks.get(id)?;
        Some(json!({
            "Id": id, "Name": name, "Driver": "bridge",
            "IPAM": { "Config": [{ "Subnet": format!("10.{range}.0.0/16") }] },
        }))
    }
}
