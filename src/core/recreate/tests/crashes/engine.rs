//! As much of an engine as matters here.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::core::recreate::recovery::{Act, Wish, recover};
use crate::core::recreate::{Original, Place};

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Container {
    pub(super) name: String,
    pub(super) running: bool,
    /// Whether the engine is removing it.
    pub(super) dead: bool,
    pub(super) started: u32,
    pub(super) created: u32,
    pub(super) ended: u32,
    pub(super) policy: &'static str,
    pub(super) image: String,
    pub(super) labels: Vec<(&'static str, String)>,
}

/// The engine's word for it.
const NEVER: &str = "0001-01-01T00:00:00Z";

/// Containers by their ids, and a clock of seconds.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Engine {
    pub(super) clock: u32,
    pub(super) containers: BTreeMap<String, Container>,
    pub(super) goes: bool,
}

impl Engine {
    pub(super) fn tick(&mut self) -> u32 {
        self.clock += 1;
        self.clock
    }

    pub(super) fn make(
        &mut self,
        id: &str,
        name: &str,
        image: &str,
        labels: Vec<(&'static str, String)>,
    ) {
        let container = Container {
            name: name.to_owned(),
            running: false,
            dead: false,
            started: 0,
            created: self.tick(),
            ended: 0,
            policy: "always",
            image: image.to_owned(),
            labels,
        };
        self.containers.insert(id.to_owned(), container);
    }

    pub(super) fn of(&mut self, id: &str) -> &mut Container {
        self.containers.get_mut(id).unwrap()
    }

    pub(super) fn end(&mut self, id: &str) {
        let now = self.tick();
        let container = self.of(id);
        if std::mem::take(&mut container.running) {
            container.ended = now;
            if self.goes {
                self.containers.remove(id);
            }
        }
    }

    /// The same, when the engine has begun to remove one.
    pub(super) fn removing(&self, id: &str) -> Self {
        let mut engine = self.clone();
        engine.goes = false;
        engine.end(id);
        engine.goes = self.goes;
        engine.of(id).dead = true;
        engine
    }

    pub(super) fn start(&mut self, id: &str) {
        let now = self.tick();
        let container = self.of(id);
        assert!(!container.dead, "marked for removal");
        (container.running, container.started) = (true, now);
    }

    pub(super) fn rename(&mut self, id: &str, name: &str) {
        assert!(
            !self.containers.values().any(|c| c.name == name),
            "{name} is taken"
        );
        name.clone_into(&mut self.of(id).name);
    }

    pub(super) fn there(&self) -> BTreeMap<Place, Original> {
        let seen = |(id, c): (&String, &Container)| {
            let (place, known) = Place::read(&c.name);
            assert_eq!(known, "web");
            let time = |clock: u32| match clock {
                0 => NEVER.to_owned(),
                clock => format!("2026-11-22T00:00:{clock:02}.5Z"),
            };
            let labels = c.labels.iter().map(|(k, v)| ((*k).to_owned(), json!(v)));
            let inspect = json!({
                "Id": id, "Name": format!("/{}", c.name), "Created": time(c.created),
                "State": {
                    "Running": c.running,
                    "Dead": c.dead,
                    "StartedAt": time(c.started),
                    "FinishedAt": time(c.ended),
                },
                "Config": { "Image": c.image, "Labels": Value::Object(labels.collect()) },
                "HostConfig": { "AutoRemove": self.goes, "RestartPolicy": { "Name": c.policy } },
            });
            (place, Original::new(inspect))
        };
        self.containers.iter().map(seen).collect()
    }

    pub(super) fn act(&mut self, act: &Act) {
        match act {
            Act::Kill(id) => self.end(id),
            Act::Policy(id, policy) => {
                assert_eq!(policy["Name"], "always");
                assert!(!self.of(id).dead, "marked for removal");
                self.of(id).policy = "always";
            }
            Act::Rename(id, place) => self.rename(id, &place.of("web")),
            Act::Start(id) | Act::Restart(id, _) => self.start(id),
            Act::Remove(id) => drop(self.containers.remove(id)),
        }
    }

    pub(super) fn acts(&self, wish: Wish) -> Vec<Act> {
        recover(&self.there(), &"default".parse().unwrap(), wish)
    }

    /// Until nothing is left to do.
    pub(super) fn settle(&mut self, wish: Wish) {
        for _ in 0..20 {
            let Some(act) = self.acts(wish).first().cloned() else {
                return;
            };
            // Only the first of them: then everything ends, and somebody else comes.
            self.act(&act);
        }
        panic!("never settled: {self:?}");
    }
}
