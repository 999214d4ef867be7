//! Where volumes come from, named or not.

use super::*;

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
