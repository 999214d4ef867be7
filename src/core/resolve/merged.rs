//! The view from nowhere in particular: all names of all networks with a watched container.
//!
//! Order: names as they stand on any network, then link aliases, then `NAME.NETWORK`. Networks go by name and id,
//! addresses by network and container, so the same map always gives the same answer. Hosts entries of containers
//! are not part of it: they are one container's own.

use std::net::IpAddr;
use std::sync::Arc;

use super::{Answer, HOST_NAMES, RecordType, Source, Status, loopback, readings};
use crate::core::map::{NetworkMap, NetworkView, Record};

pub(super) fn resolve(map: &NetworkMap, name: &str, wanted: RecordType) -> Answer {
    let lower = name.to_lowercase();
    if lower == "localhost" || lower.ends_with(".localhost") {
        return loopback(wanted, Source::Host);
    }
    lookup(map.watched_by_name(), &lower, wanted)
        .or_else(|| lookup_in_named(map.watched_by_name(), &lower, wanted))
        .unwrap_or_else(|| {
            // Last, so that a container that took the name keeps it.
            if HOST_NAMES.contains(&lower.as_str()) {
                return host(wanted);
            }
            Answer::unknown(&lower)
        })
}

/// This host, over IPv4 alone: on other systems it is not sure to listen on `::1`.
fn host(wanted: RecordType) -> Answer {
    let mut answer = Answer::empty(Status::NoData);
    let address = IpAddr::from([127, 0, 0, 1]);
    if wanted.accepts(address) {
        answer.add(address, Source::Host);
    }
    answer.settle()
}

/// Looks a name up on these networks, and collects.
fn lookup(networks: &[Arc<NetworkView>], name: &str, wanted: RecordType) -> Option<Answer> {
    let mut answer = Answer::empty(Status::NoData);
    let mut known = false;
    for view in networks {
        known |= collect(&mut answer, view, view.records(name), None, wanted);
    }
    if !known {
        for view in networks {
            for target in view.link_targets(name) {
                known |= collect(
                    &mut answer,
                    view,
                    view.records(target),
                    Some(Source::Link),
                    wanted,
                );
            }
        }
    }
    known.then(|| answer.settle())
}

/// Reads the name as `NAME.NETWORK`.
fn lookup_in_named(
    networks: &[Arc<NetworkView>],
    name: &str,
    wanted: RecordType,
) -> Option<Answer> {
    readings(name).find_map(|(rest, network)| {
        let is_named = |view: &&Arc<NetworkView>| view.lower_case_name() == network;
        let named: Vec<_> = networks.iter().filter(is_named).cloned().collect();
        lookup(&named, rest, wanted)
    })
}

/// Adds the addresses of `records`; true if there is any record at all.
fn collect(
    answer: &mut Answer,
    view: &NetworkView,
    records: &[Record],
    source: Option<Source>,
    wanted: RecordType,
) -> bool {
    for record in records {
        let addresses = [record.ipv4.map(IpAddr::V4), record.ipv6.map(IpAddr::V6)];
        for address in addresses
            .into_iter()
            .flatten()
            .filter(|a| wanted.accepts(*a))
        {
            answer.add(address, source.unwrap_or(Source::Name(record.kind)));
            if !answer.networks.contains(&view.network().id) {
                answer.networks.push(view.network().id.clone());
            }
        }
    }
    !records.is_empty()
}
