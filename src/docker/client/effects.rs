//! What dockline does to an engine: the tunnel's image, home network, container and memberships, and their end.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use bollard::models::{
    ContainerCreateBody, EndpointIpamConfig, EndpointSettings, HostConfig, Ipam, IpamConfig,
    NetworkConnectRequest, NetworkCreateRequest, NetworkDisconnectRequest, NetworkingConfig,
    PortBinding, RestartPolicy, RestartPolicyNameEnum,
};
use bollard::query_parameters::{
    CreateContainerOptions, CreateImageOptions, ListContainersOptions, ListImagesOptions,
    ListNetworksOptions, RemoveContainerOptions, RemoveImageOptions, StopContainerOptions,
};
use bytes::Bytes;
use futures_util::StreamExt;
use ipnet::IpNet;

use super::{Client, QUICK, found};
use crate::core::id::{ContainerId, NetworkId};
use crate::core::label::Labels;
use crate::docker::Error;

/// For what changes the engine's state: start, stop, connect. Seconds on a very busy machine.
const SLOW: Duration = Duration::from_secs(60);

/// The tunnel's container, as it is to be.
#[derive(Clone, Debug)]
pub struct TunnelSpec {
    /// Its name.
    pub name: String,
    /// Its name in DNS, on every network.
    pub alias: String,
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
    /// Its image's reference, as given at create.
    pub image: String,
    /// Its labels.
    pub labels: Labels,
    /// Its environment.
    pub environment: BTreeMap<String, String>,
    /// Whether it runs.
    pub running: bool,
    /// The id of the endpoint's network, by the network's name.
    pub networks: BTreeMap<String, NetworkId>,
    /// The loopback port on which a container port is published.
    pub published: BTreeMap<String, u16>,
}

/// Something that carries a label of dockline's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labelled {
    /// Its id.
    pub id: String,
    /// Its name, or reference.
    pub name: String,
    /// Its labels.
    pub labels: Labels,
    /// For containers: whether it runs.
    pub running: bool,
}

#[expect(clippy::disallowed_types, reason = "bollard's own map")]
fn label_filter(labels: &[&str]) -> std::collections::HashMap<String, Vec<String>> {
    let wanted = labels.iter().map(|l| (*l).to_owned()).collect();
    [("label".to_owned(), wanted)].into_iter().collect()
}

impl Client {
    /// Whether there is an image with that reference.
    pub async fn has_image(&self, reference: &str) -> Result<bool, Error> {
        let answer = self
            .within(QUICK, self.docker.inspect_image(reference))
            .await;
        Ok(found(answer)?.is_some())
    }

    /// Makes an image of a tar, without a builder or a registry (`POST /images/create?fromSrc=-`).
    pub async fn import_image(
        &self,
        repo: &str,
        tag: &str,
        changes: Vec<String>,
        tar: Bytes,
    ) -> Result<(), Error> {
        let options = CreateImageOptions {
            from_src: Some("-".to_owned()),
            repo: Some(repo.to_owned()),
            tag: Some(tag.to_owned()),
            changes,
            ..Default::default()
        };
        let import = async {
            let mut progress =
                self.docker
                    .create_image(Some(options), Some(bollard::body_full(tar)), None);
            while let Some(line) = progress.next().await {
                line?;
            }
            Ok(())
        };
        self.within(SLOW, import).await
    }

    /// Makes the home network; with ranges if they are given, else with those that the engine picks.
    pub async fn create_home(
        &self,
        name: &str,
        ranges: &[IpNet],
        ipv6: bool,
        labels: &Labels,
    ) -> Result<NetworkId, Error> {
        let config = ranges.iter().map(|range| IpamConfig {
            subnet: Some(range.to_string()),
            ..Default::default()
        });
        let request = NetworkCreateRequest {
            name: name.to_owned(),
            driver: Some("bridge".to_owned()),
            enable_ipv6: Some(ipv6),
            ipam: Some(Ipam {
                config: Some(config.collect()),
                ..Default::default()
            }),
            labels: Some(labels.clone().into_iter().collect()),
            ..Default::default()
        };
        let created = self
            .within(SLOW, self.docker.create_network(request))
            .await?;
        Ok(NetworkId::from(created.id))
    }

