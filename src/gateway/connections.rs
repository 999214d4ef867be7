//! The table of open connections, for status and metrics. Written by whoever dials, read by anybody.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use dashmap::DashMap;

use super::callers::Called;
use crate::core::route::Destination;

/// A connection that the gateway holds open.
#[derive(Clone, Debug)]
pub struct Connection {
    /// Who asked for it.
    pub client: SocketAddr,
    /// Where it was to go.
    pub destination: Destination,
    /// Which way it went: `tunnel`, `host`, `direct` or `interceptor`.
    pub via: &'static str,
    /// When it was opened.
    pub since: SystemTime,
}

/// A view of the gateway's open connections.
#[derive(Clone, Debug, Default)]
pub struct Connections(Arc<Table>);

#[derive(Debug, Default)]
struct Table {
    next: AtomicU64,
    open: DashMap<u64, Connection>,
}

impl Connections {
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

    /// Enters a connection that has just been opened.
    pub(super) fn enter(
        &self,
        client: SocketAddr,
        destination: Destination,
        via: &'static str,
    ) -> Entry {
        let id = self.0.next.fetch_add(1, Ordering::Relaxed);
        let connection = Connection {
            client,
            destination,
            via,
            since: SystemTime::now(),
        };
        self.0.open.insert(id, connection);
        Entry {
            table: Arc::clone(&self.0),
            id,
            called: None,
        }
    }
}

/// Keeps a connection in the table for as long as it is held.
#[derive(Debug)]
pub(super) struct Entry {
    table: Arc<Table>,
    id: u64,
    /// Where it is one to the interceptor.
    called: Option<Called>,
}

impl Entry {
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

    #[test]
    fn an_entry_lasts_as_long_as_it_is_held() {
        let connections = Connections::default();
        let client = "127.0.0.1:5000".parse().unwrap();
        let enter = |host: &str| {
            let destination = Destination {
                host: host.into(),
                port: 80,
            };
            connections.enter(client, destination, "tunnel")
        };
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
}
