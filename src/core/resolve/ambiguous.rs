//! Names by which networks mean different containers.
//!
//! On one network a name means all containers that have it: that is Docker's own answer, whoever asks there. In the
//! merged view it is ambiguous if two networks differ in whom they mean. Containers of one compose service count as
//! one, however many there are, and so does a swarm's service; a container that has the name on several networks is the
//! same on each.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::core::id::{ContainerId, NetworkId};
use crate::core::label;
use crate::core::map::{NetworkMap, NetworkView, Owner, Record};

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
    Swarm(Arc<str>),
    Container(&'m ContainerId),
}

/// Whom one network means by a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Meaning<'m>(BTreeSet<Who<'m>>);

impl<'m> Meaning<'m> {
    pub(super) fn of(map: &'m NetworkMap, records: &[Record]) -> Self {
        let who = |record: &Record| match &record.owner {
            Owner::Container(id) => who_is(map, id),
            Owner::Swarm(name) => Some(Who::Swarm(Arc::clone(name))),
        };
        Self(records.iter().filter_map(who).collect())
    }
}

fn who_is<'m>(map: &'m NetworkMap, id: &ContainerId) -> Option<Who<'m>> {
    let (id, known) = map.containers().get_key_value(id)?;
    let labels = &known.container.labels;
    let of = |key: &str| labels.get(key).map(String::as_str);
    if let Some(service) = of(label::SWARM_SERVICE) {
        return Some(Who::Swarm(Arc::from(service)));
    }
    let service = of(label::COMPOSE_PROJECT).zip(of(label::COMPOSE_SERVICE));
    Some(service.map_or(Who::Container(id), |(project, service)| {
        Who::Service(project, service)
    }))
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