    /// Removes a network; one that is gone is fine.
    pub async fn remove_network(&self, id: &str) -> Result<(), Error> {
        found(self.within(SLOW, self.docker.remove_network(id)).await).map(drop)
    }

    /// Joins a container to a network.
    pub async fn connect(
        &self,
        network: &NetworkId,
        container: &ContainerId,
        alias: &str,
        address: Option<Ipv4Addr>,
    ) -> Result<(), Error> {
        let request = NetworkConnectRequest {
            container: container.to_string(),
            endpoint_config: Some(EndpointSettings {
                aliases: Some(vec![alias.to_owned()]),
                ipam_config: address.map(|a| EndpointIpamConfig {
                    ipv4_address: Some(a.to_string()),
                    ..Default::default()
                }),
                ..Default::default()
            }),
        };
        self.within(SLOW, self.docker.connect_network(network.as_str(), request))
            .await
    }

    /// Takes a container off a network.
    pub async fn disconnect(
        &self,
        network: &NetworkId,
        container: &ContainerId,
    ) -> Result<(), Error> {
        let request = NetworkDisconnectRequest {
            container: container.to_string(),
            force: Some(true),
        };
        self.within(
            SLOW,
            self.docker.disconnect_network(network.as_str(), request),
        )
        .await
    }

    /// The IPv4 addresses on a network that a container has, or would ask for at its next start.
    pub async fn taken_addresses(&self, network: &NetworkId) -> Result<Vec<IpAddr>, Error> {
        let all = ListContainersOptions {
            all: true,
            ..Default::default()
        };
        let containers = self
            .within(QUICK, self.docker.list_containers(Some(all)))
            .await?;
        let inspect = self
            .within(QUICK, self.docker.inspect_network(network.as_str(), None))
            .await?;
        let name = inspect.name.unwrap_or_default();
        let mut taken = Vec::new();
        for container in containers {
            let networks = container
                .network_settings
                .and_then(|s| s.networks)
                .unwrap_or_default();
            // A container that was never started has the network's name, or the id it was given, and no id.
            let here = networks.into_iter().filter(|(key, settings)| {
                *key == name
                    || key == network.as_str()
                    || settings.network_id.as_deref() == Some(network.as_str())
            });
            for (_, settings) in here {
                let asked = settings.ipam_config.and_then(|c| c.ipv4_address);
                let texts = settings.ip_address.into_iter().chain(asked);
                taken.extend(texts.filter_map(|text| text.parse::<IpAddr>().ok()));
            }
        }
        let members = inspect.containers.unwrap_or_default();
        let current = members.into_values().filter_map(|m| m.ipv4_address);
        taken.extend(current.filter_map(|text| text.split('/').next()?.parse::<IpAddr>().ok()));
        Ok(taken)
    }

    /// Makes the tunnel's container.
    pub async fn create_tunnel(&self, spec: &TunnelSpec) -> Result<ContainerId, Error> {
        let options = CreateContainerOptions {
            name: Some(spec.name.clone()),
            ..Default::default()
        };
        let call = self
            .docker
            .create_container(Some(options), tunnel_body(spec));
        Ok(ContainerId::from(self.within(SLOW, call).await?.id))
    }

    /// Starts a container.
    pub async fn start(&self, id: &ContainerId) -> Result<(), Error> {
        self.within(SLOW, self.docker.start_container(id.as_str(), None))
            .await
    }

    /// Lets a container stop by itself, then stops it.
    pub async fn stop(&self, id: &ContainerId, grace_seconds: i32) -> Result<(), Error> {
        let options = StopContainerOptions {
            t: Some(grace_seconds),
            ..Default::default()
        };
        found(
            self.within(SLOW, self.docker.stop_container(id.as_str(), Some(options)))
                .await,
        )
        .map(drop)
    }

    /// Removes a container, running or not; one that is gone, or going, is fine.
    pub async fn remove(&self, id: &str) -> Result<(), Error> {
        let options = RemoveContainerOptions {
            force: true,
            v: true,
            ..Default::default()
        };
        match self
            .within(SLOW, self.docker.remove_container(id, Some(options)))
            .await
        {
            Err(error) if error.is_not_found() || error.status() == Some(409) => Ok(()),
            other => other,
        }
    }

