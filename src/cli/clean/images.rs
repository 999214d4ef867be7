//! Images that nobody needs any more.

use std::collections::BTreeMap;

use super::Cleaned;
use crate::cli::Failure;
use crate::core::id::Instance;
use crate::core::label::{BUILD, INSTANCE, KEPT, ROLE, ROLE_DATA, ROLE_TUNNEL, UNDO};
use crate::core::recreate::layer::is_kept;
use crate::docker::Client;
use crate::docker::client::Labelled;

/// Removes what is left of images, of one instance or of all; `built`: those, too, that were built under interception.
pub(super) async fn remove(
    client: &Client,
    owner: &str,
    instance: Option<&Instance>,
    built: bool,
    cleaned: &mut Cleaned,
) -> Result<(), Failure> {
    remove_tunnels(client, cleaned).await?;
    let kept = client.images_of(KEPT).await?.into_iter();
    for Labelled { name, .. } in kept.filter(|image| is_kept(&image.name, instance)) {
        match client.remove_unused_image(&name).await {
            Ok(true) => cleaned.images.push(name),
            // A container that was made anew has its files there.
            Ok(false) => {}
            Err(error) => cleaned.failed(&name, error),
        }
    }
    // What the classic builder copied files from, of which images have their own copies, and what containers wrote, if
    // whoever kept it died before that had another's configuration.
    let data = format!("{ROLE}={ROLE_DATA}");
    for Labelled { id, name, .. } in client.labelled_images(&[&data, owner]).await? {
        match client.remove_image(&id).await {
            Ok(true) => cleaned.images.push(name),
            Ok(false) => {}
            Err(error) => cleaned.failed(&name, error),
        }
    }
    for (id, name) in built_under_interception(client, owner).await? {
        if !built {
            cleaned.built.push(name);
            continue;
        }
        match client.remove_unused_image(&id).await {
            Ok(true) => cleaned.images.push(name),
            Ok(false) => cleaned.built.push(name),
            Err(error) => cleaned.failed(&name, error),
        }
    }
    Ok(())
}

/// Ids and names of images that classic builds or commits past the API proxy made of what was intercepted.
async fn built_under_interception(
    client: &Client,
    owner: &str,
) -> Result<BTreeMap<String, String>, Failure> {
    let by_build = owner.replacen(INSTANCE, BUILD, 1);
    let mut found = client.labelled_images(&[&by_build]).await?;
    // The instance's label alone may be the user's own.
    found.extend(client.labelled_images(&[owner, UNDO]).await?);
    let found = found.into_iter();
    Ok(found.map(|image| (image.id, image.name)).collect())
}

/// The tunnel's images belong to all instances: they go when no tunnel is left to use them.
async fn remove_tunnels(client: &Client, cleaned: &mut Cleaned) -> Result<(), Failure> {
    let role = format!("{ROLE}={ROLE_TUNNEL}");
    if !client.labelled_containers(&[&role]).await?.is_empty() {
        return Ok(());
    }
    for Labelled { id, name, .. } in client.labelled_images(&[&role]).await? {
        match client.remove_image(&id).await {
            Ok(true) => cleaned.images.push(name),
            Ok(false) => {}
            Err(error) => cleaned.failed(&name, error),
        }
    }
    Ok(())
}
