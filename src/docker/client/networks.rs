//! Networks: the tunnel's home, and its memberships.

use std::net::{IpAddr, Ipv4Addr};

use bollard::models::{
    EndpointIpamConfig, EndpointSettings, Ipam, IpamConfig, NetworkConnectRequest,
    NetworkCreateRequest, NetworkDisconnectRequest,
};
use bollard::query_parameters::ListContainersOptions;
use ipnet::IpNet;

use super::{Client, QUICK, SLOW, found};
use crate::core::id::{ContainerId, NetworkId};
use crate::core::label::Labels;
use crate::docker::Error;

impl Client {
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
}
