//! What the gateway holds open, and what it could not.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use super::shape::{Connections, OpenConnection, RefusedConnection};
use crate::core::caller::Caller;
use crate::core::map::NetworkMap;
use crate::core::resolve::Scope;
use crate::core::who::who;

/// A connection that is open.
#[derive(Clone, Debug)]
pub struct Open {
    /// Who asked for it.
    pub client: SocketAddr,
    /// From whose point of view.
    pub scope: Scope,
    /// Where it was to go.
    pub destination: String,
    /// Which way it went.
    pub via: &'static str,
    /// When it was opened.
    pub since: SystemTime,
}

/// Both of them, as of now; from the gateway.
pub type Traffic = Arc<dyn Fn() -> (Vec<Open>, Vec<RefusedConnection>) + Send + Sync>;

pub(crate) fn connections(map: &NetworkMap, traffic: &Traffic) -> Connections {
    let (open, refused) = traffic();
    let open = open.into_iter().map(|open| {
        let caller = Caller {
            address: open.client,
            scope: open.scope,
        };
        OpenConnection {
            client: open.client.to_string(),
            from: match caller.scope {
                Scope::Merged => None,
                Scope::Container(_) | Scope::Network(_) => Some(who(map, &caller).name),
            },
            destination: open.destination,
            via: open.via.to_owned(),
            since: unix_seconds(open.since),
        }
    });
    Connections {
        open: open.collect(),
        refused,
    }
}

/// Seconds since 1970.
pub fn unix_seconds(time: SystemTime) -> f64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or_default().as_secs_f64()
}
