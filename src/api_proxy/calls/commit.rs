//! An image made of an intercepted container's files says nothing of the interception.

use std::sync::Arc;

use serde_json::{Value, json};
use tracing::warn;

use super::Refusal;
use crate::api_proxy::Shared;
use crate::core::api::{parameter, without_parameters};
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
    // What cannot be asked for is the engine's to say.
    let Ok(Some(container)) = client.inspect_whole(&reference).await else {
        return Ok(None);
    };
    let container = Original::new(container);
    let nameless = without_parameters(&target, &["repo", "tag"]);
    let Some(nameless) = nameless.filter(|_| container.is_injected_by(&shared.instance)) else {
        return Ok(None);
    };
    let committed = client.commit_as_asked(&nameless, body).await;
    let committed = committed.map_err(refusal)?;
    let id = match again(client, &committed, &container).await {
        Ok(Some(plain)) => {
            // The layers stay: the other image has them.
            let _ = client.remove_unused_image(&committed).await;
            plain
        }
        Ok(None) => committed,
        Err(error) => {
            warn!(%error, container = container.name(), "an image keeps what its container was injected with");
            committed
        }
    };
    let name = |key| parameter(&target, key).unwrap_or_default();
    let (repo, tag) = (name("repo"), name("tag"));
    if !repo.is_empty()
        && let Err(error) = client.tag_image(&id, &repo, &tag).await
    {
        let _ = client.remove_unused_image(&id).await;
        return Err(refusal(error));
    }
    Ok(Some(json!({ "Id": id }).to_string().into_bytes()))
}

/// The same image, as if its container had not been intercepted; nothing if nobody knows how that was.
async fn again(
    client: &Client,
    committed: &str,
    container: &Original,
) -> Result<Option<String>, Error> {
    let base = client.inspect_whole_image(container.image_id()).await?;
    let committed = client.inspect_whole_image(committed).await?;
    let committed = committed.unwrap_or_default();
    let Some(config) = plain(&committed, container.inspect(), base.as_ref()) else {
        return Ok(None);
    };
    let mut described: Value = committed.clone();
    described["Config"] = config;
    client
        .load_layers(&described, &committed, None)
        .await
        .map(Some)
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
