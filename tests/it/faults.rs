//! What dockline must withstand, forced on it by an engine that is none. With real engines: `docker/faults.rs`.

mod absence;
mod answers;
mod events;
mod lives;
mod start;

use std::time::Duration;

use dockline::core::back_off::Pauses;
use dockline::docker::watcher::Pace;

use crate::support::fake_engine::FakeEngine;
use crate::support::{Running, eventually};

/// Nothing is repaired by a look at everything: what is right is right because of the events.
fn by_events_alone() -> Pace {
    Pace {
        check_every: Duration::from_secs(3600),
        ping_every: Duration::from_millis(100),
        pauses: Pauses {
            nearby: Duration::from_millis(5),
            first: Duration::from_millis(5),
            longest: Duration::from_millis(50),
        },
        ..Pace::default()
    }
}

/// A look at everything, again and again.
fn by_checks() -> Pace {
    Pace {
        check_every: Duration::from_millis(100),
        silence: Duration::from_millis(100),
        ..by_events_alone()
    }
}

/// A service that watches every container of the engine, and has no tunnel there.
async fn watch(engine: &FakeEngine, pace: Pace) -> Running {
    Running::launch("fake", &engine.front.host(), |config| {
        config.selector.all = true;
        config.tunnel_image = Some("absent".to_owned());
        config.pace = pace;
    })
    .await
}

/// Waits until the map is that of a fresh listing.
async fn shows(running: &Running, engine: &FakeEngine) {
    eventually("the map of a fresh listing", async || {
        let (seen, true_one) = (running.picture().await, engine.picture());
        if seen == true_one {
            Ok(())
        } else {
            Err(format!("{seen:?}, but it is {true_one:?}"))
        }
    })
    .await;
}

/// Waits until the service says that the engine is away, and why.
async fn away(running: &Running) -> String {
    eventually("away", async || {
        let engine = running.status().await.engine;
        engine.problem.filter(|_| !engine.connected)
    })
    .await
}

async fn resyncs(running: &Running) -> u64 {
    running.status().await.map.resyncs
}
