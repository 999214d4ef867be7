//! The engine is not there, or goes away and comes back.

use std::time::Duration;

use crate::support::dns::{ask, data};
use crate::support::fake_engine::FakeEngine;
use crate::support::{Running, eventually};

use super::{away, by_events_alone, resyncs, shows, watch};
use hickory_server::proto::rr::RecordType;

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_starts_later_is_found() {
    let engine = FakeEngine::start();
    engine.change(|world| {
        world.network("net");
        world.run("web-1", "net");
    });
    // Neither its socket's folder entry nor anybody behind it. On this machine it is looked for often, however long it takes.
    engine.front.stop().await;
    let mut pace = by_events_alone();
    pace.pauses.first = Duration::from_secs(3600);
    pace.pauses.longest = Duration::from_secs(3600);
    let running = watch(&engine, pace).await;
    let problem = away(&running).await;
    assert!(problem.contains("docker.sock"), "{problem}");
    assert!(!running.status().await.ready);
    engine.front.open();
    running.ready().await;
    shows(&running, &engine).await;
    let status = running.status().await.engine;
    assert_eq!((status.connected, status.problem), (true, None));
    running.stop().await;
}

/// The ways in which an engine's connections end.
#[derive(Clone, Copy, Debug)]
enum End {
    Stop,
    Kill,
}

async fn go(engine: &FakeEngine, end: End) {
    match end {
        End::Stop => engine.front.stop().await,
        End::Kill => engine.front.kill().await,
    }
}

async fn old_map_is_served(running: &Running) {
    assert_eq!(running.addresses("web").await, ["10.1.0.2"]);
    assert_eq!(data(&ask(running, "web.", RecordType::A)), ["10.1.0.2"]);
    assert!(
        !running.status().await.ready,
        "not as ready as with an engine"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_engine_is_away_the_last_map_is_served_and_then_everything_is_looked_at() {
    for end in [End::Stop, End::Kill] {
        let engine = FakeEngine::start();
        engine.change(|world| {
            world.network("net");
            world.run("web-1", "net");
            world.run("db-1", "net");
        });
        let running = watch(&engine, by_events_alone()).await;
        running.ready().await;
        for round in 1..=3 {
            assert_eq!(resyncs(&running).await, round, "{end:?}");
            go(&engine, end).await;
            away(&running).await;
            old_map_is_served(&running).await;
            // A new engine knows nothing of what happened before it.
            engine.quietly(|world| {
                world.remove("db-1");
                world.network(&format!("more-{round}"));
                world.run("db-1", &format!("more-{round}"));
                world.connect("db-1", "net");
            });
            engine.forget_events();
            old_map_is_served(&running).await;
            engine.front.open();
            shows(&running, &engine).await;
            eventually("connected", async || {
                running.status().await.engine.connected.then_some(())
            })
            .await;
        }
        // And it is followed again.
        engine.change(|world| world.run("late-1", "net"));
        shows(&running, &engine).await;
        running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_end_are_made_anew() {
    let engine = FakeEngine::start();
    engine.change(|world| {
        world.network("net");
        world.run("web-1", "net");
    });
    let running = watch(&engine, by_events_alone()).await;
    running.ready().await;
    // In good order, and in none.
    for (round, end) in [FakeEngine::end_streams, |e: &FakeEngine| e.front.cut()]
        .into_iter()
        .enumerate()
    {
        eventually("a reader", async || (engine.readers() == 1).then_some(())).await;
        engine.quietly(|world| world.run(&format!("new-{round}"), "net"));
        end(&engine);
        shows(&running, &engine).await;
    }
    eventually("three listings", async || {
        (resyncs(&running).await == 3).then_some(())
    })
    .await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_hangs_is_noticed_and_forgiven() {
    let engine = FakeEngine::start();
    engine.change(|world| {
        world.network("net");
        world.run("web-1", "net");
    });
    let running = watch(&engine, super::by_checks()).await;
    running.ready().await;
    engine.front.stall(true);
    let problem = away(&running).await;
    assert!(problem.contains("no answer from the engine"), "{problem}");
    old_map_is_served(&running).await;
    engine.change(|world| world.run("db-1", "net"));
    engine.front.stall(false);
    shows(&running, &engine).await;
    running.stop().await;
}
