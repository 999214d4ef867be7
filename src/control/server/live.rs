//! What happens, as it happens: server-sent events.

use std::time::Duration;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::Json;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::Stream;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::{Failure, Served, unknown_query};
use crate::control::report::{Sources, shape};
use crate::core::map::NetworkMap;

/// How often traffic is looked at. People do not read faster.
const TRAFFIC: Duration = Duration::from_secs(1);

/// `?live=`
#[derive(Debug, Deserialize)]
pub(super) struct EventsQuery {
    /// Whether to tell of more than new maps.
    #[serde(default)]
    live: bool,
}

/// One line for each map: what it holds, and which one it is.
#[derive(Debug, Serialize)]
struct MapChanged {
    generation: u64,
    containers: usize,
    networks: usize,
    joined: usize,
}

/// One line whenever one of these has changed.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct StateChanged {
    ready: bool,
    connected: bool,
    tunnel: &'static str,
    link: &'static str,
    intercepting: bool,
    reachable: Option<bool>,
    /// How many there were so far.
    warnings: u64,
}

pub(super) async fn traffic(State(served): State<Served>) -> Json<shape::Traffic> {
    Json(served.sources.traffic())
}

pub(super) async fn events(
    State(served): State<Served>,
    query: Result<Query<EventsQuery>, QueryRejection>,
) -> Result<Sse<impl Stream<Item = Result<Event, axum::Error>>>, Failure> {
    let Query(query) = query.map_err(|why| unknown_query(&why))?;
    let ears = Ears::new(served, query.live);
    let stream = futures_util::stream::unfold(ears, |mut ears| async move {
        let event = ears.next().await?;
        Some((event, ears))
    });
    Ok(Sse::new(stream).keep_alive(KeepAlive::default()))
}

/// Hears for one client what changes.
struct Ears {
    served: Served,
    map: watch::Receiver<std::sync::Arc<NetworkMap>>,
    /// Nothing if nobody wants to know.
    live: Option<Live>,
}

struct Live {
    ticks: Interval,
    /// What was told last.
    state: Option<StateChanged>,
    traffic: Option<u64>,
}

impl Ears {
    fn new(served: Served, live: bool) -> Self {
        let mut map = served.sources.map.clone();
        map.mark_changed();
        let live = live.then(|| {
            let mut ticks = interval(TRAFFIC);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            Live {
                ticks,
                state: None,
                traffic: None,
            }
        });
        Self { served, map, live }
    }

    /// The next event; nothing once the service stops.
    async fn next(&mut self) -> Option<Result<Event, axum::Error>> {
        let sources = &self.served.sources;
        let mut engine = sources.engine.clone();
        let mut tunnel = sources.tunnel.clone();
        let mut link = sources.link.clone();
        let mut intercepting = sources.intercepting.subscribe();
        loop {
            if let Some(live) = &mut self.live
                && let Some(event) = live.news_of_state(sources)
            {
                return Some(event);
            }
            let tick = async {
                match &mut self.live {
                    Some(live) => drop(live.ticks.tick().await),
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = self.served.stop.cancelled() => return None,
                changed = self.map.changed() => {
                    changed.ok()?;
                    let event = Event::default().event("map");
                    return Some(event.json_data(describe(&self.map.borrow_and_update())));
                }
                Ok(()) = engine.changed() => {}
                Ok(()) = tunnel.changed() => {}
                Ok(()) = link.changed() => {}
                Ok(()) = intercepting.changed() => {}
                () = tick => if let Some(live) = &mut self.live
                    && let Some(event) = live.news_of_traffic(sources)
                {
                    return Some(event);
                },
            }
        }
    }
}

impl Live {
    fn news_of_state(&mut self, sources: &Sources) -> Option<Result<Event, axum::Error>> {
        let interceptor = sources.interceptors.rest.as_ref();
        let now = StateChanged {
            ready: sources.is_ready(),
            connected: sources.engine.borrow().connected,
            tunnel: sources.tunnel.borrow().stage.as_str(),
            link: sources.link.borrow().as_str(),
            intercepting: *sources.intercepting.borrow(),
            reachable: interceptor.and_then(|interceptor| *interceptor.reachable.borrow()),
            warnings: sources.warnings.so_far(),
        };
        if self.state.as_ref() == Some(&now) {
            return None;
        }
        let event = Event::default().event("state").json_data(&now);
        self.state = Some(now);
        Some(event)
    }

    fn news_of_traffic(&mut self, sources: &Sources) -> Option<Result<Event, axum::Error>> {
        let print = sources.traffic_so_far();
        if self.traffic == Some(print) {
            return None;
        }
        self.traffic = Some(print);
        let event = Event::default().event("traffic");
        Some(event.json_data(sources.traffic()))
    }
}

fn describe(map: &NetworkMap) -> MapChanged {
    MapChanged {
        generation: map.generation(),
        containers: map.watched_containers().count(),
        networks: map.watched_networks().count(),
        joined: map.joined().count(),
    }
}
