//! The tunnel: made, adopted, joined, left, removed.

use std::process::Command;

use rustix::process::Signal;

use super::commands::Served;
use crate::support::{Lab, Running, curl, eventually, on_each_engine, succeed};

fn tunnel(lab: &Lab) -> String {
    format!("dockline-tunnel-{}", lab.name)
}

#[test]
fn it_goes_where_watched_containers_are_and_leaves_nothing() {
    on_each_engine(async |lab| {
        let net = lab.network("net", &[]);
        let running = lab.service().await;
        running.joined(&[]).await;
        lab.serve_page("web", &["--label", &lab.watched(), "--network", &net]);
        running.joined(&[&net]).await;
        lab.docker(&["stop", "-t", "0", &lab.own("web")]);
        running.joined(&[]).await;
        lab.docker(&["start", &lab.own("web")]);
        running.joined(&[&net]).await;
        assert_eq!(running.stop().await, None);
        assert_eq!(
            lab.labelled("dockline.role")
                .iter()
                .filter(|n| n.contains(&lab.name))
                .count(),
            0
        );
    });
}

#[test]
fn its_container_can_do_little() {
    on_each_engine(async |lab| {
        let running = lab.service().await;
        running.joined(&[]).await;
        let show = |template: &str| lab.docker(&["inspect", "-f", template, &tunnel(&lab)]);
        assert_eq!(show("{{.HostConfig.CapDrop}}"), "[ALL]");
        assert_eq!(show("{{.HostConfig.ReadonlyRootfs}}"), "true");
        assert_eq!(show("{{.Config.User}}"), "65534:65534");
        assert_eq!(show("{{.HostConfig.RestartPolicy.Name}}"), "always");
        assert!(show("{{.HostConfig.Sysctls}}").contains("net.ipv4.ip_forward:0"));
        assert_eq!(
            show("{{.HostConfig.PortBindings}}"),
            "map[]",
            "nothing is published where it is not needed"
        );
        let sizes = lab.docker(&[
            "image",
            "inspect",
            "-f",
            "{{.Size}}",
            &show("{{.Config.Image}}"),
        ]);
        assert!(sizes.parse::<u64>().unwrap() <= 2_500_000, "{sizes}");
        running.stop().await;
    });
}

#[test]
fn a_killed_service_is_succeeded_by_one_that_adopts() {
    on_each_engine(async |lab| {
        let net = lab.network("net", &[]);
        lab.watched_page("web", &net);
        let running = lab.service().await;
        running.joined(&[&net]).await;
        let first = running.status().await.tunnel.id;
        running.kill().await;
        let running = lab.service().await;
        running.joined(&[&net]).await;
        assert_eq!(
            running.status().await.tunnel.id,
            first,
            "the tunnel was adopted"
        );
        assert_eq!(running.fetch("http", "http://web/"), "hello from web");
        running.stop().await;
    });
}

#[test]
fn a_tunnel_that_vanishes_is_made_anew() {
    on_each_engine(async |lab| {
        let net = lab.network("net", &[]);
        lab.watched_page("web", &net);
        let running = lab.service().await;
        running.joined(&[&net]).await;
        let first = running.status().await.tunnel.id;
        lab.docker(&["rm", "-f", &tunnel(&lab)]);
        eventually("a new tunnel", async || {
            let tunnel = running.status().await.tunnel;
            (tunnel.state == "running" && tunnel.id != first).then_some(())
        })
        .await;
        running.joined(&[&net]).await;
        assert_eq!(running.fetch("http", "http://web/"), "hello from web");
        lab.docker(&["network", "disconnect", &net, &tunnel(&lab)]);
        assert_eq!(
            running.fetch("http", "http://web/"),
            "hello from web",
            "taken off by hand, it comes back"
        );
        running.stop().await;
    });
}

#[test]
fn a_static_address_at_the_bottom_is_free_for_its_container() {
    on_each_engine(async |lab| {
        let net = lab.network("net", &["--subnet", "10.90.77.0/29"]);
        let running = lab.service().await;
        lab.serve_page("first", &["--label", &lab.watched(), "--network", &net]);
        running.joined(&[&net]).await;
        for (name, address) in [
            ("second", "10.90.77.3"),
            ("third", "10.90.77.4"),
            ("fourth", "10.90.77.5"),
        ] {
            lab.serve_page(name, &["--network", &net, "--ip", address]);
        }
        let on = running.status().await.tunnel.networks;
        let at = on.iter().find(|n| n.name == net).unwrap().address.unwrap();
        assert_eq!(at.to_string(), "10.90.77.6", "the tunnel took the highest");
        running.stop().await;
    });
}

#[test]
fn static_addresses_of_both_families_are_free_for_their_container() {
    on_each_engine(async |lab| {
        let net = lab.network("net", &["--ipv6", "--subnet", "fd00:d0c:77::/64"]);
        let running = lab.service().await;
        lab.serve_page(
            "first",
            &[
                "--label",
                &lab.watched(),
                "--network",
                &net,
                "--ip6",
                "fd00:d0c:77::9",
            ],
        );
        running.joined(&[&net]).await;
        lab.serve_page("second", &["--network", &net, "--ip6", "fd00:d0c:77::2"]);
        running.stop().await;
    });
}

#[test]
fn a_tunnel_without_its_home_is_made_anew() {
    on_each_engine(async |lab| {
        let net = lab.network("net", &[]);
        lab.watched_page("web", &net);
        let running = lab.service().await;
        running.joined(&[&net]).await;
        let home = format!("0-dockline-{}", lab.name);
        lab.docker(&["network", "disconnect", "-f", &home, &tunnel(&lab)]);
        eventually("reached again", async || {
            let page = running.try_fetch("http", "http://web/");
            (page == "hello from web").then_some(())
        })
        .await;
        running.stop().await;
    });
}

