//! `dockline clean`

use clap::Args;

use super::{Failure, Global, output};
use crate::control::client;
use crate::control::report::shape::Status;
use crate::core::label::{INSTANCE, ROLE, ROLE_TUNNEL};
use crate::docker::Client;
use crate::docker::client::Labelled;

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
    images: Vec<String>,
}

pub(super) async fn run(global: &Global, flags: &Flags) -> Result<(), Failure> {
    refuse_while_running(global).await?;
    let client = Client::new(global.endpoint()?);
    client.negotiate().await?;
    let own = format!("{INSTANCE}={}", global.instance);
    let owner = if flags.all_instances { INSTANCE } else { &own };
    let mut removed = Removed::default();
    // A network goes only when its containers have gone.
    for container in client.labelled_containers(&[ROLE, owner]).await? {
        client.remove(&container.id).await?;
        removed.containers.push(container.name);
    }
    for network in client.labelled_networks(&[ROLE, owner]).await? {
        client.remove_network(&network.id).await?;
        removed.networks.push(network.name);
    }
    remove_images(&client, &mut removed).await?;
    if flags.json {
        return output::json(&removed);
    }
    report(&removed);
    Ok(())
}

/// A running service would make everything anew.
async fn refuse_while_running(global: &Global) -> Result<(), Failure> {
    match client::get::<Status>(&global.control_socket(), "/v1/status", &[]).await {
        Err(client::Error::NotRunning(_)) => Ok(()),
        Ok(_) | Err(_) => Err(Failure::Other(anyhow::anyhow!(
            "instance {} is running; stop it first (Ctrl-C, or SIGTERM), then clean up",
            global.instance
        ))),
    }
}

/// The tunnel's images belong to all instances: they go when no tunnel is left to use them.
async fn remove_images(client: &Client, removed: &mut Removed) -> Result<(), Failure> {
    let role = format!("{ROLE}={ROLE_TUNNEL}");
    if !client.labelled_containers(&[&role]).await?.is_empty() {
        return Ok(());
    }
    for Labelled { id, name, .. } in client.labelled_images(&[&role]).await? {
        if client.remove_image(&id).await? {
            removed.images.push(name);
        }
    }
    Ok(())
}

fn report(removed: &Removed) {
    let kinds = [
        ("container", &removed.containers),
        ("network", &removed.networks),
        ("image", &removed.images),
    ];
    let all = kinds.iter().flat_map(|(kind, names)| {
        names
            .iter()
            .map(move |name| format!("removed {kind} {name}"))
    });
    let lines: Vec<_> = all.collect();
    if lines.is_empty() {
        output::note("nothing to remove");
    }
    for line in &lines {
        output::data(line);
    }
}
