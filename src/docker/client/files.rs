//! Files of containers, read without running anything in them.

use std::io::Read as _;

use bollard::query_parameters::DownloadFromContainerOptions;
use futures_util::TryStreamExt as _;

use super::{Client, SLOW, found};
use crate::core::hosts_file::HostsFile;
use crate::core::id::ContainerId;
use crate::docker::Error;

/// The engine writes less than a kilobyte; somebody's own list of thousands of names is not read.
const MAX_ARCHIVE: usize = 64 * 1024;

impl Client {
    /// A container's `/etc/hosts`, as it is now; nothing if there is none, or an unreasonable one.
    pub async fn read_hosts(&self, id: &ContainerId) -> Result<Option<HostsFile>, Error> {
        let options = DownloadFromContainerOptions {
            path: "/etc/hosts".to_owned(),
        };
        let docker = self.docker()?;
        let download = async {
            let mut stream = docker.download_from_container(id.as_str(), Some(options));
            let mut archive = Vec::new();
            while let Some(chunk) = stream.try_next().await? {
                archive.extend_from_slice(&chunk);
                if archive.len() > MAX_ARCHIVE {
                    return Ok(None);
                }
            }
            Ok(Some(archive))
        };
        let archive = found(self.within(SLOW, download).await)?.flatten();
        Ok(archive.as_deref().and_then(first_file))
    }
}

fn first_file(archive: &[u8]) -> Option<HostsFile> {
    let mut archive = tar::Archive::new(archive);
    let mut entry = archive.entries().ok()?.next()?.ok()?;
    let mut bytes = Vec::new();
    entry.read_to_end(&mut bytes).ok()?;
    let is_file = entry.header().entry_type().is_file();
    is_file.then(|| HostsFile::parse(&String::from_utf8_lossy(&bytes)))
}
