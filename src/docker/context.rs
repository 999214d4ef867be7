//! Docker contexts, as the Docker CLI stores them.
//!
//! `contexts/meta/<sha256 of the name>/meta.json` holds the host, `contexts/tls/<same>/docker/` the certificates
//! (docker/cli, `cli/context/store`).

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::endpoint::{EndpointError, TlsFiles};

/// What a context says of its engine.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) host: String,
    pub(super) tls: Option<TlsFiles>,
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
    let bad = |reason: String| EndpointError::BadContext {
        name: name.to_owned(),
        path: path.clone(),
        reason,
    };
    let text = fs::read_to_string(&path).map_err(|e| bad(e.to_string()))?;
    let json: Value = serde_json::from_str(&text).map_err(|e| bad(e.to_string()))?;
    let host = json
        .pointer("/Endpoints/docker/Host")
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
