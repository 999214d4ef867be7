//! Answers that come late, are refusals, or make no sense.

use std::time::Duration;

use crate::support::eventually;
use crate::support::fake_engine::FakeEngine;
use crate::support::front::Fault;

use super::{away, by_events_alone, resyncs, shows, watch};

fn engine() -> FakeEngine {
    let engine = FakeEngine::start();
    engine.change(|world| {
        world.network("net");
        world.run("web-1", "net");
    });
    engine
}

fn nonsense() -> [Fault; 6] {
    [
        Fault::Instead(500, "{\"message\":\"no space left on device\"}"),
        Fault::Instead(503, "<html><h1>Service Unavailable</h1></html>"),
        Fault::Instead(200, "<html>please log in</html>"),
        Fault::Instead(200, "{\"Id\":"),
        Fault::Instead(200, "[[[1,2],3],\"\\u0000\"]"),
        Fault::Broken,
    ]
}

const NEEDED: [&str; 4] = [
    "GET /version",
    "GET /info",
    "GET /containers/json",
    "GET /networks",
];

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_instead_of_a_first_answer_is_said_and_asked_again() {
    for path in NEEDED {
        for fault in nonsense() {
            let engine = engine();
            engine.front.fault(path, fault.clone());
            let running = watch(&engine, by_events_alone()).await;
            let problem = away(&running).await;
            assert!(problem.len() > 10, "{path} {fault:?}: {problem}");
            assert!(!running.status().await.ready);
            eventually("asked again", async || {
                (engine.front.asked(path) > 2).then_some(())
            })
            .await;
            engine.front.mend(path);
            running.ready().await;
            shows(&running, &engine).await;
            running.stop().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_after_a_reconnect_leaves_the_last_map() {
    for path in NEEDED {
        let engine = engine();
        let running = watch(&engine, by_events_alone()).await;
        running.ready().await;
        for fault in nonsense() {
            let before = resyncs(&running).await;
            engine.front.fault(path, fault);
            engine.front.cut();
            away(&running).await;
            assert_eq!(running.addresses("web").await, ["10.1.0.2"]);
            engine.front.mend(path);
            eventually("a full listing", async || {
                (resyncs(&running).await > before).then_some(())
            })
            .await;
        }
        shows(&running, &engine).await;
        running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_about_one_container_hides_no_other() {
    let engine = engine();
    let running = watch(&engine, by_events_alone()).await;
    running.ready().await;
    for (round, fault) in nonsense().into_iter().enumerate() {
        let mut pattern = String::new();
        let name = format!("odd{round}-1");
        let events = engine.quietly(|world| {
            world.run(&name, "net");
            pattern = format!("GET /containers/{}/json", world.id(&name));
        });
        engine.front.fault(&pattern, fault);
        engine.tell(&events);
        eventually("asked for", async || {
            (engine.front.asked(&pattern) > 0).then_some(())
        })
        .await;
        engine.change(|world| world.run(&format!("good{round}-1"), "net"));
        eventually("the good one", async || {
            running.addresses(&format!("good{round}")).await.pop()
        })
        .await;
        engine.front.mend(&pattern);
    }
    // Each is asked for again after a while.
    shows(&running, &engine).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_is_slow_to_answer_is_followed_all_the_same() {
    let engine = engine();
    engine
        .front
        .fault("GET /", Fault::Late(Duration::from_millis(200)));
    let running = watch(&engine, by_events_alone()).await;
    running.ready().await;
    for count in 0..5 {
        engine.change(|world| {
            let name = format!("new{count}-1");
            world.run(&name, "net");
            world.rename(&name, &format!("newer{count}-1"));
        });
    }
    engine.change(|world| world.remove("newer3-1"));
    shows(&running, &engine).await;
    assert_eq!(resyncs(&running).await, 1);
    running.stop().await;
}
