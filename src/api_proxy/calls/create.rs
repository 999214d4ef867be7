//! A container that is to be created becomes an intercepted one.

use std::sync::Arc;

use tracing::{debug, warn};

use super::{Change, Forward, Refusal, Rule};
use crate::api_proxy::{Shared, entry};
use crate::core::api::parameter;
use crate::core::inject::Injection;
use crate::core::rewrite::create::Create;
use crate::core::trust::Origin;

pub(super) async fn decide(
    shared: Arc<Shared>,
    target: String,
    body: Vec<u8>,
) -> Result<Forward, Refusal> {
    let mut create = match Create::read(&body) {
        Ok(create) => create,
        Err(error) => {
            debug!(%error, "a container's configuration is not understood; it passes as it is");
            return Ok(Forward::as_it_came());
        }
    };
    if let Some(own) = shared.socket.to_str()
        && create.mounts(own)
    {
        create.replace_socket(own, shared.engine_socket().await);
    }
    let name = parameter(&target, "name");
    let platform = parameter(&target, "platform");
    match create.injectable(name.as_deref(), platform.as_deref(), &shared.instance) {
        Ok(()) => inject(&shared, &mut create, platform).await?,
        Err(exempt) => debug!(name, ?exempt, "a container is left alone"),
    }
    let change = create.into_body().unwrap_or_else(|error| {
        warn!(%error, "a container's configuration passes as it is");
        None
    });
    Ok(Forward {
        change: change.map_or(Change::Nothing, Change::Body),
        rule: Rule::AsItCame,
        held: None,
    })
}

async fn inject(
    shared: &Shared,
    create: &mut Create,
    platform: Option<String>,
) -> Result<(), Refusal> {
    let image = shared.client.image(create.image()).await;
    // Without the image the engine says so, the client pulls it, and then creates the container.
    let Some(image) = image.map_err(|error| unready(&error))? else {
        return Ok(());
    };
    let origin = Origin {
        image: image.id,
        platform,
        wanted: create.wanted(&image.environment),
    };
    let authority = shared.authorities.prepare(origin, create.labels());
    let (authority, entry) = tokio::join!(authority, entry::of(shared, create.attached()));
    let injection = Injection {
        instance: shared.instance.clone(),
        entry: entry.map_err(|obstacle| unready(&obstacle))?,
        authority: authority
            .map_err(|error| unready(&format!("the CA could not be put into a volume: {error}")))?,
        no_proxy: create.no_proxy().to_owned(),
        intercept_loopback: shared.intercept_loopback,
    };
    let injected = create.inject(&injection, &image.environment);
    injected.map_err(|error| unready(&error))
}

/// A container that silently was not intercepted would be worse than none.
fn unready(problem: &dyn std::fmt::Display) -> Refusal {
    Refusal {
        status: 503,
        reason: format!(
            "dockline: the container would not be intercepted: {problem}; see `dockline status`, or create it \
             unintercepted after `eval \"$(dockline env --unset)\"`"
        ),
    }
}
