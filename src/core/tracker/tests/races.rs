//! What overtakes what: answers, events, listings and signals.

use super::*;
use crate::core::label::Labels;

#[test]
fn a_listing_that_lags_behind_a_start_loses_nobody() {
    let mut engine = shop();
    engine.container("late", &[], &["net"]);
    // The listing shows it as it was before its start, and the event of its connect was before our time.
    let mut listing = engine.listing();
    let shown = listing
        .containers
        .iter_mut()
        .find(|c| c.name == "late")
        .unwrap();
    (shown.state, shown.endpoints) = (RunState::Stopped, BTreeMap::new());
    let mut tracker = tracker();
    tracker.subscribed();
    assert_eq!(tracker.next_fetch(true), Some(Fetch::Listing));
    tracker.listed(listing, Instant::now());
    engine.answer_all(&mut tracker);
    assert_eq!(ids(&tracker), ["db", "web"]);
    observe(&mut tracker, 1, EventKind::Started { id: "late".into() });
    engine.answer_all(&mut tracker);
    assert_eq!(picture(&tracker), picture(&engine.fresh()));
}

#[test]
fn what_happens_while_a_listing_is_on_its_way_is_not_undone_by_it() {
    let mut engine = shop();
    let mut tracker = engine.fresh();
    tracker.check();
    let fetch = tracker.next_fetch(true).unwrap();
    let before = engine.clone();
    engine.connect("far", "net");
    observe(&mut tracker, 1, connected("far", "net"));
    engine.watched("new", &["other"]);
    let labels = Labels::from_iter([(INSTANCE.to_owned(), "default".to_owned())]);
    observe(
        &mut tracker,
        2,
        EventKind::Created {
            id: "new".into(),
            labels,
        },
    );
    engine.containers.remove(&ContainerId::from("db"));
    observe(&mut tracker, 3, EventKind::Destroyed { id: "db".into() });
    before.answer(&mut tracker, &fetch);
    engine.answer_all(&mut tracker);
    assert_eq!(picture(&tracker), picture(&engine.fresh()));
}

#[test]
fn an_inspect_older_than_a_connect_does_not_undo_it_where_nobody_cares_yet() {
    let mut engine = shop();
    engine.network("quiet");
    let mut tracker = engine.fresh();
    engine.container("late", &[], &[]);
    let created = EventKind::Created {
        id: "late".into(),
        labels: Labels::new(),
    };
    observe(&mut tracker, 1, created);
    observe(&mut tracker, 2, EventKind::Started { id: "late".into() });
    let fetch = tracker.next_fetch(true).unwrap();
    let before = engine.clone();
    engine.connect("late", "quiet");
    observe(&mut tracker, 3, connected("late", "quiet"));
    before.answer(&mut tracker, &fetch);
    engine.answer_all(&mut tracker);
    // Now its network matters.
    engine.connect("web", "quiet");
    observe(&mut tracker, 4, connected("web", "quiet"));
    engine.answer_all(&mut tracker);
    assert_eq!(picture(&tracker), picture(&engine.fresh()));
}

#[test]
fn a_kill_that_overtakes_the_inspect_is_remembered() {
    let mut engine = shop();
    let mut tracker = engine.fresh();
    engine.watched("brief", &["other"]);
    observe(&mut tracker, 1, connected("brief", "other"));
    let fetch = tracker.next_fetch(true).unwrap();
    observe(&mut tracker, 2, connected("brief", "other"));
    observe(
        &mut tracker,
        3,
        EventKind::Killed {
            id: "brief".into(),
            signal: 15,
        },
    );
    engine.answer(&mut tracker, &fetch);
    engine.answer_all(&mut tracker);
    assert!(tracker.inventory().containers()[&ContainerId::from("brief")].stopping);
}

#[test]
fn the_tunnel_is_known_to_have_joined_before_its_inspect_says_so() {
    let mut engine = shop();
    engine.container(
        "tun",
        &[(INSTANCE, "default"), (ROLE, ROLE_TUNNEL)],
        &["other"],
    );
    let mut tracker = engine.fresh();
    observe(&mut tracker, 1, connected("tun", "net"));
    let tunnel = &tracker.inventory().containers()[&ContainerId::from("tun")].container;
    assert!(tunnel.endpoint(&"net".into()).is_some());
}

