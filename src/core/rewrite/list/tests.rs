use serde_json::{Value, json};

use super::{Shown, hashes_in};

const HASH: &str = "com.docker.compose.config-hash";

fn container(name: &str, labels: &Value) -> Value {
    json!({ "Id": name, "Names": [format!("/{name}")], "Image": "web", "Labels": labels })
}

fn town() -> Value {
    json!([
        container(
            "ours",
            &json!({ HASH: "h1+dockline:default", "dockline.instance": "default", "dockline.undo": "{}" })
        ),
        container("elsewhere", &json!({ HASH: "h1" })),
        container("alone", &json!({ HASH: "h1", "dockline.enable": "false" })),
        container(
            "attached",
            &json!({
                HASH: "h1", "dockline.instance": "default", "dockline.undo": "{}", "dockline.replaces": "x",
            })
        ),
        container(
            "others",
            &json!({ HASH: "h1+dockline:b", "dockline.instance": "b", "dockline.undo": "{}" })
        ),
        container("plain", &json!({})),
    ])
}

/// Names and hashes as they are shown.
fn shown(shown: &Shown) -> Vec<(String, String)> {
    let answer = town().to_string();
    let changed = shown.list(answer.as_bytes()).unwrap();
    let list: Vec<Value> = serde_json::from_slice(&changed.unwrap_or(answer.into_bytes())).unwrap();
    let pair = |c: &Value| {
        let hash = c["Labels"][HASH].as_str().unwrap_or_default();
        (c["Id"].as_str().unwrap().to_owned(), hash.to_owned())
    };
    list.iter().map(pair).collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(a, b): &(&str, &str)| ((*a).to_owned(), (*b).to_owned());
    expected.iter().map(owned).collect()
}

#[test]
fn compose_sees_who_is_intercepted() {
    let all = Shown::new("default".parse().unwrap(), false);
    let expected = [
        ("ours", "h1"),
        ("elsewhere", "h1+unintercepted"),
        ("alone", "h1"),
        ("attached", "h1"),
        ("others", "h1+dockline:b"),
        ("plain", ""),
    ];
    assert_eq!(shown(&all), pairs(&expected));
    let allowing = Shown::new("default".parse().unwrap(), true);
    assert_eq!(
        shown(&allowing)[1],
        ("elsewhere".to_owned(), "h1".to_owned())
    );
}

#[test]
fn a_filter_by_hash_finds_what_is_shown_with_it() {
    let filtering = Shown {
        hashes: vec!["h1".to_owned()],
        ..Shown::new("default".parse().unwrap(), false)
    };
    let expected = [("ours", "h1"), ("alone", "h1"), ("attached", "h1")];
    assert_eq!(shown(&filtering), pairs(&expected));
}

#[test]
fn hashes_are_taken_out_of_filters() {
    let key = HASH;
    for filters in [
        format!(r#"{{"label":["a=b","{key}=h1"],"status":["running"]}}"#),
        format!(r#"{{"label":{{"a=b":true,"{key}=h1":true}},"status":{{"running":true}}}}"#),
    ] {
        let (left, hashes) = hashes_in(&filters).unwrap();
        assert_eq!(hashes, ["h1"]);
        let left: Value = serde_json::from_str(&left).unwrap();
        assert_eq!(
            left,
            json!({ "label": ["a=b", key], "status": ["running"] })
        );
    }
    for filters in [
        "",
        "{}",
        "[]",
        r#"{"label":["a=b"]}"#,
        &format!(r#"{{"label":["{key}"]}}"#),
    ] {
        assert_eq!(hashes_in(filters), None, "{filters}");
    }
}

#[test]
fn an_inspect_shows_the_same() {
    let shown = Shown::new("default".parse().unwrap(), false);
    let inspect = json!({ "Id": "c", "Name": "/c", "Config": { "Image": "web", "Labels": { HASH: "h1" } }, "X": 1 });
    let changed = shown
        .inspect(inspect.to_string().as_bytes())
        .unwrap()
        .unwrap();
    let changed: Value = serde_json::from_slice(&changed).unwrap();
    assert_eq!(changed["Config"]["Labels"][HASH], "h1+unintercepted");
    assert_eq!(
        (&changed["Config"]["Image"], &changed["X"]),
        (&json!("web"), &json!(1))
    );
    let without = json!({ "Config": { "Labels": null } }).to_string();
    assert_eq!(shown.inspect(without.as_bytes()).unwrap(), None);
}
