//! What becomes of configurations; [`crashes`] has what becomes of containers.

mod crashes;

use serde_json::{Value, json};

use super::dependants::dependant;
use super::difference::difference;
use super::{Base, Obstacle, Original, Place, Unrestorable, anew, layer, restore};
use crate::core::inject::{Entry, Injection};
use crate::core::rewrite::create::Create;

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
fn legacy_links_are_told_otherwise_than_they_are_given() {
    let links = json!({ "HostConfig": { "Links": ["/db:/web/database", "/db:/web/db"] } });
    check(
        &links,
        "/HostConfig/Links",
        &json!(["db:database", "db:db"]),
    );
}

#[test]
fn an_endpoint_keeps_what_was_asked_for() {
    let members = json!({ "NetworkSettings": { "Networks": { "shop": {
        "IPAMConfig": { "IPv4Address": "10.1.0.9" }, "Links": ["db:database"],
        "Aliases": ["api", SHORT], "DriverOpts": {}, "Newer": "x", "GwPriority": 0,
        "NetworkID": "77", "EndpointID": "88", "IPAddress": "10.1.0.9", "IPPrefixLen": 16,
        "MacAddress": "02:42:0a:01:00:09", "DNSNames": ["web"], "Gateway": "10.1.0.1",
    } } } });
    let expected = json!({
        "IPAMConfig": { "IPv4Address": "10.1.0.9" }, "Links": ["db:database"],
        "Aliases": ["api"], "DriverOpts": {}, "Newer": "x",
    });
    check(
        &members,
        "/NetworkingConfig/EndpointsConfig/shop",
        &expected,
    );
}

#[test]
fn names_that_the_engine_gives_are_not_asked_for() {
    let names = |given: &[&str]| {
        let networks = json!({ "shop": { "Aliases": given } });
        let members = json!({
            "Config": { "Hostname": "box" }, "NetworkSettings": { "Networks": networks },
        });
        anew(&original(&members), &base()).body["NetworkingConfig"]["EndpointsConfig"]["shop"]["Aliases"].clone()
    };
    assert_eq!(names(&["api", SHORT, "box"]), json!(["api"]));
    assert_eq!(names(&["box", SHORT]), json!(["box"]));
    assert_eq!(names(&[SHORT, "api"]), json!(["api"]));
    assert_eq!(names(&[SHORT]), Value::Null);
}

#[test]
fn a_hardware_address_is_kept_if_somebody_gave_it() {
    let mac = "/NetworkingConfig/EndpointsConfig/shop/MacAddress";
    let on = |endpoint: Value| json!({ "NetworkSettings": { "Networks": { "shop": endpoint } } });
    let given = "02:42:00:00:00:01";
    check(
        &on(json!({ "IPAddress": "10.1.0.9", "MacAddress": given })),
        mac,
        &json!(given),
    );
    check(
        &on(json!({ "IPAddress": "10.1.0.9", "MacAddress": "02:42:0a:01:00:09" })),
        mac,
        &Value::Null,
    );
    let mut by_config = on(json!({ "Aliases": ["a"] }));
    by_config["Config"] = json!({ "MacAddress": given });
    check(&by_config, mac, &json!(given));
}

#[test]
fn networks_come_one_at_creation_and_the_others_later() {
    let id = "9".repeat(64);
    let networks = json!({
        "blog": { "Aliases": ["b"] }, "shop": { "Aliases": ["s"], "NetworkID": id },
    });
    let with = |mode: &str| {
        let members = json!({
            "HostConfig": { "NetworkMode": mode }, "NetworkSettings": { "Networks": networks },
        });
        let anew = anew(&original(&members), &base());
        let later: Vec<_> = anew.connect.into_iter().map(|(name, _)| name).collect();
        let first = anew.body["NetworkingConfig"]["EndpointsConfig"]
            .as_object()
            .cloned();
        let first = first.into_iter().flatten().map(|(name, _)| name);
        (
            first.collect::<Vec<_>>().join(" "),
            later.join(" "),
            anew.disconnect.unwrap_or_default(),
        )
    };
    let told = |a: &str, b: &str, c: &str| (a.to_owned(), b.to_owned(), c.to_owned());
    assert_eq!(with("shop"), told("shop", "blog", ""));
    assert_eq!(with(&id), told("shop", "blog", ""));
    assert_eq!(with(&id[..12]), told("shop", "blog", ""));
    // It was disconnected from the one that it was made on.
    assert_eq!(with("default"), told("", "blog shop", "bridge"));
    assert_eq!(with("none"), told("", "blog shop", ""));
}

/// Volumes as the engine tells of them: what is mounted, and what of it was asked for how.
fn volumes() -> Value {
    json!({
        "Mounts": [
            { "Type": "volume", "Name": "v1", "Destination": "/data", "RW": true },
            { "Type": "volume", "Name": "v2", "Destination": "/plain", "RW": true },
            { "Type": "volume", "Name": "named", "Destination": "/named", "RW": false },
            { "Type": "bind", "Source": "/host", "Destination": "/bound", "RW": true },
        ],
        "Config": { "Volumes": { "/data/": {}, "/named": {} } },
        "HostConfig": {
            "Binds": ["named:/named:ro", "/host:/bound"],
            "Mounts": [{ "Type": "volume", "Target": "/plain" }],
        },
    })
}

