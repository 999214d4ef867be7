//! The engine's words into the core's. Translates, and decides nothing.

mod dns;
mod event;
mod services;
mod signal;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::sync::Arc;

use bollard::models::{
    ContainerInspectResponse, ContainerSummary, ContainerSummaryStateEnum, EndpointSettings, Ipam,
    Network as ListedNetwork, NetworkInspect,
};

pub(super) use event::event;
pub(super) use services::services;
pub(super) use signal::signal;

use crate::core::id::{ContainerId, NetworkId};
use crate::core::inventory::{
    Container, Endpoint, Link, Listed, Network, NetworkMode, RunState, Subnet,
};
use crate::core::label::Labels;

/// Docker's name for its own default bridge, marked by this option.
const DEFAULT_BRIDGE: &str = "com.docker.network.bridge.default_bridge";
const DEFAULT_BRIDGE_NAME: &str = "bridge";
const SWARM_SCOPE: &str = "swarm";
const ENABLE_ICC: &str = "com.docker.network.bridge.enable_icc";
/// The engine's default, in seconds.
const STOP_TIMEOUT: u32 = 10;
const SIGTERM: u8 = 15;

#[expect(
    clippy::disallowed_types,
    reason = "bollard's own maps; their order ends here"
)]
type Map<V> = std::collections::HashMap<String, V>;

fn labels(labels: Option<Map<String>>) -> Labels {
    labels.unwrap_or_default().into_iter().collect()
}

fn bare_name(name: &str) -> String {
    name.trim_start_matches('/').to_owned()
}

fn non_empty(text: Option<String>) -> Option<String> {
    text.filter(|t| !t.is_empty())
}

/// A container's inspect.
pub(super) fn container(inspect: ContainerInspectResponse) -> Option<Container> {
    let id = ContainerId::from(inspect.id?);
    let config = inspect.config.unwrap_or_default();
    let host_config = inspect.host_config.unwrap_or_default();
    let state = inspect.state.unwrap_or_default();
    let running = state.running.unwrap_or_default();
    let paused = state.paused.unwrap_or_default();
    let settings = inspect.network_settings.unwrap_or_default();
    let legacy = host_config.links.unwrap_or_default();
    let mut endpoints: Vec<_> = settings
        .networks
        .unwrap_or_default()
        .into_iter()
        .filter(|_| running)
        .filter_map(|(name, settings)| {
            let mut endpoint = endpoint(settings)?;
            if name == DEFAULT_BRIDGE_NAME {
                endpoint
                    .links
                    .extend(legacy.iter().filter_map(|text| legacy_link(text)));
            }
            Some(endpoint)
        })
        .collect();
    endpoints.sort_by(|a, b| a.network.cmp(&b.network));
    Some(Container {
        id,
        name: bare_name(&inspect.name.unwrap_or_default()),
        hostname: config.hostname.unwrap_or_default(),
        domainname: config.domainname.unwrap_or_default(),
        labels: Arc::new(labels(config.labels)),
        state: match (running, paused) {
            (false, _) => RunState::Stopped,
            (true, true) => RunState::Paused,
            (true, false) => RunState::Running,
        },
        started: state
            .started_at
            .as_deref()
            .and_then(nanoseconds)
            .unwrap_or_default(),
        network_mode: network_mode(host_config.network_mode.as_deref().unwrap_or_default()),
        endpoints,
        extra_hosts: host_config.extra_hosts.unwrap_or_default(),
        dns: dns::settings(
            host_config.dns,
            host_config.dns_search,
            host_config.dns_options,
        ),
        stop_signal: config
            .stop_signal
            .as_deref()
            .and_then(signal)
            .unwrap_or(SIGTERM),
        // -1 stands for ever.
        stop_timeout: match config.stop_timeout {
            None => Some(STOP_TIMEOUT),
            Some(seconds) => u32::try_from(seconds).ok(),
        },
    })
}

fn network_mode(mode: &str) -> NetworkMode {
    match mode.split_once(':') {
        Some(("container", id)) => NetworkMode::Container(ContainerId::from(id)),
        _ if mode == "host" => NetworkMode::Host,
        _ if mode == "none" => NetworkMode::None,
        _ => NetworkMode::Endpoints,
    }
}

/// An attachment that exists: a stopped container keeps settings without an endpoint, and host and none modes
/// have one that is on no network.
fn endpoint(settings: EndpointSettings) -> Option<Endpoint> {
    let network = NetworkId::from(non_empty(settings.network_id)?);
    let endpoint_id = non_empty(settings.endpoint_id)?;
    let (links, names) = (settings.links.unwrap_or_default(), settings.dns_names);
    let aliases = settings.aliases.filter(|_| names.is_none());
    Some(Endpoint {
        network,
        endpoint_id,
        ipv4: settings.ip_address.and_then(|a| a.parse().ok()),
        ipv6: settings.global_ipv6_address.and_then(|a| a.parse().ok()),
        gateway4: non_empty(settings.gateway).is_some(),
        gateway6: non_empty(settings.ipv6_gateway).is_some(),
        gw_priority: settings.gw_priority,
        dns_names: names.map(|names| names.into_iter().map(Arc::from).collect()),
        aliases: aliases.unwrap_or_default(),
        links: links.iter().map(|text| link(text)).collect(),
    })
}

