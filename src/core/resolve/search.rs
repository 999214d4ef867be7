//! What a program in a container asks for when it is given a name: the C library's part, between `/etc/hosts` and
//! Docker's resolver.
//!
//! As glibc does it, by `ndots` and the search domains that the container was made with: a name with fewer dots than
//! `ndots` is looked for in the domains first, any other first as it stands. The first that is there ends it.

use super::{Answer, RecordType, Scope, Status, known, scoped};
use crate::core::id::ContainerId;
use crate::core::inventory::DnsSettings;
use crate::core::map::NetworkMap;

/// What Docker writes into `resolv.conf` where it is the resolver and the user says nothing.
const DOCKER_NDOTS: usize = 0;
/// The C library's own.
const DEFAULT_NDOTS: usize = 1;

/// What has to be found out about a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lookup {
    /// Names of the world that may be meant, which are asked for one after the other until one is there.
    pub world: Vec<String>,
    /// The name, known here, that is meant if none of them is there.
    pub known: Option<String>,
}

/// What `name` may mean in `scope`, to somebody who asks for these types at once. A dot at its end keeps it from being
/// looked for in any domain.
pub fn lookup(map: &NetworkMap, scope: &Scope, name: &str, types: &[RecordType]) -> Lookup {
    match searched_by(map, scope) {
        Some((id, settings)) if !name.ends_with('.') => search((map, id), settings, name, types),
        _ => as_it_stands(map, scope, name, types),
    }
}

/// Whether names are looked for in domains there.
pub(crate) fn searches(map: &NetworkMap, scope: &Scope) -> bool {
    searched_by(map, scope).is_some()
}

fn searched_by<'a>(
    map: &'a NetworkMap,
    scope: &'a Scope,
) -> Option<(&'a ContainerId, &'a DnsSettings)> {
    let Scope::Container(id) = scope else {
        return None;
    };
    let settings = settings(map, id)?;
    (!settings.search.is_empty()).then_some((id, settings))
}

fn settings<'a>(map: &'a NetworkMap, id: &ContainerId) -> Option<&'a DnsSettings> {
    let owner = map.files_owner(id)?;
    Some(&owner.container.dns)
}

fn as_it_stands(map: &NetworkMap, scope: &Scope, name: &str, types: &[RecordType]) -> Lookup {
    let name = name.strip_suffix('.').unwrap_or(name);
    let mut lookup = Lookup::default();
    if types.iter().any(|t| known(map, scope, name, *t).is_some()) {
        lookup.known = Some(name.to_owned());
    } else if is_worlds(name) {
        lookup.world.push(name.to_owned());
    }
    lookup
}

fn search(
    (map, id): (&NetworkMap, &ContainerId),
    settings: &DnsSettings,
    name: &str,
    types: &[RecordType],
) -> Lookup {
    let mut lookup = Lookup::default();
    let in_hosts = |t: &RecordType| scoped::in_hosts(map, id, name, *t).is_some();
    if types.iter().any(in_hosts) {
        lookup.known = Some(name.to_owned());
        return lookup;
    }
    let ndots = settings.ndots.unwrap_or(if scoped::has_resolver(map, id) {
        DOCKER_NDOTS
    } else {
        DEFAULT_NDOTS
    });
    for attempt in attempts(name, ndots, &settings.search) {
        let in_networks = |t: &RecordType| scoped::in_networks(map, id, &attempt, *t).is_some();
        if types.iter().any(in_networks) {
            lookup.known = Some(attempt);
            break;
        }
        if is_worlds(&attempt) {
            lookup.world.push(attempt);
        }
    }
    lookup
}

fn attempts(name: &str, ndots: usize, domains: &[String]) -> Vec<String> {
    let mut attempts: Vec<_> = domains.iter().map(|d| format!("{name}.{d}")).collect();
    let few_dots = name.matches('.').count() < ndots;
    let position = if few_dots { attempts.len() } else { 0 };
    attempts.insert(position, name.to_owned());
    attempts
}

fn is_worlds(name: &str) -> bool {
    Answer::unknown(name).status == Status::Forward
}

/// What Docker's resolver says of a name that is nobody's. If the user set `ndots`, to 0 even, it keeps names of one label
/// to itself, for the C library to look for in its domains, and says that they are there, without an address.
pub(super) fn unknown(map: &NetworkMap, scope: &Scope, name: &str, wanted: RecordType) -> Answer {
    let kept = match scope {
        Scope::Merged | Scope::Network(_) => false,
        Scope::Container(id) => {
            wanted != RecordType::Other
                && !name.contains('.')
                && settings(map, id).is_some_and(|s| s.ndots.is_some())
                && scoped::has_resolver(map, id)
        }
    };
    if kept {
        return Answer::empty(Status::NoData);
    }
    Answer::unknown(name)
}
