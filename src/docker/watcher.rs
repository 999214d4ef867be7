//! Keeps the map: runs the tracker's fetches, feeds it the outcomes, publishes what they amount to.
//!
//! The only writer of the map. When the engine goes away the last map is served on; the watcher comes back by
//! itself, and then looks at everything again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::{FutureExt, Stream, StreamExt};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{Client, Error};
use crate::core::engine_state::EngineState;
use crate::core::id::{ContainerId, NetworkId};
use crate::core::inventory::{Container, Listing, Network};
use crate::core::map::NetworkMap;
use crate::core::tracker::{Event, Fetch, Tracker};

/// Inspects at a time. Each may wait for a slow start; other calls are not counted, because they are never many.
const MAX_INSPECTS: usize = 32;
/// Events taken at once before fetches have their turn.
const MAX_BURST: usize = 256;
/// A connection that lasted so long was a good one: the next attempt comes soon.
const GOOD_CONNECTION: Duration = Duration::from_secs(10);
/// How often a listing is compared with the map, for events that the engine dropped without a word.
const CHECK_EVERY: Duration = Duration::from_secs(30);
/// How often the engine is asked whether it is there.
const PING_EVERY: Duration = Duration::from_secs(5);
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
    /// Whether there was a map at all.
    published: bool,
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
            published: false,
        }
    }

    /// Watches until told to stop, through any number of the engine's absences.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut pause = FIRST_PAUSE;
        while !stop.is_cancelled() {
            let begun = Instant::now();
            let outcome = tokio::select! {
                () = stop.cancelled() => return,
                outcome = self.follow() => outcome,
            };
            if begun.elapsed() >= GOOD_CONNECTION {
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
            state.synced = false;
            state.problem = Some(problem);
            true
        });
    }

    /// One connection: from its first call to the end of its event stream.
    async fn follow(&mut self) -> Result<(), Error> {
        let info = self.client.negotiate().await?;
        let mut events = Box::pin(self.client.events(info.clock)?);
        self.tracker.subscribed();
        self.engine.send_modify(|state| state.info = Some(info));
        self.pump(&mut events).await
    }

    async fn pump(
        &mut self,
        events: &mut (impl Stream<Item = Result<Event, Error>> + Unpin),
    ) -> Result<(), Error> {
        let mut fetches = Fetches::default();
        let mut check = tokio::time::interval(CHECK_EVERY);
        check.reset();
        let mut away = std::pin::pin!(until_away(self.client.clone()));
        loop {
            fetches.send(&self.client, &mut self.tracker);
            self.publish();
            let tick = self.tracker.next_tick();
            tokio::select! {
                event = events.next() => {
                    let Some(event) = event else { return Ok(()) };
                    self.tracker.observe(event?, Instant::now());
                    self.observe_ready(events)?;
                }
                (fetch, outcome) = fetches.next_done() => self.take(fetch, outcome)?,
                () = sleep_until(tick) => self.tracker.tick(Instant::now()),
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
                if self.tracker.is_stalled() {
                    return Err(Error::Stalled);
                }
                self.engine.send_if_modified(connected);
            }
            Ok(Fetched::Container(id, found)) => self.tracker.inspected(&id, found.map(|c| *c)),
            Ok(Fetched::Network(id, found)) => self.tracker.network_inspected(&id, found),
            Err(error) => {
                tracing::debug!(?fetch, error = %error_chain(&error), "fetch failed");
                if !self.tracker.failed(fetch, now) {
                    // Without a listing there is nothing to go on: start over with a new connection.
                    return Err(error);
                }
            }
        }
        Ok(())
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

/// The calls to the engine that are under way.
#[derive(Default)]
struct Fetches {
    running: JoinSet<(Fetch, Result<Fetched, Error>)>,
    /// How many of them may take as long as a container's start.
    inspects: usize,
}

impl Fetches {
    fn send(&mut self, client: &Client, tracker: &mut Tracker) {
        while let Some(fetch) = tracker.next_fetch(self.inspects < MAX_INSPECTS) {
            self.inspects += usize::from(matches!(fetch, Fetch::Container(_)));
            let client = client.clone();
            self.running.spawn(async move {
                let outcome = fetch_one(&client, &fetch).await;
                (fetch, outcome)
            });
        }
    }

    /// Waits for an answer; for ever, if none is under way.
    async fn next_done(&mut self) -> (Fetch, Result<Fetched, Error>) {
        match self.running.join_next().await {
            Some(Ok((fetch, outcome))) => {
                self.inspects -= usize::from(matches!(fetch, Fetch::Container(_)));
                (fetch, outcome)
            }
            // A panic is a defect: it ends the watcher, and with it the service, rather than one container's news.
            Some(Err(error)) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => std::future::pending().await,
            },
            None => std::future::pending().await,
        }
    }
}

/// Waits until the engine answers no more, although its connections may stand: a hung one says nothing by itself.
async fn until_away(client: Client) -> Error {
    loop {
        tokio::time::sleep(PING_EVERY).await;
        if let Err(error) = client.ping().await {
            return error;
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
