//! What is to be known of a container before it is created or started.

use std::net::IpAddr;

use super::{Client, INSPECT, QUICK, found};
use crate::core::id::ContainerId;
use crate::core::label::Labels;
use crate::docker::Error;

/// A container that somebody wants to start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Startable {
    /// Its id.
    pub id: Option<ContainerId>,
    /// Its name.
    pub name: String,
    /// Its image's reference, as given at create.
    pub image: String,
    /// Its image's id.
    pub image_id: String,
    /// The variables that it sees.
    pub environment: Vec<String>,
    /// Its labels.
    pub labels: Labels,
    /// Its platform's system.
    pub platform: Option<String>,
    /// `HostConfig.NetworkMode`.
    pub mode: String,
    /// The networks that it will be on, and the addresses that it asks for there.
    pub networks: Vec<WantedNetwork>,
}

/// An image that a container is to be made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Image {
    /// Its id.
    pub id: String,
    /// The variables that it brings.
    pub environment: Vec<String>,
}

/// A network that a container will be on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedNetwork {
    /// As the container has it: before its first start that may be a name or an id.
    pub name: String,
    /// The id, once it was on the network.
    pub id: Option<String>,
    /// Static addresses.
    pub addresses: Vec<IpAddr>,
}

impl Client {
    /// A container as its start will find it, if it exists.
    pub async fn startable(&self, reference: &str) -> Result<Option<Startable>, Error> {
        let call = self.docker()?.inspect_container(reference, None);
        let Some(inspect) = found(self.within(INSPECT, call).await)? else {
            return Ok(None);
        };
        let config = inspect.config.unwrap_or_default();
        let networks = inspect.network_settings.unwrap_or_default().networks;
        let networks = networks.unwrap_or_default().into_iter();
        Ok(Some(Startable {
            id: inspect.id.map(ContainerId::from),
            name: inspect
                .name
                .unwrap_or_default()
                .trim_start_matches('/')
                .to_owned(),
            image: config.image.unwrap_or_default(),
            image_id: inspect.image.unwrap_or_default(),
            environment: config.env.unwrap_or_default(),
            labels: config.labels.unwrap_or_default().into_iter().collect(),
            platform: inspect.platform,
            mode: inspect
                .host_config
                .and_then(|host| host.network_mode)
                .unwrap_or_default(),
            networks: networks
                .map(|(name, endpoint)| {
                    let asked = endpoint.ipam_config.unwrap_or_default();
                    let asked = [asked.ipv4_address, asked.ipv6_address];
                    WantedNetwork {
                        name,
                        id: endpoint.network_id.filter(|id| !id.is_empty()),
                        addresses: asked
                            .into_iter()
                            .flatten()
                            .filter_map(|a| a.parse().ok())
                            .collect(),
                    }
                })
                .collect(),
        }))
    }

    /// An image, if the engine has it.
    pub async fn image(&self, reference: &str) -> Result<Option<Image>, Error> {
        let call = self.docker()?.inspect_image(reference);
        let Some(image) = found(self.within(QUICK, call).await)? else {
            return Ok(None);
        };
        let environment = image.config.and_then(|config| config.env);
        Ok(Some(Image {
            id: image.id.unwrap_or_default(),
            environment: environment.unwrap_or_default(),
        }))
    }
}
