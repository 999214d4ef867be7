//! The view from nowhere in particular: all names of all networks with a watched container.
//!
//! Order: `NAME.NETWORK`, so that it always picks one network; then names as they stand on any network, then link
//! aliases. Networks go by name and id, addresses by network and container, so the same map always gives the same
//! answer. Hosts entries of containers are not part of it: they are one container's own.

use std::net::IpAddr;
use std::sync::Arc;

use super::places::{Place, Rule, Visitor};
use super::{Answer, HOST_NAMES, RecordType, Source, Status, loopback, readings, zone};
use crate::core::map::{NetworkMap, NetworkView};

pub(super) fn walk(
    map: &NetworkMap,
    name: &str,
    wanted: RecordType,
    visitor: &mut impl Visitor,
) -> Option<Answer> {
    let lower = name.to_lowercase();
    if let Some(answer) = zone::reserved(map, &lower) {
        return visitor.said(Some(answer));
    }
    if lower == "localhost" || lower.ends_with(".localhost") {
        return visitor.said(Some(loopback(wanted, Source::Host)));
    }
    let networks = map.watched_by_name();
    readings(&lower)
        .find_map(|(rest, network)| in_named(networks, rest, network, visitor))
        .or_else(|| visitor.pass(Rule::All, by_name(networks.iter(), &lower, false)))
        .or_else(|| visitor.pass(Rule::All, by_link(networks.iter(), &lower, false)))
        // Last, so that a container that took the name keeps it.
        .or_else(|| {
            let host = HOST_NAMES.contains(&lower.as_str()).then(|| host(wanted));
            visitor.said(host.or_else(|| zone::apex(&lower)))
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

/// The name on one network, which is given by its name. Of several of that name the first that has it counts.
fn in_named(
    networks: &[Arc<NetworkView>],
    name: &str,
    network: &str,
    visitor: &mut impl Visitor,
) -> Option<Answer> {
    let named = || {
        let all = networks.iter();
        all.filter(move |view| view.lower_case_name() == network)
    };
    let linking = |view: &&Arc<NetworkView>| {
        let mut targets = view.link_targets(name);
        targets.any(|target| !view.records(target).is_empty())
    };
    visitor
        .pass(Rule::FirstKnown, by_name(named(), name, true))
        .or_else(|| visitor.pass(Rule::All, by_link(named().find(linking), name, true)))
}

fn by_name<'a>(
    networks: impl Iterator<Item = &'a Arc<NetworkView>>,
    name: &'a str,
    qualified: bool,
) -> impl Iterator<Item = Place<'a>> {
    networks.map(move |view| Place {
        view,
        name: name.into(),
        linked: false,
        qualified,
    })
}

/// What anybody on these networks calls so.
fn by_link<'a>(
    networks: impl IntoIterator<Item = &'a Arc<NetworkView>>,
    alias: &'a str,
    qualified: bool,
) -> impl Iterator<Item = Place<'a>> {
    let place = move |view: &'a NetworkView, target: &'a str| Place {
        view,
        name: target.into(),
        linked: true,
        qualified,
    };
    let networks = networks.into_iter();
    networks.flat_map(move |view| {
        let targets = view.link_targets(alias);
        targets.map(move |target| place(view, target))
    })
}
