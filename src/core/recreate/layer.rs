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

/// The files of an archive that makes an image of the layers of `committed`, with the configuration of `base`, both as
/// the engine describes them: the image's configuration first, under the name that `name` makes of it, and the list.
pub fn image(
    base: &Value,
    committed: &Value,
    reference: &str,
    name: impl FnOnce(&[u8]) -> String,
) -> [(String, Vec<u8>); 2] {
    let layers = committed
        .pointer("/RootFS/Layers")
        .cloned()
        .unwrap_or_else(|| json!([]));
    let mut configuration = json!({
        "architecture": base["Architecture"],
        "os": base["Os"],
        "created": committed["Created"],
        "config": base["Config"],
        "rootfs": { "type": "layers", "diff_ids": layers },
    });
    for (field, from) in [
        ("variant", "Variant"),
        ("os.version", "OsVersion"),
        ("author", "Author"),
    ] {
        if let Some(value) = base[from].as_str().filter(|value| !value.is_empty()) {
            configuration[field] = json!(value);
        }
    }
    let configuration = configuration.to_string().into_bytes();
    let file = format!("{}.json", name(&configuration));
    // Of a layer that is there, only its place in the list counts.
    let count = layers.as_array().map_or(0, Vec::len);
    let places: Vec<_> = (0..count)
        .map(|layer| format!("{layer}/layer.tar"))
        .collect();
    let list = json!([{ "Config": file, "RepoTags": [reference], "Layers": places }]);
    [
        (file, configuration),
        ("manifest.json".to_owned(), list.to_string().into_bytes()),
    ]
}
