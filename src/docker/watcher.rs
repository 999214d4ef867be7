//! Keeps the map: runs the tracker's fetches, feeds it the outcomes, publishes what they amount to.
//!
//! The only writer of the map. When the engine goes away the last map is served on; the watcher comes back by
//! itself, and then looks at everything again.

mod fetches;
mod pace;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::{FutureExt, Stream, StreamExt};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub use pace::Pace;

use self::fetches::{Fetched, Fetches};
use super::{Client, Error};
use crate::core::back_off::{Attempt, BackOff};
use crate::core::engine_state::EngineState;
use crate::core::map::NetworkMap;
use crate::core::tracker::{Event, Fetch, Tracker};
use crate::counts::Counts;

/// Events taken at once before fetches have their turn.
const MAX_BURST: usize = 256;
/// Of so many things it is said that they were not understood.
const MAX_PUZZLES: usize = 256;

/// See the module.
#[derive(Debug)]
pub struct Watcher {
    client: Client,
    tracker: Tracker,
    pace: Pace,
    map: watch::Sender<Arc<NetworkMap>>,
    engine: watch::Sender<EngineState>,
    counts: Arc<Counts>,
    /// Whether there was a map at all.
    published: bool,
    /// Whether the engine has said who it is, in this attempt.
    answered: bool,
    /// What the engine gave answers to that were not understood, on this connection.
    puzzles: BTreeSet<Fetch>,
}

impl Watcher {
    /// A watcher that publishes to these channels, and counts what the engine tells.
    pub fn new(
        client: Client,
        tracker: Tracker,
        pace: Pace,
        map: watch::Sender<Arc<NetworkMap>>,
        engine: watch::Sender<EngineState>,
        counts: Arc<Counts>,
    ) -> Self {
        Self {
            client,
            tracker,
            pace,
            map,
            engine,
            counts,
            published: false,
            answered: false,
            puzzles: BTreeSet::new(),
        }
    }

