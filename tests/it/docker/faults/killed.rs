//! `kill -9` of dockline, at any point of its work.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;

use super::{made, page, tunnel_of};
use crate::support::front::{Fault, Front};
use crate::support::relay::relay;
use crate::support::{Lab, eventually, on_each_engine, signal, succeed};

fn dockline(lab: &Lab, host: &str, folder: &Path, command: &str) -> Command {
    let mut dockline = Command::new(env!("CARGO_BIN_EXE_dockline"));
    dockline
        .args([command, "--instance", &lab.name, "--host", host])
        .env("DOCKLINE_INTERCEPTOR", "none")
        .env("DOCKLINE_RUNTIME_DIR", folder.join("run"));
    dockline
}

/// `dockline clean`, which must succeed.
pub(super) fn clean(lab: &Lab) {
    let folder = tempfile::tempdir().unwrap();
    succeed(&mut dockline(lab, &lab.engine.host, folder.path(), "clean"));
}

fn serve(lab: &Lab, front: &Front, folder: &Path) -> Child {
    let mut serve = dockline(lab, &front.host(), folder, "serve");
    serve.stderr(Stdio::null()).spawn().unwrap()
}

/// The calls by which dockline changes the engine; it is killed when it has made one, before the answer and after it.
const STEPS: [&str; 8] = [
    "POST /images/create",
    "POST /networks/create",
    "DELETE /networks/",
    "POST /containers/create",
    "/start",
    "/connect",
    "/disconnect",
    "/stop",
];

/// The calls that are made only when everything is taken down.
fn at_the_end(step: &str) -> bool {
    matches!(step, "/disconnect" | "/stop")
}

#[test]
fn a_kill_at_any_step_leaves_nothing_that_the_next_start_or_clean_cannot_use() {
    on_each_engine(async |lab| {
        let net = lab.network("net", &[]);
        let folder = tempfile::tempdir().unwrap();
        for answered in [false, true] {
            for step in STEPS {
                let front = relay(&lab);
                if step == "POST /images/create" {
                    // Other tests may have tunnels of that image: to this dockline there is none.
                    front.fault("GET /images/", Fault::Instead(404, "{\"message\":\"no\"}"));
                }
                // Either the engine has not heard of it, or it has done it and nobody heard the answer.
                let hold = if answered {
                    Fault::Late(Duration::from_millis(40))
                } else {
                    Fault::Held
                };
                front.fault(step, hold);
                page(&lab, "web", &net);
                let mut child = serve(&lab, &front, folder.path());
                if at_the_end(step) {
                    eventually("joined", async || {
                        let on =
                            lab.docker(&["network", "inspect", "-f", "{{json .Containers}}", &net]);
                        on.contains(&tunnel_of(&lab)).then_some(())
                    })
                    .await;
                    if step == "/disconnect" {
                        lab.docker(&["kill", &lab.own("web")]);
                    } else {
                        signal(child.id(), Signal::TERM);
                    }
                }
                eventually(step, async || (front.asked(step) > 0).then_some(())).await;
                if answered {
                    // The answer is on its way.
                    tokio::time::sleep(Duration::from_millis(60)).await;
                }
                child.kill().unwrap();
                child.wait().unwrap();
                lab.docker(&["rm", "-f", &lab.own("web")]);
                if answered {
                    front.settled().await;
                    clean(&lab);
                    assert_eq!(made(&lab), [""; 0], "after {step}");
                }
            }
            // Nobody cleaned up: the next one finds what all of them left.
            page(&lab, "web", &net);
            let running = lab.service().await;
            running.joined(&[&net]).await;
            assert_eq!(running.fetch("http", "http://web/"), "hello from web");
            running.stop().await;
            lab.docker(&["rm", "-f", &lab.own("web")]);
            assert_eq!(made(&lab), [""; 0]);
        }
    });
}

#[test]
fn a_kill_at_any_moment_leaves_nothing_that_the_next_start_or_clean_cannot_use() {
    on_each_engine(async |lab| {
        let net = lab.network("net", &[]);
        let folder = tempfile::tempdir().unwrap();
        page(&lab, "web", &net);
        let front = relay(&lab);
        // From before the first call to after the last one, in steps that hit another one each time.
        for round in 0..15 {
            let mut child = serve(&lab, &front, folder.path());
            tokio::time::sleep(Duration::from_millis(round * round * 4 + 5)).await;
            child.kill().unwrap();
            child.wait().unwrap();
            if round % 5 == 4 {
                // What had reached the engine is done all the same, after its own time.
                front.settled().await;
                clean(&lab);
                assert_eq!(made(&lab), [""; 0], "in round {round}");
            }
        }
        let running = lab.service().await;
        running.joined(&[&net]).await;
        assert_eq!(running.fetch("http", "http://web/"), "hello from web");
        running.stop().await;
        assert_eq!(made(&lab), [""; 0]);
    });
}
