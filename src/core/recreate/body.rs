//! What the engine is asked for, by what it says of a container.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::endpoints::endpoints;
use super::{Original, volumes};

/// A container that is to be made.
#[derive(Clone, Debug, PartialEq)]
pub struct Anew {
    /// The body of its create call.
    pub body: Value,
    /// Networks that it is connected to before it starts, with the endpoints' settings: engines before API 1.44 take
    /// only one at creation.
    pub connect: Vec<(String, Value)>,
    /// The network that its creation brings and that it is not to be on.
    pub disconnect: Option<String>,
}

/// What it is made of.
#[derive(Clone, Debug, Default)]
pub struct Base {
    /// The image's reference.
    pub image: String,
    /// Whether that image has an entrypoint.
    pub has_entrypoint: bool,
    /// Of the containers whose volumes it uses, those that are there no more.
    pub lost: BTreeSet<String>,
    /// Whether it may take its nameless volumes from the one before, which keeps them nameless: they go with the last
    /// container that uses them. With them come all other mounts of that one, so not if it has some of its own.
    pub lends: bool,
}

/// The container as it was, made of `base`.
pub fn anew(original: &Original, base: &Base) -> Anew {
    let mode = original.text("/HostConfig/NetworkMode");
    let mut config = object(original.inspect().pointer("/Config"));
    set_config(&mut config, original, base, mode);
    let host = host_config(original, base);
    let (at_create, connect, disconnect) = endpoints(original, mode);
    config.insert("HostConfig".to_owned(), Value::Object(host));
    if let Some((network, endpoint)) = at_create {
        let endpoints = json!({ "EndpointsConfig": { network: endpoint } });
        config.insert("NetworkingConfig".to_owned(), endpoints);
    }
    Anew {
        body: Value::Object(config),
        connect,
        disconnect,
    }
}

pub(super) fn object(value: Option<&Value>) -> Map<String, Value> {
    value
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default()
}

pub(super) fn is_empty(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => true,
        Some(Value::Array(items)) => items.is_empty(),
        Some(Value::Object(members)) => members.is_empty(),
        Some(Value::String(text)) => text.is_empty(),
        Some(Value::Bool(_) | Value::Number(_)) => false,
    }
}

fn set_config(config: &mut Map<String, Value>, original: &Original, base: &Base, mode: &str) {
    config.insert("Image".to_owned(), json!(base.image));
    // `--entrypoint ""`: without a word the image's would come back.
    if is_empty(config.get("Entrypoint")) && base.has_entrypoint {
        config.insert("Entrypoint".to_owned(), json!([""]));
    }
    let hostname = config.get("Hostname").and_then(Value::as_str);
    // By default a container is called by its own id.
    let is_own = hostname == Some(original.short_id());
    if is_own || original.text("/HostConfig/UTSMode") == "host" {
        config.remove("Hostname");
    }
    if mode.starts_with("container:") {
        // They are those of the container whose network it uses, and refused.
        for lent in ["Hostname", "Domainname", "ExposedPorts", "MacAddress"] {
            config.remove(lent);
        }
    }
}

fn host_config(original: &Original, base: &Base) -> Map<String, Value> {
    let mut host = object(original.inspect().pointer("/HostConfig"));
    if let Some(Value::Array(links)) = host.get_mut("Links") {
        for link in links {
            if let Some(given) = link.as_str().and_then(given_link) {
                *link = Value::String(given);
            }
        }
    }
    volumes::set(&mut host, original, base);
    host
}

/// The engine tells of a legacy link as `/target:/own-name/alias`, and takes `target:alias`.
fn given_link(told: &str) -> Option<String> {
    let (target, alias) = told.strip_prefix('/')?.split_once(":/")?;
    let (_, alias) = alias.rsplit_once('/')?;
    Some(format!("{target}:{alias}"))
}
