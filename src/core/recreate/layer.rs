//! What a container wrote into its own files, which must not be lost with it.
//!
//! It is committed, which makes an image of it. That image says of itself what the container did, its variables and
//! labels included, and what is made of it could never be without them. So another image is made of the same layers,
//! with the configuration of the image that the container was made of: an archive to load that names layers which the
//! engine has need not bring them.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::Original;
use crate::core::id::Instance;
use crate::core::label::KEPT;

/// The image in which `instance` keeps what that container wrote.
pub fn kept_image(original: &Original, instance: &Instance) -> String {
    // No instance has a dot in its name.
    format!("{KEPT}:{instance}.{}", original.short_id())
}

/// Whether an image keeps what some container wrote; for `instance`, if one is given.
pub fn is_kept(reference: &str, instance: Option<&Instance>) -> bool {
    let tag = reference
        .strip_prefix(KEPT)
        .and_then(|rest| rest.strip_prefix(':'));
    let owner = tag
        .and_then(|tag| tag.split_once('.'))
        .map(|(owner, _)| owner);
    owner.is_some_and(|owner| instance.is_none_or(|instance| owner == instance.as_str()))
}

/// Whether a container changed files that are worth keeping. `changed`: all that it changed of its image's; the engine
/// makes folders where something is mounted.
pub fn wrote<'a>(original: &Original, changed: impl IntoIterator<Item = &'a str>) -> bool {
    let mounts = original
        .inspect()
        .pointer("/Mounts")
        .and_then(Value::as_array);
    let mounts = mounts
        .into_iter()
        .flatten()
        .filter_map(|mount| mount["Destination"].as_str());
    let temporary = original
        .inspect()
        .pointer("/HostConfig/Tmpfs")
        .and_then(Value::as_object);
    let temporary = temporary
        .into_iter()
        .flatten()
        .map(|(target, _)| target.as_str());
    let mut made = BTreeSet::new();
    for target in mounts.chain(temporary) {
        let ends = target
            .match_indices('/')
            .map(|(at, _)| at)
            .chain([target.len()]);
        made.extend(ends.map(|end| &target[..end]));
    }
    changed
        .into_iter()
        .any(|path| !made.contains(path.trim_end_matches('/')))
}

/// A committed image without the labels that mark it as dockline's own; `original`: the container that it was made of.
pub fn unmarked(committed: &Value, original: &Original) -> Value {
    let mut image = committed.clone();
    let labels = image.pointer_mut("/Config/Labels");
    if let Some(labels) = labels.and_then(Value::as_object_mut) {
        let own = original.labels();
        labels.retain(|key, _| own.contains_key(key));
    }
    image
}

/// The files of an archive that makes an image of the layers of `committed`, with the configuration of `base`, both as
/// the engine describes them: the image's configuration first, under the name that `name` makes of it, and the list.
/// `past`: what the engine says of how `committed` came to be.
pub fn image(
    base: &Value,
    committed: &Value,
    past: &[Value],
    reference: Option<&str>,
    name: impl FnOnce(&[u8]) -> String,
) -> [(String, Vec<u8>); 2] {
    let layers = committed
        .pointer("/RootFS/Layers")
        .cloned()
        .unwrap_or_else(|| json!([]));
    let count = layers.as_array().map_or(0, Vec::len);
    let mut configuration = json!({
        "architecture": base["Architecture"],
        "os": base["Os"],
        "created": committed["Created"],
        "config": base["Config"],
        "rootfs": { "type": "layers", "diff_ids": layers },
    });
    if let Some(history) = history(past, count) {
        configuration["history"] = history;
    }
    for (field, from) in [
        ("variant", "Variant"),
        ("os.version", "OsVersion"),
        ("author", "Author"),
    ] {
        if let Some(value) = base[from].as_str().filter(|value| !value.is_empty()) {
            configuration[field] = json!(value);
        }
    }
    if let Some(comment) = committed["Comment"].as_str().filter(|c| !c.is_empty()) {
        configuration["comment"] = json!(comment);
    }
    let configuration = configuration.to_string().into_bytes();
    let file = format!("{}.json", name(&configuration));
    // Of a layer that is there, only its place in the list counts.
    let places: Vec<_> = (0..count)
        .map(|layer| format!("{layer}/layer.tar"))
        .collect();
    let tags: Vec<_> = reference.into_iter().collect();
    let list = json!([{ "Config": file, "RepoTags": tags, "Layers": places }]);
    [
        (file, configuration),
        ("manifest.json".to_owned(), list.to_string().into_bytes()),
    ]
}

