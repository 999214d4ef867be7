//! Docker contexts, as the Docker CLI stores them.
//!
//! `contexts/meta/<sha256 of the name>/meta.json` holds the host, `contexts/tls/<same>/docker/` the certificates
//! (docker/cli, `cli/context/store`).

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::endpoint::{EndpointError, TlsFiles};

/// What a context says of its engine.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) host: String,
    pub(super) tls: Option<TlsFiles>,
}

/// In the metadata of a context that leads to our API proxy: the engine behind it, for dockline's own commands.
const ENGINE: &str = "dockline.engine";

/// The contexts of a user.
#[derive(Clone, Debug)]
pub struct Contexts(PathBuf);

impl Contexts {
    /// Those in a configuration folder of the Docker CLI.
    pub fn of(config: &Path) -> Self {
        Self(config.join("contexts"))
    }

    /// Makes a context that leads to the API proxy at `host`, in front of `engine`; it takes its predecessor's place.
    pub fn create(&self, name: &str, host: &str, engine: &str) -> Result<(), EndpointError> {
        let folder = self.meta(name);
        let meta = json!({
            "Name": name,
            "Metadata": { "Description": "intercepted by dockline", ENGINE: engine },
            "Endpoints": { "docker": { "Host": host, "SkipTLSVerify": false } },
        });
        let path = folder.join("meta.json");
        let written = fs::create_dir_all(&folder).and_then(|()| fs::write(&path, meta.to_string()));
        written.map_err(|error| bad(name, &path, error.to_string()))
    }

    /// Removes a context that [`Contexts::create`] made, and no other.
    pub fn remove(&self, name: &str) -> Result<(), EndpointError> {
        let folder = self.meta(name);
        let path = folder.join("meta.json");
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(EndpointError::NoContext(name.to_owned()));
            }
            Err(error) => return Err(bad(name, &path, error.to_string())),
        };
        let meta: Value = serde_json::from_str(&text).unwrap_or_default();
        if meta
            .pointer("/Metadata")
            .and_then(|m| m.get(ENGINE))
            .is_none()
        {
            let reason = "dockline did not make it; `docker context rm` removes it".to_owned();
            return Err(bad(name, &path, reason));
        }
        fs::remove_dir_all(&folder).map_err(|error| bad(name, &path, error.to_string()))
    }

    fn meta(&self, name: &str) -> PathBuf {
        self.0.join("meta").join(folder_name(name))
    }
}

fn bad(name: &str, path: &Path, reason: String) -> EndpointError {
    EndpointError::BadContext {
        name: name.to_owned(),
        path: path.to_owned(),
        reason,
    }
}

/// The name of the current context, if one is set in `config.json`.
pub(super) fn current(config: &Path) -> Option<String> {
    let text = fs::read_to_string(config.join("config.json")).ok()?;
    let json: Value = serde_json::from_str(&text).ok()?;
    let name = json.get("currentContext")?.as_str()?;
    (!name.is_empty()).then(|| name.to_owned())
}

/// Reads a context.
pub(super) fn load(config: &Path, name: &str) -> Result<Context, EndpointError> {
    let folder = folder_name(name);
    let path = config.join("contexts/meta").join(&folder).join("meta.json");
    if !path.exists() {
        return Err(EndpointError::NoContext(name.to_owned()));
    }
    let bad = |reason: String| bad(name, &path, reason);
    let text = fs::read_to_string(&path).map_err(|e| bad(e.to_string()))?;
    let json: Value = serde_json::from_str(&text).map_err(|e| bad(e.to_string()))?;
    let own = json
        .get("Metadata")
        .and_then(|metadata| metadata.get(ENGINE));
    let host = own
        .or_else(|| json.pointer("/Endpoints/docker/Host"))
        .and_then(Value::as_str);
    let host = host
        .ok_or_else(|| bad("it has no Endpoints.docker.Host".to_owned()))?
        .to_owned();
    let tls = config.join("contexts/tls").join(folder).join("docker");
    Ok(Context {
        host,
        tls: tls.exists().then(|| TlsFiles::in_folder(&tls)),
    })
}

fn folder_name(name: &str) -> String {
    let digest = Sha256::digest(name.as_bytes());
    digest
        .iter()
        .fold(String::with_capacity(64), |mut hex, byte| {
            // Writing to a String cannot fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        })
}
