//! Images: the tunnel's, made without a registry.

use bollard::query_parameters::{CreateImageOptions, RemoveImageOptions};
use bytes::Bytes;
use futures_util::StreamExt;

use super::{Client, QUICK, SLOW, found};
use crate::docker::Error;

impl Client {
    /// Whether there is an image with that reference.
    pub async fn has_image(&self, reference: &str) -> Result<bool, Error> {
        let answer = self
            .within(QUICK, self.docker()?.inspect_image(reference))
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
        let docker = self.docker()?;
        let import = async {
            let mut progress =
                docker.create_image(Some(options), Some(bollard::body_full(tar)), None);
            while let Some(line) = progress.next().await {
                line?;
            }
            Ok(())
        };
        self.within(SLOW, import).await
    }

    /// Removes an image, but none that it was made of; false if a container still uses it.
    pub async fn remove_image(&self, id: &str) -> Result<bool, Error> {
        let options = RemoveImageOptions {
            force: true,
            noprune: true,
            ..Default::default()
        };
        match self
            .within(SLOW, self.docker()?.remove_image(id, Some(options), None))
            .await
        {
            Ok(_) => Ok(true),
            Err(error) if error.is_not_found() => Ok(true),
            Err(error) if error.status() == Some(409) => Ok(false),
            Err(error) => Err(error),
        }
    }
}
