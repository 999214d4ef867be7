//! Volumes, and what is put into them.

use bollard::models::{Mount, MountType, VolumeCreateRequest};
use bollard::query_parameters::{
    ListVolumesOptions, RemoveVolumeOptions, UploadToContainerOptions,
};
use bytes::Bytes;

use super::labelled::label_filter;
use super::{Client, QUICK, SLOW, found};
use crate::core::label::{INSTANCE, Labels};
use crate::docker::Error;

impl Client {
    /// Whether there is such a volume.
    pub async fn has_volume(&self, name: &str) -> Result<bool, Error> {
        let call = self.docker()?.inspect_volume(name);
        Ok(found(self.within(QUICK, call).await)?.is_some())
    }

    /// Makes a volume, unless it is there, and unpacks a tar archive into it. Nothing is run: a container of `image`
    /// that is never started stands by while the engine unpacks.
    pub async fn fill_volume(
        &self,
        name: &str,
        labels: &Labels,
        image: &str,
        archive: Bytes,
    ) -> Result<(), Error> {
        let volume = VolumeCreateRequest {
            name: Some(name.to_owned()),
            labels: Some(labels.clone().into_iter().collect()),
            ..Default::default()
        };
        self.within(SLOW, self.docker()?.create_volume(volume))
            .await?;
        let mount = Mount {
            typ: Some(MountType::VOLUME),
            source: Some(name.to_owned()),
            target: Some("/data".to_owned()),
            ..Default::default()
        };
        let probe = self.make_probe(image, None, labels, vec![mount]).await?;
        let into = UploadToContainerOptions {
            path: "/data".to_owned(),
            ..Default::default()
        };
        let body = bollard::body_full(archive);
        let call = self.docker()?.upload_to_container(&probe, Some(into), body);
        let filled = self.within(SLOW, call).await;
        self.remove(&probe).await?;
        filled
    }

    /// The names of volumes with all these labels.
    pub async fn labelled_volumes(
        &self,
        labels: &[&str],
    ) -> Result<Vec<(String, Option<String>)>, Error> {
        let options = ListVolumesOptions {
            filters: Some(label_filter(labels)),
        };
        let found = self
            .within(QUICK, self.docker()?.list_volumes(Some(options)))
            .await?;
        let volumes = found.volumes.unwrap_or_default().into_iter();
        Ok(volumes
            .map(|mut volume| (volume.name, volume.labels.remove(INSTANCE)))
            .collect())
    }

    /// Removes a volume; false if a container uses it.
    pub async fn remove_volume(&self, name: &str) -> Result<bool, Error> {
        let call = self
            .docker()?
            .remove_volume(name, None::<RemoveVolumeOptions>);
        match self.within(SLOW, call).await {
            Ok(()) => Ok(true),
            Err(error) if error.is_not_found() => Ok(true),
            Err(error) if error.status() == Some(409) => Ok(false),
            Err(error) => Err(error),
        }
    }
}
