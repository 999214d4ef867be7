//! `cargo xtask image`: dockline's own image, as `Dockerfile` makes it, without a builder and without a registry.
//!
//! The archive is written that `docker load` takes, of [`program`].

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::console::say;
use crate::engine::Engine;
use crate::program::{self, Architecture};
use crate::setup::Setup;
use crate::shell::{MINUTES_2, Shell};
use crate::tools::Tools;
use crate::workspace::Workspace;

/// What it is called unless it is told otherwise.
pub(crate) const NAME: &str = "dockline:latest";
/// What the image may take: it is pulled to wherever dockline is to run.
const LIMIT: usize = 20_000_000;
/// The same archive whenever the program is.
const CREATED: &str = "1970-01-01T00:00:00Z";

const PROGRAM: &str = "bin/dockline";
/// As `Dockerfile` makes them.
const FOLDERS: [(&str, u32); 7] = [
    ("bin", 0o755),
    ("run", 0o755),
    ("run/dockline", 0o700),
    ("tmp", 0o1777),
    ("var", 0o755),
    ("var/lib", 0o755),
    ("var/lib/dockline", 0o700),
];

/// Flags of `cargo xtask image`.
#[derive(Debug, clap::Args)]
pub(crate) struct Flags {
    /// The image's name.
    #[arg(long, default_value = NAME)]
    tag: String,
    /// Loads it into the engine that the Docker CLI uses, or `--host`.
    #[arg(long)]
    load: bool,
    /// For which architecture [default: this machine's].
    #[arg(long, value_enum)]
    arch: Option<Architecture>,
}

/// Writes the archive, and loads it if asked to.
pub(crate) fn run(
    shell: &Shell,
    workspace: &Workspace,
    host: Option<&str>,
    flags: &Flags,
) -> Result<()> {
    let archive = make(shell, workspace, flags.arch, &flags.tag)?;
    if !flags.load {
        say(format_args!("docker load -i {}", archive.display()));
        return Ok(());
    }
    let setup = Setup::current(shell, workspace, host)?;
    let mut engines = setup.engines.iter();
    engines.try_for_each(|engine| load(shell, &setup.tools, engine, &archive))
}

/// The archive of the image, with that name in it.
pub(crate) fn make(
    shell: &Shell,
    workspace: &Workspace,
    architecture: Option<Architecture>,
    tag: &str,
) -> Result<PathBuf> {
    let architecture = Architecture::or_here(architecture)?;
    let program = program::build(shell, workspace, architecture)?;
    let folder = workspace.target().join("image");
    fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
    let archive = folder.join(format!("dockline-{}.tar", architecture.docker()));
    let layer = layer(&program)?;
    write(&archive, tag, architecture.docker(), &layer)?;
    let size = layer.len();
    say(format_args!(
        "{tag}: {}, in {}",
        megabytes(size),
        archive.display()
    ));
    ensure!(
        size <= LIMIT,
        "the image has {}, and may have {}",
        megabytes(size),
        megabytes(LIMIT)
    );
    Ok(archive)
}

/// Gives it to an engine.
pub(crate) fn load(shell: &Shell, tools: &Tools, engine: &Engine, archive: &Path) -> Result<()> {
    let mut load = tools.docker(engine);
    load.args(["load", "--quiet", "-i"]).arg(archive);
    let loaded = shell.output(&mut load, MINUTES_2)?;
    say(format_args!("engine {}: {}", engine.name, loaded.trim()));
    Ok(())
}

/// For people to read.
fn megabytes(bytes: usize) -> String {
    format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000)
}

/// The image's only layer.
fn layer(program: &Path) -> Result<Vec<u8>> {
    let bytes = fs::read(program).with_context(|| format!("read {}", program.display()))?;
    let mut layer = tar::Builder::new(Vec::with_capacity(bytes.len() + 16 * 1024));
    for (folder, mode) in FOLDERS {
        append(&mut layer, tar::EntryType::Directory, folder, mode, &[])?;
    }
    append(&mut layer, tar::EntryType::Regular, PROGRAM, 0o755, &bytes)?;
    layer.into_inner().context("end the layer")
}

