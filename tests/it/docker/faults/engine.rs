//! The engine is not there, goes away, comes back, or is slow.

use std::time::Duration;

use hickory_server::proto::rr::RecordType;

use super::{is_fresh, made, tunnel_of};
use crate::support::dns::{ask, data};
use crate::support::front::Fault;
use crate::support::relay::{closed_relay, relay};
use crate::support::{Lab, Running, engines, eventually, on_each_engine};

async fn away(running: &Running) {
    eventually("away", async || {
        let engine = running.status().await.engine;
        engine.problem.filter(|_| !engine.connected)
    })
    .await;
}

#[test]
fn a_service_that_starts_before_its_engine_serves_when_the_engine_does() {
    on_each_engine(async |lab| {
        let net = lab.network("net", &[]);
        lab.watched_page("web", &net);
        let front = closed_relay(&lab);
        let running = Running::start(&lab, |config| {
            config.endpoint = dockline::docker::endpoint::parse(&front.host(), None).unwrap();
        })
        .await;
        away(&running).await;
        assert_ne!(running.status().await.tunnel.state, "failed");
        front.open();
        running.joined(&[&net]).await;
        assert_eq!(running.fetch("http", "http://web/"), "hello from web");
        running.stop().await;
        assert_eq!(made(&lab), [""; 0]);
    });
}

#[test]
fn while_the_engine_is_away_names_and_ways_stay_and_then_everything_is_looked_at() {
    on_each_engine(async |lab| {
        let (net, later) = (lab.network("net", &[]), lab.network("later", &[]));
        lab.watched_page("web", &net);
        lab.watched_page("db", &net);
        let front = relay(&lab);
        let running = Running::start(&lab, |config| {
            config.endpoint = dockline::docker::endpoint::parse(&front.host(), None).unwrap();
        })
        .await;
        running.joined(&[&net]).await;
        for round in 1..=2 {
            assert_eq!(running.status().await.map.resyncs, round);
            let web = lab.address("web");
            if round == 1 {
                front.kill().await;
            } else {
                front.stop().await;
            }
            away(&running).await;
            assert_eq!(running.addresses("web").await, [web.as_str()]);
            assert_eq!(data(&ask(&running, "web.", RecordType::A)), [web]);
            assert_eq!(running.fetch("http", "http://web/"), "hello from web");
            // What happens now is told by nobody.
            let new = format!("new{round}");
            lab.docker(&["rm", "-f", &lab.own("db")]);
            lab.watched_page(&new, &later);
            lab.watched_page("db", &later);
            assert!(running.addresses(&new).await.is_empty());
            front.open();
            eventually("known", async || running.addresses(&new).await.pop()).await;
            is_fresh(&running, &lab).await;
            running.joined(&[&net, &later]).await;
            assert_eq!(running.fetch("http", "http://db/"), "hello from db");
        }
        running.stop().await;
        assert_eq!(made(&lab), [""; 0]);
    });
}

#[test]
fn an_engine_that_takes_its_time_gets_the_tunnel_all_the_same() {
    on_each_engine(async |lab| {
        let net = lab.network("net", &[]);
        let front = relay(&lab);
        front.fault("/", Fault::Late(Duration::from_millis(200)));
        let running = Running::start(&lab, |config| {
            config.endpoint = dockline::docker::endpoint::parse(&front.host(), None).unwrap();
        })
        .await;
        lab.watched_page("web", &net);
        running.joined(&[&net]).await;
        assert_eq!(running.fetch("http", "http://web/"), "hello from web");
        lab.docker(&["rm", "-f", &lab.own("web")]);
        running.joined(&[]).await;
        running.stop().await;
        assert_eq!(made(&lab), [""; 0]);
    });
}

