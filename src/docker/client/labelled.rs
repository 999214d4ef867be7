//! What carries a label of dockline's: how it is found again after a crash.

use bollard::query_parameters::{ListContainersOptions, ListImagesOptions, ListNetworksOptions};

use super::{Client, QUICK};
use crate::core::inventory::Network;
use crate::core::label::Labels;
use crate::docker::{Error, convert};

/// A container or an image that carries a label of dockline's.
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
pub(super) fn label_filter(labels: &[&str]) -> std::collections::HashMap<String, Vec<String>> {
    let wanted = labels.iter().map(|l| (*l).to_owned()).collect();
    [("label".to_owned(), wanted)].into_iter().collect()
}

impl Client {
    /// Containers with all these labels (`KEY` or `KEY=VALUE`).
    pub async fn labelled_containers(&self, labels: &[&str]) -> Result<Vec<Labelled>, Error> {
        let options = ListContainersOptions {
            all: true,
            filters: Some(label_filter(labels)),
            ..Default::default()
        };
        let found = self
            .within(QUICK, self.docker()?.list_containers(Some(options)))
            .await?;
        let listed = found.into_iter().filter_map(convert::listed);
        Ok(listed
            .map(|c| Labelled {
                id: c.id.to_string(),
                name: c.name,
                labels: c.labels,
                running: c.state.is_up(),
            })
            .collect())
    }

    /// Networks with all these labels.
    pub async fn labelled_networks(&self, labels: &[&str]) -> Result<Vec<Network>, Error> {
        let options = ListNetworksOptions {
            filters: Some(label_filter(labels)),
        };
        let found = self
            .within(QUICK, self.docker()?.list_networks(Some(options)))
            .await?;
        Ok(found
            .into_iter()
            .filter_map(convert::listed_network)
            .collect())
    }

    /// Images with all these labels.
    pub async fn labelled_images(&self, labels: &[&str]) -> Result<Vec<Labelled>, Error> {
        self.images(label_filter(labels)).await
    }

    /// Images of a repository.
    pub async fn images_of(&self, repository: &str) -> Result<Vec<Labelled>, Error> {
        let wanted = vec![repository.to_owned()];
        let filter = [("reference".to_owned(), wanted)].into_iter().collect();
        self.images(filter).await
    }

    #[expect(clippy::disallowed_types, reason = "bollard's own map")]
    async fn images(
        &self,
        filter: std::collections::HashMap<String, Vec<String>>,
    ) -> Result<Vec<Labelled>, Error> {
        let options = ListImagesOptions {
            filters: Some(filter),
            ..Default::default()
        };
        let found = self
            .within(QUICK, self.docker()?.list_images(Some(options)))
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
}
