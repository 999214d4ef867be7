//! Each container is asked everything, and dockline is asked the same for it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use dockline::core::map::NetworkMap;
use dockline::core::resolve::{Answer, RecordType, Scope, Status, resolve, reverse};
use hickory_server::proto::rr::{Name, RecordType as WireType};

use super::ask::{Question, Verdict, ask};
use super::facts::Facts;
use super::inside::Inside;
use super::names::Candidate;

/// What was asked and found, in all.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) asked: usize,
    /// How long Docker's resolvers took for their answers.
    pub(super) asking: Duration,
    /// Answers with records that did not come from upstream, by kind of the name.
    pub(super) found: BTreeMap<&'static str, usize>,
    pub(super) elsewhere: usize,
    pub(super) mismatches: usize,
    /// Whether the engine tells which names a container has (25 and later).
    pub(super) tells_names: bool,
}

/// Something to ask for, in dockline's words and in DNS's.
#[derive(Debug)]
struct Item {
    candidate: Candidate,
    /// Of a question for the name of an address.
    address: Option<IpAddr>,
    question: Question,
}

/// A container that asks.
#[derive(Debug)]
struct Asker<'a> {
    facts: &'a Facts,
    inside: Inside,
    /// Whether it stayed behind in a namespace that its owner has left, where nobody answers.
    orphaned: bool,
}

/// Lets all watched containers ask; nothing if their insides cannot be reached.
pub(super) async fn compare(
    map: &NetworkMap,
    facts: &[Facts],
    candidates: &[Candidate],
    (place, tally): (&str, &mut Tally),
) -> Option<()> {
    let items = items(facts, candidates);
    let mut heard: BTreeMap<String, Vec<Verdict>> = BTreeMap::new();
    for asker in askers(facts)? {
        let space = asker.inside.namespace();
        let resolver = asker.inside.has_resolver() && !asker.orphaned;
        let key = format!("{space} {resolver}");
        if !heard.contains_key(&key) {
            let verdicts = if resolver {
                let questions: Vec<_> = items.iter().map(|item| item.question.clone()).collect();
                let began = Instant::now();
                let verdicts = ask(asker.inside.sockets(), &questions).await;
                tally.asking += began.elapsed();
                verdicts
            } else {
                // Whatever is not in its hosts file is asked of its upstream server.
                vec![Verdict::Elsewhere; items.len()]
            };
            heard.insert(key.clone(), verdicts);
        }
        check(map, &asker, &items, &heard[&key], (place, tally));
    }
    Some(())
}

fn items(facts: &[Facts], candidates: &[Candidate]) -> Vec<Item> {
    let mut items = Vec::new();
    for candidate in candidates {
        // Not every alias that an engine takes can be written as a question.
        let Ok(mut name) = Name::from_ascii(&candidate.name) else {
            continue;
        };
        name.set_fqdn(true);
        for wanted in [WireType::A, WireType::AAAA] {
            let question = Question {
                name: name.clone(),
                wanted,
            };
            items.push(Item {
                candidate: candidate.clone(),
                address: None,
                question,
            });
        }
    }
    let unused = ["192.0.2.7", "10.255.255.1", "2001:db8::7"].map(|a| a.parse().unwrap());
    let own = facts.iter().flat_map(|one| one.addresses.iter().copied());
    let addresses: BTreeSet<IpAddr> = own.chain(unused).collect();
    for address in addresses {
        let candidate = Candidate {
            name: address.to_string(),
            kind: "address",
        };
        let question = Question {
            name: Name::from(address),
            wanted: WireType::PTR,
        };
        items.push(Item {
            candidate,
            address: Some(address),
            question,
        });
    }
    items
}