#[test]
fn a_service_stopped_while_it_brings_its_tunnel_up_leaves_nothing() {
    on_each_engine(async |lab| {
        for pause in [0, 50, 150, 300, 450, 600] {
            let running = Running::start(&lab, |_| {}).await;
            // Not a wait for anything: each time another step of the bring-up is cut off.
            tokio::time::sleep(std::time::Duration::from_millis(pause)).await;
            assert_eq!(running.stop().await, None);
            assert_eq!(
                lab.labelled(&lab.watched()),
                Vec::<String>::new(),
                "after {pause} ms"
            );
        }
    });
}

#[test]
fn an_address_reserved_by_a_stopped_container_is_not_taken() {
    on_each_engine(async |lab| {
        let net = lab.network("net", &["--subnet", "10.90.78.0/29"]);
        lab.docker(&[
            "create",
            "--name",
            &lab.own("later"),
            "--label",
            &format!("test={}", lab.name),
            "--network",
            &net,
            "--ip",
            "10.90.78.6",
            crate::support::IMAGE,
            "sleep",
            "1000",
        ]);
        let running = lab.service().await;
        lab.serve_page("first", &["--label", &lab.watched(), "--network", &net]);
        running.joined(&[&net]).await;
        lab.docker(&["start", &lab.own("later")]);
        running.stop().await;
    });
}

#[test]
fn two_instances_share_a_network_and_both_leave() {
    on_each_engine(async |lab| {
        let net = lab.network("net", &[]);
        let other = format!("{}x", lab.name);
        lab.watched_page("web", &net);
        let mine = lab.service().await;
        let theirs = Running::start(&lab, |config| {
            config.selector.instance = other.parse().unwrap();
            config.selector.all = true;
        })
        .await;
        mine.joined(&[&net]).await;
        for running in [&mine, &theirs] {
            assert_eq!(
                running.fetch("http", &format!("http://web.{net}/")),
                "hello from web"
            );
        }
        lab.docker(&["stop", "-t", "0", &lab.own("web")]);
        lab.docker(&["network", "rm", &net]);
        mine.stop().await;
        theirs.stop().await;
    });
}

/// Drops what a group of this machine sends to an engine's networks, as a VM or a firewall between would.
pub(super) struct Firewall(Vec<String>);

impl Firewall {
    /// Around all networks of the engine, of which `net` is one.
    pub(super) fn around(lab: &Lab, net: &str, group: u32) -> Self {
        let template = "{{range .IPAM.Config}}{{.Subnet}}{{end}}";
        let range = lab.docker(&["network", "inspect", "-f", template, net]);
        let pool: Vec<_> = range.split('.').take(2).collect();
        Self::new(group, &format!("{}.0.0/16", pool.join(".")))
    }

    fn new(group: u32, range: &str) -> Self {
        let rule = format!("OUTPUT -m owner --gid-owner {group} -d {range} -j DROP");
        let rule: Vec<_> = rule.split(' ').map(str::to_owned).collect();
        succeed(Command::new("iptables").arg("-I").args(&rule));
        Self(rule)
    }
}

impl Drop for Firewall {
    fn drop(&mut self) {
        // A rule that stays does no harm to anybody: its group has no members.
        let _ = Command::new("iptables").arg("-D").args(&self.0).status();
    }
}

#[test]
fn an_engine_without_a_route_is_reached_through_a_published_port() {
    on_each_engine(async |lab| {
        let net = lab.network("net", &[]);
        lab.watched_page("web", &net);
        let group = 60_000 + std::process::id() % 5_000;
        let _firewall = Firewall::around(&lab, &net, group);
        let served = Served::start_in_group(&lab, group, &[]);
        let status = eventually("a tunnel", async || {
            let status = served.json(&lab, &["status", "--wait", "20", "--json"]);
            (status["tunnel"]["state"] == "running").then_some(status)
        })
        .await;
        let address = status["tunnel"]["address"].as_str().unwrap();
        assert!(address.starts_with("127.0.0.1:"), "{address}");
        let proxy = format!("http://{}", status["gateway"].as_str().unwrap());
        let page = succeed(curl(&proxy).arg("http://web/"));
        assert_eq!(page, "hello from web");
    });
}

/// Of two docklines of one instance, each on a machine of its own, the one that cannot reach the tunnel takes it from nobody.
#[test]
fn a_tunnel_that_answers_somebody_else_stays() {
    on_each_engine(async |lab| {
        let net = lab.network("net", &[]);
        lab.serve_page("web", &["--label", &lab.watched(), "--network", &net]);
        let running = lab.service().await;
        running.joined(&[&net]).await;
        let id = running.status().await.tunnel.id;
        let group = 60_000 + std::process::id() % 5_000;
        let firewall = Firewall::around(&lab, &net, group);
        let mut served = Served::start_in_group(&lab, group, &[]);
        eventually("word of the other", async || {
            let said = served.run(&lab, &["status", "--json"]).stdout;
            let status = serde_json::from_slice::<serde_json::Value>(&said).unwrap_or_default();
            let problem = status["tunnel"]["problem"].as_str().unwrap_or_default();
            let told = problem.contains("another dockline of this instance owns the tunnel");
            told.then_some(()).ok_or(status.to_string())
        })
        .await;
        // Not when it ends, either.
        served.signal(Signal::TERM);
        drop(firewall);
        assert_eq!(running.status().await.tunnel.id, id);
        assert_eq!(
            id.as_deref(),
            Some(
                lab.docker(&["inspect", "-f", "{{.Id}}", &tunnel(&lab)])
                    .as_str()
            )
        );
        running.joined(&[&net]).await;
        running.stop().await;
    });
}
