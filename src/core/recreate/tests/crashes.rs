//! An engine in small, on which everything may end after any step, and again while that is mended.

mod engine;

use std::time::Duration;

use self::engine::Engine;
use crate::core::recreate::recovery::{Act, Wish, recover};

/// How one container takes another's place.
#[expect(
    clippy::struct_excessive_bools,
    reason = "all combinations of them are cases"
)]
#[derive(Clone, Copy, Debug)]
struct Case {
    running: bool,
    /// Whether the one before wrote files.
    wrote: bool,
    /// Whether the engine removes it when it ends.
    goes: bool,
    /// Whether the new one is intercepted, or the one before was.
    attach: bool,
}

fn own(extra: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
    let fixed = [("dockline.instance", "default"), ("dockline.undo", "{}")];
    let all = fixed.iter().chain(extra);
    all.map(|(k, v)| (*k, (*v).to_owned())).collect()
}

/// The engine after each step, from before the first to after the last.
fn history(case: Case) -> Vec<Engine> {
    let mut engine = Engine {
        goes: case.goes,
        ..Engine::default()
    };
    let mut states = Vec::new();
    let (before, after) = if case.attach {
        (vec![], own(&[("dockline.replaces", "old")]))
    } else {
        (own(&[]), vec![])
    };
    engine.make("old", "web", "nginx", before);
    engine.start("old");
    if !case.running {
        engine.goes = false;
        engine.end("old");
        engine.goes = case.goes;
    }
    let goes = case.goes && case.running;
    let kept = goes || (case.wrote && !case.running);
    states.push(engine.clone());
    let image = if kept {
        "dockline/kept:default.old"
    } else {
        "nginx"
    };
    engine.make("first", "web.dockline-new", image, after.clone());
    states.push(engine.clone());
    let mut new = "first";
    if case.running {
        if goes {
            states.push(engine.removing("old"));
        }
        engine.end("old");
        states.push(engine.clone());
        if case.wrote && !goes {
            new = "second";
            engine.make(new, "web.dockline-kept", "dockline/kept:default.old", after);
            states.push(engine.clone());
        }
    }
    if !goes {
        if !case.goes {
            engine.of("old").policy = "no";
            states.push(engine.clone());
        }
        engine.rename("old", "web.dockline-backup");
        states.push(engine.clone());
    }
    if goes {
        engine.start(new);
        states.push(engine.clone());
    }
    engine.rename(new, "web");
    states.push(engine.clone());
    if case.running && !goes {
        engine.start(new);
        states.push(engine.clone());
    }
    if new != "first" {
        engine.containers.remove("first");
        states.push(engine.clone());
    }
    if !goes {
        states.push(engine.removing("old"));
    }
    engine.containers.remove("old");
    states.push(engine);
    states
}

fn cases() -> impl Iterator<Item = Case> {
    (0..16_u8).map(|bits| Case {
        running: bits & 1 > 0,
        wrote: bits & 2 > 0,
        goes: bits & 4 > 0,
        attach: bits & 8 > 0,
    })
}

#[test]
fn after_a_crash_at_any_step_there_is_one_of_the_two_and_it_is_whole() {
    for case in cases() {
        for (step, state) in history(case).into_iter().enumerate() {
            for wish in [Wish::Settled, Wish::Back, Wish::Unbegun] {
                let mut engine = state.clone();
                engine.settle(wish);
                let what = format!("{case:?} after step {step}, {wish:?}: {engine:?}");
                assert_eq!(engine.containers.len(), 1, "{what}");
                let (id, left) = engine.containers.first_key_value().unwrap();
                assert_eq!(left.name, "web", "{what}");
                assert_eq!(left.policy, "always", "{what}");
                // One that the engine would have removed at its end was started by its own wish alone.
                if !case.goes || case.running {
                    assert_eq!(left.running, case.running, "{what}");
                }
                // Whoever has the one before gets it back.
                let before = state.containers.get("old");
                if wish != Wish::Settled && before.is_some_and(|old| !old.dead) {
                    assert_eq!(id, "old", "{what}");
                }
            }
        }
    }
}

#[test]
fn one_that_runs_in_its_place_is_not_taken_back_without_need() {
    for case in cases().filter(|case| case.running) {
        let mut history = history(case);
        history.retain(|state| state.containers.get("old").is_none_or(|old| !old.dead));
        history.truncate(history.len() - 1);
        let mut last = history.pop().unwrap();
        last.settle(Wish::Settled);
        assert!(!last.containers.contains_key("old"), "{case:?}");
    }
}

#[test]
fn one_that_may_be_about_to_stop_is_started_again_once() {
    for case in cases().filter(|case| case.running) {
        let made = history(case).remove(1);
        let restart = Act::Restart("old".to_owned(), Duration::from_secs(10));
        assert!(!made.acts(Wish::Unbegun).contains(&restart), "{case:?}");
        assert!(made.acts(Wish::Settled).contains(&restart), "{case:?}");
        let mut restarted = made;
        restarted.act(&restart);
        assert!(
            !restarted.acts(Wish::Settled).contains(&restart),
            "{case:?}"
        );
    }
}

#[test]
fn what_carries_no_label_is_somebody_elses() {
    for names in [
        ["web", "web.dockline-new"],
        ["web", "web.dockline-backup"],
        ["web.dockline-new", "web.dockline-kept"],
    ] {
        let mut engine = Engine::default();
        for name in names {
            engine.make(name, name, "nginx", vec![]);
        }
        assert_eq!(engine.acts(Wish::Settled), [], "{names:?}");
        assert_eq!(engine.acts(Wish::Back), [], "{names:?}");
    }
}

#[test]
fn what_another_instance_is_at_is_its_own() {
    let other = "other".parse().unwrap();
    for case in cases() {
        for state in history(case) {
            assert_eq!(
                recover(&state.there(), &other, Wish::Settled),
                [],
                "{case:?}: {state:?}"
            );
        }
    }
}

#[test]
fn one_that_somebody_removed_does_not_come_back() {
    let mut engine = Engine::default();
    engine.make(
        "first",
        "web.dockline-new",
        "nginx",
        own(&[("dockline.replaces", "old")]),
    );
    assert_eq!(
        engine.acts(Wish::Settled),
        [Act::Remove("first".to_owned())]
    );
}
