//! `kill -9` of dockline, at any point of its work.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;

use super::{made, tunnel_of};
use crate::docker::api::shell_at;
use crate::support::front::{Fault, Front};
use crate::support::relay::relay;
use crate::support::{
    IMAGE, Lab, Running, docker_cli, eventually, on_each_engine, signal, succeed,
};

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

/// Either the engine has not heard of it, or it has done it and nobody heard the answer.
fn death(answered: bool) -> Fault {
    if answered {
        Fault::Unheard
    } else {
        Fault::Lost
    }
}

/// Waits until the engine has done that step, or would have heard of it.
async fn reached(front: &Front, step: &str, answered: bool) {
    eventually(step, async || {
        let count = if answered {
            front.unheard(step)
        } else {
            front.asked(step)
        };
        (count > 0).then_some(())
    })
    .await;
}

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
                front.fault(step, death(answered));
                lab.watched_page("web", &net);
                let mut child = serve(&lab, &front, folder.path());
                if at_the_end(step) {
                    // The tunnel may be there since the last time; who has not begun does not end in order.
                    eventually("a service", async || {
                        let mut status = dockline(&lab, &front.host(), folder.path(), "status");
                        let status = status.args(["--wait", "1"]).output().unwrap().status;
                        status.success().then_some(())
                    })
                    .await;
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
                reached(&front, step, answered).await;
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
            lab.watched_page("web", &net);
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
        lab.watched_page("web", &net);
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

/// Not one: what an image without a root trusts is added to whatever this is.
pub(super) const CA: &str =
    "-----BEGIN CERTIFICATE-----\nZG9ja2xpbmU=\n-----END CERTIFICATE-----\n";

#[test]
fn a_kill_at_any_step_of_a_create_leaves_no_container_without_its_files() {
    on_each_engine(async |lab| {
        let folder = tempfile::tempdir().unwrap();
        let ca = folder.path().join("ca.pem");
        std::fs::write(&ca, CA).unwrap();
        let (own, label) = (lab.own("web"), format!("test={}", lab.name));
        let create = ["create", "--name", &own, "--label", &label, IMAGE, "true"];
        let asked = format!("POST /containers/create?name={own}");
        let steps = [
            "POST /volumes/create",
            "PUT /containers/",
            "DELETE /containers/",
            &asked,
        ];
        // On one engine before it has heard of the step, on the other when it has done it: each way takes ten seconds.
        let answered = lab.engine.name == "26";
        for step in steps {
            let front = relay(&lab);
            let socket = folder.path().join("run/docker.sock");
            let mut child = dockline(&lab, &front.host(), folder.path(), "serve")
                .arg("--ca")
                .arg(&ca)
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            let shell = shell_at(&lab, &socket).await;
            front.fault(step, death(answered));
            let mut client = shell.command(&docker_cli());
            client
                .args(create)
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            let mut client = client.spawn().unwrap();
            reached(&front, step, answered).await;
            child.kill().unwrap();
            child.wait().unwrap();
            client.wait().unwrap();
            lab.try_docker(&["rm", "-f", &own]);
        }
        // The next one finds what all of them left, and does not believe in it.
        let running = Running::start(&lab, |config| config.ca = Some(CA.into())).await;
        running.ready().await;
        running.shell(&lab).docker(&create);
        let copy = folder.path().join("bundle");
        let from = format!("{own}:/.dockline/ca-bundle.pem");
        lab.docker(&["cp", &from, copy.to_str().unwrap()]);
        let bundle = std::fs::read_to_string(copy).unwrap();
        assert!(bundle.matches("BEGIN CERTIFICATE").count() > 100 && bundle.ends_with(CA));
        lab.docker(&["rm", &own]);
        running.stop().await;
        clean(&lab);
        assert_eq!(made(&lab), [""; 0]);
        let own = format!("label=dockline.instance={}", lab.name);
        assert_eq!(lab.docker(&["volume", "ls", "-q", "--filter", &own]), "");
    });
}
