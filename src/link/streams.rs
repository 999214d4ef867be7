//! The streams that wait at the tunnel for callers: a few always, more when it asks for them.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tracing::debug;

use super::{Link, hello};
use crate::core::caller::{Caller, is_build, is_for_builds, is_known, scope_of};
use crate::core::resolve::Scope;
use crate::core::tunnel_state::SocksAccess;
use crate::core::wire::{Message, Session};

/// How many wait while nobody calls: what a page opens at once.
const PARKED: usize = 16;
/// How many there may be of which no caller has come yet, however many are asked for.
const MOST: usize = 1_024;
/// After a stream could not be had: the next attempt should not find the same.
const BACK_OFF: Duration = Duration::from_millis(100);
/// For the gateway to have room for a caller, and for the tunnel to hear of it. It waits no longer (`TAKING` of
/// `tunnel-image/src/link.rs`).
const TAKING: Duration = Duration::from_secs(1);
/// For the map to show a container that has just been started, or the tunnel that has just joined its network.
const SETTLING: Duration = Duration::from_millis(500);
/// The same where a step of a build is far more likely, of which the map never knows.
const SETTLING_OF_BUILDS: Duration = Duration::from_millis(50);

/// All that a stream needs.
#[derive(Debug)]
struct Way {
    link: Link,
    access: SocksAccess,
    session: Session,
    /// Streams without a caller.
    idle: AtomicUsize,
    /// That there is one less of them, as a caller has come.
    fewer: Notify,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Streams {
    way: Arc<Way>,
    /// Those without a caller, and those whose caller is being settled.
    tasks: JoinSet<io::Result<()>>,
}

impl Streams {
    pub(super) fn new(link: Link, access: SocksAccess, session: Session) -> Self {
        let way = Way {
            link,
            access,
            session,
            idle: AtomicUsize::new(0),
            fewer: Notify::new(),
        };
        Self {
            way: Arc::new(way),
            tasks: JoinSet::new(),
        }
    }

    /// Keeps streams parked and makes as many more as `wishes` says, for ever.
    pub(super) async fn keep(mut self, mut wishes: mpsc::Receiver<u16>) {
        let mut more = 0;
        loop {
            let idle = self.way.idle.load(Ordering::Relaxed);
            let missing = (PARKED.saturating_sub(idle) + more).min(MOST.saturating_sub(idle));
            for _ in 0..missing {
                let idle = Idle::new(&self.way);
                self.tasks.spawn(idle.serve());
            }
            more = 0;
            let failed = tokio::select! {
                Some(wish) = wishes.recv() => {
                    more = wish.into();
                    None
                }
                () = self.way.fewer.notified() => None,
                Some(ended) = self.tasks.join_next() => ended.ok().and_then(Result::err),
            };
            if let Some(error) = failed {
                debug!(%error, "a stream to the tunnel ended");
                sleep(BACK_OFF).await;
                // Most likely for the same reason.
                while self.tasks.try_join_next().is_some() {}
            }
        }
    }
}

/// A stream without a caller, for as long as it is held.
struct Idle(Arc<Way>);

impl Idle {
    fn new(way: &Arc<Way>) -> Self {
        way.idle.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(way))
    }
}

impl Drop for Idle {
    fn drop(&mut self) {
        self.0.idle.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Idle {
    /// Parks a stream, waits for its caller, and hands that to the gateway.
    async fn serve(self) -> io::Result<()> {
        let way = Arc::clone(&self.0);
        let session = way.session;
        let (mut stream, answer) = hello::open(&way.access, &Message::Stream { session }).await?;
        let Message::Granted { .. } = answer else {
            return Err(io::Error::other("the tunnel has no use for another stream"));
        };
        let Message::Caller { caller, local } = hello::read(&mut stream).await? else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        drop(self);
        way.fewer.notify_one();
        // Only who is sure to be served is taken: anybody else is served by the tunnel.
        let place = timeout(TAKING, way.link.arrivals.reserve()).await?;
        let place = place.map_err(|_| io::Error::other("the gateway has ended"))?;
        timeout(TAKING, stream.write_all(&Message::Taken.encode())).await??;
        if let Some(scope) = way.settle(caller, local).await {
            let address = caller;
            let arrival = (stream, Caller { address, scope });
            if way.may_be_engine(local) {
                // Whoever finds no room there is asked for by nobody: most are steps, which go on from there to the gateway.
                if let Err(full) = way.link.fetching.try_send(arrival) {
                    place.send(full.into_inner());
                }
            } else {
                place.send(arrival);
            }
        } else {
            // Nothing can be said of what that caller may reach. A reset tells it from an answer.
            debug!(%caller, %local, "a caller is on no network on which it can have called");
            let _ = stream.set_zero_linger();
        }
        Ok(())
    }
}

impl Way {
    /// Whether a caller there may be the engine, which is told that address alone.
    fn may_be_engine(&self, local: SocketAddr) -> bool {
        *self.link.builds.borrow() > 0 && is_for_builds(&self.link.map.borrow(), local.ip())
    }

    /// Who calls. The map is waited for if it does not show that yet.
    async fn settle(&self, caller: SocketAddr, local: SocketAddr) -> Option<Scope> {
        let mut map = self.link.map.clone();
        let (caller, local) = (caller.ip(), local.ip());
        let known = map.wait_for(|map| is_known(map, caller, local));
        let by_build = *self.link.builds.borrow() > 0 && {
            let map = self.link.map.borrow();
            scope_of(&map, caller, local).is_some_and(|scope| is_build(&map, &scope))
        };
        let patience = if by_build {
            SETTLING_OF_BUILDS
        } else {
            SETTLING
        };
        // Whatever the map shows by then is what counts.
        let _ = timeout(patience, known).await.is_ok();
        let map = Arc::clone(&self.link.map.borrow());
        scope_of(&map, caller, local)
    }
}
