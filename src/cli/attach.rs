//! `dockline attach CONTAINER…`

use clap::Args;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::anew::{self, Outcome};
use super::{Failure, Global};
use crate::control::client;
use crate::control::report::shape::Status;
use crate::core::label;
use crate::core::recreate::difference::{Difference, difference};
use crate::docker::{Client, Endpoint};
use crate::recreate::{Job, Recreation};

/// Flags of `attach`.
#[derive(Clone, Debug, Args)]
pub(super) struct Flags {
    /// Their names or ids
    #[arg(required = true, value_name = "CONTAINER")]
    containers: Vec<String>,
    /// Print what would be different, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(global: &Global, flags: &Flags) -> Result<(), Failure> {
    let status: Status = client::get(&global.control_socket(), "/v1/status", &[]).await?;
    anew::refuse_another_engine(global, &status.engine.endpoint)?;
    let engine = Client::new(global.endpoint()?);
    let proxy = Client::new(proxy(&status)?);
    let ready = anew::ready(global, &engine, &proxy, flags.dry_run).await?;
    let outcomes = anew::each(&engine, &flags.containers, async |reference, enough| {
        let enough = (!flags.dry_run).then_some(enough);
        attach(&ready.recreation, &proxy, reference, enough).await
    })
    .await;
    anew::report(outcomes, "attached", flags.json, flags.dry_run)
}

/// The API proxy of a running service.
fn proxy(status: &Status) -> Result<Endpoint, Failure> {
    let socket = status.api_socket.as_deref();
    let path = socket.and_then(|socket| socket.strip_prefix("unix://"));
    let path = path.ok_or_else(|| {
        anyhow::anyhow!("the running service has no API proxy; start this version of it")
    })?;
    Ok(Endpoint::Unix(path.into()))
}

/// Makes one container anew, intercepted, unless somebody has `enough` of it; without that, nothing is done.
async fn attach(
    recreation: &Recreation<'_>,
    proxy: &Client,
    reference: &str,
    enough: Option<&CancellationToken>,
) -> Result<Outcome, Failure> {
    let original = recreation.find(reference).await?;
    let name = original.name().to_owned();
    let before = recreation.same(&original).await?;
    let mut anew = before.clone();
    if original.is_injected_by(recreation.instance) {
        // Made for another authority, or another address of the tunnel: from the beginning.
        anew = recreation.plain(&original).await?;
    }
    anew.body["Labels"][label::REPLACES] = json!(original.id());
    let injected = proxy.preview(&name, None, &anew.body).await?;
    if injected.pointer("/Labels/dockline.undo").is_none() {
        return Err(Failure::Other(anyhow::anyhow!(
            "{name} is left alone: it is dockline's own, is labelled dockline.enable=false, or builds images for all kinds of clients"
        )));
    }
    let difference = difference(&before.body, &injected);
    if original.is_injected_by(recreation.instance) && says_nothing_new(&difference) {
        return Ok(Outcome::needless(&name, "it is intercepted already"));
    }
    if let Some(noticed) = original.noticed_by() {
        anew::progress(&name, &format!("note that {noticed}"));
    }
    if let Some(enough) = enough {
        anew.body = injected;
        let job = Job { original, anew };
        recreation.replace(&job, enough.cancelled()).await?;
    }
    Ok(Outcome::done(&name, difference))
}

/// Whether it is another's place alone that would be told.
fn says_nothing_new(difference: &Difference) -> bool {
    let own = [label::REPLACES, label::UNDO, label::COMPOSE_HASH];
    difference.environment.is_empty()
        && difference.mounts.is_empty()
        && difference
            .labels
            .keys()
            .all(|key| own.contains(&key.as_str()))
}
