//! What to do about a container that is being made anew, or was when something died: by what is in the engine alone.
//!
//! | the one before is | the one in its place is | then |
//! |---|---|---|
//! | known by its name, stopped | made, not started | the one before is started, if it was stopped for this |
//! | known by its name, running | made, not started | most likely it is about to stop, as it was told: it is started again |
//! | the backup | not yet known by the name, or not running | back: names and restart policy as they were, the one before started |
//! | the backup | known by the name, and runs (or is not to) | done, but for the backup |
//! | gone, because the engine removes it when it ends | made | it takes over |
//! | being removed, or dead | in its place, or started | done, but for what is left of the one before |
//!
//! Which of two is which, is told by `dockline.replaces` or, on the way back from interception, by `dockline.undo` of the
//! one before. Whatever carries neither is somebody else's.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::layer::is_kept;
use super::{Original, Place};
use crate::core::id::Instance;
use crate::core::label;

/// What is to be done, in this order. Any of them may be the last one: what then is to be done is told anew.
#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    /// Ends a container at once.
    Kill(String),
    /// Gives a container its restart policy back.
    Policy(String, Value),
    /// Gives a container the name of that place.
    Rename(String, Place),
    /// Starts a container.
    Start(String),
    /// Starts a container again that may be about to stop, for which it has so long.
    Restart(String, Duration),
    /// Removes a container, but no volume.
    Remove(String),
}

/// What is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// One of the two, as a whole; the new one if it is in its place and runs.
    Settled,
    /// The one before.
    Back,
    /// The same, where nobody has told it to stop.
    Unbegun,
}

/// What there is to do, by who has which of a container's names.
pub fn recover(there: &BTreeMap<Place, Original>, instance: &Instance, wish: Wish) -> Vec<Act> {
    let backup = there.get(&Place::Backup);
    let old = backup.or_else(|| there.get(&Place::Known));
    let may_be_new: &[Place] = match backup {
        Some(_) => &[Place::Known, Place::Kept, Place::New],
        None => &[Place::Kept, Place::New],
    };
    let candidates = may_be_new
        .iter()
        .filter_map(|place| Some((*place, there.get(place)?)));
    let new: Vec<_> = candidates
        .filter(|(_, new)| belongs(new, old, instance))
        .collect();
    let Some(old) = old else {
        return take_over(&new);
    };
    if old.is_going() && !new.is_empty() {
        let rest = Act::Remove(old.id().to_owned());
        return std::iter::once(rest).chain(take_over(&new)).collect();
    }
    let Some((place, first)) = new.first() else {
        return alone(
            old,
            backup.is_some() && !there.contains_key(&Place::Known),
            instance,
        );
    };
    let ran = ran(old, &new);
    let in_place = *place == Place::Known && (first.is_running() || !ran);
    if in_place && wish == Wish::Settled {
        let others = new.iter().skip(1).map(|(_, other)| *other).chain([old]);
        return others
            .map(|other| Act::Remove(other.id().to_owned()))
            .collect();
    }
    let stops = wish != Wish::Unbegun && may_stop(old, first);
    back(old, &new, backup.is_some(), ran, stops)
}

/// Whether a container is to take the place of `old`, or of one that has gone.
fn belongs(new: &Original, old: Option<&Original>, instance: &Instance) -> bool {
    let labels = new.labels();
    let replaces = labels
        .get(label::REPLACES)
        .filter(|_| new.is_injected_by(instance));
    match old {
        Some(old) => {
            replaces.is_some_and(|id| id == old.id())
                || (old.is_injected_by(instance) && !labels.contains_key(label::UNDO))
        }
        None => {
            replaces.is_some() || (new.goes_when_it_ends() && is_kept(new.image(), Some(instance)))
        }
    }
}

/// The one before has gone, or is about to. If that was its way, or the new one is in its place or ever was, that stays;
/// else somebody removed the one before, and wants none.
fn take_over(new: &[(Place, &Original)]) -> Vec<Act> {
    let mut acts = Vec::new();
    let first = new.first().filter(|(place, new)| {
        *place == Place::Known || new.goes_when_it_ends() || new.was_started()
    });
    if let Some((place, new)) = first
        && *place != Place::Known
    {
        if !new.is_running() {
            acts.push(Act::Start(new.id().to_owned()));
        }
        acts.push(Act::Rename(new.id().to_owned(), Place::Known));
    }
    let others = new.iter().skip(usize::from(first.is_some()));
    acts.extend(others.map(|(_, other)| Act::Remove(other.id().to_owned())));
    acts
}

/// Nobody is to take its place. One of ours gets its name back; of anybody else's a name says nothing.
fn alone(old: &Original, nameless: bool, instance: &Instance) -> Vec<Act> {
    let rename = nameless && old.is_injected_by(instance);
    let name = || Act::Rename(old.id().to_owned(), Place::Known);
    rename.then(name).into_iter().collect()
}

/// Whether the one before ran until it was stopped for this: then it ended after the other was made, or that one was
/// started in its place.
fn ran(old: &Original, new: &[(Place, &Original)]) -> bool {
    let time = |text: &str| text.parse::<jiff::Timestamp>().ok();
    let began = new
        .iter()
        .filter_map(|(_, new)| time(new.text("/Created")))
        .min();
    let ended = time(old.text("/State/FinishedAt"));
    let started = new.iter().any(|(_, new)| new.was_started());
    old.is_running() || started || (ended.is_some() && ended > began)
}

/// Whether the one before, which runs, may have been told to stop: then it has not been started since the other was made.
fn may_stop(old: &Original, new: &Original) -> bool {
    let time = |text: &str| text.parse::<jiff::Timestamp>().ok();
    old.is_running() && time(old.text("/State/StartedAt")) < time(new.text("/Created"))
}

fn back(
    old: &Original,
    new: &[(Place, &Original)],
    is_backup: bool,
    ran: bool,
    stops: bool,
) -> Vec<Act> {
    let id = || old.id().to_owned();
    let mut acts = Vec::new();
    for (_, new) in new.iter().filter(|(_, new)| new.is_running()) {
        // Ports and addresses are the other's.
        acts.push(Act::Kill(new.id().to_owned()));
    }
    let policy = new.first().and_then(|(_, new)| new.restart_policy());
    if let Some(policy) = policy
        && old.restart_policy() != Some(policy)
        && !old.goes_when_it_ends()
    {
        acts.push(Act::Policy(id(), policy.clone()));
    }
    if is_backup {
        // Whoever has the name gives it away first, to a place that is free.
        let taken = |place| new.iter().any(|(other, _)| *other == place);
        let free = if taken(Place::New) {
            Place::Kept
        } else {
            Place::New
        };
        let known = new.iter().filter(|(place, _)| *place == Place::Known);
        acts.extend(known.map(|(_, new)| Act::Rename(new.id().to_owned(), free)));
        acts.push(Act::Rename(id(), Place::Known));
    }
    if stops {
        acts.push(Act::Restart(id(), old.grace()));
    } else if ran && !old.is_running() {
        acts.push(Act::Start(id()));
    }
    acts.extend(new.iter().map(|(_, new)| Act::Remove(new.id().to_owned())));
    acts
}
