//! `POST /commit`: an image of an intercepted container's files says nothing of the interception.
//!
//! The engine adds the container's variables and labels to whatever configuration a commit asks for, so nothing that is
//! asked for takes them away. What it made is therefore read, and made again without them; where the user asked for
//! another value than the container has, that one stays.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::core::inject::Undo;
use crate::core::label::{CA, ENTRY, INSTANCE, REPLACES, UNDO};

/// The configuration that the committed image would have if nobody had intercepted the container; nothing if it is not
/// known what was done to it. All three as the engine describes them; `base`: the image of the container, if it is
/// still there.
pub fn plain(committed: &Value, container: &Value, base: Option<&Value>) -> Option<Value> {
    let label = container
        .pointer("/Config/Labels/dockline.undo")?
        .as_str()?;
    let undo: Undo = serde_json::from_str(label).ok()?;
    if undo.version > Undo::VERSION {
        return None;
    }
    let of = |image: &Value, field: &str| image["Config"][field].clone();
    let mut config = committed["Config"].clone();
    let base = base.unwrap_or(&Value::Null);
    if let Some(Value::Array(env)) = config.get_mut("Env") {
        variables(env, &of(container, "Env"), &of(base, "Env"), &undo);
    }
    if let Some(Value::Object(labels)) = config.get_mut("Labels") {
        restore(labels, &of(container, "Labels"), &of(base, "Labels"), &undo);
    }
    Some(config)
}

fn variables(env: &mut Vec<Value>, injected: &Value, base: &Value, undo: &Undo) {
    let pairs = |list: &Value| list.as_array().cloned().unwrap_or_default();
    let (injected, base) = (pairs(injected), pairs(base));
    env.retain_mut(|pair| {
        let name = name(pair);
        let Some(before) = undo.env.get(name).filter(|_| injected.contains(pair)) else {
            return true;
        };
        let own = before
            .as_ref()
            .map(|value| json!(format!("{name}={value}")));
        let of_image = || base.iter().find(|other| self::name(other) == name).cloned();
        let Some(plain) = own.or_else(of_image) else {
            return false;
        };
        *pair = plain;
        true
    });
}

fn name(pair: &Value) -> &str {
    let pair = pair.as_str().unwrap_or_default();
    pair.split('=').next().unwrap_or_default()
}

fn restore(labels: &mut Map<String, Value>, injected: &Value, base: &Value, undo: &Undo) {
    let changed = undo.labels.keys().map(String::as_str);
    let keys: BTreeSet<_> = changed
        .chain([INSTANCE, UNDO, CA, ENTRY, REPLACES])
        .collect();
    for key in keys {
        if labels
            .get(key)
            .is_none_or(|value| injected.get(key) != Some(value))
        {
            continue;
        }
        let own = undo.labels.get(key).and_then(Option::as_ref);
        let own = own.map(|value| json!(value));
        match own.or_else(|| base.get(key).cloned()) {
            Some(before) => labels.insert(key.to_owned(), before),
            None => labels.remove(key),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What becomes of a committed image's variables and labels, given those of the container and of its image.
    fn check(committed: &Value, base: &Value, expected: &Value) {
        let undo = json!({
            "version": 1, "env": { "HTTP_PROXY": null, "NO_PROXY": "own" },
            "labels": { "hash": "plain", "dockline.instance": "shop" },
        });
        let container = json!({ "Config": {
            "Env": ["A=1", "HTTP_PROXY=entry", "NO_PROXY=own,more"],
            "Labels": {
                "dockline.undo": undo.to_string(), "dockline.instance": "shop", "dockline.ca": "1", "hash": "ours",
            },
        }});
        let mut committed = json!({ "Config": committed });
        if committed["Config"]["Labels"].is_null() {
            committed["Config"]["Labels"] = container["Config"]["Labels"].clone();
        }
        let base = json!({ "Config": base });
        assert_eq!(
            &plain(&committed, &container, Some(&base)).unwrap(),
            expected
        );
    }

    #[test]
    fn what_injection_set_is_as_it_was() {
        let env = json!(["A=1", "HTTP_PROXY=entry", "NO_PROXY=own,more"]);
        let labels = json!({ "hash": "plain", "dockline.instance": "shop" });
        check(
            &json!({ "Env": env, "Cmd": ["x"] }),
            &json!({}),
            &json!({ "Env": ["A=1", "NO_PROXY=own"], "Cmd": ["x"], "Labels": labels }),
        );
        // What the image says under such a name was hidden.
        check(
            &json!({ "Env": env }),
            &json!({ "Env": ["HTTP_PROXY=images"], "Labels": { "dockline.ca": "images" } }),
            &json!({
                "Env": ["A=1", "HTTP_PROXY=images", "NO_PROXY=own"],
                "Labels": { "hash": "plain", "dockline.instance": "shop", "dockline.ca": "images" },
            }),
        );
    }

    #[test]
    fn what_the_user_asked_for_stays() {
        check(
            &json!({ "Env": ["HTTP_PROXY=", "NO_PROXY=new", "B=2"], "Labels": { "dockline.ca": "mine", "b": "2" } }),
            &json!({}),
            &json!({ "Env": ["HTTP_PROXY=", "NO_PROXY=new", "B=2"], "Labels": { "dockline.ca": "mine", "b": "2" } }),
        );
    }

    #[test]
    fn what_is_not_understood_is_left_alone() {
        let image = json!({ "Config": {} });
        for undo in [Value::Null, json!("{"), json!(r#"{"version":2,"env":{}}"#)] {
            let container = json!({ "Config": { "Labels": { "dockline.undo": undo } } });
            assert_eq!(plain(&image, &container, None), None, "{container}");
        }
    }
}