/// The watched containers that run. The others' peers are not in the map, and who outlived its lender has a hosts file
/// that nobody can read any more.
fn askers(facts: &[Facts]) -> Option<Vec<Asker<'_>>> {
    let space = |id: &str| {
        let owner = facts.iter().find(|one| one.id == id)?;
        Some(Inside::of(owner.pid?)?.namespace())
    };
    let exists = |id: &String| facts.iter().any(|one| one.id == *id);
    let running = facts
        .iter()
        .filter(|one| one.watched && one.pid.is_some())
        .filter(|one| one.lender.as_ref().is_none_or(exists));
    running
        .map(|facts| {
            let inside = Inside::of(facts.pid?)?;
            let lender = facts.lender.as_deref();
            let orphaned = lender.is_some_and(|id| space(id) != Some(inside.namespace()));
            Some(Asker {
                facts,
                inside,
                orphaned,
            })
        })
        .collect()
}

fn check(
    map: &NetworkMap,
    asker: &Asker<'_>,
    items: &[Item],
    heard: &[Verdict],
    (place, tally): (&str, &mut Tally),
) {
    let hosts = asker.inside.hosts();
    let scope = Scope::Container(asker.facts.id.as_str().into());
    for (item, heard) in items.iter().zip(heard) {
        let heard = match heard {
            // What engine 20.10 does with a pointer to a name that cannot be written down.
            Verdict::Silence if item.address.is_some() => &Verdict::Elsewhere,
            heard => heard,
        };
        let expected = in_hosts(&hosts, item).unwrap_or_else(|| heard.clone());
        let answer = match (item.address, item.question.wanted) {
            (Some(address), _) => reverse(map, &scope, address),
            (None, WireType::A) => resolve(map, &scope, &item.candidate.name, RecordType::A),
            (None, _) => resolve(map, &scope, &item.candidate.name, RecordType::Aaaa),
        };
        tally.asked += 1;
        match expected {
            Verdict::Found(_) => *tally.found.entry(item.candidate.kind).or_default() += 1,
            _ => tally.elsewhere += 1,
        }
        if said(&answer) != expected || !stays_here(item, &answer) {
            tally.mismatches += 1;
            println!(
                "MISMATCH {place}: {} {} asks {} for {:?} ({}): the engine says {expected:?}, \
                 dockline {:?} {:?}",
                asker.facts.name,
                &asker.facts.id[..12],
                item.question.wanted,
                item.candidate.name,
                item.candidate.kind,
                answer.status,
                said(&answer)
            );
        }
    }
}

/// What the hosts file says, which the C library reads first. A dot at the end, which no line has, means the same to
/// dockline: it does not get that far over the wire.
fn in_hosts(hosts: &[(IpAddr, Vec<String>)], item: &Item) -> Option<Verdict> {
    let name = item.candidate.name.to_lowercase();
    let name = name.strip_suffix('.').unwrap_or(&name);
    let wanted = |address: &IpAddr| match item.question.wanted {
        WireType::A => address.is_ipv4(),
        WireType::AAAA => address.is_ipv6(),
        // dockline gives an address the name that others use.
        _ => false,
    };
    let lines = hosts
        .iter()
        .filter(|(address, names)| wanted(address) && names.iter().any(|n| n == name));
    let found: BTreeSet<_> = lines.map(|(address, _)| address.to_string()).collect();
    (!found.is_empty()).then_some(Verdict::Found(found))
}

fn said(answer: &Answer) -> Verdict {
    let addresses = answer.addresses.iter().map(ToString::to_string);
    match answer.status {
        Status::Found => Verdict::Found(addresses.chain(answer.names.iter().cloned()).collect()),
        Status::NoData => Verdict::NoData,
        Status::NotFound | Status::Forward => Verdict::Elsewhere,
    }
}

/// On purpose dockline asks nobody for a name of one label.
fn stays_here(item: &Item, answer: &Answer) -> bool {
    let name = item.candidate.name.trim_end_matches('.');
    let single = item.address.is_none() && !name.contains('.');
    match answer.status {
        Status::NotFound => single,
        Status::Forward => !single,
        Status::Found | Status::NoData => true,
    }
}
