//! A compose project that comes and goes.

use std::net::SocketAddr;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::INSTANCE;
use super::load::fetch;
use super::stage::Stage;
use super::tally::Tally;
use crate::shell::MINUTES_2;

const FILE: &str = "docker-compose.test.yml";
const NAME: &str = "soakshop";
/// Keeps its given subnets apart from those of tests and the demo.
const NUMBER: &str = "243";
/// From `up` to the first page: the map and the tunnel's join take milliseconds, the page's server a second.
const READY: Duration = Duration::from_secs(30);
/// Between two lives.
const REST: Duration = Duration::from_secs(15);

/// Brings the project up, fetches a page, takes it down, again and again.
pub(super) fn come_and_go(stage: &Stage<'_>, gateway: SocketAddr, tally: &Tally) {
    while !tally.is_stopped() {
        let lived = live(stage, gateway, tally).and(down(stage));
        if let Err(error) = lived {
            tally.fail(format!("{NAME}: {error:#}"));
        }
        let rested = Instant::now() + REST;
        while Instant::now() < rested && !tally.is_stopped() {
            thread::sleep(Duration::from_millis(50));
        }
    }
}

fn live(stage: &Stage<'_>, gateway: SocketAddr, tally: &Tally) -> Result<()> {
    compose(stage, &["up", "-d"])?;
    tally.changes.add();
    let host = format!("api.{NAME}_default");
    let page = format!("hello from {NAME}/api");
    let answered = stage.shell.wait_until(&page, READY, || {
        let answer = fetch(gateway, &host).with_context(|| format!("fetch http://{host}/"))?;
        Ok(answer.contains(&page).then_some(()))
    });
    answered.map(|()| tally.requests.add())
}

/// Removes it, with whatever a failed `up` left.
pub(super) fn down(stage: &Stage<'_>) -> Result<()> {
    compose(stage, &["down", "--volumes", "--timeout", "2"])
}

fn compose(stage: &Stage<'_>, arguments: &[&str]) -> Result<()> {
    let mut command: Command = stage.setup.tools.compose(stage.engine);
    command
        .current_dir(stage.workspace.root())
        .args(["-f", FILE])
        .args(arguments)
        .env("COMPOSE_PROJECT_NAME", NAME)
        .env("DOCKLINE_FIXTURE", NUMBER)
        .env("DOCKLINE_INSTANCE", INSTANCE);
    stage.shell.output(&mut command, MINUTES_2).map(drop)
}
