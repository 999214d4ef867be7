//! What a build's start said of it, for its other calls to know.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// What is not done with a build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// The engine itself keeps its steps from all networks.
    Apart,
    /// Somebody has rules for its sources.
    Ruled,
}

/// Of the builds under way on one connection, by name.
#[derive(Clone, Debug, Default)]
pub(super) struct Marks(Arc<Mutex<BTreeMap<String, Mark>>>);

impl Marks {
    /// Marks a build for as long as the answer is held.
    pub(super) fn put(&self, build: &str, mark: Mark) -> Marked {
        self.change(|marks| marks.insert(build.to_owned(), mark));
        Marked {
            marks: self.clone(),
            build: build.to_owned(),
        }
    }

    pub(super) fn of(&self, build: &str) -> Option<Mark> {
        self.change(|marks| marks.get(build).copied())
    }

    fn change<T>(&self, change: impl FnOnce(&mut BTreeMap<String, Mark>) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A mark that goes with it.
#[derive(Debug)]
pub(super) struct Marked {
    marks: Marks,
    build: String,
}

impl Drop for Marked {
    fn drop(&mut self) {
        self.marks.change(|marks| marks.remove(&self.build));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_goes_with_its_build() {
        let marks = Marks::default();
        let first = marks.put("first", Mark::Apart);
        let second = marks.put("second", Mark::Ruled);
        assert_eq!(marks.of("first"), Some(Mark::Apart));
        drop(first);
        assert_eq!(marks.of("first"), None);
        assert_eq!(marks.of("second"), Some(Mark::Ruled));
        drop(second);
        assert!(marks.change(|marks| marks.is_empty()));
    }
}
