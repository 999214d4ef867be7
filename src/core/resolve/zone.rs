//! dockline's own zone in DNS: `NAME.CONTAINER.scope.dockline` is `NAME` as that container sees it, for those who can
//! ask for names and cannot say from where.
//!
//! What is under `dockline` and nobody's name is nobody else's business: it is never asked of the world. Of what lies
//! between it and a container's names (`scope.dockline`, `CONTAINER.scope.dockline`) there is no data, because a
//! resolver that hears of no such name need not ask for anything below it (RFC 8020).

use super::{Answer, Scope, Status};
use crate::core::id::ContainerId;
use crate::core::label::Part;
use crate::core::map::NetworkMap;

/// Where everything of dockline's own is.
const ZONE: &str = "dockline";
/// Where the views of containers are.
const SCOPES: &str = "scope.dockline";
/// Pointers have no view of their own: they are asked for in the merged one.
const POINTERS: &str = "arpa";

/// The scope and the name in it that `name` stands for, if it stands for one.
///
/// In the merged view only: in a container's, a name is what Docker takes it for.
pub fn narrow<'a>(map: &NetworkMap, scope: &Scope, name: &'a str) -> Option<(Scope, &'a str)> {
    if *scope != Scope::Merged {
        return None;
    }
    let name = name.strip_suffix('.').unwrap_or(name);
    let (name, container) = below(name, SCOPES)?.rsplit_once('.')?;
    // A dot behind a backslash is a part of a label, and no container's name has one.
    if name.is_empty() || name.ends_with('\\') || below(name, POINTERS).is_some() {
        return None;
    }
    let id = container_called(map, container)?;
    Some((Scope::Container(id.clone()), name))
}

/// What is said of the names among the views that are no container's names.
pub(super) fn reserved(map: &NetworkMap, name: &str) -> Option<Answer> {
    if name.eq_ignore_ascii_case(SCOPES) {
        return Some(Answer::empty(Status::NoData));
    }
    let container = below(name, SCOPES)?;
    let known = container_called(map, container).is_some();
    Some(Answer::empty(if known {
        Status::NoData
    } else {
        Status::NotFound
    }))
}

/// What is said of the zone itself, if no container has its name.
pub(super) fn apex(name: &str) -> Option<Answer> {
    name.eq_ignore_ascii_case(ZONE)
        .then(|| Answer::empty(Status::NoData))
}

/// Whether `name` is under the zone.
pub(super) fn contains(name: &str) -> bool {
    below(name, ZONE).is_some()
}

/// What stands before `.zone`, capitals aside.
fn below<'a>(name: &'a str, zone: &str) -> Option<&'a str> {
    let dot = name.len().checked_sub(zone.len() + 1)?;
    let rest = name.get(dot..)?.strip_prefix('.')?;
    rest.eq_ignore_ascii_case(zone).then(|| &name[..dot])
}

/// The running container of which `label` is the twelve-digit id, or the name; of none if it is of several, capitals
/// aside, because resolvers change them.
fn container_called<'a>(map: &'a NetworkMap, label: &str) -> Option<&'a ContainerId> {
    if label.contains('.') {
        return None;
    }
    let mut found = map.containers().values().filter(|known| {
        let container = &known.container;
        let named = container.name.eq_ignore_ascii_case(label)
            || container.id.short().eq_ignore_ascii_case(label);
        named && known.part != Part::OwnTunnel && container.state.is_up()
    });
    let first = found.next()?;
    found.next().is_none().then_some(&first.container.id)
}
