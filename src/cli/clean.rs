//! `dockline clean`

mod containers;
mod images;

use std::collections::BTreeSet;

use clap::Args;

use super::{Failure, Global, anew, output};
use crate::control::client;
use crate::control::report::shape::Status;
use crate::core::id::Instance;
use crate::core::inventory::Network;
use crate::core::label::{INSTANCE, Labels, ROLE, UNDO};
use crate::docker::client::Labelled;
use crate::docker::{self, Client};

/// Flags of `clean`.
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
#[derive(Clone, Debug, Default, Args)]
pub(super) struct Flags {
    /// What any instance left, not only this one
    #[arg(long)]
    all_instances: bool,
    /// Remove containers that were created through the API proxy, instead of making them anew as they were
    #[arg(long)]
    remove: bool,
    /// Remove images that were built under interception
    #[arg(long)]
    images: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What was done, for people and programs.
#[derive(Debug, Default, serde::Serialize)]
struct Cleaned {
    /// Made anew, as they were before they were intercepted.
    restored: Vec<String>,
    /// All others were removed.
    containers: Vec<String>,
    networks: Vec<String>,
    volumes: Vec<String>,
    images: Vec<String>,
    /// Images that were built under interception, and are still there.
    built: Vec<String>,
    /// What was not done, and why.
    failures: Vec<String>,
}

impl Cleaned {
    fn failed(&mut self, what: &str, error: docker::Error) {
        self.failures
            .push(format!("{what}: {:#}", anyhow::Error::new(error)));
    }

    fn lines(&self) -> Vec<String> {
        let restored = self.restored.iter().map(|name| format!("restored {name}"));
        let kinds = [
            ("container", &self.containers),
            ("network", &self.networks),
            ("volume", &self.volumes),
            ("image", &self.images),
        ];
        let removed = kinds.into_iter().flat_map(|(kind, names)| {
            let line = move |name| format!("removed {kind} {name}");
            names.iter().map(line)
        });
        restored.chain(removed).collect()
    }

    fn outcome(self) -> Result<(), Failure> {
        match self.failures.as_slice() {
            [] => Ok(()),
            failures => Err(Failure::Other(anyhow::anyhow!(
                "clean up everything: {}",
                failures.join("; ")
            ))),
        }
    }
}

pub(super) async fn run(global: &Global, flags: &Flags) -> Result<(), Failure> {
    let cleaned = clean(global, flags).await?;
    if flags.json {
        output::json(&cleaned)?;
    } else {
        for image in &cleaned.built {
            output::note(&format!(
                "image {image} was built under interception; --images removes it"
            ));
        }
        let lines = cleaned.lines();
        if lines.is_empty() && cleaned.failures.is_empty() {
            output::note("nothing to remove");
        }
        for line in lines {
            output::data(&line);
        }
    }
    cleaned.outcome()
}

/// Cleans up, and tells nobody.
pub(super) async fn silently(global: &Global) -> Result<(), Failure> {
    clean(global, &Flags::default()).await?.outcome()
}

/// What `serve` does at its end if it is to leave no container intercepted.
pub(super) async fn after(global: &Global, remove: bool) -> Result<(), Failure> {
    let flags = Flags {
        remove,
        ..Flags::default()
    };
    let cleaned = clean(global, &flags).await?;
    for line in cleaned.lines() {
        output::note(&line);
    }
    cleaned.outcome()
}

async fn clean(global: &Global, flags: &Flags) -> Result<Cleaned, Failure> {
    let client = Client::new(global.endpoint()?);
    client.negotiate().await?;
    let own = format!("{INSTANCE}={}", global.instance);
    let owner = if flags.all_instances { INSTANCE } else { &own };
    let containers = client.labelled_containers(&[ROLE, owner]).await?;
    let injected = client.labelled_containers(&[UNDO, owner]).await?;
    let networks = client.labelled_networks(&[ROLE, owner]).await?;
    let volumes = client.labelled_volumes(&[ROLE, owner]).await?;
    let labels = containers.iter().chain(&injected).map(|c| &c.labels);
    let named = labels
        .chain(networks.iter().map(|n| &n.labels))
        .filter_map(whose)
        .chain(
            volumes
                .iter()
                .filter_map(|(_, owner)| owner.as_ref()?.parse().ok()),
        );
    let instances: BTreeSet<Instance> = named.chain([global.instance.clone()]).collect();
    for instance in &instances {
        refuse_while_running(instance).await?;
    }
    let _alone = anew::alone(global).await?;
    let mut cleaned = Cleaned::default();
    let mut needed = BTreeSet::new();
    for instance in &instances {
        let all = containers::restore(&client, instance, flags.remove, &mut cleaned).await?;
        if !all {
            needed.insert(instance.clone());
        }
    }
    // Containers that stay intercepted have the tunnel, or nothing.
    let goes = |labels: &Labels| whose(labels).is_none_or(|owner| !needed.contains(&owner));
    // A network goes only when its containers have gone.
    for Labelled { id, name, .. } in containers.into_iter().filter(|c| goes(&c.labels)) {
        match client.remove(&id).await {
            Ok(()) => cleaned.containers.push(name),
            Err(error) => cleaned.failed(&name, error),
        }
    }
    for Network { id, name, .. } in networks.into_iter().filter(|n| goes(&n.labels)) {
        match client.remove_network(id.as_str()).await {
            Ok(()) => cleaned.networks.push(name),
            Err(error) => cleaned.failed(&name, error),
        }
    }
    for (name, _) in volumes {
        match client.remove_volume(&name).await {
            Ok(true) => cleaned.volumes.push(name),
            Ok(false) => output::note(&format!("volume {name} stays: containers use it")),
            Err(error) => cleaned.failed(&name, error),
        }
    }
    let instance = (!flags.all_instances).then_some(&global.instance);
    images::remove(&client, owner, instance, flags.images, &mut cleaned).await?;
    Ok(cleaned)
}

fn whose(labels: &Labels) -> Option<Instance> {
    labels.get(INSTANCE)?.parse().ok()
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
