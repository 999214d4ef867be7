//! JSON objects as a client wrote them: fields that nobody asks for are never read, and go on as they came.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::core::label::Labels;

/// Wherever the engine's API has labels.
const LABELS: &str = "Labels";

/// A JSON object, in its order, with fields named twice.
#[derive(Clone, Debug, Default)]
pub(super) struct Object(Vec<(String, Box<RawValue>)>);

impl Object {
    /// The field that the engine reads under that name: it ignores case, and the last one counts.
    pub(super) fn field(&self, name: &str) -> Option<&RawValue> {
        let found = self
            .0
            .iter()
            .rfind(|(key, _)| key.eq_ignore_ascii_case(name));
        Some(&*found?.1)
    }

    /// The field's value; nothing if it is absent or `null`, an error if it is of another type.
    pub(super) fn read<T: DeserializeOwned>(&self, name: &str) -> serde_json::Result<Option<T>> {
        match self.field(name) {
            Some(value) => serde_json::from_str(value.get()),
            None => Ok(None),
        }
    }

    /// The labels; none if there are none.
    pub(super) fn labels(&self) -> serde_json::Result<Labels> {
        let labels: Option<BTreeMap<_, _>> = self.read(LABELS)?;
        Ok(labels.into_iter().flatten().collect())
    }

    /// Puts labels in the place of those that are there.
    pub(super) fn set_labels(&mut self, labels: &Labels) -> serde_json::Result<()> {
        self.set(LABELS, &labels.iter().collect::<BTreeMap<_, _>>())
    }

    /// Puts a value in the place of what the engine would read there, or at the end.
    pub(super) fn set(&mut self, name: &str, value: &impl Serialize) -> serde_json::Result<()> {
        let value = serde_json::value::to_raw_value(value)?;
        match self
            .0
            .iter_mut()
            .rfind(|(key, _)| key.eq_ignore_ascii_case(name))
        {
            Some((_, found)) => *found = value,
            None => self.0.push((name.to_owned(), value)),
        }
        Ok(())
    }

    /// Drops the members for which `keep` does not hold; true if there were some.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(&str) -> bool) -> bool {
        let before = self.0.len();
        self.0.retain(|(key, _)| keep(key));
        self.0.len() < before
    }
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Object;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                let mut members = Vec::with_capacity(map.size_hint().unwrap_or_default());
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Object(members))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

impl Serialize for Object {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in &self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}