#[test]
fn nameless_volumes_are_taken_from_the_one_before() {
    check(&volumes(), "/HostConfig/VolumesFrom", &json!([ID]));
    check(
        &volumes(),
        "/HostConfig/Binds",
        &json!(["named:/named:ro", "/host:/bound"]),
    );
    check(&volumes(), "/HostConfig/Mounts/0/Source", &json!("v2"));
    check(&json!({}), "/HostConfig/VolumesFrom", &Value::Null);
}

#[test]
fn nameless_volumes_are_named_if_other_mounts_would_come_along() {
    let base = Base {
        lends: false,
        ..base()
    };
    let host = anew(&original(&volumes()), &base).body["HostConfig"].clone();
    assert_eq!(
        host["Binds"],
        json!(["named:/named:ro", "/host:/bound", "v1:/data"])
    );
    assert_eq!(host["VolumesFrom"], Value::Null);
}

#[test]
fn what_came_from_a_container_that_has_gone_is_not_lost() {
    let mut members = volumes();
    members["HostConfig"] = json!({ "VolumesFrom": ["gone:ro", "there"] });
    let lost = ["gone".to_owned()].into();
    let lending = Base { lost, ..base() };
    let from = |base: &Base| anew(&original(&members), base).body["HostConfig"].clone();
    assert_eq!(from(&lending)["VolumesFrom"], json!(["there", ID]));
    let by_name = from(&Base {
        lends: false,
        ..lending
    });
    assert_eq!(by_name["VolumesFrom"], json!(["there"]));
    let expected = json!(["v1:/data", "v2:/plain", "named:/named:ro", "/host:/bound"]);
    assert_eq!(by_name["Binds"], expected);
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

fn injected(body: &Value, image_env: &[String]) -> Value {
    let injection = Injection {
        instance: "default".parse().unwrap(),
        entry: Entry::Name("default".parse().unwrap()),
        authority: Some(crate::core::inject::Authority {
            sha256: "ab".to_owned(),
            volume: "dockline-default-1".to_owned(),
            included: std::collections::BTreeSet::default(),
        }),
        no_proxy: String::new(),
        intercept_loopback: false,
    };
    let mut create = Create::read(body.to_string().as_bytes()).unwrap();
    create.inject(&injection, image_env).unwrap();
    serde_json::from_slice(&create.into_body().unwrap().unwrap()).unwrap()
}

#[test]
fn what_takes_anothers_place_keeps_composes_hash() {
    let labels = |replaces: bool| {
        let mut body = json!({ "Labels": { "com.docker.compose.config-hash": "h" } });
        if replaces {
            body["Labels"]["dockline.replaces"] = json!(ID);
        }
        injected(&body, &[])["Labels"]["com.docker.compose.config-hash"].clone()
    };
    assert_eq!(labels(false), "h+dockline:default");
    assert_eq!(labels(true), "h");
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

#[test]
fn a_label_that_says_nothing_restores_nothing() {
    let check = |labels: Value, expected: &str| {
        let refused = restore(&mut json!({ "Labels": labels })).unwrap_err();
        assert!(refused.to_string().contains(expected), "{refused}");
    };
    check(json!({}), "did not intercept");
    check(json!({ "dockline.undo": "{" }), "not understood");
    check(
        json!({ "dockline.undo": "{\"version\":9,\"env\":{}}" }),
        "later",
    );
    assert_eq!(
        restore(&mut json!({ "Labels": { "dockline.undo": "{\"version\":2,\"env\":{}}" } })),
        Err(Unrestorable::Later(2))
    );
}

proptest::proptest! {
    #[test]
    fn what_was_injected_is_taken_back(
        env in proptest::collection::btree_map("HTTP_PROXY|NO_PROXY|no_proxy|NODE_OPTIONS|JAVA_TOOL_OPTIONS|A|B", "[a-z=:/ ]{0,8}", 0..5),
        labels in proptest::collection::btree_map(
            "dockline.instance|dockline.ca|dockline.no-proxy|com.docker.compose.config-hash|a", "[a-z]{0,4}", 0..4,
        ),
        mounts in proptest::option::of(0..3_usize),
        replaces: bool,
    ) {
        let env: Vec<_> = env.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut body = json!({ "Image": "i", "Env": env, "Labels": labels, "HostConfig": { "Binds": null } });
        if let Some(count) = mounts.filter(|count| *count > 0) {
            let mounts: Vec<_> = (0..count).map(|n| json!({ "Target": format!("/m{n}") })).collect();
            body["HostConfig"]["Mounts"] = json!(mounts);
        }
        let mut given = body.clone();
        if replaces {
            given["Labels"]["dockline.replaces"] = json!(ID);
        }
        // The engine shows the image's variables after the container's own.
        let image = ["NO_PROXY=internal".to_owned(), "PATH=/bin".to_owned()];
        let mut after = injected(&given, &image);
        restore(&mut after).unwrap();
        proptest::prop_assert_eq!(after, body);
    }
}
