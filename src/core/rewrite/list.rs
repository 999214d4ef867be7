//! `GET /containers/json` and `GET /containers/{id}/json`: compose's hash as clients of the API proxy are to see it.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Result;

use super::Object;
use crate::core::id::Instance;
use crate::core::inject::{Candidate, injectable};
use crate::core::label::{self, Labels};

/// Says how containers are shown.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The instance whose shells ask.
    pub instance: Instance,
    /// Whether containers that were created elsewhere may run as they are: then compose has no reason to make them anew.
    pub foreign_allowed: bool,
    /// The compose hashes that the client filters by: only containers shown with all of them are wanted.
    pub hashes: Vec<String>,
}

impl Shown {
    /// Everything that the engine lists.
    pub fn new(instance: Instance, foreign_allowed: bool) -> Self {
        Self {
            instance,
            foreign_allowed,
            hashes: Vec::new(),
        }
    }

    /// The answer to a list call; nothing if it stays as it came.
    pub fn list(&self, answer: &[u8]) -> Result<Option<Vec<u8>>> {
        let given: Vec<Object> = serde_json::from_slice(answer)?;
        let mut changed = false;
        let mut shown = Vec::with_capacity(given.len());
        for mut container in given {
            let labels = container.labels()?;
            let names: Vec<String> = container.read("Names")?.unwrap_or_default();
            let image: String = container.read("Image")?.unwrap_or_default();
            let labels = match self.shown(&labels, names.first().map(String::as_str), &image) {
                Some(labels) => {
                    container.set_labels(&labels)?;
                    changed = true;
                    labels
                }
                None => labels,
            };
            if self.is_wanted(&labels) {
                shown.push(container);
            } else {
                changed = true;
            }
        }
        changed.then(|| serde_json::to_vec(&shown)).transpose()
    }

    /// The answer to an inspect call; nothing if it stays as it came.
    pub fn inspect(&self, answer: &[u8]) -> Result<Option<Vec<u8>>> {
        let mut container: Object = serde_json::from_slice(answer)?;
        let mut config: Object = container.read("Config")?.unwrap_or_default();
        let labels = config.labels()?;
        let name: Option<String> = container.read("Name")?;
        let image: String = config.read("Image")?.unwrap_or_default();
        let Some(labels) = self.shown(&labels, name.as_deref(), &image) else {
            return Ok(None);
        };
        config.set_labels(&labels)?;
        container.set("Config", &config)?;
        serde_json::to_vec(&container).map(Some)
    }

    /// The labels as they are shown, if they are others than those there.
    fn shown(&self, labels: &Labels, name: Option<&str>, image: &str) -> Option<Labels> {
        let candidate = Candidate {
            name,
            image,
            labels,
            platform: None,
        };
        let injectable = !self.foreign_allowed && injectable(&candidate, &self.instance).is_ok();
        let hash = label::told_hash(labels, &self.instance, injectable)?;
        let mut labels = labels.clone();
        labels.insert(label::COMPOSE_HASH.to_owned(), hash);
        Some(labels)
    }

    fn is_wanted(&self, labels: &Labels) -> bool {
        let hash = labels.get(label::COMPOSE_HASH);
        self.hashes.iter().all(|wanted| hash == Some(wanted))
    }
}

/// Filters as clients send them: values in a list, or as the keys of an object.
#[derive(Deserialize)]
#[serde(untagged)]
enum Values {
    List(Vec<String>),
    Keys(BTreeMap<String, bool>),
}

impl Values {
    fn into_list(self) -> Vec<String> {
        match self {
            Self::List(list) => list,
            Self::Keys(keys) => keys
                .into_iter()
                .filter_map(|(k, on)| on.then_some(k))
                .collect(),
        }
    }
}

/// Takes the compose hashes out of a `filters` parameter, because the engine knows others: the filters that the engine
/// is to apply, and the hashes that are left to us. Nothing if there are none, or if the filters are not understood.
pub fn hashes_in(filters: &str) -> Option<(String, Vec<String>)> {
    let given: BTreeMap<String, Values> = serde_json::from_str(filters).ok()?;
    let mut hashes = Vec::new();
    let mut left = BTreeMap::new();
    let wanted = format!("{}=", label::COMPOSE_HASH);
    for (name, values) in given {
        let mut values = values.into_list();
        if name == "label" {
            for value in &mut values {
                if let Some(hash) = value.strip_prefix(&wanted) {
                    hashes.push(hash.to_owned());
                    label::COMPOSE_HASH.clone_into(value);
                }
            }
        }
        left.insert(name, values);
    }
    let left = serde_json::to_string(&left).ok()?;
    (!hashes.is_empty()).then_some((left, hashes))
}
