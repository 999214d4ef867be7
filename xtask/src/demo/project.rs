//! A compose project of the demo, made from the test fixtures.

use std::process::Command;

use anyhow::{Result, ensure};

use super::INSTANCE;
use super::narrator::Narrator;
use crate::engine::Engine;
use crate::shell::{MINUTES_2, typed};
use crate::tools::Tools;
use crate::workspace::Workspace;

const COMPOSE_FILE: &str = "docker-compose.test.yml";

/// One of the two projects.
#[derive(Clone, Copy, Debug)]
pub(super) struct Project {
    pub(super) name: &'static str,
    /// Keeps its given subnets apart from those of tests that run meanwhile.
    number: u8,
}

/// A shop and a blog, with services of the same names.
pub(super) const SHOP: Project = Project {
    name: "shop",
    number: 241,
};
pub(super) const BLOG: Project = Project {
    name: "blog",
    number: 242,
};

/// One that comes up in an intercepted shell.
pub(super) const KIOSK: Project = Project {
    name: "kiosk",
    number: 243,
};

/// Where projects run.
#[derive(Debug)]
pub(super) struct Stage<'a> {
    pub(super) workspace: &'a Workspace,
    pub(super) tools: &'a Tools,
    pub(super) engine: &'a Engine,
}

impl Stage<'_> {
    pub(super) fn docker(&self, args: &[&str]) -> Command {
        let mut command = self.tools.docker(self.engine);
        command.args(args);
        command
    }
}

impl Project {
    /// Fails if the engine has a project of this name, which must not be taken for ours.
    pub(super) fn ensure_absent(self, narrator: &Narrator, stage: &Stage<'_>) -> Result<()> {
        for listing in [["ps", "--all"].as_slice(), &["network", "ls"]] {
            let found = self.list(narrator, stage, listing)?;
            ensure!(
                found.is_empty(),
                "the engine already has something of a compose project named {0}; if an earlier demo left it, \
                 `COMPOSE_PROJECT_NAME={0} docker compose -f {COMPOSE_FILE} down` removes it",
                self.name
            );
        }
        Ok(())
    }

    /// Ids that a `docker` listing has of this project.
    pub(super) fn list(
        self,
        narrator: &Narrator,
        stage: &Stage<'_>,
        listing: &[&str],
    ) -> Result<String> {
        let filter = format!("label=com.docker.compose.project={}", self.name);
        let mut command = stage.docker(listing);
        narrator
            .shell()
            .output(command.args(["--quiet", "--filter", &filter]), MINUTES_2)
    }

    pub(super) fn up(self, narrator: &Narrator, stage: &Stage<'_>) -> Result<()> {
        self.run(narrator, stage, &["up", "-d"])
    }

    pub(super) fn down(self, narrator: &Narrator, stage: &Stage<'_>) -> Result<()> {
        self.run(narrator, stage, &["down", "--volumes"])
    }

    fn run(self, narrator: &Narrator, stage: &Stage<'_>, args: &[&str]) -> Result<()> {
        let mut command = self.compose(stage, args);
        let line = self.line(&command);
        narrator.run_as(&line, &mut command)?;
        Ok(())
    }

    /// A compose command for this project.
    pub(super) fn compose(self, stage: &Stage<'_>, args: &[&str]) -> Command {
        let mut command = stage.tools.compose(stage.engine);
        command
            .current_dir(stage.workspace.root())
            .args(["-f", COMPOSE_FILE])
            .args(args);
        command
            .env("COMPOSE_PROJECT_NAME", self.name)
            .env("DOCKLINE_FIXTURE", self.number.to_string());
        command.env("DOCKLINE_INSTANCE", INSTANCE);
        command
    }

    /// It as one would type it.
    pub(super) fn line(self, compose: &Command) -> String {
        format!(
            "COMPOSE_PROJECT_NAME={} DOCKLINE_FIXTURE={} DOCKLINE_INSTANCE={INSTANCE} {}",
            self.name,
            self.number,
            typed(compose)
        )
    }

    /// The name of a service's container.
    pub(super) fn container(
        self,
        narrator: &Narrator,
        stage: &Stage<'_>,
        service: &str,
    ) -> Result<String> {
        let filters = [
            format!("label=com.docker.compose.project={}", self.name),
            format!("label=com.docker.compose.service={service}"),
        ];
        let mut command = stage.docker(&["ps", "--format", "{{.Names}}"]);
        for filter in &filters {
            command.args(["--filter", filter]);
        }
        let found = narrator.shell().output(&mut command, MINUTES_2)?;
        ensure!(
            found.lines().count() == 1,
            "service {service} of {} should run once, but found {found:?}",
            self.name
        );
        Ok(found.trim().to_owned())
    }

    /// A service's address on one of the project's networks: `IPAddress` or `GlobalIPv6Address`.
    pub(super) fn address(
        self,
        narrator: &Narrator,
        stage: &Stage<'_>,
        (service, network, field): (&str, &str, &str),
    ) -> Result<String> {
        let container = self.container(narrator, stage, service)?;
        let format = format!(
            "{{{{(index .NetworkSettings.Networks \"{}_{network}\").{field}}}}}",
            self.name
        );
        let mut command = stage.docker(&["inspect", "--format", &format, &container]);
        let address = narrator.shell().output(&mut command, MINUTES_2)?;
        ensure!(
            !address.trim().is_empty(),
            "{container} has no address on {}_{network}",
            self.name
        );
        Ok(address.trim().to_owned())
    }
}