    /// Watches until told to stop, through any number of the engine's absences.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut back_off = BackOff::new(self.pace.pauses, self.client.is_near());
        while !stop.is_cancelled() {
            let begun = Instant::now();
            self.answered = false;
            let outcome = tokio::select! {
                () = stop.cancelled() => return,
                outcome = self.follow() => outcome,
            };
            self.disconnected(&outcome);
            let attempt = match begun.elapsed() {
                _ if !self.answered => Attempt::Unanswered,
                // To come back at once costs no more than to have waited.
                lasted if lasted >= self.pace.pauses.longest => Attempt::Good,
                _ => Attempt::Useless,
            };
            let pause = back_off.after(attempt, chance());
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
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
                tracing::warn!(error = %problem, "engine is away; names are served as last seen");
            }
            let changed = news || state.connected || state.synced;
            state.connected = false;
            state.synced = false;
            state.problem = Some(problem);
            changed
        });
    }

    /// One connection: from its first call to the end of its event stream.
    async fn follow(&mut self) -> Result<(), Error> {
        let info = self.client.negotiate().await?;
        self.answered = true;
        let mut events = Box::pin(self.client.events(&info, &self.counts)?);
        self.tracker.subscribed();
        self.puzzles.clear();
        self.engine.send_modify(|state| state.info = Some(info));
        self.pump(&mut events).await
    }

    async fn pump(
        &mut self,
        events: &mut (impl Stream<Item = Result<Event, Error>> + Unpin),
    ) -> Result<(), Error> {
        let mut fetches = Fetches::default();
        let mut check = tokio::time::interval(self.pace.check_every);
        check.reset();
        let mut away = std::pin::pin!(until_away(self.client.clone(), self.pace.ping_every));
        // When the stream counts as dead, unless an event comes.
        let mut dead = None;
        // When files may be read.
        let mut settled = None;
        loop {
            let now = Instant::now();
            let stalled = self.tracker.is_stalled();
            dead = stalled.then(|| dead.unwrap_or(now + self.pace.silence));
            let changed = self.tracker.has_files();
            settled = changed.then(|| settled.unwrap_or(now + self.pace.settle));
            let settling = settled.filter(|at| *at > now);
            self.tracker.hold_files(settling.is_some());
            fetches.send(&self.client, &mut self.tracker);
            self.publish();
            let tick = self.tracker.next_tick();
            tokio::select! {
                event = events.next() => {
                    let Some(event) = event else { return Ok(()) };
                    self.tracker.observe(event?, Instant::now());
                    self.observe_ready(events)?;
                }
                done = fetches.next_done() => if let Some((fetch, outcome)) = done {
                    self.take(fetch, outcome)?;
                },
                () = sleep_until(tick) => self.tracker.tick(Instant::now()),
                () = sleep_until(settling) => {}
                () = sleep_until(dead) => return Err(Error::Stalled),
                _ = check.tick() => self.tracker.check(),
                error = &mut away => return Err(error),
            }
        }
    }

    /// Takes what else has arrived, so that a burst of events makes one map; a part of it, so that a flood lets
    /// answers in.
    fn observe_ready(
        &mut self,
        events: &mut (impl Stream<Item = Result<Event, Error>> + Unpin),
    ) -> Result<(), Error> {
        for _ in 0..MAX_BURST {
            // The end of the stream is met again by the loop.
            let Some(Some(event)) = events.next().now_or_never() else {
                break;
            };
            self.tracker.observe(event?, Instant::now());
        }
        Ok(())
    }

    fn take(&mut self, fetch: Fetch, outcome: Result<Fetched, Error>) -> Result<(), Error> {
        let now = Instant::now();
        match outcome {
            Ok(Fetched::Listing(listing)) => {
                self.tracker.listed(listing, now);
                self.engine.send_if_modified(connected);
            }
            Ok(Fetched::Container(id, found)) => self.tracker.inspected(&id, found.map(|c| *c)),
            Ok(Fetched::Network(id, found)) => self.tracker.network_inspected(&id, found),
            Ok(Fetched::Hosts(id, found)) => self.tracker.hosts_read(&id, found),
            Ok(Fetched::Resolver(id, found)) => self.tracker.resolver_read(&id, found),
            Ok(Fetched::Services(id, found)) => {
                self.tracker.services_listed(&id, found.map(|f| *f), now);
            }
            Err(error) => {
                self.complain(&fetch, &error);
                if !self.tracker.failed(fetch, now) {
                    // Without a listing there is nothing to go on: start over with a new connection.
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Says what goes wrong; loudly, and once a connection, what does not mend itself.
    fn complain(&mut self, fetch: &Fetch, error: &Error) {
        let problem = error_chain(error);
        // Without files there is still a map.
        let is_file = matches!(fetch, Fetch::Hosts(_) | Fetch::Resolver(_));
        let is_lasting = matches!(error, Error::Unexpected(_)) && !is_file;
        if is_lasting && self.puzzles.len() < MAX_PUZZLES && self.puzzles.insert(fetch.clone()) {
            tracing::warn!(?fetch, error = %problem, "left out of the map; trying again");
        } else {
            tracing::debug!(?fetch, error = %problem, "fetch failed");
        }
    }

    /// Publishes a map if there is a different one. The first is held back until it is complete.
    fn publish(&mut self) {
        let synced = self.tracker.is_synced();
        if !self.published && !synced {
            return;
        }
        self.published = true;
        let changes = self.tracker.take_changes();
        if !changes.is_empty() {
            let next = self.map.borrow().next(self.tracker.inventory(), &changes);
            if let Some(next) = next {
                self.map.send_replace(Arc::new(next));
                self.counts.map_published();
            }
        }
        self.engine.send_if_modified(|state| {
            let news = state.synced != synced;
            state.synced = synced;
            news
        });
    }
}

/// Notes that the engine answers; false if that is no news.
fn connected(state: &mut EngineState) -> bool {
    let news = !state.connected;
    state.resyncs += u64::from(news);
    state.connected = true;
    state.problem = None;
    news
}

/// Waits until the engine answers no more, although its connections may stand: a hung one says nothing by itself.
async fn until_away(client: Client, every: Duration) -> Error {
    loop {
        tokio::time::sleep(every).await;
        if let Err(error) = client.ping().await {
            return error;
        }
    }
}

/// Any number; where the system has none to give, always the same.
fn chance() -> u8 {
    let mut byte = [u8::MAX];
    let _ = getrandom::fill(&mut byte);
    byte[0]
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
