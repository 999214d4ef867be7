//! What was injected is taken back.

use super::super::{Unrestorable, restore};
use super::*;
use crate::core::inject::{Authority, Entry, Injection};
use crate::core::rewrite::create::Create;

fn injected(body: &Value, image_env: &[String]) -> Value {
    let injection = Injection {
        instance: "default".parse().unwrap(),
        entry: Entry::Name("default".parse().unwrap()),
        authority: Some(Authority {
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
