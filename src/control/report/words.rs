//! Explanations in words: which rule on which network answered, what lost, and how to pick another.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::core::id::{ContainerId, NetworkId};
use crate::core::map::{NameKind, NetworkMap};
use crate::core::resolve::{Candidate, Explanation, Scope, Source, Status};

/// The rule by which something was found. The words are promised to users (`rule` of `candidates`).
pub(super) fn rule(candidate: &Candidate) -> &'static str {
    match (&candidate.network, candidate.sources.first()) {
        (None, Some(Source::Host)) => "host",
        (None, _) => "hosts",
        (Some(_), _) if candidate.is_link() => "link",
        (Some(_), Some(Source::Name(NameKind::Tasks))) => "tasks",
        (Some(_), Some(Source::Name(kind))) if kind.is_of_service() => "service",
        (Some(_), _) => "name",
    }
}

/// A network's name; its id where it is gone.
pub(super) fn network(map: &NetworkMap, id: &NetworkId) -> String {
    let view = map.networks().get(id);
    view.map_or_else(|| id.short().to_owned(), |v| v.network().name.clone())
}

/// Which rule on which network answered, and which candidates lost. Where none won, `status` is what was answered.
pub(super) fn why(map: &NetworkMap, status: Status, explanation: &Explanation) -> String {
    let (won, lost): (Vec<_>, Vec<_>) = explanation.candidates.iter().partition(|c| c.won);
    let from = match &explanation.scope {
        Scope::Container(id) if won.is_empty() => format!("seen from {}: ", container(map, id)),
        Scope::Container(_) | Scope::Network(_) | Scope::Merged => String::new(),
    };
    let what = match won.as_slice() {
        [] => without_winner(map, status, &lost),
        won => {
            let places: Vec<_> = won.iter().map(|c| place(map, explanation, c)).collect();
            places.join(", ")
        }
    };
    let reasons = reasons(map, &explanation.scope, &won, &lost).join(", ");
    let reasons = if reasons.is_empty() {
        reasons
    } else {
        format!(" ({reasons})")
    };
    let lost = lost.iter().filter(|c| !c.addresses.is_empty()).map(|c| {
        let addresses: Vec<_> = c.addresses.iter().map(IpAddr::to_string).collect();
        let place = place(map, explanation, c);
        format!("{place} {}", addresses.join(" "))
    });
    let lost: Vec<_> = lost.collect();
    let lost = if lost.is_empty() {
        String::new()
    } else {
        format!("; lost: {}", lost.join(", "))
    };
    format!("{from}{what}{reasons}{lost}")
}

/// How to pick one of the meanings of an ambiguous name.
pub(super) fn how_to_pick(map: &NetworkMap, explanation: &Explanation) -> Option<String> {
    if !explanation.ambiguous {
        return None;
    }
    let name = &explanation.name;
    let counted = explanation
        .candidates
        .iter()
        .filter(|c| c.won || c.qualified);
    let ids: BTreeSet<_> = counted.filter_map(|c| c.network.as_ref()).collect();
    let names: BTreeSet<_> = ids.iter().map(|id| network(map, id)).collect();
    let first = names.first().cloned().unwrap_or_default();
    let many = ids.len();
    let qualified = explanation.candidates.iter().any(|c| c.won && c.qualified);
    Some(match names.len() {
        0 | 1 if qualified => format!(
            "{many} networks are called {first}, and the first by id was taken; --from CONTAINER picks another"
        ),
        0 | 1 if many > 1 => format!(
            "{name} is ambiguous: it means different containers on {many} networks called {first}; \
             pick one with --from CONTAINER"
        ),
        0 | 1 => format!(
            "{name} is ambiguous: containers on {first} mean different ones by it; pick one with --from CONTAINER"
        ),
        _ => {
            let names: Vec<_> = names.into_iter().collect();
            format!(
                "{name} is ambiguous: it means different containers on {}; pick one with {name}.NETWORK, such as \
                 {name}.{first}, or with --from CONTAINER",
                names.join(", ")
            )
        }
    })
}

/// Why there is no address.
fn without_winner(map: &NetworkMap, status: Status, known: &[&Candidate]) -> String {
    match (status, known.first()) {
        (
            Status::NoData,
            Some(Candidate {
                network: Some(id), ..
            }),
        ) => {
            format!(
                "known on {}, without an address of that type",
                network(map, id)
            )
        }
        (Status::NoData, _) => "known, without an address of that type".to_owned(),
        (Status::NotFound, _) => "nothing has that name there".to_owned(),
        (Status::Forward | Status::Found, _) => {
            "not a name of this engine, so the world was asked".to_owned()
        }
    }
}

fn place(map: &NetworkMap, explanation: &Explanation, candidate: &Candidate) -> String {
    let name = &candidate.name;
    let Some(id) = &candidate.network else {
        return match (&explanation.scope, rule(candidate)) {
            (_, "host") => "this host".to_owned(),
            (Scope::Container(id), _) => format!("hosts file of {}", container(map, id)),
            (Scope::Merged | Scope::Network(_), _) => "hosts file".to_owned(),
        };
    };
    let on = network(map, id);
    let twins = map.networks().values();
    let on = match twins.filter(|view| view.network().name == on).count() {
        0 | 1 => on,
        _ => format!("{on} ({})", id.short()),
    };
    match rule(candidate) {
        "link" => format!("link to {name} on {on}"),
        "service" => format!("service {name} on {on}"),
        "tasks" => {
            let service = name.strip_prefix("tasks.").unwrap_or(name);
            format!("tasks of service {service} on {on}")
        }
        _ => format!("name {name} on {on}"),
    }
}

fn container(map: &NetworkMap, id: &ContainerId) -> String {
    let known = map.containers().get(id);
    known.map_or_else(|| id.short().to_owned(), |k| k.container.name.clone())
}

/// Why the winners won over those that have lost.
fn reasons(
    map: &NetworkMap,
    scope: &Scope,
    won: &[&Candidate],
    lost: &[&Candidate],
) -> Vec<&'static str> {
    let (Some(winner), false) = (won.first(), lost.iter().all(|c| c.addresses.is_empty())) else {
        return Vec::new();
    };
    let lost = || lost.iter().filter(|c| !c.addresses.is_empty());
    let scoped = matches!(scope, Scope::Container(_));
    if winner.network.is_none() && scoped {
        return vec!["the hosts file comes first"];
    }
    let stage = |c: &Candidate| (c.qualified, c.is_link());
    let named = |c: &Candidate| c.network.as_ref().map(|id| network(map, id));
    let mut reasons = Vec::new();
    if lost().any(|c| stage(c) == stage(winner)) {
        let twins = !scoped && lost().any(|c| named(c) == named(winner));
        reasons.push(if twins {
            "first by id of the networks of that name"
        } else {
            "first by network order"
        });
    }
    if lost().any(|c| c.qualified == winner.qualified && c.is_link() != winner.is_link()) {
        reasons.push(if winner.is_link() {
            "links come before names"
        } else {
            "names come before links"
        });
    }
    if lost().any(|c| c.qualified != winner.qualified) {
        reasons.push(if winner.qualified {
            "NAME.NETWORK comes first"
        } else {
            "a name as it stands comes before NAME.NETWORK"
        });
    }
    reasons
}
