//! Where a soak happens, and what it has in the engine.

use anyhow::{Context as _, Result};

use super::samples::{Cost, Sample};
use super::{INSTANCE, LABEL, STEADY, WITNESS, crowd, project};
use crate::dockline::{Dockline, Profile};
use crate::engine::Engine;
use crate::images::FIXTURE;
use crate::setup::Setup;
use crate::shell::{MINUTES_2, Shell};
use crate::workspace::Workspace;

/// What everything here needs.
#[derive(Debug)]
pub(super) struct Stage<'a> {
    pub(super) shell: &'a Shell,
    pub(super) workspace: &'a Workspace,
    pub(super) setup: &'a Setup,
    pub(super) engine: &'a Engine,
}

impl Stage<'_> {
    /// Runs a Docker CLI command that must succeed; its output.
    fn docker(&self, arguments: &[&str]) -> Result<String> {
        let mut command = self.setup.tools.docker(self.engine);
        self.shell.output(command.args(arguments), MINUTES_2)
    }

    /// The program as built for release, for one instance on this engine.
    pub(super) fn dockline(&self, instance: &'static str) -> Result<Dockline> {
        Dockline::built(
            self.workspace,
            Profile::Release,
            instance,
            &self.engine.endpoint,
        )
    }

    /// The container that stays, on a network of its own.
    pub(super) fn start_steady(&self) -> Result<()> {
        let watched = format!("dockline.instance={INSTANCE}");
        self.docker(&["network", "create", "--label", LABEL, STEADY])?;
        let run = ["run", "--detach", "--name", STEADY, "--network", STEADY];
        let labels = ["--label", LABEL, "--label", &watched];
        self.docker(&[&run, labels.as_slice(), &[FIXTURE, "hello", STEADY]].concat())?;
        Ok(())
    }

    /// What dockline and its tunnel take now.
    pub(super) fn sample(&self, pid: u32) -> Result<Sample> {
        let tunnel = format!("dockline-tunnel-{INSTANCE}");
        let found = self.docker(&["inspect", "--format", "{{.State.Pid}}", &tunnel])?;
        Ok(Sample {
            dockline: Cost::of(pid).context("`dockline serve` is gone")?,
            // Of an engine on another machine or in a virtual one there is nothing to see here.
            tunnel: found
                .trim()
                .parse()
                .ok()
                .and_then(Cost::of)
                .unwrap_or_default(),
        })
    }

    /// Ids of what the soak's own docklines have in the engine.
    pub(super) fn dockline_things(&self) -> Result<Vec<String>> {
        let mut found = Vec::new();
        for instance in [INSTANCE, WITNESS] {
            let whose = format!("dockline.instance={instance}");
            found.extend(
                self.labelled(&["dockline.role", &whose])?
                    .into_iter()
                    .flatten(),
            );
        }
        Ok(found)
    }

    /// Ids of containers and of networks that carry all of these labels.
    fn labelled(&self, labels: &[&str]) -> Result<[Vec<String>; 2]> {
        let filters: Vec<String> = labels
            .iter()
            .map(|label| format!("label={label}"))
            .collect();
        let filters: Vec<&str> = filters.iter().flat_map(|f| ["--filter", f]).collect();
        let list = |listing: &[&str]| -> Result<Vec<String>> {
            let found = self.docker(&[listing, &["--quiet"], &filters].concat())?;
            Ok(found.split_whitespace().map(str::to_owned).collect())
        };
        Ok([list(&["ps", "--all"])?, list(&["network", "ls"])?])
    }

    /// Removes what this soak, or one that was killed, has made.
    pub(super) fn clean_up(&self) -> Result<()> {
        project::down(self)?;
        crowd::down(self)?;
        for instance in [INSTANCE, WITNESS] {
            let mut clean = self.dockline(instance)?.command(&["clean"]);
            self.shell.output(&mut clean, MINUTES_2)?;
        }
        let [containers, networks] = self.labelled(&[LABEL])?;
        for (verb, ids) in [
            (["rm", "--force"], containers),
            (["network", "rm"], networks),
        ] {
            let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
            if !ids.is_empty() {
                self.docker(&[&verb, ids.as_slice()].concat())?;
            }
        }
        Ok(())
    }
}