#[test]
fn a_silent_stream_is_found_out_by_a_check() {
    let mut engine = shop();
    let mut tracker = engine.fresh();
    tracker.check();
    engine.answer_all(&mut tracker);
    assert!(!tracker.is_stalled(), "nothing happened");
    observe(&mut tracker, 1, EventKind::Changed { id: "far".into() });
    engine.disconnect("db", "net");
    engine.connect("db", "net");
    tracker.check();
    engine.answer_all(&mut tracker);
    assert!(
        !tracker.is_stalled(),
        "a stream that says something may have lost an event"
    );
    engine.disconnect("db", "net");
    engine.connect("db", "net");
    tracker.check();
    engine.answer_all(&mut tracker);
    assert!(tracker.is_stalled());
    tracker.subscribed();
    assert!(!tracker.is_stalled());
}

#[test]
fn a_blocked_inspect_holds_up_neither_the_first_picture_nor_a_listing() {
    let engine = shop();
    let mut tracker = tracker();
    tracker.subscribed();
    let fetch = tracker.next_fetch(true).unwrap();
    engine.answer(&mut tracker, &fetch);
    while tracker.next_fetch(true).is_some() {}
    assert!(!tracker.is_synced());
    let at = tracker.next_tick().unwrap();
    tracker.tick(at);
    assert!(tracker.is_synced());
    tracker.check();
    assert_eq!(tracker.next_fetch(false), Some(Fetch::Listing));
}

#[test]
fn a_check_that_failed_is_made_again() {
    let engine = shop();
    let mut tracker = engine.fresh();
    for _ in 0..2 {
        tracker.check();
        assert_eq!(tracker.next_fetch(true), Some(Fetch::Listing));
        assert!(tracker.failed(Fetch::Listing, Instant::now()));
    }
}

#[test]
fn a_start_is_not_undone_by_an_inspect_from_between_two_runs() {
    let mut engine = shop();
    let mut tracker = engine.fresh();
    engine.watched("job", &[]);
    let created = EventKind::Created {
        id: "job".into(),
        labels: Labels::from_iter([(INSTANCE.to_owned(), "default".to_owned())]),
    };
    observe(&mut tracker, 1, created);
    let fetch = tracker.next_fetch(true).unwrap();
    let first_run = engine.clone();
    observe(&mut tracker, 2, EventKind::Started { id: "job".into() });
    observe(&mut tracker, 3, EventKind::Died { id: "job".into() });
    // Out of date, and all there is.
    first_run.answer(&mut tracker, &fetch);
    let fetch = tracker.next_fetch(true).unwrap();
    let mut between = engine.clone();
    between.stop("job");
    observe(&mut tracker, 4, EventKind::Started { id: "job".into() });
    between.answer(&mut tracker, &fetch);
    engine.answer_all(&mut tracker);
    assert_eq!(picture(&tracker), picture(&engine.fresh()));
}

#[test]
fn an_answer_older_than_an_event_is_asked_for_again() {
    let mut engine = shop();
    let mut tracker = engine.fresh();
    engine.connect("far", "net");
    observe(&mut tracker, 1, connected("far", "net"));
    let fetch = tracker.next_fetch(true).unwrap();
    let seen = engine.clone();
    engine.disconnect("far", "net");
    observe(&mut tracker, 2, disconnected("far", "net"));
    seen.answer(&mut tracker, &fetch);
    engine.answer_all(&mut tracker);
    assert_eq!(picture(&tracker), picture(&engine.fresh()));
}

#[test]
fn an_answer_that_comes_after_the_removal_brings_nobody_back() {
    let mut engine = shop();
    let mut tracker = engine.fresh();
    observe(&mut tracker, 1, EventKind::Changed { id: "web".into() });
    let fetch = tracker.next_fetch(true).unwrap();
    let seen = engine.clone();
    engine.containers.remove(&ContainerId::from("web"));
    observe(&mut tracker, 2, EventKind::Destroyed { id: "web".into() });
    seen.answer(&mut tracker, &fetch);
    assert_eq!(engine.answer_all(&mut tracker), []);
    assert_eq!(ids(&tracker), Vec::<&str>::new());
}

#[test]
fn a_late_disconnect_does_not_undo_a_newer_connect() {
    let engine = shop();
    let mut tracker = engine.fresh();
    observe(&mut tracker, 9, connected("db", "net"));
    engine.answer_all(&mut tracker);
    observe(&mut tracker, 5, disconnected("db", "net"));
    assert_eq!(
        engine.answer_all(&mut tracker),
        [Fetch::Container("db".into())]
    );
    assert_eq!(picture(&tracker), picture(&engine.fresh()));
}
