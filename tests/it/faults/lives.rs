//! Containers that live for a moment, take long to start, or are mistaken for one another.

use crate::support::eventually;
use crate::support::fake_engine::FakeEngine;
use crate::support::front::Fault;

use super::{by_events_alone, resyncs, shows, watch};

fn engine() -> FakeEngine {
    let engine = FakeEngine::start();
    engine.change(|world| {
        world.network("net");
        world.run("web-1", "net");
    });
    engine
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_containers_that_live_for_a_moment_leave_nothing_behind() {
    let engine = engine();
    let running = watch(&engine, by_events_alone()).await;
    running.ready().await;
    let names = running.status().await.map.names;
    for count in 0..200 {
        // One change: when dockline looks, it is gone.
        engine.change(|world| {
            let name = format!("brief{count}-1");
            world.run(&name, "net");
            world.remove(&name);
        });
        // Another one that dockline may or may not catch alive.
        let name = format!("short{count}-1");
        engine.change(|world| world.run(&name, "net"));
        engine.change(|world| world.remove(&name));
    }
    engine.change(|world| world.run("last-1", "net"));
    shows(&running, &engine).await;
    engine.change(|world| world.remove("last-1"));
    shows(&running, &engine).await;
    assert_eq!(running.status().await.map.names, names);
    assert_eq!(resyncs(&running).await, 1, "by the events alone");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn inspects_that_wait_for_a_start_delay_no_other_name() {
    let engine = engine();
    let running = watch(&engine, by_events_alone()).await;
    running.ready().await;
    // More than are asked for at a time.
    let slow: Vec<_> = (0..60).map(|count| format!("slow{count}-1")).collect();
    let events = engine.quietly(|world| {
        for name in &slow {
            world.run(name, "net");
            engine.front.fault(
                &format!("GET /containers/{}/json", world.id(name)),
                Fault::Held,
            );
        }
    });
    engine.tell(&events);
    engine.change(|world| world.run("quick-1", "net"));
    eventually("the quick one's name", async || {
        running.addresses("quick").await.pop()
    })
    .await;
    engine.change(|world| world.rename("web-1", "shop-1"));
    eventually("the new name", async || {
        running.addresses("shop-1").await.pop()
    })
    .await;
    assert!(running.addresses("slow7").await.is_empty());
    for name in &slow {
        let mut pattern = String::new();
        engine.quietly(|world| pattern = format!("GET /containers/{}/json", world.id(name)));
        engine.front.mend(&pattern);
    }
    shows(&running, &engine).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_inspect_that_answers_after_its_container_is_gone_brings_nobody_back() {
    let engine = engine();
    let running = watch(&engine, by_events_alone()).await;
    running.ready().await;
    let mut id = String::new();
    let events = engine.quietly(|world| {
        world.run("db-1", "net");
        id = world.id("db-1");
    });
    // Answered with what was true before the removal, and delivered after it.
    engine.front.fault(
        &format!("GET /containers/{id}/json"),
        Fault::Late(std::time::Duration::from_millis(50)),
    );
    engine.tell(&events);
    engine.change(|world| world.remove("db-1"));
    engine.change(|world| world.run("db-2", "net"));
    shows(&running, &engine).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_and_addresses_that_are_used_again_belong_to_the_new_container() {
    let engine = engine();
    let running = watch(&engine, by_events_alone()).await;
    running.ready().await;
    for _ in 0..20 {
        engine.change(|world| {
            world.remove("web-1");
            // The address that was web's, and the name, at another one.
            world.run("db-1", "net");
            world.run("web-1", "net");
        });
        shows(&running, &engine).await;
        assert_eq!(running.addresses("web").await, ["10.1.0.3"]);
        assert_eq!(running.addresses("db").await, ["10.1.0.2"]);
        engine.change(|world| {
            world.remove("db-1");
            world.remove("web-1");
            world.run("web-1", "net");
        });
        shows(&running, &engine).await;
        assert_eq!(running.addresses("web").await, ["10.1.0.2"]);
        assert!(running.addresses("db").await.is_empty());
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_that_is_used_again_means_the_new_container() {
    let engine = engine();
    let running = watch(&engine, by_events_alone()).await;
    running.ready().await;
    for round in 0..20 {
        let name = format!("other{round}-1");
        engine.change(|world| {
            let old = if round == 0 {
                "web-1".to_owned()
            } else {
                format!("other{}-1", round - 1)
            };
            let id = world.id(&old);
            world.remove(&old);
            world.run_with_id(&id, &name, "net");
        });
        shows(&running, &engine).await;
    }
    assert!(running.addresses("web").await.is_empty());
    assert_eq!(running.addresses("other19").await, ["10.1.0.2"]);
    running.stop().await;
}

/// The last event is told again to whoever subscribes from its time on; it may arrive before the first listing does.
#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_ready_knows_everything() {
    for round in 0..50 {
        let engine = engine();
        let running = watch(&engine, by_events_alone()).await;
        running.ready().await;
        assert_eq!(
            running.picture().await,
            engine.picture(),
            "in round {round}"
        );
        assert_eq!(running.addresses("web").await, ["10.1.0.2"]);
        running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_happens_during_the_first_listing_is_in_the_map() {
    type Deed = fn(&mut crate::support::world::World);
    let deeds: [Deed; 5] = [
        |world| world.rename("web-1", "shop-1"),
        |world| world.disconnect("web-1", "net"),
        |world| world.remove("web-1"),
        |world| world.run("db-1", "net"),
        |world| {
            world.network("more");
            world.connect("web-1", "more");
        },
    ];
    for deed in deeds {
        for late in ["GET /containers/json", "GET /networks", "GET /events"] {
            let engine = engine();
            engine
                .front
                .fault(late, Fault::Late(std::time::Duration::from_millis(50)));
            let running = watch(&engine, by_events_alone()).await;
            eventually("asked", async || {
                (engine.front.asked(late) > 0).then_some(())
            })
            .await;
            engine.change(deed);
            running.ready().await;
            shows(&running, &engine).await;
            assert_eq!(resyncs(&running).await, 1, "by the events alone");
            running.stop().await;
        }
    }
}
