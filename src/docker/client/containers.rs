//! Containers: the tunnel's.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use tokio::time::Instant;

use bollard::models::{
    ContainerCreateBody, ContainerUpdateBody, EndpointIpamConfig, EndpointSettings, HostConfig,
    NetworkingConfig, PortBinding, RestartPolicy, RestartPolicyNameEnum,
};
use bollard::query_parameters::{
    CreateContainerOptions, KillContainerOptions, RemoveContainerOptions, StopContainerOptions,
};

use super::{Client, SLOW, found};
use crate::core::id::{ContainerId, NetworkId};
use crate::core::label::Labels;
use crate::docker::Error;

/// How often a removal that somebody else began is looked after: the engine tells nobody when it is over.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// The tunnel's container, as it is to be.
#[derive(Clone, Debug)]
pub struct TunnelSpec {
    /// Its name.
    pub name: String,
    /// Its image.
    pub image: String,
    /// Its labels.
    pub labels: Labels,
    /// Its environment, as `NAME=value`.
    pub environment: Vec<String>,
    /// The home network's name.
    pub home: String,
    /// Its addresses there.
    pub addresses: HomeAddresses,
    /// Port to publish on the engine host's loopback, where its address cannot be reached.
    pub publish: Option<u16>,
}

/// Static addresses on the home network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HomeAddresses {
    /// IPv4.
    pub ipv4: Ipv4Addr,
    /// IPv6, unless the engine has none to give.
    pub ipv6: Option<Ipv6Addr>,
}

/// A container as the tunnel's driver needs to see it.
#[derive(Clone, Debug, Default)]
pub struct TunnelFacts {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its image's reference, as given at create.
    pub image: String,
    /// Its labels.
    pub labels: Labels,
    /// Its environment.
    pub environment: BTreeMap<String, String>,
    /// Whether it runs, or is paused.
    pub running: bool,
    /// Whether it is paused.
    pub paused: bool,
    /// Whether the engine starts it again when it has ended.
    pub restarts: bool,
    /// The id of the endpoint's network, by the network's name.
    pub networks: BTreeMap<String, NetworkId>,
    /// The loopback port on which a container port is published.
    pub published: BTreeMap<String, u16>,
}

impl Client {
    /// Makes the tunnel's container.
    pub async fn create_tunnel(&self, spec: &TunnelSpec) -> Result<ContainerId, Error> {
        let options = CreateContainerOptions {
            name: Some(spec.name.clone()),
            ..Default::default()
        };
        let call = self
            .docker()?
            .create_container(Some(options), tunnel_body(spec));
        Ok(ContainerId::from(self.within(SLOW, call).await?.id))
    }

    /// Starts a container.
    pub async fn start(&self, id: &ContainerId) -> Result<(), Error> {
        self.within(SLOW, self.docker()?.start_container(id.as_str(), None))
            .await
    }

    /// Lets a paused container run on.
    pub async fn unpause(&self, id: &ContainerId) -> Result<(), Error> {
        self.within(SLOW, self.docker()?.unpause_container(id.as_str()))
            .await
    }

    /// Lets a container stop by itself, then stops it.
    pub async fn stop(&self, id: &ContainerId, grace_seconds: i32) -> Result<(), Error> {
        let options = StopContainerOptions {
            t: Some(grace_seconds),
            ..Default::default()
        };
        found(
            self.within(
                SLOW,
                self.docker()?.stop_container(id.as_str(), Some(options)),
            )
            .await,
        )
        .map(drop)
    }

    /// Has a tunnel end by itself when the last of its callers has left, and stay down. One that does not run is fine.
    pub async fn retire(&self, id: &ContainerId) -> Result<(), Error> {
        let body = ContainerUpdateBody {
            restart_policy: Some(RestartPolicy {
                name: Some(RestartPolicyNameEnum::NO),
                maximum_retry_count: None,
            }),
            ..Default::default()
        };
        let call = self.docker()?.update_container(id.as_str(), body);
        found(self.within(SLOW, call).await)?;
        let options = KillContainerOptions {
            // As the tunnel's program has it (`tunnel-image/src/signal.rs`).
            signal: "SIGUSR1".to_owned(),
        };
        let call = self.docker()?.kill_container(id.as_str(), Some(options));
        match found(self.within(SLOW, call).await) {
            Err(error) if error.status() == Some(409) => Ok(()),
            other => other.map(drop),
        }
    }

    /// Removes a container, running or not, and waits until it has gone.
    pub async fn remove(&self, id: &str) -> Result<(), Error> {
        let options = RemoveContainerOptions {
            force: true,
            v: true,
            ..Default::default()
        };
        let removed = self
            .within(SLOW, self.docker()?.remove_container(id, Some(options)))
            .await;
        match removed {
            Err(error) if error.is_not_found() => Ok(()),
            // Somebody else is at it.
            Err(error) if error.status() == Some(409) => self.gone(id).await,
            other => other,
        }
    }

