//! What becomes of configurations; [`crashes`] has what becomes of containers, [`undo`] how it is undone.

mod crashes;
mod networks;
mod undo;
mod volumes;

use serde_json::{Value, json};

use super::dependants::dependant;
use super::difference::difference;
use super::{Base, Obstacle, Original, Place, anew, layer};

const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const SHORT: &str = "0123456789ab";

/// A container with these members beside the usual ones.
fn original(members: &Value) -> Original {
    let mut inspect = json!({
        "Id": ID, "Name": "/web", "Image": "sha256:1",
        "State": { "Running": true },
        "Config": { "Image": "nginx", "Hostname": SHORT, "Labels": {} },
        "HostConfig": { "NetworkMode": "shop" },
        "NetworkSettings": { "Networks": {} },
    });
    merge(&mut inspect, members);
    Original::new(inspect)
}

fn merge(into: &mut Value, from: &Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from.clone(),
    }
}

fn base() -> Base {
    Base {
        image: "nginx".to_owned(),
        lends: true,
        ..Base::default()
    }
}

/// What is at that place in the body of the container made anew.
fn check(members: &Value, pointer: &str, expected: &Value) {
    let body = anew(&original(members), &base()).body;
    let found = body.pointer(pointer).cloned().unwrap_or(Value::Null);
    assert_eq!(&found, expected, "{pointer} of {members}");
}

#[test]
fn what_nobody_knows_stays() {
    let members =
        json!({ "Config": { "Later": [1], "Tty": true }, "HostConfig": { "Newer": { "a": 1 } } });
    check(&members, "/Later", &json!([1]));
    check(&members, "/Tty", &json!(true));
    check(&members, "/HostConfig/Newer", &json!({ "a": 1 }));
}

#[test]
fn a_hostname_is_kept_if_somebody_gave_it() {
    check(&json!({}), "/Hostname", &Value::Null);
    check(
        &json!({ "Config": { "Hostname": "db" } }),
        "/Hostname",
        &json!("db"),
    );
    let host = json!({ "Config": { "Hostname": "box" }, "HostConfig": { "UTSMode": "host" } });
    check(&host, "/Hostname", &Value::Null);
}

#[test]
fn what_is_lent_is_not_asked_for() {
    let like = json!({
        "Config": { "Hostname": "other", "Domainname": "x", "ExposedPorts": { "80/tcp": {} } },
        "HostConfig": { "NetworkMode": "container:abc" },
    });
    for lent in [
        "/Hostname",
        "/Domainname",
        "/ExposedPorts",
        "/NetworkingConfig",
    ] {
        check(&like, lent, &Value::Null);
    }
}

#[test]
fn an_entrypoint_that_was_taken_away_stays_away() {
    let with = Base {
        has_entrypoint: true,
        ..base()
    };
    let body = |members: &Value| anew(&original(members), &with).body["Entrypoint"].clone();
    assert_eq!(
        body(&json!({ "Config": { "Entrypoint": null } })),
        json!([""])
    );
    assert_eq!(
        body(&json!({ "Config": { "Entrypoint": ["x"] } })),
        json!(["x"])
    );
    check(
        &json!({ "Config": { "Entrypoint": null } }),
        "/Entrypoint",
        &Value::Null,
    );
}

#[test]
fn who_cannot_be_made_anew() {
    let check = |members: Value, expected| {
        let found = original(&members).obstacle(&"default".parse().unwrap());
        assert_eq!(found, expected, "{members}");
    };
    let labelled = |key: &str, value: &str| json!({ "Config": { "Labels": { key: value } } });
    check(json!({}), None);
    check(
        labelled("com.docker.swarm.task.id", "x"),
        Some(Obstacle::Swarm),
    );
    check(
        labelled("dockline.role", "tunnel"),
        Some(Obstacle::Dockline),
    );
    check(
        json!({ "State": { "Paused": true } }),
        Some(Obstacle::Paused),
    );
    check(
        json!({ "State": { "Restarting": true } }),
        Some(Obstacle::Restarting),
    );
    check(
        json!({ "State": { "Status": "removing" } }),
        Some(Obstacle::Dead),
    );
    let mut other = labelled("dockline.instance", "other");
    check(other.clone(), None);
    other["Config"]["Labels"]["dockline.undo"] = json!("{}");
    check(other, Some(Obstacle::OtherInstance));
}

#[test]
fn who_uses_a_container() {
    let web = original(&json!({}));
    let by = |host: Value| {
        let other = json!({ "Id": "f".repeat(64), "Name": "/x", "HostConfig": host });
        dependant(&web, &original(&other)).map(|d| d.by)
    };
    assert_eq!(by(json!({})), None);
    assert_eq!(dependant(&web, &web), None);
    let network = by(json!({ "NetworkMode": format!("container:{ID}") }));
    assert_eq!(network.as_deref(), Some("--network container:web"));
    assert_eq!(
        by(json!({ "PidMode": "container:web" })).as_deref(),
        Some("--pid container:web")
    );
    assert_eq!(
        by(json!({ "Links": ["/web:/x/w"] })).as_deref(),
        Some("--link web")
    );
    assert_eq!(by(json!({ "Links": ["/webby:/x/w"] })), None);
    assert_eq!(
        by(json!({ "VolumesFrom": ["web:ro"] })).as_deref(),
        Some("--volumes-from web")
    );
    assert_eq!(
        by(json!({ "VolumesFrom": [SHORT] })).as_deref(),
        Some("--volumes-from web")
    );
    assert_eq!(
        by(json!({ "VolumesFrom": ["0123"] })),
        None,
        "no name, and too short for an id"
    );
}

#[test]
fn folders_that_the_engine_made_are_not_worth_keeping() {
    let web = original(&json!({
        "Mounts": [{ "Destination": "/var/lib/db" }], "HostConfig": { "Tmpfs": { "/scratch/": "" } },
    }));
    let wrote = |paths: &[&str]| layer::wrote(&web, paths.iter().copied());
    assert!(!wrote(&[]));
    assert!(!wrote(&["/var", "/var/lib", "/var/lib/db", "/scratch"]));
    assert!(wrote(&["/var/lib/dbx"]));
    assert!(wrote(&["/var", "/tmp"]));
}

#[test]
fn names_tell_places() {
    for place in Place::ALL {
        assert_eq!(Place::read(&place.of("web")), (place, "web"));
    }
    assert_eq!(Place::read("a.dockline-x"), (Place::Known, "a.dockline-x"));
}

#[test]
fn what_would_be_different() {
    let before = json!({ "Image": "i", "Env": ["A=1", "B=2"], "Labels": { "x": "1" } });
    assert!(difference(&before, &before).is_none());
    let after = json!({
        "Image": "j", "Env": ["A=1", "C=3"], "Labels": { "x": "2" }, "HostConfig": { "Mounts": [{ "Target": "/m" }] },
    });
    let lines = difference(&before, &after).lines();
    assert_eq!(
        lines,
        [
            "- variable B",
            "+ variable C=3",
            "+ label x=2",
            "+ mount /m",
            "+ image j"
        ]
    );
    assert_eq!(
        difference(&after, &before).lines().last().unwrap(),
        "+ image i"
    );
}
