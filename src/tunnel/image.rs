//! The tunnel's image: made from the built-in binary, without a registry or a builder.

use bytes::Bytes;

use super::{Asked, Error};
use crate::core::adoption::Image as Origin;
use crate::core::label;
use crate::docker::Client;

/// A tunnel binary that was built in.
#[derive(Debug)]
pub(super) struct Binary {
    /// In the engine's words: `amd64`, `arm64`.
    arch: &'static str,
    /// The image's only layer, as a packed archive: engines take it so.
    layer: &'static [u8],
    /// The beginning of the program's SHA-256, which is the image's tag.
    hash: &'static str,
}

include!(concat!(env!("OUT_DIR"), "/tunnel_binaries.rs"));

const REPOSITORY: &str = "dockline/tunnel";
const PROGRAM: &str = "dockline-tunnel";

/// The image that tunnels are made of.
#[derive(Debug)]
pub(super) struct Image {
    pub(super) reference: String,
    pub(super) origin: Origin,
}

/// Sees to it that the engine has the image.
pub(super) async fn ensure(
    client: &Client,
    arch: &str,
    named: Option<&str>,
) -> Result<Image, Error> {
    let reference = reference(client, arch, named).await?;
    let origin = match named {
        Some(_) => Origin::AskedFor,
        None => Origin::BuiltIn,
    };
    Ok(Image { reference, origin })
}

async fn reference(client: &Client, arch: &str, named: Option<&str>) -> Result<String, Error> {
    if let Some(reference) = named {
        let there = client
            .has_image(reference)
            .await
            .asked("look for the tunnel's image")?;
        let missing = || Error::NoImage(reference.to_owned());
        return there.then(|| reference.to_owned()).ok_or_else(missing);
    }
    let binary = BINARIES
        .iter()
        .find(|b| b.arch == arch)
        .ok_or_else(|| Error::NoBinary(arch.to_owned()))?;
    let reference = format!("{REPOSITORY}:{}", binary.hash);
    // The tag is the content's hash, so an image that is there is the right one.
    if client
        .has_image(&reference)
        .await
        .asked("look for the tunnel's image")?
    {
        return Ok(reference);
    }
    let changes = vec![
        format!("ENTRYPOINT [\"/{PROGRAM}\"]"),
        format!("LABEL {}={}", label::ROLE, label::ROLE_TUNNEL),
    ];
    let import = client.import_image(
        REPOSITORY,
        binary.hash,
        changes,
        Bytes::from_static(binary.layer),
    );
    import.await.asked("import the tunnel's image")?;
    tracing::info!(image = %reference, "tunnel image imported");
    Ok(reference)
}
