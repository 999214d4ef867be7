//! Networks of a swarm: when it is asked about them, and when it is not.

use super::*;
use crate::core::inventory::ServiceEndpoint;

impl Engine {
    /// Makes a network the swarm's.
    pub(super) fn overlay(&mut self, id: &str) {
        self.network(id);
        let network = self.networks.get_mut(&NetworkId::from(id)).unwrap();
        (network.swarm, network.attachable) = (true, true);
        "overlay".clone_into(&mut network.driver);
    }

    /// Adds a task to the network's services, or takes it out.
    pub(super) fn toggle_task(&mut self, network: &str, name: &str) {
        let services = self.services.entry(network.into()).or_default();
        let before = services.endpoints.len();
        services.endpoints.retain(|e| e.name != name);
        if services.endpoints.len() < before {
            return;
        }
        services.endpoints.push(ServiceEndpoint {
            id: name.to_owned(),
            name: name.to_owned(),
            service: None,
            vip: None,
            address: Ipv4Addr::LOCALHOST,
        });
        services.endpoints.sort_by(|a, b| a.id.cmp(&b.id));
    }

    pub(super) fn answer_services(&self, tracker: &mut Tracker, id: &NetworkId, now: Instant) {
        let services = self.services.get(id).cloned().unwrap_or_default();
        let network = self.networks.get(id).cloned();
        tracker.services_listed(id, network.map(|network| (network, services)), now);
    }

    /// Answers at once what is asked before a time has passed; how often that was about services.
    fn wait(&self, tracker: &mut Tracker, now: &mut Instant, time: Duration) -> usize {
        let end = *now + time;
        let mut asked = 0;
        loop {
            while let Some(fetch) = tracker.next_fetch(true) {
                if let Fetch::Services(id) = &fetch {
                    asked += 1;
                    self.answer_services(tracker, id, *now);
                } else {
                    self.answer(tracker, &fetch);
                }
            }
            match tracker.next_tick() {
                Some(at) if at <= end => {
                    *now = at.max(*now);
                    tracker.tick(*now);
                }
                _ => {
                    *now = end;
                    return asked;
                }
            }
        }
    }
}

/// What is known of all networks' services.
pub(super) fn services(tracker: &Tracker) -> Vec<(NetworkId, Services)> {
    let inventory = tracker.inventory();
    let networks = inventory.with_services().cloned();
    networks
        .map(|id| {
            let services = (**inventory.services(&id).unwrap()).clone();
            (id, services)
        })
        .collect()
}

fn names(tracker: &Tracker) -> Vec<String> {
    let all = services(tracker).into_iter();
    all.flat_map(|(_, services)| services.endpoints)
        .map(|e| e.name)
        .collect()
}

/// web (watched) is on ov; nobody who is watched is on far-ov.
fn swarm() -> Engine {
    let mut engine = shop();
    engine.overlay("ov");
    engine.overlay("far-ov");
    engine.watched("web-ov", &["ov"]);
    engine.container("other", &[], &["far-ov"]);
    engine.toggle_task("ov", "t1");
    engine
}

#[test]
fn the_swarm_is_asked_about_the_networks_of_watched_containers_alone() {
    let mut engine = swarm();
    let mut tracker = tracker();
    tracker.subscribed();
    let asked = |fetched: Vec<Fetch>| {
        let of_swarm = |fetch: &Fetch| matches!(fetch, Fetch::Services(_));
        fetched.into_iter().filter(of_swarm).collect::<Vec<_>>()
    };
    assert_eq!(
        asked(engine.answer_all(&mut tracker)),
        [Fetch::Services("ov".into())]
    );
    assert_eq!(names(&tracker), ["t1"]);
    engine.connect("other", "net");
    observe(&mut tracker, 1, connected("other", "net"));
    assert_eq!(asked(engine.answer_all(&mut tracker)), []);
    engine.connect("web", "far-ov");
    observe(&mut tracker, 2, connected("web", "far-ov"));
    assert_eq!(
        asked(engine.answer_all(&mut tracker)),
        [Fetch::Services("far-ov".into())]
    );
    engine.disconnect("web-ov", "ov");
    observe(&mut tracker, 3, disconnected("web-ov", "ov"));
    engine.answer_all(&mut tracker);
    assert_eq!(names(&tracker), [""; 0], "nobody there is watched any more");
    assert_eq!(services(&tracker).len(), 1);
}

