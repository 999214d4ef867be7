//! What instances have in the engine.

use std::collections::BTreeSet;

use super::Cleaned;
use crate::cli::output;
use crate::core::id::Instance;
use crate::core::inventory::Network;
use crate::core::label::{INSTANCE, Labels, ROLE, ROLE_SERVICE, ROLE_TUNNEL, UNDO};
use crate::docker::client::Labelled;
use crate::docker::{Client, Error};

/// What dockline made, and the containers of users that it intercepts.
#[derive(Debug, Default)]
pub(in crate::cli) struct Left {
    containers: Vec<Labelled>,
    intercepted: Vec<Labelled>,
    networks: Vec<Network>,
    volumes: Vec<(String, Option<String>)>,
}

impl Left {
    /// All that carries the label `owner` (`KEY` or `KEY=VALUE`).
    pub(in crate::cli) async fn find(client: &Client, owner: &str) -> Result<Self, Error> {
        Ok(Self {
            containers: made(client.labelled_containers(&[ROLE, owner]).await?),
            intercepted: client.labelled_containers(&[UNDO, owner]).await?,
            networks: client.labelled_networks(&[ROLE, owner]).await?,
            volumes: client.labelled_volumes(&[ROLE, owner]).await?,
        })
    }

    /// Of whom dockline has made anything.
    pub(in crate::cli) fn makers(&self) -> BTreeSet<Instance> {
        let labels = self.containers.iter().map(|c| &c.labels);
        let labels = labels.chain(self.networks.iter().map(|n| &n.labels));
        let volumes = self.volumes.iter().filter_map(|(_, owner)| owner.as_ref());
        labels
            .filter_map(whose)
            .chain(volumes.filter_map(|owner| owner.parse().ok()))
            .collect()
    }

    /// Who intercepts containers of users.
    pub(in crate::cli) fn interceptors(&self) -> BTreeSet<Instance> {
        let labels = self.intercepted.iter().map(|c| &c.labels);
        labels.filter_map(whose).collect()
    }

    /// Who has a tunnel that runs.
    pub(in crate::cli) fn tunnels(&self) -> BTreeSet<Instance> {
        let is_tunnel =
            |c: &&Labelled| c.running && c.labels.get(ROLE).is_some_and(|role| role == ROLE_TUNNEL);
        let labels = self.containers.iter().filter(is_tunnel).map(|c| &c.labels);
        labels.filter_map(whose).collect()
    }

    /// Removes what dockline made, but for the tunnels and homes of `needed`. Containers of users are not touched.
    pub(super) async fn remove(
        self,
        client: &Client,
        needed: &BTreeSet<Instance>,
        cleaned: &mut Cleaned,
    ) {
        // Containers that stay intercepted have the tunnel, or nothing.
        let goes = |labels: &Labels| whose(labels).is_none_or(|owner| !needed.contains(&owner));
        // A network goes only when its containers have gone.
        for Labelled { id, name, .. } in self.containers.into_iter().filter(|c| goes(&c.labels)) {
            match client.remove(&id).await {
                Ok(()) => cleaned.containers.push(name),
                Err(error) => cleaned.failed(&name, error),
            }
        }
        for Network { id, name, .. } in self.networks.into_iter().filter(|n| goes(&n.labels)) {
            match client.remove_network(id.as_str()).await {
                Ok(()) => cleaned.networks.push(name),
                Err(error) => cleaned.failed(&name, error),
            }
        }
        for (name, _) in self.volumes {
            match client.remove_volume(&name).await {
                Ok(true) => cleaned.volumes.push(name),
                Ok(false) => output::note(&format!("volume {name} stays: containers use it")),
                Err(error) => cleaned.failed(&name, error),
            }
        }
    }
}

/// Not dockline itself, which users make.
fn made(mut containers: Vec<Labelled>) -> Vec<Labelled> {
    containers.retain(|c| c.labels.get(ROLE).is_none_or(|role| role != ROLE_SERVICE));
    containers
}

fn whose(labels: &Labels) -> Option<Instance> {
    labels.get(INSTANCE)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labelled(labels: &[(&str, &str)], running: bool) -> Labelled {
        let labels = labels.iter();
        Labelled {
            id: "c".to_owned(),
            name: "c".to_owned(),
            labels: labels
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
            running,
        }
    }

    #[test]
    fn whose_it_is_is_told_from_labels() {
        let tunnel = |whose, running| labelled(&[(INSTANCE, whose), (ROLE, ROLE_TUNNEL)], running);
        let left = Left {
            containers: vec![tunnel("blog", false), tunnel("shop", true)],
            intercepted: vec![labelled(&[(INSTANCE, "zoo"), (UNDO, "{}")], true)],
            volumes: vec![("v".to_owned(), Some("attic".to_owned()))],
            ..Left::default()
        };
        let names = |instances: BTreeSet<Instance>| {
            let names: Vec<_> = instances.iter().map(Instance::as_str).collect();
            names.join(" ")
        };
        assert_eq!(names(left.makers()), "attic blog shop");
        assert_eq!(names(left.interceptors()), "zoo");
        assert_eq!(names(left.tunnels()), "shop");
    }
}
