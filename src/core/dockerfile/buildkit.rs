//! Dockerfiles for BuildKit, where a client sends it one in a context: a mount brings the files into each step, and the
//! image keeps neither a folder nor a layer of them.

use super::instructions::Instruction;
use super::{Source, Unclear};
use crate::core::inject::FOLDER;
use crate::core::trust::variables::JAVA_OPTIONS;

/// Which of the engine's two builders it is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Builder {
    /// The one that makes a container and an image of each step.
    #[default]
    Classic,
    /// The one of build graphs.
    BuildKit,
}

/// Frontends that are Docker's own.
const FRONTENDS: [&str; 2] = ["docker/dockerfile", "docker/dockerfile-upstream"];

/// Whether steps can have mounts by that frontend; none is the engine's own.
pub(super) fn mounts(syntax: Option<&str>) -> Result<(), Unclear> {
    let Some(image) = syntax else {
        return Ok(());
    };
    let image = image.split_once('@').map_or(image, |(image, _)| image);
    let (name, tag) = match image.rsplit_once(':') {
        // A registry's port is no tag.
        Some((name, tag)) if !tag.contains('/') => (name, tag),
        _ => (image, "latest"),
    };
    // Also where a registry of the user's own has them.
    let is_known = |known: &&str| {
        let before = name.strip_suffix(*known);
        before.is_some_and(|before| before.is_empty() || before.ends_with('/'))
    };
    if !FRONTENDS.iter().any(is_known) {
        return Err(Unclear("its `# syntax=` is not Docker's own"));
    }
    let version = tag.split('-').next().unwrap_or_default();
    let mut numbers = version.split('.').map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(1_u32)), Some(Ok(0 | 1))) => Err(Unclear(
            "its `# syntax=` is older than mounts; docker/dockerfile:1 has them",
        )),
        _ => Ok(()),
    }
}

/// What a step begins with.
pub(super) fn mount(files: &Source) -> String {
    match files {
        Source::Image(image) => format!("--mount=type=bind,from={image},target={FOLDER}"),
        Source::Folder(folder) => {
            let folder = folder.trim_end_matches('/');
            format!("--mount=type=bind,source={folder},target={FOLDER}")
        }
    }
}

/// What it makes of a variable, as an ARG takes it: here that counts before what the base image sets, so lists go on with
/// what that has, and what it names for a program to read stays. Nothing where the stage before has said so already.
pub(super) fn merged(name: &str, value: &str, inherits: bool) -> Option<String> {
    let merged = match name {
        "PYTHONPATH" => format!("{value}${{{name}:+:${name}}}"),
        // What is added begins with a colon: an empty item is the folder that PHP has by itself.
        "PHP_INI_SCAN_DIR" => format!("${{{name}}}{value}"),
        "NODE_OPTIONS" | JAVA_OPTIONS => format!("${{{name}:+${name} }}{value}"),
        "NO_PROXY" | "no_proxy" => format!("${{{name}:+${name},}}{value}"),
        "APT_CONFIG" | "SYSTEM_WGETRC" | "NODE_USE_ENV_PROXY" | "PERL_LWP_ENV_PROXY" => {
            format!("${{{name}:-{value}}}")
        }
        _ => return Some(value.to_owned()),
    };
    (!inherits).then_some(merged)
}

/// Whether a step asks for no network.
pub(super) fn is_offline(run: &Instruction) -> bool {
    let words = run.rest.split_whitespace();
    let mut flags = words.take_while(|word| word.starts_with("--"));
    flags.any(|flag| flag == "--network=none")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_frontends_have_mounts() {
        for known in [
            "docker/dockerfile",
            "docker/dockerfile:1",
            "docker/dockerfile:1.2",
            "docker.io/docker/dockerfile:1.10-labs",
            "registry.test:5000/docker/dockerfile-upstream:master@sha256:00",
            "registry.test:5000/docker/dockerfile",
        ] {
            assert_eq!(mounts(Some(known)), Ok(()), "{known}");
        }
        assert_eq!(mounts(None), Ok(()));
        for unknown in [
            "docker/dockerfile:1.0",
            "docker/dockerfile:1.1.7",
            "docker/dockerfile:1.1-experimental",
            "own/frontend:1",
            "notdocker/dockerfile:1",
            "",
        ] {
            assert!(mounts(Some(unknown)).is_err(), "{unknown}");
        }
    }
}
