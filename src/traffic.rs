//! Who talks to whom: an entry for each pair of a caller and a destination, written by whoever opens connections or sends
//! requests, read by `control`.
//!
//! Looked up once a connection; what passes is counted in the entry, without a lock.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use dashmap::DashMap;

use crate::core::resolve::Scope;
use crate::core::route::Destination;
use crate::counts::Count;

/// Pairs that are remembered: of several hundred containers, each with its handful of others. Then those that have been
/// silent for long make room, and what finds none is counted and not listed.
const PAIRS: usize = 4_096;
/// Who has no connection and has been silent for so long makes room for others.
const FORGOTTEN: Duration = Duration::from_secs(60);

/// One pair.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pair {
    /// Who calls.
    pub from: Scope,
    /// Whom.
    pub to: Destination,
    /// By which way: `tunnel`, `host`, `direct` or `interceptor`.
    pub via: &'static str,
}

/// What has passed between the two of a pair.
#[derive(Debug)]
pub struct Talk {
    /// Who they are.
    pub pair: Pair,
    /// Connections that are open.
    open: AtomicUsize,
    /// Connections so far.
    pub connections: Count,
    /// Requests so far, as far as they can be told apart.
    pub requests: Count,
    /// Bytes from the caller.
    pub sent: Count,
    /// Bytes to the caller.
    pub received: Count,
    /// When the last connection or request came, in milliseconds after `began`.
    last: AtomicU64,
    began: Instant,
}

impl Talk {
    fn new(pair: Pair) -> Self {
        Self {
            pair,
            open: AtomicUsize::new(0),
            connections: Count::default(),
            requests: Count::default(),
            sent: Count::default(),
            received: Count::default(),
            last: AtomicU64::new(0),
            began: Instant::now(),
        }
    }

    /// A request was made.
    pub fn requested(&self) {
        self.requests.one();
        self.stir();
    }

    /// A connection was opened; it lasts as long as what is returned.
    pub(crate) fn opened(self: Arc<Self>) -> Conversation {
        self.open.fetch_add(1, Ordering::Relaxed);
        self.connections.one();
        self.stir();
        Conversation(self)
    }

    /// Connections that are open.
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// How long ago the last connection or request came.
    pub fn idle(&self) -> Duration {
        let last = Duration::from_millis(self.last.load(Ordering::Relaxed));
        self.began.elapsed().saturating_sub(last)
    }

    fn stir(&self) {
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(now, Ordering::Relaxed);
    }
}

/// An open connection of a pair.
#[derive(Debug)]
pub(crate) struct Conversation(Arc<Talk>);

impl Conversation {
    pub(crate) fn talk(&self) -> &Arc<Talk> {
        &self.0
    }
}

impl Drop for Conversation {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Traffic(Arc<Table>);

#[derive(Debug, Default)]
struct Table {
    pairs: DashMap<Pair, Arc<Talk>>,
    /// Whether somebody makes room.
    sweeping: AtomicBool,
}

impl Traffic {
    /// The entry of a pair.
    pub(crate) fn between(&self, from: &Scope, to: &Destination, via: &'static str) -> Arc<Talk> {
        let pair = Pair {
            from: from.clone(),
            to: to.clone(),
            via,
        };
        if let Some(found) = self.0.pairs.get(&pair) {
            return Arc::clone(&found);
        }
        if self.0.pairs.len() >= PAIRS && !self.make_room() {
            return Arc::new(Talk::new(pair));
        }
        let made = || Arc::new(Talk::new(pair.clone()));
        Arc::clone(&self.0.pairs.entry(pair.clone()).or_insert_with(made))
    }

    /// All pairs, in no order.
    pub fn list(&self) -> Vec<Arc<Talk>> {
        self.0.pairs.iter().map(|pair| Arc::clone(&pair)).collect()
    }

    /// Forgets who has been silent; whether there is room now. One at a time: it looks at everything.
    fn make_room(&self) -> bool {
        if self.0.sweeping.swap(true, Ordering::Acquire) {
            return false;
        }
        let lasts = |talk: &Talk| talk.open() > 0 || talk.idle() < FORGOTTEN;
        self.0.pairs.retain(|_, talk| lasts(talk));
        self.0.sweeping.store(false, Ordering::Release);
        self.0.pairs.len() < PAIRS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(port: u16) -> Destination {
        Destination {
            host: "api".into(),
            port,
        }
    }

    #[test]
    fn a_pair_is_one_entry_that_outlives_its_connections() {
        let traffic = Traffic::default();
        let between = |port| traffic.between(&Scope::Merged, &to(port), "tunnel");
        let (first, second) = (between(80).opened(), between(80).opened());
        first.talk().sent.add(3);
        second.talk().requested();
        let listed = traffic.list();
        let [talk] = listed.as_slice() else {
            panic!("{listed:?}")
        };
        assert_eq!((talk.open(), talk.connections.get()), (2, 2));
        assert_eq!((talk.sent.get(), talk.requests.get()), (3, 1));
        drop((first, second));
        assert_eq!((talk.open(), talk.connections.get()), (0, 2));
        between(81);
        assert_eq!(traffic.list().len(), 2);
    }

    #[test]
    fn there_is_an_end_to_what_is_remembered() {
        let traffic = Traffic::default();
        for port in 0..=u16::try_from(PAIRS).unwrap() {
            drop(
                traffic
                    .between(&Scope::Merged, &to(port), "tunnel")
                    .opened(),
            );
        }
        assert_eq!(traffic.list().len(), PAIRS);
    }
}
