//! Brings the tunnel's container up: adopts the one that is there, or makes it.
//!
//! One that will not start is made anew, never repaired. One that speaks another version of the link gets a successor beside it
//! (`succession`).

use std::net::{IpAddr, SocketAddr};

use super::home::{self, Home, listed};
use super::image::Image;
use super::probe::{Made, Met, answer, owner_of};
use super::succession::{self, Standing};
use super::{Asked, Error, SOCKS_PORT};
use crate::core::id::{ContainerId, Instance, NetworkId};
use crate::core::label::{INSTANCE, ROLE, ROLE_DATA, ROLE_TUNNEL};
use crate::core::tunnel_state::{Secret, SocksAccess};
use crate::docker::Client;
use crate::docker::client::{HomeAddresses, TunnelFacts, TunnelSpec};

pub(super) const SECRET: &str = "DOCKLINE_SECRET";
pub(super) const HOME: &str = "DOCKLINE_HOME";
const NAME: &str = "DOCKLINE_NAME";
/// Seconds that the tunnel may take to stop by itself, as its program does.
const STOP_GRACE: i32 = 4;

/// What a tunnel is made for, and of what.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan<'a> {
    pub(super) client: &'a Client,
    pub(super) instance: &'a Instance,
    pub(super) image: &'a Image,
    pub(super) home: &'a Home,
    /// Whether dockline itself is there, and needs no other way.
    pub(super) guest: bool,
}

/// A tunnel that answers.
#[derive(Debug)]
pub(super) struct Tunnel {
    pub(super) id: ContainerId,
    pub(super) image: String,
    pub(super) home: NetworkId,
    pub(super) socks: SocksAccess,
    /// Who owned it when it answered, if anybody did.
    pub(super) owner: Option<String>,
    /// Whether the engine's machine is this one.
    pub(super) engine_is_here: bool,
    pub(super) loss: Option<String>,
    /// Whether it has yet to take the name by which containers know it.
    pub(super) is_nameless: bool,
    /// The others of the instance: in their place it has come, or is to come.
    pub(super) former: Vec<ContainerId>,
}

/// A tunnel's container that was started: it may not answer yet.
#[derive(Debug)]
pub(super) struct Started {
    pub(super) id: ContainerId,
    pub(super) name: String,
    pub(super) image: String,
    pub(super) place: HomeAddresses,
    pub(super) secret: Secret,
    pub(super) made: Made,
}

/// Sees to it that the tunnel runs and answers.
pub(super) async fn ensure(plan: Plan<'_>) -> Result<Tunnel, Error> {
    let Standing {
        started,
        former,
        taken,
    } = succession::look(plan).await?;
    let started = match started {
        Some(started) => started,
        None => create(plan, former.is_empty(), &taken).await?,
    };
    let is_nameless = started.name != plan.instance.tunnel_name();
    let mut tunnel = reach(plan, started).await?;
    (tunnel.is_nameless, tunnel.former) = (is_nameless, former);
    Ok(tunnel)
}

/// Waits until it answers, at home or at a port that is published.
async fn reach(plan: Plan<'_>, started: Started) -> Result<Tunnel, Error> {
    let address = SocketAddr::new(IpAddr::V4(started.place.ipv4), SOCKS_PORT);
    let secret = started.secret.clone();
    let direct = SocksAccess { address, secret };
    match answer(&direct, started.made).await {
        Ok(met) => {
            let engine_is_here = met.here.ip() == plan.home.gateway;
            let mut tunnel = up(plan, started.id, started.image, direct, met);
            tunnel.engine_is_here = engine_is_here;
            Ok(tunnel)
        }
        Err(source) if plan.guest => Err(Error::SilentAtHome {
            home: address,
            source,
        }),
        Err(error) => publish(plan, started, address, error).await,
    }
}

/// Who owns the instance's tunnel, if it runs and anybody does.
pub(super) async fn owner(client: &Client, instance: &Instance) -> Result<Option<String>, Error> {
    match inspect(client, &instance.tunnel_name()).await? {
        Some(facts) => owner_of(client, &facts).await,
        None => Ok(None),
    }
}

fn up(plan: Plan<'_>, id: ContainerId, image: String, socks: SocksAccess, met: Met) -> Tunnel {
    Tunnel {
        id,
        image,
        home: plan.home.id.clone(),
        socks,
        owner: met.owner,
        engine_is_here: false,
        loss: plan.home.loss.clone(),
        is_nameless: false,
        former: Vec::new(),
    }
}

