//! Why a name means what it means: everything that an answer is chosen from.
//!
//! It goes the way of [`resolve`](super::resolve) itself, and does not stop at the answer.

use std::net::IpAddr;

use super::ambiguous::{self, Meaning};
use super::places::{Place, Rule, Visitor};
use super::{Answer, RecordType, Scope, Source, narrow, visit};
use crate::core::id::{ContainerId, NetworkId};
use crate::core::map::NetworkMap;

/// Something that a name could mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// What was looked up: without the network's name where that was given, and for a link what it leads to.
    pub name: String,
    /// The network where it was found; none for lines of a hosts file, and for this host.
    pub network: Option<NetworkId>,
    /// Whether the network's name was given, as in `NAME.NETWORK`.
    pub qualified: bool,
    /// Its addresses of the types asked for.
    pub addresses: Vec<IpAddr>,
    /// Why these have the name.
    pub sources: Vec<Source>,
    /// Whose they are.
    pub containers: Vec<ContainerId>,
    /// Whether they are in the answer.
    pub won: bool,
}

impl Candidate {
    /// Whether this is one place, seen for two types of record.
    fn is_same_place(&self, other: &Self) -> bool {
        let key = |c: &Self| (c.network.clone(), c.qualified, c.is_link());
        self.name == other.name && key(self) == key(other)
    }

    /// Whether a link led here.
    pub fn is_link(&self) -> bool {
        self.sources.contains(&Source::Link)
    }

    fn merge(&mut self, other: Self) {
        self.addresses.extend(other.addresses);
        self.won |= other.won;
        for source in other.sources {
            if !self.sources.contains(&source) {
                self.sources.push(source);
            }
        }
    }
}

/// Everything that a name could mean, in the order in which it was considered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// From where it was seen: other than asked if the name itself says so.
    pub scope: Scope,
    /// What was looked up there.
    pub name: String,
    /// What was found.
    pub candidates: Vec<Candidate>,
    /// Whether networks differ in whom they mean by it, so that the merged view had to choose or to mix.
    pub ambiguous: bool,
}

/// Explains what [`resolve`](super::resolve) says of `name` for these types of record.
pub fn explain(map: &NetworkMap, scope: &Scope, name: &str, types: &[RecordType]) -> Explanation {
    let bare = name.strip_suffix('.').unwrap_or(name);
    let (scope, bare) = narrow(map, scope, bare).unwrap_or_else(|| (scope.clone(), bare));
    let mut candidates: Vec<Candidate> = Vec::new();
    let mut meanings = Vec::new();
    for &wanted in types {
        let (_, note) = listen(map, &scope, bare, wanted);
        for candidate in note.candidates {
            match candidates.iter_mut().find(|c| c.is_same_place(&candidate)) {
                Some(known) => known.merge(candidate),
                None => candidates.push(candidate),
            }
        }
        meanings.extend(note.meanings);
    }
    Explanation {
        ambiguous: scope == Scope::Merged && ambiguous::differ(meanings.iter()),
        scope,
        name: bare.to_owned(),
        candidates,
    }
}

/// The answer for one type, and what was noted on the way to it and beyond.
pub(super) fn listen<'m>(
    map: &'m NetworkMap,
    scope: &Scope,
    name: &str,
    wanted: RecordType,
) -> (Answer, Note<'m>) {
    let mut note = Note {
        map,
        wanted,
        answer: None,
        candidates: Vec::new(),
        meanings: Vec::new(),
    };
    let unknown = visit(map, scope, name, wanted, &mut note);
    (note.answer.take().unwrap_or(unknown), note)
}

/// Writes down all that it is led through.
pub(super) struct Note<'m> {
    map: &'m NetworkMap,
    wanted: RecordType,
    /// The first, which is the answer.
    answer: Option<Answer>,
    pub(super) candidates: Vec<Candidate>,
    /// What each place of the pass that decided means.
    meanings: Vec<Meaning<'m>>,
}

impl Visitor for Note<'_> {
    fn said(&mut self, answer: Option<Answer>) -> Option<Answer> {
        let answer = answer?;
        if !answer.addresses.is_empty() {
            self.candidates.push(Candidate {
                name: String::new(),
                network: None,
                qualified: false,
                addresses: answer.addresses.clone(),
                sources: answer.sources.clone(),
                containers: Vec::new(),
                won: self.answer.is_none(),
            });
        }
        self.answer.get_or_insert(answer);
        None
    }

    fn pass<'a>(&mut self, rule: Rule, places: impl Iterator<Item = Place<'a>>) -> Option<Answer> {
        let places: Vec<_> = places.collect();
        let decided = rule.settle(places.iter(), self.wanted);
        let is_final = self.answer.is_none() && decided.is_some();
        let known = places.iter().filter(|place| !place.records().is_empty());
        for place in known {
            let won = is_final
                && decided
                    .as_ref()
                    .is_some_and(|a| a.networks.contains(&place.view.network().id));
            self.candidates.push(candidate(place, self.wanted, won));
            if is_final {
                self.meanings.push(Meaning::of(self.map, place.records()));
            }
        }
        if is_final {
            self.answer = decided;
        }
        None
    }
}

fn candidate(place: &Place<'_>, wanted: RecordType, won: bool) -> Candidate {
    let mut found = Answer::not_found();
    place.read(&mut found, wanted);
    let sources = if place.linked {
        vec![Source::Link]
    } else {
        found.sources
    };
    let records = place.records().iter();
    Candidate {
        name: place.name.clone().into_owned(),
        network: Some(place.view.network().id.clone()),
        qualified: place.qualified,
        won: won && !found.addresses.is_empty(),
        addresses: found.addresses,
        sources,
        containers: records
            .filter_map(|record| record.owner.container().cloned())
            .collect(),
    }
}
