//! `dockline clean`

mod containers;
mod images;
mod left;

use std::collections::BTreeSet;

use clap::Args;

use super::{Failure, Global, anew, output};
use crate::control::client;
use crate::control::report::shape::Status;
use crate::core::id::Instance;
use crate::core::label::INSTANCE;
use crate::docker::{self, Client};
pub(super) use left::Left;

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

/// Removes what dockline made for the instance, if no container of anybody's is intercepted by it. No such container is
/// restored, made anew or stopped.
pub(super) async fn own_things(global: &Global) -> Result<(), Failure> {
    let client = Client::new(global.endpoint()?);
    client.negotiate().await?;
    let instance = &global.instance;
    refuse_while_running(instance).await?;
    let _alone = anew::alone(global).await?;
    let owner = format!("{INSTANCE}={instance}");
    let left = Left::find(&client, &owner).await?;
    if !left.interceptors().is_empty() {
        return Err(Failure::Other(anyhow::anyhow!(
            "containers are intercepted by instance {instance}, and need its tunnel"
        )));
    }
    let mut cleaned = Cleaned::default();
    left.remove(&client, &BTreeSet::new(), &mut cleaned).await;
    images::remove(&client, &owner, Some(instance), false, &mut cleaned).await?;
    cleaned.outcome()
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
    let left = Left::find(&client, owner).await?;
    let mut instances = left.makers();
    instances.append(&mut left.interceptors());
    instances.insert(global.instance.clone());
    for instance in &instances {
        refuse_while_running(instance).await?;
    }
    let mut turns = Vec::new();
    for instance in &instances {
        let global = Global {
            instance: instance.clone(),
            ..global.clone()
        };
        turns.push(anew::alone(&global).await?);
    }
    let mut cleaned = Cleaned::default();
    let mut needed = BTreeSet::new();
    for instance in &instances {
        let all = containers::restore(&client, instance, flags.remove, &mut cleaned).await?;
        if !all {
            needed.insert(instance.clone());
        }
    }
    left.remove(&client, &needed, &mut cleaned).await;
    let instance = (!flags.all_instances).then_some(&global.instance);
    images::remove(&client, owner, instance, flags.images, &mut cleaned).await?;
    drop(turns);
    Ok(cleaned)
}

/// A running service would make everything anew. It may have been started with another folder than this command.
async fn refuse_while_running(instance: &Instance) -> Result<(), Failure> {
    for socket in Global::places().control_sockets(instance) {
        let state = match client::get::<Status>(&socket, "/v1/status", &[]).await {
            Ok(status) if status.instance == instance.as_str() => "is running",
            Ok(_) | Err(client::Error::NotRunning(_)) => continue,
            Err(_) => "runs, and does not answer",
        };
        let advice = "stop it first (Ctrl-C, or SIGTERM), then clean up";
        return Err(Failure::Other(anyhow::anyhow!(
            "instance {instance} {state}; {advice}"
        )));
    }
    Ok(())
}
