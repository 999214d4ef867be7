//! What is made of the authority, when the first build needs it.

use std::sync::{Arc, OnceLock};

use crate::core::trust::Ca;

#[derive(Debug)]
pub(super) struct OfAuthority<T> {
    ca: Option<Ca>,
    make: fn(&Ca) -> T,
    made: OnceLock<Arc<T>>,
}

impl<T> OfAuthority<T> {
    pub(super) fn new(ca: Option<Ca>, make: fn(&Ca) -> T) -> Self {
        Self {
            ca,
            make,
            made: OnceLock::new(),
        }
    }

    /// Nothing if there is nobody to trust.
    pub(super) fn get(&self) -> Option<Arc<T>> {
        let ca = self.ca.as_ref()?;
        Some(Arc::clone(
            self.made.get_or_init(|| Arc::new((self.make)(ca))),
        ))
    }
}
