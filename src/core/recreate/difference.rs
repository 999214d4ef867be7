//! What would be different, for people who want to know before.

use std::collections::BTreeMap;

use serde_json::Value;

/// What one create call asks for beyond another.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Difference {
    /// Variables that are set to something else, or that go (`None`).
    pub environment: BTreeMap<String, Option<String>>,
    /// Labels, likewise.
    pub labels: BTreeMap<String, Option<String>>,
    /// Where something is mounted, and that it is (or goes).
    pub mounts: BTreeMap<String, bool>,
    /// The image, if it is another.
    pub image: Option<String>,
}

impl Difference {
    /// Whether it is none.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Line by line.
    pub fn lines(&self) -> Vec<String> {
        let pairs = |kind: &'static str, of: &BTreeMap<String, Option<String>>| {
            let line = move |(name, value): (&String, &Option<String>)| match value {
                Some(value) => format!("+ {kind} {name}={value}"),
                None => format!("- {kind} {name}"),
            };
            of.iter().map(line).collect::<Vec<_>>()
        };
        let mut lines = pairs("variable", &self.environment);
        lines.extend(pairs("label", &self.labels));
        lines.extend(self.mounts.iter().map(|(target, comes)| {
            let sign = if *comes { '+' } else { '-' };
            format!("{sign} mount {target}")
        }));
        lines.extend(self.image.iter().map(|image| format!("+ image {image}")));
        lines
    }
}

/// What `after` asks for that `before` did not.
pub fn difference(before: &Value, after: &Value) -> Difference {
    let image = |body: &Value| body["Image"].as_str().map(str::to_owned);
    let (from, to) = (targets(before), targets(after));
    let come = to
        .iter()
        .filter(|t| !from.contains(t))
        .map(|t| (t.clone(), true));
    let go = from
        .iter()
        .filter(|t| !to.contains(t))
        .map(|t| (t.clone(), false));
    Difference {
        environment: changed(&environment(before), &environment(after)),
        labels: changed(&labels(before), &labels(after)),
        mounts: come.chain(go).collect(),
        image: image(after).filter(|after| Some(after) != image(before).as_ref()),
    }
}

fn changed(
    before: &BTreeMap<String, String>,
    after: &BTreeMap<String, String>,
) -> BTreeMap<String, Option<String>> {
    let set = after
        .iter()
        .filter(|(name, value)| before.get(*name) != Some(value));
    let set = set.map(|(name, value)| (name.clone(), Some(value.clone())));
    let gone = before.keys().filter(|name| !after.contains_key(*name));
    set.chain(gone.map(|name| (name.clone(), None))).collect()
}

fn environment(body: &Value) -> BTreeMap<String, String> {
    let pairs = body["Env"].as_array().into_iter().flatten();
    let pairs = pairs.filter_map(|pair| pair.as_str()?.split_once('='));
    pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn labels(body: &Value) -> BTreeMap<String, String> {
    let labels = body["Labels"].as_object().into_iter().flatten();
    labels
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect()
}

fn targets(body: &Value) -> Vec<String> {
    let mounts = body["HostConfig"]["Mounts"]
        .as_array()
        .into_iter()
        .flatten();
    mounts
        .filter_map(|mount| Some(mount["Target"].as_str()?.to_owned()))
        .collect()
}
