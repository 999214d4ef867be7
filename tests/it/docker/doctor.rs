//! `dockline doctor`, with set-ups that are broken on purpose.

mod authority;
#[cfg(target_os = "linux")]
mod broken;

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::process::Output;

use rustix::process::Signal;
use serde_json::Value;

use super::commands::Served;
use crate::support::{Lab, eventually, on_each_engine};

/// The report, and how the command ended.
fn report(output: &Output) -> (Value, Option<i32>) {
    let report = serde_json::from_slice(&output.stdout);
    (
        report.unwrap_or_else(|error| panic!("{error}: {output:?}")),
        output.status.code(),
    )
}

/// What a check came to, and what is to be done.
fn found<'a>(report: &'a Value, check: &str) -> (&'a str, &'a str) {
    let checks = report["checks"].as_array().unwrap();
    let found = checks.iter().find(|c| c["check"] == check);
    let found = found.unwrap_or_else(|| panic!("no check {check}: {report}"));
    let text = |name: &str| found[name].as_str().unwrap_or_default();
    (text("outcome"), text("remedy"))
}

/// What a check says is so.
fn text<'a>(report: &'a Value, check: &str) -> &'a str {
    let checks = report["checks"].as_array().unwrap();
    let found = checks.iter().find(|c| c["check"] == check);
    found.unwrap()["text"].as_str().unwrap()
}

fn every_check_has_its_remedy_in_the_documents(report: &Value) {
    let text = include_str!("../../../docs/troubleshooting.md");
    let first = |line: &'static str| line.strip_prefix("| `")?.split(" |").next();
    let cells = text.lines().filter_map(first);
    // Some share a line.
    let told: BTreeSet<_> = cells
        .flat_map(|cell| cell.split(", "))
        .map(|check| check.trim_matches('`'))
        .collect();
    let checks = report["checks"].as_array().unwrap();
    let checked: BTreeSet<_> = checks
        .iter()
        .filter_map(|check| check["check"].as_str())
        .collect();
    assert_eq!(told, checked);
}

async fn running(served: &Served, lab: &Lab) {
    eventually("the link", async || {
        let status = served.json(lab, &["status", "--wait", "20", "--json"]);
        (status["tunnel"]["link"]["state"] == "up").then_some(())
    })
    .await;
}

#[test]
fn a_healthy_service_and_what_is_left_of_one_that_was_killed() {
    on_each_engine(async |lab| {
        // As compose names them.
        let net = lab.network("net_default", &[]);
        lab.serve_page("web", &["--label", &lab.watched(), "--network", &net]);
        let mut served = Served::start(&lab);
        running(&served, &lab).await;
        let (healthy, code) = report(&served.run(&lab, &["doctor", "--json"]));
        assert_eq!(
            (&healthy["healthy"], code),
            (&true.into(), Some(0)),
            "{healthy}"
        );
        for check in [
            "engine",
            "service",
            "map",
            "tunnel",
            "networks",
            "link",
            "dns",
            "gateway",
            "http",
            "api proxy",
            "interceptor",
            "ca",
            "build",
        ] {
            assert_eq!(found(&healthy, check).0, "ok", "{check}: {healthy}");
        }
        every_check_has_its_remedy_in_the_documents(&healthy);
        // It was made without the CA, and docker here goes elsewhere.
        assert_eq!(found(&healthy, "trust").0, "warning");
        let text = served.run(&lab, &["doctor"]);
        let text = String::from_utf8_lossy(&text.stdout);
        assert!(text.contains("\nok    dns          127.0.0.1:"), "{text}");

        served.signal(Signal::KILL);
        let (gone, code) = report(&served.run(&lab, &["doctor", "--json"]));
        assert_eq!(code, Some(3), "{gone}");
        let (outcome, remedy) = found(&gone, "service");
        assert_eq!(outcome, "failure");
        assert!(remedy.contains("dockline serve"), "{remedy}");
        assert_eq!(found(&gone, "leftovers").0, "warning");
        let own = || {
            lab.labelled("dockline.role")
                .into_iter()
                .filter(|n| n.contains(&lab.name))
                .count()
        };
        assert!(own() > 0, "it changes nothing without being told to");
        let (fixed, _) = report(&served.run(&lab, &["doctor", "--fix", "--json"]));
        assert_eq!(found(&fixed, "leftovers").0, "ok", "{fixed}");
        assert_eq!(own(), 0);
    });
}