/// A check that finds what is not there would end the event stream again and again.
#[test]
fn on_a_quiet_engine_a_check_finds_nothing_to_repair() {
    on_each_engine(async |lab| {
        let range = format!("fd00:d0c:{:x}::/64", 0x100 + std::process::id() % 0xf000);
        let net = lab.network("net", &["--ipv6", "--subnet", &range]);
        let watched = lab.watched();
        lab.watched_page("web", &net);
        let target = format!("{}:friend", lab.own("web"));
        let namespace = format!("container:{}", lab.own("web"));
        let odd: [(&str, &[&str]); 5] = [
            ("host", &["--network", "host"]),
            ("none", &["--network", "none"]),
            ("bridge", &["--network", "bridge"]),
            ("linked", &["--network", &net, "--link", &target]),
            ("side", &["--network", &namespace]),
        ];
        for (name, options) in odd {
            let options = [&["--label", &watched], options].concat();
            lab.start(name, &options, &["sleep", "1000"]);
        }
        lab.start("over", &["--label", &watched, "--network", &net], &["true"]);
        lab.start(
            "paused",
            &["--label", &watched, "--network", &net],
            &["sleep", "1000"],
        );
        lab.docker(&["pause", &lab.own("paused")]);
        let front = relay(&lab);
        let running = Running::start(&lab, |config| {
            config.endpoint = dockline::docker::endpoint::parse(&front.host(), None).unwrap();
            config.pace.check_every = Duration::from_millis(100);
            config.pace.silence = Duration::from_secs(1);
        })
        .await;
        running.joined(&["bridge", &net]).await;
        // Other tests' containers come to the default bridge, and are looked at: these here are quiet.
        let names = [
            "web", "host", "none", "bridge", "linked", "side", "over", "paused",
        ];
        let names = names
            .map(|name| lab.own(name))
            .into_iter()
            .chain([tunnel_of(&lab)]);
        let ids: Vec<_> = names
            .map(|name| lab.docker(&["inspect", "-f", "{{.Id}}", &name]))
            .collect();
        let inspects = || {
            ids.iter()
                .map(|id| front.asked(&format!("GET /containers/{id}/")))
                .sum::<usize>()
        };
        let listings = || front.asked("GET /networks");
        let settled = listings();
        eventually("settled", async || (listings() > settled + 5).then_some(())).await;
        let (listed, inspected) = (listings(), inspects());
        // On a busy machine a listing may have overtaken the first events, and the stream been taken for a silent one.
        let streams = front.asked("GET /events");
        assert!(inspected > 0, "they were looked at");
        eventually("checked", async || (listings() > listed + 20).then_some(())).await;
        assert_eq!(
            (inspects() - inspected, front.asked("GET /events") - streams),
            (0, 0)
        );
        lab.docker(&["unpause", &lab.own("paused")]);
        running.stop().await;
    });
}

#[test]
fn containers_that_live_for_a_moment_leave_nothing_behind() {
    on_each_engine(async |lab| {
        let net = lab.network("net", &[]);
        let running = lab.service().await;
        lab.watched_page("web", &net);
        let watched = lab.watched();
        // Two at a time, on a network that one of them may be the last to leave.
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    for _ in 0..12 {
                        let options = ["run", "--rm", "--label", &watched, "--network", &net];
                        lab.docker(&[&options[..], &[crate::support::IMAGE, "true"]].concat());
                    }
                });
            }
        });
        is_fresh(&running, &lab).await;
        assert_eq!(running.picture().await.len(), 1);
        running.joined(&[&net]).await;
        running.stop().await;
    });
}

/// Only there is one of that name. Not a number, which would be an address.
fn name_on(lab: &Lab) -> String {
    format!("on-{}", lab.engine.name)
}

/// One dockline an engine, side by side in one process of tests.
#[tokio::test(flavor = "multi_thread")]
async fn two_services_on_two_engines_know_nothing_of_one_another() {
    let labs: Vec<_> = engines().into_iter().map(Lab::new).collect();
    let mut all = Vec::new();
    for lab in &labs {
        let net = lab.network("net", &[]);
        lab.watched_page(&name_on(lab), &net);
        let running = lab.service().await;
        running.joined(&[&net]).await;
        all.push(running);
    }
    for running in &all {
        for (lab, other) in labs.iter().zip(&all) {
            let name = name_on(lab);
            let found = running.addresses(&name).await;
            if std::ptr::eq(running, other) {
                assert_eq!(found, [lab.address(&name)]);
                let page = running.fetch("http", &format!("http://{name}/"));
                assert_eq!(page, format!("hello from {name}"));
            } else {
                assert!(found.is_empty(), "{found:?}");
            }
        }
    }
    for running in all {
        running.stop().await;
    }
    for lab in &labs {
        assert_eq!(made(lab), [""; 0]);
    }
}
