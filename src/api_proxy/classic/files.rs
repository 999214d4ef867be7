//! What steps trust by, for the engine: in an image of its own, which stages copy from.

use tracing::info;

use crate::api_proxy::Shared;
use crate::core::label;
use crate::core::trust::{Ca, Files, Found, Wanted, files};
use crate::docker::Error;

const REPOSITORY: &str = "dockline/build";
/// Characters of a hash in a tag.
const SHORT: usize = 12;
/// What ends an archive, and an entry may not follow.
const END: usize = 1024;

/// What an image trusts is not known before it is built: steps trust the authority, and what Mozilla trusts.
pub(in crate::api_proxy) fn files_of(ca: &Ca) -> Files {
    files(ca, &Wanted::default(), &Found::new())
}

/// As entries of an archive, in a folder; without an end of the archive. Nothing if there is nobody to trust.
pub(super) fn in_folder(shared: &Shared, folder: &str) -> Option<Vec<u8>> {
    let mut archive = shared.build_files.get()?.archive(folder).to_vec();
    archive.truncate(archive.len().saturating_sub(END));
    Some(archive)
}

/// Sees to it that the engine has an image of them, and tells its name. Nothing if there is nobody to trust.
pub(super) async fn in_image(shared: &Shared) -> Result<Option<String>, Error> {
    let Some(files) = shared.build_files.get() else {
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
