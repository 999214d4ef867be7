//! A container that is to be created becomes an intercepted one.

use std::time::Duration;

use tracing::{debug, warn};

use super::{Change, Forward, Refusal, Rule};
use crate::api_proxy::Shared;
use crate::api_proxy::leases::Held;
use crate::core::api::parameter;
use crate::core::inject::{Attached, Entry, Injection, Reach, reach};
use crate::core::map::NetworkMap;
use crate::core::membership::Lease;
use crate::core::rewrite::create::Create;
use crate::core::trust::Origin;

/// For the tunnel to be up, and on the default bridge: a service that has just been started makes it first.
const ADDRESS: Duration = Duration::from_secs(10);

pub(super) async fn decide(shared: &Shared, target: &str, body: &[u8]) -> Result<Forward, Refusal> {
    let mut create = match Create::read(body) {
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
    let name = parameter(target, "name");
    let platform = parameter(target, "platform");
    match create.injectable(name.as_deref(), platform.as_deref(), &shared.instance) {
        Ok(()) => inject(shared, &mut create, platform).await?,
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
    let authority = shared.authorities.prepare(Origin {
        image: image.id,
        platform,
        wanted: create.wanted(&image.environment),
    });
    let (authority, entry) = tokio::join!(authority, entry(shared, create.attached()));
    let injection = Injection {
        instance: shared.instance.clone(),
        entry: entry?,
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

/// How the container will reach the tunnel's entry.
async fn entry(shared: &Shared, attached: Attached) -> Result<Entry, Refusal> {
    let attached = match attached {
        // Whoever lends has no lender itself: the engine refuses that.
        Attached::Like(other) => match shared.client.startable(&other).await {
            Ok(Some(lender)) => Attached::of(&lender.mode),
            // The engine will say what is wrong with it.
            Ok(None) | Err(_) => Attached::Named,
        },
        attached => attached,
    };
    let reach = |map: &NetworkMap| reach(map, &shared.instance, &attached);
    // A service that has just been started may not have seen anything yet.
    let is_seen = |map: &NetworkMap| reach(map) != Reach::NotYet;
    shared.until(ADDRESS, is_seen).await;
    let bridge = match reach(&shared.map()) {
        Reach::Join(bridge) => Some(bridge),
        Reach::Known(_) | Reach::NotYet | Reach::Never(_) => None,
    };
    if bridge.is_some() {
        let _held = Held::new(&shared.leases, bridge, Lease::Join);
        let is_joined = |map: &NetworkMap| !matches!(reach(map), Reach::Join(_));
        shared.until(ADDRESS, is_joined).await;
    }
    match reach(&shared.map()) {
        Reach::Known(entry) => Ok(entry),
        Reach::Join(_) | Reach::NotYet => {
            Err(unready(&"the tunnel has no address that it could reach"))
        }
        Reach::Never(obstacle) => Err(unready(&format_args!(
            "the tunnel cannot be on its network: {obstacle}"
        ))),
    }
}
