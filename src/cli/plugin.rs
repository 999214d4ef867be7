//! dockline as a plugin of the Docker CLI: `docker dockline status`.
//!
//! The CLI finds programs called `docker-NAME` in its folders for plugins, asks each with [`METADATA`] what it is, and
//! then runs it with NAME as the first word (docker/cli, `cli-plugins/manager`).

use std::ffi::OsString;
use std::path::Path;

use serde_json::json;

const PROGRAM: &str = "docker-dockline";
const NAME: &str = "dockline";
/// How it is called then, for its own help to say.
const TYPED: &str = "docker dockline";
const METADATA: &str = "docker-cli-plugin-metadata";

/// How the program was called.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Called {
    /// To say what it is.
    Metadata,
    /// With these words.
    Command(Vec<OsString>),
}

/// Takes away what the Docker CLI adds.
pub(super) fn words(mut words: Vec<OsString>) -> Called {
    let is_plugin = words
        .first()
        .and_then(|program| Path::new(program).file_stem())
        .is_some_and(|stem| stem == PROGRAM);
    if is_plugin {
        match words.get(1) {
            Some(word) if word == METADATA => return Called::Metadata,
            Some(word) if word == NAME => drop(words.remove(1)),
            Some(_) | None => {}
        }
        if let Some(program) = words.first_mut() {
            *program = TYPED.into();
        }
    }
    Called::Command(words)
}

/// What the plugin is.
pub(super) fn metadata() -> String {
    json!({
        "SchemaVersion": "0.1.0",
        "Vendor": "dockline",
        "Version": env!("DOCKLINE_VERSION"),
        "ShortDescription": "Intercept containers with any HTTP(S) proxy",
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn called(line: &str) -> Called {
        words(line.split(' ').map(OsString::from).collect())
    }

    #[test]
    fn the_docker_cli_is_understood() {
        let plugin = |line: &str| {
            let words = line.split(' ').map(OsString::from);
            Called::Command([TYPED.into()].into_iter().chain(words).collect())
        };
        let words = |line: &str| Called::Command(line.split(' ').map(OsString::from).collect());
        assert_eq!(
            called("/x/docker-dockline docker-cli-plugin-metadata"),
            Called::Metadata
        );
        assert_eq!(
            called("docker-dockline dockline status --json"),
            plugin("status --json")
        );
        assert_eq!(
            called("docker-dockline.exe dockline"),
            Called::Command(vec![TYPED.into()])
        );
        assert_eq!(called("dockline status"), words("dockline status"));
        assert_eq!(
            called("/docker-dockline/dockline dockline"),
            words("/docker-dockline/dockline dockline")
        );
    }
}
