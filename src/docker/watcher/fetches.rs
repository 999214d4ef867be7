//! The watcher's calls to the engine: sent as the tracker asks for them, so that none that waits holds up another.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

use crate::core::hosts_file::HostsFile;
use crate::core::id::{ContainerId, NetworkId};
use crate::core::inventory::{Container, Listing, Network, Services};
use crate::core::tracker::{Fetch, Tracker};
use crate::docker::{Client, Error};

/// Inspects at a time: enough to keep the engine busy, few enough to leave it room for others.
const MAX_INSPECTS: usize = 32;
/// An inspect that takes longer waits for a container's start, not for its turn: it no longer counts.
const BLOCKED: Duration = Duration::from_millis(200);
/// Calls in all, those that wait included: each has a connection.
const MAX_WAITING: usize = 256;

/// What a fetch brought.
pub(super) enum Fetched {
    Listing(Listing),
    Container(ContainerId, Option<Box<Container>>),
    Network(NetworkId, Option<Network>),
    Hosts(ContainerId, Option<HostsFile>),
    Resolver(ContainerId, Option<bool>),
    Services(NetworkId, Option<Box<(Network, Services)>>),
}

/// The calls to the engine that are under way.
pub(super) struct Fetches {
    running: JoinSet<(Fetch, Result<Fetched, Error>)>,
    /// For inspects: each has one until it is over, or turns out to wait for something.
    slots: Arc<Semaphore>,
    /// Whether there was none to be had.
    full: bool,
}

impl Default for Fetches {
    fn default() -> Self {
        Self {
            running: JoinSet::new(),
            slots: Arc::new(Semaphore::new(MAX_INSPECTS)),
            full: false,
        }
    }
}

impl Fetches {
    pub(super) fn send(&mut self, client: &Client, tracker: &mut Tracker) {
        loop {
            let slot = Arc::clone(&self.slots).try_acquire_owned().ok();
            self.full = slot.is_none();
            let slot = slot.filter(|_| self.running.len() < MAX_WAITING);
            let Some(fetch) = tracker.next_fetch(slot.is_some()) else {
                return;
            };
            let client = client.clone();
            self.running.spawn(async move {
                let outcome = give_way(fetch_one(&client, &fetch), slot).await;
                (fetch, outcome)
            });
        }
    }

    /// Waits for an answer, or, with nothing, for a slot; for ever, if there is nothing to wait for.
    pub(super) async fn next_done(&mut self) -> Option<(Fetch, Result<Fetched, Error>)> {
        let done = tokio::select! {
            Some(done) = self.running.join_next() => done,
            _ = self.slots.acquire(), if self.full => return None,
            else => std::future::pending().await,
        };
        match done {
            Ok(done) => Some(done),
            // A panic is a defect: it ends the watcher, and with it the service, rather than one container's news.
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => std::future::pending().await,
            },
        }
    }
}

/// Gives the slot back when the call is over, or when it turns out to be one that waits.
async fn give_way<T>(call: impl Future<Output = T>, slot: Option<OwnedSemaphorePermit>) -> T {
    let mut call = std::pin::pin!(call);
    if let Ok(outcome) = tokio::time::timeout(BLOCKED, &mut call).await {
        return outcome;
    }
    drop(slot);
    call.await
}

async fn fetch_one(client: &Client, fetch: &Fetch) -> Result<Fetched, Error> {
    Ok(match fetch {
        Fetch::Listing => Fetched::Listing(client.list().await?),
        Fetch::Container(id) => {
            let found = client.inspect_container(id).await?;
            Fetched::Container(id.clone(), found.map(Box::new))
        }
        Fetch::Network(id) => Fetched::Network(id.clone(), client.inspect_network(id).await?),
        Fetch::Hosts(id) => Fetched::Hosts(id.clone(), client.read_hosts(id).await?),
        Fetch::Resolver(id) => Fetched::Resolver(id.clone(), client.asks_docker(id).await?),
        Fetch::Services(id) => {
            let found = client.services(id).await?;
            Fetched::Services(id.clone(), found.map(Box::new))
        }
    })
}
