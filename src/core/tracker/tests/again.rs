//! What is looked at again: by a check, by a new subscription, after a failure.

use super::*;

#[test]
fn a_check_looks_only_at_what_differs() {
    let mut engine = shop();
    let mut tracker = engine.fresh();
    tracker.check();
    assert_eq!(engine.answer_all(&mut tracker), [Fetch::Listing]);
    // Missed: a reconnect, and a removal.
    engine.disconnect("db", "net");
    engine.connect("db", "net");
    engine.containers.remove(&ContainerId::from("far"));
    tracker.check();
    let fetched = engine.answer_all(&mut tracker);
    assert_eq!(fetched, [Fetch::Listing, Fetch::Container("db".into())]);
    assert_eq!(picture(&tracker), picture(&engine.fresh()));
}

#[test]
fn the_old_picture_stands_until_the_new_one_is_there() {
    let engine = shop();
    let mut tracker = engine.fresh();
    tracker.subscribed();
    assert!(!tracker.is_synced());
    assert_eq!(ids(&tracker), ["db", "web"]);
    engine.answer_all(&mut tracker);
    assert!(tracker.is_synced());
}

#[test]
fn a_failed_fetch_is_tried_again() {
    let mut engine = shop();
    let mut tracker = engine.fresh();
    engine.connect("far", "net");
    observe(&mut tracker, 1, connected("far", "net"));
    let fetch = tracker.next_fetch(true).unwrap();
    tracker.failed(fetch.clone(), Instant::now());
    assert_eq!(tracker.next_fetch(true), None);
    let at = tracker.next_tick().unwrap();
    tracker.tick(at);
    assert_eq!(tracker.next_fetch(true), Some(fetch));
}

#[test]
fn a_failure_does_not_hold_up_the_first_picture() {
    let engine = shop();
    let mut tracker = tracker();
    tracker.subscribed();
    while let Some(fetch) = tracker.next_fetch(true) {
        if fetch == Fetch::Listing {
            engine.answer(&mut tracker, &fetch);
        } else {
            tracker.failed(fetch, Instant::now());
        }
    }
    assert!(tracker.is_synced());
}
