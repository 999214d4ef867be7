//! Properties: whatever order things happen and arrive in, the picture ends as a fresh one.

use proptest::prelude::*;

use super::services::services;
use super::*;

const CONTAINERS: [&str; 5] = ["c0", "c1", "c2", "c3", "c4"];
const NETWORKS: [&str; 4] = ["n0", "n1", "n2", "n3"];
/// One of them, which is a swarm's.
const OVERLAY: &str = "n3";

/// Something that happens to the engine or to the tracker.
#[derive(Clone, Debug)]
enum Step {
    Create {
        container: usize,
        watched: bool,
        lender: Option<usize>,
    },
    Toggle {
        container: usize,
        network: usize,
    },
    Stop {
        container: usize,
    },
    Start {
        container: usize,
    },
    Remove {
        container: usize,
    },
    /// A task comes or goes on the swarm's network. The event may be missing: then the swarm is asked in time.
    Serve {
        task: usize,
        told: bool,
    },
    Check,
    /// The engine answers the next fetch from what is so now …
    See,
    /// … and an answer on its way arrives, not always the oldest.
    Arrive {
        nth: usize,
    },
    /// The next event arrives.
    Hear,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let container = 0..CONTAINERS.len();
    let step = prop_oneof![
        (
            container.clone(),
            any::<bool>(),
            prop::option::weighted(0.2, container.clone())
        )
            .prop_map(|(container, watched, lender)| Step::Create {
                container,
                watched,
                lender
            }),
        (container.clone(), 0..NETWORKS.len())
            .prop_map(|(container, network)| Step::Toggle { container, network }),
        (container.clone(), 0..NETWORKS.len())
            .prop_map(|(container, network)| Step::Toggle { container, network }),
        container
            .clone()
            .prop_map(|container| Step::Stop { container }),
        container
            .clone()
            .prop_map(|container| Step::Start { container }),
        container.prop_map(|container| Step::Remove { container }),
        (0..3_usize, any::<bool>()).prop_map(|(task, told)| Step::Serve { task, told }),
        Just(Step::Check),
        Just(Step::See),
        (0..3_usize).prop_map(|nth| Step::Arrive { nth }),
        Just(Step::Hear),
        Just(Step::Hear),
    ];
    prop::collection::vec(step, 0..80)
}

/// The engine, its event stream, and answers on their way.
struct World {
    engine: Engine,
    events: Vec<Event>,
    answers: Vec<(Engine, Fetch)>,
    tracker: Tracker,
    clock: u64,
    created: usize,
    /// The present id of each container: ids are never used twice.
    ids: [Option<String>; CONTAINERS.len()],
}

impl World {
    fn new() -> Self {
        let mut engine = Engine::default();
        for network in NETWORKS {
            engine.network(network);
        }
        engine.overlay(OVERLAY);
        let tracker = engine.fresh();
        let ids = Default::default();
        Self {
            engine,
            events: Vec::new(),
            answers: Vec::new(),
            tracker,
            clock: 0,
            created: 0,
            ids,
        }
    }

    fn emit(&mut self, kind: EventKind) {
        self.clock += 1;
        self.events.push(Event {
            time: self.clock,
            kind,
        });
    }

    fn play(&mut self, step: &Step) {
        match *step {
            Step::Create {
                container,
                watched,
                lender,
            } => self.create(container, watched, lender),
            Step::Toggle { container, network } => self.toggle(container, NETWORKS[network]),
            Step::Stop { container } => self.stop(container),
            Step::Start { container } => self.start(container),
            Step::Remove { container } => {
                if let Some(id) = self.ids[container].take() {
                    self.engine.containers.remove(&ContainerId::from(&id));
                    self.emit(EventKind::Destroyed { id: id.into() });
                }
            }
            Step::Serve { task, told } => {
                self.engine.toggle_task(OVERLAY, &format!("t{task}"));
                if told {
                    self.emit(EventKind::SwarmChanged);
                }
            }
            Step::Check => self.tracker.check(),
            Step::See => {
                if let Some(fetch) = self.tracker.next_fetch(true) {
                    self.answers.push((self.engine.clone(), fetch));
                }
            }
            Step::Arrive { nth } => {
                if !self.answers.is_empty() {
                    let (seen, fetch) = self.answers.remove(nth % self.answers.len());
                    seen.answer(&mut self.tracker, &fetch);
                }
            }
            Step::Hear => {
                if !self.events.is_empty() {
                    let event = self.events.remove(0);
                    self.tracker.observe(event, Instant::now());
                }
            }
        }
    }

