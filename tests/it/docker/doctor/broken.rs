//! What only an engine can have wrong, or its machine.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output};

use serde_json::Value;

use super::{found, report, running, text};
use crate::docker::commands::Served;
use crate::support::fake_engine::FakeEngine;
use crate::support::front::Fault;
use crate::support::relay::relay;
use crate::support::{Lab, eventually, on_each_engine};

/// As the engine says it, in `libnetwork`'s words.
const NO_POOL: &str = r#"{"message":"could not find an available, non-overlapping IPv4 address pool among the defaults to assign to the network"}"#;
const NO_SPACE: &str = r#"{"message":"no space left on device"}"#;

/// What doctor says, while this test's own tasks go on.
fn doctor(served: &Served, lab: &Lab) -> Value {
    let output = tokio::task::block_in_place(|| served.run(lab, &["doctor", "--json"]));
    report(&output).0
}

/// Waits until a check comes to that, and says what is to be done.
async fn until(served: &Served, lab: &Lab, check: &str, outcome: &str) -> (String, String) {
    eventually(&format!("{check} {outcome}"), async || {
        let report = doctor(served, lab);
        // Of a service that is on its way, little is checked.
        let checks = report["checks"].as_array().unwrap();
        if !checks.iter().any(|found| found["check"] == check) {
            return Err(report.to_string());
        }
        let (found, remedy) = found(&report, check);
        let said = (text(&report, check).to_owned(), remedy.to_owned());
        (found == outcome).then_some(said).ok_or(report.to_string())
    })
    .await
}

#[test]
fn a_tunnel_that_was_deleted_comes_back_or_it_is_said_why_not() {
    on_each_engine(async |lab| {
        let front = relay(&lab);
        let relayed = Lab::through(&lab, front.host());
        let served = Served::start(&relayed);
        running(&served, &relayed).await;
        let tunnel = format!("dockline-tunnel-{}", lab.name);
        front.fault("POST /containers/create", Fault::Instead(500, NO_SPACE));
        lab.docker(&["rm", "--force", &tunnel]);
        let (said, remedy) = until(&served, &relayed, "tunnel", "failure").await;
        assert!(said.contains("no space left on device"), "{said}");
        assert!(remedy.contains("log"), "{remedy}");
        front.mend("POST /containers/create");
        until(&served, &relayed, "tunnel", "ok").await;
    });
}

#[test]
fn a_full_address_pool_is_told_with_the_way_out() {
    on_each_engine(async |lab| {
        let front = relay(&lab);
        front.fault("POST /networks/create", Fault::Instead(500, NO_POOL));
        let relayed = Lab::through(&lab, front.host());
        let served = Served::start(&relayed);
        let (said, remedy) = until(&served, &relayed, "tunnel", "failure").await;
        assert!(said.contains("address pool"), "{said}");
        assert!(remedy.contains("docker network prune"), "{remedy}");
    });
}

#[test]
fn a_network_whose_members_may_not_talk_is_named() {
    on_each_engine(async |lab| {
        let apart = ["-o", "com.docker.network.bridge.enable_icc=false"];
        let net = lab.network("apart", &apart);
        lab.serve_page("web", &["--label", &lab.watched(), "--network", &net]);
        let served = Served::start(&lab);
        let (said, remedy) = until(&served, &lab, "networks", "warning").await;
        assert!(said.contains(&net), "{said}");
        assert!(remedy.contains("enable_icc=false"), "{remedy}");
    });
}

fn away(program: &mut Command, host: &str) -> Output {
    program
        .args(["doctor", "--json", "--host", host])
        .env("DOCKLINE_RUNTIME_DIR", "/nonexistent/run")
        .output()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_of_another_age_is_told_from_one_that_was_tried() {
    let engine = FakeEngine::start();
    let ask = || {
        let mut program = Command::new(env!("CARGO_BIN_EXE_dockline"));
        tokio::task::block_in_place(|| report(&away(&mut program, &engine.front.host())).0)
    };
    let tried = ask();
    assert_eq!(found(&tried, "engine").0, "ok", "{tried}");
    // Docker 19.03's.
    let old = r#"{"Version":"19.03.15","ApiVersion":"1.40","MinAPIVersion":"1.12"}"#;
    engine.front.fault("GET /version", Fault::Instead(200, old));
    let old = ask();
    let (outcome, remedy) = found(&old, "engine");
    assert_eq!(outcome, "warning", "{old}");
    assert!(text(&old, "engine").contains("API 1.40"), "{old}");
    assert!(remedy.contains("20.10"), "{remedy}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_may_not_use_the_engine_is_told_how() {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: only root can run a program as somebody else");
        return;
    }
    let engine = FakeEngine::start();
    let host = engine.front.host();
    let socket = host.strip_prefix("unix://").unwrap();
    std::fs::set_permissions(socket, Permissions::from_mode(0o600)).unwrap();
    let mut nobody = Command::new("setpriv");
    nobody.args(["--reuid=65534", "--clear-groups"]);
    nobody.arg(env!("CARGO_BIN_EXE_dockline"));
    let output = tokio::task::block_in_place(|| away(&mut nobody, &host));
    let (report, code) = report(&output);
    assert_eq!(code, Some(4), "{report}");
    let (outcome, remedy) = found(&report, "engine");
    assert_eq!(outcome, "failure", "{report}");
    assert!(remedy.contains("usermod -aG docker"), "{remedy}");
}
