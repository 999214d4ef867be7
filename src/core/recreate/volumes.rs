//! Volumes and mounts of a container made anew: those that it had.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::Original;
use super::body::{Base, is_empty, object};

/// Sees to it that all that was mounted is again; `host`: the host's part of its configuration, as it was.
pub(super) fn set(host: &mut Map<String, Value>, original: &Original, base: &Base) {
    let mounted = name_anonymous(host, original);
    take_volumes(host, original, base, &mounted);
}

fn path(text: &str) -> String {
    match text.trim_end_matches('/') {
        "" => "/".to_owned(),
        path => path.to_owned(),
    }
}

/// The volume at that place in the container, by its name.
fn volume_at(original: &Original, target: &str) -> Option<String> {
    let mounts = original.inspect().pointer("/Mounts")?.as_array()?;
    let found = mounts.iter().find(|mount| {
        mount["Type"] == "volume"
            && mount["Destination"].as_str().map(path).as_deref() == Some(target)
    });
    Some(found?["Name"].as_str()?.to_owned())
}

/// Gives mounts of volumes without a name the one that they got: they would get a new volume. Answers all places where
/// something is mounted by name.
fn name_anonymous(host: &mut Map<String, Value>, original: &Original) -> BTreeSet<String> {
    let mut places = BTreeSet::new();
    if let Some(Value::Array(binds)) = host.get_mut("Binds") {
        for bind in binds {
            let text = bind.as_str().unwrap_or_default();
            let target = text.split(':').nth(1).unwrap_or(text);
            places.insert(path(target));
            if !text.contains(':')
                && let Some(name) = volume_at(original, &path(text))
            {
                *bind = json!(format!("{name}:{text}"));
            }
        }
    }
    if let Some(Value::Array(mounts)) = host.get_mut("Mounts") {
        for mount in mounts {
            let target = path(mount["Target"].as_str().unwrap_or_default());
            if mount["Type"] == "volume"
                && is_empty(mount.get("Source"))
                && let Some(name) = volume_at(original, &target)
            {
                mount["Source"] = json!(name);
            }
            places.insert(target);
        }
    }
    places
}

/// Volumes without a name of their own, and what came from a container that has gone: nothing else in the configuration
/// says where they are.
fn uncovered<'a>(
    original: &'a Original,
    lost: bool,
    mounted: &BTreeSet<String>,
) -> Vec<(String, &'a Value)> {
    let declared = object(original.inspect().pointer("/Config/Volumes"));
    let declared: BTreeSet<_> = declared.keys().map(|target| path(target)).collect();
    let mounts = original
        .inspect()
        .pointer("/Mounts")
        .and_then(Value::as_array);
    let mounts = mounts.into_iter().flatten();
    let placed = mounts.filter_map(|mount| Some((path(mount["Destination"].as_str()?), mount)));
    placed
        .filter(|(target, mount)| {
            let nameless = mount["Type"] == "volume" && declared.contains(target);
            !mounted.contains(target) && (lost || nameless)
        })
        .collect()
}

fn take_volumes(
    host: &mut Map<String, Value>,
    original: &Original,
    base: &Base,
    mounted: &BTreeSet<String>,
) {
    let given = host.get("VolumesFrom").and_then(Value::as_array);
    let mut from: Vec<Value> = given.cloned().unwrap_or_default();
    let before = from.len();
    from.retain(|name| {
        let name = name.as_str().unwrap_or_default();
        !base
            .lost
            .contains(name.split(':').next().unwrap_or_default())
    });
    let lost = from.len() < before;
    let uncovered = uncovered(original, lost, mounted);
    if !uncovered.is_empty() && base.lends {
        from.push(json!(original.id()));
    } else if !uncovered.is_empty() {
        let mut binds = host
            .get("Binds")
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        binds.extend(
            uncovered
                .into_iter()
                .filter_map(|(target, mount)| bind(&target, mount)),
        );
        host.insert("Binds".to_owned(), Value::Array(binds));
    }
    if lost && from.is_empty() {
        host.insert("VolumesFrom".to_owned(), Value::Null);
    } else if lost || !from.is_empty() {
        host.insert("VolumesFrom".to_owned(), Value::Array(from));
    }
}

/// What is mounted there, by name.
fn bind(target: &str, mount: &Value) -> Option<Value> {
    let source = match mount["Type"].as_str()? {
        "volume" => mount["Name"].as_str()?,
        _ => mount["Source"].as_str()?,
    };
    let mode = if mount["RW"] == false { ":ro" } else { "" };
    Some(json!(format!("{source}:{target}{mode}")))
}
