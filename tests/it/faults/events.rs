//! Events that come twice, not at all, in the wrong order, too many at once, or no more.

use std::time::Duration;

use dockline::docker::watcher::Pace;

use crate::support::eventually;
use crate::support::fake_engine::FakeEngine;
use crate::support::front::Fault;

use super::{by_checks, by_events_alone, resyncs, shows, watch};

/// An engine with a life in it, and a service that has seen it.
fn engine() -> FakeEngine {
    let engine = FakeEngine::start();
    engine.change(|world| {
        for net in ["one", "two"] {
            world.network(net);
        }
        for name in ["web-1", "db-1", "old-1"] {
            world.run(name, "one");
        }
    });
    engine
}

/// Something of everything.
fn live(world: &mut crate::support::world::World) {
    world.run("cache-1", "two");
    world.connect("web-1", "two");
    world.rename("db-1", "store-1");
    world.disconnect("store-1", "one");
    world.connect("store-1", "two");
    world.remove("old-1");
    world.run("old-1", "one");
    world.network("three");
    world.run("brief-1", "three");
    world.remove("brief-1");
    world.remove_network("three");
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_come_twice_change_nothing() {
    let engine = engine();
    let running = watch(&engine, by_events_alone()).await;
    running.ready().await;
    let events = engine.quietly(live);
    let twice: Vec<_> = events.iter().flat_map(|e| [e.clone(), e.clone()]).collect();
    engine.tell(&twice);
    // And once more, long after.
    engine.tell(&events);
    shows(&running, &engine).await;
    assert_eq!(resyncs(&running).await, 1, "by the events alone");
    running.stop().await;
}

/// A shuffle that is the same in every run.
fn shuffled<T: Clone>(items: &[T], seed: u64) -> Vec<T> {
    let mut items = items.to_vec();
    let mut state = seed;
    for at in (1..items.len()).rev() {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let other = usize::try_from(state >> 33).unwrap() % (at + 1);
        items.swap(at, other);
    }
    items
}

#[tokio::test(flavor = "multi_thread")]
async fn events_in_any_order_end_in_the_same_map() {
    for seed in 0..25 {
        let engine = engine();
        let running = watch(&engine, by_events_alone()).await;
        running.ready().await;
        let events = engine.quietly(live);
        engine.tell(&shuffled(&events, seed));
        shows(&running, &engine).await;
        assert_eq!(resyncs(&running).await, 1, "by the events alone");
        running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lost_events_would_have_said_is_found_by_the_next_check() {
    let engine = engine();
    let running = watch(&engine, by_checks()).await;
    running.ready().await;
    let events = engine.quietly(live);
    let every_third: Vec<_> = events.iter().step_by(3).cloned().collect();
    engine.tell(&every_third);
    shows(&running, &engine).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_events_at_once_than_the_engine_remembers_are_all_seen() {
    let engine = engine();
    let running = watch(&engine, by_events_alone()).await;
    running.ready().await;
    engine.change(|world| {
        for count in 0..200 {
            world.run(&format!("burst{count}-1"), "two");
        }
    });
    shows(&running, &engine).await;
    assert_eq!(resyncs(&running).await, 1, "by the events alone");
    assert_eq!(running.addresses("burst199").await.len(), 1);
    running.stop().await;
}

/// The listing is there before the subscription, and what happens in between is more than the engine remembers.
#[tokio::test(flavor = "multi_thread")]
async fn a_ring_that_overflows_before_the_subscription_is_made_good() {
    let engine = engine();
    engine.front.fault("GET /events", Fault::Held);
    let running = watch(&engine, by_checks()).await;
    running.ready().await;
    engine.change(|world| {
        world.run("first-1", "one");
        for _ in 0..100 {
            world.run("brief-1", "two");
            world.remove("brief-1");
        }
    });
    engine.front.mend("GET /events");
    shows(&running, &engine).await;
    running.stop().await;
}

async fn quiet_checks(engine: &FakeEngine, count: usize) {
    let before = engine.front.asked("GET /networks");
    eventually("checks", async || {
        (engine.front.asked("GET /networks") >= before + count).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_stalls_without_an_end_is_replaced() {
    let engine = engine();
    let running = watch(&engine, by_checks()).await;
    running.ready().await;
    assert_eq!(engine.front.asked("GET /events"), 1);
    quiet_checks(&engine, 3).await;
    // From here on the stream is open, and nothing comes.
    engine.quietly(live);
    shows(&running, &engine).await;
    eventually("another stream", async || {
        (engine.front.asked("GET /events") == 2).then_some(())
    })
    .await;
    eventually("a full listing", async || {
        (resyncs(&running).await == 2).then_some(())
    })
    .await;
    // The new one is alive, and stays.
    engine.change(|world| world.run("late-1", "one"));
    shows(&running, &engine).await;
    quiet_checks(&engine, 10).await;
    assert_eq!(engine.front.asked("GET /events"), 2);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_talks_nonsense_is_replaced() {
    let engine = engine();
    let running = watch(&engine, by_events_alone()).await;
    running.ready().await;
    let nonsense: [&[u8]; 4] = [
        b"<html>502 Bad Gateway</html>\n",
        b"{\"Type\":7}\n",
        b"\xff\xfe\x00\n",
        b"]\n",
    ];
    for (round, bytes) in (2..).zip(nonsense) {
        eventually("a reader", async || (engine.readers() == 1).then_some(())).await;
        engine.quietly(|world| world.run(&format!("new{round}-1"), "one"));
        engine.babble(bytes);
        shows(&running, &engine).await;
        eventually("a full listing", async || {
            (resyncs(&running).await == round).then_some(())
        })
        .await;
    }
    running.stop().await;
}

/// A check may see what happened before the event of it arrives.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_comes_a_moment_late_does_not_cost_the_stream() {
    let engine = engine();
    let pace = Pace {
        silence: Duration::from_secs(3600),
        ..by_checks()
    };
    let running = watch(&engine, pace).await;
    running.ready().await;
    for _ in 0..5 {
        quiet_checks(&engine, 3).await;
        let events = engine.quietly(|world| {
            world.remove("web-1");
            world.run("web-1", "one");
        });
        quiet_checks(&engine, 2).await;
        engine.tell(&events);
        shows(&running, &engine).await;
    }
    assert_eq!(engine.front.asked("GET /events"), 1);
    running.stop().await;
}