/// Written down in the way of `docker save` (the image specification 1.2), which all engines read.
fn write(archive: &Path, tag: &str, architecture: &str, layer: &[u8]) -> Result<()> {
    let config = config(architecture, &digest(layer)).to_string();
    let config_name = format!("{}.json", digest(config.as_bytes()));
    let manifest = json!([{ "Config": config_name, "RepoTags": [tag], "Layers": ["layer.tar"] }]);
    let file = File::create(archive).with_context(|| format!("write {}", archive.display()))?;
    let mut tar = tar::Builder::new(file);
    let regular = tar::EntryType::Regular;
    append(&mut tar, regular, &config_name, 0o644, config.as_bytes())?;
    append(&mut tar, regular, "layer.tar", 0o644, layer)?;
    let manifest = manifest.to_string();
    append(
        &mut tar,
        regular,
        "manifest.json",
        0o644,
        manifest.as_bytes(),
    )?;
    let mut file = tar.into_inner().context("end the archive")?;
    file.flush().context("write the archive")
}

/// As `Dockerfile` says it.
fn config(architecture: &str, layer: &str) -> Value {
    const SECOND: u64 = 1_000_000_000;
    json!({
        "architecture": architecture,
        "os": "linux",
        "created": CREATED,
        "config": {
            "Env": ["PATH=/bin", "DOCKLINE_RUNTIME_DIR=/run/dockline", "DOCKLINE_DATA_DIR=/var/lib/dockline"],
            "Entrypoint": ["/bin/dockline"],
            "Cmd": ["serve"],
            "Labels": { "dockline.role": "service" },
            "StopSignal": "SIGTERM",
            "Healthcheck": {
                "Test": ["CMD", "/bin/dockline", "status", "--wait", "2"],
                "Interval": 10 * SECOND, "Timeout": 5 * SECOND, "StartPeriod": 60 * SECOND,
            },
        },
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{layer}")] },
        "history": [{ "created": CREATED, "created_by": "cargo xtask image" }],
    })
}

fn digest(bytes: &[u8]) -> String {
    let words = Sha256::digest(bytes);
    let words: Vec<String> = words.iter().map(|byte| format!("{byte:02x}")).collect();
    words.concat()
}

fn append<W: std::io::Write>(
    tar: &mut tar::Builder<W>,
    kind: tar::EntryType,
    path: &str,
    mode: u32,
    content: &[u8],
) -> Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(content.len() as u64);
    tar.append_data(&mut header, path, content)
        .with_context(|| format!("add {path} to the image"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dockerfile_says_the_same() {
        let dockerfile = include_str!("../../Dockerfile");
        let config = &config("amd64", "0")["config"];
        let words = |value: &Value| -> Vec<String> {
            let list = value.as_array().into_iter().flatten();
            list.map(|word| word.as_str().unwrap_or_default().to_owned())
                .collect()
        };
        let exec = |words: &[String]| {
            format!(
                "[{}]",
                words
                    .iter()
                    .map(|w| format!("{w:?}"))
                    .collect::<Vec<_>>()
                    .join(", ")
            )
        };
        let check = words(&config["Healthcheck"]["Test"]);
        for expected in [
            format!("ENV {}", words(&config["Env"]).join(" ")),
            format!("ENTRYPOINT {}", exec(&words(&config["Entrypoint"]))),
            format!("CMD {}", exec(&words(&config["Cmd"]))),
            format!(
                "--interval=10s --timeout=5s --start-period=60s CMD {}",
                exec(&check[1..])
            ),
            "LABEL dockline.role=service".to_owned(),
            "STOPSIGNAL SIGTERM".to_owned(),
            format!("--profile {}", program::PROFILE),
        ] {
            assert!(dockerfile.contains(&expected), "{expected}");
        }
    }
}
