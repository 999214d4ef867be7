//! The table of open connections, and the last that could not be had, for status and metrics. Written by whoever dials, read
//! by anybody.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use dashmap::DashMap;

use super::callers::Called;
use super::dial::Call;
use crate::core::resolve::Scope;
use crate::core::route::Destination;
use crate::traffic::{Conversation, Talk, Traffic};

/// How many that could not be had are remembered: for somebody who looks at once.
const REMEMBERED: usize = 64;

/// A connection that the gateway holds open.
#[derive(Clone, Debug)]
pub struct Connection {
    /// Who asked for it.
    pub client: SocketAddr,
    /// From whose point of view.
    pub scope: Scope,
    /// Where it was to go.
    pub destination: Destination,
    /// Which way it went: `tunnel`, `host`, `direct` or `interceptor`.
    pub via: &'static str,
    /// When it was opened.
    pub since: SystemTime,
}

/// A connection that could not be had.
#[derive(Clone, Debug)]
pub struct Missed {
    /// Who asked for it.
    pub client: SocketAddr,
    /// Where it was to go.
    pub destination: Destination,
    /// As which HTTP status its client heard of it.
    pub status: u16,
    /// For people.
    pub reason: String,
    /// When.
    pub at: SystemTime,
}

/// A view of the gateway's open connections.
#[derive(Clone, Debug, Default)]
pub struct Connections(Arc<Table>);

#[derive(Debug, Default)]
struct Table {
    next: AtomicU64,
    open: DashMap<u64, Connection>,
    /// The oldest first.
    missed: Mutex<VecDeque<Missed>>,
    traffic: Traffic,
}

impl Connections {
    /// Who talks to whom by them.
    pub(super) fn traffic(&self) -> &Traffic {
        &self.0.traffic
    }

    /// How many are open.
    pub fn len(&self) -> usize {
        self.0.open.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.0.open.is_empty()
    }

    /// All of them, the oldest first.
    pub fn list(&self) -> Vec<(u64, Connection)> {
        let open = self.0.open.iter();
        let mut listed: Vec<_> = open.map(|e| (*e.key(), e.value().clone())).collect();
        listed.sort_unstable_by_key(|(id, _)| *id);
        listed
    }

    /// The last that could not be had, the oldest first.
    pub fn missed(&self) -> Vec<Missed> {
        self.lock().iter().cloned().collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<Missed>> {
        // Whole even if a holder panicked: one call changes it.
        let missed = self.0.missed.lock();
        missed.unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers that a connection could not be had.
    pub(super) fn miss(&self, call: &Call, status: u16, reason: &str) {
        let mut missed = self.lock();
        if missed.len() == REMEMBERED {
            missed.pop_front();
        }
        missed.push_back(Missed {
            client: call.client,
            destination: call.destination.clone(),
            status,
            reason: reason.to_owned(),
            at: SystemTime::now(),
        });
    }

    /// Enters a connection that has just been opened for `call`.
    pub(super) fn enter(&self, call: &Call, via: &'static str) -> Entry {
        let talk = self.0.traffic.between(&call.scope, &call.destination, via);
        let id = self.0.next.fetch_add(1, Ordering::Relaxed);
        let connection = Connection {
            client: call.client,
            scope: call.scope.clone(),
            destination: call.destination.clone(),
            via,
            since: SystemTime::now(),
        };
        self.0.open.insert(id, connection);
        Entry {
            table: Arc::clone(&self.0),
            id,
            conversation: talk.opened(),
            called: None,
        }
    }
}

/// Keeps a connection in the table for as long as it is held.
#[derive(Debug)]
pub(super) struct Entry {
    table: Arc<Table>,
    id: u64,
    conversation: Conversation,
    /// Where it is one to the interceptor.
    called: Option<Called>,
}

impl Entry {
    /// Where what passes is counted.
    pub(super) fn talk(&self) -> &Arc<Talk> {
        self.conversation.talk()
    }

    /// Keeps `called` for as long as itself.
    pub(super) fn with(mut self, called: Called) -> Self {
        self.called = Some(called);
        self
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.table.open.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(host: &str) -> Call {
        Call {
            client: "127.0.0.1:5000".parse().unwrap(),
            scope: Scope::Merged,
            destination: Destination {
                host: host.into(),
                port: 80,
            },
            plain_http: true,
        }
    }

    #[test]
    fn an_entry_lasts_as_long_as_it_is_held() {
        let connections = Connections::default();
        let enter = |host: &str| connections.enter(&call(host), "tunnel");
        let (first, _second) = (enter("a"), enter("b"));
        let hosts = || {
            let listed = connections.list().into_iter();
            let hosts: Vec<_> = listed.map(|(_, c)| c.destination.to_string()).collect();
            hosts
        };
        assert_eq!(hosts(), ["a:80", "b:80"]);
        drop(first);
        assert_eq!(hosts(), ["b:80"]);
        assert_eq!(connections.len(), 1);
        assert!(!connections.is_empty());
    }

    #[test]
    fn the_last_that_were_missed_are_remembered() {
        let connections = Connections::default();
        for number in 0..=REMEMBERED {
            connections.miss(&call(&format!("h{number}")), 502, "nobody is there");
        }
        let missed = connections.missed();
        assert_eq!(missed.len(), REMEMBERED);
        assert_eq!(missed[0].destination.to_string(), "h1:80");
        assert_eq!(missed[REMEMBERED - 1].status, 502);
    }
}
