//! `dockline clean`

use std::collections::BTreeSet;

use clap::Args;

use super::{Failure, Global, output};
use crate::control::client;
use crate::control::report::shape::Status;
use crate::core::id::Instance;
use crate::core::inventory::Network;
use crate::core::label::{INSTANCE, ROLE, ROLE_TUNNEL};
use crate::docker::client::Labelled;
use crate::docker::{self, Client};

/// Flags of `clean`.
#[derive(Clone, Debug, Args)]
pub(super) struct Flags {
    /// What any instance left, not only this one
    #[arg(long)]
    all_instances: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What was removed, for people and programs.
#[derive(Debug, Default, serde::Serialize)]
struct Removed {
    containers: Vec<String>,
    networks: Vec<String>,
    volumes: Vec<String>,
    images: Vec<String>,
    /// What was not, and why.
    failures: Vec<String>,
}

impl Removed {
    fn failed(&mut self, what: &str, error: docker::Error) {
        self.failures
            .push(format!("{what}: {:#}", anyhow::Error::new(error)));
    }

    fn outcome(&self) -> Result<(), Failure> {
        match self.failures.as_slice() {
            [] => Ok(()),
            failures => Err(Failure::Other(anyhow::anyhow!(
                "remove {}",
                failures.join("; ")
            ))),
        }
    }
}

pub(super) async fn run(global: &Global, flags: &Flags) -> Result<(), Failure> {
    let removed = remove(global, flags.all_instances).await?;
    if flags.json {
        output::json(&removed)?;
    } else {
        report(&removed);
    }
    removed.outcome()
}

/// Removes it all, and tells nobody.
pub(super) async fn silently(global: &Global) -> Result<(), Failure> {
    remove(global, false).await?.outcome()
}

async fn remove(global: &Global, all_instances: bool) -> Result<Removed, Failure> {
    let client = Client::new(global.endpoint()?);
    client.negotiate().await?;
    let own = format!("{INSTANCE}={}", global.instance);
    let owner = if all_instances { INSTANCE } else { &own };
    let containers = client.labelled_containers(&[ROLE, owner]).await?;
    let networks = client.labelled_networks(&[ROLE, owner]).await?;
    let volumes = client.labelled_volumes(&[ROLE, owner]).await?;
    let labels = containers.iter().map(|c| &c.labels);
    let named = labels
        .chain(networks.iter().map(|n| &n.labels))
        .filter_map(|labels| labels.get(INSTANCE).cloned())
        .chain(volumes.iter().filter_map(|(_, instance)| instance.clone()))
        .filter_map(|instance| instance.parse().ok());
    let instances: BTreeSet<Instance> = named.chain([global.instance.clone()]).collect();
    for instance in &instances {
        refuse_while_running(instance).await?;
    }
    let mut removed = Removed::default();
    // A network goes only when its containers have gone.
    for Labelled { id, name, .. } in containers {
        match client.remove(&id).await {
            Ok(()) => removed.containers.push(name),
            Err(error) => removed.failed(&name, error),
        }
    }
    for Network { id, name, .. } in networks {
        match client.remove_network(id.as_str()).await {
            Ok(()) => removed.networks.push(name),
            Err(error) => removed.failed(&name, error),
        }
    }
    for (name, _) in volumes {
        match client.remove_volume(&name).await {
            Ok(true) => removed.volumes.push(name),
            Ok(false) => output::note(&format!("volume {name} stays: containers use it")),
            Err(error) => removed.failed(&name, error),
        }
    }
    remove_images(&client, &mut removed).await?;
    Ok(removed)
}

/// A running service would make everything anew. It may have been started with another folder than this command.
async fn refuse_while_running(instance: &Instance) -> Result<(), Failure> {
    for socket in Global::places().control_sockets(instance) {
        let answer = client::get::<Status>(&socket, "/v1/status", &[]).await;
        if answer.is_ok_and(|status| status.instance == instance.as_str()) {
            let advice = "stop it first (Ctrl-C, or SIGTERM), then clean up";
            return Err(Failure::Other(anyhow::anyhow!(
                "instance {instance} is running; {advice}"
            )));
        }
    }
    Ok(())
}

/// The tunnel's images belong to all instances: they go when no tunnel is left to use them.
async fn remove_images(client: &Client, removed: &mut Removed) -> Result<(), Failure> {
    let role = format!("{ROLE}={ROLE_TUNNEL}");
    if !client.labelled_containers(&[&role]).await?.is_empty() {
        return Ok(());
    }
    for Labelled { id, name, .. } in client.labelled_images(&[&role]).await? {
        match client.remove_image(&id).await {
            Ok(true) => removed.images.push(name),
            Ok(false) => {}
            Err(error) => removed.failed(&name, error),
        }
    }
    Ok(())
}

fn report(removed: &Removed) {
    let kinds = [
        ("container", &removed.containers),
        ("network", &removed.networks),
        ("volume", &removed.volumes),
        ("image", &removed.images),
    ];
    let mut anything = false;
    for (kind, names) in kinds {
        for name in names {
            output::data(&format!("removed {kind} {name}"));
            anything = true;
        }
    }
    if !anything && removed.failures.is_empty() {
        output::note("nothing to remove");
    }
}
