//! dockline in a container of the very engine that it watches: a guest in the tunnel's home, whose addresses nobody has a
//! way to from other networks.
//!
//! Whether it is in one is looked at again each time: nothing is remembered that the engine could tell otherwise.

use serde_json::Value;

use super::{Asked, Error};
use crate::core::id::{ContainerId, Instance, NetworkId};
use crate::core::label;
use crate::core::membership::Attachment;
use crate::core::own_container::candidates;
use crate::docker::{self, Client};

/// The container that this process is in, as its engine describes it.
struct Own {
    id: ContainerId,
    facts: Value,
}

impl Own {
    fn text(&self, pointer: &str) -> &str {
        let found = self.facts.pointer(pointer).and_then(Value::as_str);
        found.unwrap_or_default()
    }

    /// Whose networks it has. Nothing if it has the machine's.
    fn host(&self) -> Option<ContainerId> {
        let mode = self.text("/HostConfig/NetworkMode");
        match mode.strip_prefix("container:") {
            Some(other) => Some(ContainerId::from(other)),
            None => (mode != "host").then(|| self.id.clone()),
        }
    }

    /// Whether nobody would take it for a container that could be intercepted.
    fn is_marked(&self) -> bool {
        let labels = self.facts.pointer("/Config/Labels");
        let label = |key: &str| labels.and_then(|labels| labels[key].as_str());
        label(label::ROLE).is_some() || label(label::ENABLE) == Some("false")
    }
}

/// Joins the home network, if this process is in a container that can; answers whether it is there now.
pub(super) async fn join(client: &Client, home: &NetworkId) -> Result<bool, Error> {
    let Some(own) = own(client).await? else {
        return Ok(false);
    };
    let Some(host) = own.host() else {
        return Ok(false);
    };
    let anywhere = Attachment::default();
    match client.connect(home, &host, &[], &anywhere).await {
        Ok(()) => {
            let container = own.id.short();
            tracing::info!(
                container,
                "dockline runs in a container; it joined the tunnel's home"
            );
            if !own.is_marked() {
                tracing::warn!(
                    container,
                    "dockline's own container could be intercepted: label it dockline.role=service"
                );
            }
            Ok(true)
        }
        Err(error) if error.is_already_connected() => Ok(true),
        Err(source) => Err(Error::Engine {
            action: "join dockline's own container to the tunnel's home",
            source,
        }),
    }
}

/// Leaves the home network, if this process is in a container that is there.
pub(super) async fn leave(client: &Client, instance: &Instance) -> Result<(), Error> {
    let Some(own) = own(client).await? else {
        return Ok(());
    };
    let Some(host) = own.host() else {
        return Ok(());
    };
    let host_facts = client.inspect_tunnel(host.as_str()).await;
    let networks = host_facts
        .asked("inspect dockline's own container")?
        .map(|facts| facts.networks);
    let home = networks.and_then(|mut networks| networks.remove(&instance.home_name()));
    match home {
        Some(home) => super::join::leave(client, &host, &home)
            .await
            .asked("take dockline's own container off the tunnel's home"),
        None => Ok(()),
    }
}

/// The container that this process is in, if it is one of this engine's.
async fn own(client: &Client) -> Result<Option<Own>, Error> {
    for candidate in here() {
        let facts = match client.inspect_whole(&candidate).await {
            Ok(Some(facts)) => facts,
            // Another engine's, or none.
            Ok(None) | Err(docker::Error::Refused { .. }) => continue,
            Err(source) => {
                return Err(Error::Engine {
                    action: "look for dockline's own container",
                    source,
                });
            }
        };
        let id = facts["Id"].as_str().unwrap_or_default();
        let runs = facts.pointer("/State/Running") == Some(&Value::Bool(true));
        // A name may look like an id.
        if id.starts_with(&candidate) && runs {
            let id = ContainerId::from(id);
            return Ok(Some(Own { id, facts }));
        }
    }
    Ok(None)
}

#[cfg(target_os = "linux")]
fn here() -> Vec<String> {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let known = rustix::system::uname();
    candidates(
        &read("/proc/self/mountinfo"),
        &read("/proc/self/cgroup"),
        &known.nodename().to_string_lossy(),
    )
}

/// dockline's image is one for Linux.
#[cfg(not(target_os = "linux"))]
fn here() -> Vec<String> {
    candidates("", "", "")
}
