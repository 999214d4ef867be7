//! Made-up containers, as compose makes them: each on two networks, with a service's name, an id and a hosts file.

use std::net::Ipv4Addr;
use std::sync::Arc;

use dockline::core::hosts_file::HostsFile;
use dockline::core::id::{ContainerId, NetworkId};
use dockline::core::inventory::{
    Container, DnsSettings, Endpoint, Inventory, Known, Network, NetworkMode, RunState, Subnet,
};
use dockline::core::label::{self, Labels, Part};
use dockline::core::resolve::Scope;

/// Networks.
pub(super) const NETWORKS: usize = 50;

/// All facts.
#[derive(Debug)]
pub(super) struct Town {
    pub(super) inventory: Inventory,
    count: usize,
}

impl Town {
    pub(super) fn new(count: usize) -> Self {
        let mut inventory = Inventory::default();
        for number in 0..NETWORKS {
            inventory.put_network(network(number));
        }
        for number in 0..count {
            inventory.put_container(known(number, 0));
        }
        Self { inventory, count }
    }

    /// So many questions of many containers: for peers by all their names, for themselves, and for what is not there.
    pub(super) fn questions(&self, count: usize) -> Vec<(Scope, String)> {
        let question = |number: usize| {
            // Steps that have no factor in common with the number of containers or networks.
            let asker = number * 37 % self.count;
            let peer = (asker + NETWORKS * (number % 19)) % self.count;
            let name = match number % 8 {
                0 | 1 => service(peer),
                2 => name(peer),
                3 => id(peer).short().to_owned(),
                4 => format!("{}.{}", service(peer), network_name(peer % NETWORKS)),
                5 => service(peer).to_uppercase(),
                6 => format!("unknown{number}"),
                _ => "www.example.com".to_owned(),
            };
            (Scope::Container(id(asker)), name)
        };
        (0..count).map(question).collect()
    }
}

/// Container `number` after its `turn`th change: it has another address on its second network.
pub(super) fn change(turn: usize, count: usize) -> Known {
    known(turn * 37 % count, turn + 1)
}

fn network_name(number: usize) -> String {
    format!("project{number}_default")
}

fn network_id(number: usize) -> NetworkId {
    format!("{:064x}", number + 0xbe00).into()
}

fn id(number: usize) -> ContainerId {
    format!("{:012x}{number:052x}", number + 0xabc_0000).into()
}

fn service(number: usize) -> String {
    format!("service{}", number / NETWORKS)
}

fn name(number: usize) -> String {
    format!("project{}-{}-1", number % NETWORKS, service(number))
}

fn network(number: usize) -> Network {
    let octet = u8::try_from(number).unwrap_or_default();
    let address = Ipv4Addr::new(172, octet, 0, 0);
    let net = ipnet::IpNet::new_assert(address.into(), 16);
    Network {
        id: network_id(number),
        name: network_name(number),
        driver: "bridge".to_owned(),
        internal: false,
        ipv6: false,
        icc: true,
        default_bridge: false,
        swarm: false,
        attachable: false,
        ingress: false,
        subnets: vec![Subnet {
            net,
            gateway: net.hosts().next(),
            reserved: [].into(),
        }],
        labels: Labels::default(),
    }
}

fn endpoint(number: usize, network: usize, turn: usize) -> Endpoint {
    let octet = u8::try_from(network).unwrap_or_default();
    let host = u16::try_from(number + 2 + turn * 1_000 % 60_000).unwrap_or_default();
    let [high, low] = host.to_be_bytes();
    let names = [name(number), service(number), id(number).short().to_owned()];
    Endpoint {
        endpoint_id: format!("{:064x}", number * NETWORKS + network + turn * 1_000_000),
        ipv4: Some(Ipv4Addr::new(172, octet, high, low)),
        gateway4: true,
        dns_names: Some(names.map(Arc::from).into()),
        ..Endpoint::bare(network_id(network))
    }
}

fn known(number: usize, turn: usize) -> Known {
    let home = number % NETWORKS;
    let mut endpoints = vec![
        endpoint(number, home, 0),
        endpoint(number, (home + 1) % NETWORKS, turn),
    ];
    endpoints.sort_by(|a, b| a.network.cmp(&b.network));
    let short = id(number).short().to_owned();
    let own: String = endpoints
        .iter()
        .filter_map(|e| Some(format!("{}\t{short}\n", e.ipv4?)))
        .collect();
    let container = Container {
        id: id(number),
        name: name(number),
        hostname: short,
        domainname: String::new(),
        labels: Arc::new(label::remembered(&labels(number))),
        state: RunState::Running,
        started: 1_700_000_000_000_000_000,
        network_mode: NetworkMode::Endpoints,
        endpoints,
        extra_hosts: Vec::new(),
        dns: DnsSettings::default(),
        stop_signal: 15,
        stop_timeout: Some(10),
    };
    Known {
        container: Arc::new(container),
        part: Part::Watched,
        stopping: false,
        hosts: Some(Arc::new(HostsFile::parse(&format!("{HOSTS}{own}")))),
        asks_docker: None,
    }
}

/// What the engine writes into every file.
const HOSTS: &str = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::0\tip6-localnet\n\
                     ff00::0\tip6-mcastprefix\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n";

/// Those that compose gives.
fn labels(number: usize) -> Labels {
    let project = format!("project{}", number % NETWORKS);
    let folder = format!("/home/someone/{project}");
    let of_compose = [
        ("config-hash", format!("{number:064x}")),
        ("container-number", "1".to_owned()),
        ("depends_on", String::new()),
        ("image", format!("sha256:{number:064x}")),
        ("oneoff", "False".to_owned()),
        ("project.config_files", format!("{folder}/compose.yaml")),
        ("project.working_dir", folder),
        ("project", project),
        ("service", service(number)),
        ("version", "2.26.1".to_owned()),
    ];
    let of_compose = of_compose
        .into_iter()
        .map(|(key, value)| (format!("com.docker.compose.{key}"), value));
    let ours = [("dockline.instance".to_owned(), "bench".to_owned())];
    of_compose.chain(ours).collect()
}
