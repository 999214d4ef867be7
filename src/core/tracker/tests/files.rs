//! Hosts files and old links: what no event tells.

use super::*;
use crate::core::inventory::Link;

fn fetches(tracker: &mut Tracker, engine: &Engine) -> Vec<Fetch> {
    let mut fetched = Vec::new();
    while let Some(fetch) = tracker.next_fetch(true) {
        engine.answer(tracker, &fetch);
        fetched.push(fetch);
    }
    fetched
}

fn file_of(tracker: &Tracker, id: &str) -> Option<Arc<HostsFile>> {
    tracker.inventory().containers()[&id.into()].hosts.clone()
}

fn hosts(id: &str) -> Fetch {
    Fetch::Hosts(id.into())
}

fn inspect(id: &str) -> Fetch {
    Fetch::Container(id.into())
}

#[test]
fn files_of_watched_containers_come_last_and_nobody_waits_for_them() {
    let engine = shop();
    let mut tracker = tracker();
    tracker.subscribed();
    let listing = tracker.next_fetch(true).unwrap();
    engine.answer(&mut tracker, &listing);
    for expected in [inspect("db"), inspect("web")] {
        let fetch = tracker.next_fetch(true);
        assert_eq!(fetch, Some(expected.clone()));
        engine.answer(&mut tracker, &expected);
    }
    assert!(tracker.is_synced());
    assert_eq!(fetches(&mut tracker, &engine), [hosts("web")]);
    assert_eq!(
        file_of(&tracker, "web").as_deref(),
        engine.hosts(&"web".into()).as_ref()
    );
}

#[test]
fn a_file_is_read_again_when_its_container_joins_and_leaves() {
    let mut engine = shop();
    let mut tracker = engine.fresh();
    engine.connect("web", "other");
    observe(&mut tracker, 1, connected("web", "other"));
    let fetched = fetches(&mut tracker, &engine);
    assert!(fetched.ends_with(&[hosts("web")]), "{fetched:?}");
    engine.disconnect("web", "other");
    observe(&mut tracker, 2, disconnected("web", "other"));
    assert_eq!(file_of(&tracker, "web"), None, "it names the old address");
    assert_eq!(fetches(&mut tracker, &engine), [hosts("web")]);
    assert!(file_of(&tracker, "web").is_some());
    engine.stop("web");
    observe(&mut tracker, 3, EventKind::Died { id: "web".into() });
    assert_eq!(file_of(&tracker, "web"), None);
    assert_eq!(fetches(&mut tracker, &engine), []);
}

#[test]
fn who_is_back_on_the_default_bridge_is_asked_whether_it_kept_dockers_resolver() {
    let mut engine = Engine::default();
    engine.network("bridge");
    engine.network("net");
    let bridge = engine.networks.get_mut(&"bridge".into()).unwrap();
    bridge.default_bridge = true;
    engine.watched("web", &["bridge", "net"]);
    engine.watched("old", &["bridge"]);
    let web = engine.containers.get_mut(&"web".into()).unwrap();
    for endpoint in &mut web.endpoints {
        endpoint.dns_names = Some(Vec::new());
    }
    let asks_docker =
        |tracker: &Tracker, id: &str| tracker.inventory().containers()[&id.into()].asks_docker;
    let mut tracker = engine.fresh();
    assert_eq!(asks_docker(&tracker, "web"), None);
    assert_eq!(
        asks_docker(&tracker, "old"),
        None,
        "its engine has no names there"
    );
    engine.disconnect("web", "net");
    observe(&mut tracker, 1, disconnected("web", "net"));
    assert_eq!(
        fetches(&mut tracker, &engine),
        [hosts("web"), Fetch::Resolver("web".into())]
    );
    assert_eq!(asks_docker(&tracker, "web"), Some(true));
    engine.connect("web", "net");
    observe(&mut tracker, 2, connected("web", "net"));
    fetches(&mut tracker, &engine);
    assert_eq!(asks_docker(&tracker, "web"), None);
}

#[test]
fn a_file_that_is_held_back_is_read_once_for_many_changes() {
    let mut engine = shop();
    let mut tracker = engine.fresh();
    tracker.hold_files(true);
    for time in 1..4 {
        engine.connect("web", "other");
        observe(&mut tracker, time * 2, connected("web", "other"));
        assert_eq!(fetches(&mut tracker, &engine).pop(), Some(inspect("web")));
        engine.disconnect("web", "other");
        observe(&mut tracker, time * 2 + 1, disconnected("web", "other"));
        assert_eq!(fetches(&mut tracker, &engine), []);
    }
    assert!(tracker.has_files());
    tracker.hold_files(false);
    assert_eq!(fetches(&mut tracker, &engine), [hosts("web")]);
    assert!(!tracker.has_files());
}