    fn create(&mut self, container: usize, watched: bool, lender: Option<usize>) {
        if self.ids[container].is_some() {
            return;
        }
        self.created += 1;
        let id = format!("{}-{}", CONTAINERS[container], self.created);
        let own = [(INSTANCE, "default")];
        self.engine
            .container(&id, if watched { &own } else { &[] }, &[]);
        let created = self
            .engine
            .containers
            .get_mut(&ContainerId::from(&id))
            .unwrap();
        created.state = RunState::Stopped;
        if let Some(lender) = lender.and_then(|l| self.ids[l].as_ref()) {
            created.network_mode = NetworkMode::Container(lender.into());
        }
        let labels = (*created.labels).clone();
        self.ids[container] = Some(id.clone());
        self.emit(EventKind::Created {
            id: id.into(),
            labels,
        });
    }

    fn running(&self, container: usize) -> Option<(String, bool)> {
        let id = self.ids[container].clone()?;
        let running = self.engine.containers[&ContainerId::from(&id)].state == RunState::Running;
        Some((id, running))
    }

    fn toggle(&mut self, container: usize, network: &str) {
        let Some((id, true)) = self.running(container) else {
            return;
        };
        let facts = &self.engine.containers[&ContainerId::from(&id)];
        if facts.network_mode.lender().is_some() {
            return;
        }
        if facts.endpoint(&network.into()).is_some() {
            self.engine.disconnect(&id, network);
            self.emit(disconnected(&id, network));
            self.emit(disconnected(&id, network));
        } else {
            self.engine.connect(&id, network);
            self.emit(connected(&id, network));
        }
    }

    fn stop(&mut self, container: usize) {
        let Some((id, true)) = self.running(container) else {
            return;
        };
        self.engine.stop(&id);
        self.emit(EventKind::Died { id: id.into() });
    }

    fn start(&mut self, container: usize) {
        let Some((id, false)) = self.running(container) else {
            return;
        };
        let facts = self
            .engine
            .containers
            .get_mut(&ContainerId::from(&id))
            .unwrap();
        facts.state = RunState::Running;
        self.emit(EventKind::Started { id: id.into() });
    }

    /// Everything that is on its way arrives.
    fn settle(&mut self) {
        while !self.events.is_empty() {
            self.play(&Step::Hear);
        }
        while !self.answers.is_empty() {
            self.play(&Step::Arrive { nth: 0 });
        }
        self.engine.answer_all(&mut self.tracker);
        self.tracker.tick(Instant::now() + Duration::from_secs(5));
        self.engine.answer_all(&mut self.tracker);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn any_interleaving_ends_in_the_picture_of_a_fresh_listing(steps in steps()) {
        let mut world = World::new();
        for step in &steps {
            world.play(step);
        }
        world.settle();
        prop_assert_eq!(picture(&world.tracker), picture(&world.engine.fresh()));
        prop_assert_eq!(services(&world.tracker), services(&world.engine.fresh()));
    }

    #[test]
    fn lost_doubled_and_reordered_events_are_repaired_by_a_listing(
        steps in steps(),
        mischief in prop::collection::vec((any::<prop::sample::Index>(), 0..3_u8), 0..20),
    ) {
        let mut world = World::new();
        for step in &steps {
            world.play(step);
            for (index, kind) in &mischief {
                if world.events.len() < 2 { continue }
                let at = index.index(world.events.len());
                match kind {
                    0 => drop(world.events.remove(at)),
                    1 => world.events.push(world.events[at].clone()),
                    _ => world.events.swap(0, at),
                }
                world.events.truncate(100);
            }
        }
        world.settle();
        world.tracker.subscribed();
        world.settle();
        prop_assert_eq!(picture(&world.tracker), picture(&world.engine.fresh()));
        prop_assert_eq!(services(&world.tracker), services(&world.engine.fresh()));
    }
}
