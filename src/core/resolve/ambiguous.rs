//! Names by which networks mean different containers.
//!
//! On one network a name means all containers that have it: that is Docker's own answer, whoever asks there. In the
//! merged view it is ambiguous if two networks differ in whom they mean. Containers of one compose service count as
//! one, however many there are; a container that has the name on several networks is the same on each.

use std::collections::{BTreeMap, BTreeSet};

use crate::core::id::{ContainerId, NetworkId};
use crate::core::label;
use crate::core::map::{NetworkMap, NetworkView, Record};

/// A name that the merged view has from networks which differ in whom they mean by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ambiguous {
    /// The name, in lower case.
    pub name: String,
    /// The networks that have it, by name and id.
    pub networks: Vec<NetworkId>,
}

/// Who is meant, replicas of one service being one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Who<'m> {
    Service(&'m str, &'m str),
    Container(&'m ContainerId),
}

/// Whom one network means by a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Meaning<'m>(BTreeSet<Who<'m>>);

impl<'m> Meaning<'m> {
    pub(super) fn of<'r>(map: &'m NetworkMap, records: &'r [Record]) -> Self {
        let who = |record: &'r Record| {
            let (id, known) = map.containers().get_key_value(&record.container)?;
            let labels = &known.container.labels;
            let of = |key: &str| labels.get(key).map(String::as_str);
            let service = of(label::COMPOSE_PROJECT).zip(of(label::COMPOSE_SERVICE));
            Some(service.map_or(Who::Container(id), |(project, service)| {
                Who::Service(project, service)
            }))
        };
        Self(records.iter().filter_map(who).collect())
    }
}

/// Whether these are not all the same.
pub(super) fn differ<'a, 'm: 'a>(mut meanings: impl Iterator<Item = &'a Meaning<'m>>) -> bool {
    let first = meanings.next();
    meanings.any(|other| Some(other) != first)
}

/// The ambiguous names of the merged view. Links' aliases are left out: they are names for one container alone.
pub fn ambiguous(map: &NetworkMap) -> Vec<Ambiguous> {
    let mut places: BTreeMap<&str, Vec<(&NetworkView, &[Record])>> = BTreeMap::new();
    for view in map.watched_by_name() {
        for (name, records) in view.names() {
            places.entry(name).or_default().push((view, records));
        }
    }
    let on_several = places.into_iter().filter(|(_, places)| places.len() > 1);
    let ambiguous = on_several.filter_map(|(name, places)| {
        let meanings: Vec<_> = places
            .iter()
            .map(|(_, records)| Meaning::of(map, records))
            .collect();
        differ(meanings.iter()).then(|| Ambiguous {
            name: name.to_owned(),
            networks: places
                .iter()
                .map(|(view, _)| view.network().id.clone())
                .collect(),
        })
    });
    ambiguous.collect()
}