#[test]
fn a_lender_has_its_file_read_as_long_as_it_lends() {
    let mut engine = shop();
    let mut tracker = engine.fresh();
    assert_eq!(file_of(&tracker, "db"), None, "db is not watched");
    engine.watched("side", &[]);
    let side = engine.containers.get_mut(&"side".into()).unwrap();
    side.network_mode = NetworkMode::Container("db".into());
    observe(
        &mut tracker,
        1,
        EventKind::Created {
            id: "side".into(),
            labels: Labels::from_iter([(INSTANCE.to_owned(), "default".to_owned())]),
        },
    );
    assert_eq!(
        fetches(&mut tracker, &engine),
        [inspect("side"), hosts("db")]
    );
    assert!(file_of(&tracker, "db").is_some());
    engine.stop("side");
    observe(&mut tracker, 2, EventKind::Died { id: "side".into() });
    assert_eq!(file_of(&tracker, "db"), None);
}

#[test]
fn a_lenders_file_is_read_after_its_end() {
    let mut engine = shop();
    engine.watched("side", &[]);
    let side = engine.containers.get_mut(&"side".into()).unwrap();
    side.network_mode = NetworkMode::Container("web".into());
    let mut tracker = engine.fresh();
    engine.stop("web");
    observe(&mut tracker, 1, EventKind::Died { id: "web".into() });
    assert_eq!(fetches(&mut tracker, &engine), [hosts("web")]);
    assert_eq!(
        file_of(&tracker, "web"),
        Some(Arc::new(HostsFile::parse("")))
    );
    engine.stop("side");
    observe(&mut tracker, 2, EventKind::Died { id: "side".into() });
    assert_eq!(file_of(&tracker, "web"), None, "nobody has it now");
}

#[test]
fn a_file_that_was_forgotten_on_its_way_and_matters_again_is_asked_for_again() {
    let mut engine = shop();
    engine.watched("side", &[]);
    let side = engine.containers.get_mut(&"side".into()).unwrap();
    side.network_mode = NetworkMode::Container("db".into());
    let mut tracker = engine.fresh();
    observe(&mut tracker, 1, EventKind::Changed { id: "db".into() });
    engine.answer(&mut tracker, &inspect("db"));
    while tracker.next_fetch(true) != Some(hosts("db")) {}
    let before = engine.clone();
    engine.stop("side");
    observe(&mut tracker, 2, EventKind::Died { id: "side".into() });
    let side = engine.containers.get_mut(&"side".into()).unwrap();
    side.state = RunState::Running;
    observe(&mut tracker, 3, EventKind::Started { id: "side".into() });
    let fetch = tracker.next_fetch(true).unwrap();
    engine.answer(&mut tracker, &fetch);
    before.answer(&mut tracker, &hosts("db"));
    engine.answer_all(&mut tracker);
    assert_eq!(picture(&tracker), picture(&engine.fresh()));
}

#[test]
fn a_file_that_cannot_be_read_is_done_without() {
    let engine = shop();
    let mut tracker = engine.fresh();
    observe(&mut tracker, 1, EventKind::Changed { id: "web".into() });
    engine.answer(&mut tracker, &inspect("web"));
    while let Some(fetch) = tracker.next_fetch(true) {
        assert!(tracker.failed(fetch, Instant::now()));
    }
    assert!(tracker.is_synced());
}

#[test]
fn who_is_linked_is_looked_at_when_its_target_is_renamed_restarted_or_gone() {
    let mut engine = Engine::default();
    engine.network("bridge");
    let bridge = engine.networks.get_mut(&"bridge".into()).unwrap();
    bridge.default_bridge = true;
    engine.watched("target", &["bridge"]);
    engine.watched("linked", &["bridge"]);
    engine.watched("other", &["bridge"]);
    engine.link("linked", "target");
    let mut tracker = engine.fresh();

    // The engine shows the new name in the links as well, and tells of the target alone.
    engine.rename("target", "new");
    engine.link("linked", "new");
    observe(
        &mut tracker,
        1,
        EventKind::Changed {
            id: "target".into(),
        },
    );
    assert_eq!(
        engine.answer_all(&mut tracker),
        [inspect("target"), inspect("linked")]
    );
    engine.disconnect("target", "bridge");
    engine.connect("target", "bridge");
    observe(&mut tracker, 2, connected("target", "bridge"));
    assert_eq!(
        engine.answer_all(&mut tracker),
        [inspect("target"), inspect("linked")]
    );
    engine.containers.remove(&"target".into());
    observe(
        &mut tracker,
        3,
        EventKind::Destroyed {
            id: "target".into(),
        },
    );
    assert_eq!(engine.answer_all(&mut tracker), [inspect("linked")]);
}

impl Engine {
    /// A file that changes with every connect and disconnect, and nobody can compute.
    pub(super) fn hosts(&self, id: &ContainerId) -> Option<HostsFile> {
        let endpoints = &self.containers.get(id)?.endpoints;
        let lines = endpoints
            .iter()
            .map(|e| format!("192.0.2.1 {}", e.endpoint_id));
        Some(HostsFile::parse(&lines.collect::<Vec<_>>().join("\n")))
    }

    fn link(&mut self, id: &str, target: &str) {
        let container = self.containers.get_mut(&id.into()).unwrap();
        container.endpoints[0].links = vec![Link {
            target: target.to_owned(),
            alias: "alias".to_owned(),
        }];
    }

    fn rename(&mut self, id: &str, name: &str) {
        let container = self.containers.get_mut(&id.into()).unwrap();
        name.clone_into(&mut container.name);
    }
}