    /// A container as the tunnel's driver sees it, by id or name.
    pub async fn inspect_tunnel(&self, reference: &str) -> Result<Option<TunnelFacts>, Error> {
        let call = self.docker.inspect_container(reference, None);
        let Some(inspect) = found(self.within(SLOW, call).await)? else {
            return Ok(None);
        };
        let config = inspect.config.unwrap_or_default();
        let settings = inspect.network_settings.unwrap_or_default();
        let environment = config.env.unwrap_or_default();
        let pairs = environment.iter().filter_map(|e| e.split_once('='));
        let networks = settings.networks.unwrap_or_default().into_iter();
        let published = settings.ports.unwrap_or_default().into_iter();
        Ok(Some(TunnelFacts {
            id: inspect.id.unwrap_or_default(),
            image: config.image.unwrap_or_default(),
            labels: config.labels.unwrap_or_default().into_iter().collect(),
            environment: pairs.map(|(k, v)| (k.to_owned(), v.to_owned())).collect(),
            running: inspect.state.and_then(|s| s.running).unwrap_or_default(),
            networks: networks
                .filter_map(|(name, e)| Some((name, NetworkId::from(e.network_id?))))
                .collect(),
            published: published
                .filter_map(|(port, at)| Some((port, host_port(at)?)))
                .collect(),
        }))
    }

    /// Containers with all these labels (`KEY` or `KEY=VALUE`).
    pub async fn labelled_containers(&self, labels: &[&str]) -> Result<Vec<Labelled>, Error> {
        let options = ListContainersOptions {
            all: true,
            filters: Some(label_filter(labels)),
            ..Default::default()
        };
        let found = self
            .within(QUICK, self.docker.list_containers(Some(options)))
            .await?;
        let listed = found.into_iter().filter_map(crate::docker::convert::listed);
        Ok(listed
            .map(|c| Labelled {
                id: c.id.to_string(),
                name: c.name,
                labels: c.labels,
                running: c.state == crate::core::inventory::RunState::Running,
            })
            .collect())
    }

    /// Networks with all these labels.
    pub async fn labelled_networks(&self, labels: &[&str]) -> Result<Vec<Labelled>, Error> {
        let options = ListNetworksOptions {
            filters: Some(label_filter(labels)),
        };
        let found = self
            .within(QUICK, self.docker.list_networks(Some(options)))
            .await?;
        let networks = found
            .into_iter()
            .filter_map(crate::docker::convert::listed_network);
        Ok(networks
            .map(|n| Labelled {
                id: n.id.to_string(),
                name: n.name,
                labels: n.labels,
                running: false,
            })
            .collect())
    }

    /// Images with all these labels.
    pub async fn labelled_images(&self, labels: &[&str]) -> Result<Vec<Labelled>, Error> {
        let options = ListImagesOptions {
            filters: Some(label_filter(labels)),
            ..Default::default()
        };
        let found = self
            .within(QUICK, self.docker.list_images(Some(options)))
            .await?;
        Ok(found
            .into_iter()
            .map(|image| Labelled {
                name: image
                    .repo_tags
                    .first()
                    .cloned()
                    .unwrap_or_else(|| image.id.clone()),
                labels: image.labels.into_iter().collect(),
                id: image.id,
                running: false,
            })
            .collect())
    }

    /// Removes an image; false if a container still uses it.
    pub async fn remove_image(&self, id: &str) -> Result<bool, Error> {
        let options = RemoveImageOptions {
            force: true,
            ..Default::default()
        };
        match self
            .within(SLOW, self.docker.remove_image(id, Some(options), None))
            .await
        {
            Ok(_) => Ok(true),
            Err(error) if error.is_not_found() => Ok(true),
            Err(error) if error.status() == Some(409) => Ok(false),
            Err(error) => Err(error),
        }
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
        aliases: Some(vec![spec.alias.clone()]),
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
                name: Some(RestartPolicyNameEnum::UNLESS_STOPPED),
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