/// A link on the default bridge: `/TARGET:/OWN-NAME/ALIAS`.
fn legacy_link(text: &str) -> Option<Link> {
    let (target, own) = text.split_once(':')?;
    let (_, alias) = own.rsplit_once('/')?;
    Some(Link {
        target: bare_name(target),
        alias: alias.to_owned(),
    })
}

fn link(text: &str) -> Link {
    let (target, alias) = text.split_once(':').unwrap_or((text, text));
    Link {
        target: bare_name(target),
        alias: alias.to_owned(),
    }
}

/// The kernel's word for a machine, as `GET /info` has it, in the word that images use.
pub(super) fn architecture(machine: &str) -> &str {
    match machine {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// A time in RFC 3339, in nanoseconds since 1970; nothing for Docker's "never", which is in the year 1.
pub(super) fn nanoseconds(time: &str) -> Option<u64> {
    let time: jiff::Timestamp = time.parse().ok()?;
    u64::try_from(time.as_nanosecond()).ok()
}

/// One line of `GET /containers/json`.
pub(super) fn listed(summary: ContainerSummary) -> Option<Listed> {
    let state = match summary.state {
        Some(ContainerSummaryStateEnum::RUNNING | ContainerSummaryStateEnum::RESTARTING) => {
            RunState::Running
        }
        Some(ContainerSummaryStateEnum::PAUSED) => RunState::Paused,
        _ => RunState::Stopped,
    };
    let networks = summary
        .network_settings
        .and_then(|s| s.networks)
        .unwrap_or_default();
    let attached = networks
        .into_values()
        .filter(|_| state.is_up())
        .filter_map(|settings| {
            let network = NetworkId::from(non_empty(settings.network_id)?);
            Some((network, non_empty(settings.endpoint_id)?))
        });
    // A legacy link adds `/other/alias` to the names of its target: the own name has one slash.
    let names = summary.names.unwrap_or_default();
    let own = names
        .iter()
        .find(|n| !n.trim_start_matches('/').contains('/'));
    Some(Listed {
        id: ContainerId::from(summary.id?),
        name: own.map(|n| bare_name(n)).unwrap_or_default(),
        labels: labels(summary.labels),
        state,
        endpoints: attached.collect(),
    })
}

/// What a listing and an inspect of a network have in common.
struct NetworkFacts {
    id: Option<String>,
    name: Option<String>,
    driver: Option<String>,
    internal: Option<bool>,
    scope: Option<String>,
    attachable: Option<bool>,
    ingress: Option<bool>,
    enable_ipv6: Option<bool>,
    ipam: Option<Ipam>,
    options: Option<Map<String>>,
    labels: Option<Map<String>>,
}

/// One line of `GET /networks`.
pub(super) fn listed_network(n: ListedNetwork) -> Option<Network> {
    network(NetworkFacts {
        id: n.id,
        name: n.name,
        driver: n.driver,
        internal: n.internal,
        scope: n.scope,
        attachable: n.attachable,
        ingress: n.ingress,
        enable_ipv6: n.enable_ipv6,
        ipam: n.ipam,
        options: n.options,
        labels: n.labels,
    })
}

/// A network's inspect.
pub(super) fn inspected_network(n: NetworkInspect) -> Option<Network> {
    network(NetworkFacts {
        id: n.id,
        name: n.name,
        driver: n.driver,
        internal: n.internal,
        scope: n.scope,
        attachable: n.attachable,
        ingress: n.ingress,
        enable_ipv6: n.enable_ipv6,
        ipam: n.ipam,
        options: n.options,
        labels: n.labels,
    })
}

fn network(facts: NetworkFacts) -> Option<Network> {
    let options = facts.options.unwrap_or_default();
    let name = facts.name.unwrap_or_default();
    let is = |key: &str, value: &str| options.get(key).is_some_and(|v| v == value);
    Some(Network {
        id: NetworkId::from(facts.id?),
        driver: facts.driver.unwrap_or_default(),
        internal: facts.internal.unwrap_or_default(),
        swarm: facts.scope.as_deref() == Some(SWARM_SCOPE),
        attachable: facts.attachable.unwrap_or_default(),
        ingress: facts.ingress.unwrap_or_default(),
        ipv6: facts.enable_ipv6.unwrap_or_default(),
        icc: !is(ENABLE_ICC, "false"),
        default_bridge: is(DEFAULT_BRIDGE, "true") || name == DEFAULT_BRIDGE_NAME,
        subnets: facts.ipam.map(subnets).unwrap_or_default(),
        labels: labels(facts.labels),
        name,
    })
}

fn subnets(ipam: Ipam) -> Vec<Subnet> {
    let config = ipam.config.unwrap_or_default();
    let subnet = |c: bollard::models::IpamConfig| {
        let reserved = c.auxiliary_addresses.unwrap_or_default();
        Some(Subnet {
            net: c.subnet?.parse().ok()?,
            gateway: c.gateway.and_then(|g| parse_address(&g)),
            reserved: reserved.values().filter_map(|a| parse_address(a)).collect(),
        })
    };
    config.into_iter().filter_map(subnet).collect()
}

/// An address, with or without a prefix length (older engines write the gateway as `10.0.0.1/24`).
fn parse_address(text: &str) -> Option<IpAddr> {
    text.split('/').next()?.parse().ok()
}
