//! The view from inside a container: `/etc/hosts`, then the rules of Docker's embedded resolver.
//!
//! Source of the rules: measured against 127.0.0.11 of engines 20.10 and 26.1 (`docs/names.md`).

use std::cmp::Reverse;
use std::net::IpAddr;

use super::{Answer, RecordType, Source, Status, hosts, readings};
use crate::core::id::ContainerId;
use crate::core::inventory::{Container, Endpoint, Known};
use crate::core::map::{NetworkMap, NetworkView};

pub(super) fn resolve(
    map: &NetworkMap,
    id: &ContainerId,
    name: &str,
    wanted: RecordType,
) -> Answer {
    let runs = |known: &&Known| known.container.state.is_up();
    let files = map.containers().get(id).filter(runs);
    let files = files.and_then(|_| map.files_owner(id));
    files
        .and_then(|owner| hosts::lookup(map, owner, name, wanted))
        .or_else(|| Sight::new(map, asker(map, id)?).lookup(name, wanted))
        .unwrap_or_else(|| Answer::unknown(name))
}

/// The container whose networks are asked: the running one itself, or the one whose network namespace it shares.
fn asker<'a>(map: &'a NetworkMap, id: &ContainerId) -> Option<&'a Container> {
    let runs = |known: &&Known| known.container.state.is_up();
    map.containers().get(id).filter(runs)?;
    let owner = map.network_owner(id).filter(runs)?;
    Some(&owner.container)
}

/// The networks that a container sees, in the order in which its resolver asks them.
pub(super) fn networks<'a>(
    map: &'a NetworkMap,
    id: &ContainerId,
) -> impl Iterator<Item = &'a NetworkView> + use<'a> {
    let sight = asker(map, id).map(|container| Sight::new(map, container));
    let networks = sight.map(|sight| sight.networks).unwrap_or_default();
    networks.into_iter().map(|(_, view)| view)
}

/// The networks that a container sees, in the order in which its resolver asks them.
struct Sight<'a> {
    networks: Vec<(&'a Endpoint, &'a NetworkView)>,
    rules: &'static Rules,
}

/// Where engines differ.
struct Rules {
    /// What an endpoint's gateways are worth. More comes first.
    gateways: fn(&Endpoint) -> u8,
    /// Whether the first network that has the name gives the answer, also one without addresses of the wanted family.
    first_name_decides: bool,
}

/// Up to 27.
const OLD: Rules = Rules {
    gateways: |endpoint| u8::from(endpoint.gateway4) + 2 * u8::from(endpoint.gateway6),
    first_name_decides: false,
};
/// From 28 on; read in its source, not measured.
const NEW: Rules = Rules {
    gateways: |endpoint| u8::from(endpoint.gateway4) + u8::from(endpoint.gateway6),
    first_name_decides: true,
};

impl<'a> Sight<'a> {
    fn new(map: &'a NetworkMap, container: &'a Container) -> Self {
        let view = |e: &'a Endpoint| Some((e, map.networks().get(&e.network)?.as_ref()));
        let mut networks: Vec<_> = container.endpoints.iter().filter_map(view).collect();
        // Who is on the default bridge alone has no resolver of Docker's.
        if networks
            .iter()
            .all(|(_, view)| view.network().default_bridge)
        {
            networks.clear();
        }
        // That is how new engines show.
        let is_new = networks.iter().any(|(e, _)| e.gw_priority.is_some());
        let rules = if is_new { &NEW } else { &OLD };
        networks.sort_by_key(|(endpoint, view)| {
            (
                Reverse(endpoint.gw_priority),
                view.network().internal,
                Reverse((rules.gateways)(endpoint)),
                &view.network().name,
            )
        });
        Self { networks, rules }
    }

    /// The name as it stands, then each reading as `NAME.NETWORK`.
    fn lookup(&self, name: &str, wanted: RecordType) -> Option<Answer> {
        self.candidate(name, None, wanted).or_else(|| {
            readings(name).find_map(|(rest, net)| self.candidate(rest, Some(net), wanted))
        })
    }

    fn candidate(&self, name: &str, network: Option<&str>, wanted: RecordType) -> Option<Answer> {
        let asked = || {
            let all = self.networks.iter().copied();
            all.filter(move |(_, view)| network.is_none_or(|n| n == view.network().name))
        };
        // Links on the default bridge are lines of the hosts file.
        let linked = |endpoint: &'a Endpoint, view: &NetworkView| {
            let mut links = endpoint.links.iter();
            links.rfind(|link| link.alias == name && !view.network().default_bridge)
        };
        let lower = name.to_lowercase();
        let by_link = asked().filter_map(|(endpoint, view)| {
            let target = linked(endpoint, view)?.target.to_lowercase();
            Some((view, target, Some(Source::Link)))
        });
        let by_name = asked()
            .filter(|(endpoint, view)| linked(endpoint, view).is_none())
            .map(|(_, view)| (view, lower.clone(), None));
        self.first_answer(by_link, wanted)
            .or_else(|| self.first_answer(by_name, wanted))
    }

    /// The first network that has addresses gives the whole answer. For AAAA, one that has the name and no IPv6 makes
    /// the answer empty rather than unknown; on older engines the search goes on.
    fn first_answer(
        &self,
        candidates: impl Iterator<Item = (&'a NetworkView, String, Option<Source>)>,
        wanted: RecordType,
    ) -> Option<Answer> {
        let mut known = false;
        for (view, name, source) in candidates {
            let mut answer = Answer::empty(Status::NoData);
            for record in view.records(&name) {
                known = true;
                let addresses = [record.ipv4.map(IpAddr::V4), record.ipv6.map(IpAddr::V6)];
                for address in addresses
                    .into_iter()
                    .flatten()
                    .filter(|a| wanted.accepts(*a))
                {
                    answer.add(address, source.unwrap_or(Source::Name(record.kind)));
                }
            }
            if !answer.addresses.is_empty() {
                answer.networks.push(view.network().id.clone());
                return Some(answer.settle());
            }
            if known && self.rules.first_name_decides {
                break;
            }
        }
        known.then(|| Answer::empty(Status::NoData))
    }
}
