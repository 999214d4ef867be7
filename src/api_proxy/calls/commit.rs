//! An image made of an intercepted container's files says nothing of the interception.

use std::sync::Arc;

use serde_json::{Value, json};
use tracing::warn;

use super::Refusal;
use crate::api_proxy::Shared;
use crate::core::api::parameter;
use crate::core::recreate::Original;
use crate::core::rewrite::commit::plain;
use crate::docker::{Client, Error};

/// Makes the image; what the client is to be told. Nothing if it is the engine's business alone.
pub(super) async fn answer(
    shared: Arc<Shared>,
    target: String,
    body: Vec<u8>,
) -> Result<Option<Vec<u8>>, Refusal> {
    let client = &shared.client;
    let Some(reference) = parameter(&target, "container") else {
        return Ok(None);
    };
    let container = match client.inspect_whole(&reference).await {
        Ok(Some(container)) => Original::new(container),
        // The engine's to say.
        Ok(None) => return Ok(None),
        Err(error) => {
            warn!(%error, container = reference, "nobody knows what an image would keep of the interception");
            return Ok(None);
        }
    };
    if !container.is_injected_by(&shared.instance) {
        return Ok(None);
    }
    // Whole and with its name, whatever becomes of the rest.
    let committed = client.commit_as_asked(&target, body).await;
    let committed = committed.map_err(refusal)?;
    let name = |key| parameter(&target, key).unwrap_or_default();
    let named = Name {
        repo: name("repo"),
        tag: name("tag"),
    };
    let keeps = |why: &dyn std::fmt::Display| {
        warn!(error = %why, container = container.name(), "an image keeps what its container was injected with");
    };
    let id = match again(client, &committed, &container, &named).await {
        Ok(Some(plain)) => plain,
        Ok(None) => {
            keeps(&"dockline.undo is not understood");
            committed
        }
        Err(error) => {
            keeps(&error);
            committed
        }
    };
    Ok(Some(json!({ "Id": id }).to_string().into_bytes()))
}

/// What an image is to be called; no repository is no name.
struct Name {
    repo: String,
    tag: String,
}

/// The same image in the place of `committed`, as if its container had not been intercepted; nothing if nobody knows how
/// that was.
async fn again(
    client: &Client,
    committed: &str,
    container: &Original,
    name: &Name,
) -> Result<Option<String>, Error> {
    let base = client.inspect_whole_image(container.image_id()).await?;
    let image = client.inspect_whole_image(committed).await?;
    let image = image.unwrap_or_default();
    let Some(config) = plain(&image, container.inspect(), base.as_ref()) else {
        return Ok(None);
    };
    let mut described: Value = image.clone();
    described["Config"] = config;
    let id = client.load_layers(&described, &image, None).await?;
    if !name.repo.is_empty() {
        client.tag_image(&id, &name.repo, &name.tag).await?;
    }
    // The layers stay: the other image has them.
    let _ = client.remove_unused_image(committed).await;
    Ok(Some(id))
}

fn refusal(error: Error) -> Refusal {
    match error {
        Error::Refused { status, message } => Refusal {
            status,
            reason: message,
        },
        error => Refusal {
            status: 503,
            reason: format!("dockline: the container was not committed: {error}"),
        },
    }
}
