//! Ordered maps of which copies share what they have in common.
//!
//! A map is published at every change, and a change is small: copying one costs nothing, and changing a copy costs
//! in proportion to the change.

use std::borrow::Borrow;

use rpds::RedBlackTreeMapSync;

/// An ordered map whose copies share their entries.
pub type SharedMap<K, V> = RedBlackTreeMapSync<K, V>;

/// Several values a key, each once and in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SharedIndex<K: Ord, V>(SharedMap<K, Vec<V>>);

impl<K: Ord, V> Default for SharedIndex<K, V> {
    fn default() -> Self {
        Self(SharedMap::default())
    }
}

impl<K: Ord + Clone, V: Ord + Clone> SharedIndex<K, V> {
    /// The values of `key`.
    pub(crate) fn get<Q: Ord + ?Sized>(&self, key: &Q) -> &[V]
    where
        K: Borrow<Q>,
    {
        self.0.get(key).map(Vec::as_slice).unwrap_or_default()
    }

    /// All keys in their order, with their values.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &[V])> {
        self.0.iter().map(|(key, values)| (key, values.as_slice()))
    }

    /// Adds a value.
    pub(crate) fn insert(&mut self, key: K, value: V) {
        let Some(values) = self.0.get_mut(&key) else {
            self.0.insert_mut(key, vec![value]);
            return;
        };
        if let Err(at) = values.binary_search(&value) {
            values.insert(at, value);
        }
    }

    /// Takes a value out, and its key if it was the last one.
    pub(crate) fn remove(&mut self, key: &K, value: &V) {
        let Some(values) = self.0.get_mut(key) else {
            return;
        };
        if let Ok(at) = values.binary_search(value) {
            values.remove(at);
        }
        if values.is_empty() {
            self.0.remove_mut(key);
        }
    }
}
