//! A tunnel that is there when dockline comes: adopted, succeeded or replaced.

use super::container::{HOME, Plan, SECRET, Started};
use super::probe::{Made, owner_of, speaks};
use super::{Asked, Error};
use crate::core::adoption::{Fate, Found, Speaks};
use crate::core::id::ContainerId;
use crate::core::tunnel_state::Secret;
use crate::docker::client::TunnelFacts;
use crate::docker::{self, Client};

/// What becomes of a tunnel that is there. It is started if it is adopted, and removed if it is to be replaced.
pub(super) async fn adopt(
    plan: Plan<'_>,
    facts: &TunnelFacts,
) -> Result<(Fate, Option<Started>), Error> {
    let at_home = facts.networks.get(&plan.instance.home_name()) == Some(&plan.home.id);
    let place = plan.home.place(facts.environment.get(HOME));
    let secret = facts.environment.get(SECRET);
    let found = Found {
        is_placed: at_home && place.is_some() && secret.is_some(),
        runs: facts.running && !facts.paused,
        has_image: facts.image == plan.image.reference,
        wanted: plan.image.origin,
    };
    let (said, owner) = if found.is_to_be_asked() {
        speaks(plan.client, facts).await?
    } else {
        (Speaks::Nothing, None)
    };
    let fate = found.fate(said);
    if fate == Fate::Succeeded {
        return match owner {
            Some(owner) => Err(Error::Owned(owner)),
            None => Ok((fate, None)),
        };
    }
    if fate == Fate::Adopted
        && let (Some(place), Some(secret)) = (place, secret)
        && start(plan.client, facts).await?
    {
        let started = Started {
            id: ContainerId::from(&facts.id),
            name: facts.name.clone(),
            image: facts.image.clone(),
            place,
            secret: Secret::new(secret),
            made: Made::Before,
        };
        return Ok((fate, Some(started)));
    }
    if facts.running
        && at_home
        && let Some(owner) = owner_of(plan.client, facts).await?
    {
        return Err(Error::Owned(owner));
    }
    let id = ContainerId::from(&facts.id);
    tracing::info!(
        container = id.short(),
        "tunnel cannot be used any more; making a new one"
    );
    let removed = plan.client.remove(&facts.id).await;
    removed.asked("remove the old tunnel")?;
    Ok((Fate::Replaced, None))
}

/// Lets it run, if the engine is willing.
async fn start(client: &Client, facts: &TunnelFacts) -> Result<bool, Error> {
    let id = ContainerId::from(&facts.id);
    let started = match (facts.running, facts.paused) {
        (false, _) => client.start(&id).await,
        (true, true) => client.unpause(&id).await,
        (true, false) => Ok(()),
    };
    match started {
        Ok(()) => Ok(true),
        Err(error @ docker::Error::Refused { .. }) => {
            tracing::debug!(%error, "tunnel does not start again");
            Ok(false)
        }
        Err(source) => Err(Error::Engine {
            action: "start the tunnel",
            source,
        }),
    }
}
