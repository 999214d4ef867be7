//! `attach` and `detach`: containers made anew, and nothing of them lost.

pub(super) mod deaths;
mod leaving;

use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::{IMAGE, Lab, Running, eventually, on_each_engine, succeed};

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

/// Takes out of what the engine says of a container what differs between any two of them, and what docs/attach.md lists.
fn comparable(mut inspect: Value, short: &str) -> Value {
    let ids = [
        "/Id",
        "/Created",
        "/State",
        "/GraphDriver",
        "/HostnamePath",
        "/HostsPath",
        "/ResolvConfPath",
        "/LogPath",
        "/ExecIDs",
        "/RestartCount",
        "/NetworkSettings/SandboxID",
        "/NetworkSettings/SandboxKey",
        "/NetworkSettings/Ports",
        "/Image",
        "/Config/Image",
        "/HostConfig/VolumesFrom",
        "/HostConfig/Binds",
    ];
    for pointer in ids {
        if let Some(value) = inspect.pointer_mut(pointer) {
            *value = Value::Null;
        }
    }
    let networks = inspect.pointer_mut("/NetworkSettings/Networks").unwrap();
    for endpoint in networks.as_object_mut().unwrap().values_mut() {
        endpoint["EndpointID"] = Value::Null;
    }
    // Which one is first changes from inspect to inspect; where a nameless volume was given its name, so does its mode.
    let mounts = inspect["Mounts"].as_array_mut().unwrap();
    mounts.sort_by_key(|mount| mount["Destination"].to_string());
    for mount in mounts {
        mount["Mode"] = Value::Null;
    }
    let text = inspect.to_string().replace(short, "SHORT");
    serde_json::from_str(&text).unwrap()
}

fn short_id(inspect: &Value) -> String {
    inspect["Id"].as_str().unwrap()[..12].to_owned()
}

/// Makes a container with something of everything.
fn of_everything(lab: &Lab, net: &str, other: &str, subnet: u8) {
    let ip = format!("10.213.{subnet}.9");
    let volume = lab.own("named");
    let label = format!("test={}", lab.name);
    lab.docker(&["volume", "create", "--label", &label, &volume]);
    let named = format!("{volume}:/named:ro");
    // One that is free, or was a moment ago.
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let published = format!("{}:80", free.local_addr().unwrap());
    drop(free);
    // Beside an address the CLI gives it to no engine before 25.
    let mac: &[&str] = match lab.engine.name.as_str() {
        "20" => &[],
        _ => &["--mac-address", "02:42:c0:a8:99:09"],
    };
    lab.start(
        "web",
        &[mac, &[
            "--network", net, "--ip", &ip, "--network-alias", "api", "-p", &published,
            "--label", "com.docker.compose.config-hash=abc", "--label", "com.docker.compose.project=shop",
            "--health-cmd", "test -e /own", "--health-interval", "1s", "--health-timeout", "9s", "--cpus", "0.5", "--pids-limit", "99",
            "-v", &named, "--mount", "type=bind,source=/etc/hostname,target=/bound,readonly", "--workdir", "/tmp",
            "--log-driver", "local", "--security-opt", "no-new-privileges", "--shm-size", "8m", "--restart", "always", "-e", "FOO=bar", "-e", "HTTP_PROXY=",
            "-v", "/data", "--tmpfs", "/scratch", "--memory", "64m", "--ulimit", "nofile=512", "--dns", "10.9.9.9",
            "--add-host", "extra:10.8.8.8", "--cap-add", "NET_ADMIN", "--log-opt", "max-size=1m", "--hostname", "shop",
            "--stop-timeout", "1", "--entrypoint", "sh", "-t", "--device", "/dev/null:/dev/nothing", "--init",
        ]].concat(),
        &["-c", "test -e /own || echo $RANDOM$RANDOM > /own; test -e /data/x || echo $RANDOM$RANDOM > /data/x; exec sleep 1000"],
    );
    lab.docker(&[
        "network",
        "connect",
        "--alias",
        "two",
        "--link",
        "some:linked",
        other,
        &lab.own("web"),
    ]);
}

#[test]
fn attached_and_detached_it_is_as_it_was() {
    on_each_engine(async |lab| {
        let subnet = if lab.engine.name == "20" { 120 } else { 126 };
        let net = lab.network("net", &["--subnet", &format!("10.213.{subnet}.0/24")]);
        let other = lab.network("other", &[]);
        of_everything(&lab, &net, &other, subnet);
        let own = lab.own("web");
        let files = || lab.docker(&["exec", &own, "cat", "/own", "/data/x"]);
        let kept = lab.written("web", &["/own", "/data/x"]).await;
        eventually("healthy", async || {
            let state = inspect(&lab, "web")["State"]["Health"]["Status"].clone();
            (state == "healthy").then_some(()).ok_or(state.to_string())
        })
        .await;
        let before = inspect(&lab, "web");
        let running = lab.service().await;

        let preview =
            succeed(beside(&lab, &running, &["attach", "--dry-run", &own]).env("NO_COLOR", "1"));
        assert!(preview.contains("+ label dockline.replaces="), "{preview}");
        assert_eq!(
            inspect(&lab, "web")["Id"],
            before["Id"],
            "a dry run changes nothing"
        );

        let attach = beside(&lab, &running, &["attach", "--json", &own]).output();
        let Output {
            status,
            stdout,
            stderr,
        } = attach.unwrap();
        let said = String::from_utf8_lossy(&stderr).into_owned();
        assert!(status.success(), "{said}");
        // Who will notice is said before it happens, and then what is being done.
        let at = |what: &str| {
            said.find(what)
                .unwrap_or_else(|| panic!("{what:?}: {said}"))
        };
        assert!(
            at("--abort-on-container-exit") < at("stopping it"),
            "{said}"
        );
        assert!(
            at("stopping it") < at("starting the one in its place"),
            "{said}"
        );
        let told: Value = serde_json::from_slice(&stdout).unwrap();
        assert_eq!(told[0]["done"], true, "{told}");
        let attached = inspect(&lab, "web");
        let labels = &attached["Config"]["Labels"];
        assert_eq!(labels["dockline.replaces"], before["Id"]);
        assert_eq!(labels["com.docker.compose.config-hash"], "abc");
        assert_eq!(attached["State"]["Health"]["Status"], "healthy");
        let env = attached["Config"]["Env"].to_string();
        assert!(env.contains("HTTP_PROXY=http://dockline-tunnel-"), "{env}");
        assert_eq!(files(), kept, "nothing of it is lost");
        assert_eq!(names(&lab), std::slice::from_ref(&own));

        // Nothing to do, and nothing done.
        succeed(&mut beside(&lab, &running, &["attach", &own]));
        assert_eq!(inspect(&lab, "web")["Id"], attached["Id"]);

        succeed(&mut beside(&lab, &running, &["detach", &own]));
        let after = inspect(&lab, "web");
        assert_eq!(files(), kept);
        assert_eq!(names(&lab), std::slice::from_ref(&own));
        let (was, is) = (short_id(&before), short_id(&after));
        pretty(&comparable(before, &was), &comparable(after, &is));
        running.stop().await;
        remove_kept(&lab);
    });
}

/// Compares them line by line, so that a difference can be read.
fn pretty(was: &Value, is: &Value) {
    let lines = |value: &Value| serde_json::to_string_pretty(value).unwrap();
    let (was, is) = (lines(was), lines(is));
    let different: Vec<_> = was
        .lines()
        .zip(is.lines())
        .filter(|(a, b)| a != b)
        .take(10)
        .collect();
    assert!(was == is, "{different:#?}");
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
