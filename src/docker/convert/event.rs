//! The event stream's words.

use bollard::models::{EventMessage, EventMessageTypeEnum};

use super::signal;
use crate::core::id::{ContainerId, NetworkId};
use crate::core::label::Labels;
use crate::core::tracker::{Event, EventKind};

/// One event; nothing for those that say nothing of interest.
pub(in crate::docker) fn event(message: EventMessage) -> Option<Event> {
    let actor = message.actor?;
    let attributes: Labels = actor.attributes.unwrap_or_default().into_iter().collect();
    let kind = match message.typ? {
        EventMessageTypeEnum::CONTAINER => container_event(
            ContainerId::from(actor.id?),
            message.action?.as_str(),
            attributes,
        )?,
        EventMessageTypeEnum::NETWORK => network_event(
            NetworkId::from(actor.id?),
            message.action?.as_str(),
            &attributes,
        )?,
        EventMessageTypeEnum::SERVICE | EventMessageTypeEnum::NODE => EventKind::SwarmChanged,
        _ => return None,
    };
    let time = message
        .time_nano
        .and_then(|t| u64::try_from(t).ok())
        .unwrap_or_default();
    Some(Event { time, kind })
}

fn container_event(id: ContainerId, action: &str, attributes: Labels) -> Option<EventKind> {
    Some(match action {
        // The attributes are the labels, with image and name among them.
        "create" => EventKind::Created {
            id,
            labels: attributes,
        },
        "start" => EventKind::Started { id },
        "kill" => EventKind::Killed {
            id,
            signal: signal(attributes.get("signal")?)?,
        },
        "die" => EventKind::Died { id },
        "destroy" => EventKind::Destroyed { id },
        "rename" | "update" | "pause" | "unpause" | "restart" => EventKind::Changed { id },
        _ => return None,
    })
}

fn network_event(id: NetworkId, action: &str, attributes: &Labels) -> Option<EventKind> {
    let member = || {
        attributes
            .get("container")
            .filter(|c| !c.is_empty())
            .map(ContainerId::from)
    };
    Some(match action {
        // A swarm's gets its ranges after it was made.
        "create" | "update" => EventKind::NetworkCreated { id },
        "destroy" | "remove" => EventKind::NetworkDestroyed { id },
        "connect" => EventKind::Connected {
            container: member()?,
            network: id,
        },
        "disconnect" => EventKind::Disconnected {
            container: member()?,
            network: id,
        },
        _ => return None,
    })
}