/// How an image came to be, as its configuration has it, by what the engine tells (`GET /images/{id}/history`), newest
/// first. That leaves out which steps made a layer: whatever is not empty did, and so may those that write files.
/// Nothing if that is not the number of layers: then the engine would refuse the image.
fn history(past: &[Value], layers: usize) -> Option<Value> {
    let full = |step: &&Value| step["Size"].as_u64() > Some(0);
    let all_full = past.iter().filter(full).count() == layers;
    let has_layer = |step: &Value| full(&step) || (!all_full && writes(step));
    if past.iter().filter(|step| has_layer(step)).count() != layers {
        return None;
    }
    let step = |step: &Value| {
        let created = jiff::Timestamp::from_second(step["Created"].as_i64()?).ok()?;
        let mut entry = json!({ "created": created.to_string() });
        for (field, from) in [("created_by", "CreatedBy"), ("comment", "Comment")] {
            if let Some(text) = step[from].as_str().filter(|text| !text.is_empty()) {
                entry[field] = json!(text);
            }
        }
        if !has_layer(step) {
            entry["empty_layer"] = json!(true);
        }
        Some(entry)
    };
    past.iter().rev().map(step).collect()
}

/// Whether a step writes files: what else a Dockerfile may say is told by its first word.
fn writes(step: &Value) -> bool {
    const OTHERS: [&str; 14] = [
        "ARG",
        "CMD",
        "ENTRYPOINT",
        "ENV",
        "EXPOSE",
        "HEALTHCHECK",
        "LABEL",
        "MAINTAINER",
        "ONBUILD",
        "SHELL",
        "STOPSIGNAL",
        "USER",
        "VOLUME",
        "FROM",
    ];
    let made_by = step["CreatedBy"].as_str().unwrap_or_default();
    let instruction = made_by
        .split_once("#(nop)")
        .map_or(made_by, |(_, rest)| rest);
    let word = instruction.split_whitespace().next().unwrap_or_default();
    !OTHERS.contains(&word)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which steps of an image's past are said to have made no layer, oldest first; nothing if that cannot be told. `past`:
    /// size and step, newest first.
    fn empty_steps(past: &[(u64, &str)], layers: usize) -> Option<Vec<bool>> {
        let committed = json!({ "RootFS": { "Layers": vec!["sha256:1"; layers] } });
        let past: Vec<_> = past
            .iter()
            .map(|(size, step)| json!({ "Created": 1, "Size": size, "CreatedBy": step }))
            .collect();
        let [(_, configuration), _] = image(&json!({}), &committed, &past, None, |_| String::new());
        let configuration: Value = serde_json::from_slice(&configuration).unwrap();
        let history = configuration.get("history")?.as_array()?;
        Some(
            history
                .iter()
                .map(|step| step["empty_layer"] == true)
                .collect(),
        )
    }

    #[test]
    fn an_images_past_has_as_many_layers_as_the_image() {
        assert_eq!(
            empty_steps(&[(0, "sh"), (9, "")], 1),
            Some(vec![false, true])
        );
        assert_eq!(
            empty_steps(&[(5, "sh"), (9, "")], 2),
            Some(vec![false, false])
        );
        // A folder of no size is a layer, a variable is none.
        let dockerfile = [
            (5, "sh"),
            (0, "WORKDIR /srv"),
            (0, "ENV A=1"),
            (0, "/bin/sh -c #(nop)  CMD [\"x\"]"),
            (9, ""),
        ];
        assert_eq!(
            empty_steps(&dockerfile, 3),
            Some(vec![false, true, true, false, false])
        );
        // Either of them may be the one.
        assert_eq!(
            empty_steps(&[(0, "sh"), (0, "WORKDIR /srv"), (9, "")], 2),
            None
        );
    }
}
