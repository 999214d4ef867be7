//! Containers made anew: intercepted, or as they were. What that means is [`crate::core::recreate`]'s business.
//!
//! ```text
//! make the new one ─ stop the old one ─ keep what it wrote ─ swap names ─ start ─ wait until it has proved itself ─ remove
//! ```
//!
//! Nothing is noted anywhere but in the engine, so whoever comes after a crash, at any step, knows what to do
//! ([`Recreation::settle_all`]). What fails is taken back by the same means.

mod error;
mod keep;
mod prove;
mod recover;

use std::cell::Cell;
use std::collections::BTreeSet;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::{Value, json};

use crate::core::id::{ContainerId, Instance};
use crate::core::label::UNDO;
use crate::core::recreate::dependants::{Dependant, dependant};
use crate::core::recreate::layer::is_kept;
use crate::core::recreate::recovery::Wish;
use crate::core::recreate::{Anew, Base, Original, Place, anew, restore};
use crate::docker::Client;
use error::Asked as _;
pub use error::Error;

/// Inspects at a time.
const AT_A_TIME: usize = 8;

/// Who makes containers anew.
#[derive(Clone, Copy)]
pub struct Recreation<'a> {
    /// The engine.
    pub engine: &'a Client,
    /// Where containers are started: the API proxy has the tunnel join their networks first.
    pub starter: &'a Client,
    /// Whose containers it intercepts.
    pub instance: &'a Instance,
    /// Hears what is being done to which container.
    pub progress: &'a (dyn Fn(&str, &str) + Sync),
}

/// How far a container has come on its way into another's place, and so how it goes on when something goes wrong.
#[derive(Clone, Copy)]
enum Reached {
    /// Nobody has told the one before to stop.
    Nothing,
    Stop,
    /// It is in its place and does. There is no way back: the one before may be half removed.
    Place,
}

/// A container, and what is to be in its place.
#[derive(Clone, Debug)]
pub struct Job {
    /// The one that is there.
    pub original: Original,
    /// The one to come.
    pub anew: Anew,
}

