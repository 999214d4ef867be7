//! Names to ask for: all that somebody was ever called, as they are and in every way of writing them.

use std::collections::BTreeMap;

use super::chance::Chance;
use super::facts::Facts;

/// A name to ask for, and what it may be.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) name: String,
    pub(super) kind: &'static str,
}

/// Of the variations so many are asked for in a round: nearly all, because changing the town takes longer than asking.
const VARIATIONS: usize = 500;
const UNKNOWN: [&str; 5] = [
    "nosuch",
    "no.such",
    "no.such.name",
    "tasks.db",
    "host.docker.internal",
];
/// What the engine calls a container that was made without a name.
pub(super) const MADE_UP: &str = "name made up by the engine";
/// What is asked for besides container names, and must be found somewhere.
pub(super) const KINDS: [&str; 8] = [
    "name",
    MADE_UP,
    "short id",
    "alias",
    "hostname",
    "link",
    "extra host",
    "NAME.NETWORK",
];

/// The candidates of one round.
pub(super) fn candidates(
    facts: &[Facts],
    (names, networks): (&[String], &[String]),
    chance: &mut Chance,
) -> Vec<Candidate> {
    let bases = bases(facts, names);
    let mut all: Vec<_> = bases
        .iter()
        .map(|(name, kind)| Candidate {
            name: name.clone(),
            kind,
        })
        .collect();
    let mut variations = Vec::new();
    for (name, kind) in &bases {
        let mut add = |name: String, kind| variations.push(Candidate { name, kind });
        add(name.to_uppercase(), *kind);
        add(format!("{name}."), *kind);
        for network in networks {
            add(format!("{name}.{network}"), "NAME.NETWORK");
        }
        // Once in a while, because hardly any of them means something.
        let network = &networks[chance.below(networks.len())];
        add(format!("{name}.{}", network.to_uppercase()), "wrong case");
        add(
            format!("{}.{network}.", name.to_uppercase()),
            "NAME.NETWORK",
        );
        add(format!("{name}.{network}.{network}"), "network twice");
        add(format!("{name}.example.com"), "unknown");
        add(name.chars().take(10).collect(), "beginning");
    }
    let numbers: Vec<usize> = (0..variations.len()).collect();
    let chosen = chance.some_of(&numbers, VARIATIONS);
    all.extend(chosen.into_iter().map(|number| variations[number].clone()));
    all
}

/// Every name as it stands; one that is several things counts as the first of them.
fn bases(facts: &[Facts], names: &[String]) -> BTreeMap<String, &'static str> {
    let mut bases = BTreeMap::new();
    let mut add = |name: &str, kind| {
        if !name.is_empty() {
            bases.entry(name.to_owned()).or_insert(kind);
        }
    };
    for one in facts {
        let given = names.contains(&one.name);
        let kind = if given { "name" } else { MADE_UP };
        add(&one.name, kind);
        add(&one.id[..12], "short id");
    }
    for one in facts {
        add(&one.hostname, "hostname");
        let short = one.hostname.split('.').next().unwrap_or_default();
        add(short, "hostname");
        if !one.domain.is_empty() {
            add(&format!("{}.{}", one.hostname, one.domain), "hostname");
        }
        one.extra_hosts
            .iter()
            .for_each(|host| add(host, "extra host"));
        one.links.iter().for_each(|alias| add(alias, "link"));
        one.aliases.iter().for_each(|alias| add(alias, "alias"));
    }
    for name in names {
        add(name, "former name");
    }
    for name in UNKNOWN {
        add(name, "unknown");
    }
    bases
}
