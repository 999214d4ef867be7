//! What all threads of a soak share: when to stop, what was done, and what went wrong.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::console::complain;

/// So many failures are kept; the rest are like them.
const KEPT: usize = 20;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Tally {
    stop: AtomicBool,
    /// Changes to the engine that it accepted.
    pub(super) changes: Count,
    /// Changes that it refused, because another thread was faster.
    pub(super) refused: Count,
    /// Requests through the gateway that were answered.
    pub(super) requests: Count,
    /// Requests to a container that was taken off the network before it answered.
    pub(super) unanswered: Count,
    /// DNS queries that were answered.
    pub(super) queries: Count,
    failed: Count,
    failures: Mutex<Vec<String>>,
}

/// A number that only grows.
#[derive(Debug, Default)]
pub(super) struct Count(AtomicU64);

impl Count {
    pub(super) fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Tally {
    /// Tells all threads to come to an end.
    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Notes something that must not happen.
    pub(super) fn fail(&self, what: impl Into<String>) {
        let what = what.into();
        self.failed.add();
        let mut kept = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < KEPT {
            complain(format_args!("FAILED: {what}"));
            kept.push(what);
        }
    }

    /// How often something happened that must not, and what it was.
    pub(super) fn failures(&self) -> (u64, Vec<String>) {
        let kept = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        (self.failed.get(), kept.clone())
    }
}
