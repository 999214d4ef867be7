//! Answers and decisions, with their explanations.

use super::shape::{CandidateReport, Resolution, RouteReport};
use super::words;
use crate::core::map::NetworkMap;
use crate::core::resolve::{Answer, Candidate, Explanation, Status as Verdict};
use crate::core::route::{Route, Target};

/// An answer, for people and programs. Addresses' names are not explained.
pub(crate) fn resolution(
    map: &NetworkMap,
    name: &str,
    from: Option<String>,
    answer: Answer,
    explanation: Option<&Explanation>,
) -> Resolution {
    let status = match answer.status {
        Verdict::Found => "ok",
        Verdict::NoData => "nodata",
        Verdict::NotFound | Verdict::Forward => "nxdomain",
    };
    let networks = answer
        .networks
        .iter()
        .filter_map(|id| map.networks().get(id));
    Resolution {
        name: name.to_owned(),
        from,
        status: status.to_owned(),
        networks: networks.map(|view| view.network().name.clone()).collect(),
        source: answer
            .sources
            .iter()
            .map(|s| s.as_str().to_owned())
            .collect(),
        ambiguous: explanation.is_some_and(|e| e.ambiguous),
        why: explanation.map(|e| words::why(map, answer.status, e)),
        hint: explanation.and_then(|e| words::how_to_pick(map, e)),
        candidates: candidates(map, explanation),
        addresses: answer.addresses,
        names: answer.names,
    }
}

/// A decision, for people and programs.
pub(crate) fn route(
    map: &NetworkMap,
    destination: &str,
    from: Option<String>,
    route: &Route,
    explanation: Option<&Explanation>,
) -> RouteReport {
    let first = match route {
        Route::Tunnel { targets, .. } => targets.first(),
        Route::Host { .. } | Route::Direct { .. } | Route::Refused { .. } => None,
    };
    let address = match route {
        Route::Host { address, .. } => Some(address),
        Route::Tunnel { .. } | Route::Direct { .. } | Route::Refused { .. } => {
            first.map(|t| &t.address)
        }
    };
    let network =
        |target: &Target| Some(map.networks().get(&target.network)?.network().name.clone());
    // The reason says all that there is to say of other names.
    let explanation = explanation.filter(|e| !e.candidates.is_empty());
    RouteReport {
        destination: destination.to_owned(),
        from,
        via: route.via().to_owned(),
        address: address.map(ToString::to_string),
        network: first.and_then(network),
        reason: route.reason().to_owned(),
        ambiguous: explanation.is_some_and(|e| e.ambiguous),
        why: explanation.map(|e| words::why(map, Verdict::NoData, e)),
        hint: explanation.and_then(|e| words::how_to_pick(map, e)),
        candidates: candidates(map, explanation),
    }
}

fn candidates(map: &NetworkMap, explanation: Option<&Explanation>) -> Vec<CandidateReport> {
    let candidates = explanation.into_iter().flat_map(|e| &e.candidates);
    candidates.map(|c| candidate(map, c)).collect()
}

fn candidate(map: &NetworkMap, candidate: &Candidate) -> CandidateReport {
    let containers = candidate.containers.iter();
    let known = containers.filter_map(|id| map.containers().get(id));
    CandidateReport {
        rule: words::rule(candidate).to_owned(),
        name: candidate.name.clone(),
        network: candidate.network.as_ref().map(|id| words::network(map, id)),
        network_id: candidate.network.as_ref().map(ToString::to_string),
        addresses: candidate.addresses.clone(),
        containers: known.map(|k| k.container.name.clone()).collect(),
        source: candidate
            .sources
            .iter()
            .map(|s| s.as_str().to_owned())
            .collect(),
        won: candidate.won,
    }
}
