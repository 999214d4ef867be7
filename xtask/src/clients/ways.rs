//! How containers are made, and with what of their user's own.

use std::fmt::Write as _;
use std::process::Command;

use anyhow::{Context as _, Result};

use super::image::{DEBIAN, MUSL, SCRATCH};
use crate::engine::Engine;
use crate::tools::Tools;

/// By what containers are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tool {
    Cli,
    Compose2,
    Compose1,
}

/// One of the ways.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way {
    pub(crate) words: &'static str,
    pub(crate) tool: Tool,
    /// With another user than root, and a root file system that is read-only.
    locked: bool,
    /// With values that its user has set.
    pub(crate) own: bool,
    /// Whether all programs are tried, or only those that stand for their kind.
    pub(crate) whole: bool,
}

pub(crate) const WAYS: [Way; 6] = [
    way("docker run", Tool::Cli, (false, false), true),
    way(
        "docker run, non-root, read-only root",
        Tool::Cli,
        (true, false),
        true,
    ),
    way(
        "docker run, with values of the user's own",
        Tool::Cli,
        (false, true),
        true,
    ),
    way("compose 2", Tool::Compose2, (false, false), true),
    way(
        "compose 2, non-root, read-only root, with values of the user's own",
        Tool::Compose2,
        (true, true),
        false,
    ),
    way("compose 1.29", Tool::Compose1, (false, false), false),
];

const fn way(words: &'static str, tool: Tool, (locked, own): (bool, bool), whole: bool) -> Way {
    Way {
        words,
        tool,
        locked,
        own,
        whole,
    }
}

/// What users set. The preloads among them say so when they run.
const VALUES: [(&str, &str); 14] = [
    ("SSL_CERT_FILE", "/pki/root.crt"),
    ("CURL_CA_BUNDLE", "/pki/root.crt"),
    ("REQUESTS_CA_BUNDLE", "/pki/root.crt"),
    ("GIT_SSL_CAINFO", "/pki/root.crt"),
    ("NODE_EXTRA_CA_CERTS", "/pki/root.crt"),
    ("AWS_CA_BUNDLE", "/pki/root.crt"),
    ("NODE_OPTIONS", "--require /pki/own/node.cjs"),
    ("JAVA_TOOL_OPTIONS", "-Down-java=1"),
    ("PYTHONPATH", "/pki/own/python"),
    ("RUBYLIB", "/pki/own"),
    ("RUBYOPT", "-rown"),
    ("PHP_INI_SCAN_DIR", ":/pki/own/php"),
    ("NO_PROXY", "elsewhere.test"),
    ("npm_config_loglevel", "error"),
];

/// Services by image.
const SERVICES: [(&str, &str); 3] = [("debian", DEBIAN), ("musl", MUSL), ("scratch", SCRATCH)];

/// What a program says of its user's preload, if it has one.
pub(crate) fn preload(name: &str) -> Option<&'static str> {
    let of = |starts: &[&str]| starts.iter().any(|start| name.starts_with(start));
    if of(&["Python", "pip", "uv"]) {
        Some("own-python")
    } else if of(&["Node", "npm", "Yarn", "pnpm"]) {
        Some("own-node")
    } else if of(&["Java"]) {
        Some("own-java")
    } else if of(&["Ruby"]) {
        Some("own-ruby")
    } else {
        (name == "PHP streams").then_some("own-php")
    }
}

impl Way {
    /// A container that runs `command` and is removed.
    pub(crate) fn run(
        &self,
        tools: &Tools,
        api: &Engine,
        image: &str,
        command: &[&str],
        (network, label): (&str, &str),
    ) -> Result<Command> {
        if self.tool != Tool::Cli {
            let service = SERVICES.iter().find(|(_, of)| *of == image);
            let (service, _) = service.context("an image without a service")?;
            let own = if self.own { "-own" } else { "" };
            let mut run = self.compose(tools, api, network)?;
            run.args(["run", "--rm", "-T", "--no-deps", &format!("{service}{own}")]);
            run.args(command);
            return Ok(run);
        }
        let mut run = tools.docker(api);
        run.args(["run", "--rm", "--label", label, "--network", network]);
        if self.locked {
            run.args(["--user", "1234:1234", "--read-only"]);
        }
        for (name, value) in VALUES.iter().filter(|_| self.own) {
            run.args(["-e", &format!("{name}={value}")]);
        }
        run.arg(image).args(command);
        Ok(run)
    }

    /// Compose, on the project of that name.
    pub(crate) fn compose(&self, tools: &Tools, api: &Engine, project: &str) -> Result<Command> {
        let mut compose = if self.tool == Tool::Compose1 {
            let program = tools.compose1.as_ref();
            let mut compose = Command::new(program.context("there is no compose 1.29")?);
            tools.configure(&mut compose, api);
            compose
        } else {
            tools.compose(api)
        };
        compose.args(["-p", project, "-f", "compose.yml"]);
        Ok(compose)
    }
}

/// One server by three names, and a service for each image, plain and with all that is its user's own.
pub(crate) fn compose_file() -> String {
    let mut text = format!(
        "version: '2.4'\nservices:\n  shop:\n    image: {DEBIAN}\n    command: [python3, /pki/serve.py]\n    \
         networks: {{default: {{aliases: [origin.test, private.test]}}}}\n"
    );
    for (service, image) in SERVICES {
        let values: String = VALUES.iter().fold(String::new(), |mut all, (name, value)| {
            // Writing to a string does not fail.
            let _ = writeln!(all, "      {name}: '{value}'");
            all
        });
        let _ = write!(
            text,
            "  {service}:\n    image: {image}\n  {service}-own:\n    image: {image}\n    \
             user: '1234:1234'\n    read_only: true\n    environment:\n{values}"
        );
    }
    text
}