#[test]
fn a_tunnel_that_containers_need_is_no_leftover_and_is_not_fixed_away() {
    on_each_engine(async |lab| {
        let mut served = Served::start(&lab);
        running(&served, &lab).await;
        // As the API proxy makes it.
        let mine = lab.serve_page(
            "mine",
            &["--label", &lab.watched(), "--label", "dockline.undo={}"],
        );
        served.signal(Signal::KILL);
        let tunnel = || {
            let own = lab.labelled("dockline.role").into_iter();
            own.filter(|name| name.contains(&lab.name)).count()
        };
        let state = || lab.docker(&["inspect", "--format", "{{.Id}} {{json .State}}", &mine]);
        let before = (tunnel(), state());
        let (kept, _) = report(&served.run(&lab, &["doctor", "--fix", "--json"]));
        // Other tests' may be told of, too.
        let stays = text(&kept, "leftovers").split("the tunnel of ").nth(1);
        let stays = stays.and_then(|text| text.split(" stays ").next());
        assert!(stays.is_some_and(|text| text.contains(&lab.name)), "{kept}");
        assert_eq!((tunnel(), state()), before);

        // Somebody removed the tunnel: that is said, and the container still is not touched.
        lab.docker(&["rm", "--force", &format!("dockline-tunnel-{}", lab.name)]);
        let (cut_off, _) = report(&served.run(&lab, &["doctor", "--fix", "--json"]));
        let (outcome, remedy) = found(&cut_off, "leftovers");
        assert_eq!(outcome, "warning", "{cut_off}");
        assert!(text(&cut_off, "leftovers").contains(&lab.name), "{cut_off}");
        assert!(remedy.contains("clean"), "{remedy}");
        assert_eq!(state(), before.1);

        lab.docker(&["rm", "--force", &mine]);
        let (fixed, _) = report(&served.run(&lab, &["doctor", "--fix", "--json"]));
        assert_eq!(found(&fixed, "leftovers").0, "ok", "{fixed}");
        assert_eq!(tunnel(), 0);
    });
}

#[test]
fn an_interceptor_that_is_away_is_found() {
    on_each_engine(async |lab| {
        let port = TcpListener::bind("127.0.0.1:0").unwrap();
        let nobody = port.local_addr().unwrap().to_string();
        drop(port);
        let served = Served::start_with(&lab, &["--interceptor", &nobody]);
        running(&served, &lab).await;
        let (report, code) = report(&served.run(&lab, &["doctor", "--json"]));
        assert_eq!(code, Some(1), "{report}");
        let (outcome, remedy) = found(&report, "interceptor");
        assert_eq!(outcome, "failure");
        assert!(remedy.contains("--interceptor"), "{remedy}");
        assert_eq!(found(&report, "ca").0, "warning");
        assert_eq!(found(&report, "map").0, "warning");
    });
}

#[test]
fn an_engine_that_is_away_is_exit_code_4_and_ports_that_are_taken_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = TcpListener::bind("127.0.0.1:1090");
    let doctor = std::process::Command::new(env!("CARGO_BIN_EXE_dockline"))
        .args(["doctor", "--json", "--host", "unix:///nowhere/docker.sock"])
        .env("DOCKLINE_RUNTIME_DIR", folder.path().join("run"))
        .output();
    let (report, code) = report(&doctor.unwrap());
    assert_eq!(code, Some(4), "{report}");
    assert!(found(&report, "engine").1.contains("Docker"), "{report}");
    let (outcome, remedy) = found(&report, "gateway");
    assert_eq!(
        outcome, "failure",
        "taken by this test, or by another program"
    );
    assert!(remedy.contains("--gateway 127.0.0.1:0"), "{remedy}");
    drop(gateway);
}
