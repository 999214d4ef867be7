//! Whom a container trusts that is there already: read out of its own files, mounted ones included.

use std::time::Duration;

use tokio::time::timeout;

use crate::core::id::ContainerId;
use crate::core::trust::{Roots, wanted_before};
use crate::docker::{Client, Error};

/// For all of it. A program waits meanwhile for the answer to its request.
const READING: Duration = Duration::from_secs(5);

/// What `container` trusts besides the interceptor's authority; nothing if there is no such container any more.
pub async fn roots(client: &Client, container: &ContainerId) -> Result<Option<Roots>, Error> {
    let read = timeout(READING, read(client, container)).await;
    read.unwrap_or(Err(Error::Timeout(READING)))
}

async fn read(client: &Client, container: &ContainerId) -> Result<Option<Roots>, Error> {
    let id = container.as_str();
    let Some(known) = client.startable(id).await? else {
        return Ok(None);
    };
    // An image that was removed by force leaves its containers.
    let image = client.image(&known.image_id).await?.unwrap_or_default();
    let wanted = wanted_before(&known.environment, &image.environment, &known.labels);
    let found = client.read_files(id, wanted.alternatives(), &[]).await?;
    Ok(Some(Roots::of(&wanted, &found)))
}
