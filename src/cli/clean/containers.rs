//! Intercepted containers, given back.

use super::Cleaned;
use crate::cli::{Failure, anew, detach, output};
use crate::core::id::Instance;
use crate::core::label::{INSTANCE, REPLACES, UNDO};
use crate::docker::Client;
use crate::recreate::Recreation;

/// Makes the instance's intercepted containers anew, as they were; with `remove`, only those that were attached, and
/// removes the others. Whether all went well.
pub(super) async fn restore(
    client: &Client,
    instance: &Instance,
    remove: bool,
    cleaned: &mut Cleaned,
) -> Result<bool, Failure> {
    let recreation = Recreation {
        engine: client,
        starter: client,
        instance,
        progress: &anew::progress,
    };
    anew::settle(&recreation).await?;
    let own = format!("{INSTANCE}={instance}");
    let found = client.labelled_containers(&[&own, UNDO]).await?;
    let (removed, restored): (Vec<_>, Vec<_>) = found
        .into_iter()
        .partition(|container| remove && !container.labels.contains_key(REPLACES));
    let mut all = true;
    for container in removed {
        match client.remove(&container.id).await {
            Ok(()) => cleaned.containers.push(container.name),
            Err(error) => {
                all = false;
                cleaned.failed(&container.name, error);
            }
        }
    }
    let names: Vec<_> = restored
        .into_iter()
        .map(|container| container.name)
        .collect();
    let outcomes = anew::each(client, &names, async |name, enough| {
        detach::detach(&recreation, name, Some(enough)).await
    });
    for outcome in outcomes.await {
        match outcome.failure {
            None => cleaned.restored.push(outcome.name),
            Some(Failure::Interrupted) => return Err(Failure::Interrupted),
            Some(failure) => {
                all = false;
                let why = output::chain(&failure);
                cleaned.failures.push(format!("{}: {why}", outcome.name));
            }
        }
    }
    Ok(all)
}
