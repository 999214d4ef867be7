//! What an earlier dockline left, of this version or another, whole or in part.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::{home_of, made, tunnel_of};
use crate::support::{IMAGE, Lab, on_each_engine};

/// Leaves something in the engine, then starts a service, which must work, and take everything with it at its end.
#[expect(
    clippy::needless_pass_by_value,
    reason = "closures are written in place"
)]
fn after(leave: impl AsyncFn(&Lab, &str)) {
    on_each_engine(async |lab| {
        let net = lab.network("net", &[]);
        lab.watched_page("web", &net);
        leave(&lab, &net).await;
        let running = lab.service().await;
        running.joined(&[&net]).await;
        assert_eq!(running.fetch("http", "http://web/"), "hello from web");
        running.stop().await;
        assert_eq!(made(&lab), [""; 0]);
    });
}

/// A service that ended as by SIGKILL, its tunnel up.
async fn killed(lab: &Lab, net: &str) {
    let running = lab.service().await;
    running.joined(&[net]).await;
    running.kill().await;
}

fn labels(lab: &Lab, role: &str) -> [String; 2] {
    [
        format!("dockline.instance={}", lab.name),
        format!("dockline.role={role}"),
    ]
}

fn network(lab: &Lab, name: &str, role: &str) -> String {
    /// Homes have ranges that were asked for. Each its own, on all engines.
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let [instance, role] = labels(lab, role);
    let (run, count) = (
        std::process::id() % 100,
        COUNT.fetch_add(1, Ordering::Relaxed),
    );
    let subnet = format!("10.{}.{count}.0/24", 100 + run);
    let range = ["--subnet", &subnet];
    let labels = ["--label", &instance, "--label", &role, name];
    lab.docker(&[&["network", "create"], &range[..], &labels].concat())
}

fn container(lab: &Lab, options: &[&str]) {
    let ([instance, role], name) = (labels(lab, "tunnel"), tunnel_of(lab));
    let fixed = [
        "create", "--name", &name, "--label", &instance, "--label", &role,
    ];
    lab.docker(&[&fixed, options, &[IMAGE, "sleep", "1000"]].concat());
}

#[test]
fn a_tunnel_of_another_version_is_replaced() {
    after(async |lab, _| {
        network(lab, &home_of(lab), "home");
        container(
            lab,
            &["--network", &home_of(lab), "--env", "DOCKLINE_SECRET=00"],
        );
        lab.docker(&["start", &tunnel_of(lab)]);
    });
}

#[test]
fn a_tunnel_that_was_never_started_is_started_or_replaced() {
    after(async |lab, _| container(lab, &["--network", "none"]));
}

/// The right image and the right addresses, and a password that its program does not have.
#[test]
fn a_tunnel_with_another_password_is_replaced() {
    after(async |lab, net| {
        killed(lab, net).await;
        let show = |template: &str| lab.docker(&["inspect", "-f", template, &tunnel_of(lab)]);
        let (image, id) = (show("{{.Config.Image}}"), show("{{.Id}}"));
        let environment = show("{{range .Config.Env}}{{println .}}{{end}}");
        let home = environment
            .lines()
            .find(|line| line.starts_with("DOCKLINE_HOME="))
            .unwrap();
        let address = home
            .trim_start_matches("DOCKLINE_HOME=")
            .split(',')
            .next()
            .unwrap();
        lab.docker(&["rm", "-f", &id]);
        let ([instance, role], name) = (labels(lab, "tunnel"), tunnel_of(lab));
        // It says that its secret is not a number; so its program ends, again and again.
        lab.docker(&[
            "run",
            "-d",
            "--restart",
            "always",
            "--name",
            &name,
            "--label",
            &instance,
            "--label",
            &role,
            "--network",
            &home_of(lab),
            "--ip",
            address,
            "--env",
            home,
            "--env",
            "DOCKLINE_SECRET=xyz",
            &image,
        ]);
    });
}

#[test]
fn a_tunnel_that_ended_on_a_network_that_is_gone_is_replaced() {
    after(async |lab, net| {
        let gone = lab.network("gone", &[]);
        lab.watched_page("other", &gone);
        let running = lab.service().await;
        running.joined(&[net, &gone]).await;
        running.kill().await;
        lab.docker(&["stop", "-t", "1", &tunnel_of(lab)]);
        lab.docker(&["rm", "-f", &lab.own("other")]);
        lab.docker(&["network", "rm", &gone]);
        let start = lab.try_docker(&["start", &tunnel_of(lab)]);
        assert!(!start.status.success(), "as it is, it cannot start");
    });
}

#[test]
fn a_tunnel_whose_home_is_gone_is_replaced() {
    after(async |lab, net| {
        killed(lab, net).await;
        lab.docker(&["stop", "-t", "1", &tunnel_of(lab)]);
        lab.docker(&["network", "rm", &home_of(lab)]);
    });
}

#[test]
fn homes_and_probes_of_a_start_that_was_cut_short_are_removed() {
    after(async |lab, _| {
        network(lab, &format!("{}-probe", home_of(lab)), "probe");
        network(lab, &home_of(lab), "home");
        network(lab, &format!("{}-twin", home_of(lab)), "home");
    });
}

#[test]
fn a_tunnel_on_the_twin_of_its_home_comes_home() {
    after(async |lab, net| {
        killed(lab, net).await;
        // Another home beside it, older or newer in the engine's order, and the tunnel on both.
        for twin in ["a", "z"] {
            let twin = format!("{}-{twin}", home_of(lab));
            network(lab, &twin, "home");
            lab.docker(&["network", "connect", &twin, &tunnel_of(lab)]);
        }
    });
}

#[test]
fn clean_removes_every_kind_of_leftover() {
    on_each_engine(async |lab| {
        network(&lab, &format!("{}-probe", home_of(&lab)), "probe");
        network(&lab, &home_of(&lab), "home");
        container(&lab, &["--network", &home_of(&lab)]);
        assert_eq!(made(&lab).len(), 3);
        super::killed::clean(&lab);
        assert_eq!(made(&lab), [""; 0]);
        super::killed::clean(&lab);
    });
}
