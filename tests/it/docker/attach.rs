//! `attach` and `detach`: containers made anew, and nothing of them lost.

pub(super) mod deaths;
mod everything;
mod leaving;

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::{IMAGE, Lab, Running, on_each_engine, succeed};

/// A command of the program's, for the laboratory's instance.
fn dockline(lab: &Lab, host: &str, folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dockline"));
    command
        .args(arguments)
        .args(["--instance", &lab.name, "--host", host])
        .env("DOCKLINE_RUNTIME_DIR", folder);
    command
}

fn beside(lab: &Lab, running: &Running, arguments: &[&str]) -> Command {
    let folder = running.control.parent().unwrap();
    dockline(lab, &lab.engine.host, folder, arguments)
}

fn failed(lab: &Lab, running: &Running, arguments: &[&str]) -> String {
    let Output { status, stderr, .. } = beside(lab, running, arguments).output().unwrap();
    let said = String::from_utf8_lossy(&stderr).into_owned();
    assert_eq!(status.code(), Some(1), "{said}");
    said
}

pub(super) fn inspect(lab: &Lab, name: &str) -> Value {
    let all: Value = serde_json::from_str(&lab.docker(&["inspect", &lab.own(name)])).unwrap();
    all[0].clone()
}

/// All containers of the laboratory's, in any state, but dockline's own.
pub(super) fn names(lab: &Lab) -> Vec<String> {
    let filter = format!("label=test={}", lab.name);
    let all = lab.docker(&["ps", "-a", "--filter", &filter, "--format", "{{.Names}}"]);
    all.lines().map(str::to_owned).collect()
}

/// The images that keep what the laboratory's containers kept go with them.
pub(super) fn remove_kept(lab: &Lab) {
    for name in names(lab) {
        let image = lab.docker(&["inspect", "-f", "{{.Config.Image}}", &name]);
        lab.docker(&["rm", "-fv", &name]);
        if image.starts_with("dockline/kept:") {
            lab.docker(&["rmi", &image]);
        }
    }
}

#[test]
fn what_does_not_do_is_taken_back() {
    on_each_engine(async |lab| {
        let net = lab.network("net", &[]);
        let once = "test -e /once && exit 3; touch /once; exec sleep 1000";
        lab.start(
            "web",
            &[
                "--network",
                &net,
                "--stop-timeout",
                "0",
                "--restart",
                "always",
            ],
            &["sh", "-c", once],
        );
        let own = lab.own("web");
        lab.written("web", &["/once"]).await;
        let before = inspect(&lab, "web");
        let running = lab.service().await;
        let said = failed(&lab, &running, &["attach", &own]);
        assert!(
            said.contains("ended at once") && said.contains("the one before is back"),
            "{said}"
        );
        let after = inspect(&lab, "web");
        assert_eq!(after["Id"], before["Id"]);
        assert_eq!(after["HostConfig"], before["HostConfig"]);
        assert_eq!(names(&lab), std::slice::from_ref(&own));
        // It will not start by itself either: that is its own doing.
        running.stop().await;
        remove_kept(&lab);
    });
}

#[test]
fn one_that_goes_when_it_ends_is_followed_by_its_like() {
    on_each_engine(async |lab| {
        let net = lab.network("net", &[]);
        let write = "test -e /own || echo $RANDOM > /own; exec sleep 1000";
        lab.start(
            "web",
            &["--rm", "--network", &net, "--stop-timeout", "0"],
            &["sh", "-c", write],
        );
        let own = lab.own("web");
        let kept = lab.written("web", &["/own"]).await;
        let running = lab.service().await;
        for command in ["attach", "detach"] {
            succeed(&mut beside(&lab, &running, &[command, &own]));
            assert_eq!(
                lab.docker(&["exec", &own, "cat", "/own"]),
                kept,
                "{command}"
            );
            assert_eq!(inspect(&lab, "web")["HostConfig"]["AutoRemove"], true);
            assert_eq!(names(&lab), std::slice::from_ref(&own));
        }
        running.stop().await;
        remove_kept(&lab);
    });
}

#[test]
fn who_would_be_left_behind_is_named() {
    on_each_engine(async |lab| {
        let sleep = ["sleep", "1000"];
        let quick = ["--stop-timeout", "0"];
        lab.start("web", &quick, &sleep);
        let own = lab.own("web");
        let like = format!("container:{own}");
        lab.start("like", &["--network", &like], &sleep);
        lab.start("linked", &["--link", &own], &sleep);
        lab.start("volumes", &["--volumes-from", &own], &sleep);
        let running = lab.service().await;
        let before = inspect(&lab, "web")["Id"].clone();
        let said = failed(&lab, &running, &["attach", &own]);
        for name in ["like", "linked", "volumes"] {
            assert!(said.contains(&lab.own(name)), "{name}: {said}");
        }
        assert_eq!(inspect(&lab, "web")["Id"], before);
        let said = failed(&lab, &running, &["detach", &lab.own("volumes")]);
        assert!(said.contains("did not intercept"), "{said}");
        let said = failed(&lab, &running, &["attach", &lab.own("nobody")]);
        assert!(said.contains("no container"), "{said}");
        running.stop().await;
    });
}

#[test]
fn clean_gives_back_what_was_taken() {
    on_each_engine(async |lab| {
        let net = lab.network("net", &[]);
        let quick = ["--network", &net, "--stop-timeout", "0"];
        lab.start("attached", &quick, &["sleep", "1000"]);
        let running = lab.service().await;
        let shell = running.shell(&lab);
        shell.start("created", &quick, &["sleep", "1000"]);
        lab.docker(&[
            "create",
            "--name",
            &lab.own("idle"),
            "--label",
            &format!("test={}", lab.name),
            IMAGE,
            "true",
        ]);
        succeed(&mut beside(
            &lab,
            &running,
            &["attach", &lab.own("attached"), &lab.own("idle")],
        ));
        let said = failed(&lab, &running, &["clean"]);
        assert!(said.contains("is running"), "{said}");
        running.stop().await;

        let folder = tempfile::tempdir().unwrap();
        let host = lab.engine.host.clone();
        let clean = || succeed(&mut dockline(&lab, &host, folder.path(), &["clean"]));
        let said = clean();
        for name in ["attached", "created", "idle"] {
            assert!(
                said.contains(&format!("restored {}", lab.own(name))),
                "{said}"
            );
            let labels = inspect(&lab, name)["Config"]["Labels"].to_string();
            for own in ["dockline.undo", "dockline.instance"] {
                assert!(!labels.contains(own), "{labels}");
            }
            assert_eq!(inspect(&lab, name)["State"]["Running"], name != "idle");
        }
        assert!(
            said.contains(&format!("removed container dockline-tunnel-{}", lab.name)),
            "{said}"
        );
        assert_eq!(clean(), "", "twice");
    });
}
