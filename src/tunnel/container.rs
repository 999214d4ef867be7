//! Brings the tunnel's container up: adopts the one that is there, or makes it.
//!
//! One that will not start, or was made by another version, is made anew, never repaired.

use std::net::{IpAddr, SocketAddr};

use super::home::{self, Home};
use super::probe::{Made, Met, answer, owner_of};
use super::{Asked, Error, SOCKS_PORT};
use crate::core::id::{ContainerId, Instance, NetworkId};
use crate::core::label::{INSTANCE, ROLE, ROLE_DATA, ROLE_TUNNEL};
use crate::core::tunnel_state::{Secret, SocksAccess};
use crate::docker::client::{TunnelFacts, TunnelSpec};
use crate::docker::{self, Client};

pub(super) const SECRET: &str = "DOCKLINE_SECRET";
pub(super) const HOME: &str = "DOCKLINE_HOME";
const NAME: &str = "DOCKLINE_NAME";
/// Seconds that the tunnel may take to stop by itself, as its program does.
const STOP_GRACE: i32 = 4;

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
}

/// Sees to it that the tunnel runs and answers; `guest`: dockline itself is on its home, and needs no other way.
pub(super) async fn ensure(
    client: &Client,
    instance: &Instance,
    image: &str,
    home: Home,
    guest: bool,
) -> Result<Tunnel, Error> {
    let adopted = adopt(client, instance, image, &home).await?;
    let ((id, secret), made) = match adopted {
        Some(adopted) => (adopted, Made::Before),
        None => (
            create(client, instance, image, &home, None).await?,
            Made::Now,
        ),
    };
    let address = SocketAddr::new(IpAddr::V4(home.addresses.ipv4), SOCKS_PORT);
    let direct = SocksAccess { address, secret };
    match answer(&direct, made).await {
        Ok(met) => {
            let engine_is_here = met.here.ip() == home.gateway;
            let mut tunnel = up(id, image, home, direct, met);
            tunnel.engine_is_here = engine_is_here;
            Ok(tunnel)
        }
        Err(source) if guest => Err(Error::SilentAtHome {
            home: address,
            source,
        }),
        Err(error) => publish(client, instance, image, home, address, error).await,
    }
}

/// Who owns the instance's tunnel, if it runs and anybody does.
pub(super) async fn owner(client: &Client, instance: &Instance) -> Result<Option<String>, Error> {
    match inspect(client, &instance.tunnel_name()).await? {
        Some(facts) => Ok(owner_of(&facts).await),
        None => Ok(None),
    }
}

fn up(id: ContainerId, image: &str, home: Home, socks: SocksAccess, met: Met) -> Tunnel {
    Tunnel {
        id,
        image: image.to_owned(),
        home: home.id,
        socks,
        owner: met.owner,
        engine_is_here: false,
        loss: home.loss,
    }
}

/// The second way in, where this host has no route to the engine's networks: a port on the engine host's loopback.
async fn publish(
    client: &Client,
    instance: &Instance,
    image: &str,
    home: Home,
    direct: SocketAddr,
    silence: std::io::Error,
) -> Result<Tunnel, Error> {
    let name = instance.tunnel_name();
    let port = format!("{SOCKS_PORT}/tcp");
    let published = |facts: &TunnelFacts| facts.published.get(&port).copied();
    let mut facts = inspect(client, &name).await?;
    if facts.as_ref().and_then(published).is_none() {
        if let Some(facts) = &facts {
            client.remove(&facts.id).await.asked("remove the tunnel")?;
        }
        create(client, instance, image, &home, Some(SOCKS_PORT)).await?;
        facts = inspect(client, &name).await?;
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
    Ok(up(ContainerId::from(facts.id), image, home, access, met))
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

async fn inspect(client: &Client, name: &str) -> Result<Option<TunnelFacts>, Error> {
    client
        .inspect_tunnel(name)
        .await
        .asked("inspect the tunnel")
}

/// The container that is there, if it can serve; otherwise it is removed.
async fn adopt(
    client: &Client,
    instance: &Instance,
    image: &str,
    home: &Home,
) -> Result<Option<(ContainerId, Secret)>, Error> {
    let name = instance.tunnel_name();
    let Some(facts) = inspect(client, &name).await? else {
        return Ok(None);
    };
    if facts.labels.get(ROLE).map(String::as_str) != Some(ROLE_TUNNEL) {
        return Err(Error::NameTaken(name));
    }
    let id = ContainerId::from(&facts.id);
    let at_home = facts.networks.get(&instance.home_name()) == Some(&home.id);
    let current = facts.image == image && facts.environment.get(HOME) == Some(&home.listed());
    let secret = facts.environment.get(SECRET).filter(|_| current && at_home);
    if let Some(secret) = secret {
        let started = match (facts.running, facts.paused) {
            (false, _) => client.start(&id).await,
            (true, true) => client.unpause(&id).await,
            (true, false) => Ok(()),
        };
        match started {
            Ok(()) => return Ok(Some((id, Secret::new(secret)))),
            Err(error @ docker::Error::Refused { .. }) => {
                tracing::debug!(%error, "tunnel does not start again");
            }
            Err(source) => {
                return Err(Error::Engine {
                    action: "start the tunnel",
                    source,
                });
            }
        }
    }
    if facts.running
        && at_home
        && let Some(owner) = owner_of(&facts).await
    {
        return Err(Error::Owned(owner));
    }
    tracing::info!(
        container = id.short(),
        "tunnel cannot be used any more; making a new one"
    );
    client
        .remove(&facts.id)
        .await
        .asked("remove the old tunnel")?;
    Ok(None)
}

async fn create(
    client: &Client,
    instance: &Instance,
    image: &str,
    home: &Home,
    publish: Option<u16>,
) -> Result<(ContainerId, Secret), Error> {
    let secret = random_secret()?;
    let spec = TunnelSpec {
        name: instance.tunnel_name(),
        alias: instance.tunnel_name(),
        image: image.to_owned(),
        labels: [(INSTANCE, instance.as_str()), (ROLE, ROLE_TUNNEL)]
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .into_iter()
            .collect(),
        environment: vec![
            format!("{SECRET}={}", secret.expose()),
            format!("{HOME}={}", home.listed()),
            format!("{NAME}={}", instance.tunnel_name()),
        ],
        home: instance.home_name(),
        addresses: home.addresses.clone(),
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
    Ok((id, secret))
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
