//! Files of containers, read without running anything in them.

use std::io::Read as _;

use bollard::query_parameters::DownloadFromContainerOptions;
use bytes::Bytes;
use futures_util::TryStreamExt as _;

use super::{Client, SLOW, found};
use crate::core::hosts_file::HostsFile;
use crate::core::id::ContainerId;
use crate::docker::Error;

/// The engine writes less than a kilobyte; somebody's own list of thousands of names is not read.
const MAX_ARCHIVE: usize = 64 * 1024;

/// The same in every network namespace.
const DOCKERS_RESOLVER: &str = "127.0.0.11";

impl Client {
    /// A container's `/etc/hosts`, as it is now; nothing if there is none, or an unreasonable one.
    pub async fn read_hosts(&self, id: &ContainerId) -> Result<Option<HostsFile>, Error> {
        let text = self.read_text(id, "/etc/hosts").await?;
        Ok(text.as_deref().map(HostsFile::parse))
    }

    /// Whether a container's `/etc/resolv.conf` leads to Docker's own resolver; nothing if there is no such file, or an
    /// unreasonable one.
    pub async fn asks_docker(&self, id: &ContainerId) -> Result<Option<bool>, Error> {
        let text = self.read_text(id, "/etc/resolv.conf").await?;
        Ok(text.as_deref().map(names_docker))
    }

    async fn read_text(&self, id: &ContainerId, path: &str) -> Result<Option<String>, Error> {
        let file = self.download_file(id.as_str(), path, MAX_ARCHIVE).await?;
        Ok(file.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// A regular file of a container; nothing if there is none, or one whose archive has more than `most` bytes.
    pub(super) async fn download_file(
        &self,
        container: &str,
        path: &str,
        most: usize,
    ) -> Result<Option<Bytes>, Error> {
        let archive = self.download(container, path, most).await?;
        Ok(archive.as_deref().and_then(first_file))
    }

    /// What is in all files of a folder of a container, each on lines of its own; or in one file, if that is what the path
    /// names. Nothing if there is none, or one whose archive has more than `most` bytes.
    pub(super) async fn download_folder(
        &self,
        container: &str,
        path: &str,
        most: usize,
    ) -> Result<Option<Bytes>, Error> {
        let archive = self.download(container, path, most).await?;
        Ok(archive.as_deref().and_then(all_files))
    }

    async fn download(
        &self,
        container: &str,
        path: &str,
        most: usize,
    ) -> Result<Option<Vec<u8>>, Error> {
        let options = DownloadFromContainerOptions {
            path: path.to_owned(),
        };
        let docker = self.docker()?;
        let download = async {
            let mut stream = docker.download_from_container(container, Some(options));
            let mut archive = Vec::new();
            while let Some(chunk) = stream.try_next().await? {
                archive.extend_from_slice(&chunk);
                if archive.len() > most {
                    return Ok(None);
                }
            }
            Ok(Some(archive))
        };
        Ok(found(self.within(SLOW, download).await)?.flatten())
    }
}

fn first_file(archive: &[u8]) -> Option<Bytes> {
    let mut archive = tar::Archive::new(archive);
    let mut entry = archive.entries().ok()?.next()?.ok()?;
    let mut bytes = Vec::new();
    entry.read_to_end(&mut bytes).ok()?;
    let is_file = entry.header().entry_type().is_file();
    is_file.then(|| bytes.into())
}

fn all_files(archive: &[u8]) -> Option<Bytes> {
    let mut text = Vec::new();
    for entry in tar::Archive::new(archive).entries().ok()? {
        let mut entry = entry.ok()?;
        if entry.header().entry_type().is_file() {
            entry.read_to_end(&mut text).ok()?;
            text.push(b'\n');
        }
    }
    Some(text.into())
}

/// `resolv.conf(5)`: a server is named on a line of its own.
fn names_docker(text: &str) -> bool {
    text.lines().any(|line| {
        let mut words = line.split_whitespace();
        words.next() == Some("nameserver") && words.next() == Some(DOCKERS_RESOLVER)
    })
}

#[cfg(test)]
mod tests {
    use super::names_docker;

    #[test]
    fn dockers_resolver_is_known_by_its_address() {
        for (text, expected) in [
            ("nameserver 127.0.0.11\noptions ndots:0\n", true),
            ("search lan\n nameserver\t127.0.0.11", true),
            ("nameserver 127.0.0.1\n# nameserver 127.0.0.11\n", false),
            ("", false),
        ] {
            assert_eq!(names_docker(text), expected, "{text:?}");
        }
    }
}
