//! Callers of the entry, told apart by whose interceptor gets what they send.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use crate::config::Interception;
use crate::core::hand_on::Shares;
use crate::core::map::NetworkMap;
use crate::gateway::Interceptor;
use crate::link::Arrival;

pub(super) type Map = watch::Receiver<Arc<NetworkMap>>;

/// Who intercepts.
#[derive(Clone, Debug)]
pub(super) enum Who {
    Nobody,
    BuiltIn,
    External(Interceptor),
}

impl Who {
    pub(super) fn of(interception: &Interception) -> Self {
        match interception {
            Interception::None => Self::Nobody,
            Interception::BuiltIn(_) => Self::BuiltIn,
            Interception::External(interceptor) => Self::External(interceptor.clone()),
        }
    }

    pub(super) fn external(&self) -> Option<&Interceptor> {
        match self {
            Self::External(interceptor) => Some(interceptor),
            Self::Nobody | Self::BuiltIn => None,
        }
    }
}

/// Where there is the built-in interceptor, and not for everybody.
pub(super) struct Split {
    pub(super) who: Shares<Who>,
    pub(super) map: Map,
    /// From the link.
    pub(super) arrivals: mpsc::Receiver<Arrival>,
    pub(super) built_in: mpsc::Sender<Arrival>,
    /// It hands them on to other interceptors, or to nobody.
    pub(super) gateway: mpsc::Sender<Arrival>,
}

impl Split {
    /// Tells them apart until the link has gone.
    pub(super) async fn run(mut self) {
        while let Some(arrival) = self.arrivals.recv().await {
            let is_own = {
                let map = self.map.borrow();
                matches!(self.who.of_scope(&map, &arrival.1.scope), Who::BuiltIn)
            };
            let to = if is_own {
                &self.built_in
            } else {
                &self.gateway
            };
            // Whoever takes no more of them is stopping.
            let _ = to.send(arrival).await;
        }
    }
}
