//! A container with something of everything is the same afterwards.

use std::net::TcpListener;
use std::process::Output;

use serde_json::Value;

use super::{beside, inspect, names, remove_kept};
use crate::support::{Lab, eventually, on_each_engine, succeed};

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
