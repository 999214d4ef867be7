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
    let mut all = true;
    for container in client.labelled_containers(&[&own, UNDO]).await? {
        let name = container.name;
        if remove && !container.labels.contains_key(REPLACES) {
            match client.remove(&container.id).await {
                Ok(()) => cleaned.containers.push(name),
                Err(error) => {
                    all = false;
                    cleaned.failed(&name, error);
                }
            }
            continue;
        }
        match detach::detach(&recreation, &container.id, false).await {
            Ok(_) => cleaned.restored.push(name),
            Err(Failure::Interrupted) => return Err(Failure::Interrupted),
            Err(failure) => {
                all = false;
                cleaned
                    .failures
                    .push(format!("{name}: {}", output::chain(&failure)));
            }
        }
    }
    Ok(all)
}
