//! `dockline env`

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use clap::Args;
use serde_json::{Map, Value, json};

use super::shell::{self, Shell};
use super::{Failure, Global, output, variables};
use crate::control::client;
use crate::control::report::shape::Status;
use crate::core::inject::Entry;

/// Flags of `env`.
#[derive(Clone, Debug, Args)]
pub(super) struct Flags {
    /// The shell's language [default: from SHELL]
    #[arg(long, value_enum)]
    shell: Option<Shell>,
    /// Give the variables back their values from before
    #[arg(long, conflicts_with = "docker_config")]
    unset: bool,
    /// Print the proxies for the Docker client's config.json, for clients that do not use this shell
    #[arg(long)]
    docker_config: bool,
    /// Write them into it, beside what it says
    #[arg(long, requires = "docker_config")]
    write: bool,
}

pub(super) async fn run(global: &Global, flags: &Flags) -> Result<(), Failure> {
    if flags.docker_config {
        return docker_config(global, flags.write);
    }
    let variables = variables();
    let shell = flags.shell.unwrap_or_else(|| Shell::of(&variables));
    let changes = if flags.unset {
        shell::restore(&variables)
    } else {
        let status: Status = client::get(&global.control_socket(), "/v1/status", &[]).await?;
        for warning in bypasses(&status) {
            output::note(&format!("dockline: {warning}"));
        }
        shell::intercept(&variables, &status, &global.endpoint()?)?
    };
    output::data(&shell.lines(&changes));
    Ok(())
}

/// What would lead clients past the API proxy, although the variables are set.
fn bypasses(status: &Status) -> Vec<String> {
    let mut warnings = Vec::new();
    if let Some(context) = variables().get("DOCKER_CONTEXT").filter(|c| !c.is_empty()) {
        warnings.push(format!(
            "DOCKER_CONTEXT={context} is set: docker prefers DOCKER_HOST, other clients may not; unset it if they bypass dockline"
        ));
    }
    if !status.ready {
        let problem = status
            .engine
            .problem
            .as_deref()
            .unwrap_or("the map is not complete yet");
        warnings.push(format!("the service is not ready: {problem}"));
    }
    warnings
}

/// `proxies` of the Docker client's configuration: containers get proxies from their client, on named networks only.
fn docker_config(global: &Global, write: bool) -> Result<(), Failure> {
    let url = Entry::Name(global.instance.clone()).url();
    let proxies =
        json!({ "httpProxy": url, "httpsProxy": url, "noProxy": "localhost,127.0.0.1,::1" });
    if !write {
        let section = json!({ "proxies": { "default": proxies } });
        let text = serde_json::to_string_pretty(&section).map_err(anyhow::Error::from)?;
        output::data(&text);
        return Ok(());
    }
    let path = Global::surroundings()
        .docker_config()
        .map(|folder| folder.join("config.json"));
    let path = path.ok_or_else(|| {
        Failure::Usage(anyhow::anyhow!(
            "there is no home folder; set DOCKER_CONFIG"
        ))
    })?;
    let text = merged(&path, &proxies).with_context(|| format!("merge {}", path.display()))?;
    replace(&path, &text).with_context(|| format!("write {}", path.display()))?;
    output::note(&format!("wrote proxies.default to {}", path.display()));
    Ok(())
}

fn merged(path: &Path, proxies: &Value) -> anyhow::Result<String> {
    let given = match fs::read_to_string(path) {
        Ok(text) => serde_json::from_str(&text)?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Map::new(),
        Err(error) => return Err(error.into()),
    };
    let mut config = given;
    let section = config.entry("proxies").or_insert_with(|| json!({}));
    let section = section
        .as_object_mut()
        .context("`proxies` is not an object")?;
    section.insert("default".to_owned(), proxies.clone());
    Ok(serde_json::to_string_pretty(&config)? + "\n")
}

/// As a whole or not at all: it holds the user's logins.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let fresh = path.with_extension("json.dockline");
    fs::write(&fresh, text)?;
    if let Ok(metadata) = fs::metadata(path) {
        fs::set_permissions(&fresh, metadata.permissions())?;
    }
    fs::rename(&fresh, path)
}
