//! Back to what was asked for before injection, by the label that tells it.

use serde_json::{Map, Value, json};

use crate::core::inject::Undo;
use crate::core::label;

/// Why it cannot be told what a container was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unrestorable {
    /// It was never injected.
    #[error("it carries no dockline.undo: dockline did not intercept it")]
    NotInjected,
    /// Somebody changed the label.
    #[error("its label dockline.undo is not understood: {0}")]
    Malformed(String),
    /// A later dockline wrote it.
    #[error("its label dockline.undo is of a later dockline (version {0}); use that one")]
    Later(u32),
}

/// Takes what injection did out of a create call's body.
pub fn restore(body: &mut Value) -> Result<(), Unrestorable> {
    let undo = body
        .pointer("/Labels/dockline.undo")
        .and_then(Value::as_str);
    let undo: Undo = serde_json::from_str(undo.ok_or(Unrestorable::NotInjected)?)
        .map_err(|error| Unrestorable::Malformed(error.to_string()))?;
    if undo.version > Undo::VERSION {
        return Err(Unrestorable::Later(undo.version));
    }
    if let Some(Value::Array(env)) = body.get_mut("Env") {
        environment(env, &undo);
    }
    if let Some(Value::Object(labels)) = body.get_mut("Labels") {
        restore_labels(labels, &undo);
    }
    if let Some(Value::Object(host)) = body.get_mut("HostConfig")
        && let Some(Value::Array(mounts)) = host.get_mut("Mounts")
    {
        let is_added = |mount: &Value| undo.mounts.iter().any(|target| mount["Target"] == **target);
        mounts.retain(|mount| !is_added(mount));
        if mounts.is_empty() {
            host.remove("Mounts");
        }
    }
    Ok(())
}

fn environment(env: &mut Vec<Value>, undo: &Undo) {
    env.retain_mut(|pair| {
        let text = pair.as_str().unwrap_or_default();
        let name = text.split('=').next().unwrap_or_default();
        match undo.env.get(name) {
            None => true,
            Some(None) => false,
            Some(Some(before)) => {
                *pair = json!(format!("{name}={before}"));
                true
            }
        }
    });
}

fn restore_labels(labels: &mut Map<String, Value>, undo: &Undo) {
    let own = [
        label::INSTANCE,
        label::UNDO,
        label::CA,
        label::ENTRY,
        label::REPLACES,
    ];
    for own in own {
        labels.remove(own);
    }
    for (key, before) in &undo.labels {
        match before {
            Some(before) => labels.insert(key.clone(), json!(before)),
            None => labels.remove(key),
        };
    }
}
