//! What an intercepted shell has in its environment, and the lines that put it there.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use clap::ValueEnum;

use super::Failure;
use crate::control::report::shape::Status;
use crate::docker::Endpoint;

/// What the variables were before, as JSON: `--unset` has nothing else to go by.
const SAVED: &str = "DOCKLINE_SAVED";

/// Variables and their values; `None`: not set.
pub(super) type Changes = BTreeMap<String, Option<String>>;

/// Shells whose language is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Shell {
    /// sh, bash, zsh, dash, ksh
    Sh,
    /// fish
    Fish,
    /// PowerShell
    Powershell,
}

impl Shell {
    /// The shell that the environment tells of.
    pub(super) fn of(variables: &BTreeMap<String, String>) -> Self {
        let shell = variables.get("SHELL").map_or("", String::as_str);
        if shell.ends_with("/fish") {
            Self::Fish
        } else if shell.is_empty() && variables.contains_key("PSModulePath") {
            Self::Powershell
        } else {
            Self::Sh
        }
    }

    /// The lines that make the changes.
    pub(super) fn lines(self, changes: &Changes) -> String {
        let line = |(name, value): (&String, &Option<String>)| match (self, value) {
            (Self::Sh, Some(value)) => {
                format!("export {name}='{}'", value.replace('\'', r"'\''"))
            }
            (Self::Sh, None) => format!("unset {name}"),
            (Self::Fish, Some(value)) => {
                let value = value.replace('\\', r"\\").replace('\'', r"\'");
                format!("set -gx {name} '{value}'")
            }
            (Self::Fish, None) => format!("set -e {name}"),
            (Self::Powershell, Some(value)) => {
                format!("$env:{name} = '{}'", value.replace('\'', "''"))
            }
            (Self::Powershell, None) => {
                format!("Remove-Item Env:{name} -ErrorAction SilentlyContinue")
            }
        };
        changes.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

/// What makes clients of Docker use the API proxy of a running service. `engine`: where this command finds the engine.
pub(super) fn intercept(
    variables: &BTreeMap<String, String>,
    status: &Status,
    engine: &Endpoint,
) -> Result<Changes, Failure> {
    let socket = status.api_socket.clone().ok_or_else(|| {
        Failure::Other(anyhow::anyhow!(
            "the running service has no API proxy; start this version of it"
        ))
    })?;
    let set = |value: &str| Some(value.to_owned());
    let mut changes = Changes::from([
        ("DOCKER_HOST".to_owned(), Some(socket)),
        // The API proxy is a socket; what they say is for the engine.
        ("DOCKER_TLS_VERIFY".to_owned(), None),
        ("DOCKER_CERT_PATH".to_owned(), None),
        // For dockline itself, which must not take its own proxy for the engine.
        ("DOCKLINE_HOST".to_owned(), set(&status.engine.endpoint)),
    ]);
    if let Endpoint::Tls(_, files) = engine
        && let Some(folder) = files.ca.parent()
    {
        let folder = folder.to_string_lossy().into_owned();
        changes.insert("DOCKLINE_CERT_PATH".to_owned(), Some(folder));
    }
    if status.instance != "default" {
        changes.insert("DOCKLINE_INSTANCE".to_owned(), set(&status.instance));
    }
    if !variables.contains_key("BUILDX_BUILDER") {
        changes.insert("BUILDX_BUILDER".to_owned(), set("default"));
    }
    // What is there already was saved before the first change.
    let mut saved = saved(variables).unwrap_or_default();
    for name in changes.keys() {
        let before = variables.get(name).cloned();
        saved.entry(name.clone()).or_insert(before);
    }
    let saved = serde_json::to_string(&saved).map_err(anyhow::Error::from)?;
    changes.insert(SAVED.to_owned(), Some(saved));
    Ok(changes)
}

/// What gives everything back that [`intercept`] changed.
pub(super) fn restore(variables: &BTreeMap<String, String>) -> Changes {
    let mut changes = saved(variables).unwrap_or_default();
    if !changes.is_empty() {
        changes.insert(SAVED.to_owned(), None);
    }
    changes
}

fn saved(variables: &BTreeMap<String, String>) -> Option<Changes> {
    serde_json::from_str(variables.get(SAVED)?).ok()
}
