//! What the engine's event stream says, reduced to what matters here.

use crate::core::id::{ContainerId, NetworkId};
use crate::core::inventory::{Container, Listed};
use crate::core::label::Labels;

/// Something that the engine reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The engine's own time of it, in nanoseconds since 1970. Unique and rising in a healthy stream.
    pub time: u64,
    /// What happened.
    pub kind: EventKind,
}

/// What happened, to what. Docker's own words are in the variants' documentation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// `container create`.
    Created {
        /// The new container.
        id: ContainerId,
        /// Its labels.
        labels: Labels,
    },
    /// `container start`.
    Started {
        /// The container.
        id: ContainerId,
    },
    /// `container kill`: a signal was sent, not necessarily a deadly one.
    Killed {
        /// The container.
        id: ContainerId,
        /// The signal's number.
        signal: u8,
    },
    /// `container die`.
    Died {
        /// The container.
        id: ContainerId,
    },
    /// `container destroy`.
    Destroyed {
        /// The container.
        id: ContainerId,
    },
    /// `container rename`, `update`, `pause`, `unpause`, `restart`.
    Changed {
        /// The container.
        id: ContainerId,
    },
    /// `network connect`.
    Connected {
        /// Who joined.
        container: ContainerId,
        /// What it joined.
        network: NetworkId,
    },
    /// `network disconnect`. Comes twice for one call, and for containers that never were connected.
    Disconnected {
        /// Who left.
        container: ContainerId,
        /// What it left.
        network: NetworkId,
    },
    /// `network create`; of a swarm's network, `update` as well.
    NetworkCreated {
        /// The new network.
        id: NetworkId,
    },
    /// `network destroy`; of a swarm's network, `remove`.
    NetworkDestroyed {
        /// The network that was.
        id: NetworkId,
    },
    /// Anything about a service or a node of the swarm.
    SwarmChanged,
}

/// Labels that cannot be read off a `create` event: its attributes are the labels, with these put over them.
pub(super) const OVERWRITTEN: [&str; 2] = ["image", "name"];

/// Whether a listing shows another state of the container than what is known: its name, whether it runs, or its
/// attachments (an endpoint's id changes with every connect).
pub(super) fn differs(known: &Container, listed: &Listed) -> bool {
    let attachments = known.endpoints.iter().map(|e| (&e.network, &e.endpoint_id));
    known.name != listed.name
        || known.state != listed.state
        || known.endpoints.len() != listed.endpoints.len()
        || attachments
            .into_iter()
            .any(|(network, id)| listed.endpoints.get(network) != Some(id))
}
