//! `dockline ca`

use std::path::{Path, PathBuf};

use clap::Args;

use super::{Failure, Global, output, variables};
use crate::control::client;
use crate::control::report::shape::Status;
use crate::interceptor::Authority;

/// Flags of `ca`.
#[derive(Clone, Debug, Args)]
pub(super) struct Flags {
    /// Print the certificate itself, in PEM, and not its path
    #[arg(long)]
    pem: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// For programs.
#[derive(serde::Serialize)]
struct Answer {
    path: String,
    pem: String,
}

/// The authority that containers are to trust: that of the running service, or else the built-in interceptor's, which is made
/// if there is none yet.
pub(super) async fn run(global: &Global, flags: &Flags) -> Result<(), Failure> {
    let status = client::get::<Status>(&global.control_socket(), "/v1/status", &[]).await;
    let path = match status {
        Ok(status) => status.ca.map(PathBuf::from).ok_or_else(|| {
            Failure::Other(anyhow::anyhow!(
                "dockline runs without a certificate authority; start it with --ca FILE, or with the built-in interceptor"
            ))
        })?,
        Err(client::Error::NotRunning(_)) => built_in()?,
        Err(error) => return Err(error.into()),
    };
    if !flags.pem && !flags.json {
        output::data(&path.display().to_string());
        return Ok(());
    }
    let pem = read(&path)?;
    if flags.json {
        let path = path.display().to_string();
        return output::json(&Answer { path, pem });
    }
    output::data(pem.trim_end());
    Ok(())
}

fn built_in() -> Result<PathBuf, Failure> {
    let authority = Authority::open(&folder()?).map_err(anyhow::Error::new)?;
    Ok(authority.path().to_owned())
}

fn read(path: &Path) -> Result<String, Failure> {
    let text = std::fs::read_to_string(path);
    let read =
        text.map_err(|error| anyhow::Error::new(error).context(format!("read {}", path.display())));
    Ok(read?)
}

/// The user's folder for what lasts: `DOCKLINE_DATA_DIR`, else as the XDG Base Directory Specification says.
pub(super) fn folder() -> Result<PathBuf, Failure> {
    let variables = variables();
    let path = |name: &str| {
        let value = variables.get(name).filter(|value| !value.is_empty())?;
        Some(PathBuf::from(value))
    };
    let shared = || path("XDG_DATA_HOME").filter(|folder| folder.is_absolute());
    let home = || path("HOME").map(|home| home.join(".local/share"));
    path("DOCKLINE_DATA_DIR")
        .or_else(|| Some(shared().or_else(home)?.join("dockline")))
        .ok_or_else(|| {
            Failure::Usage(anyhow::anyhow!(
                "there is no home folder to keep the certificate authority in; set DOCKLINE_DATA_DIR to a folder, or give \
                 --interceptor none"
            ))
        })
}
