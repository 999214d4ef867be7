//! Keeps the map: runs the tracker's fetches, feeds it the outcomes, publishes what they amount to.
//!
//! The only writer of the map. When the engine goes away the last map is served on; the watcher comes back by
//! itself, and then looks at everything again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::{Stream, StreamExt};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{Client, Error};
use crate::core::engine_state::EngineState;
use crate::core::id::{ContainerId, NetworkId};
use crate::core::inventory::{Container, Listing, Network};
use crate::core::map::NetworkMap;
use crate::core::tracker::{Event, Fetch, Tracker};

/// Calls to the engine at a time: enough to keep it busy, few enough to leave it room for others.
const MAX_FETCHES: usize = 16;
/// How often a listing is compared with the map, for events that the engine dropped without a word.
const CHECK_EVERY: Duration = Duration::from_secs(30);
/// First and longest pause between attempts to reach the engine.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What a fetch brought.
enum Fetched {
    Listing(Listing),
    Container(ContainerId, Option<Box<Container>>),
    Network(NetworkId, Option<Network>),
}

/// See the module.
#[derive(Debug)]
pub struct Watcher {
    client: Client,
    tracker: Tracker,
    map: watch::Sender<Arc<NetworkMap>>,
    engine: watch::Sender<EngineState>,
}

impl Watcher {
    /// A watcher that publishes to these channels.
    pub fn new(
        client: Client,
        tracker: Tracker,
        map: watch::Sender<Arc<NetworkMap>>,
        engine: watch::Sender<EngineState>,
    ) -> Self {
        Self {
            client,
            tracker,
            map,
            engine,
        }
    }

    /// Watches until told to stop, through any number of the engine's absences.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut pause = FIRST_PAUSE;
        while !stop.is_cancelled() {
            let outcome = tokio::select! {
                () = stop.cancelled() => return,
                outcome = self.follow() => outcome,
            };
            if self.engine.borrow().connected {
                pause = FIRST_PAUSE;
            }
            self.disconnected(&outcome);
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn disconnected(&self, outcome: &Result<(), Error>) {
        let problem = match outcome {
            Ok(()) => "the engine ended its event stream".to_owned(),
            Err(error) => error_chain(error),
        };
        self.engine.send_if_modified(|state| {
            let news = state.problem.as_deref() != Some(&problem);
            if news || state.connected {
                tracing::warn!(%problem, "engine is away; names are served as last seen");
            }
            state.connected = false;
            state.problem = Some(problem);
            true
        });
    }

    /// One connection: from its first call to the end of its event stream.
    async fn follow(&mut self) -> Result<(), Error> {
        let info = self.client.negotiate().await?;
        let mut events = Box::pin(self.client.events(info.clock));
        self.tracker.subscribed();
        self.engine.send_modify(|state| state.info = Some(info));
        self.pump(&mut events).await
    }

    async fn pump(
        &mut self,
        events: &mut (impl Stream<Item = Result<Event, Error>> + Unpin),
    ) -> Result<(), Error> {
        let mut fetches = JoinSet::new();
        let mut check = tokio::time::interval(CHECK_EVERY);
        check.reset();
        loop {
            self.send_fetches(&mut fetches);
            self.publish();
            let tick = self.tracker.next_tick();
            tokio::select! {
                biased;
                event = events.next() => match event {
                    Some(event) => self.tracker.observe(event?, Instant::now()),
                    None => return Ok(()),
                },
                Some(done) = fetches.join_next() => {
                    let Ok((fetch, outcome)) = done else { continue };
                    self.take(fetch, outcome)?;
                }
                () = sleep_until(tick) => self.tracker.tick(Instant::now()),
                _ = check.tick() => self.tracker.check(),
            }
        }
    }

    fn send_fetches(&mut self, fetches: &mut JoinSet<(Fetch, Result<Fetched, Error>)>) {
        while fetches.len() < MAX_FETCHES {
            let Some(fetch) = self.tracker.next_fetch() else {
                return;
            };
            let client = self.client.clone();
            fetches.spawn(async move {
                let outcome = fetch_one(&client, &fetch).await;
                (fetch, outcome)
            });
        }
    }

    fn take(&mut self, fetch: Fetch, outcome: Result<Fetched, Error>) -> Result<(), Error> {
        match outcome {
            Ok(Fetched::Listing(listing)) => {
                self.tracker.listed(listing, Instant::now());
                self.engine.send_modify(|state| {
                    state.resyncs += u64::from(!state.connected);
                    state.connected = true;
                    state.problem = None;
                });
            }
            Ok(Fetched::Container(id, found)) => self.tracker.inspected(&id, found.map(|c| *c)),
            Ok(Fetched::Network(id, found)) => self.tracker.network_inspected(&id, found),
            // Without a listing there is nothing to go on: start over with a new connection.
            Err(error) if fetch == Fetch::Listing => return Err(error),
            Err(error) => {
                tracing::debug!(?fetch, error = %error_chain(&error), "fetch failed; trying again");
                self.tracker.failed(fetch, Instant::now());
            }
        }
        Ok(())
    }

    /// Publishes a map if there is a different one. The first is held back until it is complete.
    fn publish(&mut self) {
        let synced = self.tracker.is_synced();
        let first = !self.engine.borrow().synced;
        if first && !synced {
            return;
        }
        let changes = self.tracker.take_changes();
        if !changes.is_empty() {
            let next = self.map.borrow().next(self.tracker.inventory(), &changes);
            if let Some(next) = next {
                self.map.send_replace(Arc::new(next));
            }
        }
        if first {
            self.engine.send_modify(|state| state.synced = true);
        }
    }
}

async fn fetch_one(client: &Client, fetch: &Fetch) -> Result<Fetched, Error> {
    Ok(match fetch {
        Fetch::Listing => Fetched::Listing(client.list().await?),
        Fetch::Container(id) => {
            let found = client.inspect_container(id).await?;
            Fetched::Container(id.clone(), found.map(Box::new))
        }
        Fetch::Network(id) => Fetched::Network(id.clone(), client.inspect_network(id).await?),
    })
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

fn error_chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
