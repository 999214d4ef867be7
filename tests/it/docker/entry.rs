//! The entry: what containers send by it, with dockline and without.
//!
//! Clients and servers are this test's own sockets in the network namespaces of containers: so they can do what no client in
//! an image would.

mod apart;
mod deaths;
mod http;
mod inside;
mod many;
mod own_proxy;
pub(super) mod recorder;
mod shares;
mod tls;
mod upgrade;

use inside::Inside;
use recorder::Recorder;

use super::commands::Served;
use crate::support::{Lab, Running, eventually, on_each_engine};
use dockline::config::{Config, Interception};
use dockline::gateway::Interceptor;

/// A container that does nothing, watched and on that network, by whose namespace the test is there.
fn resident(lab: &Lab, name: &str, network: &str, options: &[&str]) -> Option<Inside> {
    let watched = lab.watched();
    let fixed = [
        "--label",
        &watched,
        "--network",
        network,
        "--network-alias",
        name,
    ];
    lab.start(name, &[&fixed[..], options].concat(), &["sleep", "1000"]);
    let inside = Inside::of(lab, name);
    if inside.is_none() {
        println!("skipped: the engine's containers cannot be entered from here");
    }
    inside
}

/// What most tests here begin with: a network, an interceptor, who calls, and a page of `web`'s.
async fn scene(lab: &Lab) -> Option<(String, Recorder, Inside)> {
    let net = lab.network("net", &[]);
    let recorder = Recorder::new().await;
    let client = resident(lab, "client", &net, &[])?;
    lab.serve_page("web", &["--network", &net, "--network-alias", "web"]);
    Some((net, recorder, client))
}

/// A service that hands on to `recorder`.
pub(super) async fn intercepted(lab: &Lab, recorder: &Recorder) -> Running {
    intercepted_with(lab, recorder, |_| {}).await
}

pub(super) async fn intercepted_with(
    lab: &Lab,
    recorder: &Recorder,
    change: impl FnOnce(&mut Config),
) -> Running {
    let interceptor = Interceptor::at(&recorder.address().to_string()).unwrap();
    let running = Running::start(lab, |config| {
        config.interception = Interception::External(interceptor);
        change(config);
    })
    .await;
    running.ready().await;
    recorder.use_gateway(running.gateway);
    eventually("interceptor and link", async || {
        let status = running.status().await;
        let there = status.interceptor.is_some_and(|i| i.reachable);
        (there && status.tunnel.link.state == "up").then_some(())
    })
    .await;
    running
}

/// The tunnel's name on every network, as containers have it.
fn tunnel(lab: &Lab) -> String {
    format!("dockline-tunnel-{}", lab.name)
}

#[test]
fn status_tells_of_entry_link_and_interceptor() {
    on_each_engine(async |lab| {
        let recorder = Recorder::new().await;
        let running = intercepted(&lab, &recorder).await;
        let status = running.status().await;
        let entry = format!("http://{}:8790", tunnel(&lab));
        assert_eq!(status.tunnel.entry, Some(entry));
        let interceptor = status.interceptor.unwrap();
        assert_eq!(interceptor.kind, "external");
        assert_eq!(interceptor.address, recorder.address().to_string());
        assert!(status.intercepting);
        running.stop().await;
    });
}

#[test]
fn a_client_in_a_container_uses_it_by_its_name() {
    on_each_engine(async |lab| {
        let net = lab.network("net", &[]);
        let recorder = Recorder::new().await;
        let running = intercepted(&lab, &recorder).await;
        let watched = lab.watched();
        let proxy = format!("http_proxy=http://{}:8790", tunnel(&lab));
        let options = ["--label", &watched, "--network", &net];
        lab.serve_page("web", &[&options[..], &["--network-alias", "web"]].concat());
        lab.serve_page("client", &[&options[..], &["-e", &proxy]].concat());
        running.joined(&[&net]).await;
        let page = lab.docker(&[
            "exec",
            &lab.own("client"),
            "wget",
            "-q",
            "-O",
            "-",
            "http://web/",
        ]);
        assert_eq!(page, "hello from web");
        assert_eq!(
            recorder.recorded(),
            [("client".to_owned(), "GET http://web/".to_owned())]
        );
        running.stop().await;
    });
}

#[test]
fn a_second_service_of_the_instance_keeps_off_the_tunnel() {
    on_each_engine(async |lab| {
        let net = lab.network("net", &[]);
        lab.watched_page("web", &net);
        let first = lab.service().await;
        first.joined(&[&net]).await;
        eventually("the link", async || {
            (first.status().await.tunnel.link.state == "up").then_some(())
        })
        .await;
        let id = first.status().await.tunnel.id;
        // With a folder of its own, so that no lock keeps it out.
        let second = lab.service().await;
        eventually("the second says why", async || {
            let tunnel = second.status().await.tunnel;
            let problem = tunnel.problem.unwrap_or_default();
            let owner = format!("process {} on", std::process::id());
            (tunnel.state == "failed" && problem.contains(&owner)).then_some(())
        })
        .await;
        second.stop().await;
        let tunnel = first.status().await.tunnel;
        assert_eq!((tunnel.id, tunnel.link.state.as_str()), (id.clone(), "up"));
        assert_eq!(first.fetch("http", "http://web/"), "hello from web");

        // Whoever comes while another leaves has it soon.
        let third = lab.service().await;
        first.kill().await;
        eventually("the third has it", async || {
            let tunnel = third.status().await.tunnel;
            (tunnel.link.state == "up" && tunnel.id == id).then_some(())
        })
        .await;
        third.stop().await;
    });
}

