//! The swarm's words.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use bollard::models::{NetworkTaskInfo, ServiceInfo, Task as ListedTask};
use serde_json::Value;

use super::Map;
use crate::core::id::ContainerId;
use crate::core::inventory::{Network, ServiceEndpoint, Services, Task};

/// `Services` of a network's verbose inspect, and the tasks that are to run, where they were told.
pub(in crate::docker) fn services(
    network: &Network,
    services: Map<Value>,
    tasks: Option<Vec<ListedTask>>,
) -> Services {
    let of_service = |(name, info): (String, Value)| {
        let info: ServiceInfo = serde_json::from_value(info).ok()?;
        // What is of no service is under the empty name; what has no virtual address says so in Go's words.
        let service = Some(name).filter(|name| !name.is_empty());
        let vip = info.vip.and_then(|text| text.parse().ok());
        let listed = info.tasks.unwrap_or_default().into_iter();
        let endpoints = listed.filter_map(|task| endpoint(service.as_ref(), vip, task));
        Some(endpoints.collect::<Vec<_>>())
    };
    let mut endpoints: Vec<_> = services
        .into_iter()
        .filter_map(of_service)
        .flatten()
        .collect();
    endpoints.sort_by(|a, b| a.id.cmp(&b.id));
    let tasks = tasks.map(|tasks| {
        let tasks = tasks.into_iter().filter_map(|listed| task(network, listed));
        tasks.collect::<BTreeMap<_, _>>()
    });
    Services { endpoints, tasks }
}

fn endpoint(
    service: Option<&String>,
    vip: Option<Ipv4Addr>,
    listed: NetworkTaskInfo,
) -> Option<ServiceEndpoint> {
    Some(ServiceEndpoint {
        id: listed.endpoint_id?,
        name: listed.name?,
        service: service.cloned(),
        vip,
        address: listed.endpoint_ip?.parse().ok()?,
    })
}

fn task(network: &Network, listed: ListedTask) -> Option<(String, Task)> {
    let spec = listed.spec.unwrap_or_default();
    let attached = spec.networks.unwrap_or_default().into_iter();
    let here = attached.filter(|to| {
        let target = to.target.as_deref();
        target == Some(network.id.as_str()) || target == Some(&network.name)
    });
    let container = listed.status.and_then(|s| s.container_status);
    let container = container.and_then(|c| super::non_empty(c.container_id));
    let task = Task {
        container: container.map(ContainerId::from),
        hostname: spec
            .container_spec
            .and_then(|c| super::non_empty(c.hostname)),
        aliases: here.flat_map(|to| to.aliases.unwrap_or_default()).collect(),
    };
    Some((listed.id?, task))
}