    /// Waits until a container has gone that somebody else removes.
    pub async fn gone(&self, id: &str) -> Result<(), Error> {
        let give_up = Instant::now() + SLOW;
        while self.inspect_tunnel(id).await?.is_some() {
            if Instant::now() >= give_up {
                return Err(Error::Timeout(SLOW));
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        Ok(())
    }

    /// A container as the tunnel's driver sees it, by id or name.
    pub async fn inspect_tunnel(&self, reference: &str) -> Result<Option<TunnelFacts>, Error> {
        let call = self.docker()?.inspect_container(reference, None);
        let Some(inspect) = found(self.within(SLOW, call).await)? else {
            return Ok(None);
        };
        let config = inspect.config.unwrap_or_default();
        let settings = inspect.network_settings.unwrap_or_default();
        let environment = config.env.unwrap_or_default();
        let pairs = environment.iter().filter_map(|e| e.split_once('='));
        let state = inspect.state.unwrap_or_default();
        let host = inspect.host_config.unwrap_or_default();
        let networks = settings.networks.unwrap_or_default().into_iter();
        let published = settings.ports.unwrap_or_default().into_iter();
        Ok(Some(TunnelFacts {
            id: inspect.id.unwrap_or_default(),
            name: inspect
                .name
                .unwrap_or_default()
                .trim_start_matches('/')
                .to_owned(),
            image: config.image.unwrap_or_default(),
            labels: config.labels.unwrap_or_default().into_iter().collect(),
            environment: pairs.map(|(k, v)| (k.to_owned(), v.to_owned())).collect(),
            running: state.running == Some(true) && state.restarting != Some(true),
            paused: state.paused == Some(true),
            restarts: host.restart_policy.is_some_and(|policy| {
                policy
                    .name
                    .is_some_and(|name| name != RestartPolicyNameEnum::NO)
            }),
            networks: networks
                .filter_map(|(name, e)| Some((name, NetworkId::from(e.network_id?))))
                .collect(),
            published: published
                .filter_map(|(port, at)| Some((port, host_port(at)?)))
                .collect(),
        }))
    }
}

fn host_port(bindings: Option<Vec<PortBinding>>) -> Option<u16> {
    bindings?
        .into_iter()
        .find_map(|binding| binding.host_port?.parse().ok())
}

/// No capabilities, nothing writable, nobody's user, and no forwarding between the networks that it is on.
fn tunnel_body(spec: &TunnelSpec) -> ContainerCreateBody {
    let addresses = EndpointIpamConfig {
        ipv4_address: Some(spec.addresses.ipv4.to_string()),
        ipv6_address: spec.addresses.ipv6.map(|a| a.to_string()),
        ..Default::default()
    };
    let home = EndpointSettings {
        ipam_config: Some(addresses),
        ..Default::default()
    };
    let endpoints = [(spec.home.clone(), home)].into_iter().collect();
    let port = spec.publish.map(|port| format!("{port}/tcp"));
    let loopback = PortBinding {
        host_ip: Some("127.0.0.1".to_owned()),
        host_port: Some(String::new()),
    };
    ContainerCreateBody {
        image: Some(spec.image.clone()),
        user: Some("65534:65534".to_owned()),
        env: Some(spec.environment.clone()),
        labels: Some(spec.labels.clone().into_iter().collect()),
        exposed_ports: port.clone().map(|port| vec![port]),
        host_config: Some(HostConfig {
            network_mode: Some(spec.home.clone()),
            cap_drop: Some(vec!["ALL".to_owned()]),
            security_opt: Some(vec!["no-new-privileges".to_owned()]),
            readonly_rootfs: Some(true),
            sysctls: Some(no_forwarding(spec.addresses.ipv6.is_some())),
            restart_policy: Some(RestartPolicy {
                // An engine that was killed takes whatever still runs as it comes back for stopped.
                name: Some(RestartPolicyNameEnum::ALWAYS),
                maximum_retry_count: None,
            }),
            port_bindings: port.map(|port| [(port, Some(vec![loopback]))].into_iter().collect()),
            ..Default::default()
        }),
        networking_config: Some(NetworkingConfig {
            endpoints_config: Some(endpoints),
        }),
        ..Default::default()
    }
}

#[expect(clippy::disallowed_types, reason = "bollard's own map")]
fn no_forwarding(ipv6: bool) -> std::collections::HashMap<String, String> {
    let mut sysctls = vec!["net.ipv4.ip_forward"];
    if ipv6 {
        sysctls.push("net.ipv6.conf.all.forwarding");
    }
    sysctls
        .into_iter()
        .map(|name| (name.to_owned(), "0".to_owned()))
        .collect()
}
