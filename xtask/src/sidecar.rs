//! `cargo xtask sidecar`: `docs/sidecar/` on real engines, from `docker compose up` to `down`, with dockline's own image.

mod mitmproxy;

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::console::say;
use crate::engine::{Engine, Version};
use crate::image;
use crate::images::FIXTURE;
use crate::setup::Setup;
use crate::shell::{MINUTES_2, MINUTES_10, Shell};
use crate::tools::Tools;
use crate::workspace::Workspace;

/// Instance and project, so that no other ones are touched.
const INSTANCE: &str = "xtask-sidecar";
const IMAGE: &str = "dockline-sidecar:latest";
const PASSWORD: &str = "of-this-test";
/// What neighbours find, and strangers do not: run in mitmproxy's container.
const NEIGHBOUR: &str = include_str!("../sidecar/neighbour.py");

/// Tries it, on the engine that the user has or on private ones.
pub(crate) fn run(shell: &Shell, workspace: &Workspace, host: Option<&str>) -> Result<()> {
    let archive = image::make(shell, workspace, None, IMAGE)?;
    let folder = workspace.target().join("sidecar");
    fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
    let setup = Setup::any(shell, workspace, host, &[Version::V26, Version::V20])?;
    let mut engines = setup.engines.iter();
    let tried = engines.try_for_each(|engine| {
        image::load(shell, &setup.tools, engine, &archive)?;
        let sidecar = Sidecar {
            shell,
            tools: &setup.tools,
            engine,
            file: &workspace.root().join("docs/sidecar/compose.yml"),
            mitmproxy: mitmproxy::ensure(shell, &setup.tools, engine, &folder)?,
        };
        let used = sidecar.up().and_then(|()| sidecar.used());
        if used.is_err() {
            say(sidecar.logs());
        }
        let shell = &Shell::for_cleanup();
        let down = Sidecar { shell, ..sidecar }.down();
        used.and(down)
    });
    tried.and(setup.stop_started(workspace))
}

struct Sidecar<'a> {
    shell: &'a Shell,
    tools: &'a Tools,
    engine: &'a Engine,
    file: &'a Path,
    mitmproxy: String,
}

impl Sidecar<'_> {
    fn compose(&self, arguments: &[&str]) -> Command {
        let mut compose = self.tools.compose(self.engine);
        compose
            .args(["-p", INSTANCE, "-f"])
            .arg(self.file)
            .args(arguments)
            .env("DOCKLINE_IMAGE", IMAGE)
            .env("MITMPROXY_IMAGE", &self.mitmproxy)
            .env("APP_IMAGE", FIXTURE)
            .env("DOCKLINE_INSTANCE", INSTANCE)
            .env("DOCKLINE_GATEWAY_PASSWORD", PASSWORD);
        if let Some(socket) = self.engine.endpoint.strip_prefix("unix://") {
            compose.env("DOCKER_SOCKET", socket);
        }
        compose
    }

    fn ask(&self, arguments: &[&str]) -> Result<String> {
        self.shell.output(&mut self.compose(arguments), MINUTES_2)
    }

    /// One command, and all are well.
    fn up(&self) -> Result<()> {
        let mut up = self.compose(&["up", "-d", "--wait"]);
        self.shell.output(&mut up, MINUTES_10)?;
        say(format_args!(
            "engine {}: up, and dockline healthy",
            self.engine.name
        ));
        Ok(())
    }

    fn used(&self) -> Result<()> {
        self.shell.wait_until("mitmproxy's word", MINUTES_2, || {
            let log = self.ask(&["logs", "--no-log-prefix", "mitmproxy"])?;
            let seen = log.contains("GET http://api/") && log.contains("<< 200 OK");
            Ok(seen.then_some(()))
        })?;
        say("mitmproxy sees what the application asks");
        let in_dockline = ["exec", "-T", "dockline", "dockline"];
        let status = self.ask(&[&in_dockline[..], &["status", "--json"]].concat())?;
        let status: Value = serde_json::from_str(&status).context("read the status")?;
        let names: Vec<_> = status["containers"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|container| container["name"].as_str())
            .collect();
        ensure!(
            names == [format!("{INSTANCE}-web-1")],
            "watched are {names:?}, and should be the application alone: {status}"
        );
        ensure!(
            status["tunnel"]["link"]["state"] == "up" && status["interceptor"]["reachable"] == true,
            "link or interceptor is not up: {status}"
        );
        let doctor = self.ask(&[&in_dockline[..], &["doctor"]].concat())?;
        say(doctor.trim_end());
        let gateway = format!("{INSTANCE}_default");
        let neighbour = ["exec", "-T", "mitmproxy", "python3", "-c", NEIGHBOUR];
        let said = self.ask(&[&neighbour[..], &[PASSWORD, &gateway]].concat())?;
        say(said.trim_end());
        Ok(())
    }

    fn logs(&self) -> String {
        let logs = self.ask(&["logs", "--tail", "60"]);
        logs.unwrap_or_else(|error| format!("{error:#}"))
    }

    /// Nothing is left.
    fn down(&self) -> Result<()> {
        let mut down = self.compose(&["down", "-v"]);
        self.shell.output(&mut down, MINUTES_2)?;
        let filter = format!("label=dockline.instance={INSTANCE}");
        for list in [
            &["ps", "-aq", "--filter", &filter][..],
            &["network", "ls", "-q", "--filter", &filter],
        ] {
            let mut left = self.tools.docker(self.engine);
            let left = self.shell.output(left.args(list), MINUTES_2)?;
            ensure!(left.trim().is_empty(), "left behind: {}", left.trim());
        }
        say(format_args!(
            "engine {}: down, and nothing is left",
            self.engine.name
        ));
        Ok(())
    }
}
