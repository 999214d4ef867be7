//! dockline's map of the laboratory, as its watcher keeps it: no listener, no tunnel.

use std::sync::Arc;
use std::time::Duration;

use dockline::core::engine_state::EngineState;
use dockline::core::label::Selector;
use dockline::core::map::NetworkMap;
use dockline::core::tracker::Tracker;
use dockline::docker::watcher::{Pace, Watcher};
use dockline::docker::{Client, endpoint};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::support::{Lab, eventually};

/// Whether the hosts files were read, for which nobody waits.
fn has_files(map: &NetworkMap) -> bool {
    let running = map
        .watched_containers()
        .filter(|known| known.container.state.is_up());
    let mut owners = running.filter_map(|known| map.files_owner(&known.container.id));
    owners.all(|owner| owner.hosts.is_some())
}

/// A watcher at work.
#[derive(Debug)]
pub(super) struct Watch {
    map: watch::Receiver<Arc<NetworkMap>>,
    engine: watch::Receiver<EngineState>,
    /// Ends the watcher when it is dropped.
    _task: JoinSet<()>,
}

impl Watch {
    pub(super) fn start(lab: &Lab) -> Self {
        let client = Client::new(endpoint::parse(&lab.engine.host, None).unwrap());
        let tracker = Tracker::new(Selector::new(lab.name.parse().unwrap()));
        let (map_tx, map) = watch::channel(Arc::default());
        let (engine_tx, engine) = watch::channel(EngineState::default());
        let pace = Pace {
            settle: Duration::ZERO,
            ..Pace::default()
        };
        let watcher = Watcher::new(client, tracker, pace, map_tx, engine_tx, Arc::default());
        let mut task = JoinSet::new();
        task.spawn(watcher.run(CancellationToken::new()));
        Self {
            map,
            engine,
            _task: task,
        }
    }

    fn complete(&self) -> Option<Arc<NetworkMap>> {
        let synced = self.engine.borrow().synced;
        let map = Arc::clone(&self.map.borrow());
        (synced && has_files(&map)).then_some(map)
    }

    /// The map, when it is that of a fresh listing.
    pub(super) async fn settled(&self, lab: &Lab) -> Arc<NetworkMap> {
        let fresh = Self::start(lab);
        eventually("the map of a fresh listing", async || {
            let (seen, listed) = (self.complete(), fresh.complete());
            match (seen, listed) {
                (Some(seen), Some(listed)) if seen == listed => Ok(seen),
                (seen, listed) => Err(format!("{seen:#?}, but it is {listed:#?}")),
            }
        })
        .await
    }
}
