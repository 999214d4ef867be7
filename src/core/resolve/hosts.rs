//! A container's `/etc/hosts`: as it was read, or else computed from the facts that the engine wrote it from.
//!
//! Order of its lines: loopback, extra hosts, links of the default bridge, the container's own names.

use std::net::IpAddr;

use super::{Answer, RecordType, Source, Status, loopback};
use crate::core::inventory::{Container, Endpoint, Known};
use crate::core::map::NetworkMap;

/// What the file says of `name`, if anything.
pub(super) fn lookup(
    map: &NetworkMap,
    known: &Known,
    name: &str,
    wanted: RecordType,
) -> Option<Answer> {
    if name.eq_ignore_ascii_case("localhost") {
        return Some(loopback(wanted, Source::Hosts));
    }
    if let Some(file) = &known.hosts {
        let mut answer = Answer::empty(Status::NoData);
        for address in file.addresses(name).filter(|a| wanted.accepts(*a)) {
            answer.add(address, Source::Hosts);
        }
        return (!answer.addresses.is_empty()).then(|| answer.settle());
    }
    predict(map, &known.container, name, wanted)
}

/// What the file says after a start, going by the facts that the engine writes it from.
fn predict(
    map: &NetworkMap,
    container: &Container,
    name: &str,
    wanted: RecordType,
) -> Option<Answer> {
    let mut answer = Answer::empty(Status::NoData);
    let mut line = |host: &str, address: IpAddr| {
        if host.eq_ignore_ascii_case(name) && wanted.accepts(address) {
            answer.add(address, Source::Hosts);
        }
    };
    let extra = container.extra_hosts.iter();
    for (host, address) in extra.filter_map(|text| extra_host(map, text)) {
        line(host, address);
    }
    for (host, address) in linked(map, container) {
        line(host, address);
    }
    let full = full_hostname(container);
    for address in container.endpoints.iter().flat_map(Endpoint::addresses) {
        line(&full, address);
        // Docker adds the first label of a hostname with dots.
        if let Some((short, _)) = full.split_once('.') {
            line(short, address);
        }
    }
    // The C library goes on to DNS for an address family that the file does not have.
    (!answer.addresses.is_empty()).then(|| answer.settle())
}

/// The hostname with the domain behind it, if one was given.
fn full_hostname(container: &Container) -> String {
    match container.domainname.as_str() {
        "" => container.hostname.clone(),
        domain => format!("{}.{domain}", container.hostname),
    }
}

/// A line of `--add-host`, which is split at the first colon: IPv6 addresses have more.
fn extra_host<'a>(map: &NetworkMap, text: &'a str) -> Option<(&'a str, IpAddr)> {
    let (host, value) = text.split_once(':')?;
    let address = match value {
        "host-gateway" => host_gateway(map)?,
        text => text.trim_matches(['[', ']']).parse().ok()?,
    };
    Some((host, address))
}

/// The lines of `--link` on the default bridge, which has no DNS: alias, hostname and name of the target.
fn linked<'a>(map: &'a NetworkMap, container: &'a Container) -> Vec<(&'a str, IpAddr)> {
    let mut lines = Vec::new();
    for endpoint in &container.endpoints {
        let bridge = map.networks().get(&endpoint.network);
        let Some(bridge) = bridge.filter(|view| view.network().default_bridge) else {
            continue;
        };
        let members = || bridge.members().filter_map(|id| map.containers().get(id));
        for link in &endpoint.links {
            let Some(target) = members().find(|k| k.container.name == link.target) else {
                continue;
            };
            let target = &target.container;
            let addresses = target.endpoint(&endpoint.network).into_iter();
            for address in addresses.flat_map(Endpoint::addresses) {
                let names = [&link.alias, &target.hostname, &target.name];
                lines.extend(names.map(|name| (name.as_str(), address)));
            }
        }
    }
    lines
}

/// What `host-gateway` stands for, unless the daemon was configured otherwise: the default bridge's gateway.
fn host_gateway(map: &NetworkMap) -> Option<IpAddr> {
    let mut networks = map.networks().values();
    let bridge = networks.find(|view| view.network().default_bridge)?;
    let mut subnets = bridge.network().subnets.iter();
    subnets.find_map(|subnet| subnet.gateway)
}
