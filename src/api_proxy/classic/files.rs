//! What steps trust by, for the engine: in an image of its own, which stages copy from.

use std::sync::{Arc, OnceLock};

use tracing::info;

use crate::api_proxy::Shared;
use crate::core::label;
use crate::core::trust::{Ca, Found, Wanted, files};
use crate::docker::Error;

const REPOSITORY: &str = "dockline/build";
/// Characters of a hash in a tag.
const SHORT: usize = 12;
/// What ends an archive, and an entry may not follow.
const END: usize = 1024;

/// Made when the first build needs them.
#[derive(Debug)]
pub(in crate::api_proxy) struct Files {
    ca: Option<Ca>,
    made: OnceLock<Arc<crate::core::trust::Files>>,
}

impl Files {
    pub(in crate::api_proxy) fn new(ca: Option<Ca>) -> Self {
        Self {
            ca,
            made: OnceLock::new(),
        }
    }

    /// What an image trusts is not known before it is built: steps trust the authority, and what Mozilla trusts.
    fn get(&self) -> Option<Arc<crate::core::trust::Files>> {
        let ca = self.ca.as_ref()?;
        let make = || Arc::new(files(ca, &Wanted::default(), &Found::new()));
        Some(Arc::clone(self.made.get_or_init(make)))
    }

    /// As entries of an archive, in a folder; without an end of the archive.
    pub(super) fn in_folder(&self, folder: &str) -> Option<Vec<u8>> {
        let mut archive = self.get()?.archive(folder).to_vec();
        archive.truncate(archive.len().saturating_sub(END));
        Some(archive)
    }

    /// Sees to it that the engine has an image of them, and tells its name. Nothing if there is nobody to trust.
    pub(super) async fn in_image(&self, shared: &Shared) -> Result<Option<String>, Error> {
        let Some(files) = self.get() else {
            return Ok(None);
        };
        let sha256 = files.sha256();
        let tag = sha256.get(..SHORT).unwrap_or(&sha256);
        let image = format!("{REPOSITORY}:{tag}");
        // The tag is the content's hash, so an image that is there is the right one.
        if !shared.client.has_image(&image).await? {
            let changes = vec![
                format!("LABEL {}={}", label::ROLE, label::ROLE_DATA),
                format!("LABEL {}={}", label::INSTANCE, shared.instance),
            ];
            let archive = files.archive("");
            let import = shared
                .client
                .import_image(REPOSITORY, tag, changes, archive);
            import.await?;
            info!(image, "image for builds imported");
        }
        Ok(Some(image))
    }
}
