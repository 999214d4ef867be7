//! An attachable overlay network, on an engine that is made a swarm of its own: services, their tasks, and containers
//! beside them.
//!
//! A swarm changes the whole engine, and leaving it takes the names of all containers: nothing else may run there.

mod hamlet;

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Instant;

use super::compare::{self, Tally};
use super::facts;
use super::watch::Watch;
use crate::support::{PATIENCE, Running, eventually, on_each_engine};
use hamlet::Hamlet;

/// The questions of all rounds.
type Found = BTreeMap<&'static str, usize>;

#[test]
#[ignore = "makes a swarm of the engine: `cargo xtask test` runs it alone"]
fn names_on_a_swarms_network_mean_what_they_mean_to_docker() {
    on_each_engine(async |lab| {
        let Some(hamlet) = Hamlet::found(&lab).await else {
            return;
        };
        let watch = Watch::start(&lab);
        let (mut asked, mut found) = (0, Found::new());
        for step in Hamlet::STEPS {
            hamlet.take(step).await;
            let tally = agree(&hamlet, &watch, step.what).await;
            asked += tally.asked;
            for (kind, count) in tally.found {
                *found.entry(kind).or_default() += count;
            }
        }
        println!(
            "swarm: engine {}: {asked} questions, 0 mismatches; found {found:?}",
            lab.engine.name
        );
        for kind in hamlet::KINDS {
            assert!(found.contains_key(kind), "{kind}: {found:?}");
        }
    });
}

/// Asks everything, until dockline and the engine say the same: neither knows of a change at the very moment.
async fn agree(hamlet: &Hamlet<'_>, watch: &Watch, what: &str) -> Tally {
    let give_up = Instant::now() + PATIENCE;
    for attempt in 1.. {
        let map = watch.settled(hamlet.lab).await;
        let mut facts = facts::of(hamlet.lab);
        facts[0].addresses.extend(hamlet.virtual_addresses());
        let candidates = hamlet.candidates(&facts);
        let mut tally = Tally::default();
        let place = format!(
            "engine {} after {what}, attempt {attempt}",
            hamlet.lab.engine.name
        );
        let compared = compare::compare(&map, &facts, &candidates, (&place, &mut tally)).await;
        if compared.is_some() && tally.mismatches == 0 {
            return tally;
        }
        assert!(
            Instant::now() < give_up,
            "no agreement; see the lines above"
        );
    }
    unreachable!("attempts end in time");
}

#[test]
#[ignore = "makes a swarm of the engine: `cargo xtask test` runs it alone"]
fn a_swarms_network_is_reached_through_the_tunnel() {
    on_each_engine(async |lab| {
        let Some(hamlet) = Hamlet::found(&lab).await else {
            return;
        };
        let running = lab.service().await;
        running.joined(&[&hamlet.net, &hamlet.local]).await;
        let plain = hamlet.name("plain");
        assert_eq!(
            running.fetch("http", &format!("http://{plain}/")),
            "hello from plain"
        );
        reaches_tasks(&hamlet, &running).await;
        running.stop().await;
    });
}

#[test]
#[ignore = "makes a swarm of the engine: `cargo xtask test` runs it alone"]
fn a_swarms_tasks_are_neither_attached_nor_detached() {
    on_each_engine(async |lab| {
        let Some(hamlet) = Hamlet::found(&lab).await else {
            return;
        };
        let running = lab.service().await;
        let before = eventually("two tasks", async || {
            let tasks = hamlet.tasks("web");
            (tasks.len() == 2).then_some(tasks)
        })
        .await;
        let folder = running.control.parent().unwrap();
        for command in ["attach", "detach"] {
            let mut refused = Command::new(env!("CARGO_BIN_EXE_dockline"));
            refused.args([command, &before[0], "--instance", &lab.name]);
            refused.args(["--host", &lab.engine.host]);
            let refused = refused
                .env("DOCKLINE_RUNTIME_DIR", folder)
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&refused.stderr);
            assert_eq!(refused.status.code(), Some(1), "{said}");
            assert!(said.contains("swarm"), "{said}");
        }
        assert_eq!(hamlet.tasks("web"), before);
        running.stop().await;
    });
}

/// Tasks by name and by address; and what the virtual address leads to, where the kernel can do that (IPVS).
async fn reaches_tasks(hamlet: &Hamlet<'_>, running: &Running) {
    let (lab, web) = (hamlet.lab, hamlet.name("web"));
    let tasks = eventually("two tasks", async || {
        let tasks = running.addresses(&format!("tasks.{web}")).await;
        (tasks.len() == 2).then_some(tasks)
    })
    .await;
    for task in &tasks {
        assert_eq!(
            running.fetch("http", &format!("http://{task}/")),
            "hello from web"
        );
    }
    let page = running.fetch("http", &format!("http://tasks.{web}/"));
    assert_eq!(page, "hello from web");
    let [vip] = running
        .addresses(&format!("{web}.{}", hamlet.net))
        .await
        .try_into()
        .unwrap();
    let c = hamlet.name("c");
    let names = [vip.as_str(), &web, "front", &format!("tasks.{web}")];
    for name in names {
        let route = running.route(name, Some(&c)).await;
        let way = (route.via.as_str(), route.network.as_ref());
        assert_eq!(way, ("tunnel", Some(&hamlet.net)), "{name}");
    }
    let found = running.resolve("front", Some(&c)).await;
    let why = format!(
        "service front on {} (first by network order); lost: ",
        hamlet.net
    );
    assert!(found.why.as_ref().unwrap().starts_with(&why), "{found:?}");
    assert_eq!(found.source, ["service-alias"]);
    let fetch = [
        "exec",
        &hamlet.name("c"),
        "wget",
        "-q",
        "-O",
        "-",
        &format!("http://{vip}/"),
    ];
    if lab.try_docker(&fetch).status.success() {
        let page = running.fetch("http", &format!("http://{web}.{}/", hamlet.net));
        assert_eq!(page, "hello from web");
    } else {
        println!("left out: this kernel leads nobody from a virtual address to a task (no IPVS)");
    }
}
