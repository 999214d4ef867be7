//! The places where a name is looked for, and what is made of what is found there.
//!
//! A lookup goes in *passes*, each over *places*: a name on a network. Who wants the answer ([`Settle`]) stops at the
//! first pass that has one; who explains it (`explain.rs`) goes on to the end. Both are led the same way by
//! `scoped.rs` and `merged.rs`, so that an explanation cannot say anything else than the answer.

use std::borrow::{Borrow, Cow};
use std::net::IpAddr;

use super::{Answer, RecordType, Source, Status};
use crate::core::map::{NetworkView, Record};

/// A name on a network.
#[derive(Clone, Debug)]
pub(super) struct Place<'a> {
    pub(super) view: &'a NetworkView,
    /// What is looked up there, in lower case.
    pub(super) name: Cow<'a, str>,
    /// Whether that is what a link's alias leads to.
    pub(super) linked: bool,
    /// Whether the network was named in the question, as in `NAME.NETWORK`.
    pub(super) qualified: bool,
}

impl Place<'_> {
    pub(super) fn records(&self) -> &[Record] {
        self.view.records(&self.name)
    }

    /// Adds what is found here; true if the name is known here at all.
    pub(super) fn read(&self, answer: &mut Answer, wanted: RecordType) -> bool {
        let records = self.records();
        for record in records {
            let addresses = [record.ipv4.map(IpAddr::V4), record.ipv6.map(IpAddr::V6)];
            let addresses = addresses.into_iter().flatten();
            for address in addresses.filter(|a| wanted.accepts(*a)) {
                let source = if self.linked {
                    Source::Link
                } else {
                    Source::Name(record.kind)
                };
                answer.add(address, source);
                let network = &self.view.network().id;
                if !answer.networks.contains(network) {
                    answer.networks.push(network.clone());
                }
            }
        }
        !records.is_empty()
    }
}

/// Which places of a pass make the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// The first with an address of that type. One that has the name and no such address makes the answer empty
    /// rather than unknown, but the search goes on.
    FirstAddress,
    /// The first that has the name.
    FirstKnown,
    /// All.
    All,
}

impl Rule {
    /// The answer of a pass, if any of its places has the name.
    pub(super) fn settle<'a>(
        self,
        places: impl Iterator<Item = impl Borrow<Place<'a>>>,
        wanted: RecordType,
    ) -> Option<Answer> {
        let mut answer = Answer::empty(Status::NoData);
        let mut known = false;
        for place in places {
            known |= place.borrow().read(&mut answer, wanted);
            let enough = match self {
                Self::FirstAddress => !answer.addresses.is_empty(),
                Self::FirstKnown => known,
                Self::All => false,
            };
            if enough {
                break;
            }
        }
        known.then(|| answer.settle())
    }
}

/// Who is led through the passes of a lookup. An answer ends it.
pub(super) trait Visitor {
    /// What is said without looking at any network.
    fn said(&mut self, answer: Option<Answer>) -> Option<Answer>;

    /// One pass.
    fn pass<'a>(&mut self, rule: Rule, places: impl Iterator<Item = Place<'a>>) -> Option<Answer>;
}

/// Takes the first answer.
#[derive(Debug)]
pub(super) struct Settle(pub(super) RecordType);

impl Visitor for Settle {
    fn said(&mut self, answer: Option<Answer>) -> Option<Answer> {
        answer
    }

    fn pass<'a>(&mut self, rule: Rule, places: impl Iterator<Item = Place<'a>>) -> Option<Answer> {
        rule.settle(places, self.0)
    }
}
