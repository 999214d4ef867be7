//! The files that injected containers get, in a volume whose name is their content's.

use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use crate::api_proxy::Shared;
use crate::core::inject::Authority;
use crate::core::label::{INSTANCE, Labels, ROLE, ROLE_DATA};
use crate::docker::{Client, Error};

/// Characters of a hash in a volume's name.
const SHORT: usize = 12;

/// The authority of the interceptor, as the engine gets it.
#[derive(Debug, Default)]
pub(in crate::api_proxy) struct Files {
    /// Its certificates, in PEM.
    pem: Option<Bytes>,
    /// Whether this service has filled the volume: one that a crash left half-way is filled again.
    filled: AtomicBool,
}

impl Files {
    pub(in crate::api_proxy) fn new(pem: Option<Bytes>) -> Self {
        Self {
            pem,
            filled: AtomicBool::new(false),
        }
    }

    /// Sees to it that the engine has the files, and says where.
    pub(super) async fn authority(
        &self,
        client: &Client,
        shared: &Shared,
    ) -> Result<Option<Authority>, Error> {
        let Some(pem) = &self.pem else {
            return Ok(None);
        };
        let sha256 = hexadecimal(&Sha256::digest(pem));
        let short = sha256.get(..SHORT).unwrap_or(&sha256);
        let volume = format!("dockline-{}-{short}", shared.instance);
        // Containers that are created at once may each fill it, with the same.
        if !self.filled.load(Ordering::Relaxed) || !client.has_volume(&volume).await? {
            let labels = Labels::from_iter([
                (ROLE.to_owned(), ROLE_DATA.to_owned()),
                (INSTANCE.to_owned(), shared.instance.to_string()),
            ]);
            let image = shared.tunnel_image().await;
            client
                .fill_volume(&volume, &labels, &image, archive(pem))
                .await?;
            self.filled.store(true, Ordering::Relaxed);
        }
        Ok(Some(Authority { sha256, volume }))
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The folder's content: readable by all, whoever the container runs as.
fn archive(pem: &[u8]) -> Bytes {
    let mut header = tar::Header::new_gnu();
    header.set_size(pem.len() as u64);
    header.set_mode(0o444);
    header.set_entry_type(tar::EntryType::Regular);
    let mut archive = tar::Builder::new(Vec::new());
    // Writing to memory fails only on a path that does not fit, and this one is a constant.
    let written = archive
        .append_data(&mut header, "ca.pem", pem)
        .and_then(|()| archive.into_inner());
    Bytes::from(written.unwrap_or_default())
}
