//! Networks: the tunnel's home, and its memberships.

use std::net::IpAddr;

use bollard::models::{
    EndpointIpamConfig, EndpointSettings, Ipam, IpamConfig, NetworkConnectRequest,
    NetworkCreateRequest, NetworkDisconnectRequest,
};
use bollard::query_parameters::ListContainersOptions;
use ipnet::IpNet;

use super::{Client, QUICK, SLOW, found};
use crate::core::id::{ContainerId, NetworkId};
use crate::core::label::Labels;
use crate::core::membership::Attachment;
use crate::docker::Error;

/// A bridge network, as it is to be.
#[derive(Clone, Debug)]
pub struct NetworkSpec {
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: Labels,
    /// Its ranges; one of IPv4 that is not given is picked by the engine.
    pub ranges: Vec<IpNet>,
    /// Whether there is no way out of it.
    pub internal: bool,
}

impl Client {
    /// Makes a network.
    pub async fn create_network(&self, spec: &NetworkSpec) -> Result<NetworkId, Error> {
        let config = spec.ranges.iter().map(|range| IpamConfig {
            subnet: Some(range.to_string()),
            ..Default::default()
        });
        let request = NetworkCreateRequest {
            name: spec.name.clone(),
            driver: Some("bridge".to_owned()),
            internal: Some(spec.internal),
            enable_ipv6: Some(
                spec.ranges
                    .iter()
                    .any(|range| matches!(range, IpNet::V6(_))),
            ),
            ipam: Some(Ipam {
                config: Some(config.collect()),
                ..Default::default()
            }),
            labels: Some(spec.labels.clone().into_iter().collect()),
            ..Default::default()
        };
        let created = self
            .within(SLOW, self.docker()?.create_network(request))
            .await?;
        Ok(NetworkId::from(created.id))
    }

    /// Removes a network; one that is gone is fine.
    pub async fn remove_network(&self, id: &str) -> Result<(), Error> {
        found(self.within(SLOW, self.docker()?.remove_network(id)).await).map(drop)
    }

    /// Joins a container to a network.
    pub async fn connect(
        &self,
        network: &NetworkId,
        container: &ContainerId,
        aliases: &[String],
        attachment: &Attachment,
    ) -> Result<(), Error> {
        let addresses = EndpointIpamConfig {
            ipv4_address: attachment.ipv4.map(|a| a.to_string()),
            ipv6_address: attachment.ipv6.map(|a| a.to_string()),
            ..Default::default()
        };
        let asked = attachment.addresses().next().is_some();
        let request = NetworkConnectRequest {
            container: container.to_string(),
            endpoint_config: Some(EndpointSettings {
                aliases: (!aliases.is_empty()).then(|| aliases.to_vec()),
                ipam_config: asked.then_some(addresses),
                ..Default::default()
            }),
        };
        let call = self.docker()?.connect_network(network.as_str(), request);
        self.within(SLOW, call).await
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
            self.docker()?.disconnect_network(network.as_str(), request),
        )
        .await
    }

    /// Whether a network lists a running container; if it lists nobody at all, as some engines do, it is believed to.
    pub async fn has_member(
        &self,
        network: &NetworkId,
        container: &ContainerId,
    ) -> Result<bool, Error> {
        let call = self.docker()?.inspect_network(network.as_str(), None);
        let members = self.within(QUICK, call).await?.containers;
        Ok(members.is_none_or(|members| members.contains_key(container.as_str())))
    }

    /// The addresses on a network that a container has, or would ask for at its next start.
    pub async fn taken_addresses(&self, network: &NetworkId) -> Result<Vec<IpAddr>, Error> {
        let all = ListContainersOptions {
            all: true,
            ..Default::default()
        };
        let containers = self
            .within(QUICK, self.docker()?.list_containers(Some(all)))
            .await?;
        let call = self.docker()?.inspect_network(network.as_str(), None);
        let inspect = self.within(QUICK, call).await?;
        let name = inspect.name.unwrap_or_default();
        let mut taken = Vec::new();
        for container in containers {
            let settings = container.network_settings.unwrap_or_default();
            // A container that was never started has the network's name, or the id it was given, and no id.
            let here =
                settings
                    .networks
                    .unwrap_or_default()
                    .into_iter()
                    .filter(|(key, settings)| {
                        let id = settings.network_id.as_deref();
                        *key == name || key == network.as_str() || id == Some(network.as_str())
                    });
            here.for_each(|(_, settings)| taken.extend(addresses(settings)));
        }
        let members = inspect.containers.unwrap_or_default().into_values();
        let current = members.flat_map(|m| m.ipv4_address.into_iter().chain(m.ipv6_address));
        taken.extend(current.filter_map(|text| text.split('/').next()?.parse::<IpAddr>().ok()));
        Ok(taken)
    }
}

/// Those it has, and those that were asked for.
fn addresses(settings: EndpointSettings) -> impl Iterator<Item = IpAddr> {
    let asked = settings.ipam_config.unwrap_or_default();
    let texts = [
        settings.ip_address,
        settings.global_ipv6_address,
        asked.ipv4_address,
        asked.ipv6_address,
    ];
    texts
        .into_iter()
        .flatten()
        .filter_map(|text| text.parse().ok())
}
