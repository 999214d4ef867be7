use std::collections::BTreeSet;

use tokio::sync::watch;
use tokio::time::advance;

use super::*;
use crate::core::engine_state::EngineState;
use crate::core::membership::Leases;
use crate::core::sample::{self, id, network_id};

/// A driver of a tunnel on an engine that is not there.
fn driver(map: Arc<NetworkMap>) -> Driver {
    let nowhere = docker::endpoint::parse("unix:///nonexistent/engine.sock", None).unwrap();
    Driver {
        client: Client::new(nowhere),
        instance: "x".parse().unwrap(),
        owner: String::new(),
        image: None,
        engine: watch::channel(EngineState::default()).1,
        map: watch::channel(map).1,
        leases: watch::channel(Leases::default()).1,
    }
}

/// A former tunnel, at home and on a network that nobody needs.
fn map(is_up: bool, is_needed: bool) -> Arc<NetworkMap> {
    let (state, needs) = (
        if is_up { "run" } else { "stop" },
        if is_needed { "run" } else { "stop" },
    );
    let entry = if is_needed {
        "172.20.0.9:8790"
    } else {
        "172.20.0.8:8790"
    };
    Arc::new(sample::map(&format!(
        "
        net home 172.20.0.0/16
        net net 172.21.0.0/16
        {state} former tunnel home=172.20.0.9 net=172.21.0.9
        {needs} caller watched home=172.20.0.2 label=dockline.entry={entry}"
    )))
}

/// Whatever becomes of it, nobody is woken by a moment that is over: that would be at once, and for ever.
#[tokio::test(start_paused = true)]
async fn nothing_is_to_be_looked_at_in_the_past() {
    let home = network_id("home");
    let states = [(true, true), (true, false), (false, true), (false, false)];
    let mut seen = BTreeSet::new();
    for first in states {
        for second in states {
            let mut formers = Formers::new(&[id("former")]);
            for (is_up, is_needed) in [first, second, second] {
                let map = map(is_up, is_needed);
                formers.step(&driver(Arc::clone(&map)), &map, &home);
                // Every attempt comes to its end, and then there is time for what was put off.
                while !formers.running.is_empty() || formers.all[0].operations.is_busy() {
                    formers.next_done().await;
                }
                formers.step(&driver(Arc::clone(&map)), &map, &home);
                let wake = formers.next_wake();
                assert!(
                    wake.is_none_or(|wake| wake > Instant::now()),
                    "{first:?} {second:?}: {wake:?}"
                );
                seen.insert((is_up, is_needed, wake.is_some()));
                advance(AGAIN * 20).await;
                formers.step(&driver(Arc::clone(&map)), &map, &home);
                let wake = formers.next_wake();
                assert!(
                    wake.is_none_or(|wake| wake > Instant::now()),
                    "{first:?} {second:?}, later: {wake:?}"
                );
            }
        }
    }
    // One that nobody needs is looked at again, and one that is down and needed is left alone.
    assert!(
        seen.contains(&(false, false, true)) && seen.contains(&(false, true, false)),
        "{seen:?}"
    );
}
