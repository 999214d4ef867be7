//! What is asked for on networks.

use super::*;

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

#[test]
fn legacy_links_are_told_otherwise_than_they_are_given() {
    let links = json!({ "HostConfig": { "Links": ["/db:/web/database", "/db:/web/db"] } });
    check(
        &links,
        "/HostConfig/Links",
        &json!(["db:database", "db:db"]),
    );
}
