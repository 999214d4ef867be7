//! Containers with DNS servers and search domains of their own: dockline finds what a program inside finds.

use dockline::config::Config;
use dockline::dns::ForwardPolicy;
use hickory_server::proto::rr::RecordType;

use super::scope::fetch_for;
use crate::support::dns::{ask, data};
use crate::support::name_server::NameServer;
use crate::support::{Lab, Running, eventually, on_each_engine};

/// A service that asks nobody but servers of containers.
async fn service(lab: &Lab) -> Running {
    let alone = |config: &mut Config| config.dns_forward = ForwardPolicy::Servers(Vec::new());
    let running = Running::start(lab, alone).await;
    running.ready().await;
    running
}

fn address(lab: &Lab, container: &str, network: &str) -> String {
    let format = format!("{{{{(index .NetworkSettings.Networks {network:?}).IPAddress}}}}");
    lab.docker(&["inspect", "-f", &format, &lab.own(container)])
}

/// The address that a program in the container gets from its C library.
fn found_inside(lab: &Lab, container: &str, name: &str) -> Option<String> {
    let words = ["exec", &lab.own(container), "ping", "-c1", "-W1", name];
    let output = lab.try_docker(&words);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let (_, rest) = text.strip_prefix("PING ")?.split_once('(')?;
    Some(rest.split_once(')')?.0.to_owned())
}

/// The same by dockline, asked in three ways which must agree.
async fn found(lab: &Lab, running: &Running, container: &str, name: &str) -> Option<String> {
    let container = lab.own(container);
    let from = running.resolve(name, Some(&container)).await;
    let zone = format!("{name}.{container}.scope.dockline");
    let absolute = name.ends_with('.');
    if !absolute {
        let by_dns = data(&ask(running, &format!("{zone}."), RecordType::A));
        let by_control = running.resolve(&zone, None).await.addresses;
        let shown = |addresses: &[std::net::IpAddr]| -> Vec<String> {
            addresses.iter().map(ToString::to_string).collect()
        };
        assert_eq!(by_dns, shown(&from.addresses), "{name} from {container}");
        assert_eq!(by_dns, shown(&by_control), "{name} from {container}");
    }
    let first = from.addresses.first();
    first.map(ToString::to_string)
}

/// Names to ask for from each container.
async fn compare(lab: &Lab, running: &Running, containers: &[&str], names: &[&str]) -> Vec<String> {
    let mut story = Vec::new();
    for container in containers {
        for name in names {
            let inside = found_inside(lab, container, name);
            let ours = found(lab, running, container, name).await;
            assert_eq!(ours, inside, "{name} from {container}");
            story.push(format!("{container} {name} {inside:?}"));
        }
    }
    story
}

#[test]
fn what_a_containers_own_server_knows_is_found() {
    on_each_engine(async |lab| {
        let net = lab.network("net", &[]);
        let watched = lab.watched();
        let idle = ["sleep", "600"];
        lab.start("ns", &["--network", &net], &idle);
        lab.serve_page("page", &["--network", &net, "--network-alias", "api"]);
        let (server, page) = (address(&lab, "ns", &net), address(&lab, "page", &net));
        let known = [
            ("only.corp.test", page.as_str()),
            ("api.corp.test", "192.0.2.7"),
            ("two.labels", page.as_str()),
            ("two.labels.corp.test", "192.0.2.8"),
            ("single", "192.0.2.9"),
        ];
        let Some(_server) = NameServer::start(&lab, "ns", &known) else {
            println!("skipped: only root on the engine's own machine can serve in a container");
            return;
        };
        let own = ["--label", &watched, "--dns", &server];
        let on_net = ["--network", &net];
        let domain = ["--dns-search", "corp.test"];
        for (name, options) in [
            ("plain", &[][..]),
            ("domain", &domain),
            ("many", &[domain[0], domain[1], "--dns-opt", "ndots:2"]),
            ("one", &[domain[0], domain[1], "--dns-opt", "ndots:1"]),
        ] {
            lab.start(name, &[&own, &on_net[..], options].concat(), &idle);
        }
        let running = service(&lab).await;
        running.joined(&[&net]).await;
        eventually("all known", async || {
            let found = running.resolve("api", Some(&lab.own("one"))).await;
            (!found.addresses.is_empty()).then_some(())
        })
        .await;
        let containers = ["plain", "domain", "many", "one"];
        let names = [
            "only.corp.test",
            "only",
            "only.corp.test.",
            "only.",
            "api",
            "api.",
            "two.labels",
            "two.labels.",
            &lab.own("page"),
            "nosuch",
            "no.such",
        ];
        let story = compare(&lab, &running, &containers, &names).await;
        let meant = |line: &str| assert!(story.contains(&line.to_owned()), "{line}: {story:#?}");
        // What was compared is not all the same.
        meant(&format!("plain only.corp.test Some({page:?})"));
        meant("plain only None");
        meant(&format!("domain only Some({page:?})"));
        meant(&format!("domain api Some({page:?})"));
        meant("many api Some(\"192.0.2.7\")");
        meant("many two.labels Some(\"192.0.2.8\")");
        for name in ["only", "only.corp.test"] {
            let url = format!("http://{name}/");
            let heard = fetch_for(&lab, &running, "domain", &url);
            assert_eq!(heard, "hello from page", "{name}");
            let route = running.route(name, Some(&lab.own("domain"))).await;
            assert_eq!(
                (route.via.as_str(), route.network),
                ("tunnel", Some(net.clone()))
            );
        }
        let refused = fetch_for(&lab, &running, "plain", "http://only.nowhere.test/");
        assert!(refused.contains("own DNS servers"), "{refused}");
        running.stop().await;
    });
}

#[test]
fn a_server_on_loopback_is_the_container_itself() {
    on_each_engine(async |lab| {
        let (net, cell) = (
            lab.network("net", &[]),
            lab.network("cell", &["--internal"]),
        );
        let watched = lab.watched();
        let own = ["--dns", "127.0.0.1"];
        for (name, network, options) in [
            ("self", &net, &own[..]),
            ("shut", &cell, &own),
            ("closed", &cell, &[]),
        ] {
            let fixed = ["--label", &watched, "--network", network];
            lab.start(name, &[&fixed[..], options].concat(), &["sleep", "600"]);
        }
        let known = [("only.corp.test", "192.0.2.7")];
        let servers = ["self", "shut"].map(|name| NameServer::start(&lab, name, &known));
        if servers.iter().any(Option::is_none) {
            println!("skipped: only root on the engine's own machine can serve in a container");
            return;
        }
        let running = service(&lab).await;
        running.joined(&[&cell, &net]).await;
        let names = ["only.corp.test", "other.corp.test", "only"];
        // Who is on an internal network alone asks its own server too, and has no other.
        let containers = ["self", "shut", "closed"];
        let story = compare(&lab, &running, &containers, &names).await;
        let answered: Vec<_> = story.iter().filter(|line| line.contains("Some")).collect();
        assert_eq!(
            answered,
            [
                "self only.corp.test Some(\"192.0.2.7\")",
                "shut only.corp.test Some(\"192.0.2.7\")"
            ]
        );
        running.stop().await;
    });
}
