//! Images of what containers wrote: made by the engine, and made again of the same layers with another configuration.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::whole::{COPY, Made, understood};
use super::{Client, QUICK};
use crate::core::id::Instance;
use crate::core::label::{INSTANCE, ROLE, ROLE_DATA};
use crate::core::recreate::layer;
use crate::docker::Error;
use crate::docker::raw::{self, Method, Payload};

/// For a commit that somebody else waits for, who may have written a lot.
const COMMIT: Duration = Duration::from_secs(60 * 60);

impl Client {
    /// Makes an image of a container's files, marked as what `instance` needs for a while only; its id.
    pub async fn commit(&self, id: &str, instance: &Instance) -> Result<String, Error> {
        let marked = format!("LABEL {ROLE}={ROLE_DATA} {INSTANCE}={instance}");
        let query = [("container", id), ("pause", "1"), ("changes", &marked)];
        let query = serde_urlencoded::to_string(query)
            .map_err(|error| Error::Unexpected(Box::new(error)))?;
        let path = format!("/commit?{query}");
        let made: Made = understood(&self.tell(COPY, &path, &json!({})).await?)?;
        Ok(made.id)
    }

    /// The same, as a client asks for it: `target` as it wrote it, with the API's version or without.
    pub async fn commit_as_asked(&self, target: &str, body: Vec<u8>) -> Result<String, Error> {
        let payload = if body.is_empty() {
            Payload::Nothing
        } else {
            Payload::Json(body.into())
        };
        let made = raw::call(&self.endpoint, COMMIT, Method::POST, target, payload).await?;
        Ok(understood::<Made>(&made)?.id)
    }

    /// Makes an image of the layers of `committed`, with the configuration of `base`, both as the engine describes them;
    /// its id.
    pub async fn load_layers(
        &self,
        base: &Value,
        committed: &Value,
        reference: Option<&str>,
    ) -> Result<String, Error> {
        let id = committed["Id"].as_str().unwrap_or_default();
        let past: Vec<Value> = self.ask(QUICK, &format!("/images/{id}/history")).await?;
        let mut digest = String::new();
        let files = layer::image(base, committed, &past, reference, |bytes| {
            digest = hex(&Sha256::digest(bytes));
            digest.clone()
        });
        self.load_images(archive(&files)).await?;
        Ok(format!("sha256:{digest}"))
    }

    /// Loads images (`docker load`).
    async fn load_images(&self, archive: Bytes) -> Result<(), Error> {
        let path = self.versioned("/images/load?quiet=1");
        let payload = Payload::Tar(archive);
        let answer = raw::call(&self.endpoint, COPY, Method::POST, &path, payload).await?;
        // An error that comes when the answer has begun stands in it.
        let lines = String::from_utf8_lossy(&answer).into_owned();
        let values = lines
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok());
        let mut errors = values.filter_map(|v: Value| Some(v["error"].as_str()?.to_owned()));
        match errors.next() {
            None => Ok(()),
            Some(message) => Err(Error::Refused {
                status: 500,
                message,
            }),
        }
    }

    /// Gives an image a name, and takes it from the one that has it.
    pub async fn tag_image(&self, id: &str, repo: &str, tag: &str) -> Result<(), Error> {
        let query = serde_urlencoded::to_string([("repo", repo), ("tag", tag)])
            .map_err(|error| Error::Unexpected(Box::new(error)))?;
        let path = format!("/images/{id}/tag?{query}");
        self.tell(QUICK, &path, &Value::Null).await.map(drop)
    }

    /// Removes an image, but none that it was made of; false if something uses it.
    pub async fn remove_unused_image(&self, reference: &str) -> Result<bool, Error> {
        match self.delete(&format!("/images/{reference}?noprune=1")).await {
            Ok(()) => Ok(true),
            Err(error) if error.is_not_found() => Ok(true),
            Err(error) if error.status() == Some(409) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut hex, byte| {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

fn archive(files: &[(String, Vec<u8>)]) -> Bytes {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Regular);
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        // Writing to memory fails only on a path that does not fit, and these do.
        let _ = archive.append_data(&mut header, name, &bytes[..]);
    }
    Bytes::from(archive.into_inner().unwrap_or_default())
}