impl Recreation<'_> {
    /// A container that can be made anew.
    pub async fn find(&self, reference: &str) -> Result<Original, Error> {
        let found = self.engine.inspect_whole(reference).await;
        let found = found.asked("inspect the container")?;
        let original =
            Original::new(found.ok_or_else(|| Error::NoContainer(reference.to_owned()))?);
        if let Some(obstacle) = original.obstacle(self.instance) {
            return Err(Error::Obstacle(original.name().to_owned(), obstacle));
        }
        let users = self.users_of(&original).await?;
        if users.is_empty() {
            return Ok(original);
        }
        let name = original.name().to_owned();
        Err(Error::Used { name, users })
    }

    async fn users_of(&self, original: &Original) -> Result<Vec<Dependant>, Error> {
        let all = self
            .engine
            .all_containers()
            .await
            .asked("list containers")?;
        let others = stream::iter(all)
            .map(|(id, _)| async move { self.engine.inspect_whole(&id).await })
            .buffer_unordered(AT_A_TIME);
        let others: Vec<_> = others.try_collect().await.asked("inspect containers")?;
        let mut users: Vec<_> = others
            .into_iter()
            .flatten()
            .filter_map(|other| dependant(original, &Original::new(other)))
            .collect();
        users.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(users)
    }

    /// How a container would be made again just as it is.
    pub async fn same(&self, original: &Original) -> Result<Anew, Error> {
        let image = self.engine.inspect_whole_image(original.image()).await;
        let image = image.asked("inspect the image")?;
        // The name may be another image's by now.
        let is_same = |image: &Value| image["Id"] == original.image_id();
        let (reference, image) = if let Some(image) = image.filter(is_same) {
            (original.image(), Some(image))
        } else {
            let id = original.image_id();
            let image = self.engine.inspect_whole_image(id).await;
            (id, image.asked("inspect the image")?)
        };
        let entrypoint = image
            .as_ref()
            .and_then(|image| image.pointer("/Config/Entrypoint"));
        let mut lost = BTreeSet::new();
        for lender in original.volumes_from() {
            if self
                .engine
                .inspect_whole(lender)
                .await
                .asked("inspect a container")?
                .is_none()
            {
                lost.insert(lender.to_owned());
            }
        }
        let base = Base {
            image: reference.to_owned(),
            has_entrypoint: entrypoint
                .and_then(Value::as_array)
                .is_some_and(|e| !e.is_empty()),
            lost,
            lends: lends(original),
        };
        Ok(anew(original, &base))
    }

    /// How an injected container would be without.
    pub async fn plain(&self, original: &Original) -> Result<Anew, Error> {
        let mut plain = self.same(original).await?;
        let name = || original.name().to_owned();
        restore(&mut plain.body).map_err(|error| Error::Unrestorable(name(), error))?;
        Ok(plain)
    }

    /// Puts a container in another's place. What goes wrong is taken back, and so is what has not come to its place
    /// when somebody has had `enough`.
    pub async fn replace(&self, job: &Job, enough: impl Future<Output = ()>) -> Result<(), Error> {
        let reached = Cell::new(Reached::Nothing);
        let replaced = tokio::select! {
            replaced = self.try_replace(job, &reached) => replaced,
            () = enough => Err(Error::Interrupted),
        };
        let Err(why) = replaced else {
            return Ok(());
        };
        let name = job.original.name();
        let wish = match reached.get() {
            Reached::Nothing => Wish::Unbegun,
            Reached::Stop => Wish::Back,
            Reached::Place => {
                self.tidy(name).await;
                return Ok(());
            }
        };
        (self.progress)(name, "taking it back");
        match self.settle(name, wish).await {
            Ok(_) => Err(why),
            Err(source) => Err(Error::NotBack {
                why: format!("{:#}", anyhow::Error::new(why)),
                source: Box::new(source),
            }),
        }
    }

    /// Removes what was before one that is in its place, once more. If that fails again, the next command or service
    /// does it: nothing is lost by it.
    async fn tidy(&self, name: &str) {
        if let Err(error) = self.settle(name, Wish::Settled).await {
            let error = anyhow::Error::new(error);
            let note = format!("done; what was before it is still to be removed: {error:#}");
            (self.progress)(name, &note);
        }
    }

    async fn try_replace(&self, job: &Job, reached: &Cell<Reached>) -> Result<(), Error> {
        let Job { original, anew } = job;
        let (id, name) = (original.id(), original.name());
        let say = |what: &str| (self.progress)(name, what);
        let mut anew = anew.clone();
        let running = original.is_running();
        let goes = running && original.goes_when_it_ends();
        if !running || goes {
            self.keep(original, &mut anew, goes).await?;
        }
        say("making the one in its place");
        let first = self.make(original, Place::New, &anew).await?;
        let mut new = first.clone();
        if running {
            say("stopping it");
            reached.set(Reached::Stop);
            self.engine
                .stop_whole(id, original.grace())
                .await
                .asked("stop the container")?;
            if goes {
                self.engine
                    .gone(id)
                    .await
                    .asked("wait until the container has gone")?;
            } else if self.keep(original, &mut anew, false).await? {
                new = self.make(original, Place::Kept, &anew).await?;
            }
        }
        if goes {
            // In this order: that it has its name says that it was started, when nothing else does.
            self.start(name, &new).await?;
            self.rename(&new, name).await?;
        } else {
            self.set_aside(original).await?;
            self.rename(&new, name).await?;
            if running {
                self.start(name, &new).await?;
            }
        }
        if new != first {
            let removed = self.engine.remove_keeping_volumes(&first).await;
            removed.asked("remove the one that was made first")?;
        }
        if running {
            self.prove(original, &new).await?;
        }
        reached.set(Reached::Place);
        self.engine
            .remove_keeping_volumes(id)
            .await
            .asked("remove the one before")?;
        if is_kept(original.image(), None) {
            // If something else uses it, it stays for `clean`.
            let _ = self.engine.remove_unused_image(original.image()).await;
        }
        Ok(())
    }

    async fn start(&self, name: &str, id: &str) -> Result<(), Error> {
        (self.progress)(name, "starting the one in its place");
        let started = self.starter.start(&ContainerId::from(id)).await;
        started.asked("start the one in its place")
    }

    async fn rename(&self, id: &str, name: &str) -> Result<(), Error> {
        let renamed = self.engine.rename(id, name).await;
        renamed.asked("rename a container")
    }

    async fn make(&self, original: &Original, place: Place, anew: &Anew) -> Result<String, Error> {
        let name = place.of(original.name());
        let made = self.engine.create_whole(&name, None, &anew.body).await;
        let made = made.asked("create the one in its place")?;
        if let Some(network) = &anew.disconnect {
            let left = self.engine.disconnect_whole(network, &made).await;
            left.asked("take it off a network")?;
        }
        for (network, endpoint) in &anew.connect {
            let joined = self.engine.connect_whole(network, &made, endpoint).await;
            joined.asked("connect it to its networks")?;
        }
        Ok(made)
    }

    /// Makes room for the one in its place. The engine starts nothing that is set aside when it is started itself.
    async fn set_aside(&self, original: &Original) -> Result<(), Error> {
        let policy = original
            .restart_policy()
            .and_then(|policy| policy["Name"].as_str());
        if policy == Some("always") {
            let never = json!({ "Name": "no", "MaximumRetryCount": 0 });
            let set = self.engine.set_restart_policy(original.id(), &never).await;
            set.asked("change the restart policy")?;
        }
        let backup = Place::Backup.of(original.name());
        self.rename(original.id(), &backup).await
    }
}

/// Whether it has no mount that injection added.
fn lends(original: &Original) -> bool {
    !original.labels().contains_key(UNDO)
}