#[test]
fn the_first_picture_waits_for_the_swarm() {
    let engine = swarm();
    let mut tracker = tracker();
    tracker.subscribed();
    let mut last = None;
    while let Some(fetch) = tracker.next_fetch(true) {
        if matches!(fetch, Fetch::Services(_)) {
            last = Some(fetch);
        } else {
            engine.answer(&mut tracker, &fetch);
        }
    }
    assert!(!tracker.is_synced());
    engine.answer(&mut tracker, &last.unwrap());
    assert!(tracker.is_synced());
}

#[test]
fn the_swarm_is_asked_soon_after_news_and_rarely_without() {
    let mut engine = swarm();
    let mut tracker = engine.fresh();
    let mut now = Instant::now();
    let minute = Duration::from_secs(60);
    engine.wait(&mut tracker, &mut now, minute);
    assert_eq!(engine.wait(&mut tracker, &mut now, minute), 15);
    // Nobody tells what happens on another node.
    engine.toggle_task("ov", "t2");
    engine.wait(&mut tracker, &mut now, Duration::from_secs(4));
    assert_eq!(names(&tracker), ["t1", "t2"]);
    engine.wait(&mut tracker, &mut now, minute);
    // What an event tells of is looked at at once, and again before a task is told to stop.
    observe(&mut tracker, 1, EventKind::SwarmChanged);
    assert_eq!(engine.wait(&mut tracker, &mut now, Duration::ZERO), 1);
    engine.toggle_task("ov", "t2");
    engine.wait(&mut tracker, &mut now, Duration::from_millis(500));
    assert_eq!(names(&tracker), ["t1"]);
    engine.wait(&mut tracker, &mut now, minute);
    assert_eq!(engine.wait(&mut tracker, &mut now, minute), 15);
}

#[test]
fn what_happens_to_a_container_there_leads_to_looking() {
    let mut engine = swarm();
    engine.container("task", &[], &["ov"]);
    let mut tracker = engine.fresh();
    for (time, kind) in [
        EventKind::Started { id: "task".into() },
        EventKind::Killed {
            id: "task".into(),
            signal: 15,
        },
        disconnected("task", "ov"),
        connected("task", "ov"),
        EventKind::Died { id: "task".into() },
    ]
    .into_iter()
    .enumerate()
    {
        observe(&mut tracker, time as u64 + 1, kind.clone());
        let fetched = engine.answer_all(&mut tracker);
        assert!(fetched.contains(&Fetch::Services("ov".into())), "{kind:?}");
    }
}

#[test]
fn after_a_gap_the_swarm_is_asked_again_and_a_swarm_that_was_left_is_forgotten() {
    let mut engine = swarm();
    let mut tracker = engine.fresh();
    engine.toggle_task("ov", "t2");
    tracker.subscribed();
    assert_eq!(names(&tracker), ["t1"], "the old picture stands");
    engine.answer_all(&mut tracker);
    assert_eq!(names(&tracker), ["t1", "t2"]);
    engine.disconnect("web-ov", "ov");
    engine.networks.remove(&NetworkId::from("ov"));
    let gone = EventKind::NetworkDestroyed { id: "ov".into() };
    observe(&mut tracker, 1, gone);
    engine.answer_all(&mut tracker);
    assert!(services(&tracker).is_empty());
    assert_eq!(tracker.next_tick(), None, "nothing is asked any more");
}
