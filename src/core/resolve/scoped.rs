//! The view from inside a container: `/etc/hosts`, then the rules of Docker's embedded resolver.
//!
//! Source of the rules: measured against 127.0.0.11 of engines 20.10 and 26.1 (`docs/names.md`).

use super::order::{Rules, in_order};
use super::places::{Place, Rule, Settle, Visitor};
use super::{Answer, RecordType, hosts, readings};
use crate::core::id::{ContainerId, NetworkId};
use crate::core::inventory::{Endpoint, Known, NetworkMode};
use crate::core::map::{NetworkMap, NetworkView};

pub(super) fn walk(
    map: &NetworkMap,
    id: &ContainerId,
    name: &str,
    wanted: RecordType,
    visitor: &mut impl Visitor,
) -> Option<Answer> {
    visitor
        .said(in_hosts(map, id, name, wanted))
        .or_else(|| Sight::new(map, asker(map, id)?).walk(name, visitor))
}

/// What its `/etc/hosts` says.
pub(super) fn in_hosts(
    map: &NetworkMap,
    id: &ContainerId,
    name: &str,
    wanted: RecordType,
) -> Option<Answer> {
    let runs = |known: &&Known| known.container.state.is_up();
    map.containers().get(id).filter(runs)?;
    hosts::lookup(map, map.files_owner(id)?, name, wanted)
}

/// What Docker's resolver says, if it knows the name.
pub(super) fn in_networks(
    map: &NetworkMap,
    id: &ContainerId,
    name: &str,
    wanted: RecordType,
) -> Option<Answer> {
    Sight::new(map, asker(map, id)?).walk(name, &mut Settle(wanted))
}

/// Whether it is Docker's resolver that the container asks.
pub(super) fn has_resolver(map: &NetworkMap, id: &ContainerId) -> bool {
    // In the other modes there is an endpoint as well, on a network that is none.
    asker(map, id).is_some_and(|known| {
        known.container.network_mode == NetworkMode::Endpoints
            && (known.asks_docker == Some(true) || !Sight::new(map, known).networks.is_empty())
    })
}

/// What everybody on a network knows, links and hosts files left out.
pub(super) fn walk_network(
    map: &NetworkMap,
    id: &NetworkId,
    name: &str,
    visitor: &mut impl Visitor,
) -> Option<Answer> {
    let view = map.networks().get(id)?;
    let network = view.network();
    let place = |name: &str, qualified| {
        let name = name.to_lowercase().into();
        std::iter::once(Place {
            view,
            name,
            linked: false,
            qualified,
        })
    };
    if network.default_bridge {
        return None;
    }
    let here = readings(name).find(|(_, other)| *other == network.name);
    visitor
        .pass(Rule::FirstKnown, place(name, false))
        .or_else(|| visitor.pass(Rule::FirstKnown, place(here?.0, true)))
}

/// The container whose networks are asked: the running one itself, or the one whose network namespace it shares.
fn asker<'a>(map: &'a NetworkMap, id: &ContainerId) -> Option<&'a Known> {
    let runs = |known: &&Known| known.container.state.is_up();
    map.containers().get(id).filter(runs)?;
    map.network_owner(id).filter(runs)
}

/// The networks that a container sees, in the order in which its resolver asks them.
pub(super) fn networks<'a>(
    map: &'a NetworkMap,
    id: &ContainerId,
) -> impl Iterator<Item = &'a NetworkView> + use<'a> {
    let sight = asker(map, id).map(|known| Sight::new(map, known));
    let networks = sight.map(|sight| sight.networks).unwrap_or_default();
    networks.into_iter().map(|(_, view)| view)
}

/// The networks that a container sees, in the order in which its resolver asks them.
struct Sight<'a> {
    networks: Vec<(&'a Endpoint, &'a NetworkView)>,
    rules: &'static Rules,
}

impl<'a> Sight<'a> {
    fn new(map: &'a NetworkMap, known: &'a Known) -> Self {
        let mut networks = in_order(map, &known.container);
        let mut views = networks.iter().map(|(_, view)| view.network());
        // Who is on the default bridge alone has no resolver of Docker's, unless it kept it from another network.
        if known.asks_docker != Some(true) && views.all(|network| network.default_bridge) {
            networks.clear();
        }
        let rules = Rules::of(&known.container.endpoints);
        Self { networks, rules }
    }

    /// The name as it stands, then each reading as `NAME.NETWORK`.
    fn walk(&self, name: &str, visitor: &mut impl Visitor) -> Option<Answer> {
        self.candidate(name, None, visitor).or_else(|| {
            readings(name)
                // A name may have as many readings as it has dots.
                .filter(|(_, net)| self.sees(net))
                .find_map(|(rest, net)| self.candidate(rest, Some(net), visitor))
        })
    }

    fn sees(&self, network: &str) -> bool {
        let mut networks = self.networks.iter();
        networks.any(|(_, view)| view.network().name == network)
    }

    fn candidate(
        &self,
        name: &str,
        network: Option<&str>,
        visitor: &mut impl Visitor,
    ) -> Option<Answer> {
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
            Some(Place {
                view,
                name: linked(endpoint, view)?.target.to_lowercase().into(),
                linked: true,
                qualified: network.is_some(),
            })
        });
        let by_name = asked()
            .filter(|(endpoint, view)| linked(endpoint, view).is_none())
            .map(|(_, view)| Place {
                view,
                name: lower.as_str().into(),
                linked: false,
                qualified: network.is_some(),
            });
        visitor
            .pass(self.rules.pass, by_link)
            .or_else(|| visitor.pass(self.rules.pass, by_name))
    }
}