/// The second way in, where this host has no route to the engine's networks: a port on the engine host's loopback.
async fn publish(
    plan: Plan<'_>,
    started: Started,
    direct: SocketAddr,
    silence: std::io::Error,
) -> Result<Tunnel, Error> {
    let client = plan.client;
    let port = format!("{SOCKS_PORT}/tcp");
    let published = |facts: &TunnelFacts| facts.published.get(&port).copied();
    let mut facts = inspect(client, started.id.as_str()).await?;
    if facts.as_ref().and_then(published).is_none() {
        if let Some(facts) = &facts {
            // It may answer somebody who is nearer.
            if started.made == Made::Before
                && let Some(owner) = owner_of(client, facts).await?
            {
                return Err(Error::Owned(owner));
            }
            client.remove(&facts.id).await.asked("remove the tunnel")?;
        }
        let made = make(plan, &started.name, &started.place, Some(SOCKS_PORT)).await?;
        facts = inspect(client, made.id.as_str()).await?;
    }
    let silent = |source| Error::Silent {
        home: direct,
        source,
    };
    let Some(facts) = facts else {
        return Err(silent(silence));
    };
    let (Some(port), Some(secret)) = (published(&facts), facts.environment.get(SECRET)) else {
        return Err(silent(silence));
    };
    let access = SocksAccess {
        address: SocketAddr::from(([127, 0, 0, 1], port)),
        secret: Secret::new(secret),
    };
    let met = answer(&access, Made::Before).await.map_err(silent)?;
    let id = ContainerId::from(facts.id);
    Ok(up(plan, id, facts.image, access, met))
}

/// Removes the tunnel and its home, and what a bring-up that was cut short left of them.
pub(super) async fn remove(client: &Client, instance: &Instance) -> Result<(), Error> {
    let own = format!("{INSTANCE}={instance}");
    let tunnel = format!("{ROLE}={ROLE_TUNNEL}");
    for container in client
        .labelled_containers(&[&own, &tunnel])
        .await
        .asked("list containers")?
    {
        let id = ContainerId::from(&container.id);
        if let Err(error) = client.stop(&id, STOP_GRACE).await {
            // It goes all the same.
            tracing::debug!(%error, "tunnel did not stop by itself");
        }
        client
            .remove(&container.id)
            .await
            .asked("remove the tunnel")?;
    }
    remove_volumes(client, &own).await?;
    home::remove(client, instance).await
}

/// The files that injected containers had; one that is still used stays for the next time.
async fn remove_volumes(client: &Client, own: &str) -> Result<(), Error> {
    let data = format!("{ROLE}={ROLE_DATA}");
    let volumes = client.labelled_volumes(&[own, &data]).await;
    for (name, _) in volumes.asked("list volumes")? {
        client.remove_volume(&name).await.asked("remove a volume")?;
    }
    Ok(())
}

pub(super) async fn inspect(
    client: &Client,
    reference: &str,
) -> Result<Option<TunnelFacts>, Error> {
    let facts = client.inspect_tunnel(reference).await;
    facts.asked("inspect the tunnel")
}

/// Makes one at a place that none of the others has; under the name that containers know, unless another still has that.
async fn create(plan: Plan<'_>, is_first: bool, taken: &[HomeAddresses]) -> Result<Started, Error> {
    let name = if is_first {
        plan.instance.tunnel_name()
    } else {
        plan.instance.next_tunnel_name()
    };
    let mut places = plan.home.places();
    let place = places.find(|place| !taken.contains(place));
    let place = place.ok_or(Error::Crowded)?;
    make(plan, &name, &place, None).await
}

async fn make(
    plan: Plan<'_>,
    name: &str,
    place: &HomeAddresses,
    publish: Option<u16>,
) -> Result<Started, Error> {
    let Plan {
        client, instance, ..
    } = plan;
    let secret = random_secret()?;
    let spec = TunnelSpec {
        name: name.to_owned(),
        image: plan.image.reference.clone(),
        labels: [(INSTANCE, instance.as_str()), (ROLE, ROLE_TUNNEL)]
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .into_iter()
            .collect(),
        environment: vec![
            format!("{SECRET}={}", secret.expose()),
            format!("{HOME}={}", listed(place)),
            format!("{NAME}={}", instance.tunnel_name()),
        ],
        home: instance.home_name(),
        addresses: place.clone(),
        publish,
    };
    let id = client
        .create_tunnel(&spec)
        .await
        .asked("create the tunnel")?;
    if let Err(source) = client.start(&id).await {
        // The next attempt starts from nothing.
        client
            .remove(id.as_str())
            .await
            .asked("remove the tunnel that did not start")?;
        return Err(Error::Engine {
            action: "start the tunnel",
            source,
        });
    }
    Ok(Started {
        id,
        name: name.to_owned(),
        image: spec.image,
        place: place.clone(),
        secret,
        made: Made::Now,
    })
}

fn random_secret() -> Result<Secret, Error> {
    use std::fmt::Write as _;
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(Error::Random)?;
    let hex = bytes
        .iter()
        .fold(String::with_capacity(64), |mut hex, byte| {
            // Writing to a String cannot fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        });
    Ok(Secret::new(&hex))
}