#[test]
fn it_can_be_paused() {
    on_each_engine(async |lab| {
        let Some((net, recorder, client)) = scene(&lab).await else {
            return;
        };
        let running = intercepted(&lab, &recorder).await;
        running.joined(&[&net]).await;
        for (command, intercepting, recorded) in [
            ("pause", false, 0),
            ("pause", false, 0),
            ("resume", true, 1),
            ("resume", true, 2),
        ] {
            running.command(command);
            assert_eq!(running.status().await.intercepting, intercepting);
            let page = eventually("told", async || {
                let before = recorder.recorded().len();
                let page = client.get(&lab, "http://web/").await;
                let passed = recorder.recorded().len() > before;
                (passed == intercepting).then_some(page)
            })
            .await;
            assert_eq!(page, "hello from web");
            assert!(recorder.recorded().len() >= recorded);
        }
        running.stop().await;
    });
}

#[test]
fn an_engine_without_a_route_has_its_link_through_the_published_port() {
    on_each_engine(async |lab| {
        let Some((net, recorder, client)) = scene(&lab).await else {
            return;
        };
        let group = 50_000 + std::process::id() % 5_000;
        let _firewall = super::tunnel::Firewall::around(&lab, &net, group);
        let interceptor = recorder.address().to_string();
        let served = Served::start_in_group(&lab, group, &["--interceptor", &interceptor]);
        let status = eventually("a link", async || {
            let status = served.json(&lab, &["status", "--wait", "20", "--json"]);
            let joined = status["tunnel"]["networks"]
                .as_array()
                .is_some_and(|n| n.len() == 2);
            (status["tunnel"]["link"]["state"] == "up" && joined).then_some(status)
        })
        .await;
        let address = status["tunnel"]["address"].as_str().unwrap();
        assert!(address.starts_with("127.0.0.1:"), "{address}");
        recorder.use_gateway(status["gateway"].as_str().unwrap().parse().unwrap());
        assert_eq!(client.get(&lab, "http://web/").await, "hello from web");
        assert_eq!(
            recorder.recorded(),
            [("client".to_owned(), "GET http://web/".to_owned())]
        );
    });
}

#[test]
fn https_passes_the_interceptor_unless_the_caller_trusts_its_ca() {
    on_each_engine(async |lab| {
        let pem = "-----BEGIN CERTIFICATE-----\nZG9ja2xpbmU=\n-----END CERTIFICATE-----\n";
        let net = lab.network("net", &[]);
        let recorder = Recorder::new().await;
        let interceptor = Interceptor::at(&recorder.address().to_string()).unwrap();
        let running = Running::start(&lab, |config| {
            config.interception = Interception::External(interceptor);
            config.ca = Some(pem.into());
            config.pass_through = vec!["pinned".parse().unwrap()];
        })
        .await;
        running.ready().await;
        recorder.use_gateway(running.gateway);
        let shell = running.shell(&lab);
        let on = ["--network", &net, "--network-alias"];
        shell.start("new", &[&on[..], &["new"]].concat(), &["sleep", "1000"]);
        let server = [&on[..], &["server", "--network-alias", "pinned"]].concat();
        let (Some(old), Some(server)) = (
            resident(&lab, "old", &net, &[]),
            resident(&lab, "server", &net, &server[2..]),
        ) else {
            return;
        };
        let new = Inside::of(&lab, "new").unwrap();
        running.joined(&[&net]).await;
        eventually("interceptor and link", async || {
            let status = running.status().await;
            let there = status.interceptor.is_some_and(|i| i.reachable);
            (there && status.tunnel.link.state == "up").then_some(())
        })
        .await;
        let _listener = server.listen(443);
        for (client, target, recorded) in [
            (&old, "server:443", None),
            (&new, "server:443", Some("CONNECT server:443")),
            (&new, "pinned:443", None),
        ] {
            recorder.forget();
            let (_, status, text) = client.connect(&lab, target).await;
            assert_eq!(status, 200, "{text}");
            let found = recorder.recorded().pop().map(|(_, what)| what);
            assert_eq!(found.as_deref(), recorded, "{target}");
        }
        // Nobody listens, but the interceptor is asked.
        recorder.forget();
        old.get(&lab, "http://server:81/").await;
        assert_eq!(recorder.recorded()[0].1, "GET http://server:81/");
        let containers = running.status().await.containers;
        let current = |name: &str| {
            let found = containers.iter().find(|c| c.name == lab.own(name));
            found.unwrap().ca_current
        };
        assert!(current("new") && !current("old"));
        running.stop().await;
    });
}
