//! Containers that are never started: by them files get out of images and into volumes.

use std::collections::BTreeMap;

use bollard::models::{ContainerCreateBody, HostConfig, Mount};
use bollard::query_parameters::{ContainerArchiveInfoOptions, CreateContainerOptions};
use bytes::Bytes;
use futures_util::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};

use super::{Client, QUICK, SLOW, found};
use crate::core::label::{Labels, ROLE, ROLE_PROBE};
use crate::docker::Error;

/// Files looked for at a time: each costs the engine a mount.
const AT_A_TIME: usize = 8;

/// A bundle of certificates has a quarter of a megabyte; what is far larger is something else.
const MAX_ARCHIVE: usize = 4 * 1024 * 1024;

/// A file's mode, as Go's `fs.FileMode` has it: what is no regular file has one of these bits. A symbolic link has one, too.
const NOT_REGULAR: u32 = 0x8F28_0000;
const SYMLINK: u32 = 0x0800_0000;

impl Client {
    /// Makes a container that is never started; answers its id.
    pub(super) async fn make_probe(
        &self,
        image: &str,
        platform: Option<&str>,
        labels: &Labels,
        mounts: Vec<Mount>,
    ) -> Result<String, Error> {
        let mut labels = labels.clone();
        labels.insert(ROLE.to_owned(), ROLE_PROBE.to_owned());
        let body = ContainerCreateBody {
            image: Some(image.to_owned()),
            // Some images have none, and the engine wants one.
            cmd: Some(vec!["never".to_owned()]),
            labels: Some(labels.into_iter().collect()),
            host_config: Some(HostConfig {
                network_mode: Some("none".to_owned()),
                mounts: Some(mounts),
                ..Default::default()
            }),
            ..Default::default()
        };
        let options = CreateContainerOptions {
            platform: platform.unwrap_or_default().to_owned(),
            ..Default::default()
        };
        let call = self.docker()?.create_container(Some(options), body);
        Ok(self.within(SLOW, call).await?.id)
    }

    /// Files of an image, by the paths that were asked for: of each list the first that is there, and of folders what is in
    /// all their files. Symbolic links are followed.
    pub async fn read_image(
        &self,
        image: &str,
        platform: Option<&str>,
        labels: &Labels,
        alternatives: impl Iterator<Item = &[String]>,
        folders: &[String],
    ) -> Result<BTreeMap<String, Bytes>, Error> {
        let probe = self.make_probe(image, platform, labels, Vec::new()).await?;
        let read = self.read_files(&probe, alternatives, folders).await;
        self.remove(&probe).await?;
        read
    }

    /// The same of a container, with what is mounted there.
    pub async fn read_files(
        &self,
        container: &str,
        alternatives: impl Iterator<Item = &[String]>,
        folders: &[String],
    ) -> Result<BTreeMap<String, Bytes>, Error> {
        let files = alternatives.map(|paths| self.read_first(container, paths).left_future());
        let folders = folders.iter();
        let folders = folders.map(|path| self.read_folder(container, path).right_future());
        let all: Vec<_> = files.chain(folders).collect();
        let all = stream::iter(all).buffer_unordered(AT_A_TIME);
        let read: Vec<_> = all.try_collect().await?;
        Ok(read.into_iter().flatten().collect())
    }

    async fn read_first(
        &self,
        container: &str,
        paths: &[String],
    ) -> Result<Option<(String, Bytes)>, Error> {
        for path in paths {
            let read = self.read_file(container, path).await?;
            if let Some(bytes) = read.filter(|bytes| !bytes.is_empty()) {
                return Ok(Some((path.clone(), bytes)));
            }
        }
        Ok(None)
    }

    async fn read_folder(
        &self,
        container: &str,
        path: &str,
    ) -> Result<Option<(String, Bytes)>, Error> {
        let read = self.download_folder(container, path, MAX_ARCHIVE).await?;
        Ok(read.map(|bytes| (path.to_owned(), bytes)))
    }

    /// A regular file of a container; nothing if there is none, or too large a one.
    async fn read_file(&self, container: &str, path: &str) -> Result<Option<Bytes>, Error> {
        let asked = ContainerArchiveInfoOptions {
            path: path.to_owned(),
        };
        let docker = self.docker()?;
        let call = docker.get_container_archive_info(container, Some(asked));
        let Some(stat) = found(self.within(QUICK, call).await)? else {
            return Ok(None);
        };
        // Where a link leads to at last; the engine has resolved it inside the container.
        let path = match stat.file_mode & NOT_REGULAR {
            0 => path.to_owned(),
            SYMLINK if !stat.link_target.is_empty() => stat.link_target,
            _ => return Ok(None),
        };
        self.download_file(container, &path, MAX_ARCHIVE).await
    }
}
