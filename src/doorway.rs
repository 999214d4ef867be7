//! The gateway's door for other parts of dockline: they ask it for connections in a caller's scope, and know nothing of how
//! those are made.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use crate::core::caller::Caller;
use crate::core::route::Destination;
use crate::metered::Metered;
use crate::traffic::Talk;

/// Wishes that the gateway has yet to look at. It does so at once, unless it is full.
const WISHES: usize = 64;

/// A wish for a connection.
#[derive(Debug)]
pub struct Wish {
    /// Who asks, and from whose point of view.
    pub caller: Caller,
    /// Where to.
    pub destination: Destination,
    /// Whether it is known to be for HTTP without TLS: upstream proxies are chosen by that.
    pub plain_http: bool,
    /// From the gateway to who asked.
    pub answer: oneshot::Sender<Result<Opened, Refused>>,
}

/// An open connection.
#[derive(Debug)]
pub struct Opened {
    /// The connection.
    pub stream: Metered,
    /// What has been read from it already.
    pub early: Bytes,
    /// Where requests on it are counted.
    pub talk: Arc<Talk>,
    /// To be held for as long as the connection.
    pub lease: Lease,
}

/// Tells whether an open connection still goes where it should, and keeps it in the gateway's table.
#[derive(Clone)]
pub struct Lease(Arc<dyn Fn() -> bool + Send + Sync>);

impl Lease {
    /// One that lasts while `holds` says so.
    pub fn new(holds: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(holds))
    }

    /// Whether the connection may be used for another request.
    pub fn holds(&self) -> bool {
        (self.0)()
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lease(…)")
    }
}

/// A connection that could not be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Refused {
    /// As which HTTP status a client hears of it.
    pub status: u16,
    /// For people.
    pub reason: String,
}

/// Asks the gateway.
#[derive(Clone, Debug)]
pub struct Doorway(mpsc::Sender<Wish>);

/// Both sides of a door: the second is the gateway's.
pub fn doorway() -> (Doorway, mpsc::Receiver<Wish>) {
    let (wishes_tx, wishes_rx) = mpsc::channel(WISHES);
    (Doorway(wishes_tx), wishes_rx)
}

impl Doorway {
    /// A connection to `destination`, as far as the caller may get there. The gateway keeps the deadlines.
    pub async fn open(
        &self,
        caller: Caller,
        destination: Destination,
        plain_http: bool,
    ) -> Result<Opened, Refused> {
        let (answer, answered) = oneshot::channel();
        let wish = Wish {
            caller,
            destination,
            plain_http,
            answer,
        };
        let stopping = || Refused {
            status: 503,
            reason: "dockline is stopping".to_owned(),
        };
        self.0.send(wish).await.map_err(|_| stopping())?;
        answered.await.unwrap_or_else(|_| Err(stopping()))
    }
}
