//! A container made anew: as it was, but for what dockline changes.
//!
//! Labels and variables of a container that is there cannot be changed, so another one takes its place. What the engine
//! says of the one ([`Original`]) becomes what it is asked for the other ([`anew`]), field for field, those that nobody
//! here knows included. [`recovery`] says what to do about whatever a crash left half-way: all of it can be read off
//! the engine, by names ([`Place`]) and labels.

mod body;
pub mod dependants;
pub mod difference;
mod endpoints;
pub mod layer;
mod place;
pub mod recovery;
#[cfg(test)]
mod tests;
mod undo;
mod volumes;

use std::time::Duration;

use serde_json::Value;

pub use body::{Anew, Base, anew};
pub use place::Place;
pub use undo::{Unrestorable, restore};

use super::id::Instance;
use super::label::{self, Labels};

/// Characters of an id that people are shown, and that containers are called by.
const SHORT: usize = 12;

/// A container as the engine describes it (`GET /containers/{id}/json`).
#[derive(Clone, Debug)]
pub struct Original {
    inspect: Value,
}

/// Why a container cannot be made anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Obstacle {
    /// A swarm does that.
    #[error(
        "it is a task of a swarm, which would start another in its place; intercept the service's image instead"
    )]
    Swarm,
    /// dockline's own.
    #[error("dockline made it for itself")]
    Dockline,
    /// Neither running nor stopped.
    #[error("it is paused; `docker unpause` it first")]
    Paused,
    /// The engine starts it again and again.
    #[error("it is between restarts; stop it first, or let it come up")]
    Restarting,
    /// The engine removes it, or could not.
    #[error("it is being removed")]
    Dead,
    /// Another instance's.
    #[error("another instance of dockline intercepts it; name that one with --instance")]
    OtherInstance,
}

impl Original {
    /// Takes what the engine said.
    pub fn new(inspect: Value) -> Self {
        Self { inspect }
    }

    /// What the engine said.
    pub fn inspect(&self) -> &Value {
        &self.inspect
    }

    fn text(&self, pointer: &str) -> &str {
        let found = self.inspect.pointer(pointer).and_then(Value::as_str);
        found.unwrap_or_default()
    }

    fn is(&self, pointer: &str) -> bool {
        self.inspect.pointer(pointer) == Some(&Value::Bool(true))
    }

    /// Its id.
    pub fn id(&self) -> &str {
        self.text("/Id")
    }

    /// The beginning of its id, by which people know it and containers know themselves.
    pub fn short_id(&self) -> &str {
        self.id().get(..SHORT).unwrap_or(self.id())
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.text("/Name").trim_start_matches('/')
    }

    /// Its labels.
    pub fn labels(&self) -> Labels {
        let labels = self.inspect.pointer("/Config/Labels");
        let labels = labels.and_then(Value::as_object).into_iter().flatten();
        labels
            .map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned()))
            .collect()
    }

    /// The reference by which its image was named.
    pub fn image(&self) -> &str {
        self.text("/Config/Image")
    }

    /// The id of its image.
    pub fn image_id(&self) -> &str {
        self.text("/Image")
    }

    /// Whether it runs.
    pub fn is_running(&self) -> bool {
        self.is("/State/Running")
    }

    /// Whether it ever ran.
    pub fn was_started(&self) -> bool {
        !self.text("/State/StartedAt").starts_with("0001")
            && !self.text("/State/StartedAt").is_empty()
    }

    /// Whether it is being removed, or was and something of it stays: it will not be started again.
    pub fn is_going(&self) -> bool {
        self.is("/State/Dead") || matches!(self.text("/State/Status"), "removing" | "dead")
    }

    /// Whether the engine removes it when it ends (`--rm`).
    pub fn goes_when_it_ends(&self) -> bool {
        self.is("/HostConfig/AutoRemove")
    }

    /// Whether it was injected by the instance.
    pub fn is_injected_by(&self, instance: &Instance) -> bool {
        let labels = self.labels();
        let own = labels.get(label::INSTANCE);
        own.is_some_and(|own| own == instance.as_str()) && labels.contains_key(label::UNDO)
    }

    /// How long it may take to stop by itself before the engine stops it; without end if the engine is to wait for ever.
    pub fn grace(&self) -> Duration {
        /// What the engine gives who says nothing.
        const USUAL: Duration = Duration::from_secs(10);
        let given = self.inspect.pointer("/Config/StopTimeout");
        given.and_then(Value::as_i64).map_or(USUAL, |seconds| {
            u64::try_from(seconds).map_or(Duration::MAX, Duration::from_secs)
        })
    }

    /// Its restart policy.
    pub fn restart_policy(&self) -> Option<&Value> {
        self.inspect.pointer("/HostConfig/RestartPolicy")
    }

    /// What its health check says of it, if it has one.
    pub fn health(&self) -> Option<&str> {
        let health = self.inspect.pointer("/State/Health/Status")?.as_str()?;
        (health != "none").then_some(health)
    }

    /// Containers whose volumes it uses, as it names them.
    pub fn volumes_from(&self) -> Vec<&str> {
        let given = self.inspect.pointer("/HostConfig/VolumesFrom");
        let given = given.and_then(Value::as_array).into_iter().flatten();
        let names = given.filter_map(Value::as_str);
        names
            .map(|name| name.split(':').next().unwrap_or_default())
            .collect()
    }

    /// Why `instance` cannot make it anew, if it cannot.
    pub fn obstacle(&self, instance: &Instance) -> Option<Obstacle> {
        let labels = self.labels();
        let another = |own: &String| own != instance.as_str();
        if labels.contains_key(label::SWARM_TASK) {
            Some(Obstacle::Swarm)
        } else if labels.contains_key(label::ROLE) {
            Some(Obstacle::Dockline)
        } else if labels.contains_key(label::UNDO)
            && labels.get(label::INSTANCE).is_some_and(another)
        {
            Some(Obstacle::OtherInstance)
        } else if self.is_going() {
            Some(Obstacle::Dead)
        } else if self.is("/State/Restarting") {
            Some(Obstacle::Restarting)
        } else if self.is("/State/Paused") {
            Some(Obstacle::Paused)
        } else {
            None
        }
    }

    /// What else will notice that it stops, in words.
    pub fn noticed_by(&self) -> Option<String> {
        let labels = self.labels();
        let project = labels.get(label::COMPOSE_PROJECT)?;
        self.is_running().then(|| {
            format!(
                "a `docker compose up` of project {project} that is in the foreground sees it stop; with \
                 --abort-on-container-exit or --exit-code-from that ends the project"
            )
        })
    }
}
