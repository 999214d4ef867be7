//! Whatever was left half-way, brought to one of its ends.

use std::collections::{BTreeMap, BTreeSet};

use super::error::Asked as _;
use super::{Error, Recreation};
use crate::core::id::ContainerId;
use crate::core::recreate::recovery::{Act, Wish, recover};
use crate::core::recreate::{Original, Place};
use crate::docker;

impl Recreation<'_> {
    /// Brings everything of the instance to an end that was left half-way; says which containers that were.
    pub async fn settle_all(&self) -> Result<Vec<String>, Error> {
        let all = self
            .engine
            .all_containers()
            .await
            .asked("list containers")?;
        let passing = all.iter().map(|(_, name)| Place::read(name));
        let passing = passing.filter(|(place, _)| *place != Place::Known);
        let names: BTreeSet<_> = passing.map(|(_, known)| known.to_owned()).collect();
        let mut settled = Vec::new();
        for name in names {
            if self.settle(&name, Wish::Settled).await? {
                settled.push(name);
            }
        }
        Ok(settled)
    }

    /// Brings a container to an end; whether there was anything to do.
    pub async fn settle(&self, known: &str, wish: Wish) -> Result<bool, Error> {
        let there = self.there(known).await?;
        let acts = recover(&there, self.instance, wish);
        for act in &acts {
            self.act(known, act).await?;
        }
        Ok(!acts.is_empty())
    }

    async fn there(&self, known: &str) -> Result<BTreeMap<Place, Original>, Error> {
        let mut there = BTreeMap::new();
        for place in Place::ALL {
            let name = place.of(known);
            let found = self.engine.inspect_whole(&name).await;
            let found = found.asked("inspect a container")?.map(Original::new);
            // The engine takes the beginning of an id for a name, too.
            if let Some(found) = found.filter(|found| found.name() == name) {
                there.insert(place, found);
            }
        }
        Ok(there)
    }

    async fn act(&self, known: &str, act: &Act) -> Result<(), Error> {
        match act {
            Act::Kill(id) => self.engine.kill(id).await.asked("stop a container"),
            Act::Policy(id, policy) => {
                let set = self.engine.set_restart_policy(id, policy).await;
                set.asked("give the restart policy back")
            }
            Act::Rename(id, place) => {
                let renamed = self.engine.rename(id, &place.of(known)).await;
                renamed.asked("give the name back")
            }
            Act::Start(id) => match self.engine.start(&ContainerId::from(id)).await {
                // It runs.
                Err(docker::Error::Refused { status: 304, .. }) => Ok(()),
                started => started.asked("start the container again"),
            },
            Act::Restart(id, grace) => {
                let restarted = self.engine.restart(id, *grace).await;
                restarted.asked("start the container again")
            }
            Act::Remove(id) => {
                let removed = self.engine.remove_keeping_volumes(id).await;
                removed.asked("remove a container")
            }
        }
    }
}
